// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/driver.h"

/* Volumes as files; a volume's name is its path. */
extern const Backend file_backend;
