// SPDX-License-Identifier: Apache-2.0
/*
 * The embedded default: files in a directory that all hosts share, or on a single machine.
 */
#include "backends/file/file.h"
#include "core/file_volume.h"
#include "drivers/rows.h"

static const ConfRow tm_conf[] = {
    {"LN_TARGET",                  "NONE"                },
    {"CLONE_TARGET",               "SYSTEM"              },
    {"SHARED",                     "YES"                 },
    {"DS_MIGRATE",                 "YES"                 },
    {"ALLOW_ORPHANS",              "YES"                 },
    {"DISK_TYPE",                  "FILE"                },
    {"PERSISTENT_SNAPSHOTS",       "YES"                 },
    {"DS_LIVE_MIGRATE",            "NO"                  },
    {"DS_MIGRATE_SNAP",            "NO"                  },
    {"TM_MAD_SYSTEM",              "shared,reflink_local"},
    {"LN_TARGET_SHARED",           "NONE"                },
    {"CLONE_TARGET_SHARED",        "SYSTEM"              },
    {"DISK_TYPE_SHARED",           "FILE"                },
    {"LN_TARGET_REFLINK_LOCAL",    "SYSTEM"              },
    {"CLONE_TARGET_REFLINK_LOCAL", "SYSTEM"              },
    {"DISK_TYPE_REFLINK_LOCAL",    "FILE"                },
    {NULL,                         NULL                  },
};

const Driver driver_reflink = {
    .name = "reflink",
    .title = "files in a shared directory, instant clones on XFS, btrfs and NFS 4.2",
    .backend = &file_backend,
    .naming = &file_naming,
    .placement = PLACEMENT_EVERYWHERE,
    .tm_conf = tm_conf,
    .ds_conf = file_ds_conf,
    .live_snapshots = file_live_snapshots,
    .attributes = file_attributes,
};
