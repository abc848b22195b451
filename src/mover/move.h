// SPDX-License-Identifier: Apache-2.0
/*
 * What all ways to move content have in common: how it shall be done, and content that nobody has
 * as a file.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* NULL where one is taken: a fresh file, at full speed. */
typedef struct MoveOptions {
    bool dirty;     /* the target may hold old data, so zeros are written too */
    bool readback;  /* VERIFY=readback: what the medium gives back is compared */
    guint64 rate;   /* between machines, bytes per second at most; 0: no limit */
    guint64 length; /* of the content, where the source is a larger device; 0: all of it */
} MoveOptions;

/* Bytes in order, from whatever makes them: a download, a decoder. May be called from a thread of
 * its own; one call at a time. */
typedef struct ByteSource {
    /* At most `length` bytes, at least one; *got 0 at the end. */
    bool (*read)(gpointer data, void *bytes, size_t length, size_t *got, GError **error);
    gpointer data;
    guint64 size;  /* bytes to come, for progress; 0: not known */
    guint64 limit; /* more are an error; 0: as much as fits */
} ByteSource;
