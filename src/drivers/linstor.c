// SPDX-License-Identifier: Apache-2.0
/*
 * LINSTOR under the name and with the resources of LINBIT's driver, which it takes over from.
 */
#include "backends/linstor/linstor.h"
#include "drivers/rows.h"

/* LINBIT's own row. No DRIVER: there is qcow2 inside DRBD. */
static const ConfRow tm_conf[] = {
    {"LN_TARGET",            "NONE"      },
    {"CLONE_TARGET",         "SELF"      },
    {"SHARED",               "YES"       },
    {"DS_MIGRATE",           "YES"       },
    {"ALLOW_ORPHANS",        "YES"       },
    {"DISK_TYPE",            "BLOCK"     },
    {"PERSISTENT_SNAPSHOTS", "YES"       },
    {"DS_LIVE_MIGRATE",      "NO"        },
    {"DS_MIGRATE_SNAP",      "NO"        },
    {"TM_MAD_SYSTEM",        "ssh,shared"},
    {"LN_TARGET_SSH",        "NONE"      },
    {"CLONE_TARGET_SSH",     "SELF"      },
    {"DISK_TYPE_SSH",        "BLOCK"     },
    {"LN_TARGET_SHARED",     "NONE"      },
    {"CLONE_TARGET_SHARED",  "SELF"      },
    {"DISK_TYPE_SHARED",     "BLOCK"     },
    {NULL,                   NULL        },
};

static const DriverAttribute attributes[] = {
    {"LINSTOR_CONTROLLERS",    "controllers, commas between them: [SCHEME://]HOST[:PORT]",
     "linstor://localhost"                                                                                       },
    {"LINSTOR_RESOURCE_GROUP", "resource group of all volumes",                                  "none: required"},
    {"CLONE_MODE",             "clone: LINSTOR's own; snapshot; copy",                           "clone"         },
    {"LS_CERTFILE",            "certificate that the controller asks for",                       "none"          },
    {"LS_KEYFILE",             "its key",                                                        "in LS_CERTFILE"},
    {"LS_CAFILE",              "certificates that the controller's is verified against",         "the system's"  },
    {"BRIDGE_LIST",            "hosts that run its commands, blank-separated",                   "any satellite" },
    {"LIVE_COPY",              "SUSPEND: a guest that cannot be frozen is suspended for a copy", "refuse"        },
    {"STAGING_DIR",            "where an image waits for its conversion",                        "/var/tmp"      },
    {"SAFE_DIRS",              "directories that images may be imported from, blank-separated",  "any"           },
    {"RESTRICTED_DIRS",        "directories they may not; SAFE_DIRS wins",                       "none"          },
    {"NO_DECOMPRESS",          "YES: packed images are imported as they are",                    "NO"            },
    {"LIMIT_TRANSFER_BW",      "bytes a second for downloads and between machines; K, M, G",     "no limit"      },
    {NULL,                     NULL,                                                             NULL            },
};

const Driver driver_linstor = {
    .name = "linstor",
    .title = "DRBD volumes by LINSTOR, as LINBIT's driver names them",
    .backend = &linstor_backend,
    .naming = &linstor_naming,
    .placement = PLACEMENT_ATTACHED,
    .tm_conf = tm_conf,
    .ds_conf = file_ds_conf,
    .live_snapshots = file_live_snapshots,
    .attributes = attributes,
};
