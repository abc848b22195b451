// SPDX-License-Identifier: Apache-2.0
/*
 * clvm under the name and with the volumes of gfs2clvm, which it takes over from.
 */
#include "backends/lvm/lvm.h"
#include "drivers/rows.h"

static const ConfRow tm_conf[] = {
    {"LN_TARGET",            "NONE"  },
    {"CLONE_TARGET",         "SELF"  },
    {"SHARED",               "YES"   },
    {"DS_MIGRATE",           "YES"   },
    {"ALLOW_ORPHANS",        "YES"   },
    {"DRIVER",               "raw"   },
    {"DISK_TYPE",            "BLOCK" },
    {"PERSISTENT_SNAPSHOTS", "YES"   },
    {"DS_LIVE_MIGRATE",      "NO"    },
    {"DS_MIGRATE_SNAP",      "NO"    },
    {"TM_MAD_SYSTEM",        "shared"},
    {"LN_TARGET_SHARED",     "NONE"  },
    {"CLONE_TARGET_SHARED",  "SELF"  },
    {"DISK_TYPE_SHARED",     "BLOCK" },
    {NULL,                   NULL    },
};

const Driver driver_gfs2clvm = {
    .name = "gfs2clvm",
    .title = "clvm with the volumes of gfs2clvm, both generations",
    .backend = &lvm_backend,
    .naming = &lvm_gfs2clvm_naming,
    .placement = PLACEMENT_ATTACHED,
    .tm_conf = tm_conf,
    .ds_conf = file_ds_conf,
    .live_snapshots = file_live_snapshots,
    .attributes = gfs2clvm_attributes,
};
