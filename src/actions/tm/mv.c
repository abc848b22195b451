// SPDX-License-Identifier: Apache-2.0
/*
 * mv: a disk or a VM's directory goes to another host or system datastore.
 *
 * A migration that fails is undone by oned with no action at all, so the source stays whole until
 * the destination is complete; and a script is run again from its first line, so each step finds
 * out what is already there.
 */
#include "actions/tm/attached.h"
#include "actions/tm/place.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"

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

/* LIMIT_TRANSFER_BW of the system datastore that `to`, VMDIR or a disk in it, belongs to. */
static bool
options_for(Task *task, const char *to, MoveOptions *options, GError **error)
{
    g_autofree char *name = g_path_get_basename(to);
    g_autofree char *above = g_path_get_dirname(to);
    g_autofree char *directory =
        g_str_has_prefix(name, "disk.") ? g_path_get_dirname(above) : g_strdup(above);
    g_autofree char *number = g_path_get_basename(directory);
    guint64 id;

    *options = (MoveOptions){0};
    return !parse_number(number, G_MAXINT32, &id) ||
           datastore_move_options(task_datastore(task, (gint64)id), options, error);
}

/* Between file systems or hosts: copied beside, put in place, then the source goes. */
static bool
copy_directory(Task *task, Host *from_host, const char *from, Host *to_host, const char *to,
               GError **error)
{
    g_autofree char *text = task_text(task);
    g_autoptr(Mark) mark = mark_new(text, from);
    g_autofree char *content = NULL;
    MoveOptions options;

    if (!options_for(task, to, &options, error))
        return false;
    log_info("copying '%s' from %s to %s", from, host_name(from_host), host_name(to_host));
    if (!host_build_begin(to_host, to, mark->text, &content, error))
        return false;
    if (host_transfer_tree(from_host, from, to_host, content, &options, error) &&
        host_remove_tree(to_host, to, error) && host_build_commit(to_host, to, mark->token, error))
        return remove_whole(from_host, from, error);
    host_build_abandon(to_host, to, mark->token, NULL);
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

/* Both places on one machine, or seen by it. */
static bool
move_within(Task *task, Host *host, const char *from, const char *to, GError **error)
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

    if (!host_make_directory(host, above, error) || !host_stat(host, above, true, &parent, error))
        return false;
    if (parent.device != source.device)
        return copy_directory(task, host, from, host, to, error);
    return host_remove_tree(host, to, error) && host_rename(host, from, to, error);
}

/* From one host's own storage to another's. */
static bool
move_between(Task *task, Host *from_host, const char *from, Host *to_host, const char *to,
             GError **error)
{
    g_auto(FileInfo) source = {0};
    g_auto(FileInfo) destination = {0};
    bool shared = false;

    if (!host_stat(from_host, from, true, &source, error) ||
        !host_stat(to_host, to, true, &destination, error))
        return false;
    if (!source.mode)
        return already_moved(from_host, from, to, destination.mode != 0, error);
    /* "own" storage may be a shared directory after all: removing either side would be fatal */
    if (!place_is_shared(task, to_host, from_host, to, &shared, error))
        return false;
    if (shared)
        return move_within(task, to_host, from, to, error);
    return copy_directory(task, from_host, from, to_host, to, error);
}

static bool
refuse_dead_source(Task *task, const Host *from, gint64 vm_id, GError **error)
{
    const OneVm *vm = task_vm(task, vm_id, error);

    if (!vm)
        return false;
    if (!place_source_is_dead(vm))
        return true;
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "host '%s' is down and has the only copy of the disks of VM %" G_GINT64_FORMAT,
                     host_name(from), vm_id);
}

static bool
move_directory(Task *task, const Location *from, const Location *to, gint64 vm_id, GError **error)
{
    Host *source = host_named(from->host, error);
    Host *destination = source ? host_named(to->host, error) : NULL;

    if (!destination)
        return false;
    if (!place_is_local(task))
        source = destination; /* every host sees the same directory, and the other may be dead */
    if (source == destination && !strcmp(from->path, to->path))
        return true;
    if (source != destination && !refuse_dead_source(task, source, vm_id, error))
        return false;
    if (!tm_check_mounted(task, destination, from->path, error) ||
        !tm_check_mounted(task, destination, to->path, error))
        return false;
    if (!tm_lock(task, source, from->path, error) || !tm_lock(task, destination, to->path, error))
        return false;
    bool done = source == destination
                    ? move_within(task, destination, from->path, to->path, error)
                    : move_between(task, source, from->path, destination, to->path, error);
    /* it may be the first VM there */
    return done && (!place_is_local(task) || place_mark(task, destination, to->path, error));
}

/* What the storage does not hold: small files that are remade or not needed. So a directory that is
 * nowhere (linstor_un keeps none of a stopped VM) or on a dead host is no loss. */
static bool
move_what_is_there(Task *task, Host *source, const char *from, Host *destination, const char *to,
                   GError **error)
{
    g_auto(FileInfo) before = {0};
    g_auto(FileInfo) after = {0};

    if (!host_stat(source, from, true, &before, error) ||
        !host_stat(destination, to, true, &after, error))
        return false;
    if (!before.mode && !after.mode)
        return host_make_directory(destination, to, error);
    return source == destination ? move_within(task, destination, from, to, error)
                                 : move_between(task, source, from, destination, to, error);
}

/* A directory of small files and links. The disks were attached before, but what the links come
 * from may not have had them. */
static bool
move_links(Task *task, const Location *from, const Location *to, gint64 vm_id, GError **error)
{
    Host *source = host_named(from->host, error);
    Host *destination = source ? host_named(to->host, error) : NULL;
    const OneVm *vm = destination ? task_vm(task, vm_id, error) : NULL;

    if (!vm)
        return false;
    if (place_source_is_dead(vm)) /* maybe the destination sees its directory */
        source = destination;
    else if (source == destination && !strcmp(from->path, to->path))
        return true;
    return tm_lock(task, source, from->path, error) &&
           tm_lock(task, destination, to->path, error) &&
           move_what_is_there(task, source, from->path, destination, to->path, error) &&
           (host_is_frontend(destination) ||
            place_restore_links(task, vm, destination, to->path, NULL, error));
}

/*
 * The source host is dead: drivers with storage of the hosts' own move nothing then, and nobody
 * makes the disk's link but this line (src/tm_mad/ssh/mv, "FT mode"). The directory, where all
 * hosts see it, is still at its old place.
 */
static bool
revive_disk(Task *task, const OneVm *vm, const OneDisk *facts, const Location *from,
            const Location *to, Host *destination, GError **error)
{
    g_autofree char *target = NULL;
    g_auto(FileInfo) before = {0};
    g_auto(Disk) disk = {0};
    DiskForm form;

    if (!disk_init(&disk, task->installation->datastores, destination, to->path, vm->id, error) ||
        !disk_form(&disk, &form, &target, error) ||
        !host_stat(destination, from->path, false, &before, error))
        return false;
    if (form != DISK_ABSENT || before.mode)
        return true;
    if (place_is_link(task, facts))
        return place_restore_link(task, &disk, vm, facts, error);
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "host '%s' is down and has the only copy of disk %" G_GINT64_FORMAT
                     " of VM %" G_GINT64_FORMAT,
                     from->host, facts->id, vm->id);
}

/* Files go with the directory, the last line, links too: so the source's stays as it is. */
static bool
move_disk(Task *task, const Location *from, const Location *to, gint64 vm_id, GError **error)
{
    Host *source = host_named(from->host, error);
    Host *destination = source ? host_named(to->host, error) : NULL;
    if (!destination)
        return false;
    if (source == destination || host_is_frontend(source) || host_is_frontend(destination))
        return true; /* no host has failed, see the state below */
    const OneVm *vm = task_vm(task, vm_id, error);
    const OneDisk *facts = vm ? one_vm_disk(vm, disk_id_of_path(from->path)) : NULL;
    if (!vm || !facts || !place_source_is_dead(vm))
        return vm != NULL;
    return revive_disk(task, vm, facts, from, to, destination, error);
}

bool
tm_mv(Task *task, char **arguments, GError **error)
{
    const char *datastores = task->installation->datastores;
    g_auto(Location) from = {0};
    g_auto(Location) to = {0};
    gint64 vm_id, ds_id;

    if (!location_parse(arguments[0], &from, error) || !location_parse(arguments[1], &to, error) ||
        !argument_number(arguments[2], "the VM's id", &vm_id, error) ||
        !argument_number(arguments[3], "the datastore's id", &ds_id, error))
        return false;
    if (!place_can_move(task, error))
        return false;
    if (disk_id_of_path(from.path) >= 0)
        return is_attached(task) ? attached_move(task, &from, &to, vm_id, error)
                                 : move_disk(task, &from, &to, vm_id, error);
    return vm_directory_check(datastores, from.path, vm_id, error) &&
           vm_directory_check(datastores, to.path, vm_id, error) &&
           (is_attached(task) ? move_links : move_directory)(task, &from, &to, vm_id, error);
}
