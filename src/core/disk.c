// SPDX-License-Identifier: Apache-2.0
#include "core/disk.h"

#include "base/error.h"
#include "base/log.h"
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

gint64
datastore_of_directory(const char *directory)
{
    g_autofree char *above = g_path_get_dirname(directory);
    g_autofree char *name = g_path_get_basename(above);

    return g_ascii_strtoll(name, NULL, 10);
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
    disk->datastore_id = datastore_of_directory(disk->directory);
    return true;
}

void
disk_set_source(Disk *disk, const char *source)
{
    g_free(disk->source);
    disk->source = g_strdup(source);
}

void
disk_clear(Disk *disk)
{
    g_clear_pointer(&disk->source, g_free);
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
    g_autofree char *name =
        datastore->driver->naming->disk(disk->path, disk->vm_id, disk->id, disk->source);
    g_autofree char *owner = disk_owner(disk);
    Volume *volume = volume_new(datastore, VOLUME_DISK, disk->host, name, owner, format);

    volume->user = (VolumeUser){disk->vm_id, disk->id, disk->datastore_id};
    return volume;
}

Volume *
checkpoint_volume(Datastore *datastore, Host *host, gint64 vm_id)
{
    const Naming *naming = datastore->driver->naming;
    g_autofree char *name = naming->checkpoint ? naming->checkpoint(vm_id) : NULL;
    g_autofree char *owner = g_strdup_printf("checkpoint of VM %" G_GINT64_FORMAT, vm_id);

    return name ? volume_new(datastore, VOLUME_CHECKPOINT, host, name, owner, "raw") : NULL;
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
disk_attach(const Disk *disk, Volume *volume, AttachMode mode, char **device, GError **error)
{
    if (volume->datastore->driver->backend->attach(volume, disk->host, mode, device, error))
        return true;
    g_prefix_error(error, "cannot attach %s: ", volume->owner);
    return false;
}

bool
disk_publish(const Disk *disk, Volume *volume, AttachMode mode, GError **error)
{
    g_autofree char *device = NULL;

    if (!disk_attach(disk, volume, mode, &device, error))
        return false;
    if (!strcmp(device, disk->path))
        return true;
    return host_make_directory(disk->host, disk->directory, error) &&
           host_link(disk->host, device, disk->path, error);
}

static bool
is_shown_elsewhere(const Disk *disk, const char *device, bool *shown, GError **error)
{
    g_autofree char *above = g_path_get_dirname(disk->directory);
    g_autofree char *datastores = g_path_get_dirname(above);
    g_autofree char *other = host_find_link(disk->host, datastores, device, disk->path, error);

    *shown = other && *other;
    if (*shown)
        log_info("'%s' stays attached: '%s' leads to it too", device, other);
    return other != NULL;
}

bool
disk_release(const Disk *disk, Volume *volume, AttachMode mode, GError **error)
{
    g_autofree char *device = NULL;
    bool shown = false;
    DiskForm form;

    /* only images that several VMs may use are looked for */
    if (mode == ATTACH_READ_ONLY || mode == ATTACH_SHARED) {
        if (!disk_form(disk, &form, &device, error) ||
            (device && !is_shown_elsewhere(disk, device, &shown, error)))
            return false;
        if (shown)
            return true;
    }
    if (volume->datastore->driver->backend->detach(volume, disk->host, mode, error))
        return true;
    g_prefix_error(error, "cannot detach %s: ", volume->owner);
    return false;
}
