// SPDX-License-Identifier: Apache-2.0
/*
 * resize: a disk grows. Of a running VM the hypervisor does it (resize_disk follows); but a device
 * must be larger before.
 */
#include "actions/tm/attached.h"
#include "base/error.h"
#include "base/log.h"

bool
tm_resize(Task *task, char **arguments, GError **error)
{
    g_auto(Disk) disk = {0};
    g_auto(Freeze) freeze = {0};
    gint64 size_mb;

    if (!argument_number(arguments[1], "the size", &size_mb, error) ||
        !tm_disk(task, arguments[0], arguments[2], &disk, error))
        return false;
    const OneVm *vm = task_vm(task, disk.vm_id, error);
    if (!vm)
        return false;
    const OneDisk *facts = one_vm_disk(vm, disk.id);
    if (facts && facts->shareable) /* also of a running VM: the hypervisor would go on */
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "disk %" G_GINT64_FORMAT " is a shareable image, which other VMs write to",
                         disk.id);
    bool running = vm->lcm_state == LCM_DISK_RESIZE;
    if (running && !is_attached(task)) {
        log_info("the VM runs: its hypervisor resizes the disk");
        return true;
    }
    if (!running && vm->lcm_state != LCM_DISK_RESIZE_POWEROFF &&
        vm->lcm_state != LCM_DISK_RESIZE_UNDEPLOYED)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "VM %" G_GINT64_FORMAT " is in state %" G_GINT64_FORMAT
                         ", in which disks are not resized",
                         vm->id, vm->lcm_state);

    g_autoptr(Volume) volume = tm_backing(task, &disk, arguments[3], error);
    return volume && volume_require(volume, error) &&
           (!running || tm_freeze(task, vm, &disk, volume, &freeze, error)) &&
           volume_resize(volume, (guint64)size_mb * MIB, error) &&
           (!facts || facts->sparse || volume_reserve(volume, error));
}
