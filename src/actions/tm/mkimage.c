// SPDX-License-Identifier: Apache-2.0
/*
 * mkimage, mkswap: volatile disks, empty, with a file system or as swap.
 */
#include "actions/tm/place.h"
#include "base/error.h"
#include "core/filesystem.h"

#include <string.h>

static bool
complete(Volume *volume, bool sparse, GError **error)
{
    if (sparse || volume_reserve(volume, error))
        return volume_commit(volume, error);
    volume_abandon(volume);
    return false;
}

static bool
make_disk(Task *task, const char *size_text, const char *format, char **rest, GError **error)
{
    g_autoptr(GHashTable) settings =
        settings_of_remotes(task->installation, "datastore/datastore.conf");
    g_autoptr(FilesystemRules) rules = filesystem_rules_new(settings);
    g_auto(Disk) disk = {0};
    gint64 size_mb, ds_id;

    if (!argument_number(size_text, "the size", &size_mb, error) ||
        !argument_number(rest[2], "the datastore's id", &ds_id, error) ||
        !tm_disk(task, rest[0], rest[1], &disk, error))
        return false;
    if (size_mb > G_MAXINT64 / (gint64)MIB)
        return set_error(error, ONEVOL_ERROR_USAGE, "the size '%s' is absurd", size_text);
    const OneVm *vm = task_vm(task, disk.vm_id, error);
    if (!vm)
        return false;

    /* the file system that the user wishes (>= 6.0) is in the VM, not in the arguments */
    const OneDisk *facts = one_vm_disk(vm, disk.id);
    const char *fs = facts && strcmp(format, "swap") != 0 ? facts->fs : NULL;
    Datastore *datastore = task_datastore(task, ds_id);
    g_autoptr(Volume) volume = disk_volume(&disk, datastore, NULL);
    return place_clear(task, vm, &disk, datastore, error) &&
           filesystem_create(rules, volume, (guint64)size_mb * MIB, format, fs, error) &&
           complete(volume, !facts || facts->sparse, error) &&
           disk_publish(&disk, volume, ATTACH_WRITE, error) &&
           place_mark_monitor(task, vm, &disk, error);
}

bool
tm_mkimage(Task *task, char **arguments, GError **error)
{
    return make_disk(task, arguments[0], arguments[1], arguments + 2, error);
}

bool
tm_mkswap(Task *task, char **arguments, GError **error)
{
    return make_disk(task, arguments[0], "swap", arguments + 1, error);
}
