// SPDX-License-Identifier: Apache-2.0
/*
 * What a backend lacks, done with what every backend has: create, open, copy.
 */
#pragma once

#include "core/volume.h"

/* `target` becomes an incomplete volume with the content of `source`. */
bool fallback_clone(Volume *source, Volume *target, char **how, GError **error);

/* Fills an incomplete volume from a file, converting raw and qcow2 as needed. */
bool fallback_import(Volume *volume, Host *host, const char *file, const char *file_format,
                     GError **error);
