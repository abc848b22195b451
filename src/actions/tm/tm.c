// SPDX-License-Identifier: Apache-2.0
#include "actions/tm/attached.h"
#include "actions/tm/place.h"

#include "actions/monitor.h"
#include "base/command.h"
#include "base/error.h"
#include "base/path.h"

#include <string.h>

/* pre- and postbackup: the disk list and more that grew with the releases lie between the two */
#define BACKUP "directory disks... vm_id ds_id"
#define MIGRATE "source_host destination_host directory vm_id ds_id [xml_or_caller] [caller]"

const Action tm_actions[] = {
    {"clone",            "source disk vm_id ds_id",                       tm_clone,              0            },
    {"context",          "file... disk vm_id ds_id",                      tm_context,            0            },
    {"cpds",             "disk source snapshot_or_-1 vm_id ds_id",        tm_cpds,               0            },
    {"delete",           "disk_or_directory vm_id ds_id",                 tm_delete,             0            },
    {"failmigrate",      MIGRATE,                                         tm_migrate,            0            },
    {"ln",               "source disk vm_id ds_id",                       tm_ln,                 0            },
    {"mkimage",          "size_mb format disk vm_id ds_id",               tm_mkimage,            0            },
    {"mkswap",           "size_mb disk vm_id ds_id",                      tm_mkswap,             0            },
    {"monitor",          "ds_id",                                         monitor_datastore,     TAKES_MESSAGE},
    {"mv",               "source destination vm_id ds_id",                tm_mv,                 0            },
    {"mvds",             "disk source vm_id ds_id",                       tm_mvds,               0            },
    {"postbackup",       BACKUP,                                          tm_postbackup,         0            },
    {"postbackup_live",  BACKUP,                                          tm_postbackup,         0            },
    {"postmigrate",      MIGRATE,                                         tm_migrate,            0            },
    {"prebackup",        BACKUP,                                          tm_backup_unsupported, 0            },
    {"prebackup_live",   BACKUP,                                          tm_backup_unsupported, 0            },
    {"premigrate",       MIGRATE,                                         tm_migrate,            0            },
    {"resize",           "disk size_mb vm_id ds_id",                      tm_resize,             0            },
    {"restore",          "directory vm_id image_id increment_id disk_id", tm_backup_unsupported, 0            },
    {"snap_create",      "disk snapshot vm_id ds_id",                     tm_snap_create,        0            },
    {"snap_create_live", "disk snapshot vm_id ds_id",                     tm_snap_create_live,   0            },
    {"snap_delete",      "disk snapshot vm_id ds_id",                     tm_snap_delete,        0            },
    {"snap_revert",      "disk snapshot vm_id ds_id",                     tm_snap_revert,        0            },
    {NULL,               NULL,                                            NULL,                  0            },
};

bool
tm_lock(Task *task, Host *host, const char *path, GError **error)
{
    g_autofree char *text = task_text(task);

    if (host_lock(host, path, text, error))
        return true;
    g_prefix_error(error, "'%s' is in use: ", path);
    return false;
}

bool
tm_lock_disk(Task *task, const Disk *disk, GError **error)
{
    return tm_lock(task, is_attached(task) ? host_frontend() : disk->host, disk->path, error);
}

/* A host that has not mounted the storage shows an empty directory: what is made there is lost, and
 * what shall be removed stays. */
bool
tm_check_mounted(Task *task, Host *host, const char *vm_directory, GError **error)
{
    g_autofree char *above = g_path_get_dirname(vm_directory);
    g_autofree char *text = g_path_get_basename(above);
    const Backend *backend = task->driver->backend;
    guint64 id;

    return !backend->check || !parse_number(text, G_MAXINT32, &id) ||
           backend->check(task_datastore(task, (gint64)id), host, vm_directory, error);
}

bool
tm_disk(Task *task, const char *text, const char *vm_text, Disk *disk, GError **error)
{
    g_auto(Location) location = {0};
    gint64 vm_id;

    if (!location_parse(text, &location, error) ||
        !argument_number(vm_text, "the VM's id", &vm_id, error))
        return false;
    Host *host = host_named(location.host, error);
    return host &&
           disk_init(disk, task->installation->datastores, host, location.path, vm_id, error) &&
           tm_check_mounted(task, host, disk->directory, error) && tm_lock_disk(task, disk, error);
}

Volume *
tm_image(Task *task, const Disk *disk, const char *source, const char *ds_text, const char *format,
         GError **error)
{
    gint64 ds_id;

    if (!argument_number(ds_text, "the datastore's id", &ds_id, error))
        return NULL;
    Datastore *datastore = task_datastore(task, ds_id);
    bool reaches = !place_is_local(task) && !(is_attached(task) && host_is_frontend(disk->host));
    if (reaches) /* the disk's host has to do with it anyway */
        datastore->host = disk->host;
    else if (!datastore_use_bridge(datastore, (guint64)disk->vm_id, error))
        return NULL;
    g_autofree char *name =
        task->driver->naming->image_of_source(datastore, source_of_argument(source), error);
    if (!name)
        return NULL;
    g_autofree char *owner = g_strdup_printf("image '%s'", source_of_argument(source));
    return volume_new(datastore, VOLUME_IMAGE, datastore->host, name, owner, format);
}

AttachMode
tm_attach_mode(const OneDisk *facts)
{
    if (facts->shareable)
        return ATTACH_SHARED;
    return facts->readonly && !facts->save ? ATTACH_READ_ONLY : ATTACH_WRITE;
}

bool
tm_snapshots_with_image(const Task *task, const OneVm *vm, const OneDisk *facts)
{
    return task->driver->placement == PLACEMENT_EVERYWHERE && facts && !facts->clone &&
           facts->source && !g_strcmp0(vm->system_tm_mad, "ssh") && !place_copies(task, facts);
}

static Volume *
own_volume(Task *task, const Disk *disk, const OneVm *vm, const OneDisk *facts, const char *ds_text,
           gint64 ds_id, GError **error)
{
    const char *format = facts ? facts->format : NULL;
    g_autoptr(Volume) own = disk_volume(disk, task_datastore(task, ds_id), format);

    if (tm_snapshots_with_image(task, vm, facts)) {
        g_autoptr(Volume) image = tm_image(task, disk, facts->source, ds_text, format, error);
        if (!image)
            return NULL;
        own->snapshots = g_strdup(image->name);
    }
    return g_steal_pointer(&own);
}

static Volume *
backing_file(Task *task, Disk *disk, const OneVm *vm, const OneDisk *facts, const char *ds_text,
             GError **error)
{
    g_autofree char *target = NULL;
    DiskForm form;
    gint64 ds_id;

    if (!argument_number(ds_text, "the datastore's id", &ds_id, error) ||
        !place_find(disk, &form, &target, error))
        return NULL;
    return form == DISK_LINK
               ? tm_image(task, disk, target, ds_text, facts ? facts->format : NULL, error)
               : own_volume(task, disk, vm, facts, ds_text, ds_id, error);
}

static bool
is_on_no_host(const OneVm *vm)
{
    return vm->lcm_state == LCM_DISK_RESIZE_UNDEPLOYED ||
           vm->lcm_state == LCM_HOTPLUG_SAVEAS_UNDEPLOYED ||
           vm->lcm_state == LCM_HOTPLUG_SAVEAS_STOPPED || vm->state == VM_STOPPED ||
           vm->state == VM_UNDEPLOYED;
}

/* The data of a VM that is on no host is in the storage; oned names the host that was its last,
 * which may be gone by now. */
static Volume *
backing_device(Task *task, Disk *disk, const OneVm *vm, const OneDisk *facts, GError **error)
{
    if (!facts) {
        set_error(error, ONEVOL_ERROR_NOT_FOUND,
                  "VM %" G_GINT64_FORMAT " has no disk %" G_GINT64_FORMAT, disk->vm_id, disk->id);
        return NULL;
    }
    if (is_on_no_host(vm))
        disk->host = host_frontend();
    return attached_volume(task, disk, vm, facts, error);
}

Volume *
tm_backing(Task *task, Disk *disk, const char *ds_text, GError **error)
{
    const OneVm *vm = task_vm(task, disk->vm_id, error);
    if (!vm)
        return NULL;
    const OneDisk *facts = one_vm_disk(vm, disk->id);
    if (facts && facts->shareable) {
        set_error(error, ONEVOL_ERROR_REFUSED,
                  "disk %" G_GINT64_FORMAT " is a shareable image, which other VMs write to",
                  disk->id);
        return NULL;
    }
    g_autoptr(Volume) volume = is_attached(task)
                                   ? backing_device(task, disk, vm, facts, error)
                                   : backing_file(task, disk, vm, facts, ds_text, error);
    g_autofree char *text = task_text(task);
    if (!volume || !volume_lock(volume, text, error))
        return NULL;
    return g_steal_pointer(&volume);
}

/* oned's name for the VM's hypervisor driver; NULL if its document has none. */
static char *
vm_mad(const OneVm *vm)
{
    xmlNode *record = xml_find(vm->node, "HISTORY_RECORDS/HISTORY"), *last = record;

    for (; record; record = xml_next(record))
        last = record;
    return last ? xml_text(last, "VM_MAD") : NULL;
}

/* Names of the VM_MADs of oned.conf 5.4 to 7.4; a site may have others, for either kind. */
static const char *const libvirt_mads[] = {"kvm", "qemu", NULL};
static const char *const other_mads[] = {"lxc", "lxd", "firecracker", "vcenter", "ec2",
                                         "az",  "one", "xen3",        "xen4",    NULL};

/* Only libvirt's guests can be stopped for an instant. Where the name does not tell, the guest's
 * host is asked: a domain that it does not know may well run under something else. */
static bool
check_hypervisor(const OneVm *vm, const Freeze *freeze, GError **error)
{
    g_autofree char *mad = vm_mad(vm);
    GError *local = NULL;

    if (mad && g_strv_contains(libvirt_mads, mad))
        return true;
    if (mad && g_strv_contains(other_mads, mad))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "VM %" G_GINT64_FORMAT " runs under '%s', which is not libvirt's: its "
                         "disks can be copied when it is powered off",
                         vm->id, mad);
    g_autoptr(Argv) argv = argv_new("virsh", "-q", "-c", freeze->uri, "domstate", freeze->domain);
    if (host_run(freeze->host, STEP_READ, freeze->domain, argv, SECONDS(10), NULL, &local))
        return true;
    if (!strstr(local->message, "failed to get domain")) {
        g_propagate_prefixed_error(error, local,
                                   "cannot ask libvirt at '%s' for VM %" G_GINT64_FORMAT ": ",
                                   freeze->uri, vm->id);
        return false;
    }
    set_error(error, ONEVOL_ERROR_REFUSED,
              "libvirt at '%s' does not know VM %" G_GINT64_FORMAT " of hypervisor '%s', whose "
              "disks can be copied when it is powered off: %s",
              freeze->uri, vm->id, mad ? mad : "", local->message);
    g_error_free(local);
    return false;
}

bool
tm_freeze(Task *task, const OneVm *vm, const Disk *disk, Volume *volume, Freeze *freeze,
          GError **error)
{
    const OneDatastore *facts = datastore_facts(volume->datastore, error);
    if (!facts)
        return false;
    g_autofree char *live_copy = one_datastore_attribute(facts, "LIVE_COPY");

    if (!vm->deploy_id || !name_is_safe(vm->deploy_id))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "VM %" G_GINT64_FORMAT " has no name at its hypervisor", vm->id);
    freeze->host = disk->host;
    freeze->uri = installation_libvirt_uri(task->installation);
    freeze->domain = g_strdup(vm->deploy_id);
    freeze->may_suspend = live_copy && !g_ascii_strcasecmp(live_copy, "SUSPEND");
    if (!check_hypervisor(vm, freeze, error))
        return false;
    volume->freeze = freeze;
    return true;
}
