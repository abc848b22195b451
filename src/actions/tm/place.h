// SPDX-License-Identifier: Apache-2.0
/*
 * Where things are: on every host's own disk (PLACEMENT_HOST_LOCAL), or in a system datastore of
 * another driver.
 */
#pragma once

#include "actions/tm/tm.h"

/* True where a VM's directory lies on its host's own storage. */
bool place_is_local(const Task *task);

/* False and UNSUPPORTED for a placement that no driver has yet: moving and migrating is for the
 * backend that brings it. */
bool place_can_move(const Task *task, GError **error);

/* True where a VM's directory is each host's own, though its disks may be elsewhere. */
bool place_has_own_directory(const Task *task);

/* True for a disk that this driver looks after: an image of its, or a volatile one in a system
 * datastore of its. */
bool place_is_ours(const Task *task, const OneVm *vm, const OneDisk *facts);

/* True where oned moves a VM whose host has failed. */
bool place_source_is_dead(const OneVm *vm);

/* True where the VM's directory belongs to another driver, whose scripts move it. */
bool place_is_foreign(const Task *task, const OneVm *vm);

/* Does `ln` make a copy? Always on storage of the host's own, else where oned counts it as one: the
 * disk's LN_TARGET is SYSTEM (TM_MAD_CONF's LN_TARGET_X for a system datastore of driver X). */
bool place_copies(const Task *task, const OneDisk *facts);

/* True for a disk of this driver that is a link to its image, so can be made again. */
bool place_is_link(const Task *task, const OneDisk *facts);
/* Makes the link of such a disk, which its host does not have. */
bool place_restore_link(Task *task, Disk *disk, const OneVm *vm, const OneDisk *facts,
                        GError **error);
/* The same for all of the VM's disks in `directory` on `host`. With `old`, where the VM is now, a
 * disk that is a file there stays one: then it is somebody else's to copy. */
bool place_restore_links(Task *task, const OneVm *vm, Host *host, const char *directory, Host *old,
                         GError **error);

/* disk_form() where the disk is: oned names the VM's last host for some actions although a stopped
 * or undeployed VM is on the front-end (EPILOG retry, resize of an undeployed VM). A disk that the
 * host does not have is looked for there, and disk->host says where it was found. */
bool place_find(Disk *disk, DiskForm *form, char **target, GError **error);

/* Before a disk is made: what an earlier VM or a failed run left at its place goes, on the host and
 * on the front-end, unless both see one directory. oned recreates a stopped VM without an action,
 * so its old disks are still there, and place_find() would take them for the new ones in an EPILOG
 * that is tried again. `vm` may be NULL: then a foreign directory is not looked at twice. */
bool place_clear(const Task *task, const OneVm *vm, const Disk *disk, Datastore *datastore,
                 GError **error);

/* Do both hosts see one and the same directory? Found out by what one makes beside `path`, which is
 * VMDIR, and the other looks for. `b` has its parent, `a` gets it. */
bool place_is_shared(Task *task, Host *a, Host *b, const char *path, bool *shared, GError **error);

/* The marker that makes a host report this datastore's space itself: DATASTORE/.monitor holds the
 * driver's name (src/im_mad/remotes, monitor_ds). Where all hosts share it, there must be none.
 * Another driver's system datastore is left alone. */
bool place_mark_monitor(Task *task, const OneVm *vm, const Disk *disk, GError **error);
/* The same for a VM's directory. */
bool place_mark(Task *task, Host *host, const char *directory, GError **error);
