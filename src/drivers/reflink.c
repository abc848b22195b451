// SPDX-License-Identifier: Apache-2.0
/*
 * The embedded default: files in a directory that all hosts share, or on a single machine.
 */
#include "backends/file/file.h"
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

static const ConfRow ds_conf[] = {
    {"REQUIRED_ATTRS",      ""      },
    {"PERSISTENT_ONLY",     "NO"    },
    {"MARKETPLACE_ACTIONS", "export"},
    {NULL,                  NULL    },
};

static const char *const live_snapshots[] = {"kvm", "qemu", NULL};

static const DriverAttribute attributes[] = {
    {"DRIVER",          "format of new images and volatile disks, raw or qcow2",         "as imported"},
    {"CONVERT",         "convert an imported image to DRIVER, YES or NO",                "YES"        },
    {"SPARSE",          "NO: all space of an image or disk is taken at once",            "YES"        },
    {"SAFE_DIRS",       "directories that images may be imported from, blank-separated", "any"        },
    {"RESTRICTED_DIRS", "directories they may not; SAFE_DIRS wins",                      "none"       },
    {NULL,              NULL,                                                            NULL         },
};

const Driver driver_reflink = {
    .name = "reflink",
    .title = "files in a shared directory, instant clones on XFS, btrfs and NFS 4.2",
    .backend = &file_backend,
    .naming = &file_naming,
    .placement = PLACEMENT_EVERYWHERE,
    .tm_conf = tm_conf,
    .ds_conf = ds_conf,
    .live_snapshots = live_snapshots,
    .attributes = attributes,
};
