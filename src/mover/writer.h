// SPDX-License-Identifier: Apache-2.0
/*
 * Content to write: a file, or a block device past the page cache.
 *
 * Zeros are left out where the target is known to read as zeros (a fresh file, a fresh thin
 * volume), else made by the cheapest way that works there: punched, zeroed by the device, written.
 * What does not work is tried once for each target.
 */
#pragma once

#include "mover/move.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Writer Writer;

/* A file, which is made or emptied, or a device, which must be there: below /dev nothing is made.
 * `options` may be NULL. */
Writer *writer_open(const char *path, const MoveOptions *options, GError **error);
/* An open empty file, taken over. `name` is for messages. */
Writer *writer_of_file(int fd, const char *name);
/* What is not ended stays: the caller removes it. */
void writer_free(Writer *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Writer, writer_free)

int writer_fd(const Writer *writer);
bool writer_is_device(const Writer *writer);

/* Bytes so far, without what was left out. */
guint64 writer_written(const Writer *writer);

/* The content's size, when it is known beforehand: NO_SPACE if a device is smaller. */
bool writer_expect(Writer *writer, guint64 size, GError **error);

/* Offsets only grow; what is left out in between becomes zeros. Blocks of zeros in `bytes` are left
 * out where that is allowed. */
bool writer_data(Writer *writer, const void *bytes, size_t length, guint64 offset, GError **error);

/* The content has `size` bytes; the rest of a device becomes zeros. Flushed when this returns. */
bool writer_end(Writer *writer, guint64 size, GError **error);
