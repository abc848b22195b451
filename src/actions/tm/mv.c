// SPDX-License-Identifier: Apache-2.0
/*
 * mv: a disk or a VM's directory goes to another host or system datastore.
 *
 * A migration that fails is undone by oned with no action at all, so the source stays whole until
 * the destination is complete; and a script is run again from its first line, so each step finds
 * out what is already there.
 */
#include "actions/tm/tm.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>

static bool
same_file(const FileInfo *a, const FileInfo *b)
{
    return a->mode && a->device == b->device && a->inode == b->inode;
}

/* By one rename first: what stands at `path` is whole or is not there, also when the removal is
 * cut short. */
static bool
remove_whole(Host *host, const char *path, GError **error)
{
    g_autofree char *part = g_strconcat(path, ".part", NULL);

    return host_remove_tree(host, part, error) && host_rename(host, path, part, error) &&
           host_remove_tree(host, part, error);
}

/* Between file systems: copied beside, put in place, then the source goes. */
static bool
copy_directory(Task *task, Host *host, const char *from, const char *to, GError **error)
{
    g_autofree char *text = task_text(task);
    g_autoptr(Mark) mark = mark_new(text, from);
    g_autofree char *content = NULL;

    log_info("moving '%s' to another file system", from);
    if (!host_build_begin(host, to, mark->text, &content, error))
        return false;
    if (host_copy_tree(host, from, content, error) &&
        host_build_commit(host, to, mark->token, error))
        return remove_whole(host, from, error);
    host_build_abandon(host, to, mark->token, NULL);
    return false;
}

/* A second run; what the first may have left of the source goes. */
static bool
already_moved(Host *host, const char *from, const char *to, bool is_there, GError **error)
{
    g_autofree char *part = g_strconcat(from, ".part", NULL);

    if (!is_there)
        return set_error(error, ONEVOL_ERROR_NOT_FOUND, "there is neither '%s' nor '%s'", from, to);
    return host_remove_tree(host, part, error);
}

static bool
move_directory(Task *task, Host *host, const char *from, const char *to, GError **error)
{
    g_auto(FileInfo) source = {0};
    g_auto(FileInfo) destination = {0};
    g_auto(FileInfo) parent = {0};
    g_autofree char *above = g_path_get_dirname(to);

    if (!host_stat(host, from, true, &source, error) ||
        !host_stat(host, to, true, &destination, error))
        return false;
    if (same_file(&source, &destination))
        return true;
    if (!source.mode)
        return already_moved(host, from, to, destination.mode != 0, error);

    if (!host_remove_tree(host, to, error) || !host_make_directory(host, above, error) ||
        !host_stat(host, above, true, &parent, error))
        return false;
    if (parent.device == source.device)
        return host_rename(host, from, to, error);
    return copy_directory(task, host, from, to, error);
}

/* On a shared file system disks lie in the directory and move with it. */
static bool
move_disk(Task *task, GError **error)
{
    if (task->driver->placement == PLACEMENT_EVERYWHERE)
        return true;
    return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "driver '%s' cannot move disks yet",
                     task->driver->name);
}

bool
tm_mv(Task *task, char **arguments, GError **error)
{
    g_auto(Location) from = {0};
    g_auto(Location) to = {0};
    gint64 vm_id, ds_id;

    if (!location_parse(arguments[0], &from, error) || !location_parse(arguments[1], &to, error) ||
        !argument_number(arguments[2], "the VM's id", &vm_id, error) ||
        !argument_number(arguments[3], "the datastore's id", &ds_id, error))
        return false;
    if (disk_id_of_path(from.path) >= 0)
        return move_disk(task, error);

    const char *datastores = task->installation->datastores;
    Host *host = host_named(to.host, error);
    if (!host || !host_named(from.host, error) ||
        !vm_directory_check(datastores, from.path, vm_id, error) ||
        !vm_directory_check(datastores, to.path, vm_id, error))
        return false;
    if (!strcmp(from.path, to.path))
        return true; /* every host sees the same directory */
    return tm_lock(task, host, from.path, error) && tm_lock(task, host, to.path, error) &&
           move_directory(task, host, from.path, to.path, error);
}
