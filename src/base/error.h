// SPDX-License-Identifier: Apache-2.0
/*
 * The one error domain. A code is also the program's exit status, so that a caller (a test, an
 * admin's script) can tell a full disk from a wrong argument without reading the text.
 *
 * Text: what could not be done, names in quotes, lower case, no full stop, one line.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define ONEVOL_ERROR onevol_error_quark()

typedef enum {
    ONEVOL_ERROR_FAILED = 1,      /* a tool or the system said no for a reason of its own */
    ONEVOL_ERROR_USAGE = 2,       /* the caller's words are off */
    ONEVOL_ERROR_NOT_FOUND = 3,   /* the thing named is not there */
    ONEVOL_ERROR_BUSY = 4,        /* somebody else works on it, try again later */
    ONEVOL_ERROR_NO_SPACE = 5,    /* disk or quota full */
    ONEVOL_ERROR_UNSUPPORTED = 6, /* this storage or release cannot do that */
    ONEVOL_ERROR_REFUSED = 7,     /* could be done, but a rule forbids it */
    ONEVOL_ERROR_DENIED = 8,      /* permissions, read-only file system, credentials */
    ONEVOL_ERROR_UNREACHABLE = 9, /* a host, oned or a controller does not answer */
    ONEVOL_ERROR_CORRUPT = 10,    /* content is not what it is said to be */
    ONEVOL_ERROR_TIMEOUT = 11,    /* a deadline passed */
    ONEVOL_ERROR_CANCELLED = 12,  /* a signal or another action stopped this one */
    ONEVOL_ERROR_LOST = 13,       /* another action took this volume over: stop, change nothing */
} OnevolError;

GQuark onevol_error_quark(void);

/* Sets an error whose code follows from errno (ENOSPC is NO_SPACE, EROFS is DENIED …); the text of
 * errno is appended to the message. Returns false, so that a function can `return` it. */
bool set_error_errno(GError **error, int number, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Sets an error of our domain and returns false. */
bool set_error(GError **error, OnevolError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* A copy of `text` as one line: white space runs become one blank, control bytes and what is not
 * UTF-8 are replaced, at most `limit` bytes. For the output of tools in error texts. */
char *one_line(const char *text, size_t limit);
