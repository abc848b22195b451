// SPDX-License-Identifier: Apache-2.0
/* One row a file; registry.c lists them. */
#pragma once

#include "core/driver.h"

/* What the drivers of the file backend have in common: file_rows.c. */
extern const ConfRow file_ds_conf[];
extern const char *const file_live_snapshots[];
extern const DriverAttribute file_attributes[];

/* And those of the mfs backend: mfs_rows.c. */
extern const ConfRow mfs_tm_conf[];
extern const DriverAttribute mfs_attributes[];

/* And those of the lvm backend: lvm_rows.c. */
extern const DriverAttribute clvm_attributes[];
extern const DriverAttribute gfs2clvm_attributes[];

extern const Driver driver_clvm;
extern const Driver driver_gfs2clvm;
extern const Driver driver_linstor;
extern const Driver driver_linstor_un;
extern const Driver driver_lizardfs;
extern const Driver driver_moosefs;
extern const Driver driver_reflink;
extern const Driver driver_reflink_local;
extern const Driver driver_saunafs;
