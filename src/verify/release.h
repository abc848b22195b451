// SPDX-License-Identifier: Apache-2.0
/*
 * The OpenNebula release that is played, and what it does differently from others
 * (from its sources).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define RELEASE(major, minor, patch) ((major)*10000u + (minor)*100u + (patch))

typedef struct Release {
    char *text;      /* as in remotes/VERSION */
    unsigned number; /* RELEASE() */
} Release;

/* False for what is no release between 5.4.0 and 7.4.0. `text` is kept by reference. */
bool release_parse(const char *text, Release *release);

static inline bool
release_from(const Release *release, unsigned first)
{
    return release->number >= first;
}

/* How the runner finds the text for the user in stderr (1.4). */
typedef enum { ERRORS_MARKED, ERRORS_WHOLE, ERRORS_LINES } ErrorForm;
ErrorForm release_error_form(const Release *release);

/* Where a datastore action finds its document (1.6). */
typedef enum { DOCUMENT_ARGUMENT, DOCUMENT_DASH, DOCUMENT_STDIN } DocumentForm;
DocumentForm release_document_form(const Release *release);

/* The words of a transfer line as that release's one_tm puts them on a shell line. */
char *release_shell_line(const Release *release, const char *program, char *const *words);
