// SPDX-License-Identifier: Apache-2.0
#include "actions/tm/attached.h"

#include "actions/tm/place.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"

#include <string.h>

bool
is_attached(const Task *task)
{
    return task->driver->placement == PLACEMENT_ATTACHED;
}

bool
attached_is_media(const Task *task, const OneDisk *facts)
{
    const Naming *naming = task->driver->naming;

    return facts && facts->source && naming->is_media && naming->is_media(facts->source);
}

/* The disk shows its image; else a volume of the VM's own. Of install media there is never a copy,
 * whatever CLONE says (OpenNebula 3 had YES for CD-ROMs). */
static bool
shows_image(const Task *task, const OneDisk *facts)
{
    return facts->source && (!facts->clone || attached_is_media(task, facts));
}

static bool
is_cdrom(const OneDisk *facts)
{
    return (facts->type && g_str_has_suffix(facts->type, "CDROM")) ||
           (facts->readonly && !facts->save);
}

/* libvirt is told that it is a device, by DISK_TYPE since 6.8 and by TYPE under a system datastore
 * of another driver (src/vmm/LibVirtDriverKVM.cc, VirtualMachineDisk::set_types): QEMU would not
 * open a file then. */
static bool
is_called_device(const Task *task, const OneDisk *facts)
{
    g_autofree char *disk_type = xml_text(facts->node, "DISK_TYPE");

    return !g_strcmp0(facts->type, "BLOCK_CDROM") ||
           (task->installation->version >= ONE_VERSION(6, 8, 0) && !g_strcmp0(disk_type, "BLOCK"));
}

bool
attached_show_media(Task *task, const Disk *disk, const OneDisk *facts, Volume *media,
                    GError **error)
{
    if (!is_cdrom(facts))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' is a file that several VMs read: its image must be a CDROM",
                         media->name);
    if (is_called_device(task, facts))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' is a file, but oned calls disk %" G_GINT64_FORMAT
                         " a block device, as which no guest would start with it: the image needs "
                         "DISK_TYPE=FILE in its template",
                         media->name, facts->id);
    return disk_publish(disk, media, ATTACH_READ_ONLY, error);
}

/* Several VMs may have it. */
static bool
is_common(const OneDisk *facts)
{
    return tm_attach_mode(facts) != ATTACH_WRITE;
}

/* CLONE_TARGET that oned froze in the disk, else that of our own row. */
static bool
lies_with_image(const Task *task, const OneDisk *facts)
{
    const char *target = facts->clone_target;

    for (const ConfRow *row = task->driver->tm_conf; !target && row->name; row++)
        if (!strcmp(row->name, "CLONE_TARGET"))
            target = row->value;
    return !g_strcmp0(target, "SELF");
}

Volume *
attached_own(Task *task, Disk *disk, const OneVm *vm, const OneDisk *facts, Volume *image)
{
    gint64 id = disk->datastore_id;

    disk_set_source(disk, facts->source);
    if (facts->source && (lies_with_image(task, facts) || place_is_foreign(task, vm)))
        id = image ? image->datastore->id : facts->datastore_id;
    return disk_volume(
        disk, image && image->datastore->id == id ? image->datastore : task_datastore(task, id),
        facts->format);
}

Volume *
attached_volume(Task *task, Disk *disk, const OneVm *vm, const OneDisk *facts, GError **error)
{
    g_autofree char *datastore = g_strdup_printf("%" G_GINT64_FORMAT, facts->datastore_id);

    return shows_image(task, facts)
               ? tm_image(task, disk, facts->source, datastore, facts->format, error)
               : attached_own(task, disk, vm, facts, NULL);
}

static const OneDisk *
facts_of(const OneVm *vm, gint64 id, GError **error)
{
    const OneDisk *facts = one_vm_disk(vm, id);

    if (!facts)
        set_error(error, ONEVOL_ERROR_NOT_FOUND,
                  "VM %" G_GINT64_FORMAT " has no disk %" G_GINT64_FORMAT, vm->id, id);
    return facts;
}

/* A swap disk of the predecessor's, which goes where the VM's directory goes. */
static bool
is_old_swap(const Task *task, const Disk *disk, const OneDisk *facts, bool *is, GError **error)
{
    g_autofree char *target = NULL;
    DiskForm form;

    *is = false;
    if (!task->driver->naming->swap_was_file || g_strcmp0(facts->type, "swap") != 0)
        return true;
    if (!disk_form(disk, &form, &target, error))
        return false;
    *is = form == DISK_IN_PLACE;
    return true;
}

/* One disk on its way. */
typedef struct Move {
    Disk old, new;
    Volume *volume;
    AttachMode mode;
    bool foreign; /* the directory is another driver's */
    bool dead;    /* so is the source */
} Move;

static void
move_clear(Move *move)
{
    disk_clear(&move->old);
    disk_clear(&move->new);
    g_clear_pointer(&move->volume, volume_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Move, move_clear)

/*
 * Another driver's directory takes the links along, and must not be there before it comes: stock
 * `mv` would go into it. So the link has to be where the directory comes from; LINBIT's driver
 * keeps none of a VM that is on no host. Nobody moves the directory of a dead host.
 */
static bool
arrive(const Move *move, GError **error)
{
    const Disk *old = &move->old;
    g_autofree char *device = NULL;
    g_autofree char *target = NULL;
    g_auto(FileInfo) directory = {0};
    DiskForm form;

    if (!move->foreign || move->dead)
        return disk_publish(&move->new, move->volume, move->mode, error);
    if (!disk_attach(&move->new, move->volume, move->mode, &device, error))
        return false;
    if (!host_is_frontend(old->host))
        return true;
    return disk_form(old, &form, &target, error) &&
           host_stat(old->host, old->directory, true, &directory, error) &&
           (form != DISK_ABSENT || !directory.mode ||
            host_link(old->host, device, old->path, error));
}

/* Where one host only may have it, the old one gives it up first, and gets it back if the new one
 * fails: oned undoes a failed move with no action at all. */
static bool
hand_over(const Move *move, GError **error)
{
    g_autoptr(GError) lost = NULL;
    g_autofree char *device = NULL;
    unsigned caps;

    if (!datastore_caps(move->volume->datastore, &caps, error))
        return false;
    if (caps & CAP_ATTACH_MANY)
        return arrive(move, error) && disk_release(&move->old, move->volume, move->mode, error);
    if (!disk_release(&move->old, move->volume, move->mode, error))
        return false;
    if (arrive(move, error))
        return true;
    if (!disk_attach(&move->old, move->volume, move->mode, &device, &lost))
        log_warn("%s is on neither host now: %s", move->volume->owner, lost->message);
    return false;
}

static bool
move_disk(const Move *move, GError **error)
{
    const Host *from = move->old.host, *to = move->new.host;

    if (host_is_frontend(to)) /* it waits for nobody */
        return host_is_frontend(from) || disk_release(&move->old, move->volume, move->mode, error);
    if (host_is_frontend(from) || from == to)
        return arrive(move, error);
    if (move->dead && move->mode != ATTACH_WRITE) /* nobody can say who else has it there */
        return arrive(move, error);
    return hand_over(move, error);
}

bool
attached_move(Task *task, const Location *from, const Location *to, gint64 vm_id, GError **error)
{
    const char *datastores = task->installation->datastores;
    Host *source = host_named(from->host, error);
    Host *destination = source ? host_named(to->host, error) : NULL;
    g_auto(Move) move = {0};
    bool in_directory;

    if (!destination || !disk_init(&move.old, datastores, source, from->path, vm_id, error) ||
        !disk_init(&move.new, datastores, destination, to->path, vm_id, error) ||
        !tm_lock_disk(task, &move.new, error))
        return false;
    const OneVm *vm = task_vm(task, vm_id, error);
    const OneDisk *facts = vm ? facts_of(vm, move.new.id, error) : NULL;
    if (facts)
        move.volume = attached_volume(task, &move.new, vm, facts, error);
    if (!move.volume)
        return false;
    move.mode = tm_attach_mode(facts);
    move.foreign = place_is_foreign(task, vm);
    move.dead = place_source_is_dead(vm);
    if (!is_old_swap(task, move.dead ? &move.new : &move.old, facts, &in_directory, error) ||
        in_directory)
        return in_directory;

    VolumeUser user = {vm_id, move.new.id, move.new.datastore_id};
    return (move.old.datastore_id == move.new.datastore_id || is_common(facts) ||
            volume_assign(move.volume, &user, true, error)) &&
           move_disk(&move, error);
}

static bool
unlink_disk(const Disk *disk, GError **error)
{
    GError *local = NULL;

    if (host_remove(disk->host, disk->path, &local))
        return true;
    /* nothing of value is lost with a link on a host that is down */
    if (g_error_matches(local, ONEVOL_ERROR, ONEVOL_ERROR_UNREACHABLE)) {
        log_warn("'%s' stays: %s", disk->path, local->message);
        g_error_free(local);
        return true;
    }
    g_propagate_error(error, local);
    return false;
}

bool
attached_give_back(Task *task, Disk *disk, Volume *image, GError **error)
{
    const OneVm *vm = task_vm(task, disk->vm_id, error);
    if (!vm)
        return false;
    const OneDisk *facts = one_vm_disk(vm, disk->id);
    VolumeUser user = {disk->vm_id, disk->id, disk->datastore_id};
    AttachMode mode = facts ? tm_attach_mode(facts) : ATTACH_WRITE;

    return (host_is_frontend(disk->host) || disk_release(disk, image, mode, error)) &&
           unlink_disk(disk, error) &&
           ((facts && is_common(facts)) || volume_assign(image, &user, false, error));
}

/* oned does not know the disk (any more): the link says which volume it is, and a full parse of its
 * name whose. */
static bool
delete_unknown(Task *task, Disk *disk, GError **error)
{
    const Naming *naming = task->driver->naming;
    g_autofree char *device = NULL;
    DiskForm form;

    if (!disk_form(disk, &form, &device, error))
        return false;
    g_autofree char *name = device ? naming->of_device(device) : NULL;
    if (!name)
        return form == DISK_ABSENT ||
               set_error(error, ONEVOL_ERROR_REFUSED,
                         "oned has no disk %" G_GINT64_FORMAT " of VM %" G_GINT64_FORMAT
                         ", and '%s' does not tell what it is",
                         disk->id, disk->vm_id, device ? device : disk->path);
    g_autofree char *owner = disk_owner(disk);
    g_autoptr(Volume) volume = volume_new(task_datastore(task, disk->datastore_id), VOLUME_DISK,
                                          disk->host, name, owner, NULL);
    /* maybe another VM's too, so looked for as for a common one */
    return disk_release(disk, volume, ATTACH_SHARED, error) && unlink_disk(disk, error) &&
           (!naming->is_disk_of(name, disk->vm_id, disk->id) || volume_remove(volume, error));
}

bool
attached_delete(Task *task, Disk *disk, GError **error)
{
    const OneVm *vm = task_vm(task, disk->vm_id, error);
    const OneDisk *facts = vm ? one_vm_disk(vm, disk->id) : NULL;

    if (!vm)
        return false;
    if (!facts)
        return delete_unknown(task, disk, error);
    g_autoptr(Volume) volume = attached_volume(task, disk, vm, facts, error);
    if (!volume)
        return false;
    if (shows_image(task, facts))
        return attached_give_back(task, disk, volume, error);
    return (host_is_frontend(disk->host) || disk_release(disk, volume, ATTACH_WRITE, error)) &&
           volume_remove(volume, error) && unlink_disk(disk, error);
}

typedef bool (*EachDisk)(const Disk *disk, Volume *volume, AttachMode mode, GError **error);

/* Those of this driver; what several VMs may have needs nothing more for two hosts. */
static bool
each_disk(Task *task, const OneVm *vm, const char *directory, Host *host, EachDisk step,
          GError **error)
{
    const char *datastores = task->installation->datastores;

    for (guint i = 0; i < vm->disks->len; i++) {
        const OneDisk *facts = g_ptr_array_index(vm->disks, i);
        g_autofree char *path = g_strdup_printf("%s/disk.%" G_GINT64_FORMAT, directory, facts->id);
        g_auto(Disk) disk = {0};
        bool in_directory;
        if (!place_is_ours(task, vm, facts))
            continue;
        if (!disk_init(&disk, datastores, host, path, vm->id, error) ||
            !is_old_swap(task, &disk, facts, &in_directory, error))
            return false;
        if (in_directory)
            continue;
        g_autoptr(Volume) volume = attached_volume(task, &disk, vm, facts, error);
        if (!volume || !tm_lock_disk(task, &disk, error) ||
            !step(&disk, volume, is_common(facts) ? tm_attach_mode(facts) : ATTACH_DUAL, error))
            return false;
    }
    return true;
}

bool
attached_on_both(Task *task, const OneVm *vm, const char *directory, Host *from, Host *to,
                 GError **error)
{
    g_autoptr(GError) undone = NULL;

    if (from == to || each_disk(task, vm, directory, to, disk_publish, error))
        return true;
    if (!each_disk(task, vm, directory, to, disk_release, &undone))
        log_warn("host '%s' may have disks of VM %" G_GINT64_FORMAT " still: %s", host_name(to),
                 vm->id, undone->message);
    return false;
}

bool
attached_on_one(Task *task, const OneVm *vm, const char *directory, Host *leaves, GError **error)
{
    return each_disk(task, vm, directory, leaves, disk_release, error);
}
