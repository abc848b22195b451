// SPDX-License-Identifier: Apache-2.0
/*
 * VMs that go: to the front-end and back, to another host, to another datastore; and disks that
 * come and go while the VM stays.
 */
#include "verify/scenarios.h"

static bool
add_disks(Player *player, Vm *vm)
{
    World *world = player->world;
    Image *persistent = given_datablock(player, 16);
    Image *private = given_image(player, false);
    Image *cdrom = given_cdrom(player);

    if (!persistent || !private || !cdrom)
        return false;
    vm_add_disk(world, vm, ROLE_PERSISTENT, persistent, persistent->size_mb);
    vm_add_disk(world, vm, ROLE_PRIVATE, private, private->size_mb + 2);
    vm_add_disk(world, vm, ROLE_CDROM, cdrom, cdrom->size_mb);
    vm_add_volatile(world, vm, "raw", NULL, 8);
    vm_add_context(vm);
    return true;
}

/* Everything that hypervisors leave in a VM's directory. */
static void
add_extras(Player *player, Vm *vm)
{
    hypervisor_file(player, vm, "checkpoint", "the memory of the guest\n");
    hypervisor_file(player, vm, "tpm/tpm2-00.permall", "secrets\n");
    hypervisor_file(player, vm, "snap-0.xml", "<domainsnapshot/>\n");
}

static bool
stop_and_resume(Player *player, Vm *vm)
{
    const World *world = player->world;
    Datastore *system = world->system;

    add_extras(player, vm);
    if (!life_move(player, vm, "stop", STATE_ACTIVE, LCM_EPILOG_STOP, world->host, system,
                   world->frontend, system))
        return false;
    vm_set_state(vm, STATE_STOPPED, LCM_INIT);
    vm_add_history(vm, world->host2, system);
    return life_move(player, vm, "resume", STATE_ACTIVE, LCM_PROLOG_RESUME, world->frontend, system,
                     world->host2, system) &&
           life_context(player, vm, LCM_BOOT_STOPPED);
}

static bool
undeploy_and_deploy(Player *player, Vm *vm)
{
    const World *world = player->world;
    Datastore *system = world->system;

    if (!life_move(player, vm, "stop", STATE_ACTIVE, LCM_EPILOG_UNDEPLOY, world->host2, system,
                   world->frontend, system))
        return false;
    vm_set_state(vm, STATE_UNDEPLOYED, LCM_INIT);
    vm_add_history(vm, world->host, system);
    return life_move(player, vm, "resume", STATE_ACTIVE, LCM_PROLOG_UNDEPLOY, world->frontend,
                     system, world->host, system) &&
           life_context(player, vm, LCM_BOOT_UNDEPLOY);
}

static bool
migrate(Player *player, Vm *vm)
{
    const World *world = player->world;
    Datastore *system = world->system, *other = world->system2;
    const Host *here = world->host, *there = world->host2;
    const struct {
        const Host *from, *to;
        Datastore *source, *target;
        int lcm_state;
    } moves[] = {
        {here,  there, system, system, LCM_PROLOG_MIGRATE         },
        {there, here,  system, system, LCM_PROLOG_MIGRATE_POWEROFF},
        {here,  here,  system, other,  LCM_PROLOG_MIGRATE_POWEROFF},
        {here,  there, other,  system, LCM_PROLOG_MIGRATE         },
        {there, here,  system, system, LCM_PROLOG_MIGRATE_SUSPEND },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(moves); i++) {
        vm_add_history(vm, moves[i].to, moves[i].target);
        if (!life_move(player, vm, "migrate", STATE_ACTIVE, moves[i].lcm_state, moves[i].from,
                       moves[i].source, moves[i].to, moves[i].target))
            return false;
        if (moves[i].lcm_state == LCM_PROLOG_MIGRATE && !life_context(player, vm, LCM_BOOT_MIGRATE))
            return false;
    }
    return true;
}

/* Before 6.0 and 5.12.10 oned named the new datastore on both sides. */
static bool
resume_elsewhere(Player *player, Vm *vm)
{
    World *world = player->world;

    if (!life_move(player, vm, "stop", STATE_ACTIVE, LCM_EPILOG_STOP, world->host, world->system,
                   world->frontend, world->system))
        return false;
    vm_set_state(vm, STATE_STOPPED, LCM_INIT);
    if (!release_from(world->release, RELEASE(5, 12, 10)))
        return true;
    vm_add_history(vm, world->host, world->system2);
    return life_move(player, vm, "resume", STATE_ACTIVE, LCM_PROLOG_RESUME, world->frontend,
                     world->system, world->host, world->system2) &&
           life_context(player, vm, LCM_BOOT_STOPPED) &&
           life_move(player, vm, "stop", STATE_ACTIVE, LCM_EPILOG_STOP, world->host, world->system2,
                     world->frontend, world->system2);
}

void
scenario_move(Player *player)
{
    World *world = player->world;
    Vm *vm = world_vm(world);
    bool good = add_disks(player, vm) && life_deploy(player, vm) &&
                guest_write(player, vm, vm->disks->pdata[0]) &&
                guest_write(player, vm, vm->disks->pdata[1]) &&
                guest_write(player, vm, vm->disks->pdata[3]) && stop_and_resume(player, vm) &&
                undeploy_and_deploy(player, vm) && migrate(player, vm);

    /* its end while it is stopped: the lines name the front-end */
    if (good && resume_elsewhere(player, vm))
        (void)life_terminate(player, vm, world->frontend);
    else
        life_abandon(player, vm);
    remove_images(player);
}

/* The id of a detached disk comes back with the next one: nothing of the first may be seen in it.
 */
static bool
attach_in_turns(Player *player, Vm *vm, bool running)
{
    const World *world = player->world;
    Image *private = given_image(player, false);
    Image *persistent = given_datablock(player, 8);
    Image *cdrom = given_cdrom(player);

    if (!private || !persistent || !cdrom)
        return false;
    for (int turn = 0; turn < 5; turn++) {
        Disk *disk = turn == 0 ? vm_add_disk(world, vm, ROLE_PRIVATE, private, private->size_mb + 1)
                     : turn == 1 ? vm_add_volatile(world, vm, "raw", NULL, 4)
                     : turn == 2 ? vm_add_disk(world, vm, ROLE_PERSISTENT, persistent, 8)
                     : turn == 3 ? vm_add_volatile(world, vm, "swap", NULL, 4)
                                 : vm_add_disk(world, vm, ROLE_CDROM, cdrom, 1);
        if (!life_attach(player, vm, disk, running) ||
            (turn < 3 && !guest_write(player, vm, disk)) || !life_detach(player, vm, disk, running))
            return false;
    }
    return true;
}

void
scenario_attach(Player *player)
{
    World *world = player->world;
    Vm *vm = world_vm(world);
    Image *image = given_datablock(player, 16);
    bool good = image != NULL;

    if (good) {
        vm_add_disk(world, vm, ROLE_PERSISTENT, image, image->size_mb);
        vm_add_context(vm);
        good = life_deploy(player, vm) && attach_in_turns(player, vm, true) &&
               life_poweroff(player, vm) && attach_in_turns(player, vm, false) &&
               life_resume(player, vm);
    }
    if (good)
        (void)life_terminate(player, vm, NULL);
    else
        life_abandon(player, vm);
    remove_images(player);
}
