// SPDX-License-Identifier: Apache-2.0
/*
 * Content from outside becomes a volume.
 *
 * What has the volume's format streams straight into it. What has another one is copied beside the
 * volume first and read there by qemu-img, so that nobody can change it between our look at its
 * header and qemu's.
 */
#pragma once

#include "core/volume.h"
#include "mover/move.h"

typedef struct ImportContent {
    /* A file or device on a host, or bytes. */
    Host *host;
    const char *path;
    const ByteSource *bytes;

    const char *format;   /* raw, qcow2, vmdk, vdi, vhdx, vpc; its header was looked at */
    guint64 virtual_size; /* 0: as many bytes as come */
    guint64 at_least;     /* a file of that format has so many bytes */
    guint64 length;       /* of the content, where the path is a larger device; 0: all of it */
    bool ours;            /* nobody else writes to it: qemu-img may read it where it lies */
    const char *staging;  /* a directory for the copy, where volumes are no files; /var/tmp */
} ImportContent;

/* An incomplete volume with that content, converted to volume->format, which may be NULL: then raw
 * stays raw, and qcow2 stays what it is where volumes are files; all else becomes raw. A device is
 * as large as the content, or as volume->virtual_size where that does not tell its size. */
bool volume_import_content(Volume *volume, const ImportContent *content, GError **error);
