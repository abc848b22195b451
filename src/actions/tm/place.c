// SPDX-License-Identifier: Apache-2.0
#include "actions/tm/place.h"

#include "base/error.h"
#include "base/log.h"

#include <string.h>

bool
place_is_local(const Task *task)
{
    return task->driver->placement == PLACEMENT_HOST_LOCAL;
}

bool
place_require_files(const Task *task, GError **error)
{
    if (task->driver->placement == PLACEMENT_EVERYWHERE || place_is_local(task))
        return true;
    return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "driver '%s' cannot move disks yet",
                     task->driver->name);
}

bool
place_find(const Task *task, Host **host, const char *path, GError **error)
{
    g_auto(FileInfo) there = {0};
    g_auto(FileInfo) here = {0};

    if (!place_is_local(task) || host_is_frontend(*host))
        return true;
    if (!host_stat(*host, path, false, &there, error))
        return false;
    if (there.mode)
        return true;
    if (!host_stat(host_frontend(), path, false, &here, error))
        return false;
    if (here.mode) {
        log_info("'%s' is on the front-end, not on host '%s'", path, host_name(*host));
        *host = host_frontend();
    }
    return true;
}

bool
place_clear(const Task *task, const Disk *disk, Datastore *datastore, GError **error)
{
    Disk old = *disk;

    old.host = host_frontend();
    if (place_is_local(task) && !host_is_frontend(disk->host) &&
        !disk_clear_stale(&old, datastore, error))
        return false;
    return disk_clear_stale(disk, datastore, error);
}

bool
place_is_shared(Host *a, Host *b, const char *path, bool *shared, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *id = g_uuid_string_random();
    g_autofree char *probe = g_strdup_printf("%s/.onevol-%s", directory, id);
    g_autoptr(GBytes) nothing = g_bytes_new(NULL, 0);
    g_auto(FileInfo) info = {0};

    *shared = a == b;
    if (*shared)
        return true;
    if (!host_make_directory(a, directory, error) || !host_write(a, probe, nothing, 0600, error))
        return false;
    bool asked = host_stat(b, probe, false, &info, error);
    *shared = asked && info.mode != 0;
    return host_remove(a, probe, asked ? error : NULL) && asked;
}

bool
place_mark_monitor(Task *task, const Disk *disk, GError **error)
{
    return place_mark(task, disk->host, disk->directory, error);
}

bool
place_mark(Task *task, Host *host, const char *directory, GError **error)
{
    g_autofree char *datastore = g_path_get_dirname(directory);
    g_autofree char *marker = g_build_filename(datastore, ".monitor", NULL);
    g_autofree char *line = g_strconcat(task->request->directory, "\n", NULL);
    g_auto(FileInfo) info = {0};

    if (!host_stat(host, marker, false, &info, error))
        return false;
    if (!place_is_local(task))
        return !info.mode || host_remove(host, marker, error);
    if (info.mode && info.size == strlen(line))
        return true;
    g_autoptr(GBytes) content = g_bytes_new(line, strlen(line));
    return host_write(host, marker, content, 0644, error);
}
