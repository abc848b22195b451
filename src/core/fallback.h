// SPDX-License-Identifier: Apache-2.0
/*
 * What a backend lacks, done with what every backend has: create, open, copy.
 */
#pragma once

#include "core/volume.h"

/* `target` becomes an incomplete volume with the content of `source`. */
bool fallback_clone(Volume *source, Volume *target, char **how, GError **error);
