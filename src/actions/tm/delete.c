// SPDX-License-Identifier: Apache-2.0
/*
 * delete: a disk with its snapshots, or a VM's directory.
 *
 * oned sends it for persistent disks too (recover --delete), when the image may already belong to
 * another VM: only what is the VM's own is destroyed, an image is just detached.
 */
#include "actions/tm/place.h"

static bool
remove_directory(Host *host, const char *path, GError **error)
{
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    return host_remove_tree(host, part, error) && host_remove_tree(host, path, error);
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
        !tm_lock(task, host, location->path, error))
        return false;
    return (!place_is_local(task) || host_is_frontend(host) ||
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

    return tm_disk(task, arguments[0], arguments[1], &disk, error) &&
           place_clear(task, NULL, &disk, task_datastore(task, ds_id), error);
}
