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
/* The same for a file that somebody else made, of any format that core/format.h knows: no other
 * file is opened, whatever its header names. */
bool qemu_img_convert_foreign(Host *host, const char *from, const char *from_format, const char *to,
                              const char *to_format, GError **error);
/* Such a file's own tables: CORRUPT or FAILED if they point past its end or contradict each other.
 * It may be put right in what does not concern its content. */
bool qemu_img_check_foreign(Host *host, const char *path, const char *format, GError **error);
bool qemu_img_resize(Host *host, const char *path, guint64 bytes, GError **error);
