// SPDX-License-Identifier: Apache-2.0
/*
 * SaunaFS, the branch of LizardFS that lives on.
 */
#include "backends/mfs/mfs.h"
#include "core/file_volume.h"
#include "drivers/rows.h"

const Driver driver_saunafs = {
    .name = "saunafs",
    .title = "files on SaunaFS, instant clones by lazy snapshots",
    .backend = &mfs_backend,
    .naming = &file_naming,
    .placement = PLACEMENT_EVERYWHERE,
    .tm_conf = mfs_tm_conf,
    .ds_conf = file_ds_conf,
    .live_snapshots = file_live_snapshots,
    .attributes = mfs_attributes,
};
