// SPDX-License-Identifier: Apache-2.0
/*
 * Volumes of a volume group on a SAN; small files on whatever all hosts share, or on each its own.
 */
#include "backends/lvm/lvm.h"
#include "drivers/rows.h"

static const ConfRow tm_conf[] = {
    {"LN_TARGET",            "NONE"      },
    {"CLONE_TARGET",         "SELF"      },
    {"SHARED",               "YES"       },
    {"DS_MIGRATE",           "YES"       },
    {"ALLOW_ORPHANS",        "YES"       },
    {"DRIVER",               "raw"       },
    {"DISK_TYPE",            "BLOCK"     },
    {"PERSISTENT_SNAPSHOTS", "YES"       },
    {"DS_LIVE_MIGRATE",      "NO"        },
    {"DS_MIGRATE_SNAP",      "NO"        },
    {"TM_MAD_SYSTEM",        "shared,ssh"},
    {"LN_TARGET_SHARED",     "NONE"      },
    {"CLONE_TARGET_SHARED",  "SELF"      },
    {"DISK_TYPE_SHARED",     "BLOCK"     },
    {"LN_TARGET_SSH",        "NONE"      },
    {"CLONE_TARGET_SSH",     "SELF"      },
    {"DISK_TYPE_SSH",        "BLOCK"     },
    {NULL,                   NULL        },
};

static const ConfRow ds_conf[] = {
    {"REQUIRED_ATTRS",      "VG_NAME"},
    {"PERSISTENT_ONLY",     "NO"     },
    {"MARKETPLACE_ACTIONS", "export" },
    {NULL,                  NULL     },
};

const Driver driver_clvm = {
    .name = "clvm",
    .title = "logical volumes of a shared volume group, with lvmlockd or one bridge",
    .backend = &lvm_backend,
    .naming = &lvm_clvm_naming,
    .placement = PLACEMENT_ATTACHED,
    .tm_conf = tm_conf,
    .ds_conf = ds_conf,
    .live_snapshots = file_live_snapshots,
    .attributes = clvm_attributes,
};
