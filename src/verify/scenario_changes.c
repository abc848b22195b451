// SPDX-License-Identifier: Apache-2.0
/*
 * Resize, snapshots and save-as of disks, snapshots of images. A driver need not have them: what is
 * not installed is named at the end.
 */
#include "verify/changes.h"
#include "verify/scenarios.h"

static Vm *
given_vm(Player *player, bool with_qcow2)
{
    World *world = player->world;
    Image *persistent = given_datablock(player, 16);
    Image *private = given_image(player, false);
    Image *qcow2 = with_qcow2 ? given_qcow2(player) : NULL;

    if (!persistent || !private || (with_qcow2 && !qcow2))
        return NULL;
    Vm *vm = world_vm(world);
    vm_add_disk(world, vm, ROLE_PERSISTENT, persistent, persistent->size_mb);
    vm_add_disk(world, vm, ROLE_PRIVATE, private, private->size_mb);
    if (qcow2)
        vm_add_disk(world, vm, ROLE_PRIVATE, qcow2, qcow2->size_mb);
    vm_add_volatile(world, vm, "raw", NULL, 8);
    if (!life_deploy(player, vm) || !guest_write(player, vm, vm->disks->pdata[0]) ||
        !guest_write(player, vm, vm->disks->pdata[1])) {
        life_abandon(player, vm);
        return NULL;
    }
    return vm;
}

/* oned refuses it before; a driver that is asked by hand must too. */
static void
shrink(Player *player, Vm *vm, Disk *disk)
{
    GPtrArray *steps = steps_new();

    vm_set_state(vm, STATE_ACTIVE, LCM_DISK_RESIZE_POWEROFF);
    steps_resize(player, vm, disk, 1, steps);
    (void)transfer_refused(player, vm, "disk_resize", steps, MUST_FAIL);
}

void
scenario_resize(Player *player)
{
    World *world = player->world;

    if (!play_has(player, "tm", "resize"))
        return;
    Vm *vm = given_vm(player, true);
    bool good = vm != NULL;
    for (guint i = 0; good && i < vm->disks->len; i++) {
        Disk *disk = vm->disks->pdata[i];
        good = change_resize(player, vm, disk, LCM_DISK_RESIZE_POWEROFF, disk->size_mb + 3) &&
               guest_write(player, vm, disk);
    }
    if (good)
        shrink(player, vm, vm->disks->pdata[1]);
    if (good)
        good = life_move(player, vm, "stop", STATE_ACTIVE, LCM_EPILOG_UNDEPLOY, world->host,
                         world->system, world->frontend, world->system) &&
               change_resize(player, vm, vm->disks->pdata[1], LCM_DISK_RESIZE_UNDEPLOYED,
                             player->settings->size_mb + 9);
    /* tried again after a failure: now the lines name the last host, too */
    if (good)
        (void)life_terminate(player, vm, NULL);
    else if (vm)
        life_abandon(player, vm);
    remove_images(player);
}

#define TAKE(id) change_snapshot(player, vm, "snap_create", disk, id, LCM_DISK_SNAPSHOT_POWEROFF)
#define REVERT(id)                                                                                 \
    change_snapshot(player, vm, "snap_revert", disk, id, LCM_DISK_SNAPSHOT_REVERT_POWEROFF)
#define DROP(id)                                                                                   \
    change_snapshot(player, vm, "snap_delete", disk, id, LCM_DISK_SNAPSHOT_DELETE_POWEROFF)

/* A snapshot that was removed is not there any more. */
static bool
is_gone(Player *player, Vm *vm, Disk *disk, int id)
{
    change_snapshot_refused(player, vm, "snap_revert", disk, id, LCM_DISK_SNAPSHOT_REVERT_POWEROFF);
    return true;
}

/* Reverts in any order, newer ones survive; ids above 9; the disk does not change by a delete. */
static bool
snapshot_story(Player *player, Vm *vm, Disk *disk)
{
    return TAKE(0) && guest_write(player, vm, disk) && TAKE(1) && guest_write(player, vm, disk) &&
           TAKE(12) && guest_write(player, vm, disk) && REVERT(1) && REVERT(12) && REVERT(0) &&
           guest_write(player, vm, disk) && DROP(1) && is_gone(player, vm, disk, 1) && REVERT(12) &&
           DROP(0);
}

/* Snapshots go along with a cold migration. */
static bool
revert_elsewhere(Player *player, Vm *vm)
{
    const World *world = player->world;

    vm_add_history(vm, world->host2, world->system);
    bool good = life_move(player, vm, "migrate", STATE_ACTIVE, LCM_PROLOG_MIGRATE_POWEROFF,
                          world->host, world->system, world->host2, world->system);
    vm_set_state(vm, STATE_POWEROFF, LCM_INIT);
    for (guint i = 0; good && i < 3; i++) {
        Disk *disk = vm->disks->pdata[i];
        good = REVERT(12) && guest_write(player, vm, disk);
    }
    return good;
}

void
scenario_snapshots(Player *player)
{
    World *world = player->world;

    if (!play_has(player, "tm", "snap_create") || !play_has(player, "tm", "snap_revert") ||
        !play_has(player, "tm", "snap_delete"))
        return;
    Vm *vm = given_vm(player, true);
    bool good = vm != NULL;
    for (guint i = 0; good && i < 3; i++)
        good = snapshot_story(player, vm, vm->disks->pdata[i]);
    if (good && play_has(player, "tm", "snap_create_live"))
        (void)change_snapshot_live(player, vm, vm->disks->pdata[1], 20);
    good = good && revert_elsewhere(player, vm);
    /* with snapshots on its disks the VM goes to the front-end, and ends there */
    good = good && life_move(player, vm, "stop", STATE_ACTIVE, LCM_EPILOG_STOP, world->host2,
                             world->system, world->frontend, world->system);
    if (good)
        (void)life_terminate(player, vm, world->frontend);
    else if (vm)
        life_abandon(player, vm);
    remove_images(player);
}

void
scenario_save_as(Player *player)
{
    World *world = player->world;

    if (!play_has(player, "tm", "cpds"))
        return;
    Vm *vm = given_vm(player, true);
    bool good = vm != NULL, with_snapshots = play_has(player, "tm", "snap_create");
    if (good && with_snapshots) {
        Disk *disk = vm->disks->pdata[1];
        good = TAKE(0) && guest_write(player, vm, disk) &&
               change_save_as(player, vm, disk, 0, NULL, LCM_HOTPLUG_SAVEAS_POWEROFF);
    }
    for (guint i = 0; good && i < 3; i++)
        good = change_save_as(player, vm, vm->disks->pdata[i], -1, NULL,
                              i ? LCM_HOTPLUG_SAVEAS_SUSPENDED : LCM_HOTPLUG_SAVEAS_POWEROFF);
    if (good)
        good = change_save_as(player, vm, vm->disks->pdata[1], -1, NULL, LCM_HOTPLUG_SAVEAS);
    good = good && life_move(player, vm, "stop", STATE_ACTIVE, LCM_EPILOG_UNDEPLOY, world->host,
                             world->system, world->frontend, world->system);
    if (good && release_from(world->release, RELEASE(6, 0, 0)))
        good = change_save_as(player, vm, vm->disks->pdata[1], -1, world->frontend,
                              LCM_HOTPLUG_SAVEAS_UNDEPLOYED) &&
               change_save_as(player, vm, vm->disks->pdata[0], -1, world->frontend,
                              LCM_HOTPLUG_SAVEAS_STOPPED) &&
               (!with_snapshots || change_save_as(player, vm, vm->disks->pdata[1], 0,
                                                  world->frontend, LCM_HOTPLUG_SAVEAS_STOPPED));
    if (good)
        (void)life_terminate(player, vm, world->frontend);
    else if (vm)
        life_abandon(player, vm);
    remove_images(player);
}

/* Snapshots that a persistent disk left in its image. */
static bool
image_story(Player *player, Image *image)
{
    return datastore_snapshot(player, "snap_revert image", image, 0) &&
           datastore_snapshot(player, "snap_delete image", image, 1) &&
           datastore_snapshot(player, "snap_flatten image", image, 3);
}

/* The image goes to another VM with them, which drops one and takes one. */
static bool
next_vm(Player *player, Image *image)
{
    Vm *vm = world_vm(player->world);
    Disk *disk = vm_add_disk(player->world, vm, ROLE_PERSISTENT, image, image->size_mb);

    if (life_deploy(player, vm) && REVERT(2) && guest_write(player, vm, disk) && TAKE(3) &&
        DROP(2) && guest_write(player, vm, disk))
        return life_terminate(player, vm, NULL);
    life_abandon(player, vm);
    return false;
}

/* A VM's snapshots of its persistent disk, and what becomes of them. */
static void
life_of_snapshots(Player *player, Image *image)
{
    Vm *vm = world_vm(player->world);
    Disk *disk = vm_add_disk(player->world, vm, ROLE_PERSISTENT, image, image->size_mb);

    if (life_deploy(player, vm) && guest_write(player, vm, disk) && TAKE(0) &&
        guest_write(player, vm, disk) && TAKE(1) && guest_write(player, vm, disk) && TAKE(2) &&
        guest_write(player, vm, disk))
        (void)(life_terminate(player, vm, NULL) && next_vm(player, image) &&
               image_story(player, image));
    else
        life_abandon(player, vm);
}

/* Where they are not kept, they go with the VM (7.0). */
static void
forgotten_snapshots(Player *player, Image *image)
{
    Vm *vm = world_vm(player->world);
    Disk *disk = vm_add_disk(player->world, vm, ROLE_PERSISTENT, image, image->size_mb);

    disk->forgets = true;
    if (life_deploy(player, vm) && TAKE(7) && guest_write(player, vm, disk) && TAKE(8) &&
        guest_write(player, vm, disk))
        (void)life_terminate(player, vm, NULL);
    else
        life_abandon(player, vm);
}

void
scenario_image_snapshots(Player *player)
{
    static const char *const needed[] = {"snap_revert", "snap_delete", "snap_flatten"};

    for (size_t i = 0; i < G_N_ELEMENTS(needed); i++)
        if (!play_has(player, "datastore", needed[i]))
            return;
    if (!play_has(player, "tm", "snap_create"))
        return;
    Image *block = given_datablock(player, 16);
    Image *qcow2 = given_qcow2(player);
    if (block) {
        life_of_snapshots(player, block);
        if (release_from(player->world->release, RELEASE(7, 0, 0)))
            forgotten_snapshots(player, block);
    }
    if (qcow2) {
        qcow2->persistent = true;
        life_of_snapshots(player, qcow2);
    }
    remove_images(player);
}
