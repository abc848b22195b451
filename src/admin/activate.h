// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glib.h>
#include <stdbool.h>

/* onevol activate HOST...: hosts that were booted get the volumes again that the storage's own
 * records say they had, for VMs that are started there without the driver being asked. */
bool activate_command(int argc, char **argv, GError **error);
