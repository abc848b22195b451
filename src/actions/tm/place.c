// SPDX-License-Identifier: Apache-2.0
#include "actions/tm/place.h"

#include "actions/tm/attached.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>

bool
place_is_local(const Task *task)
{
    return task->driver->placement == PLACEMENT_HOST_LOCAL;
}

bool
place_has_own_directory(const Task *task)
{
    return place_is_local(task) || is_attached(task);
}

bool
place_is_ours(const Task *task, const OneVm *vm, const OneDisk *facts)
{
    return facts->source ? !g_strcmp0(facts->tm_mad, task->request->directory)
                         : !place_is_foreign(task, vm);
}

bool
place_source_is_dead(const OneVm *vm)
{
    return vm->lcm_state == LCM_PROLOG_MIGRATE_UNKNOWN ||
           vm->lcm_state == LCM_PROLOG_MIGRATE_UNKNOWN_FAILURE;
}

bool
place_can_move(const Task *task, GError **error)
{
    if (task->driver->placement != PLACEMENT_PACKED)
        return true;
    return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "driver '%s' cannot move disks yet",
                     task->driver->name);
}

bool
place_is_foreign(const Task *task, const OneVm *vm)
{
    return vm->system_tm_mad && strcmp(vm->system_tm_mad, task->request->directory) != 0;
}

bool
place_copies(const Task *task, const OneDisk *facts)
{
    return place_is_local(task) || !g_strcmp0(facts->ln_target, "SYSTEM");
}

bool
place_is_link(const Task *task, const OneDisk *facts)
{
    return !g_strcmp0(facts->tm_mad, task->request->directory) && !facts->clone && facts->source &&
           facts->datastore_id >= 0 && !place_copies(task, facts);
}

/* The volume that a link of `disk` leads to. */
static Volume *
linked_volume(Task *task, Disk *disk, const OneVm *vm, const OneDisk *facts, GError **error)
{
    g_autofree char *datastore = g_strdup_printf("%" G_GINT64_FORMAT, facts->datastore_id);

    return is_attached(task) ? attached_volume(task, disk, vm, facts, error)
                             : tm_image(task, disk, facts->source, datastore, facts->format, error);
}

bool
place_restore_link(Task *task, Disk *disk, const OneVm *vm, const OneDisk *facts, GError **error)
{
    g_autoptr(Volume) volume = linked_volume(task, disk, vm, facts, error);

    if (!volume || !tm_lock_disk(task, disk, error) || !volume_require(volume, error))
        return false;
    log_info("'%s' is not on host '%s': linked again", disk->path, host_name(disk->host));
    return disk_publish(disk, volume, tm_attach_mode(facts), error);
}

static bool
restore_if_missing(Task *task, const OneVm *vm, Host *host, const char *path, Host *old,
                   const OneDisk *facts, GError **error)
{
    g_autofree char *target = NULL;
    g_autofree char *old_target = NULL;
    g_auto(Disk) disk = {0};
    DiskForm form, old_form = DISK_ABSENT;

    if (!disk_init(&disk, task->installation->datastores, host, path, vm->id, error) ||
        !disk_form(&disk, &form, &target, error))
        return false;
    if (form != DISK_ABSENT)
        return true;
    if (old && old != host) {
        disk.host = old;
        if (!disk_form(&disk, &old_form, &old_target, error))
            return false;
        disk.host = host;
    }
    return old_form == DISK_IN_PLACE || place_restore_link(task, &disk, vm, facts, error);
}

bool
place_restore_links(Task *task, const OneVm *vm, Host *host, const char *directory, Host *old,
                    GError **error)
{
    for (guint i = 0; i < vm->disks->len; i++) {
        const OneDisk *facts = g_ptr_array_index(vm->disks, i);
        g_autofree char *path = g_strdup_printf("%s/disk.%" G_GINT64_FORMAT, directory, facts->id);
        if ((is_attached(task) ? place_is_ours(task, vm, facts) : place_is_link(task, facts)) &&
            !restore_if_missing(task, vm, host, path, old, facts, error)) {
            g_prefix_error(error, "disk %" G_GINT64_FORMAT ": ", facts->id);
            return false;
        }
    }
    return true;
}

bool
place_find(Disk *disk, DiskForm *form, char **target, GError **error)
{
    Disk here = *disk;

    if (!disk_form(disk, form, target, error))
        return false;
    if (*form != DISK_ABSENT || host_is_frontend(disk->host))
        return true;
    here.host = host_frontend();
    if (!disk_form(&here, form, target, error))
        return false;
    if (*form != DISK_ABSENT) {
        log_info("'%s' is on the front-end, not on host '%s'", disk->path, host_name(disk->host));
        disk->host = here.host;
    }
    return true;
}

bool
place_clear(const Task *task, const OneVm *vm, const Disk *disk, Datastore *datastore,
            GError **error)
{
    bool two_places = place_is_local(task) || (vm && place_is_foreign(task, vm));
    Disk old = *disk;

    if (is_attached(task)) /* a new volume replaces a leftover, a new link an old one */
        return true;
    old.host = host_frontend();
    if (two_places && !host_is_frontend(disk->host) && !disk_clear_stale(&old, datastore, error))
        return false;
    return disk_clear_stale(disk, datastore, error);
}

/* A build that is never finished: its host drops it when the session ends, so none stays when this
 * process is killed. On the front-end nobody would, hence on the other, which has the VM's
 * directory then. */
bool
place_is_shared(Task *task, Host *a, Host *b, const char *path, bool *shared, GError **error)
{
    Host *maker = host_is_frontend(a) ? b : a;
    Host *looker = maker == a ? b : a;
    g_autofree char *datastore = g_path_get_dirname(path);
    g_autofree char *id = g_uuid_string_random();
    g_autofree char *probe = g_strdup_printf("%s/.onevol-%s", datastore, id);
    g_autofree char *text = task_text(task);
    g_autoptr(Mark) mark = mark_new(text, probe);
    g_autofree char *content = NULL;
    g_auto(FileInfo) info = {0};

    *shared = a == b;
    if (*shared)
        return true;
    if (!host_make_directory(a, datastore, error) ||
        !host_build_begin(maker, probe, mark->text, &content, error))
        return false;
    g_autofree char *part = g_path_get_dirname(content);
    bool asked = host_stat(looker, part, false, &info, error);
    *shared = asked && info.mode != 0;
    return host_build_abandon(maker, probe, mark->token, asked ? error : NULL) && asked;
}

bool
place_mark_monitor(Task *task, const OneVm *vm, const Disk *disk, GError **error)
{
    return place_is_foreign(task, vm) || place_mark(task, disk->host, disk->directory, error);
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
