// SPDX-License-Identifier: Apache-2.0
#include "base/argv.h"

#include <string.h>

struct Argv {
    GPtrArray *words; /* NULL always last */
};

static void
append(Argv *argv, char *word)
{
    g_ptr_array_insert(argv->words, (int)argv->words->len - 1, word);
}

static Argv *
argv_empty(void)
{
    Argv *argv = g_new0(Argv, 1);
    argv->words = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(argv->words, NULL);
    return argv;
}

Argv *
argv_new_words(const char *first, ...)
{
    Argv *argv = argv_empty();
    va_list words;

    va_start(words, first);
    for (const char *word = first; word; word = va_arg(words, const char *))
        append(argv, g_strdup(word));
    va_end(words);
    return argv;
}

Argv *
argv_new_strv(const char *const *words)
{
    Argv *argv = argv_empty();
    argv_add_strv(argv, words);
    return argv;
}

void
argv_add_words(Argv *argv, ...)
{
    va_list words;

    va_start(words, argv);
    for (const char *word; (word = va_arg(words, const char *));)
        append(argv, g_strdup(word));
    va_end(words);
}

void
argv_addf(Argv *argv, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    append(argv, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

void
argv_add_strv(Argv *argv, const char *const *words)
{
    for (; *words; words++)
        append(argv, g_strdup(*words));
}

const char *const *
argv_words(const Argv *argv)
{
    return (const char *const *)argv->words->pdata;
}

guint
argv_length(const Argv *argv)
{
    return argv->words->len - 1;
}

char *
argv_text(const Argv *argv)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < argv_length(argv); i++) {
        const char *word = argv_words(argv)[i];
        g_autofree char *quoted =
            *word && !strpbrk(word, " \t\n'\"\\$`;&|<>()*?[]{}~#!") ? NULL : g_shell_quote(word);
        g_string_append_printf(text, "%s%s", i ? " " : "", quoted ? quoted : word);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

void
argv_free(Argv *argv)
{
    if (!argv)
        return;
    g_ptr_array_free(argv->words, TRUE);
    g_free(argv);
}
