// SPDX-License-Identifier: Apache-2.0
/*
 * Files, links and whole trees through a pair of descriptors: what a bulk connection carries.
 *
 *   ENTRY (path, mode, size, link)   one for each file, link and directory, parents first;
 *                                    the path of what was asked for itself is ""
 *   DATA offset, bytes               of a file, ascending, none across a chunk's border; what is
 *                                    left out reads as zeros
 *   END  digest                      after each regular file
 *   END  LAST                        after everything
 *
 * One side calls stream_send(), the other stream_receive(), with nothing between them but bytes.
 * Both compute the digest (mover/digest.h): the sender of what it read, the receiver of what it
 * gave to write, and the receiver compares. Neither waits without a limit.
 */
#pragma once

#include "mover/digest.h"

#include <glib.h>
#include <stdbool.h>

/* Asked twice a second while one waits; may end it all with its error. */
typedef bool (*StreamStop)(gpointer data, GError **error);

/* One end of the connection. */
typedef struct StreamLink {
    int fd;          /* switched to non-blocking, not closed */
    StreamStop stop; /* or NULL */
    gpointer data;
} StreamLink;

typedef struct StreamResult {
    guint64 size;                 /* bytes of all files */
    guint64 data;                 /* of them, sent */
    guint8 digest[DIGEST_LENGTH]; /* over the digests of the files, in order */
} StreamResult;

typedef struct StreamTarget {
    const char *path;
    bool zeroed; /* what is not written reads as zeros: a fresh file or thin volume. Else holes are
                  * written as zeros. */
    bool tree;   /* a directory may come; it is made */
} StreamTarget;

/* Sends a file or block device, or with `tree` a directory. */
bool stream_send(const StreamLink *out, const char *path, bool tree, StreamResult *result,
                 GError **error);

/* Writes and flushes what comes. What is incomplete stays: the caller removes it with the build
 * it belongs to. */
bool stream_receive(const StreamLink *in, const StreamTarget *target, StreamResult *result,
                    GError **error);

/* Bytes from one descriptor to another until the end. */
bool stream_relay(const StreamLink *in, const StreamLink *out, GError **error);

/* Reads past WIRE_PREAMBLE, with what a login script printed before it. */
bool stream_skip_preamble(const StreamLink *in, GError **error);
