// SPDX-License-Identifier: Apache-2.0
/*
 * Content to read: a file, a block device or bytes from elsewhere, as chunks of 1 MiB at absolute
 * offsets, read ahead by a thread while the caller works on the one before. Holes cost nothing.
 *
 * Devices are read past the page cache, which does not know what another host has written.
 */
#pragma once

#include "mover/move.h"

#include <glib.h>
#include <stdbool.h>

#define CHUNK_SIZE (1u << 20)

typedef struct Reader Reader;

/* A regular file or a block device; links are followed. */
Reader *reader_open(const char *path, GError **error);
/* Only its first `length` bytes, 0 for all; before the first chunk. CORRUPT if it has less. */
bool reader_limit(Reader *reader, guint64 length, GError **error);
/* Takes no ownership of `source`, which must live as long. */
Reader *reader_of_bytes(const ByteSource *source);
void reader_free(Reader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Reader, reader_free)

int reader_fd(const Reader *reader); /* -1 for bytes */
guint32 reader_mode(const Reader *reader);
/* Bytes; of bytes: as far as they said. */
guint64 reader_size(const Reader *reader);
bool reader_is_device(const Reader *reader);

/* The next range that may hold data at or behind `position`; *start is the size if only holes are
 * left. Not for bytes. */
void reader_extent(Reader *reader, guint64 position, guint64 *start, guint64 *end);

typedef struct Chunk {
    guint64 offset;
    guint64 length;      /* 0: the end. Of data at most CHUNK_SIZE, and less only at the end */
    const guint8 *bytes; /* aligned to a page, valid until the next call; NULL: all zeros */
} Chunk;

/* In order and without gaps. */
bool reader_next(Reader *reader, Chunk *chunk, GError **error);

/* After the last chunk: CORRUPT if the file was changed meanwhile. */
bool reader_unchanged(const Reader *reader, GError **error);

/* True if all `length` bytes are 0. */
bool is_zero(const void *bytes, size_t length);
