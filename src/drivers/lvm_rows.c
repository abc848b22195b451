// SPDX-License-Identifier: Apache-2.0
#include "drivers/rows.h"

/* clang-format off */
#define COMMON                                                                                                                             \
    {"LVM_MODE",          "THICK, SNAPSHOT (thick, with snapshots) or THIN (each in a pool of its own)", "THICK"},                         \
    {"SNAPSHOT_PERCENT",  "SNAPSHOT: store of a snapshot, percent of its volume", "100: none can run full"},                               \
    {"POOL_PERCENT",      "THIN: pool of a volume, percent of it, and as much for each snapshot", "100: none can run full"},               \
    {"LVM_ACTIVATION",    "SHARED: lvmlockd lets thick volumes be migrated live", "EXCLUSIVE"},                                            \
    {"DEAD_HOST",         "FENCED: a host that does not answer is known not to write any more", "REFUSE"},                                 \
    {"LVM_INSTANCE",      "name of this OpenNebula in tags, where several share a group", "one"},                                          \
    {"LIVE_COPY",         "SUSPEND: a guest that cannot be frozen is suspended for a copy", "refuse"},                                     \
    {"SAFE_DIRS",         "directories that images may be imported from, blank-separated", "any"},                                         \
    {"RESTRICTED_DIRS",   "directories they may not; SAFE_DIRS wins", "none"},                                                             \
    {"STAGING_DIR",       "where an image waits for its conversion", "/var/tmp"},                                                          \
    {"LIMIT_TRANSFER_BW", "bytes a second for downloads and between machines; K, M, G", "no limit"},                                       \
    {NULL, NULL, NULL}

const DriverAttribute clvm_attributes[] = {
    {"VG_NAME",     "the volume group", "required"},
    {"BRIDGE_LIST", "its first host changes the group where no lvmlockd runs", "required without lvmlockd"},
    COMMON
};

const DriverAttribute gfs2clvm_attributes[] = {
    {"VG_NAME",     "the volume group", "vg-one"},
    {"BRIDGE_LIST", "its first host changes the group where no lvmlockd runs", "HOST"},
    {"HOST",        "the same, as the predecessor calls it", "required without lvmlockd and BRIDGE_LIST"},
    {"LV_NAMES",    "new images are named by their ID, or MD5 as by its first generation", "as those that the group holds"},
    COMMON
};
/* clang-format on */
