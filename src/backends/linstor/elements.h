// SPDX-License-Identifier: Apache-2.0
/*
 * The elements of a long JSON array, one at a time as its bytes come in: a list of all resources of
 * a site takes the memory of one.
 *
 * This finds where an element begins and ends; what lies between is jansson's to judge.
 */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#define LINSTOR_ELEMENT_LIMIT (4u << 20)

/* Sees one element, borrowed. False with error set ends the reading. */
typedef bool (*LinstorVisit)(const json_t *element, void *user, GError **error);

typedef struct LinstorElements LinstorElements;

LinstorElements *linstor_elements_new(LinstorVisit visit, void *user);
void linstor_elements_free(LinstorElements *elements);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinstorElements, linstor_elements_free)

/* CORRUPT for what is no array of JSON values. */
bool linstor_elements_feed(LinstorElements *elements, const char *data, gsize length,
                           GError **error);
/* The array was whole. */
bool linstor_elements_end(const LinstorElements *elements, GError **error);
