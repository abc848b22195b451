// SPDX-License-Identifier: Apache-2.0
/*
 * Live migration, with the hypervisor's part where hosts have disks of their own; and the backup
 * actions, which a driver without backups has to refuse.
 */
#include "verify/documents.h"
#include "verify/matrix.h"
#include "verify/scenarios.h"

#include <string.h>

static Vm *
given_vm(Player *player)
{
    World *world = player->world;
    Image *persistent = given_datablock(player, 8);
    Image *private = given_image(player, false);

    if (!persistent || !private)
        return NULL;
    Vm *vm = world_vm(world);
    vm_add_disk(world, vm, ROLE_PERSISTENT, persistent, persistent->size_mb);
    vm_add_disk(world, vm, ROLE_PRIVATE, private, private->size_mb);
    vm_add_volatile(world, vm, "raw", NULL, 4);
    if (life_deploy(player, vm) && guest_write(player, vm, vm->disks->pdata[1]))
        return vm;
    life_abandon(player, vm);
    return NULL;
}

/* Where an action leaves the disks of a VM that others see, or nobody but it does. */
static void
expect_after(const World *world, Vm *vm, const char *action, const Host *to)
{
    bool there = strcmp(action, "premigrate") == 0;
    const Place place = world_place(world, to, vm->place.datastore);

    if (world->storage) {
        vm->going = there ? place : (Place){0};
        vm->live = there;
        if (strcmp(action, "postmigrate") == 0)
            vm->place = place;
        return;
    }
    /* the hypervisor needs a directory there, and copies */
    vm->visitor = there ? place : (Place){0};
    if (strcmp(action, "postmigrate") == 0)
        vm->place.tree = to;
}

/* The document is an argument up to 5.8 and on stdin since 5.10, base64 in both. `caller`: the
 * driver of a foreign system datastore that passes the action on, as one word more, or "". */
static bool
migrate_action(Player *player, Vm *vm, const char *action, const char *caller, const Host *from,
               const Host *to)
{
    const World *world = player->world;
    g_autofree char *directory = vm_directory_text(world, vm, vm->place.datastore);
    g_autofree char *document = document_vm(world, vm, true);
    g_autofree char *packed = g_base64_encode((const guchar *)document, strlen(document));
    bool input = release_from(world->release, RELEASE(5, 10, 0));
    g_autofree char *line =
        g_strdup_printf("%s %s %s %s %s %d %d %s %s", action, world->driver, from->name, to->name,
                        directory, vm->id, vm->place.datastore->id, input ? "" : packed, caller);
    PlayAnswer answer = {0};
    bool good = true;

    if (!play_has(player, "tm", action))
        return true;
    if (world->storage || (world->separate && !*caller))
        expect_after(world, vm, action, to);
    for (int run = 0; good && run < 1 + player->settings->twice; run++) {
        g_autofree char *what = g_strdup_printf("%s to %s%s%s", from->name, to->name,
                                                *caller ? ", called by " : "", caller);
        Row *row =
            transfer_line_input(player, line, input ? packed : NULL, what, MUST_WORK, &answer);
        matrix_mark(row, "VM", vm->state, vm->lcm_state);
        g_free(answer.out);
        good = play_settle(player, row);
    }
    return answer.succeeded;
}

/* What kvm/migrate does for disks that only the source has. */
static bool
hypervisor_copies(Player *player, Vm *vm, const Host *from, const Host *to)
{
    g_autofree char *directory = vm_directory(vm, vm->place.datastore);
    GError *error = NULL;

    if (host_send(from, to, directory, &error))
        return true;
    Row *row = play_check_row(player, "premigrate", "the hypervisor copies the disks");
    row_error(row, "a directory that it can write to", error);
    return play_show(player, row);
}

/* Where the driver of the system datastore is another one, directories are its business: it brings
 * them before it passes the action on, and removes the old one after. */
static bool
foreign_ending(Player *player, Vm *vm, const char *ending, const char *caller, const Host *from,
               const Host *to)
{
    const World *world = player->world;
    const Host *loser = strcmp(ending, "postmigrate") == 0 ? from : to;
    g_autofree char *directory = vm_directory(vm, vm->place.datastore);

    if (world->separate)
        vm->left = (Place){.tree = world_tree(world, loser), .datastore = vm->place.datastore};
    bool good = migrate_action(player, vm, ending, caller, from, to);
    if (world->separate)
        (void)host_remove(loser, directory, NULL);
    vm->left = (Place){0};
    return good;
}

/* Devices go along: both ends have them until the end, then one. */
static bool
devices_there(Player *player, Vm *vm, const char *ending, const char *caller, const Host *from,
              const Host *to)
{
    bool foreign = *caller != '\0';

    if (foreign && player->world->separate && !hypervisor_copies(player, vm, from, to))
        return false;
    if (!migrate_action(player, vm, "premigrate", caller, from, to) ||
        !guest_write(player, vm, vm->disks->pdata[0]))
        return false;
    return foreign ? foreign_ending(player, vm, ending, caller, from, to)
                   : migrate_action(player, vm, ending, caller, from, to);
}

static bool
migrate_devices(Player *player, Vm *vm)
{
    const World *world = player->world;
    const Host *here = world->host, *there = world->host2;

    return devices_there(player, vm, "failmigrate", "", here, there) &&
           devices_there(player, vm, "postmigrate", "", here, there) &&
           guest_write(player, vm, vm->disks->pdata[1]) &&
           devices_there(player, vm, "failmigrate", "ssh", there, here) &&
           devices_there(player, vm, "postmigrate", "ssh", there, here) &&
           devices_there(player, vm, "postmigrate", "", here, there);
}

static bool
migrate_there(Player *player, Vm *vm, const char *ending, const char *caller)
{
    const World *world = player->world;
    bool copies = world->separate && !*caller && strcmp(ending, "postmigrate") == 0;

    return migrate_action(player, vm, "premigrate", caller, world->host, world->host2) &&
           (!copies || hypervisor_copies(player, vm, world->host, world->host2)) &&
           migrate_action(player, vm, ending, caller, world->host, world->host2);
}

/* The copy is given up half-way. */
static bool
fail_there(Player *player, Vm *vm)
{
    const World *world = player->world;

    if (!migrate_action(player, vm, "premigrate", "", world->host, world->host2) ||
        (world->separate && !hypervisor_copies(player, vm, world->host, world->host2)))
        return false;
    return migrate_action(player, vm, "failmigrate", "", world->host, world->host2);
}

static bool
migrate_files(Player *player, Vm *vm)
{
    return migrate_there(player, vm, "failmigrate", "") && fail_there(player, vm) &&
           migrate_there(player, vm, "postmigrate", "ssh") &&
           migrate_there(player, vm, "postmigrate", "");
}

void
scenario_live_migration(Player *player)
{
    World *world = player->world;
    Vm *vm = given_vm(player);

    if (vm) {
        bool good;
        vm_add_history(vm, world->host2, world->system);
        vm_set_state(vm, STATE_ACTIVE, LCM_MIGRATE);
        good = world->storage ? migrate_devices(player, vm) : migrate_files(player, vm);
        vm_set_state(vm, STATE_ACTIVE, LCM_RUNNING);
        if (good)
            (void)life_terminate(player, vm, NULL);
        else
            life_abandon(player, vm);
    }
    remove_images(player);
}

static void
backup_action(Player *player, Vm *vm, const char *action, Expectation expectation)
{
    const World *world = player->world;
    g_autofree char *directory = vm_directory_text(world, vm, vm->place.datastore);
    g_autofree char *document = document_vm(world, vm, true);
    bool job = release_from(world->release, RELEASE(6, 8, 0));
    bool joined = release_from(world->release, RELEASE(6, 10, 0));
    g_autofree char *line = g_strdup_printf(
        "%s %s %s:%s 0:1%s one-%d %s%d %d", action, world->driver, vm_last(vm)->host->name,
        directory, joined ? "" : ":", vm->id, job ? "- " : "", vm->id, vm->place.datastore->id);

    if (!play_has(player, "tm", action))
        return;
    Row *row = transfer_line_input(player, line, document, "full backup", expectation, NULL);
    matrix_mark(row, "VM", vm->state, vm->lcm_state);
    (void)play_settle(player, row);
}

/* argv and an empty stdin (one_vmm_exec.rb). */
static void
restore(Player *player, Vm *vm)
{
    const World *world = player->world;
    g_autofree char *directory = vm_directory_text(world, vm, vm->place.datastore);
    g_autofree char *line = g_strdup_printf("restore %s %s:%s %d 17 -1 -1", world->driver,
                                            vm_last(vm)->host->name, directory, vm->id);

    vm_set_state(vm, STATE_ACTIVE, LCM_RESTORE);
    if (!release_from(world->release, RELEASE(6, 10, 0)) || !play_has(player, "tm", "restore"))
        return;
    Row *row = transfer_line(player, line, "of a backup", MUST_FAIL, NULL);
    matrix_mark(row, "VM", vm->state, vm->lcm_state);
    (void)play_settle(player, row);
}

void
scenario_backup(Player *player)
{
    Vm *vm = given_vm(player);

    if (vm) {
        vm_set_state(vm, STATE_ACTIVE, LCM_BACKUP_POWEROFF);
        backup_action(player, vm, "prebackup", MUST_FAIL);
        backup_action(player, vm, "postbackup", MUST_WORK);
        vm_set_state(vm, STATE_ACTIVE, LCM_BACKUP);
        backup_action(player, vm, "prebackup_live", MUST_FAIL);
        backup_action(player, vm, "postbackup_live", MUST_WORK);
        restore(player, vm);
        (void)life_terminate(player, vm, NULL);
    }
    remove_images(player);
}
