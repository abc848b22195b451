// SPDX-License-Identifier: Apache-2.0
#include "verify/release.h"

#include <stdio.h>
#include <string.h>

#define OLDEST RELEASE(5, 4, 0)
#define NEWEST RELEASE(7, 4, 0)

bool
release_parse(const char *text, Release *release)
{
    unsigned major, minor, patch;
    char rest;

    if (sscanf(text, "%2u.%2u.%2u%c", &major, &minor, &patch, &rest) != 3)
        return false;
    release->text = (char *)text;
    release->number = RELEASE(major, minor, patch);
    return release->number >= OLDEST && release->number <= NEWEST;
}

ErrorForm
release_error_form(const Release *release)
{
    if (release->number >= RELEASE(7, 0, 0))
        return ERRORS_LINES;
    return release->number >= RELEASE(6, 0, 3) ? ERRORS_WHOLE : ERRORS_MARKED;
}

/* The dash form needs "-i" in DATASTORE_MAD ARGUMENTS; it is played for 6.4.4 to 6.4.7 and 6.6.2 to
 * 6.6.3 so that it is played at all. */
DocumentForm
release_document_form(const Release *release)
{
    unsigned number = release->number;

    if (number >= RELEASE(6, 7, 80))
        return DOCUMENT_STDIN;
    if ((number >= RELEASE(6, 4, 4) && number < RELEASE(6, 6, 0)) || number >= RELEASE(6, 6, 2))
        return DOCUMENT_DASH;
    return DOCUMENT_ARGUMENT;
}

/* As Ruby's Shellwords does it: a backslash before everything that is not plainly harmless. */
static void
append_escaped(GString *line, const char *word)
{
    if (!*word)
        g_string_append(line, "''");
    for (const char *c = word; *c; c++) {
        if (!g_ascii_isalnum(*c) && !strchr("_-.,:+/@", *c))
            g_string_append_c(line, '\\');
        g_string_append_c(line, *c);
    }
}

char *
release_shell_line(const Release *release, const char *program, char *const *words)
{
    GString *line = g_string_new(program);

    for (; *words; words++) {
        g_string_append_c(line, ' ');
        if (release->number >= RELEASE(5, 6, 2))
            append_escaped(line, *words);
        else
            g_string_append(line, *words);
    }
    return g_string_free(line, FALSE);
}
