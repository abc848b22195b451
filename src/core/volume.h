// SPDX-License-Identifier: Apache-2.0
/*
 * The model: a Datastore holds Volumes; a Disk is a volume as a VM sees it.
 *
 * A volume is what a backend stores for an image or a disk. Its life: volume_create() (or
 * volume_clone(), volume_import()) makes it *incomplete*, under a mark; volume_commit() makes it
 * complete in one step; until then volume_abandon() leaves nothing. All sizes are bytes.
 */
#pragma once

#include "core/mark.h"
#include "one/facts.h"
#include "remote/host.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Driver Driver;
typedef struct Backend Backend;

typedef struct Datastore {
    const Driver *driver;
    gint64 id;
    Host *host;          /* where commands for its volumes run */
    OneDatastore *facts; /* what oned says of it; see datastore_facts() */
    unsigned caps;       /* CAP_* that work here; valid once probed */
    bool probed;
} Datastore;

/* `facts` may be NULL: they are asked for when needed. Takes them over. */
Datastore *datastore_new(const Driver *driver, gint64 id, OneDatastore *facts);
void datastore_free(Datastore *datastore);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Datastore, datastore_free)

/* From the driver's message, or asked of oned once. Owned by the datastore. */
const OneDatastore *datastore_facts(Datastore *datastore, GError **error);

/* How content is brought into its volumes: LIMIT_TRANSFER_BW and VERIFY. */
bool datastore_move_options(Datastore *datastore, MoveOptions *options, GError **error);

/* Its commands run on one of BRIDGE_LIST, in turn; without such a list on the front-end. */
bool datastore_use_bridge(Datastore *datastore, guint64 turn, GError **error);

/* What its backend can do here: CAP_* of core/backend.h. */
bool datastore_caps(Datastore *datastore, unsigned *caps, GError **error);

typedef enum {
    VOLUME_IMAGE,
    VOLUME_DISK,
    VOLUME_CHECKPOINT, /* the memory of a suspended VM */
} VolumeKind;

/* The VM that uses a volume, where the storage is told (LINSTOR's properties, LVM's tags). */
typedef struct VolumeUser {
    gint64 vm_id; /* -1: nobody does */
    gint64 disk_id;
    gint64 datastore_id; /* the VM's system datastore */
} VolumeUser;

/* The guest that writes to a volume while it is copied or its snapshot is made. */
typedef struct Freeze {
    Host *host; /* where it runs */
    char *uri;  /* of its libvirt */
    char *domain;
    bool may_suspend; /* LIVE_COPY=SUSPEND: where freezing its file systems fails */
} Freeze;

void freeze_clear(Freeze *freeze);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Freeze, freeze_clear)

typedef struct Volume {
    Datastore *datastore; /* not owned */
    VolumeKind kind;
    Host *host;           /* where commands on it run */
    char *name;           /* the backend's name for it; a path where volumes are files */
    char *snapshots;      /* the name that its snapshots lie beside; NULL: its own */
    char *owner;          /* for marks and messages: "image 12", "disk 0 of VM 7" */
    char *format;         /* raw or qcow2; NULL: not known, see volume_stat() */
    guint64 virtual_size; /* as a guest sees it; 0 until known */
    guint64 allocated_size;
    Mark *mark;           /* while it is incomplete */
    VolumeUser user;      /* of a new volume: known to the storage once it is complete */
    const Freeze *freeze; /* who writes to it now; NULL: nobody. Not owned */
} Volume;

/* Takes no ownership of the datastore; copies the texts. `format` may be NULL. */
Volume *volume_new(Datastore *datastore, VolumeKind kind, Host *host, const char *name,
                   const char *owner, const char *format);
void volume_free(Volume *volume);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Volume, volume_free)

/* Where its content can be read or written by a command or a copy. */
typedef struct Endpoint {
    Host *host;
    char *path; /* a file or a block device on that host */
    bool block;
    bool zeroed;     /* what is not written reads as zeros */
    guint64 size;    /* of the content, where the device is larger; 0: all of it */
    gpointer opened; /* the backend's own: what close() has to undo */
} Endpoint;

void endpoint_clear(Endpoint *endpoint);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Endpoint, endpoint_clear)

/* Fills format and sizes. A volume that is not there: *exists is false, no error. */
bool volume_stat(Volume *volume, bool *exists, GError **error);
/* The same, but NOT_FOUND if it is not there. */
bool volume_require(Volume *volume, GError **error);

/* Before a backend makes it: whoever calls the backend's slots himself. */
void volume_mark_incomplete(Volume *volume);
/* An incomplete volume of `bytes` that reads as zeros, in volume->format. */
bool volume_create(Volume *volume, guint64 bytes, GError **error);
/* An incomplete volume with the content of `source`, natively or by copy; logs which. */
bool volume_clone(Volume *source, Volume *target, GError **error);
/* An incomplete volume with content of `format` that nobody else writes to, converted to
 * volume->format; core/import.h for what comes from outside. */
bool volume_import(Volume *volume, const Endpoint *from, const char *format, guint64 virtual_size,
                   GError **error);
/* Lets it grow; the same size is no change, a smaller one is refused. */
bool volume_resize(Volume *volume, guint64 bytes, GError **error);
/* SPARSE=NO of datastore or disk: no later write can find the storage full. */
bool volume_reserve(Volume *volume, GError **error);
/* Complete from here on. What stood under its name before is replaced. */
bool volume_commit(Volume *volume, GError **error);
/* Undoes an incomplete volume; never anything else. For error paths: errors are logged. */
void volume_abandon(Volume *volume);
/* With its snapshots and leftovers; nothing there is success. */
bool volume_remove(Volume *volume, GError **error);
/* Tells the storage who uses it now, or (`uses` false) that this user no longer does. */
bool volume_assign(Volume *volume, const VolumeUser *user, bool uses, GError **error);
/* For backends: before a volume's content is worked with, where its host is the front-end, which
 * does not reach the storage: some host of the storage is chosen, for the datastore too. */
bool volume_use_worker(Volume *volume, GError **error);
/* For the rest of the action; `holder` as in host_lock(). */
bool volume_lock(const Volume *volume, const char *holder, GError **error);

/* The content of an incomplete volume, to write; of a complete one, to read. */
bool volume_open(Volume *volume, Endpoint *endpoint, GError **error);
bool volume_close(Volume *volume, Endpoint *endpoint, GError **error);
