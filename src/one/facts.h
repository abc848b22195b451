// SPDX-License-Identifier: Apache-2.0
/*
 * What OpenNebula says of datastores, images and VMs, read from its documents.
 *
 * Element names: to_xml() in src/datastore, src/image and src/vm of 5.4 to 7.4.
 * Sizes are bytes here, MiB there. Each structure owns its document.
 */
#pragma once

#include "one/xml.h"

#define MIB ((guint64)1 << 20)

typedef enum {
    DATASTORE_IMAGE = 0,
    DATASTORE_SYSTEM = 1,
    DATASTORE_FILE = 2,
    DATASTORE_BACKUP = 3
} OneDatastoreType;

typedef struct OneDatastore {
    XmlDocument *document;
    xmlNode *node;
    gint64 id;
    OneDatastoreType type;
    char *name, *ds_mad, *tm_mad;
    char *base_path; /* normalised */
} OneDatastore;

OneDatastore *one_datastore_new(XmlDocument *document, xmlNode *node, GError **error);
void one_datastore_free(OneDatastore *datastore);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OneDatastore, one_datastore_free)
/* An attribute of its template, NULL if missing or empty. The caller frees it. */
char *one_datastore_attribute(const OneDatastore *datastore, const char *name);
/* YES or NO in any case; `otherwise` if missing or something else. */
bool one_datastore_flag(const OneDatastore *datastore, const char *name, bool otherwise);
/* LIMIT_TRANSFER_BW: bytes per second, 0 without one. Like curl's --limit-rate, which gets it from
 * downloader.sh: a number, with K, M or G a power of 1024. Anything else is refused, USAGE. */
bool one_datastore_rate(const OneDatastore *datastore, guint64 *rate, GError **error);

typedef enum {
    IMAGE_OS = 0,
    IMAGE_CDROM = 1,
    IMAGE_DATABLOCK = 2,
    IMAGE_KERNEL = 3,
    IMAGE_RAMDISK = 4,
    IMAGE_CONTEXT = 5,
} OneImageType;

typedef struct OneImage {
    XmlDocument *document;
    xmlNode *node;
    gint64 id;
    OneImageType type;
    bool persistent;
    bool says_format; /* FORMAT exists (>= 6.0), so CP must answer "SOURCE FORMAT" */
    char *name, *source, *path;
    char *format; /* FORMAT, or FSTYPE up to 5.12; NULL if empty */
    char *fs;     /* FS >= 6.0; up to 5.12 a file system named by FSTYPE */
    guint64 size;
    gint64 target_snapshot; /* -1: none */
} OneImage;

OneImage *one_image_new(XmlDocument *document, xmlNode *node);
void one_image_free(OneImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OneImage, one_image_free)
char *one_image_attribute(const OneImage *image, const char *name);

typedef struct OneDisk {
    xmlNode *node;
    gint64 id, image_id /* -1: volatile */, datastore_id;
    char *source, *format /* FORMAT, else DRIVER */, *fs, *type, *tm_mad;
    char *ln_target;    /* what `ln` means here: NONE, SELF or SYSTEM (6.1: LN_TARGET_X) */
    char *clone_target; /* where `clone` puts its copy: SELF or SYSTEM */
    guint64 size, original_size;
    bool clone, save, readonly, persistent, shareable;
    bool sparse; /* SPARSE=NO, inherited since 6.10, wants all space at once */
} OneDisk;

/* Of OneVm.state and lcm_state, those that matter here: include/VirtualMachine.h of 5.4 to 7.4. */
typedef enum {
    VM_ACTIVE = 3,
    VM_STOPPED = 4,
    VM_SUSPENDED = 5,
    VM_POWEROFF = 8,
    VM_UNDEPLOYED = 9,
} OneVmState;

typedef enum {
    LCM_RUNNING = 3,
    LCM_HOTPLUG_SAVEAS = 26,
    LCM_HOTPLUG_SAVEAS_POWEROFF = 27,
    LCM_HOTPLUG_SAVEAS_SUSPENDED = 28,
    LCM_PROLOG_MIGRATE_UNKNOWN = 60,
    LCM_PROLOG_MIGRATE_UNKNOWN_FAILURE = 61,
    LCM_DISK_RESIZE = 62,
    LCM_DISK_RESIZE_POWEROFF = 63,
    LCM_DISK_RESIZE_UNDEPLOYED = 64,
    LCM_HOTPLUG_SAVEAS_UNDEPLOYED = 67,
    LCM_HOTPLUG_SAVEAS_STOPPED = 68,
} OneLcmState;

typedef struct OneVm {
    XmlDocument *document;
    xmlNode *node;
    gint64 id, state, lcm_state;
    char *deploy_id;     /* the hypervisor's name for it; NULL before the first boot */
    char *system_tm_mad; /* the driver of its system datastore; NULL before a host is chosen */
    gint64 context_disk; /* -1: none */
    GPtrArray *disks;    /* OneDisk */
} OneVm;

OneVm *one_vm_new(XmlDocument *document, xmlNode *node);
void one_vm_free(OneVm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OneVm, one_vm_free)
/* NULL if the VM has no such disk (the context disk is none of them). */
const OneDisk *one_vm_disk(const OneVm *vm, gint64 disk_id);

/* Of a HOST element: include/Host.h of 5.4 to 7.4. */
typedef enum {
    HOST_ERROR = 3,
    HOST_DISABLED = 4,
    HOST_MONITORING_ERROR = 5,
    HOST_OFFLINE = 8,
} OneHostState;

/* False for one in these states: nothing is to be begun there. */
bool one_host_is_usable(xmlNode *host);
