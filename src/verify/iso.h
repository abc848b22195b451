// SPDX-License-Identifier: Apache-2.0
/*
 * ISO 9660 images: made for CD-ROM images, read back to check what the context action built.
 */
#pragma once

#include "verify/hosts.h"

#include <glib.h>
#include <stdbool.h>

/* file name → GBytes. */
bool iso_make(const char *path, const char *label, GHashTable *files, GError **error);

/* Files by name, as GBytes; the caller unrefs the table. `label` (freed by the caller) is the
 * volume id, `joliet` whether names for Windows guests are there too. */
GHashTable *iso_read(const Host *host, const char *path, char **label, bool *joliet,
                     GError **error);
