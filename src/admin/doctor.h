// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glib.h>
#include <stdbool.h>

/* onevol doctor: what our datastores need, looked for on every host of OpenNebula. Prints a table
 * or JSON; false if something is not as it must be. */
bool doctor_command(int argc, char **argv, GError **error);
