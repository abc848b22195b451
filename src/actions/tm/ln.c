// SPDX-License-Identifier: Apache-2.0
/*
 * ln: the image itself as a VM's disk: persistent, shareable, and read-only ones such as CD-ROM.
 */
#include "actions/tm/tm.h"
#include "base/error.h"

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

    g_autoptr(Volume) image = tm_image(task, arguments[0], arguments[3], facts->format, error);
    if (!image || !volume_require(image, error))
        return false;
    return disk_clear_stale(&disk, image->datastore, error) &&
           disk_publish(&disk, image, tm_attach_mode(facts), error);
}
