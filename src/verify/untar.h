// SPDX-License-Identifier: Apache-2.0
/*
 * The one file in a tar archive, with its holes.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool untar_file(GBytes *archive, int fd, GError **error);
