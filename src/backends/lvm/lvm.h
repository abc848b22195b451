// SPDX-License-Identifier: Apache-2.0
/*
 * Volumes as logical volumes of a volume group that all hosts of a cluster see.
 *
 * A volume's name is the LV's. Incomplete is what has a tag "onevol.token=…"; nothing else than its
 * removal deletes such a tag but volume_commit(). See docs/design/lvm.md.
 */
#pragma once

#include "core/driver.h"

extern const Backend lvm_backend;

/* onevol-image-ID-RANDOM and onevol-vm-VM-DISK; SOURCE is VG/NAME. */
extern const Naming lvm_clvm_naming;
/* Both generations of gfs2clvm. */
extern const Naming lvm_gfs2clvm_naming;
