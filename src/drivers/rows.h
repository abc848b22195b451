// SPDX-License-Identifier: Apache-2.0
/* One row a file; registry.c lists them. */
#pragma once

#include "core/driver.h"

extern const Driver driver_reflink;
