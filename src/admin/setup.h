// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glib.h>
#include <stdbool.h>

/* onevol setup: writes driver files into remotes, prints what to add to OpenNebula's files. */
bool setup_command(int argc, char **argv, GError **error);
