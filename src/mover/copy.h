// SPDX-License-Identifier: Apache-2.0
/*
 * Copies of whole contents within one machine: shared blocks where the file system can, else a
 * copy that keeps holes. Between files, block devices and both.
 */
#pragma once

#include "mover/move.h"

#include <glib.h>
#include <stdbool.h>

typedef enum {
    COPY_REFLINK, /* FICLONE: blocks are shared, nothing was read */
    COPY_RANGE,   /* copy_file_range over the data extents */
    COPY_SPARSE,  /* read and write, zero blocks left out */
} CopyMethod;

typedef struct CopyResult {
    CopyMethod method;
    guint64 size; /* of the content, bytes */
    guint64 data; /* bytes moved; 0 for COPY_REFLINK */
} CopyResult;

/* Copies `source` to `target`, flushed to disk at the end. A file is emptied first and removed on
 * failure; of a device, what lies behind the content becomes zeros. Links are followed in `source`
 * only. `share` false: never shares blocks. `options` may be NULL. */
bool copy_file(const char *source, const char *target, bool share, const MoveOptions *options,
               CopyResult *result, GError **error);

/* Only by sharing blocks, in no time: UNSUPPORTED where the file system cannot. */
bool copy_reflink(const char *source, const char *target, GError **error);

const char *copy_method_name(CopyMethod method);
