// SPDX-License-Identifier: Apache-2.0
/*
 * A disk: a volume as a VM sees it, VMDIR/disk.N on a host.
 *
 * In place (the file itself is the volume) or a link to a file or a device. A link never makes
 * what it points to ours to remove.
 */
#pragma once

#include "core/backend.h"

typedef struct Disk {
    Host *host;
    char *directory; /* VMDIR */
    char *path;      /* VMDIR/disk.N, or VMDIR/kernel, VMDIR/initrd */
    char *source; /* SOURCE of the image that it shows or was made from; NULL: none, or not told */
    gint64 vm_id;
    gint64 id;           /* -1 for kernel and initrd */
    gint64 datastore_id; /* the VM's system datastore, by its path */
} Disk;

/* `path` must be DATASTORES/<number>/<vm_id>/<name>, or there is no telling what would be hit. */
bool disk_init(Disk *disk, const char *datastores, Host *host, const char *path, gint64 vm_id,
               GError **error);
void disk_set_source(Disk *disk, const char *source);
void disk_clear(Disk *disk);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Disk, disk_clear)

/* The same check for VMDIR itself. */
bool vm_directory_check(const char *datastores, const char *path, gint64 vm_id, GError **error);

/* The system datastore of such a directory. */
gint64 datastore_of_directory(const char *directory);

/* For locks, marks and messages: "disk 0 of VM 7". Caller frees. */
char *disk_owner(const Disk *disk);

/* The VM's own volume behind it, for `datastore`'s driver. */
Volume *disk_volume(const Disk *disk, Datastore *datastore, const char *format);

/* Of a suspended VM's memory, in its system datastore; NULL where that is a file of its directory.
 */
Volume *checkpoint_volume(Datastore *datastore, Host *host, gint64 vm_id);

typedef enum { DISK_ABSENT, DISK_IN_PLACE, DISK_LINK } DiskForm;
/* What stands at its path; *target is a link's text, NULL else. */
bool disk_form(const Disk *disk, DiskForm *form, char **target, GError **error);

/* Takes away what an earlier VM or a failed run left at its place: our own volume with its
 * snapshots, or just a link. */
bool disk_clear_stale(const Disk *disk, Datastore *datastore, GError **error);

/* Attaches a complete volume to the disk's host. */
bool disk_attach(const Disk *disk, Volume *volume, AttachMode mode, char **device, GError **error);
/* Attaches a complete volume and lets the disk's path lead to it. */
bool disk_publish(const Disk *disk, Volume *volume, AttachMode mode, GError **error);
/* Detaches it from the disk's host, unless the disk of another VM there leads to it too; the path
 * stays. */
bool disk_release(const Disk *disk, Volume *volume, AttachMode mode, GError **error);
