// SPDX-License-Identifier: Apache-2.0
/*
 * One VM with every kind of disk goes through its states; in each of them everything is asked that
 * oned can ask, of each disk. What must be refused for one of them is refused in each state. The
 * matrix at the end counts what is missing.
 */
#include "verify/changes.h"
#include "verify/scenarios.h"

#include <string.h>

/* A shareable image exists since 6.0, and not where LN makes a copy for each VM. */
static bool
can_share(const World *world)
{
    return release_from(world->release, RELEASE(6, 0, 0)) &&
           strcmp(world->ln_target, "SYSTEM") != 0;
}

static Disk *
add_shareable(Player *player, Vm *vm)
{
    Image *image = given_datablock(player, 8);

    if (!image)
        return NULL;
    image->shareable = true;
    image->state = IMAGE_USED_PERS;
    return vm_add_disk(player->world, vm, ROLE_SHAREABLE, image, image->size_mb);
}

static bool
add_disks(Player *player, Vm *vm)
{
    World *world = player->world;
    Image *persistent = given_datablock(player, 8);
    Image *private = given_datablock(player, 12);
    Image *qcow2 = given_qcow2(player);
    Image *cdrom = given_cdrom(player);

    if (!persistent || !private || !qcow2 || !cdrom)
        return false;
    private->persistent = false;
    vm_add_disk(world, vm, ROLE_PERSISTENT, persistent, persistent->size_mb);
    vm_add_disk(world, vm, ROLE_PRIVATE, private, private->size_mb);
    vm_add_disk(world, vm, ROLE_PRIVATE, qcow2, qcow2->size_mb);
    vm_add_disk(world, vm, ROLE_CDROM, cdrom, cdrom->size_mb);
    vm_add_volatile(world, vm, "raw", NULL, 8);
    vm_add_volatile(world, vm, "swap", NULL, 8);
    vm_add_context(vm);
    return !can_share(world) || add_shareable(player, vm);
}

/* What VirtualMachineDisk.cc lets a user take snapshots of. */
static bool
has_snapshots(const Disk *disk)
{
    return disk->role == ROLE_PERSISTENT || disk->role == ROLE_PRIVATE;
}

typedef struct Moment {
    const char *create;
    int create_state, delete_state, save_state, resize_state; /* 0: not then */
    bool at_frontend;
} Moment;

static const Moment running = {"snap_create_live", LCM_DISK_SNAPSHOT, LCM_DISK_SNAPSHOT_DELETE,
                               LCM_HOTPLUG_SAVEAS, LCM_DISK_RESIZE,   false};
static const Moment powered_off = {"snap_create",
                                   LCM_DISK_SNAPSHOT_POWEROFF,
                                   LCM_DISK_SNAPSHOT_DELETE_POWEROFF,
                                   LCM_HOTPLUG_SAVEAS_POWEROFF,
                                   LCM_DISK_RESIZE_POWEROFF,
                                   false};
static const Moment suspended = {"snap_create",
                                 LCM_DISK_SNAPSHOT_SUSPENDED,
                                 LCM_DISK_SNAPSHOT_DELETE_SUSPENDED,
                                 LCM_HOTPLUG_SAVEAS_SUSPENDED,
                                 0,
                                 false};
static const Moment stopped = {NULL, 0, 0, LCM_HOTPLUG_SAVEAS_STOPPED, 0, true};
static const Moment undeployed = {
    NULL, 0, 0, LCM_HOTPLUG_SAVEAS_UNDEPLOYED, LCM_DISK_RESIZE_UNDEPLOYED, true};

static bool
snapshots(Player *player, Vm *vm, Disk *disk, const Moment *moment)
{
    int id = *disk_next_snapshot(disk);

    if (!moment->create || (!has_snapshots(disk) && disk->role != ROLE_SHAREABLE) ||
        !play_has(player, "tm", moment->create))
        return true;
    if (disk->role == ROLE_SHAREABLE) {
        change_snapshot_refused(player, vm, moment->create, disk, id, moment->create_state);
        return true;
    }
    if (moment == &running) /* before it, one to delete where nobody lets a guest stand still */
        return change_snapshot(player, vm, "snap_create", disk, id, LCM_DISK_SNAPSHOT_POWEROFF) &&
               (change_snapshot_live(player, vm, disk, id + 1) || true) &&
               change_snapshot(player, vm, "snap_delete", disk, id, moment->delete_state);
    return change_snapshot(player, vm, "snap_create", disk, id, moment->create_state) &&
           change_snapshot(player, vm, "snap_create", disk, id + 1, moment->create_state) &&
           change_snapshot(player, vm, "snap_delete", disk, id, moment->delete_state);
}

static bool
save(Player *player, Vm *vm, Disk *disk, const Moment *moment)
{
    const Host *host = moment->at_frontend ? player->world->frontend : NULL;

    if (!disk->image || !moment->save_state || !play_has(player, "tm", "cpds") ||
        (moment->at_frontend && !release_from(player->world->release, RELEASE(6, 0, 0))))
        return true;
    if (has_snapshots(disk))
        return change_save_as(player, vm, disk, -1, host, moment->save_state);
    change_save_as_refused(player, vm, disk, host, moment->save_state);
    return true;
}

static bool
grow(Player *player, Vm *vm, Disk *disk, const Moment *moment)
{
    if (!moment->resize_state || disk->role == ROLE_CDROM || !play_has(player, "tm", "resize"))
        return true;
    if (disk->role != ROLE_SHAREABLE)
        return change_resize(player, vm, disk, moment->resize_state, disk->size_mb + 2);
    change_resize_refused(player, vm, disk, moment->resize_state);
    return true;
}

static bool
everything(Player *player, Vm *vm, const Moment *moment)
{
    for (guint i = 0; i < vm->disks->len; i++) {
        Disk *disk = vm->disks->pdata[i];
        if (!snapshots(player, vm, disk, moment) || !save(player, vm, disk, moment) ||
            !grow(player, vm, disk, moment))
            return false;
    }
    return true;
}

/* A model of snapshots that a flat set does not fulfil, and a hypervisor that cannot be asked to
 * let a guest stand still. */
static void
refusals(Player *player, Vm *vm)
{
    Disk *disk = vm->disks->pdata[1];
    int id = *disk_next_snapshot(disk);

    if (!play_has(player, "tm", "snap_create"))
        return;
    disk->orphans = "LINEAR";
    change_snapshot_refused(player, vm, "snap_create", disk, id, LCM_DISK_SNAPSHOT_POWEROFF);
    change_snapshot_refused(player, vm, "snap_create_live", disk, id, LCM_DISK_SNAPSHOT);
    change_snapshot_refused(player, vm, "snap_revert", disk, 1, LCM_DISK_SNAPSHOT_REVERT_POWEROFF);
    disk->orphans = NULL;
    vm->hypervisor = "lxc";
    change_snapshot_refused(player, vm, "snap_create_live", disk, id, LCM_DISK_SNAPSHOT);
    change_save_as_refused(player, vm, disk, NULL, LCM_HOTPLUG_SAVEAS);
    vm->hypervisor = NULL;
}

/* NO, MIXED and FORMAT are fulfilled. */
static bool
models(Player *player, Vm *vm)
{
    static const char *const names[] = {"NO", "MIXED", "FORMAT"};
    Disk *disk = vm->disks->pdata[1];
    bool good = play_has(player, "tm", "snap_create");

    for (size_t i = 0; good && i < G_N_ELEMENTS(names); i++) {
        int id = *disk_next_snapshot(disk);
        disk->orphans = names[i];
        good =
            change_snapshot(player, vm, "snap_create", disk, id, LCM_DISK_SNAPSHOT_POWEROFF) &&
            guest_write(player, vm, disk) &&
            change_snapshot(player, vm, "snap_create", disk, id + 1, LCM_DISK_SNAPSHOT_POWEROFF) &&
            guest_write(player, vm, disk) &&
            change_snapshot(player, vm, "snap_revert", disk, id,
                            LCM_DISK_SNAPSHOT_REVERT_POWEROFF) &&
            change_snapshot(player, vm, "snap_delete", disk, id + 1,
                            LCM_DISK_SNAPSHOT_DELETE_POWEROFF);
    }
    disk->orphans = NULL;
    return good;
}

static bool
go(Player *player, Vm *vm, const char *script, int lcm_state, const Host *from, const Host *to)
{
    Datastore *system = player->world->system;

    return life_move(player, vm, script, STATE_ACTIVE, lcm_state, from, system, to, system);
}

static bool
move_to(Player *player, Vm *vm, const Host *host, int lcm_state)
{
    const Host *from = vm_last(vm)->host;

    vm_add_history(vm, host, player->world->system);
    return go(player, vm, "migrate", lcm_state, from, host);
}

static bool
moves(Player *player, Vm *vm)
{
    const World *world = player->world;
    const Host *front = world->frontend, *here = world->host, *there = world->host2;

    return go(player, vm, "stop", LCM_EPILOG_STOP, here, front) &&
           everything(player, vm, &stopped) &&
           go(player, vm, "resume", LCM_PROLOG_RESUME, front, here) &&
           life_context(player, vm, LCM_BOOT_STOPPED) &&
           go(player, vm, "stop", LCM_EPILOG_UNDEPLOY, here, front) &&
           everything(player, vm, &undeployed) &&
           go(player, vm, "resume", LCM_PROLOG_UNDEPLOY, front, here) &&
           life_context(player, vm, LCM_BOOT_UNDEPLOY) &&
           move_to(player, vm, there, LCM_PROLOG_MIGRATE) &&
           life_context(player, vm, LCM_BOOT_MIGRATE) &&
           move_to(player, vm, here, LCM_PROLOG_MIGRATE_POWEROFF) &&
           move_to(player, vm, there, LCM_PROLOG_MIGRATE_SUSPEND);
}

/* A shareable disk that comes and goes. */
static bool
hotplug(Player *player, Vm *vm, bool is_running)
{
    Disk *disk = can_share(player->world) ? add_shareable(player, vm) : NULL;

    return !can_share(player->world) || (disk && life_attach(player, vm, disk, is_running) &&
                                         life_detach(player, vm, disk, is_running));
}

static bool
revert(Player *player, Vm *vm, guint index)
{
    Disk *disk = vm->disks->pdata[index];
    const GPtrArray *snapshots = disk_snapshots(disk);

    /* the oldest that is left: the live one, where nobody refused it */
    return !play_has(player, "tm", "snap_revert") || snapshots->len == 0 ||
           change_snapshot(player, vm, "snap_revert", disk, ((Snapshot *)snapshots->pdata[0])->id,
                           LCM_DISK_SNAPSHOT_REVERT_POWEROFF);
}

void
scenario_states(Player *player)
{
    Vm *vm = world_vm(player->world);
    bool good = add_disks(player, vm) && life_deploy(player, vm) &&
                guest_write(player, vm, vm->disks->pdata[0]) &&
                guest_write(player, vm, vm->disks->pdata[1]) && hotplug(player, vm, true) &&
                everything(player, vm, &running) && hotplug(player, vm, false) &&
                life_context(player, vm, LCM_BOOT_POWEROFF) &&
                everything(player, vm, &powered_off) && revert(player, vm, 0) &&
                revert(player, vm, 1) && everything(player, vm, &suspended) &&
                life_context(player, vm, LCM_BOOT_SUSPENDED);

    if (good)
        refusals(player, vm);
    if (good && models(player, vm) && moves(player, vm))
        (void)life_terminate(player, vm, NULL);
    else
        life_abandon(player, vm);
    remove_images(player);
}
