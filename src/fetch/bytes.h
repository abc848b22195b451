// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes in order, in layers: a download, read ahead by a thread, unpacked, checked. Each layer owns
 * the one below it and begins with a struct Bytes.
 */
#pragma once

#include "mover/move.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Bytes Bytes;

struct Bytes {
    /* At most `length` bytes, at least one; *got 0 at the end, where the layer has also made sure
     * that all was there and right. One caller at a time, in any thread. */
    bool (*read)(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error);
    void (*free)(Bytes *bytes);
    guint64 size;  /* bytes in all, if has_size */
    bool has_size; /* known before the end; from foreign headers, so it may be a lie */
    gint stop;     /* set atomically: a read() that waits shall fail soon */
};

bool bytes_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error);
/* Until `length` bytes or the end. */
bool bytes_read_full(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error);
void bytes_free(Bytes *bytes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bytes, bytes_free)

/* What the mover takes. The Bytes must live as long. */
ByteSource bytes_source(Bytes *bytes, guint64 limit);

/* A regular file's content by its descriptor, from offset 0. Takes it over. */
Bytes *bytes_of_fd(int fd, guint64 size, const char *name);

/* Reads ahead in a thread of its own, at most `rate` bytes a second (0: as fast as it goes), so
 * that download, decoder and writer work at the same time. Takes `below` over. */
Bytes *bytes_ahead(Bytes *below, guint64 rate);

/* MD5, SHA1 and SHA256 of all that comes through, compared at the end: CORRUPT. Each is NULL or hex
 * digits. Takes `below` over; the same Bytes if there is nothing to check. NULL: USAGE. */
typedef struct Sums {
    const char *md5, *sha1, *sha256;
} Sums;
Bytes *bytes_checked(Bytes *below, const Sums *sums, const char *name, GError **error);

/* The first bytes can be looked at before they are read. Takes `below` over. */
Bytes *bytes_peekable(Bytes *below);
/* At least `length` bytes of the start if there are so many; *head stays valid until the next call
 * or read. Only before the first read. */
bool bytes_peek(Bytes *peekable, gsize length, const guint8 **head, gsize *got, GError **error);
