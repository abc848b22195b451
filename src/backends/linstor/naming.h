// SPDX-License-Identifier: Apache-2.0
/*
 * What the names of both drivers have in common. A name is ours only by a full parse: LINSTOR
 * clusters are shared with others.
 */
#pragma once

#include "core/driver.h"

#include <glib.h>
#include <stdbool.h>

typedef enum {
    LINSTOR_NAME_NONE,
    LINSTOR_NAME_IMAGE,
    LINSTOR_NAME_DISK,
    LINSTOR_NAME_CHECKPOINT,
    LINSTOR_NAME_CONTEXT, /* LINBIT's driver 2.x kept context there */
} LinstorNameKind;

typedef struct LinstorName {
    LinstorNameKind kind;
    gint64 image_id, vm_id, disk_id; /* -1: none */
} LinstorName;

/* What a naming means to this backend beyond the core's table. */
typedef struct LinstorNames {
    const Naming *naming;
    LinstorNameKind (*parse)(const char *name, LinstorName *parsed);
    const char *snapshot;  /* the name of snapshot 3 is this and "3" */
    bool tells_users;      /* properties Aux/one/… say who uses a definition */
    bool origin_snapshots; /* a clone's source keeps a snapshot of the clone's name */
} LinstorNames;

extern const LinstorNames linstor_names, linstor_un_names;
const LinstorNames *linstor_names_of(const Driver *driver);

/* "one-vm-#-disk-#": each # is a decimal number as we print it. False for anything else. */
bool linstor_name_match(const char *name, const char *pattern, ...);

char *linstor_snapshot_name(const LinstorNames *names, gint64 id);
/* False for snapshots that are no VM's or image's. */
bool linstor_snapshot_id(const LinstorNames *names, const char *name, gint64 *id);

/* The text of a link to the device; the same on all hosts. */
char *linstor_device_path(const char *name);
/* The name in such a text, whoever's it is; NULL for others, also for /dev/drbd1000. */
char *linstor_name_in_device(const char *device);
