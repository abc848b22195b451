// SPDX-License-Identifier: Apache-2.0
/*
 * Argument vectors that own copies of their words. No word ever passes through a shell.
 */
#pragma once

#include <glib.h>

typedef struct Argv Argv;

/* argv_new("lvcreate", "--yes"): the macro adds the NULL at the end. */
#define argv_new(...) argv_new_words(__VA_ARGS__, NULL)
#define argv_add(argv, ...) argv_add_words((argv), __VA_ARGS__, NULL)

Argv *argv_new_words(const char *first, ...) G_GNUC_NULL_TERMINATED;
Argv *argv_new_strv(const char *const *words);
void argv_add_words(Argv *argv, ...) G_GNUC_NULL_TERMINATED;
void argv_addf(Argv *argv, const char *format, ...) G_GNUC_PRINTF(2, 3);
void argv_add_strv(Argv *argv, const char *const *words);

/* The vector, NULL at its end; valid until the next change. */
const char *const *argv_words(const Argv *argv);
guint argv_length(const Argv *argv);

/* For logs and error texts: words quoted where they need it. The caller frees it. */
char *argv_text(const Argv *argv);

void argv_free(Argv *argv);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Argv, argv_free)
