// SPDX-License-Identifier: Apache-2.0
/*
 * What the played oned knows (images, VMs, datastores, hosts), and beside each object what its data
 * must be. The XML-RPC server answers from it in a thread of its own: it holds `lock` while it
 * reads, the main thread holds it always except while a driver runs.
 */
#pragma once

#include "verify/content.h"
#include "verify/hosts.h"
#include "verify/release.h"

#include <glib.h>
#include <stdbool.h>

#define MEBIBYTE 1048576ull

typedef enum { DATASTORE_IMAGE = 0, DATASTORE_SYSTEM = 1, DATASTORE_FILE = 2 } DatastoreType;

typedef struct Datastore {
    int id;
    char *name;
    DatastoreType type;
    const char *driver; /* DRIVER in its template, or NULL */
    bool keep_format;   /* CONVERT=no */
    char *path;         /* normalised; what oned writes has a double slash */
} Datastore;

typedef enum {
    IMAGE_OS = 0,
    IMAGE_CDROM = 1,
    IMAGE_DATABLOCK = 2,
    IMAGE_KERNEL = 3,
    IMAGE_RAMDISK = 4,
    IMAGE_CONTEXT = 5
} ImageType;

enum { IMAGE_READY = 1, IMAGE_USED = 2, IMAGE_LOCKED = 4, IMAGE_USED_PERS = 8 };

typedef struct Snapshot {
    int id;
    guint64 size_mb;
    Content content;
} Snapshot;

typedef struct Image {
    int id;
    char *name;
    ImageType type;
    Datastore *datastore;
    bool persistent, shareable;
    char *source; /* what the driver answered, NULL before */
    char *path;   /* PATH, or the original's SOURCE in CLONE */
    char *format; /* what FORMAT says; NULL before CP */
    const char *file_system;
    const char *checksum_name; /* MD5 or SHA1 */
    char *checksum;
    guint64 size_mb;
    int state, cloning_id, target_snapshot, next_snapshot;
    int saved_vm, saved_disk; /* of a save_as image, else -1 */
    GPtrArray *snapshots;
    Content content; /* what it must hold */
    const Host
        *left_on; /* a host that died may have it, for other VMs that may be there; or NULL */
} Image;

typedef enum {
    ROLE_PERSISTENT,
    ROLE_PRIVATE,
    ROLE_CDROM,
    ROLE_SHAREABLE,
    ROLE_VOLATILE,
    ROLE_SWAP
} DiskRole;

typedef struct Disk {
    int id;
    DiskRole role;
    Image *image; /* NULL: volatile */
    guint64 size_mb;
    const char *format;
    const char *file_system;
    const char *suffix; /* TM_MAD_SYSTEM, or NULL */
    bool own;           /* has content of its own; else it is its image */
    bool present;       /* made, and not yet released or deleted */
    bool detached;      /* released: its link may stay until the directory goes */
    bool attaching, resizing, saving;
    int snapshot_in_progress; /* -1: none */
    int next_snapshot;
    const char *orphans;  /* ALLOW_ORPHANS, NULL: YES */
    bool forgets;         /* PERSISTENT_SNAPSHOTS=NO: the image keeps none */
    const char *maker;    /* the action that made it, to be blamed when it turns out wrong */
    char *volume;         /* its name in the storage, once it was seen there; else NULL */
    bool lost;            /* oned has forgotten it, its volume may still be there */
    Content content;      /* of private and volatile ones; else the image's counts */
    GPtrArray *snapshots; /* of private ones; else the image's count */
} Disk;

typedef struct History {
    const Host *host;
    Datastore *datastore;
    int action;
} History;

/* Where a VM's directory is: below which machine's datastores/, and in which of them. */
typedef struct Place {
    const Host *tree;
    Datastore *datastore; /* NULL: nowhere */
    const Host *host;     /* where its devices are, where disks are such; else NULL */
} Place;

typedef struct Vm {
    int id;
    int state, lcm_state, previous_state, previous_lcm_state;
    bool booted;
    int context_id;    /* disk id of the context disk, -1: none */
    bool context_made; /* the ISO is there */
    Content context;
    GHashTable *context_files; /* name → GBytes */
    GPtrArray *disks;
    GPtrArray *history;
    const char *hypervisor; /* VM_MAD, NULL: kvm */
    Image *kernel, *ramdisk;
    bool kernel_made, ramdisk_made;
    const char *name;
    Place place;            /* where its directory is now */
    Place going;            /* and may be, during a move */
    Place left;             /* what oned has forgotten there: it may stay */
    bool live;              /* it is on its way to `going`, and both ends have its devices */
    Place visitor;          /* where a hypervisor was given an empty directory */
    bool directory_present; /* it must be there */
    bool directory_allowed; /* it may be there */
    GHashTable *extras;     /* relative file name → Content: checkpoint, deployment.0 … */
} Vm;

typedef struct World {
    GMutex lock;
    const Release *release;
    const char *driver; /* the name that the driver files are installed under */
    bool shared;        /* SHARED of its TM_MAD_CONF */
    const char *ln_target, *clone_target;
    bool raw_only;           /* the storage holds no other format */
    bool host_in_source;     /* SOURCE is HOST:… */
    struct Storage *storage; /* where volumes are devices; NULL: they are files */
    char **attributes, **image_attributes, **system_attributes; /* more of datastores' templates */
    char **host_attributes;
    char *root;       /* --directory, absolute and normalised */
    char *var;        /* ROOT/var */
    char *store;      /* ROOT/var/datastores */
    char *store_text; /* the same as oned writes it: ROOT/var//datastores */
    char *sources;    /* where images come from, in SAFE_DIRS */
    char *elsewhere;  /* not in SAFE_DIRS */
    GPtrArray *hosts, *datastores, *images, *vms;
    GPtrArray *trees; /* the machines that have a datastores/ of their own, the front-end first */
    /* Where VMs run; on one machine both are this one under its two names. */
    Host *host, *host2;
    Host *frontend;
    Host *dead;         /* registered, but nobody answers there */
    bool separate;      /* hosts have datastores/ of their own */
    GHashTable *marked; /* world_mark() of places where .monitor has to be */
    Datastore *raw, *qcow2, *files, *system, *system2;
    int next_image, next_vm;
} World;

typedef struct WorldOptions {
    const char *driver, *as; /* the name that it is installed under, or NULL */
    const char *root;
    char **hosts;         /* names of other machines, NULL for this one alone */
    const char *storage;  /* the program that tells of it, NULL: volumes are files */
    bool own_directories; /* hosts have datastores/ of their own, whatever SHARED says */
    char **attributes, **image_attributes, **system_attributes, **host_attributes;
} WorldOptions;

World *world_new(const Release *release, const WorldOptions *options);
void world_free(World *world);

Image *world_image(World *world, ImageType type, Datastore *datastore);
void world_forget_image(World *world, Image *image);
Image *world_find_image(const World *world, int id);
/* The machine below whose datastores/ the files are that this one sees. */
const Host *world_tree(const World *world, const Host *host);
/* A text for a place; the caller frees it. */
char *world_mark(Place place);
Place world_place(const World *world, const Host *host, Datastore *datastore);
static inline bool
place_equal(Place a, Place b)
{
    return a.tree == b.tree && a.datastore == b.datastore && a.host == b.host;
}
/* A VM that is placed on the first host and system datastore. */
Vm *world_vm(World *world);
void world_forget_vm(World *world, Vm *vm);
Vm *world_find_vm(const World *world, int id);
Datastore *world_find_datastore(const World *world, int id);

/* A disk is added with the next free id as oned counts it. */
Disk *vm_add_disk(const World *world, Vm *vm, DiskRole role, Image *image, guint64 size_mb);
Disk *vm_add_volatile(const World *world, Vm *vm, const char *format, const char *file_system,
                      guint64 size_mb);
void vm_remove_disk(Vm *vm, Disk *disk);
/* Gives the context disk its id, after the disks of the template. */
void vm_add_context(Vm *vm);
void vm_add_history(Vm *vm, const Host *host, Datastore *datastore);
/* Its files are somewhere else now, and what was at its old place is nobody's. */
void vm_start_afresh(Vm *vm, Place place);
/* Its last record names that host. */
void vm_rename_host(Vm *vm, const Host *host);
const History *vm_last(const Vm *vm);
const History *vm_previous(const Vm *vm);
void vm_set_state(Vm *vm, int state, int lcm_state);

/* The directory of a VM as oned writes it, and normalised. The caller frees them. */
char *vm_directory_text(const World *world, const Vm *vm, const Datastore *datastore);
char *vm_directory(const Vm *vm, const Datastore *datastore);
char *vm_disk_path(const Vm *vm, const Disk *disk);

const char *disk_role_name(const Disk *disk);
bool disk_saves(const Disk *disk);     /* SAVE=YES */
Content *disk_content(Disk *disk);     /* the disk's own or its image's */
GPtrArray *disk_snapshots(Disk *disk); /* likewise */
int *disk_next_snapshot(Disk *disk);
int disk_datastore_id(const Vm *vm, const Disk *disk);
Snapshot *snapshot_find(GPtrArray *snapshots, int id);
Snapshot *snapshot_add(GPtrArray *snapshots, int id, guint64 size_mb, const Content *content);
