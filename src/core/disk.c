// SPDX-License-Identifier: Apache-2.0
#include "core/disk.h"

#include "base/error.h"
#include "base/path.h"
#include "core/driver.h"
#include "one/request.h"

#include <string.h>

bool
vm_directory_check(const char *datastores, const char *path, gint64 vm_id, GError **error)
{
    gsize root = strlen(datastores);
    guint64 datastore, vm;

    if (path_is_below(path, datastores)) {
        g_auto(GStrv) parts = g_strsplit(path + root + (path[root] == '/'), "/", -1);
        if (g_strv_length(parts) == 2 && parse_number(parts[0], G_MAXINT32, &datastore) &&
            parse_number(parts[1], G_MAXINT32, &vm) && (gint64)vm == vm_id)
            return true;
    }
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "'%s' is not the directory of VM %" G_GINT64_FORMAT " below '%s'", path, vm_id,
                     datastores);
}

bool
disk_init(Disk *disk, const char *datastores, Host *host, const char *path, gint64 vm_id,
          GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    gint64 id = disk_id_of_path(path);

    *disk = (Disk){0};
    if (!vm_directory_check(datastores, directory, vm_id, error))
        return false;
    if (id < 0 && strcmp(name, "kernel") != 0 && strcmp(name, "initrd") != 0)
        return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is not a disk of a VM", path);
    disk->host = host;
    disk->directory = g_steal_pointer(&directory);
    disk->path = g_strdup(path);
    disk->vm_id = vm_id;
    disk->id = id;
    return true;
}

void
disk_clear(Disk *disk)
{
    g_clear_pointer(&disk->directory, g_free);
    g_clear_pointer(&disk->path, g_free);
}

char *
disk_owner(const Disk *disk)
{
    if (disk->id >= 0)
        return g_strdup_printf("disk %" G_GINT64_FORMAT " of VM %" G_GINT64_FORMAT, disk->id,
                               disk->vm_id);
    return g_strdup_printf("%s of VM %" G_GINT64_FORMAT, strrchr(disk->path, '/') + 1, disk->vm_id);
}

Volume *
disk_volume(const Disk *disk, Datastore *datastore, const char *format)
{
    g_autofree char *name = datastore->driver->naming->disk(disk->path, disk->vm_id, disk->id);
    g_autofree char *owner = disk_owner(disk);

    return volume_new(datastore, VOLUME_DISK, disk->host, name, owner, format);
}

bool
disk_form(const Disk *disk, DiskForm *form, char **target, GError **error)
{
    g_auto(FileInfo) info = {0};

    *target = NULL;
    if (!host_stat(disk->host, disk->path, false, &info, error))
        return false;
    if (S_ISLNK(info.mode)) {
        *form = DISK_LINK;
        *target = g_steal_pointer(&info.target);
    } else {
        *form = info.mode ? DISK_IN_PLACE : DISK_ABSENT;
    }
    return true;
}

bool
disk_clear_stale(const Disk *disk, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) own = disk_volume(disk, datastore, NULL);
    g_autofree char *target = NULL;
    DiskForm form;

    if (!disk_form(disk, &form, &target, error))
        return false;
    if (form == DISK_LINK && !host_remove(disk->host, disk->path, error))
        return false;
    return volume_remove(own, error);
}

bool
disk_publish(const Disk *disk, Volume *volume, AttachMode mode, GError **error)
{
    g_autofree char *device = NULL;
    const Backend *backend = volume->datastore->driver->backend;

    if (!backend->attach(volume, disk->host, mode, &device, error)) {
        g_prefix_error(error, "cannot attach %s: ", volume->owner);
        return false;
    }
    if (!strcmp(device, disk->path))
        return true;
    return host_make_directory(disk->host, disk->directory, error) &&
           host_link(disk->host, device, disk->path, error);
}
