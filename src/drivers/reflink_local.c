// SPDX-License-Identifier: Apache-2.0
/*
 * The same files where each host has a disk of its own: images on the front-end, copies on hosts.
 */
#include "backends/file/file.h"
#include "core/file_volume.h"
#include "drivers/rows.h"

static const ConfRow tm_conf[] = {
    {"LN_TARGET",            "SYSTEM"},
    {"CLONE_TARGET",         "SYSTEM"},
    {"SHARED",               "NO"    },
    {"DS_MIGRATE",           "YES"   },
    {"ALLOW_ORPHANS",        "YES"   },
    {"DISK_TYPE",            "FILE"  },
    {"PERSISTENT_SNAPSHOTS", "YES"   },
    {"DS_LIVE_MIGRATE",      "NO"    },
    {"DS_MIGRATE_SNAP",      "NO"    },
    {NULL,                   NULL    },
};

const Driver driver_reflink_local = {
    .name = "reflink_local",
    .title = "files on each host's own disk, images on the front-end",
    .backend = &file_backend,
    .naming = &file_naming,
    .placement = PLACEMENT_HOST_LOCAL,
    .tm_conf = tm_conf,
    .ds_conf = file_ds_conf,
    .live_snapshots = file_live_snapshots,
    .attributes = file_attributes,
};
