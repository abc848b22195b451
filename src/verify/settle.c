// SPDX-License-Identifier: Apache-2.0
/*
 * After every action: the tree below datastores/ against a list of what must and may be there, then
 * the content of every image and disk against what it must hold.
 *
 * What is found wrong is reported once, on the row of the action that just ran; then the world is
 * taken as it is, so that one fault does not make every later row fail.
 */
#include "base/error.h"
#include "verify/settle_storage.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum { MAY_BE, MUST_BE, MAY_BE_TREE } Presence;

typedef struct Expected {
    Presence presence;
    bool seen;
} Expected;

typedef struct Look {
    Player *player;
    Row *row;
    const Host *tree;     /* whose datastores/ is looked at */
    GHashTable *expected; /* path → Expected */
} Look;

/* A path of that tree as people say it. The caller frees it. */
static char *
say(const Look *look, const char *path)
{
    const World *world = look->player->world;
    const char *name = path + strlen(world->store) + 1;

    return look->tree == world->frontend ? g_strdup_printf("'%s'", name)
                                         : g_strdup_printf("'%s' on %s", name, look->tree->name);
}

/* True the first time that this is found wrong with this path. */
static bool
once(Look *look, const char *fault, const char *path)
{
    return g_hash_table_add(look->player->litter,
                            g_strdup_printf("%s %s %s", fault, look->tree->name, path));
}

static void
expect(Look *look, Presence presence, char *path)
{
    Expected *entry = g_hash_table_lookup(look->expected, path);

    if (entry) { /* two VMs, or two reasons: the stronger one counts */
        entry->presence = entry->presence == MUST_BE ? MUST_BE : presence;
        g_free(path);
        return;
    }
    entry = g_new0(Expected, 1);
    entry->presence = presence;
    g_hash_table_insert(look->expected, path, entry);
}

static void
expect_image(Look *look, const Image *image)
{
    if (!image->source || !g_str_has_prefix(image->source, look->player->world->store))
        return;
    g_autofree char *path = g_canonicalize_filename(image->source, "/");
    /* the image of a save_as is made by mkfs or by cpds */
    expect(look, image->content.bytes || image->saved_vm < 0 ? MUST_BE : MAY_BE, g_strdup(path));
    if (image->snapshots->len > 0)
        expect(look, MAY_BE_TREE, g_strconcat(path, ".snap", NULL));
}

static void
expect_disks(Look *look, const Vm *vm, const char *directory, Presence presence, bool nowhere)
{
    for (guint i = 0; i < vm->disks->len; i++) {
        Disk *disk = vm->disks->pdata[i];
        char *path = g_strdup_printf("%s/disk.%d", directory, disk->id);
        if (disk_snapshots(disk)->len > 0 && disk->present)
            expect(look, MAY_BE_TREE, g_strconcat(path, ".snap", NULL));
        if (disk->present)
            expect(look, nowhere ? MAY_BE : presence, path);
        else if (disk->detached || disk->lost)
            expect(look, MAY_BE, path);
        else
            g_free(path);
    }
    if (vm->context_made)
        expect(look, presence, g_strdup_printf("%s/disk.%d", directory, vm->context_id));
    if (vm->kernel_made)
        expect(look, presence, g_build_filename(directory, "kernel", NULL));
    if (vm->ramdisk_made)
        expect(look, presence, g_build_filename(directory, "initrd", NULL));
}

static void
expect_extras(Look *look, const Vm *vm, const char *directory, Presence presence)
{
    GHashTableIter iterator;
    gpointer name;

    g_hash_table_iter_init(&iterator, vm->extras);
    while (g_hash_table_iter_next(&iterator, &name, NULL)) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        char *parent = g_path_get_dirname(path);
        expect(look, presence, g_steal_pointer(&path));
        if (strcmp(parent, directory) != 0)
            expect(look, presence, parent);
        else
            g_free(parent);
    }
}

static void
expect_vm(Look *look, const Vm *vm)
{
    const Place places[] = {vm->place, vm->going};
    /* during a move from one place to another files may be here or there */
    Presence presence = vm->going.datastore ? MAY_BE : MUST_BE;

    if (vm->left.tree == look->tree)
        expect(look, MAY_BE_TREE, vm_directory(vm, vm->left.datastore));
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        if (!places[i].datastore || places[i].tree != look->tree || !vm->directory_allowed)
            continue;
        g_autofree char *directory = vm_directory(vm, places[i].datastore);
        expect(look, vm->directory_present ? presence : MAY_BE, g_strdup(directory));
        /* the links of a VM that is stopped lead nowhere */
        bool nowhere = places[i].host && places[i].host == look->player->world->frontend;
        expect_disks(look, vm, directory, presence, nowhere);
        expect_extras(look, vm, directory, presence);
    }
    if (vm->visitor.tree == look->tree)
        expect(look, MUST_BE, vm_directory(vm, vm->visitor.datastore));
}

/* Only a host with storage of its own has the mark by which its probe finds the datastore. */
static void
expect_marker(Look *look, const Datastore *datastore)
{
    const World *world = look->player->world;
    g_autofree char *mark = world_mark((Place){look->tree, (Datastore *)datastore});

    if (!world->shared && datastore->type == DATASTORE_SYSTEM)
        expect(look, g_hash_table_contains(world->marked, mark) ? MUST_BE : MAY_BE,
               g_build_filename(datastore->path, ".monitor", NULL));
}

static void
expect_all(Look *look)
{
    const World *world = look->player->world;

    for (guint i = 0; i < world->datastores->len; i++) {
        const Datastore *datastore = world->datastores->pdata[i];
        expect(look, MAY_BE, g_strdup(datastore->path));
        expect_marker(look, datastore);
    }
    for (guint i = 0; i < world->vms->len; i++)
        expect_vm(look, world->vms->pdata[i]);
    if (look->tree != world->frontend)
        return;
    expect(look, MAY_BE, g_build_filename(world->store, ".isofiles", NULL));
    for (guint i = 0; i < world->images->len; i++)
        expect_image(look, world->images->pdata[i]);
}

static bool
is_inside(const char *path, const char *directory)
{
    size_t length = directory ? strlen(directory) : 0;

    return directory && strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* `open` is a directory whose whole content is allowed, or has been reported as a whole. */
static void
judge_entry(Look *look, const Entry *found, const char **open)
{
    Expected *entry = g_hash_table_lookup(look->expected, found->path);
    bool inside = is_inside(found->path, *open);
    g_autofree char *name = say(look, found->path);

    if (entry)
        entry->seen = true;
    if (!entry && !inside && once(look, "strange", found->path))
        row_problem(look->row, "only files that belong there", "%s", name);
    if (inside &&
        (g_str_has_suffix(found->path, ".part") || g_str_has_suffix(found->path, ".tmp")) &&
        once(look, "half-done", found->path))
        row_problem(look->row, "nothing half-done", "%s", name);
    if (!inside && found->directory && (!entry || entry->presence == MAY_BE_TREE))
        *open = found->path;
}

static void
report_missing(Look *look)
{
    GHashTableIter iterator;
    gpointer path, value;

    g_hash_table_iter_init(&iterator, look->expected);
    while (g_hash_table_iter_next(&iterator, &path, &value)) {
        const Expected *entry = value;
        if (entry->presence == MUST_BE && !entry->seen && once(look, "missing", path)) {
            g_autofree char *text = say(look, path);
            row_problem(look->row, text, "it is not there");
        }
    }
}

static void
look_at_tree(Look *look)
{
    GError *error = NULL;
    g_autoptr(GPtrArray) found = host_list(look->tree, look->player->world->store, &error);
    const char *open = NULL;

    if (!found) {
        row_error(look->row, "a host that can be looked at", error);
        return;
    }
    look->expected = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    expect_all(look);
    for (guint i = 0; i < found->len; i++)
        judge_entry(look, found->pdata[i], &open);
    report_missing(look);
    g_clear_pointer(&look->expected, g_hash_table_unref);
}

/* Reads and compares; then what is there is what is expected. False if it cannot be read. */
static bool
compare(Look *look, const char *path, const char *format, Content *expected, const char *what)
{
    g_autoptr(GError) error = NULL;
    Content seen;

    if (!content_read(look->tree, path, format, &seen, &error)) {
        row_problem(look->row, what, "%s", error->message);
        return false;
    }
    if (!content_equal(&seen, expected)) {
        g_autofree char *want = content_text(expected);
        g_autofree char *have = content_text(&seen);
        g_autofree char *text = g_strdup_printf("%s with %s", what, want);
        row_problem(look->row, text, "%s", have);
        *expected = seen;
    }
    return true;
}

static void
look_at_image(Look *look, Image *image)
{
    g_autofree char *what = g_strdup_printf("image %d (%s)", image->id, image->format);

    if (!image->source || !g_str_has_prefix(image->source, look->player->world->store) ||
        image->content.bytes == 0 || look->player->world->storage)
        return;
    if (!compare(look, image->source, image->format, &image->content, what)) {
        /* said once: from now on nobody expects it */
        g_clear_pointer(&image->source, g_free);
        image->source = g_strdup("");
    }
}

static bool
same_inode(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A copy must not be its image under another name; a persistent disk must be. */
static void
look_at_sharing(Look *look, const Disk *disk, const char *path)
{
    const World *world = look->player->world;

    if (look->tree != world->frontend)
        return;
    for (guint i = 0; disk->own && i < world->images->len; i++) {
        const Image *image = world->images->pdata[i];
        if (image->source && same_inode(path, image->source) && once(look, "shared", path))
            row_problem(look->row, "a disk of its own", "'%s' is image %d itself", path, image->id);
    }
    if (!disk->own && g_str_has_prefix(disk->image->source, world->store) &&
        !same_inode(path, disk->image->source) && once(look, "apart", path))
        row_problem(look->row, "a link to the image", "'%s' is something else", path);
}

static void
look_at_disk(Look *look, const Vm *vm, Disk *disk)
{
    g_autofree char *path = vm_disk_path(vm, disk);
    g_autofree char *what = g_strdup_printf("disk %d of VM %d (%s %s)", disk->id, vm->id,
                                            disk_role_name(disk), disk->format);

    if (!disk->present)
        return;
    look->tree = vm->place.tree;
    if (vm->going.datastore && !host_exists(look->tree, path)) {
        g_free(path);
        path = g_strdup_printf("%s/%d/disk.%d", vm->going.datastore->path, vm->id, disk->id);
        look->tree = vm->going.tree;
    }
    if (!compare(look, path, disk->format, disk_content(disk), what)) {
        disk->present = false;
        disk->detached = true;
        return;
    }
    look_at_sharing(look, disk, path);
}

static void
look_at_extras(Look *look, const Vm *vm)
{
    g_autofree char *directory = vm_directory(vm, vm->place.datastore);
    GHashTableIter iterator;
    gpointer name, content;

    g_hash_table_iter_init(&iterator, vm->extras);
    while (g_hash_table_iter_next(&iterator, &name, &content)) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        g_autofree char *what = g_strdup_printf("the hypervisor's file '%s'", (char *)name);
        if (!compare(look, path, "raw", content, what))
            g_hash_table_iter_remove(&iterator);
    }
}

static void
look_at_vm(Look *look, Vm *vm)
{
    g_autofree char *directory = vm_directory(vm, vm->place.datastore);

    for (guint i = 0; !look->player->world->storage && i < vm->disks->len; i++)
        look_at_disk(look, vm, vm->disks->pdata[i]);
    if (vm->going.datastore)
        return;
    look->tree = vm->place.tree;
    if (vm->context_made) {
        g_autofree char *path = g_strdup_printf("%s/disk.%d", directory, vm->context_id);
        vm->context_made = compare(look, path, "raw", &vm->context, "the context disk");
    }
    if (vm->kernel_made) {
        g_autofree char *path = g_build_filename(directory, "kernel", NULL);
        vm->kernel_made = compare(look, path, "raw", &vm->kernel->content, "the kernel");
    }
    if (vm->ramdisk_made) {
        g_autofree char *path = g_build_filename(directory, "initrd", NULL);
        vm->ramdisk_made = compare(look, path, "raw", &vm->ramdisk->content, "the ramdisk");
    }
    look_at_extras(look, vm);
}

void
settle(Player *player, Row *row)
{
    const World *world = player->world;
    Look look = {.player = player, .row = row};

    for (guint i = 0; i < world->trees->len; i++) {
        look.tree = world->trees->pdata[i];
        look_at_tree(&look);
    }
    look.tree = world->frontend;
    for (guint i = 0; i < world->images->len; i++)
        look_at_image(&look, world->images->pdata[i]);
    for (guint i = 0; i < world->vms->len; i++)
        look_at_vm(&look, world->vms->pdata[i]);
    if (world->storage)
        settle_storage(player, row);
}
