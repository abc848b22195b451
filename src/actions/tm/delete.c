// SPDX-License-Identifier: Apache-2.0
/*
 * delete: a disk with its snapshots, or a VM's directory.
 *
 * oned sends it for persistent disks too (recover --delete), when the image may already belong to
 * another VM: only what is the VM's own is destroyed, an image is just detached.
 */
#include "actions/tm/attached.h"
#include "actions/tm/place.h"
#include "base/log.h"

static bool
remove_directory(Host *host, const char *path, GError **error)
{
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    return host_remove_tree(host, part, error) && host_remove_tree(host, path, error);
}

/* The memory of a VM that was suspended. */
static bool
remove_checkpoint(Task *task, Host *host, const char *path, gint64 vm_id, GError **error)
{
    Datastore *datastore = task_datastore(task, datastore_of_directory(path));
    g_autoptr(Volume) checkpoint = checkpoint_volume(datastore, host, vm_id);
    g_autofree char *text = task_text(task);

    return !checkpoint ||
           (volume_lock(checkpoint, text, error) && volume_remove(checkpoint, error));
}

/* What the predecessor kept the context in goes with the VM. */
static bool
remove_old_context(Task *task, const char *path, gint64 vm_id, GError **error)
{
    const Driver *driver = task->driver;
    g_autoptr(GError) unknown = NULL;

    if (!driver->naming->old_contexts || !driver->backend->remove_any)
        return true;
    const OneVm *vm = task_vm(task, vm_id, &unknown);
    gint64 disk_id = vm ? xml_number(vm->node, "TEMPLATE/CONTEXT/DISK_ID", -1) : -1;
    if (!vm)
        log_warn("an old context of VM %" G_GINT64_FORMAT " is not looked for: %s", vm_id,
                 unknown->message);
    if (disk_id < 0)
        return true;
    g_auto(GStrv) names = driver->naming->old_contexts(vm_id, disk_id);
    return driver->backend->remove_any(task_datastore(task, datastore_of_directory(path)),
                                       (const char *const *)names, error);
}

/* A VM that was stopped once may have left its directory on the front-end too. */
static bool
delete_directory(Task *task, const Location *location, const char *vm_text, GError **error)
{
    gint64 vm_id;
    Host *host = host_named(location->host, error);

    if (!host || !argument_number(vm_text, "the VM's id", &vm_id, error) ||
        !vm_directory_check(task->installation->datastores, location->path, vm_id, error) ||
        !tm_check_mounted(task, host, location->path, error) ||
        !remove_checkpoint(task, host, location->path, vm_id, error) ||
        !remove_old_context(task, location->path, vm_id, error) ||
        !tm_lock(task, host, location->path, error))
        return false;
    return (!place_has_own_directory(task) || host_is_frontend(host) ||
            remove_directory(host_frontend(), location->path, error)) &&
           remove_directory(host, location->path, error);
}

bool
tm_delete(Task *task, char **arguments, GError **error)
{
    g_auto(Location) location = {0};
    g_auto(Disk) disk = {0};
    gint64 ds_id;

    if (!location_parse(arguments[0], &location, error) ||
        !argument_number(arguments[2], "the datastore's id", &ds_id, error))
        return false;
    if (disk_id_of_path(location.path) < 0)
        return delete_directory(task, &location, arguments[1], error);

    if (!tm_disk(task, arguments[0], arguments[1], &disk, error))
        return false;
    return is_attached(task) ? attached_delete(task, &disk, error)
                             : place_clear(task, NULL, &disk, task_datastore(task, ds_id), error);
}
