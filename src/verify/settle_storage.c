// SPDX-License-Identifier: Apache-2.0
/*
 * After every action, where volumes are devices: each volume of the storage belongs to an image or
 * a disk and holds what it must; disks are links to devices on the host where the VM is; nothing is
 * attached elsewhere, and two may write only while a VM is on its way.
 *
 * As in settle.c, what is wrong is said once.
 */
#include "verify/settle_storage.h"

#include "base/error.h"
#include "verify/storage.h"

#include <string.h>

typedef struct Use {
    GHashTable *hosts; /* names of hosts where a VM uses it */
    bool two;          /* two may write */
    guint snapshots;   /* at most */
} Use;

typedef struct Survey {
    Player *player;
    Row *row;
    GHashTable *uses; /* volume's name → Use */
} Survey;

static void
use_free(gpointer data)
{
    g_hash_table_unref(((Use *)data)->hosts);
    g_free(data);
}

static Use *
use_of(Survey *survey, const Stored *stored)
{
    Use *use = g_hash_table_lookup(survey->uses, stored->name);

    if (!use) {
        use = g_new0(Use, 1);
        use->hosts = g_hash_table_new(g_str_hash, g_str_equal);
        g_hash_table_insert(survey->uses, g_strdup(stored->name), use);
    }
    return use;
}

static bool
once(const Survey *survey, const char *fault, const char *name)
{
    return g_hash_table_add(survey->player->litter, g_strdup_printf("%s %s", fault, name));
}

/* Then what is there is what is expected. False if it cannot be read: `error` is taken over. */
static bool
judge_content(Survey *survey, const char *what, bool read, const Content *seen, Content *expected,
              GError *error)
{
    if (!read) {
        row_error(survey->row, what, error);
        return false;
    }
    if (!content_equal(seen, expected)) {
        g_autofree char *want = content_text(expected);
        g_autofree char *have = content_text(seen);
        g_autofree char *text = g_strdup_printf("%s with %s", what, want);
        row_problem(survey->row, text, "%s", have);
        *expected = *seen;
    }
    return true;
}

/* Instant copies of an image may lean on a snapshot of it. */
static guint
copies_of(const World *world, const Image *image)
{
    guint count = 0;

    for (guint i = 0; i < world->vms->len; i++) {
        const Vm *vm = world->vms->pdata[i];
        for (guint k = 0; k < vm->disks->len; k++) {
            const Disk *disk = vm->disks->pdata[k];
            count += disk->image == image && disk->own && (disk->present || disk->lost);
        }
    }
    return count;
}

static void
survey_image(Survey *survey, Image *image)
{
    const World *world = survey->player->world;
    const Stored *stored = storage_find(world->storage, image->source);
    g_autofree char *what = g_strdup_printf("image %d (%s)", image->id, image->format);
    GError *error = NULL;
    Content seen;

    if (!image->source || !*image->source)
        return;
    if (stored) {
        Use *use = use_of(survey, stored);
        use->two = image->shareable;
        use->snapshots = image->snapshots->len + copies_of(world, image);
        if (image->left_on)
            g_hash_table_add(use->hosts, image->left_on->name);
    }
    if (image->content.bytes == 0 || (image->saved_vm >= 0 && !stored && !image->content.bytes))
        return;
    bool read = stored ? storage_read(world->storage, stored, image->format, image->content.bytes,
                                      &seen, &error)
                       : set_error(&error, ONEVOL_ERROR_NOT_FOUND,
                                   "there is no volume of SOURCE '%s'", image->source);
    if (!judge_content(survey, what, read, &seen, &image->content, error)) {
        g_free(image->source); /* said once: from now on nobody expects it */
        image->source = g_strdup("");
    }
}

/* The volume that the link of a disk leads to, if its device is there. */
static const Stored *
linked(const World *world, const Vm *vm, const Disk *disk, const Place *place, GError **error)
{
    g_autofree char *path =
        g_strdup_printf("%s/%d/disk.%d", place->datastore->path, vm->id, disk->id);
    g_autofree char *text = host_link(place->host, path);
    const Stored *stored = storage_find(world->storage, text);

    if (!text)
        set_error(error, ONEVOL_ERROR_NOT_FOUND, "'%s' on %s is no link", path, place->host->name);
    else if (!stored)
        set_error(error, ONEVOL_ERROR_NOT_FOUND, "'%s' on %s leads to '%s', which is no volume",
                  path, place->host->name, text);
    else if (!host_exists(place->host, path))
        set_error(error, ONEVOL_ERROR_NOT_FOUND, "there is no device '%s' on %s", text,
                  place->host->name);
    else
        return stored;
    return NULL;
}

static bool
is_stopped(const World *world, const Vm *vm)
{
    return vm->place.host == world->frontend && !vm->going.datastore;
}

static const Stored *
find_disk(const World *world, const Vm *vm, const Disk *disk, const Place **where, GError **error)
{
    const Stored *stored = NULL;

    *where = NULL;
    if (is_stopped(world, vm)) {
        stored = storage_find(world->storage, disk->own ? disk->volume : disk->image->source);
        if (!stored)
            set_error(error, ONEVOL_ERROR_NOT_FOUND, "its volume '%s' is gone",
                      disk->volume ? disk->volume : "?");
        return stored;
    }
    if (vm->place.host != world->frontend)
        stored = linked(world, vm, disk, *where = &vm->place, vm->going.datastore ? NULL : error);
    if (!stored && vm->going.datastore && vm->going.host != world->frontend)
        stored = linked(world, vm, disk, *where = &vm->going, error);
    else if (!stored && vm->going.datastore) { /* detached on its way to the front-end */
        *where = NULL;
        stored = storage_find(world->storage, disk->own ? disk->volume : disk->image->source);
    }
    if (!stored && vm->place.host == world->frontend && disk->volume) { /* not attached yet */
        g_clear_error(error);
        *where = NULL;
        stored = storage_find(world->storage, disk->volume);
    }
    if (!stored && error && !*error)
        set_error(error, ONEVOL_ERROR_NOT_FOUND, "it is nowhere");
    return stored;
}

static bool
read_disk(const World *world, const Vm *vm, const Disk *disk, guint64 bytes, const Stored *stored,
          const Place *where, Content *content, GError **error)
{
    if (!where)
        return storage_read(world->storage, stored, disk->format, bytes, content, error);
    g_autofree char *path =
        g_strdup_printf("%s/%d/disk.%d", where->datastore->path, vm->id, disk->id);
    return storage_read_link(world->storage, stored, where->host, path, disk->format, bytes,
                             content, error);
}

/* A disk of its own is no image; others are their image's volume. */
static void
judge_owner(Survey *survey, const Disk *disk, const Stored *stored, const char *what)
{
    const World *world = survey->player->world;

    for (guint i = 0; disk->own && i < world->images->len; i++) {
        const Image *image = world->images->pdata[i];
        if (storage_find(world->storage, image->source) == stored && once(survey, "shared", what))
            row_problem(survey->row, "a disk of its own", "'%s' is image %d itself", stored->name,
                        image->id);
    }
    if (!disk->own && storage_find(world->storage, disk->image->source) != stored &&
        once(survey, "apart", what))
        row_problem(survey->row, "a link to the image", "'%s' is something else", stored->name);
}

static void
note_use(Survey *survey, const Vm *vm, const Disk *disk, const Stored *stored)
{
    const Place *places[] = {&vm->place, &vm->going, &vm->left};
    Use *use = use_of(survey, stored);

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
        if (places[i]->datastore && places[i]->host &&
            (places[i] != &vm->left || places[i]->host != vm->place.host))
            g_hash_table_add(use->hosts, places[i]->host->name);
    use->two |= vm->live;
    if (disk->own) /* of a lost one nobody knows them any more */
        use->snapshots = disk->present ? disk->snapshots->len : G_MAXUINT;
}

static void
survey_disk(Survey *survey, Vm *vm, Disk *disk)
{
    World *world = survey->player->world;
    g_autofree char *what = g_strdup_printf("disk %d of VM %d (%s %s)", disk->id, vm->id,
                                            disk_role_name(disk), disk->format);
    Content *expected = disk_content(disk), seen;
    GError *error = NULL;
    const Place *where;

    if (!disk->present) {
        const Stored *old = disk->lost ? storage_find(world->storage, disk->volume) : NULL;
        if (old)
            note_use(survey, vm, disk, old);
        return;
    }
    const Stored *stored = find_disk(world, vm, disk, &where, &error);
    bool read = stored && read_disk(world, vm, disk, expected->bytes, stored, where, &seen, &error);
    if (!judge_content(survey, what, read, &seen, expected, error)) {
        disk->present = false;
        disk->detached = disk->lost = true;
        return;
    }
    g_free(disk->volume);
    disk->volume = g_strdup(stored->name);
    note_use(survey, vm, disk, stored);
    judge_owner(survey, disk, stored, what);
    if (vm->live && !linked(world, vm, disk, &vm->going, &error))
        row_error(survey->row, "its device at both ends of a live migration", error);
}

static void
judge_stored(Survey *survey, const Stored *stored)
{
    const Use *use = g_hash_table_lookup(survey->uses, stored->name);

    if (!use) {
        if (once(survey, "strange", stored->name))
            row_problem(survey->row, "only volumes that belong to an image or a disk", "'%s'",
                        stored->name);
        return;
    }
    for (char **host = stored->hosts; *host; host++) {
        g_autofree char *name = g_strdup_printf("%s on %s", stored->name, *host);
        if (**host && !g_hash_table_contains(use->hosts, *host) && once(survey, "attached", name))
            row_problem(survey->row, "volumes attached only where a VM uses them", "'%s'", name);
    }
    if (stored->two && !use->two && once(survey, "two", stored->name))
        row_problem(survey->row, "one writer at a time", "two hosts may write to '%s'",
                    stored->name);
    if (stored->snapshots > use->snapshots && once(survey, "snapshots", stored->name))
        row_problem(survey->row, "only snapshots that somebody knows", "'%s' has %u, not %u",
                    stored->name, stored->snapshots, use->snapshots);
}

void
settle_storage(Player *player, Row *row)
{
    World *world = player->world;
    Survey survey = {.player = player, .row = row};
    GError *error = NULL;

    if (!storage_look(world->storage, &error)) {
        row_error(row, "a storage that tells what it has", error);
        return;
    }
    survey.uses = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, use_free);
    for (guint i = 0; i < world->images->len; i++)
        survey_image(&survey, world->images->pdata[i]);
    for (guint i = 0; i < world->vms->len; i++) {
        Vm *vm = world->vms->pdata[i];
        for (guint k = 0; k < vm->disks->len; k++)
            survey_disk(&survey, vm, vm->disks->pdata[k]);
    }
    const GPtrArray *all = storage_all(world->storage);
    for (guint i = 0; i < all->len; i++)
        judge_stored(&survey, all->pdata[i]);
    g_hash_table_unref(survey.uses);
}

bool
settle_read_disk(const Player *player, const Vm *vm, const Disk *disk, guint64 bytes,
                 Content *content, GError **error)
{
    const World *world = player->world;
    g_autofree char *path = vm_disk_path(vm, disk);
    const Place *where;

    if (!world->storage)
        return content_read(vm->place.tree, path, disk->format, content, error);
    if (!storage_look(world->storage, error))
        return false;
    const Stored *stored = find_disk(world, vm, disk, &where, error);
    return stored && read_disk(world, vm, disk, bytes, stored, where, content, error);
}

bool
settle_read_image(const Player *player, const Image *image, Content *content, GError **error)
{
    const World *world = player->world;

    if (!world->storage)
        return content_read(world->frontend, image->source, image->format, content, error);
    if (!storage_look(world->storage, error))
        return false;
    const Stored *stored = storage_find(world->storage, image->source);
    if (!stored)
        return set_error(error, ONEVOL_ERROR_NOT_FOUND, "there is no volume of SOURCE '%s'",
                         image->source);
    return storage_read(world->storage, stored, image->format, image->size_mb * MEBIBYTE, content,
                        error);
}

const char *
settle_image_format(const Player *player, const char *source)
{
    Storage *storage = player->world->storage;

    if (!storage || !storage_look(storage, NULL))
        return NULL;
    const Stored *stored = storage_find(storage, source);
    return stored ? storage_format(storage, stored, NULL) : NULL;
}
