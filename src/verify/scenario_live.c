// SPDX-License-Identifier: Apache-2.0
/*
 * Live migration (the hypervisor's part is nothing here: both host names are this machine), and the
 * backup actions, which a driver without backups has to refuse.
 */
#include "verify/documents.h"
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

/* The document is an argument up to 5.8 and on stdin since 5.10, base64 in both. `caller`: the
 * driver of a foreign system datastore that passes the action on, as one word more, or "". */
static bool
migrate_action(Player *player, Vm *vm, const char *action, const char *caller, const Host *from,
               const Host *to)
{
    const World *world = player->world;
    g_autofree char *directory = vm_directory_text(world, vm, vm->place);
    g_autofree char *document = document_vm(world, vm, true);
    g_autofree char *packed = g_base64_encode((const guchar *)document, strlen(document));
    bool input = release_from(world->release, RELEASE(5, 10, 0));
    g_autofree char *line =
        g_strdup_printf("%s %s %s %s %s %d %d %s %s", action, world->driver, from->name, to->name,
                        directory, vm->id, vm->place->id, input ? "" : packed, caller);
    PlayAnswer answer = {0};
    bool good = true;

    if (!play_has(player, "tm", action))
        return true;
    for (int run = 0; good && run < 1 + player->settings->twice; run++) {
        g_autofree char *what = g_strdup_printf("%s to %s%s%s", from->name, to->name,
                                                *caller ? ", called by " : "", caller);
        Row *row =
            transfer_line_input(player, line, input ? packed : NULL, what, MUST_WORK, &answer);
        g_free(answer.out);
        good = play_settle(player, row);
    }
    return answer.succeeded;
}

static bool
migrate_there(Player *player, Vm *vm, const char *ending, const char *caller)
{
    const World *world = player->world;

    return migrate_action(player, vm, "premigrate", caller, world->host, world->frontend) &&
           migrate_action(player, vm, ending, caller, world->host, world->frontend);
}

void
scenario_live_migration(Player *player)
{
    World *world = player->world;
    Vm *vm = given_vm(player);

    if (vm) {
        bool good;
        vm_add_history(vm, world->frontend, world->system);
        vm_set_state(vm, STATE_ACTIVE, LCM_MIGRATE);
        good = migrate_there(player, vm, "failmigrate", "") &&
               migrate_there(player, vm, "postmigrate", "") &&
               migrate_there(player, vm, "postmigrate", "ssh");
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
    g_autofree char *directory = vm_directory_text(world, vm, vm->place);
    g_autofree char *document = document_vm(world, vm, true);
    bool job = release_from(world->release, RELEASE(6, 8, 0));
    bool joined = release_from(world->release, RELEASE(6, 10, 0));
    g_autofree char *line = g_strdup_printf(
        "%s %s %s:%s 0:1%s one-%d %s%d %d", action, world->driver, vm_last(vm)->host->name,
        directory, joined ? "" : ":", vm->id, job ? "- " : "", vm->id, vm->place->id);

    if (!play_has(player, "tm", action))
        return;
    (void)play_settle(
        player, transfer_line_input(player, line, document, "full backup", expectation, NULL));
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
        (void)life_terminate(player, vm, NULL);
    }
    remove_images(player);
}
