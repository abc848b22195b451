// SPDX-License-Identifier: Apache-2.0
/*
 * Copies of whole files within one machine: shared blocks where the file system can, else a copy
 * that keeps holes.
 *
 * The target is emptied first, so what is not written reads as zeros; that is the only reason why
 * zero runs may be skipped.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    COPY_REFLINK, /* FICLONE: blocks are shared, nothing was read */
    COPY_RANGE,   /* copy_file_range over the data extents */
    COPY_SPARSE,  /* read and write, zero blocks left out */
} CopyMethod;

typedef struct CopyResult {
    CopyMethod method;
    guint64 size; /* of the file, bytes */
    guint64 data; /* bytes moved; 0 for COPY_REFLINK */
} CopyResult;

/* Copies `source` to `target`, which is emptied first, flushed to disk at the end, and removed on
 * failure. Links are followed in `source` only. `share` false: never shares blocks. */
bool copy_file(const char *source, const char *target, bool share, CopyResult *result,
               GError **error);

/* Only by sharing blocks, in no time: UNSUPPORTED where the file system cannot. */
bool copy_reflink(const char *source, const char *target, GError **error);

const char *copy_method_name(CopyMethod method);

/* True if all `length` bytes are 0. */
bool is_zero(const void *bytes, size_t length);
