// SPDX-License-Identifier: Apache-2.0
/*
 * snap_create, snap_create_live, snap_delete, snap_revert: snapshots of a VM's disk. They lie
 * beside its volume: for a persistent disk beside the image, so they outlive the VM.
 */
#include "core/snapshot.h"
#include "actions/tm/tm.h"

typedef bool (*SnapshotStep)(Volume *volume, gint64 id, GError **error);

xmlNode *
tm_snapshots(const OneVm *vm, gint64 disk_id)
{
    xmlNode *snapshots = xml_find(vm->node, "SNAPSHOTS");

    while (snapshots && xml_number(snapshots, "DISK_ID", -1) != disk_id)
        snapshots = xml_next(snapshots);
    return snapshots;
}

static bool
model_check(Task *task, const Disk *disk, gint64 id, bool revert, GError **error)
{
    const OneVm *vm = task_vm(task, disk->vm_id, error);
    const OneDisk *facts = vm ? one_vm_disk(vm, disk->id) : NULL;

    return vm && snapshot_model_check(facts ? facts->node : NULL, tm_snapshots(vm, disk->id), id,
                                      revert, task->request->directory, error);
}

static bool
snapshot_action(Task *task, char **arguments, SnapshotStep step, GError **error)
{
    g_auto(Disk) disk = {0};
    gint64 id;

    if (!argument_number(arguments[1], "the snapshot's id", &id, error) ||
        !tm_disk(task, arguments[0], arguments[2], &disk, error) ||
        (step != snapshot_remove && !model_check(task, &disk, id, step == snapshot_revert, error)))
        return false;
    g_autoptr(Volume) volume = tm_backing(task, &disk, arguments[3], error);
    return volume && step(volume, id, error);
}

bool
tm_snap_create(Task *task, char **arguments, GError **error)
{
    return snapshot_action(task, arguments, snapshot_create, error);
}

/* The guest runs: its file systems are frozen for the instant. */
bool
tm_snap_create_live(Task *task, char **arguments, GError **error)
{
    g_auto(Disk) disk = {0};
    g_auto(Freeze) freeze = {0};
    gint64 id;

    if (!argument_number(arguments[1], "the snapshot's id", &id, error) ||
        !tm_disk(task, arguments[0], arguments[2], &disk, error) ||
        !model_check(task, &disk, id, false, error))
        return false;
    g_autoptr(Volume) volume = tm_backing(task, &disk, arguments[3], error);
    return volume && tm_freeze(task, task->vm, &disk, volume, &freeze, error) &&
           snapshot_create(volume, id, error);
}

bool
tm_snap_delete(Task *task, char **arguments, GError **error)
{
    return snapshot_action(task, arguments, snapshot_remove, error);
}

bool
tm_snap_revert(Task *task, char **arguments, GError **error)
{
    return snapshot_action(task, arguments, snapshot_revert, error);
}
