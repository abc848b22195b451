// SPDX-License-Identifier: Apache-2.0
/*
 * Where things are when every host has its own disk (PLACEMENT_HOST_LOCAL).
 */
#pragma once

#include "actions/tm/tm.h"

/* True where a VM's directory lies on its host's own storage. */
bool place_is_local(const Task *task);

/* False and UNSUPPORTED for a placement whose disks are no files of the VM's directory: moving and
 * migrating them is for the backends that bring such a placement. */
bool place_require_files(const Task *task, GError **error);

/* oned names the VM's last host for some actions although a stopped or undeployed VM is on the
 * front-end (EPILOG retry, resize of an undeployed VM): looks there if the host has no `path`. */
bool place_find(const Task *task, Host **host, const char *path, GError **error);

/* Before a disk is made: what an earlier VM or a failed run left at its place goes, on the host and
 * on the front-end. oned recreates a stopped VM without an action, so its old disks are still
 * there, and place_find() would take them for the new ones in an EPILOG that is tried again. */
bool place_clear(const Task *task, const Disk *disk, Datastore *datastore, GError **error);

/* Do both hosts see one and the same directory? Found out by a file that one makes and the other
 * looks for. `path` is VMDIR; its parent must exist on `a`. */
bool place_is_shared(Host *a, Host *b, const char *path, bool *shared, GError **error);

/* The marker that makes a host report this datastore's space itself: DATASTORE/.monitor holds the
 * driver's name (opennebula-protocol 4.4). Where all hosts share it, there must be none. */
bool place_mark_monitor(Task *task, const Disk *disk, GError **error);
/* The same for a VM's directory. */
bool place_mark(Task *task, Host *host, const char *directory, GError **error);
