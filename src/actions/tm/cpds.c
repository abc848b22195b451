// SPDX-License-Identifier: Apache-2.0
/*
 * cpds: a disk's content, or a snapshot's, becomes a new image (save-as), whose name mkfs has
 * reserved.
 */
#include "actions/tm/tm.h"
#include "base/error.h"
#include "core/snapshot.h"

#include <string.h>

/* The guest runs in the first, and nothing writes to the disk in the others. In a state that is
 * none of these nobody knows who writes. */
static bool
is_known(const OneVm *vm, GError **error)
{
    switch (vm->lcm_state) {
    case LCM_HOTPLUG_SAVEAS:
    case LCM_HOTPLUG_SAVEAS_POWEROFF:
    case LCM_HOTPLUG_SAVEAS_SUSPENDED:
    case LCM_HOTPLUG_SAVEAS_UNDEPLOYED:
    case LCM_HOTPLUG_SAVEAS_STOPPED:
        return true;
    default:
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "VM %" G_GINT64_FORMAT " is in state %" G_GINT64_FORMAT
                         ", in which its disks may be written to: save a snapshot instead",
                         vm->id, vm->lcm_state);
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
    g_auto(Freeze) freeze = {0};
    gint64 snapshot = -1;

    if ((strcmp(arguments[2], "-1") != 0 &&
         !argument_number(arguments[2], "the snapshot's id", &snapshot, error)) ||
        !tm_disk(task, arguments[0], arguments[3], &disk, error))
        return false;
    const OneVm *vm = task_vm(task, disk.vm_id, error);
    const OneDisk *facts = vm ? one_vm_disk(vm, disk.id) : NULL;
    if (!vm || (snapshot < 0 && !is_known(vm, error)))
        return false;
    if (facts && facts->readonly && !facts->save)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "disk %" G_GINT64_FORMAT " is read-only: its image is there already",
                         disk.id);

    g_autoptr(Volume) from = tm_backing(task, &disk, arguments[4], error);
    g_autoptr(Volume) image =
        from ? tm_image(task, &disk, arguments[1], arguments[4], NULL, error) : NULL;
    g_autofree char *text = task_text(task);
    if (!image || !volume_lock(image, text, error))
        return false;
    if (!strcmp(from->name, image->name))
        return set_error(error, ONEVOL_ERROR_REFUSED, "'%s' cannot be saved as itself",
                         image->name);
    if (snapshot < 0 && vm->lcm_state == LCM_HOTPLUG_SAVEAS &&
        !tm_freeze(task, vm, &disk, from, &freeze, error))
        return false;
    return copy(from, snapshot, image, error);
}
