// SPDX-License-Identifier: Apache-2.0
/*
 * cpds: a disk's content, or a snapshot's, becomes a new image (save-as), whose name mkfs has
 * reserved.
 */
#include "actions/tm/tm.h"
#include "base/error.h"
#include "core/snapshot.h"

#include <string.h>

/* LCM states in which nothing writes to the disk: opennebula-protocol 2.5 */
enum {
    HOTPLUG_SAVEAS_POWEROFF = 27,
    HOTPLUG_SAVEAS_SUSPENDED = 28,
    HOTPLUG_SAVEAS_UNDEPLOYED = 67,
    HOTPLUG_SAVEAS_STOPPED = 68,
};

/* A disk that a guest writes to has no one content to copy. */
static bool
is_quiet(const OneVm *vm, const Disk *disk, GError **error)
{
    switch (vm->lcm_state) {
    case HOTPLUG_SAVEAS_POWEROFF:
    case HOTPLUG_SAVEAS_SUSPENDED:
    case HOTPLUG_SAVEAS_UNDEPLOYED:
    case HOTPLUG_SAVEAS_STOPPED:
        return true;
    default:
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "disk %" G_GINT64_FORMAT " of VM %" G_GINT64_FORMAT
                         " is in use and would be copied half-written: power the VM off or "
                         "suspend it, or save a snapshot of the disk",
                         disk->id, vm->id);
    }
}

static bool
copy(Volume *from, gint64 snapshot, Volume *image, GError **error)
{
    bool done = snapshot >= 0 ? snapshot_clone(from, snapshot, image, error)
                              : volume_clone(from, image, error);

    return done && volume_commit(image, error);
}

bool
tm_cpds(Task *task, char **arguments, GError **error)
{
    g_auto(Disk) disk = {0};
    gint64 snapshot = -1;

    if ((strcmp(arguments[2], "-1") != 0 &&
         !argument_number(arguments[2], "the snapshot's id", &snapshot, error)) ||
        !tm_disk(task, arguments[0], arguments[3], &disk, error))
        return false;
    const OneVm *vm = task_vm(task, disk.vm_id, error);
    const OneDisk *facts = vm ? one_vm_disk(vm, disk.id) : NULL;
    if (!vm || (snapshot < 0 && !is_quiet(vm, &disk, error)))
        return false;
    if (facts && facts->readonly && !facts->save)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "disk %" G_GINT64_FORMAT " is read-only: its image is there already",
                         disk.id);

    g_autoptr(Volume) from = tm_backing(task, &disk, arguments[4], error);
    g_autoptr(Volume) image = from ? tm_image(task, arguments[1], arguments[4], NULL, error) : NULL;
    if (!image || !tm_lock(task, image->host, image->name, error))
        return false;
    if (!strcmp(from->name, image->name))
        return set_error(error, ONEVOL_ERROR_REFUSED, "'%s' cannot be saved as itself",
                         image->name);
    return copy(from, snapshot, image, error);
}
