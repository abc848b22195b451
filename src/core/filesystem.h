// SPDX-License-Identifier: Apache-2.0
/*
 * File systems and swap on new volumes, as remotes/etc/datastore/datastore.conf allows them.
 */
#pragma once

#include "core/volume.h"

/* The allow list: SUPPORTED_FS and FS_OPTS_<fs> of datastore.conf. */
typedef struct FilesystemRules FilesystemRules;

FilesystemRules *filesystem_rules_new(GHashTable *settings);
void filesystem_rules_free(FilesystemRules *rules);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FilesystemRules, filesystem_rules_free)

bool filesystem_is_supported(const FilesystemRules *rules, const char *fs);

/*
 * Creates `volume` (incomplete) with `bytes` and what `format` and `fs` ask for:
 * raw, qcow2, swap, or (<= 5.12) a file system's name as the format. `fs` may be NULL.
 */
bool filesystem_create(const FilesystemRules *rules, Volume *volume, guint64 bytes,
                       const char *format, const char *fs, GError **error);
