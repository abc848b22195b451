// SPDX-License-Identifier: Apache-2.0
/*
 * What is in a disk, whatever its format: reading, writing and comparing, each with the machine
 * where the path lies.
 *
 * A content's digest covers only the chunks that are not all zeros, with their offsets; its size is
 * kept beside. So a raw file, a sparse copy of it, a qcow2 of it and a grown copy have one digest,
 * and "the old bytes are there and the tail reads as zeros" is one comparison.
 */
#pragma once

#include "verify/hosts.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Content {
    char digest[33];
    guint64 bytes; /* virtual size */
} Content;

/* All zeros, of that size. */
Content content_empty(guint64 bytes);
bool content_equal(const Content *a, const Content *b);
/* The caller frees it. */
char *content_text(const Content *content);

/* Reads a disk that is said to be of `format` ("raw" or "qcow2"). A file that leans on another one
 * (a backing file) is an error: such a disk shares its image's fate. */
bool content_read(const Host *host, const char *path, const char *format, Content *content,
                  GError **error);

/* What a guest does: `length` bytes of pattern `seed` at `offset`. */
bool content_write(const Host *host, const char *path, const char *format, guint64 offset,
                   guint64 length, unsigned seed, GError **error);

/* Some bytes of a raw file. */
bool content_peek(const Host *host, const char *path, guint64 offset, void *buffer, size_t length,
                  GError **error);

/* Sources for images. */
bool content_make_raw(const char *path, guint64 bytes, guint64 data_bytes, unsigned seed,
                      GError **error);
bool content_make_qcow2(const char *path, const char *raw, GError **error);

/* Where converted copies may lie for a moment. Kept by reference; before the first read. */
void content_set_scratch(const char *directory);
const char *content_scratch(void);
void content_forget_all(void);
