// SPDX-License-Identifier: Apache-2.0
/*
 * LINSTOR under the name and with the resources of the driver linstor_un, which it takes over from.
 */
#include "backends/linstor/linstor.h"
#include "drivers/rows.h"

/* The predecessor's own row. */
static const ConfRow tm_conf[] = {
    {"LN_TARGET",            "NONE"  },
    {"CLONE_TARGET",         "SYSTEM"},
    {"SHARED",               "YES"   },
    {"DS_MIGRATE",           "YES"   },
    {"ALLOW_ORPHANS",        "YES"   },
    {"DRIVER",               "raw"   },
    {"DISK_TYPE",            "BLOCK" },
    {"PERSISTENT_SNAPSHOTS", "YES"   },
    {"DS_LIVE_MIGRATE",      "NO"    },
    {"DS_MIGRATE_SNAP",      "NO"    },
    {NULL,                   NULL    },
};

static const DriverAttribute attributes[] = {
    {"CLONE_MODE",               "copy; snapshot: restored from one of the image; clone: LINSTOR's own", "copy"            },
    {"LS_CONTROLLERS",           "controllers, commas between them: [SCHEME://]HOST[:PORT]",
     "LINSTOR's own files"                                                                                                 },
    {"LS_CERTFILE",              "certificate that the controller asks for",                             "none"            },
    {"LS_KEYFILE",               "its key",                                                              "in LS_CERTFILE"  },
    {"LS_CAFILE",                "certificates that the controller's is verified against",               "the system's"    },
    {"RESOURCE_GROUP",           "decides where replicas go; or NODE_LIST, or REPLICA_COUNT",
     "one of the three"                                                                                                    },
    {"NODE_LIST",                "nodes that each get a replica",                                        "one of the three"},
    {"REPLICA_COUNT",            "number of replicas (old name: AUTO_PLACE)",                            "one of the three"},
    {"STORAGE_POOL",             "storage pools, required without RESOURCE_GROUP",                       "the group's"     },
    {"LAYER_LIST",               "layers of new volumes",                                                "the group's"     },
    {"PROVIDERS",                "kinds of pools that may be used",                                      "any"             },
    {"REPLICAS_ON_SAME",         "node properties that all replicas share",                              "none"            },
    {"REPLICAS_ON_DIFFERENT",    "node properties in which they differ",                                 "none"            },
    {"DO_NOT_PLACE_WITH",        "resources whose nodes are avoided",                                    "none"            },
    {"DO_NOT_PLACE_WITH_REGEX",  "the same, by a regular expression",                                    "none"            },
    {"CHECKPOINT_REPLICA_COUNT",
     "replicas of a suspended VM's memory (old name: CHECKPOINT_AUTO_PLACE)",                            "as of disks"     },
    {"DISKLESS_POOL",            "pool of hosts that have no replica",                                   "LINSTOR's choice"},
    {"PREFER_NODE",              "yes: a replica on the VM's host where there is room",                  "no"              },
    {"ENCRYPTION",               "yes: new volumes are encrypted",                                       "no"              },
    {"BRIDGE_LIST",              "hosts that run its commands, blank-separated",                         "any satellite"   },
    {"LIVE_COPY",                "SUSPEND: a guest that cannot be frozen is suspended for a copy",       "refuse"          },
    {"STAGING_DIR",              "where an image waits for its conversion",                              "/var/tmp"        },
    {"SAFE_DIRS",                "directories that images may be imported from, blank-separated",        "any"             },
    {"RESTRICTED_DIRS",          "directories they may not; SAFE_DIRS wins",                             "none"            },
    {"NO_DECOMPRESS",            "YES: packed images are imported as they are",                          "NO"              },
    {"LIMIT_TRANSFER_BW",        "bytes a second for downloads and between machines; K, M, G",           "no limit"        },
    {NULL,                       NULL,                                                                   NULL              },
};

const Driver driver_linstor_un = {
    .name = "linstor_un",
    .title = "DRBD volumes by LINSTOR, as linstor_un names them",
    .backend = &linstor_backend,
    .naming = &linstor_un_naming,
    .placement = PLACEMENT_ATTACHED,
    .tm_conf = tm_conf,
    .ds_conf = file_ds_conf,
    .live_snapshots = file_live_snapshots,
    .attributes = attributes,
};
