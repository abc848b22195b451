// SPDX-License-Identifier: Apache-2.0
/*
 * monitord's UDP port: takes MONITOR_VM messages and unpacks them
 * (src/monitor/include/MonitorDriverMessages.h).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Monitord Monitord;

Monitord *monitord_start(GError **error);
void monitord_stop(Monitord *monitord);
unsigned monitord_port(const Monitord *monitord);

/* VM id → text of its disk sizes, from all datagrams that came since the last call. NULL with an
 * error if one of them is not what monitord takes. The caller unrefs the table. */
GHashTable *monitord_take(Monitord *monitord, GError **error);

/* Adds the VMs of "VM=[ID=1,NAME="…"] …" to `sizes`; `encoded`: the text is base64. */
bool monitor_vm_lines(const char *text, const char *name, bool encoded, GHashTable *sizes,
                      GError **error);
