// SPDX-License-Identifier: Apache-2.0
#include "verify/effects.h"

#include "base/error.h"
#include "verify/life.h"
#include "verify/settle_storage.h"

#include <string.h>
#include <unistd.h>

/* A new volatile disk is of the size, and empty but for a file system or a swap signature. */
static void
judge_volatile(Player *player, const Vm *vm, Disk *disk, Row *row)
{
    const Content empty = content_empty(disk->size_mb * MEBIBYTE);
    g_autofree char *path = vm_disk_path(vm, disk);
    const Host *host = vm->place.host ? vm->place.host : vm->place.tree;
    char mark[10] = "";
    GError *error = NULL;
    Content seen;

    disk->content = empty;
    if (!settle_read_disk(player, vm, disk, empty.bytes, &seen, &error)) {
        row_error(row, "a readable disk", error);
        return;
    }
    disk->content = seen;
    if (seen.bytes != empty.bytes) {
        g_autofree char *want = g_strdup_printf("%" G_GUINT64_FORMAT " bytes", empty.bytes);
        row_problem(row, want, "%" G_GUINT64_FORMAT " bytes", seen.bytes);
    } else if (disk->role == ROLE_SWAP) {
        if (!content_peek(host, path, 4086, mark, sizeof mark, NULL) ||
            memcmp(mark, "SWAPSPACE2", sizeof mark) != 0)
            row_problem(row, "a swap signature", "none");
    } else if (disk->file_system) {
        if (strcmp(disk->format, "raw") == 0 &&
            (!content_peek(host, path, 1080, mark, 2, NULL) || memcmp(mark, "\x53\xef", 2) != 0))
            row_problem(row, "an ext4 file system", "none");
    } else if (!content_equal(&seen, &empty)) {
        row_problem(row, "a disk that reads as zeros", "other data");
    }
}

/* From now on the host's probe must find that datastore. */
static void
note_marker(World *world, Place place)
{
    if (!world->shared && (!world->separate || place.tree != world->frontend))
        g_hash_table_add(world->marked, world_mark(place));
}

static void
copy_snapshots(const GPtrArray *from, GPtrArray *to)
{
    g_ptr_array_set_size(to, 0);
    for (guint i = 0; i < from->len; i++) {
        const Snapshot *snapshot = from->pdata[i];
        (void)snapshot_add(to, snapshot->id, snapshot->size_mb, &snapshot->content);
    }
}

static void
effect_made(Player *player, Vm *vm, Disk *disk, Row *row)
{
    disk->present = true;
    disk->detached = disk->lost = false;
    vm->directory_present = vm->directory_allowed = true;
    g_ptr_array_set_size(disk->snapshots, 0);
    note_marker(player->world, vm->place);
    if (!disk->image) {
        judge_volatile(player, vm, disk, row);
        return;
    }
    if (!disk->own)
        return;
    disk->content = disk->image->content;
    if (disk->role == ROLE_PRIVATE) /* CLONE grows, LN does not */
        disk->content.bytes = MAX(disk->content.bytes, disk->size_mb * MEBIBYTE);
    if (disk_saves(disk)) {
        copy_snapshots(disk->image->snapshots, disk->snapshots);
        disk->next_snapshot = disk->image->next_snapshot;
    }
}

static void
effect_gone(Disk *disk, bool released)
{
    disk->present = disk->lost = false;
    disk->detached = released;
    g_ptr_array_set_size(disk->snapshots, 0);
}

/* A disk that is no link takes its snapshots and its size along. */
static void
effect_released(Disk *disk)
{
    if (disk->own && disk->present) {
        disk->image->content = disk->content;
        disk->image->size_mb = disk->size_mb;
        copy_snapshots(disk->snapshots, disk->image->snapshots);
        disk->image->next_snapshot = disk->next_snapshot;
    }
    if (disk->forgets)
        g_ptr_array_set_size(disk->image->snapshots, 0);
    effect_gone(disk, !disk->own);
}

static void
effect_directory_deleted(Vm *vm)
{
    vm->directory_present = vm->directory_allowed = false;
    vm->context_made = vm->kernel_made = vm->ramdisk_made = false;
    g_hash_table_remove_all(vm->extras);
    for (guint i = 0; i < vm->disks->len; i++)
        effect_gone(vm->disks->pdata[i], false);
}

static void
effect_snapshot(const Step *step)
{
    GPtrArray *snapshots = disk_snapshots(step->disk);
    Snapshot *snapshot = snapshot_find(snapshots, step->snapshot);

    if (!snapshot)
        return;
    if (step->effect == EFFECT_SNAPSHOT_MADE)
        snapshot->content = *disk_content(step->disk);
    if (step->effect == EFFECT_SNAPSHOT_REVERTED) {
        *disk_content(step->disk) = snapshot->content;
        step->disk->size_mb = snapshot->size_mb;
    }
    if (step->effect == EFFECT_SNAPSHOT_DELETED)
        g_ptr_array_remove(snapshots, snapshot);
}

static void
effect_saved(const Step *step)
{
    const Snapshot *snapshot = snapshot_find(disk_snapshots(step->disk), step->snapshot);

    step->target->content = snapshot ? snapshot->content : *disk_content(step->disk);
    step->target->state = IMAGE_READY;
}

/* DELETE of data that is not in the place that is named changes nothing, but for one case: oned
 * names the last host when it tries the end of a stopped VM again. */
static bool
reaches(const World *world, const Vm *vm, const Step *step)
{
    return place_equal(vm->place, step->place) ||
           (vm->place.tree == world->frontend && vm->place.datastore == step->place.datastore);
}

/* A volume is the same everywhere: it may go with the first DELETE, whatever place that names. */
static void
effect_deleted(const World *world, const Vm *vm, const Step *step)
{
    if (reaches(world, vm, step)) {
        /* a link that is left at another place than the named one leads nowhere */
        bool elsewhere = world->storage && !place_equal(vm->place, step->place);
        effect_gone(step->disk, !step->disk->own || elsewhere);
    } else if (world->storage && step->disk->own && step->disk->present) {
        effect_gone(step->disk, true);
        step->disk->lost = true;
    }
}

/* What was on a host that died stays there. */
static void
effect_moved(World *world, Vm *vm, const Step *step)
{
    bool dead = vm->lcm_state == LCM_PROLOG_MIGRATE_UNKNOWN ||
                vm->lcm_state == LCM_PROLOG_MIGRATE_UNKNOWN_FAILURE;

    for (guint i = 0; dead && i < vm->disks->len; i++) {
        const Disk *disk = vm->disks->pdata[i];
        if (disk->role == ROLE_CDROM || disk->role == ROLE_SHAREABLE)
            disk->image->left_on = vm->place.host;
    }
    if (world->storage && world->separate && dead) {
        vm->left = vm->place;
        vm->left.host = NULL; /* its devices are to go */
        g_hash_table_remove_all(vm->extras);
        vm->context_made = false;
    }
    vm->place = step->place;
    vm->going = (Place){0};
    note_marker(world, vm->place);
}

void
effect_apply(Player *player, Vm *vm, const Step *step, Row *row)
{
    switch (step->effect) {
    case EFFECT_NONE:
        break;
    case EFFECT_MADE:
        effect_made(player, vm, step->disk, row);
        break;
    case EFFECT_RELEASED:
        effect_released(step->disk);
        break;
    case EFFECT_DELETED:
        effect_deleted(player->world, vm, step);
        break;
    case EFFECT_DIRECTORY_DELETED:
        if (reaches(player->world, vm, step))
            effect_directory_deleted(vm);
        break;
    case EFFECT_DIRECTORY_MOVED:
        effect_moved(player->world, vm, step);
        break;
    case EFFECT_KERNEL:
        vm->kernel_made = vm->directory_present = vm->directory_allowed = true;
        break;
    case EFFECT_RAMDISK:
        vm->ramdisk_made = vm->directory_present = vm->directory_allowed = true;
        break;
    case EFFECT_RESIZED:
        disk_content(step->disk)->bytes = step->size_mb * MEBIBYTE;
        if (step->disk->image && !step->disk->own)
            step->disk->image->size_mb = step->size_mb;
        step->disk->size_mb = step->size_mb;
        break;
    case EFFECT_SNAPSHOT_MADE:
    case EFFECT_SNAPSHOT_DELETED:
    case EFFECT_SNAPSHOT_REVERTED:
        effect_snapshot(step);
        break;
    case EFFECT_SAVED:
        effect_saved(step);
        break;
    }
}
