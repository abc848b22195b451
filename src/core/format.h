// SPDX-License-Identifier: Apache-2.0
/*
 * What an image file is, from its first bytes, without running a tool on it.
 *
 * qemu-img opens what a hostile header names (backing and data files) even for `info`, so a file of
 * unknown origin is looked at here first. An image that names other files is refused: it is a way
 * to read files of the front-end.
 */
#pragma once

#include "remote/host.h"

#include <glib.h>
#include <stdbool.h>

/* Enough of a file's start for most; the others say how much they need, never more than the limit.
 */
#define FORMAT_HEAD 65536u
#define FORMAT_HEAD_LIMIT (16u << 20)

typedef struct ImageFormat {
    const char *name;     /* raw, qcow2, vmdk, vdi, vhdx, vpc */
    bool supported;       /* as a volume: raw and a plain qcow2; the others are to be converted */
    guint64 virtual_size; /* of raw: the file's size */
    guint64 at_least;     /* bytes that the file must have; 0: qemu-img finds out */
    guint64 needs;        /* not known yet: so many bytes of the start tell. Else 0 */
} ImageFormat;

/* Fails with REFUSED for what needs other files (backing and data files, parents, extents) or is
 * encrypted, CORRUPT for a header that is no sane one. Bytes come from anywhere. */
bool format_detect(const guint8 *head, gsize length, guint64 file_size, ImageFormat *format,
                   GError **error);

/* Reads the start of a file and detects. */
bool format_of_file(Host *host, const char *path, guint64 file_size, ImageFormat *format,
                    GError **error);

/* The same for a volume, which is raw or qcow2: what else a guest wrote into it is just bytes. */
bool format_of_volume(Host *host, const char *path, guint64 file_size, ImageFormat *format,
                      GError **error);
