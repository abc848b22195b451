// SPDX-License-Identifier: Apache-2.0
/*
 * The transfer manager's actions (src/tm_mad/one_tm.rb, src/tm/TransferManager.cc), one a file, in
 * terms of volumes, disks and hosts; and what several of them share.
 */
#pragma once

#include "actions/task.h"
#include "core/disk.h"

bool tm_clone(Task *task, char **arguments, GError **error);
bool tm_ln(Task *task, char **arguments, GError **error);
bool tm_mkimage(Task *task, char **arguments, GError **error);
bool tm_mkswap(Task *task, char **arguments, GError **error);
bool tm_context(Task *task, char **arguments, GError **error);
bool tm_delete(Task *task, char **arguments, GError **error);
bool tm_mv(Task *task, char **arguments, GError **error);
bool tm_mvds(Task *task, char **arguments, GError **error);
bool tm_cpds(Task *task, char **arguments, GError **error);
bool tm_resize(Task *task, char **arguments, GError **error);
bool tm_snap_create(Task *task, char **arguments, GError **error);
bool tm_snap_create_live(Task *task, char **arguments, GError **error);
bool tm_snap_delete(Task *task, char **arguments, GError **error);
bool tm_snap_revert(Task *task, char **arguments, GError **error);
bool tm_migrate(Task *task, char **arguments, GError **error);
bool tm_postbackup(Task *task, char **arguments, GError **error);
bool tm_backup_unsupported(Task *task, char **arguments, GError **error);

/* "HOST:PATH" of a disk and the VM's id; takes the disk's lock for the rest of the action. */
bool tm_disk(Task *task, const char *location, const char *vm_id, Disk *disk, GError **error);

/* The image volume that SOURCE names in datastore `ds_id`; `format` may be NULL. */
Volume *tm_image(Task *task, const Disk *disk, const char *source, const char *ds_id,
                 const char *format, GError **error);

/* The volume whose content the disk shows: its image where it is a link, else its own. Locked for
 * the rest of the action. Shareable images are refused: other VMs write to them. */
Volume *tm_backing(Task *task, Disk *disk, const char *ds_id, GError **error);

/* Under a system datastore of driver ssh a persistent disk may be a file of the VM's own, while its
 * snapshots stay beside the image: so the LizardFS predecessor keeps them. */
bool tm_snapshots_with_image(const Task *task, const OneVm *vm, const OneDisk *facts);

/* Who writes to a running VM's disks: its libvirt domain, and what LIVE_COPY of the volume's
 * datastore allows. */
bool tm_freeze(Task *task, const OneVm *vm, const Disk *disk, Volume *volume, Freeze *freeze,
               GError **error);

/* False where `host` does not have the storage of a VM's directory mounted, and the driver's
 * storage needs to be. */
bool tm_check_mounted(Task *task, Host *host, const char *vm_directory, GError **error);

/* How the VM's disk wants its image: read-only, shared or for itself alone. */
AttachMode tm_attach_mode(const OneDisk *facts);

/* What oned knows of a disk's snapshots: its SNAPSHOTS element, or NULL. */
xmlNode *tm_snapshots(const OneVm *vm, gint64 disk_id);

/* Locks a disk for the rest of the action: on its host, or where that only attaches it, on the
 * front-end. */
bool tm_lock_disk(Task *task, const Disk *disk, GError **error);
/* Locks a path on a host for the rest of the action. */
bool tm_lock(Task *task, Host *host, const char *path, GError **error);
