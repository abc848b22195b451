// SPDX-License-Identifier: Apache-2.0
/*
 * The lines of transfer scripts. oned's own loops are followed where they are odd: the suffix of a
 * disk sticks to all later ones in MV and recover's DELETE, LN and CLONE name the front-end, MVDS
 * and CPDS do not.
 */
#include "verify/transfer.h"

#include <string.h>

static void
step_free(gpointer data)
{
    Step *step = data;

    g_free(step->line);
    g_free(step->what);
    g_free(step);
}

GPtrArray *
steps_new(void)
{
    return g_ptr_array_new_with_free_func(step_free);
}

static Step *
add_step(GPtrArray *steps, Effect effect, Disk *disk, char *what, char *line)
{
    Step *step = g_new0(Step, 1);

    *step = (Step){.line = line, .what = what, .effect = effect, .disk = disk, .snapshot = -1};
    g_ptr_array_add(steps, step);
    return step;
}

static char *
describe(const Disk *disk)
{
    const char *grown = disk->image && disk->size_mb > disk->image->size_mb ? ", grown" : "";

    if (disk->role == ROLE_SWAP)
        return g_strdup_printf("disk.%d swap", disk->id);
    return g_strdup_printf("disk.%d %s %s%s%s%s%s", disk->id, disk_role_name(disk), disk->format,
                           disk->file_system ? " " : "", disk->file_system ? disk->file_system : "",
                           grown, disk->suffix ? ", mixed mode" : "");
}

/* ".ssh" behind the action, for disks in mixed mode. */
static char *
suffix_of(const Player *player, const Disk *disk)
{
    bool known = release_from(player->world->release, RELEASE(5, 10, 0));

    return disk->suffix && known ? g_strconcat(".", disk->suffix, NULL) : g_strdup("");
}

static char *
location(const Player *player, const Vm *vm, const Host *host, const Datastore *datastore,
         const Disk *disk)
{
    g_autofree char *directory = vm_directory_text(player->world, vm, datastore);

    if (!disk)
        return g_strdup_printf("%s:%s", host->name, directory);
    return g_strdup_printf("%s:%s/disk.%d", host->name, directory, disk->id);
}

static char *
source_location(const Player *player, const Image *image)
{
    if (strchr(image->source, ':'))
        return g_strdup(image->source);
    return g_strdup_printf("%s:%s", player->world->frontend->name, image->source);
}

void
steps_prolog_disk(const Player *player, const Vm *vm, Disk *disk, GPtrArray *steps)
{
    const History *record = vm_last(vm);
    const char *tm = player->world->driver;
    g_autofree char *target = location(player, vm, record->host, record->datastore, disk);
    g_autofree char *suffix = suffix_of(player, disk);
    int datastore = disk_datastore_id(vm, disk);
    char *line;

    if (disk->role == ROLE_SWAP) {
        disk->maker = "mkswap";
        line = g_strdup_printf("MKSWAP %s %" G_GUINT64_FORMAT " %s %d %d", tm, disk->size_mb,
                               target, vm->id, datastore);
    } else if (!disk->image) {
        disk->maker = "mkimage";
        line = g_strdup_printf("MKIMAGE %s %" G_GUINT64_FORMAT " %s %s %d %d", tm, disk->size_mb,
                               disk->format, target, vm->id, datastore);
    } else {
        g_autofree char *source = source_location(player, disk->image);
        bool copy = disk->role == ROLE_PRIVATE;
        disk->maker = copy ? "clone" : "ln";
        line = g_strdup_printf("%s%s %s %s %s %d %d", copy ? "CLONE" : "LN", suffix, tm, source,
                               target, vm->id, datastore);
    }
    add_step(steps, EFFECT_MADE, disk, describe(disk), line);
}

static void
steps_boot_file(const Player *player, const Vm *vm, const Image *image, const char *name,
                Effect effect, GPtrArray *steps)
{
    const History *record = vm_last(vm);
    g_autofree char *source = NULL;
    g_autofree char *directory = location(player, vm, record->host, record->datastore, NULL);

    if (!image)
        return;
    source = source_location(player, image);
    add_step(steps, effect, NULL, g_strdup(name),
             g_strdup_printf("CLONE %s %s %s/%s %d %d", player->world->driver, source, directory,
                             name, vm->id, image->datastore->id));
}

void
steps_prolog(const Player *player, const Vm *vm, GPtrArray *steps)
{
    for (guint i = 0; i < vm->disks->len; i++)
        steps_prolog_disk(player, vm, vm->disks->pdata[i], steps);
    steps_boot_file(player, vm, vm->kernel, "kernel", EFFECT_KERNEL, steps);
    steps_boot_file(player, vm, vm->ramdisk, "initrd", EFFECT_RAMDISK, steps);
}

static void
steps_delete_disk(const Player *player, const Vm *vm, Disk *disk, const History *record,
                  const char *suffix, GPtrArray *steps)
{
    g_autofree char *place = location(player, vm, record->host, record->datastore, disk);
    int datastore = disk->image ? disk->image->datastore->id : record->datastore->id;
    Step *step = add_step(steps, EFFECT_DELETED, disk, describe(disk),
                          g_strdup_printf("DELETE%s %s %s %d %d", suffix, player->world->driver,
                                          place, vm->id, datastore));

    step->place = world_place(player->world, record->host, record->datastore);
}

void
steps_epilog_disk(const Player *player, const Vm *vm, Disk *disk, const Host *host,
                  GPtrArray *steps)
{
    g_autofree char *suffix = suffix_of(player, disk);
    const History where = {.host = host ? host : vm_last(vm)->host,
                           .datastore = vm_last(vm)->datastore};

    if (!disk_saves(disk)) {
        steps_delete_disk(player, vm, disk, &where, suffix, steps);
        return;
    }
    g_autofree char *place = location(player, vm, where.host, where.datastore, disk);
    add_step(steps, EFFECT_RELEASED, disk, describe(disk),
             g_strdup_printf("MVDS%s %s %s %s %d %d", suffix, player->world->driver, place,
                             disk->image->source, vm->id, disk->image->datastore->id));
}

static void
steps_directory(const Player *player, const Vm *vm, const History *record, GPtrArray *steps)
{
    g_autofree char *place = location(player, vm, record->host, record->datastore, NULL);
    Step *step = add_step(steps, EFFECT_DIRECTORY_DELETED, NULL, g_strdup("the VM's directory"),
                          g_strdup_printf("DELETE %s %s %d %d", player->world->driver, place,
                                          vm->id, record->datastore->id));

    step->place = world_place(player->world, record->host, record->datastore);
}

void
steps_epilog(const Player *player, const Vm *vm, const Host *host, GPtrArray *steps)
{
    const History where = {.host = host ? host : vm_last(vm)->host,
                           .datastore = vm_last(vm)->datastore};

    for (guint i = 0; i < vm->disks->len; i++)
        steps_epilog_disk(player, vm, vm->disks->pdata[i], host, steps);
    steps_directory(player, vm, &where, steps);
}

void
steps_delete(const Player *player, const Vm *vm, const History *record, GPtrArray *steps)
{
    g_autofree char *suffix = g_strdup("");

    for (guint i = 0; i < vm->disks->len; i++) {
        Disk *disk = vm->disks->pdata[i];
        if (disk->suffix) { /* it sticks */
            g_free(suffix);
            suffix = suffix_of(player, disk);
        }
        steps_delete_disk(player, vm, disk, record, suffix, steps);
    }
    steps_directory(player, vm, record, steps);
}

void
steps_move(const Player *player, Vm *vm, const Host *from, Datastore *from_datastore,
           const Host *to, Datastore *to_datastore, GPtrArray *steps)
{
    g_autofree char *suffix = g_strdup("");
    const char *tm = player->world->driver;

    for (guint i = 0; i < vm->disks->len; i++) {
        Disk *disk = vm->disks->pdata[i];
        g_autofree char *source = location(player, vm, from, from_datastore, disk);
        g_autofree char *target = location(player, vm, to, to_datastore, disk);
        if (disk->suffix) {
            g_free(suffix);
            suffix = suffix_of(player, disk);
        }
        add_step(steps, EFFECT_NONE, disk, describe(disk),
                 g_strdup_printf("MV%s %s %s %s %d %d", suffix, tm, source, target, vm->id,
                                 disk_datastore_id(vm, disk)));
    }
    g_autofree char *source = location(player, vm, from, from_datastore, NULL);
    g_autofree char *target = location(player, vm, to, to_datastore, NULL);
    Step *last = add_step(
        steps, EFFECT_DIRECTORY_MOVED, NULL, g_strdup("the VM's directory"),
        g_strdup_printf("MV %s %s %s %d %d", tm, source, target, vm->id, to_datastore->id));

    last->place = world_place(player->world, to, to_datastore);
    if (!place_equal(vm->place, last->place))
        vm->going = last->place;
}

void
steps_resize(const Player *player, const Vm *vm, Disk *disk, guint64 size_mb, GPtrArray *steps)
{
    const History *record = vm_last(vm);
    g_autofree char *place = location(player, vm, record->host, record->datastore, disk);
    g_autofree char *suffix = suffix_of(player, disk);
    Step *step = add_step(steps, EFFECT_RESIZED, disk, describe(disk),
                          g_strdup_printf("RESIZE%s %s %s %" G_GUINT64_FORMAT " %d %d", suffix,
                                          player->world->driver, place, size_mb, vm->id,
                                          disk_datastore_id(vm, disk)));

    step->size_mb = size_mb;
}

void
steps_snapshot(const Player *player, const Vm *vm, const char *action, Disk *disk, int id,
               GPtrArray *steps)
{
    const History *record = vm_last(vm);
    g_autofree char *place = location(player, vm, record->host, record->datastore, disk);
    g_autofree char *suffix = suffix_of(player, disk);
    g_autofree char *word = g_ascii_strup(action, -1);
    Effect effect = strcmp(action, "snap_delete") == 0   ? EFFECT_SNAPSHOT_DELETED
                    : strcmp(action, "snap_revert") == 0 ? EFFECT_SNAPSHOT_REVERTED
                                                         : EFFECT_SNAPSHOT_MADE;
    g_autofree char *text = describe(disk);
    Step *step =
        add_step(steps, effect, disk, g_strdup_printf("%s, snapshot %d", text, id),
                 g_strdup_printf("%s%s %s %s %d %d %d", word, suffix, player->world->driver, place,
                                 id, vm->id, disk_datastore_id(vm, disk)));

    step->snapshot = id;
}

void
steps_save(const Player *player, const Vm *vm, const Host *host, Disk *disk, int snapshot,
           Image *target, GPtrArray *steps)
{
    const History *record = vm_last(vm);
    g_autofree char *place =
        location(player, vm, host ? host : record->host, record->datastore, disk);
    g_autofree char *suffix = suffix_of(player, disk);
    g_autofree char *text = describe(disk);
    g_autofree char *of =
        snapshot < 0 ? g_strdup(text) : g_strdup_printf("%s, snapshot %d", text, snapshot);
    Step *step =
        add_step(steps, EFFECT_SAVED, disk, g_steal_pointer(&of),
                 g_strdup_printf("CPDS%s %s %s %s %d %d %d", suffix, player->world->driver, place,
                                 target->source, snapshot, vm->id, disk->image->datastore->id));

    step->snapshot = snapshot;
    step->target = target;
}
