// SPDX-License-Identifier: Apache-2.0
#include "verify/changes.h"

#include "verify/hypervisor.h"

static GPtrArray *
resize_steps(Player *player, Vm *vm, Disk *disk, int lcm_state, guint64 size_mb)
{
    GPtrArray *steps = steps_new();

    vm_set_state(vm, STATE_ACTIVE, lcm_state);
    steps_resize(player, vm, disk, size_mb, steps);
    if (lcm_state == LCM_DISK_RESIZE &&
        !player->world->storage) /* a device grows below its guest */
        ((Step *)steps->pdata[0])->effect = EFFECT_NONE;
    return steps;
}

static const char *
resize_script(int lcm_state)
{
    return lcm_state == LCM_DISK_RESIZE ? NULL : "disk_resize";
}

bool
change_resize(Player *player, Vm *vm, Disk *disk, int lcm_state, guint64 size_mb)
{
    disk->resizing = true;
    bool good = transfer_play(player, vm, resize_script(lcm_state),
                              resize_steps(player, vm, disk, lcm_state, size_mb));
    disk->resizing = false;
    return good;
}

void
change_resize_refused(Player *player, Vm *vm, Disk *disk, int lcm_state)
{
    disk->resizing = true;
    (void)transfer_refused(player, vm, resize_script(lcm_state),
                           resize_steps(player, vm, disk, lcm_state, disk->size_mb + 4), MUST_FAIL);
    disk->resizing = false;
}

/* oned adds the record before it asks. */
static GPtrArray *
snapshot_steps(Player *player, Vm *vm, const char *action, Disk *disk, int id, int lcm_state)
{
    GPtrArray *steps = steps_new(), *snapshots = disk_snapshots(disk);

    if (!snapshot_find(snapshots, id)) {
        snapshot_add(snapshots, id, disk->size_mb, disk_content(disk));
        *disk_next_snapshot(disk) = id + 1;
    }
    vm_set_state(vm, STATE_ACTIVE, lcm_state);
    disk->snapshot_in_progress = id;
    steps_snapshot(player, vm, action, disk, id, steps);
    return steps;
}

static void
snapshot_is_over(Vm *vm, Disk *disk)
{
    disk->snapshot_in_progress = -1;
    vm_set_state(vm, STATE_POWEROFF, LCM_INIT);
}

bool
change_snapshot(Player *player, Vm *vm, const char *action, Disk *disk, int id, int lcm_state)
{
    GPtrArray *steps = snapshot_steps(player, vm, action, disk, id, lcm_state);
    bool good = transfer_play(player, vm, "disk_snapshot", steps);

    snapshot_is_over(vm, disk);
    return good;
}

static bool
snapshot_line(Player *player, Vm *vm, const char *action, Disk *disk, int id, int lcm_state,
              Expectation expectation)
{
    GPtrArray *snapshots = disk_snapshots(disk);
    bool old = snapshot_find(snapshots, id) != NULL;
    GPtrArray *steps = snapshot_steps(player, vm, action, disk, id, lcm_state);
    const char *script = lcm_state == LCM_DISK_SNAPSHOT ? NULL : "disk_snapshot";

    Snapshot *made = old ? NULL : snapshot_find(snapshots, id);
    bool good = transfer_refused(player, vm, script, steps, expectation);
    if (!good && made)
        g_ptr_array_remove(snapshots, made);
    snapshot_is_over(vm, disk);
    return good;
}

void
change_snapshot_refused(Player *player, Vm *vm, const char *action, Disk *disk, int id,
                        int lcm_state)
{
    (void)snapshot_line(player, vm, action, disk, id, lcm_state, MUST_FAIL);
}

bool
change_snapshot_live(Player *player, Vm *vm, Disk *disk, int id)
{
    return snapshot_line(player, vm, "snap_create_live", disk, id, LCM_DISK_SNAPSHOT,
                         hypervisor_expectation(player));
}

static bool
save_as_line(Player *player, Vm *vm, Disk *disk, int snapshot_id, const Host *host, int lcm_state,
             Expectation expectation)
{
    Image *target = datastore_mkfs_save_as(player, vm, disk, disk->size_mb);
    GPtrArray *steps = steps_new();

    if (!target) {
        g_ptr_array_unref(steps);
        return false;
    }
    vm_set_state(vm, STATE_ACTIVE, lcm_state);
    disk->saving = true;
    steps_save(player, vm, host, disk, snapshot_id, target, steps);
    bool good = expectation == MUST_WORK
                    ? transfer_play(player, vm, "disk_saveas", steps)
                    : transfer_refused(player, vm, "disk_saveas", steps, expectation);
    if (!good)
        (void)datastore_rm(player, target);
    disk->saving = false;
    return good;
}

bool
change_save_as(Player *player, Vm *vm, Disk *disk, int snapshot_id, const Host *host, int lcm_state)
{
    bool live = lcm_state == LCM_HOTPLUG_SAVEAS;
    Expectation expectation = live ? hypervisor_expectation(player) : MUST_WORK;

    return save_as_line(player, vm, disk, snapshot_id, host, lcm_state, expectation) ||
           expectation == MAY_FAIL;
}

void
change_save_as_refused(Player *player, Vm *vm, Disk *disk, const Host *host, int lcm_state)
{
    (void)save_as_line(player, vm, disk, -1, host, lcm_state, MUST_FAIL);
}
