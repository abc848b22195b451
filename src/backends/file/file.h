// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/driver.h"

/* Volumes as files; a volume's name is its path. */
extern const Backend file_backend;

/* Images are files directly below the datastore's BASE_PATH, SOURCE is the path; a VM's own disk
 * is VMDIR/disk.N itself. */
extern const Naming file_naming;
