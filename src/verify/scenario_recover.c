// SPDX-License-Identifier: Apache-2.0
/*
 * onevm recover, retries, and hosts that died.
 */
#include "verify/scenarios.h"

#include <string.h>

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
    vm_add_volatile(world, vm, "swap", NULL, 4);
    if (release_from(world->release, RELEASE(6, 0, 0)) && strcmp(world->ln_target, "SYSTEM") != 0) {
        Image *shareable = given_datablock(player, 8);
        if (!shareable)
            return false;
        shareable->shareable = true;
        shareable->state = IMAGE_USED_PERS;
        vm_add_disk(world, vm, ROLE_SHAREABLE, shareable, shareable->size_mb);
    }
    vm_add_context(vm);
    return true;
}

static bool
recover_delete(Player *player, Vm *vm, int lcm_state)
{
    GPtrArray *steps = steps_new();

    vm_set_state(vm, lcm_state == LCM_INIT ? STATE_DONE : STATE_ACTIVE, lcm_state);
    steps_delete(player, vm, vm_last(vm), steps);
    return transfer_play(player, vm, lcm_state == LCM_INIT ? "delete" : NULL, steps);
}

/* What a stopped VM that is recreated leaves: oned sends no DELETE, PROLOG meets all of it. */
static bool
recreate_over_leftovers(Player *player, Vm *vm)
{
    const World *world = player->world;

    if (!life_move(player, vm, "stop", STATE_ACTIVE, LCM_EPILOG_STOP, world->host, world->system,
                   world->frontend, world->system))
        return false;
    vm_add_history(vm, world->host, world->system);
    return life_deploy(player, vm);
}

/* recover --delete during a migration: DELETE at the new place, then at the previous one. */
static bool
delete_both(Player *player, bool moved, Datastore *target)
{
    World *world = player->world;
    Vm *vm = world_vm(world);
    bool good = add_disks(player, vm) && life_deploy(player, vm) &&
                guest_write(player, vm, vm->disks->pdata[0]);

    if (good) {
        GPtrArray *steps = steps_new();
        vm_add_history(vm, world->host2, target);
        good = !moved || life_move(player, vm, "migrate", STATE_ACTIVE, LCM_PROLOG_MIGRATE,
                                   world->host, world->system, world->host2, target);
        vm_set_state(vm, STATE_ACTIVE, LCM_CLEANUP_DELETE);
        steps_delete(player, vm, vm_last(vm), steps);
        steps_delete(player, vm, vm_previous(vm), steps);
        good = good && transfer_play(player, vm, "delete_both", steps);
    }
    if (good)
        life_forget(player, vm);
    else
        life_abandon(player, vm);
    return good;
}

/* EPILOG fails after MVDS and is tried again from its first line; what a stopped VM has left on the
 * front-end must not come back into the image. */
static bool
end_in_two_tries(Player *player, Vm *vm)
{
    GPtrArray *steps = steps_new();

    vm_set_state(vm, STATE_ACTIVE, LCM_EPILOG);
    steps_epilog_disk(player, vm, vm->disks->pdata[0], NULL, steps);
    return transfer_play(player, vm, "epilog", steps) && life_terminate(player, vm, NULL);
}

/* A stopped VM's end is tried again: now the lines name its last host, its data is where it was. */
static bool
end_of_stopped(Player *player)
{
    World *world = player->world;
    Vm *vm = world_vm(world);
    bool good = add_disks(player, vm) && life_deploy(player, vm) &&
                guest_write(player, vm, vm->disks->pdata[0]) &&
                life_move(player, vm, "stop", STATE_ACTIVE, LCM_EPILOG_STOP, world->host,
                          world->system, world->frontend, world->system);

    if (good)
        return life_terminate(player, vm, NULL);
    life_abandon(player, vm);
    return false;
}

static bool
recreated_end(Player *player)
{
    Vm *vm = world_vm(player->world);

    if (add_disks(player, vm) && life_deploy(player, vm) &&
        guest_write(player, vm, vm->disks->pdata[0]) && recreate_over_leftovers(player, vm) &&
        guest_write(player, vm, vm->disks->pdata[0]))
        return end_in_two_tries(player, vm);
    life_abandon(player, vm);
    return false;
}

static bool
fail_over(Player *player, Vm *vm)
{
    World *world = player->world;

    if (world->shared)
        return life_move(player, vm, "migrate", STATE_ACTIVE, LCM_PROLOG_MIGRATE_UNKNOWN,
                         world->dead, world->system, world->host2, world->system) &&
               life_context(player, vm, LCM_BOOT);
    static const int states[] = {LCM_PROLOG_MIGRATE_UNKNOWN, LCM_PROLOG_MIGRATE_UNKNOWN_FAILURE};
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
        GPtrArray *steps = steps_new();
        vm_set_state(vm, STATE_ACTIVE, states[i]);
        steps_move(player, vm, world->dead, world->system, world->host2, world->system, steps);
        vm->going = (Place){0}; /* nothing may go there */
        transfer_refused_in_the_end(player, vm, "migrate", steps);
    }
    /* the host is back */
    vm_add_history(vm, world->host, world->system);
    return true;
}

void
scenario_recover(Player *player)
{
    World *world = player->world;
    Vm *vm = world_vm(world);
    bool good = add_disks(player, vm) && life_deploy(player, vm) &&
                guest_write(player, vm, vm->disks->pdata[0]) &&
                guest_write(player, vm, vm->disks->pdata[1]) &&
                recover_delete(player, vm, LCM_CLEANUP_RESUBMIT);

    if (good) {
        vm_add_history(vm, world->host, world->system);
        good = life_deploy(player, vm) && guest_write(player, vm, vm->disks->pdata[1]) &&
               recreate_over_leftovers(player, vm);
    }
    /* recover --delete: the VM is DONE and its images are free before DELETE runs */
    if (good)
        good = guest_write(player, vm, vm->disks->pdata[0]) && recover_delete(player, vm, LCM_INIT);
    if (good)
        life_forget(player, vm);
    else
        life_abandon(player, vm);
    (void)recreated_end(player);
    (void)end_of_stopped(player);
    (void)delete_both(player, false, world->system);
    (void)delete_both(player, true, world->system);
    (void)delete_both(player, false, world->system2);
    (void)delete_both(player, true, world->system2);
    remove_images(player);
}

/*
 * The fault tolerance hook moves a VM off a host that is down. A directory that others see has its
 * disks: nothing is to be asked of the dead. Disks that only the dead one has are lost for now, and
 * the driver has to say so.
 */
void
scenario_dead_host(Player *player)
{
    World *world = player->world;
    Vm *vm = world_vm(world);
    bool good = add_disks(player, vm) && life_deploy(player, vm) &&
                guest_write(player, vm, vm->disks->pdata[0]) &&
                guest_write(player, vm, vm->disks->pdata[1]);

    if (good) {
        vm_rename_host(vm, world->dead);
        vm_add_history(vm, world->host2, world->system);
        good = fail_over(player, vm);
    }
    if (good)
        (void)life_terminate(player, vm, NULL);
    else
        life_abandon(player, vm);
    remove_images(player);
}
