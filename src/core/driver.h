// SPDX-License-Identifier: Apache-2.0
/*
 * A driver is a row: a backend, the names of its volumes, where its data is, and what oned must be
 * told about it. Several drivers share a backend. The rows are in src/drivers/, one file each.
 */
#pragma once

#include "core/backend.h"
#include "one/installation.h"

/* How volumes are named, and found again by a full parse of a name. */
typedef struct Naming {
    const char *name;
    /* A fresh name for an image; it may look for how others are named there. Caller frees. */
    char *(*new_image)(Datastore *datastore, gint64 image_id, GError **error);
    /* The SOURCE that oned stores for it. */
    char *(*source_of_image)(const OneDatastore *facts, const char *name);
    /* NULL and REFUSED for a SOURCE that is none of this datastore's. */
    char *(*image_of_source)(Datastore *datastore, const char *source, GError **error);
    /* The volume behind a VM's own disk; `path` is VMDIR/disk.N, `source` the SOURCE of the image
     * that it was made from, NULL for a volatile one. */
    char *(*disk)(const char *path, gint64 vm_id, gint64 disk_id, const char *source);

    /* Of backends whose volumes are devices; NULL where they are files. */

    /* The volume that a device of a disk's link belongs to; NULL if it is none of ours, or an old
     * form that does not tell. Caller frees. */
    char *(*of_device)(const char *device);
    /* Is that volume this VM's own disk, whatever it was made from? */
    bool (*is_disk_of)(const char *name, gint64 vm_id, gint64 disk_id);
    /* The volume of a suspended VM's memory. NULL: that is a file in the VM's directory. */
    char *(*checkpoint)(gint64 vm_id);
    /* Volumes that the predecessor may have kept a VM's context in, which is a file now; `disk_id`
     * is the context's. NULL: it never did. The caller frees them. */
    GStrv (*old_contexts)(gint64 vm_id, gint64 disk_id);
    /* Is this PATH or SOURCE install media: a file that all hosts see, which stays where it is and
     * VMs get a link to? Then the volume's name is its path. NULL: there are none. */
    bool (*is_media)(const char *path);
    /* The predecessor kept swap disks as files in the VM's directory. */
    bool swap_was_file;
} Naming;

/* Where the data of a disk is; moves, stops and resizes switch on it. */
typedef enum {
    PLACEMENT_EVERYWHERE, /* a shared file system */
    PLACEMENT_ATTACHED,   /* a network device that a host attaches */
    PLACEMENT_HOST_LOCAL, /* on the host's own storage */
    PLACEMENT_PACKED,     /* an image file on the front-end */
} Placement;

/* "NAME = value" of a TM_MAD_CONF or DS_MAD_CONF section, in oned.conf's order. */
typedef struct ConfRow {
    const char *name, *value;
} ConfRow;

/* A datastore attribute that the driver reads. */
typedef struct DriverAttribute {
    const char *name, *meaning, *otherwise;
} DriverAttribute;

struct Driver {
    const char *name;
    const char *title; /* one line for lists */
    const Backend *backend;
    const Naming *naming;
    Placement placement;
    const ConfRow *tm_conf, *ds_conf;  /* each ends with a NULL name; NAME is not among them */
    const char *const *live_snapshots; /* VM_MAD names for LIVE_DISK_SNAPSHOTS, NULL at the end */
    const DriverAttribute *attributes; /* ends with a NULL name */
};

/* Filled by src/drivers/registry.c; ends with NULL. */
extern const Driver *const drivers[];

/* NULL if there is none of this name. */
const Driver *driver_find(const char *name);
/* Our driver behind oned's name of one: an alias of onevol.conf, or the name itself, or the one
 * that the interpreter line of its files names (`setup --as`). NULL: it is none of ours. */
const Driver *driver_named(const Installation *installation, const char *name);
