// SPDX-License-Identifier: Apache-2.0
/*
 * What an image file is, from its first bytes, without running a tool on it.
 *
 * qemu-img opens what a hostile header names (backing and data files) even for `info`, so a file of
 * unknown origin is looked at here first. A qcow2 that names other files is refused: it is a way to
 * read files of the front-end.
 */
#pragma once

#include "remote/host.h"

#include <glib.h>
#include <stdbool.h>

/* Enough of a file's start for every format below. */
#define FORMAT_HEAD 65536u

typedef struct ImageFormat {
    const char *name;     /* raw, qcow2, vmdk, vdi, vhdx, vpc; gzip, bzip2, xz, zstd, lz4 */
    bool supported;       /* raw and a plain qcow2 */
    guint64 virtual_size; /* of raw: the file's size */
} ImageFormat;

/* Fails with REFUSED for a qcow2 that needs other files or is encrypted, CORRUPT for a header that
 * is no sane one. Bytes come from anywhere. */
bool format_detect(const guint8 *head, gsize length, guint64 file_size, ImageFormat *format,
                   GError **error);

/* Reads the start of a file and detects. */
bool format_of_file(Host *host, const char *path, guint64 file_size, ImageFormat *format,
                    GError **error);
