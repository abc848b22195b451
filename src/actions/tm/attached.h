// SPDX-License-Identifier: Apache-2.0
/*
 * Disks that are devices which a host attaches (PLACEMENT_ATTACHED): the data stays where it is,
 * and what moves is who has it. A VM's directory holds links to devices, of the same text on every
 * host, and small files.
 *
 * oned's facts tell which volume a disk shows: with CLONE=NO it is the image itself, else one of
 * the VM's own, in the system datastore or (CLONE_TARGET=SELF) beside its image. So what needs no
 * host makes no connection to one.
 */
#pragma once

#include "actions/tm/tm.h"

bool is_attached(const Task *task);

/* The volume that the disk shows, by what oned says of it; not locked. */
Volume *attached_volume(Task *task, Disk *disk, const OneVm *vm, const OneDisk *facts,
                        GError **error);
/* The VM's own volume for it, beside `image` or in the system datastore. `image` may be NULL. */
Volume *attached_own(Task *task, Disk *disk, const OneVm *vm, const OneDisk *facts, Volume *image);

/* Install media of the hosts' shared file system (Naming.is_media): the disk is a link to the file,
 * never a copy. */
bool attached_is_media(const Task *task, const OneDisk *facts);
bool attached_show_media(Task *task, const Disk *disk, const OneDisk *facts, Volume *media,
                         GError **error);

/* mv of one disk: attached where it goes, and no longer where it was. */
bool attached_move(Task *task, const Location *from, const Location *to, gint64 vm_id,
                   GError **error);
/* delete of one disk: a volume of the VM's own goes, an image is only detached. */
bool attached_delete(Task *task, Disk *disk, GError **error);
/* mvds: detached, and the VM's use of the image ends. */
bool attached_give_back(Task *task, Disk *disk, Volume *image, GError **error);

/* Before a live migration: all of the VM's disks of this driver are on both hosts. After it, and
 * after one that failed: they are only on `stays`. */
bool attached_on_both(Task *task, const OneVm *vm, const char *directory, Host *from, Host *to,
                      GError **error);
bool attached_on_one(Task *task, const OneVm *vm, const char *directory, Host *leaves,
                     GError **error);
