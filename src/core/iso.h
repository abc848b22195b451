// SPDX-License-Identifier: Apache-2.0
/*
 * ISO 9660 images with Joliet and Rock Ridge, made by libarchive.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Writes `path` (replaced) with the volume label `label`; `files` and `names` are parallel: a
 * file or directory of this machine, and the name it gets at the top. */
bool iso_write(const char *path, const char *label, const char *const *files,
               const char *const *names, GError **error);
