// SPDX-License-Identifier: Apache-2.0
/* One row a file; registry.c lists them. */
#pragma once

#include "core/driver.h"

/* What the drivers of the file backend have in common: file_rows.c. */
extern const ConfRow file_ds_conf[];
extern const char *const file_live_snapshots[];
extern const DriverAttribute file_attributes[];

extern const Driver driver_reflink;
extern const Driver driver_reflink_local;
