// SPDX-License-Identifier: Apache-2.0
#include "verify/life.h"

#include "base/command.h"
#include "base/error.h"
#include "verify/settle_storage.h"

#include <stdio.h>
#include <string.h>

bool
life_prolog(Player *player, Vm *vm)
{
    GPtrArray *steps = steps_new();

    vm_set_state(vm, STATE_ACTIVE, LCM_PROLOG);
    vm->directory_allowed = true;
    const Place place = world_place(player->world, vm_last(vm)->host, vm_last(vm)->datastore);
    if (!place_equal(vm->place, place))
        vm_start_afresh(vm, place);
    steps_prolog(player, vm, steps);
    return transfer_play(player, vm, "prolog", steps);
}

void
hypervisor_file(Player *player, Vm *vm, const char *name, const char *content)
{
    g_autofree char *directory = vm_directory(vm, vm->place.datastore);
    g_autofree char *path = g_build_filename(directory, name, NULL);
    Content *written = g_new0(Content, 1);
    GError *error = NULL;

    if (host_put(vm->place.tree, path, content, strlen(content), &error) &&
        content_read(vm->place.tree, path, "raw", written, &error)) {
        g_hash_table_replace(vm->extras, g_strdup(name), written);
        return;
    }
    g_free(written);
    Row *row = play_check_row(player, "clone", "the hypervisor writes beside the disks");
    row_error(row, "a writable directory", error);
    (void)play_show(player, row);
}

/* deploy writes these into the VM's directory on the host. */
static void
hypervisor_boots(Player *player, Vm *vm)
{
    g_autofree char *deployment = g_strdup_printf("deployment.%u", vm->history->len - 1);
    g_autofree char *nvram = g_strdup_printf("one-%d_VARS.fd", vm->id);

    hypervisor_file(player, vm, deployment, "<domain type='kvm'/>\n");
    hypervisor_file(player, vm, nvram, "NVRAM\n");
    if (release_from(player->world->release, RELEASE(6, 0, 0))) {
        hypervisor_file(player, vm, "vm.xml", "<VM/>\n");
        hypervisor_file(player, vm, "ds.xml", "<DATASTORE/>\n");
    }
    vm->booted = true;
}

bool
life_deploy(Player *player, Vm *vm)
{
    if (!life_prolog(player, vm))
        return false;
    if (vm->context_id >= 0 && !life_context(player, vm, LCM_BOOT))
        return false;
    hypervisor_boots(player, vm);
    vm_set_state(vm, STATE_ACTIVE, LCM_RUNNING);
    return true;
}

bool
life_poweroff(G_GNUC_UNUSED Player *player, Vm *vm)
{
    vm_set_state(vm, STATE_POWEROFF, LCM_INIT);
    return true;
}

bool
life_resume(Player *player, Vm *vm)
{
    return vm->context_id < 0 || life_context(player, vm, LCM_BOOT_POWEROFF);
}

bool
life_attach(Player *player, Vm *vm, Disk *disk, bool running)
{
    GPtrArray *steps = steps_new();

    disk->attaching = true;
    vm_set_state(vm, STATE_ACTIVE, running ? LCM_HOTPLUG : LCM_HOTPLUG_PROLOG_POWEROFF);
    steps_prolog_disk(player, vm, disk, steps);
    bool good = transfer_play(player, vm, running ? NULL : "prolog_attach", steps);
    disk->attaching = false;
    vm_set_state(vm, running ? STATE_ACTIVE : STATE_POWEROFF, running ? LCM_RUNNING : LCM_INIT);
    return good;
}

bool
life_detach(Player *player, Vm *vm, Disk *disk, bool running)
{
    GPtrArray *steps = steps_new();

    disk->attaching = true;
    vm_set_state(vm, STATE_ACTIVE, running ? LCM_HOTPLUG : LCM_HOTPLUG_EPILOG_POWEROFF);
    steps_epilog_disk(player, vm, disk, NULL, steps);
    bool good = transfer_play(player, vm, running ? NULL : "epilog_detach", steps);
    vm_set_state(vm, running ? STATE_ACTIVE : STATE_POWEROFF, running ? LCM_RUNNING : LCM_INIT);
    /* nothing of it may stay: its id comes back */
    disk->detached = false;
    if (good)
        good = play_check(player, disk_saves(disk) ? "mvds" : "delete", "nothing of the disk left");
    vm_remove_disk(vm, disk);
    return good;
}

bool
life_terminate(Player *player, Vm *vm, const Host *host)
{
    GPtrArray *steps = steps_new();

    vm_set_state(vm, STATE_ACTIVE, LCM_EPILOG);
    steps_epilog(player, vm, host, steps);
    bool good = transfer_play(player, vm, "epilog", steps);
    if (good)
        life_forget(player, vm);
    else
        life_abandon(player, vm);
    return good;
}

/* What oned has forgotten at another place is for its admin to remove. */
void
life_forget(Player *player, Vm *vm)
{
    g_autofree char *directory = vm->left.tree ? vm_directory(vm, vm->left.datastore) : NULL;

    if (directory)
        (void)host_remove(vm->left.tree, directory, NULL);
    world_forget_vm(player->world, vm);
}

void
life_abandon(Player *player, Vm *vm)
{
    const Place places[] = {vm->place, vm->going};

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *directory =
            places[i].datastore ? vm_directory(vm, places[i].datastore) : NULL;
        if (directory)
            (void)host_remove(places[i].tree, directory, NULL);
    }
    life_forget(player, vm);
}

bool
life_move(Player *player, Vm *vm, const char *script, int state, int lcm_state, const Host *from,
          Datastore *from_datastore, const Host *to, Datastore *to_datastore)
{
    GPtrArray *steps = steps_new();

    vm_set_state(vm, state, lcm_state);
    steps_move(player, vm, from, from_datastore, to, to_datastore, steps);
    return transfer_play(player, vm, script, steps);
}

/* Three places: the first sector, the middle, and the last bytes (the grown part if it grew). */
static bool
write_places(Player *player, Vm *vm, Disk *disk, GError **error)
{
    g_autofree char *path = vm_disk_path(vm, disk);
    guint64 bytes = disk_content(disk)->bytes;
    const guint64 places[] = {0, bytes / 2 & ~511ull, bytes - 4096};
    const Host *host = vm->place.host ? vm->place.host : vm->place.tree;

    player->seed++;
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
        if (!content_write(host, path, disk->format, places[i], 4096, player->seed, error))
            return false;
    return settle_read_disk(player, vm, disk, bytes, disk_content(disk), error);
}

bool
guest_write(Player *player, Vm *vm, Disk *disk)
{
    g_autofree char *what = g_strdup_printf("the guest writes into disk.%d (%s %s)", disk->id,
                                            disk_role_name(disk), disk->format);
    GError *error = NULL;

    if (write_places(player, vm, disk, &error))
        return play_check(player, disk->maker, what);
    Row *row = play_check_row(player, disk->maker, what);
    row_error(row, "a writable disk", error);
    (void)play_settle(player, row);
    return false;
}

Image *
given_image(Player *player, bool persistent)
{
    const Import import = {.type = IMAGE_OS,
                           .datastore = player->world->raw,
                           .source = "base.img",
                           .source_format = "raw",
                           .format = "raw",
                           .persistent = persistent,
                           .what = "raw image"};
    return datastore_cp(player, &import);
}

Image *
given_qcow2(Player *player)
{
    const Import import = {.type = IMAGE_OS,
                           .datastore = player->world->raw,
                           .source = "base.qcow2",
                           .source_format = "qcow2",
                           .format = "qcow2",
                           .what = "qcow2 image"};
    return datastore_cp(player, &import);
}

Image *
given_cdrom(Player *player)
{
    const Import import = {.type = IMAGE_CDROM,
                           .datastore = player->world->raw,
                           .source = "cd.iso",
                           .source_format = "raw",
                           .format = "raw",
                           .what = "CD-ROM"};
    return datastore_cp(player, &import);
}

Image *
given_datablock(Player *player, guint64 size_mb)
{
    return datastore_mkfs(player, player->world->raw, "raw", NULL, size_mb, true);
}

void
remove_images(Player *player)
{
    GPtrArray *images = player->world->images;

    while (images->len > 0) {
        Image *image = images->pdata[images->len - 1];
        guint before = images->len;
        if (image->source && *image->source && !cancel_requested())
            (void)datastore_rm(player, image);
        if (images->len == before) { /* it could not be removed: said already */
            if (image->source && g_str_has_prefix(image->source, player->world->store))
                (void)remove(image->source);
            world_forget_image(player->world, image);
        }
    }
}
