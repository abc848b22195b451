// SPDX-License-Identifier: Apache-2.0
/*
 * A VM with every kind of disk, from its first boot to its end; then VMs that share an image, and
 * one in mixed mode.
 */
#include "verify/scenarios.h"

#include <string.h>

static Image *
boot_file(Player *player, ImageType type, const char *source, const char *what)
{
    const Import import = {.type = type,
                           .datastore = player->world->files,
                           .source = source,
                           .source_format = "raw",
                           .format = "raw",
                           .what = what};
    return datastore_cp(player, &import);
}

/* A datastore of files has a driver of files. */
static bool
add_boot_files(Player *player, Vm *vm)
{
    if (player->world->storage)
        return true;
    (void)boot_file(player, IMAGE_CONTEXT, "init.sh", "context file");
    vm->kernel = boot_file(player, IMAGE_KERNEL, "vmlinuz", "kernel");
    vm->ramdisk = boot_file(player, IMAGE_RAMDISK, "initrd.img", "ramdisk");
    return vm->kernel && vm->ramdisk;
}

static bool
add_every_disk(Player *player, Vm *vm)
{
    const World *world = player->world;
    Image *persistent = given_image(player, true);
    Image *private = given_image(player, false);
    Image *qcow2 = given_qcow2(player);
    Image *cdrom = given_cdrom(player);

    if (!persistent || !private || !qcow2 || !cdrom || !add_boot_files(player, vm))
        return false;
    vm_add_disk(world, vm, ROLE_PERSISTENT, persistent, persistent->size_mb);
    vm_add_disk(world, vm, ROLE_PRIVATE, private, private->size_mb + 5);
    vm_add_disk(world, vm, ROLE_PRIVATE, qcow2, qcow2->size_mb);
    vm_add_disk(world, vm, ROLE_PRIVATE, qcow2, qcow2->size_mb + 3);
    vm_add_disk(world, vm, ROLE_CDROM, cdrom, cdrom->size_mb);
    vm_add_volatile(world, vm, "raw", NULL, 8);
    if (!world->storage)
        vm_add_volatile(world, vm, "qcow2", NULL, 8);
    if (release_from(world->release, RELEASE(6, 0, 0)))
        vm_add_volatile(world, vm, "raw", "ext4", 16);
    vm_add_volatile(world, vm, "swap", NULL, 8);
    vm_add_context(vm);
    persistent->state = IMAGE_USED_PERS;
    private->state = qcow2->state = cdrom->state = IMAGE_USED;
    return true;
}

static bool
write_everywhere(Player *player, Vm *vm)
{
    for (guint i = 0; i < vm->disks->len; i++) {
        Disk *disk = vm->disks->pdata[i];
        if (disk->role != ROLE_CDROM && !guest_write(player, vm, disk))
            return false;
    }
    return true;
}

static bool
live(Player *player, Vm *vm)
{
    const World *world = player->world;

    /* the retry is of the whole script, from line 1 */
    if (!life_prolog(player, vm) || !life_deploy(player, vm))
        return false;
    if (!write_everywhere(player, vm))
        return false;
    (void)datastore_monitor(player, world->system, true);
    (void)datastore_monitor(player, world->system, false);
    (void)host_monitor(player, world->host, world->system);
    if (!life_context(player, vm, LCM_HOTPLUG_NIC))
        return false;
    (void)life_poweroff(player, vm);
    if (!life_resume(player, vm))
        return false;
    /* suspend: the hypervisor saves the memory beside the disks */
    hypervisor_file(player, vm, "checkpoint", "the memory of the guest\n");
    vm_set_state(vm, STATE_SUSPENDED, LCM_INIT);
    return life_context(player, vm, LCM_BOOT_SUSPENDED);
}

void
scenario_deploy(Player *player)
{
    Vm *vm = world_vm(player->world);

    if (add_every_disk(player, vm) && live(player, vm))
        (void)life_terminate(player, vm, NULL);
    else
        life_abandon(player, vm);
    remove_images(player);
}

/* oned does not refuse these for a shareable disk, so the driver has to. */
static void
refuse_changes(Player *player, Vm *vm)
{
    Disk *disk = vm->disks->pdata[0];

    vm_set_state(vm, STATE_ACTIVE, LCM_DISK_SNAPSHOT_POWEROFF);
    if (play_has(player, "tm", "snap_create")) {
        GPtrArray *steps = steps_new();
        steps_snapshot(player, vm, "snap_create", disk, 0, steps);
        (void)transfer_refused(player, vm, "disk_snapshot", steps, MUST_FAIL);
    }
    vm_set_state(vm, STATE_ACTIVE, LCM_DISK_RESIZE_POWEROFF);
    if (play_has(player, "tm", "resize")) {
        GPtrArray *steps = steps_new();
        steps_resize(player, vm, disk, disk->size_mb + 4, steps);
        (void)transfer_refused(player, vm, "disk_resize", steps, MUST_FAIL);
    }
    vm_set_state(vm, STATE_ACTIVE, LCM_RUNNING);
}

/* Where LN makes a copy for each VM it cannot be shared: it is refused, and no disk is left. */
static void
refuse_sharing(Player *player, Image *image)
{
    Vm *vm = world_vm(player->world);
    GPtrArray *steps = steps_new();

    image->shareable = true;
    image->state = IMAGE_USED_PERS;
    (void)vm_add_disk(player->world, vm, ROLE_SHAREABLE, image, image->size_mb);
    vm_set_state(vm, STATE_ACTIVE, LCM_PROLOG);
    vm->directory_allowed = true;
    steps_prolog(player, vm, steps);
    (void)transfer_refused(player, vm, "prolog", steps, MUST_FAIL);
    life_abandon(player, vm);
}

/* Two VMs write to one image; the end of the first must leave it to the second. */
void
scenario_shareable(Player *player)
{
    World *world = player->world;
    Image *image = given_image(player, true);
    Vm *vms[2] = {NULL, NULL};
    bool good = image != NULL;

    if (good && strcmp(world->ln_target, "SYSTEM") == 0) {
        refuse_sharing(player, image);
        remove_images(player);
        return;
    }
    for (size_t i = 0; good && i < 2; i++) {
        image->shareable = true;
        image->state = IMAGE_USED_PERS;
        vms[i] = world_vm(world);
        vm_rename_host(vms[i], i ? world->host2 : world->host);
        vm_add_disk(world, vms[i], ROLE_SHAREABLE, image, image->size_mb);
        good = life_deploy(player, vms[i]);
    }
    good = good && guest_write(player, vms[0], vms[0]->disks->pdata[0]) &&
           guest_write(player, vms[1], vms[1]->disks->pdata[0]);
    if (good) {
        refuse_changes(player, vms[0]);
        (void)life_terminate(player, vms[0], NULL);
        if (guest_write(player, vms[1], vms[1]->disks->pdata[0]))
            (void)life_terminate(player, vms[1], NULL);
    } else {
        for (size_t i = 0; i < 2 && vms[i]; i++)
            life_abandon(player, vms[i]);
    }
    remove_images(player);
}

/* One disk is in mixed mode; its suffix sticks to the lines of all later ones in MV and DELETE. */
void
scenario_suffix(Player *player)
{
    World *world = player->world;
    Vm *vm = world_vm(world);
    Image *private = given_image(player, false);
    Image *persistent = given_datablock(player, 16);
    bool good = false;

    if (private && persistent) {
        Disk *mixed = vm_add_disk(world, vm, ROLE_PRIVATE, private, private->size_mb);
        mixed->suffix = "ssh";
        vm_add_disk(world, vm, ROLE_PERSISTENT, persistent, persistent->size_mb);
        vm_add_volatile(world, vm, "raw", NULL, 8);
        good = life_deploy(player, vm) &&
               life_move(player, vm, "stop", STATE_ACTIVE, LCM_EPILOG_STOP, world->host,
                         world->system, world->frontend, world->system) &&
               life_move(player, vm, "resume", STATE_ACTIVE, LCM_PROLOG_RESUME, world->frontend,
                         world->system, world->host, world->system);
    }
    if (good) {
        GPtrArray *steps = steps_new();
        vm_set_state(vm, STATE_ACTIVE, LCM_CLEANUP_DELETE);
        steps_delete(player, vm, vm_last(vm), steps);
        good = transfer_play(player, vm, NULL, steps);
    }
    if (good)
        life_forget(player, vm);
    else
        life_abandon(player, vm);
    remove_images(player);
}
