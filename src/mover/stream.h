// SPDX-License-Identifier: Apache-2.0
/*
 * Files, links and whole trees through a pair of descriptors: what a bulk connection carries.
 *
 *   ENTRY  (path, mode, size, link)  one for each file, link and directory, parents first;
 *                                    the path of what was asked for itself is "". The size of what
 *                                    a process makes is not known yet: STREAM_SIZE_UNKNOWN
 *   DATA   offset, bytes             of a file, ascending, none across a chunk's border; what is
 *                                    left out reads as zeros
 *   PACKED offset, length, bytes     the same, compressed by zstd, at most a chunk
 *   END    digest, size              after each regular file
 *   END    LAST digest               after everything
 *
 * One side calls stream_send(), the other stream_receive(), with nothing between them but bytes.
 * Both compute the digest (mover/digest.h): the sender of what it read, the receiver of what it
 * gave to write, and the receiver compares. Neither waits without a limit.
 *
 * Both work in threads: reading, hashing with packing, and sending go on at the same time, so do
 * receiving and unpacking with hashing and writing. Between two threads lie at most
 * STREAM_QUEUE bytes; all in all a sender has some 22 MiB, a receiver some 8 MiB.
 */
#pragma once

#include "mover/digest.h"
#include "mover/move.h"

#include <glib.h>
#include <stdbool.h>

#define STREAM_QUEUE (4u << 20)
#define STREAM_SIZE_UNKNOWN G_MAXUINT64
#define STREAM_END_LENGTH (DIGEST_LENGTH + 8u)

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
    guint64 data;                 /* of them, in blocks that are not zeros */
    guint64 sent;                 /* what that took on the connection */
    guint8 digest[DIGEST_LENGTH]; /* over the digests of the files, in order */
} StreamResult;

typedef struct StreamSource {
    const char *path;        /* a file or block device, or with `tree` a directory */
    const ByteSource *bytes; /* instead of a path: what this process makes */
    bool tree;
    guint64 rate;   /* bytes per second on the connection; 0: no limit */
    guint64 length; /* of a device's content, as in MoveOptions; 0: all of it */
} StreamSource;

typedef struct StreamTarget {
    const char *path;
    const MoveOptions *options; /* NULL: a fresh target */
    bool tree;                  /* a directory may come; it is made */
} StreamTarget;

bool stream_send(const StreamLink *out, const StreamSource *source, StreamResult *result,
                 GError **error);

/* Writes and flushes what comes. What is incomplete stays: the caller removes it with the build
 * it belongs to. */
bool stream_receive(const StreamLink *in, const StreamTarget *target, StreamResult *result,
                    GError **error);

/* Bytes from one descriptor to another until the end. */
bool stream_relay(const StreamLink *in, const StreamLink *out, GError **error);

/* Reads past WIRE_PREAMBLE, with what a login script printed before it. */
bool stream_skip_preamble(const StreamLink *in, GError **error);
