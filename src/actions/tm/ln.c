// SPDX-License-Identifier: Apache-2.0
/*
 * ln: the image itself as a VM's disk: persistent, shareable, and read-only ones such as CD-ROM.
 *
 * Where the VM's directory is on its host's own storage that may be a copy, snapshots and all,
 * which mvds brings back.
 */
#include "actions/tm/attached.h"
#include "actions/tm/place.h"
#include "base/error.h"
#include "core/snapshot.h"

static bool
bring(const Disk *disk, const OneDisk *facts, Volume *image, GError **error)
{
    g_autoptr(Volume) own = disk_volume(disk, image->datastore, NULL);

    if (facts->shareable)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "disk %" G_GINT64_FORMAT " is a shareable image, which hosts with "
                         "storage of their own cannot share",
                         disk->id);
    if (!volume_clone(image, own, error))
        return false;
    if (facts->save && !snapshots_copy(image, own, error)) {
        volume_abandon(own);
        return false;
    }
    return volume_commit(own, error);
}

/* The image itself; where only one VM has it, its storage knows which. */
static bool
show(Task *task, const Disk *disk, const OneDisk *facts, Volume *image, GError **error)
{
    AttachMode mode = tm_attach_mode(facts);
    VolumeUser user = {disk->vm_id, disk->id, disk->datastore_id};

    return (!is_attached(task) || mode != ATTACH_WRITE ||
            volume_assign(image, &user, true, error)) &&
           disk_publish(disk, image, mode, error);
}

bool
tm_ln(Task *task, char **arguments, GError **error)
{
    g_auto(Disk) disk = {0};

    if (!tm_disk(task, arguments[1], arguments[2], &disk, error))
        return false;
    const OneVm *vm = task_vm(task, disk.vm_id, error);
    if (!vm)
        return false;
    const OneDisk *facts = one_vm_disk(vm, disk.id);
    if (!facts)
        return set_error(error, ONEVOL_ERROR_NOT_FOUND,
                         "VM %" G_GINT64_FORMAT " has no disk %" G_GINT64_FORMAT, disk.vm_id,
                         disk.id);

    g_autoptr(Volume) image =
        tm_image(task, &disk, arguments[0], arguments[3], facts->format, error);
    if (!image || !volume_require(image, error))
        return false;
    if (attached_is_media(task, facts))
        return attached_show_media(task, &disk, facts, image, error);
    if (!place_clear(task, vm, &disk, image->datastore, error))
        return false;
    bool done = place_copies(task, facts) ? bring(&disk, facts, image, error)
                                          : show(task, &disk, facts, image, error);
    return done && place_mark_monitor(task, vm, &disk, error);
}
