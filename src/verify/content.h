// SPDX-License-Identifier: Apache-2.0
/*
 * What is in a disk, whatever its format: reading, writing and comparing, each with the machine
 * where the path lies.
 *
 * A content's digest covers only the chunks that are not all zeros, with their offsets; its size is
 * kept beside. So a raw file, a sparse copy of it, a qcow2 of it and a grown copy have one digest,
 * and "the old bytes are there and the tail reads as zeros" is one comparison.
 */
#pragma once

#include "verify/hosts.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Content {
    char digest[33];
    guint64 bytes; /* virtual size */
} Content;

#define CONTENT_FILE_SYSTEM 0x438 /* where ext4 has its magic number */

/* All zeros, of that size. */
Content content_empty(guint64 bytes);
bool content_equal(const Content *a, const Content *b);
/* The caller frees it. */
char *content_text(const Content *content);

/* Reads a disk that is said to be of `format` ("raw" or "qcow2"). */
bool content_read(const Host *host, const char *path, const char *format, Content *content,
                  GError **error);

/* What a guest does: `length` bytes of pattern `seed` at `offset`. */
bool content_write(const Host *host, const char *path, const char *format, guint64 offset,
                   guint64 length, unsigned seed, GError **error);

/* Some bytes of a raw file. */
bool content_peek(const Host *host, const char *path, guint64 offset, void *buffer, size_t length,
                  GError **error);

/* "qcow2", "raw" … by what the file says of itself; NULL with an error. The caller frees it.
 * `backing` is set to whether it leans on another file. */
char *content_format(const Host *host, const char *path, bool *backing, GError **error);

/* Sources for images. */
bool content_make_raw(const char *path, guint64 bytes, guint64 data_bytes, unsigned seed,
                      GError **error);
bool content_make_qcow2(const char *path, const char *raw, GError **error);

void content_forget_all(void);
