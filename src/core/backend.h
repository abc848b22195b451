// SPDX-License-Identifier: Apache-2.0
/*
 * The contract of a backend: one table of functions.
 *
 * A pointer says "implemented"; probe() says "works on this datastore today". A NULL optional slot
 * is emulated by core/fallback.c, or refused with UNSUPPORTED. A slot fails with its error set and
 * leaves nothing behind that is not marked incomplete. Actions never call slots: they call the
 * volume_ functions of core/volume.h.
 */
#pragma once

#include "core/volume.h"

enum {
    CAP_CLONE = 1 << 0, /* clone() of a volume of the same datastore is instant */
    CAP_RESIZE = 1 << 1,
    CAP_SNAPSHOT = 1 << 2,
    CAP_ATTACH_MANY = 1 << 3, /* several hosts may have a volume attached, while one writes */
};

typedef enum {
    ATTACH_READ_ONLY, /* CD-ROM, immutable images */
    ATTACH_WRITE,
    ATTACH_DUAL,   /* both ends of a live migration */
    ATTACH_SHARED, /* shareable image: several VMs write */
} AttachMode;

/* What `onevol doctor` looks for. */
typedef struct ToolNeed {
    const char *program, *why;
} ToolNeed;

/* One thing that was looked at: it is as it must be, or `problem` says in a sentence why not. */
typedef void (*CheckNote)(gpointer data, const char *what, const GError *problem);

/* What a VM's disk takes, or (`snapshot` >= 0) one of its snapshots, in bytes. */
typedef void (*UsageNote)(gpointer data, gint64 vm_id, gint64 disk_id, gint64 snapshot,
                          guint64 bytes);

/* Of backends whose volumes are files: core/file_volume.h. */
typedef struct FileStorage FileStorage;

struct Backend {
    const char *name;         /* as in src/backends/NAME */
    const ToolNeed *tools;    /* ends with a NULL program */
    unsigned caps;            /* CAP_*: the most it can ever do */
    const FileStorage *files; /* NULL if its volumes are none */

    /* Required. */

    /* Narrows *caps to what works on this datastore. */
    bool (*probe)(Datastore *datastore, unsigned *caps, GError **error);
    /* An incomplete, empty volume; bytes 0, for files only: the content will bring its size. Where
     * volumes are no files, a disk or checkpoint of that name is a leftover and goes first, while
     * an image is REFUSED. */
    bool (*create)(Volume *volume, guint64 bytes, GError **error);
    /* Flushed and complete, if the token is still ours (else LOST). */
    bool (*commit)(Volume *volume, GError **error);
    /* Removes an incomplete volume whose token is ours. */
    bool (*abandon)(Volume *volume, GError **error);
    /* With snapshots and leftovers, whoever made them. */
    bool (*remove)(Volume *volume, GError **error);
    bool (*stat)(Volume *volume, bool *exists, GError **error);
    /* Usable on `host`; *device is the path that a hypervisor opens. The caller frees it. */
    bool (*attach)(Volume *volume, Host *host, AttachMode mode, char **device, GError **error);
    /* Undoes it, also what `mode` took beyond it. What is not attached there is success. */
    bool (*detach)(Volume *volume, Host *host, AttachMode mode, GError **error);
    bool (*open)(Volume *volume, Endpoint *endpoint, GError **error);
    bool (*close)(Volume *volume, Endpoint *endpoint, GError **error);
    /* Adds the datastore's Volumes, complete and incomplete. For gc and status. */
    bool (*list)(Datastore *datastore, GPtrArray *volumes, GError **error);
    /* Bytes of the storage under the datastore. */
    bool (*space)(Datastore *datastore, guint64 *total, guint64 *used, guint64 *available,
                  GError **error);

    /* Optional. */

    /* A host that can attach `volume`, for work that no host was named for: volume_use_worker().
     * NULL: the front-end can. */
    bool (*choose_worker)(Volume *volume, Host **host, GError **error);
    /* Records who uses a complete volume, and brings it under the rules of its datastore, which may
     * be another one since (LINSTOR: the resource group). `uses` false: that user no longer does;
     * if another VM is recorded, nothing changes. NULL: the storage need not know. */
    bool (*assign)(Volume *volume, const VolumeUser *user, bool uses, GError **error);
    /* Removes those of `names` that are there; to be cheap where none is. For Naming.old_contexts.
     */
    bool (*remove_any)(Datastore *datastore, const char *const *names, GError **error);
    /* Calls `note` for what VMs' disks take on a system datastore, where that is not told by the
     * files of the VMs' directories. */
    bool (*usage)(Datastore *datastore, UsageNote note, gpointer data, GError **error);
    /* Is `directory`, which need not exist yet, on this storage as `host` sees it? Where a host has
     * not mounted it, anything made there would be lost and anything removed would stay. */
    bool (*check)(Datastore *datastore, Host *host, const char *directory, GError **error);
    /* For `onevol doctor`: calls `note` for each thing that the storage needs on `host`. */
    void (*diagnose)(Datastore *datastore, Host *host, CheckNote note, gpointer data);
    /* For `onevol activate`: `host` was booted and has again what the records say it had; `note`
     * for each volume that it lacked. */
    void (*reattach)(Datastore *datastore, Host *host, CheckNote note, gpointer data);
    /* An incomplete `target` with the content of `source`, both of this backend. */
    bool (*clone)(Volume *source, Volume *target, char **how, GError **error);
    bool (*resize)(Volume *volume, guint64 bytes, GError **error);
    /* All of its space is taken now (SPARSE=NO). NULL: volumes are never sparse here. */
    bool (*reserve)(Volume *volume, GError **error);

    /* Snapshots are flat: any may be removed or reverted to, in any order. */
    bool (*snapshot_create)(Volume *volume, gint64 id, GError **error);
    bool (*snapshot_remove)(Volume *volume, gint64 id, GError **error);
    bool (*snapshot_revert)(Volume *volume, gint64 id, GError **error);
    /* The volume becomes that snapshot and loses all snapshots. */
    bool (*snapshot_flatten)(Volume *volume, gint64 id, GError **error);
    /* The target's snapshots become those of the source: a volume that moves as a whole. */
    bool (*snapshots_copy)(Volume *source, Volume *target, GError **error);
    /* An incomplete `target` of this backend with the content of a snapshot; its format and size
     * are the volume's. NULL: it is copied. */
    bool (*snapshot_clone)(Volume *volume, gint64 id, Volume *target, char **how, GError **error);
    /* Readable content of a snapshot. */
    bool (*snapshot_open)(Volume *volume, gint64 id, Endpoint *endpoint, GError **error);
    bool (*snapshot_close)(Volume *volume, gint64 id, Endpoint *endpoint, GError **error);
};
