// SPDX-License-Identifier: Apache-2.0
/*
 * Sizes of VM disks for OpenNebula's monitoring: lines on stdout up to 5.10, datagrams to monitord
 * since 5.12 (send_to_monitor of src/mad/sh/scripts_common.sh 7.4).
 */
#pragma once

#include "one/installation.h"

#include <stdio.h>

typedef struct MonitorVms MonitorVms;

MonitorVms *monitor_vms_new(void);
void monitor_vms_free(MonitorVms *vms);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MonitorVms, monitor_vms_free)

/* `text`: DISK_SIZE=[…] SNAPSHOT_SIZE=[…] … */
void monitor_vms_add(MonitorVms *vms, gint64 vm_id, const char *text);

/* VM=[ID=…,POLL="…"] lines. */
void monitor_vms_print(const MonitorVms *vms, FILE *out);

/* MONITOR_VM messages of at most 32 KiB each, to where monitord.conf says; encrypted if it names a
 * readable public key. No monitord.conf: nothing is sent, as the stock drivers do. */
bool monitor_vms_send(const MonitorVms *vms, const Installation *installation, GError **error);
