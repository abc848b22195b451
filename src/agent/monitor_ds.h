// SPDX-License-Identifier: Apache-2.0
/*
 * tm/DRIVER/monitor_ds on a host: sizes of the disks in a system datastore that lies there.
 *
 * OpenNebula's probes run it with the datastore's directory and take what it prints:
 * `VM = [ ID = 7, MONITOR = "…" ]`, base64 since 5.12, or POLL = "…" in plain text before.
 */
#pragma once

/* `script` lies in REMOTES/tm/DRIVER/; REMOTES/VERSION tells the form. An exit status. */
int agent_monitor_ds(const char *script, int count, char **arguments);
