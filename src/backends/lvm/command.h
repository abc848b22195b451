// SPDX-License-Identifier: Apache-2.0
/*
 * The command lines of LVM, all of them: `sudo -n PROGRAM …`. Pure functions; what is done to an
 * existing volume needs no more than lvs, lvcreate, lvchange, lvremove, lvextend and vgdisplay,
 * which the sudoers file of OpenNebula allows (ONE_LVM in its share/pkgs/sudoers; lvextend
 * since 5.12); only a revert needs lvconvert.
 */
#pragma once

#include "base/argv.h"

#include <stdbool.h>

typedef enum {
    LVM_OFF,       /* -an */
    LVM_ON,        /* -ay: no lock manager watches */
    LVM_EXCLUSIVE, /* -aey */
    LVM_SHARED,    /* -asy */
} LvmActivation;

/* Letters, digits and . _ + - as LVM takes them for groups and volumes, and nothing that it keeps
 * for itself. */
bool lvm_name_is_valid(const char *name);

/* The volume with what belongs to it (NAME and NAME.…, its snapshots, what lies in its pool), or
 * all of the group. */
Argv *lvm_lvs(const char *group, const char *name);
Argv *lvm_vgdisplay(const char *group);
/* Nothing is wiped; `tags` ends with NULL. */
Argv *lvm_create(const char *group, const char *name, guint64 bytes, LvmActivation activation,
                 const char *const *tags);
/* A thin volume takes two, since LVM gives the tags to the pool when it makes both at once. */
Argv *lvm_create_pool(const char *group, const char *pool, guint64 bytes, const char *const *tags);
Argv *lvm_create_thin(const char *group, const char *name, const char *pool, guint64 bytes,
                      const char *const *tags);
/* `percent` of the origin for what changes; 0: thin. */
Argv *lvm_snapshot(const char *group, const char *origin, const char *name, unsigned percent,
                   const char *const *tags);
Argv *lvm_activate(const char *group, const char *name, LvmActivation activation);
Argv *lvm_refresh(const char *group, const char *name);
/* Either may be NULL, both end with NULL. */
Argv *lvm_retag(const char *group, const char *name, const char *const *without,
                const char *const *with);
/* `shared`: it is active under a shared lock, on this host and perhaps others. */
Argv *lvm_extend(const char *group, const char *name, guint64 bytes, bool shared);
Argv *lvm_rename(const char *group, const char *from, const char *to);
Argv *lvm_remove(const char *group, const char *const *names);
/* The origin, inactive now, becomes what the snapshot holds while it is active; the snapshot is
 * gone once lvm_end_merge() finds that done. */
Argv *lvm_merge(const char *group, const char *snapshot);
Argv *lvm_end_merge(const char *group, const char *name);
/* The device reads as zeros from `offset` on. */
Argv *lvm_zero(const char *device, guint64 offset);
