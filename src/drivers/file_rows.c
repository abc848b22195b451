// SPDX-License-Identifier: Apache-2.0
#include "drivers/rows.h"

const ConfRow file_ds_conf[] = {
    {"REQUIRED_ATTRS",      ""      },
    {"PERSISTENT_ONLY",     "NO"    },
    {"MARKETPLACE_ACTIONS", "export"},
    {NULL,                  NULL    },
};

const char *const file_live_snapshots[] = {"kvm", "qemu", NULL};

const DriverAttribute file_attributes[] = {
    {"DRIVER",            "format of new images and volatile disks, raw or qcow2",               "as imported"      },
    {"BRIDGE_LIST",       "hosts that run its commands, blank-separated",                        "the front-end"    },
    {"CONVERT",           "convert an imported image to DRIVER, YES or NO",                      "YES"              },
    {"SPARSE",            "NO: all space of an image or disk is taken at once",                  "YES"              },
    {"LIVE_COPY",         "SUSPEND: a guest that cannot be frozen is suspended for a copy",      "refuse"           },
    {"SAFE_DIRS",         "directories that images may be imported from, blank-separated",       "any"              },
    {"RESTRICTED_DIRS",   "directories they may not; SAFE_DIRS wins",                            "none"             },
    {"NO_DECOMPRESS",     "YES: packed images are imported as they are",                         "NO; YES for files"},
    {"TLS_VERIFY",        "NO: certificates of https sources are not verified",                  "YES"              },
    {"STAGING_DIR",       "where an image waits for its conversion if volumes are no files",     "/var/tmp"         },
    {"LIMIT_TRANSFER_BW", "bytes a second for downloads and between machines; K, M, G",          "no limit"         },
    {"VERIFY",            "READBACK: what was copied is read from the disks again and compared", "NO"               },
    {NULL,                NULL,                                                                  NULL               },
};
