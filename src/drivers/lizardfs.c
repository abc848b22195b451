// SPDX-License-Identifier: Apache-2.0
/*
 * LizardFS, under the name and with the files of the driver that it takes over from.
 */
#include "backends/mfs/mfs.h"
#include "core/file_volume.h"
#include "drivers/rows.h"

const Driver driver_lizardfs = {
    .name = "lizardfs",
    .title = "files on LizardFS, instant clones by lazy snapshots",
    .backend = &mfs_backend,
    .naming = &file_naming,
    .placement = PLACEMENT_EVERYWHERE,
    .tm_conf = mfs_tm_conf,
    .ds_conf = file_ds_conf,
    .live_snapshots = file_live_snapshots,
    .attributes = mfs_attributes,
};
