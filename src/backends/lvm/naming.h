// SPDX-License-Identifier: Apache-2.0
/* What the namings of both drivers share. */
#pragma once

#include "backends/lvm/report.h"

/* The LV of a device path: /dev/VG/LV or /dev/mapper/VG-LV, where each dash of a name is doubled.
 * NULL for anything else; *group may be NULL. Caller frees. */
char *lvm_of_device(const char *device, char **group);
/* Exactly `count` numbers after `prefix`, with '-' between them and nothing else; no leading zeros,
 * so that a name has one meaning. */
bool lvm_numbers(const char *name, const char *prefix, gint64 *numbers, guint count);
/* Does the group hold images of gfs2clvm's first generation, and none of its second? */
bool lvm_holds_md5_names(const LvmReport *report);
