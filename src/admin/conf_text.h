// SPDX-License-Identifier: Apache-2.0
/*
 * The text that a driver adds to oned.conf and vmm_execrc.
 */
#pragma once

#include "core/driver.h"

/* TM_MAD_CONF and DS_MAD_CONF sections, as oned.conf spells them. Caller frees. */
char *conf_sections(const Driver *driver, const char *name);

/* ARGUMENTS of section `section` (TM_MAD, DATASTORE_MAD) in oned.conf's text, with `name` added
 * to the list behind `option` (-d, -s); or NULL if there is no such section. Caller frees. */
char *conf_arguments_with(const char *oned_conf, const char *section, const char *const *options,
                          const char *name);

/* LIVE_DISK_SNAPSHOTS of vmm_execrc's text (NULL: as shipped) with this driver's pairs added. */
char *conf_live_snapshots(const Driver *driver, const char *name, const char *vmm_execrc);

/* For each VM_MAD of KVM in `oned_conf`, a line with its new ARGUMENTS, by which save and restore
 * run as local actions of ours. Another's override stays, and the line says so. "" without such a
 * section. Caller frees. */
char *conf_vm_mads(const char *oned_conf, const char *name);
