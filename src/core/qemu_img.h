// SPDX-License-Identifier: Apache-2.0
/*
 * qemu-img, always told the format: it must never guess one from content that a guest wrote.
 */
#pragma once

#include "remote/host.h"

/* Further words for `create -f qcow2` (QCOW2_OPTIONS of tmrc or onevol.conf), as a shell would
 * split them. */
void qemu_img_set_create_options(const char *words);

/* Replaces `path`. */
bool qemu_img_create(Host *host, const char *path, guint64 bytes, GError **error);
bool qemu_img_convert(Host *host, const char *from, const char *from_format, const char *to,
                      const char *to_format, GError **error);
bool qemu_img_resize(Host *host, const char *path, guint64 bytes, GError **error);
