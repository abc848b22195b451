// SPDX-License-Identifier: Apache-2.0
/*
 * MooseFS, of which LizardFS is a branch.
 */
#include "backends/mfs/mfs.h"
#include "core/file_volume.h"
#include "drivers/rows.h"

const Driver driver_moosefs = {
    .name = "moosefs",
    .title = "files on MooseFS, instant clones by lazy snapshots",
    .backend = &mfs_backend,
    .naming = &file_naming,
    .placement = PLACEMENT_EVERYWHERE,
    .tm_conf = mfs_tm_conf,
    .ds_conf = file_ds_conf,
    .live_snapshots = file_live_snapshots,
    .attributes = mfs_attributes,
};
