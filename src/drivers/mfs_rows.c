// SPDX-License-Identifier: Apache-2.0
#include "drivers/rows.h"

/* The values of the lizardfs predecessor's own row, which datastores and running VMs have. */
const ConfRow mfs_tm_conf[] = {
    {"LN_TARGET",            "NONE"  },
    {"CLONE_TARGET",         "SYSTEM"},
    {"SHARED",               "YES"   },
    {"DS_MIGRATE",           "YES"   },
    {"ALLOW_ORPHANS",        "YES"   },
    {"DISK_TYPE",            "FILE"  },
    {"PERSISTENT_SNAPSHOTS", "YES"   },
    {"DS_LIVE_MIGRATE",      "NO"    },
    {"DS_MIGRATE_SNAP",      "NO"    },
    {"TM_MAD_SYSTEM",        "shared"},
    {"LN_TARGET_SHARED",     "NONE"  },
    {"CLONE_TARGET_SHARED",  "SYSTEM"},
    {"DISK_TYPE_SHARED",     "FILE"  },
    {NULL,                   NULL    },
};

const DriverAttribute mfs_attributes[] = {
    {"MFS_GOAL",        "goal or storage class of images (image datastore) and disks (system datastore)",
     "the directory's"                                                                                                   },
    {"MFS_TRASHTIME",   "seconds for which what is removed can be brought back and takes space",
     "the directory's"                                                                                                   },
    {"DRIVER",          "format of new images and volatile disks, raw or qcow2",                          "as imported"  },
    {"BRIDGE_LIST",     "hosts that run its commands, blank-separated",                                   "the front-end"},
    {"CONVERT",         "convert an imported image to DRIVER, YES or NO",                                 "YES"          },
    {"LIVE_COPY",       "SUSPEND: a guest that cannot be frozen is suspended for a copy",                 "refuse"       },
    {"SAFE_DIRS",       "directories that images may be imported from, blank-separated",                  "any"          },
    {"RESTRICTED_DIRS", "directories they may not; SAFE_DIRS wins",                                       "none"         },
    {NULL,              NULL,                                                                             NULL           },
};
