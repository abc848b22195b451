// SPDX-License-Identifier: Apache-2.0
/*
 * clone: a private, writable copy of an image as a VM's disk, grown to the size that the VM wants.
 * Also kernel and ramdisk, which are files beside the disks.
 */
#include "actions/tm/attached.h"
#include "actions/tm/place.h"
#include "base/error.h"

static bool
refuse_shrink(const OneDisk *facts, const Volume *volume, GError **error)
{
    if (facts->original_size == 0 || facts->size >= facts->original_size)
        return true;
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "%s would shrink from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT " MiB",
                     volume->owner, facts->original_size / MIB, facts->size / MIB);
}

/* CLONE carries a resize: SIZE > ORIGINAL_SIZE since 5.4 (src/tm_mad, clone). */
static bool
grow(Volume *volume, const OneDisk *facts, GError **error)
{
    bool wanted = facts->original_size > 0 && facts->size > facts->original_size;

    if (wanted && facts->size > volume->virtual_size && !volume_resize(volume, facts->size, error))
        return false;
    return facts->sparse || volume_reserve(volume, error);
}

static const OneDisk *
disk_facts(const OneVm *vm, const Disk *disk, GError **error)
{
    const OneDisk *facts = one_vm_disk(vm, disk->id);

    if (!facts)
        set_error(error, ONEVOL_ERROR_NOT_FOUND,
                  "VM %" G_GINT64_FORMAT " has no disk %" G_GINT64_FORMAT, disk->vm_id, disk->id);
    return facts;
}

bool
tm_clone(Task *task, char **arguments, GError **error)
{
    g_auto(Disk) disk = {0};
    const OneDisk *facts = NULL;

    if (!tm_disk(task, arguments[1], arguments[2], &disk, error))
        return false;
    const OneVm *vm = task_vm(task, disk.vm_id, error);
    if (!vm || (disk.id >= 0 && !(facts = disk_facts(vm, &disk, error))))
        return false;

    g_autoptr(Volume) image =
        tm_image(task, &disk, arguments[0], arguments[3], facts ? facts->format : NULL, error);
    if (!image || !volume_require(image, error))
        return false;
    if (!facts && is_attached(task))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "driver '%s' has no files: kernels and ramdisks belong in a datastore of "
                         "another driver",
                         task->driver->name);
    if (attached_is_media(task, facts))
        return attached_show_media(task, &disk, facts, image, error);
    g_autoptr(Volume) own = is_attached(task) ? attached_own(task, &disk, vm, facts, image)
                                              : disk_volume(&disk, image->datastore, NULL);
    if (facts && !refuse_shrink(facts, own, error))
        return false;
    if (is_attached(task))
        host_expect(disk.host); /* while the storage works */
    if (!place_clear(task, vm, &disk, image->datastore, error) || !volume_clone(image, own, error))
        return false;
    if (facts && !grow(own, facts, error)) {
        volume_abandon(own);
        return false;
    }
    return volume_commit(own, error) && disk_publish(&disk, own, ATTACH_WRITE, error) &&
           place_mark_monitor(task, vm, &disk, error);
}
