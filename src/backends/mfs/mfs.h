// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/driver.h"

/* Files on LizardFS, MooseFS or SaunaFS; a volume's name is its path. */
extern const Backend mfs_backend;
