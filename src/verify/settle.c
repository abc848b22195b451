// SPDX-License-Identifier: Apache-2.0
/*
 * After every action: the tree below datastores/ against a list of what must and may be there, then
 * the content of every image and disk against what it must hold.
 *
 * What is found wrong is reported once, on the row of the action that just ran; then the world is
 * taken as it is, so that one fault does not make every later row fail.
 */
#include "base/error.h"
#include "verify/play.h"

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
    GHashTable *expected; /* path → Expected */
} Look;

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
expect_disks(Look *look, const Vm *vm, const char *directory, Presence presence)
{
    for (guint i = 0; i < vm->disks->len; i++) {
        Disk *disk = vm->disks->pdata[i];
        char *path = g_strdup_printf("%s/disk.%d", directory, disk->id);
        if (disk_snapshots(disk)->len > 0 && disk->present)
            expect(look, MAY_BE_TREE, g_strconcat(path, ".snap", NULL));
        if (disk->present)
            expect(look, presence, path);
        else if (disk->detached)
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
    const Datastore *const places[] = {vm->place, vm->going};
    /* during a move from one datastore to another files may be here or there */
    Presence presence = vm->going ? MAY_BE : MUST_BE;

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        if (!places[i] || !vm->directory_allowed)
            continue;
        g_autofree char *directory = vm_directory(vm, places[i]);
        expect(look, vm->directory_present ? presence : MAY_BE, g_strdup(directory));
        expect_disks(look, vm, directory, presence);
        expect_extras(look, vm, directory, presence);
    }
}

static void
expect_all(Look *look)
{
    const World *world = look->player->world;

    for (guint i = 0; i < world->datastores->len; i++) {
        const Datastore *datastore = world->datastores->pdata[i];
        expect(look, MAY_BE, g_strdup(datastore->path));
        expect(look, MAY_BE, g_build_filename(datastore->path, ".monitor", NULL));
    }
    expect(look, MAY_BE, g_build_filename(world->store, ".isofiles", NULL));
    for (guint i = 0; i < world->images->len; i++)
        expect_image(look, world->images->pdata[i]);
    for (guint i = 0; i < world->vms->len; i++)
        expect_vm(look, world->vms->pdata[i]);
}

static void walk(Look *look, const char *directory, const char *inside);

/* `inside`: the directory whose whole content is allowed, or NULL. */
static void
walk_entry(Look *look, const char *path, const char *inside)
{
    const char *name = path + strlen(look->player->world->store) + 1;
    Expected *entry = g_hash_table_lookup(look->expected, path);
    struct stat info;
    bool gone = lstat(path, &info) != 0;

    if (entry)
        entry->seen = true;
    if (!entry && !inside && g_hash_table_add(look->player->litter, g_strdup(path)))
        row_problem(look->row, "only files that belong there", "'%s'", name);
    if (inside && (g_str_has_suffix(path, ".part") || g_str_has_suffix(path, ".tmp")) &&
        g_hash_table_add(look->player->litter, g_strdup(path)))
        row_problem(look->row, "nothing half-done", "'%s'", name);
    if (!gone && S_ISDIR(info.st_mode)) {
        bool stranger = !entry && !inside;
        bool open = inside || stranger || (entry && entry->presence == MAY_BE_TREE);
        walk(look, path, open ? path : NULL);
    }
}

static void
walk(Look *look, const char *directory, const char *inside)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        walk_entry(look, path, inside);
    }
}

static void
report_missing(Look *look)
{
    GHashTableIter iterator;
    gpointer path, value;

    g_hash_table_iter_init(&iterator, look->expected);
    while (g_hash_table_iter_next(&iterator, &path, &value)) {
        const Expected *entry = value;
        if (entry->presence == MUST_BE && !entry->seen) {
            g_autofree char *text =
                g_strdup_printf("'%s'", (char *)path + strlen(look->player->world->store) + 1);
            row_problem(look->row, text, "it is not there");
        }
    }
}

/* Reads and compares; then what is there is what is expected. False if it cannot be read. */
static bool
compare(Look *look, const char *path, const char *format, Content *expected, const char *what)
{
    g_autoptr(GError) error = NULL;
    Content seen;

    if (!content_read(look->player->world->frontend, path, format, &seen, &error)) {
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
        image->content.bytes == 0)
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

/* True the first time that this is found wrong with this path. */
static bool
once(Look *look, const char *fault, const char *path)
{
    return g_hash_table_add(look->player->litter, g_strdup_printf("%s %s", fault, path));
}

/* A copy must not be its image under another name; a persistent disk must be. */
static void
look_at_sharing(Look *look, const Disk *disk, const char *path)
{
    const World *world = look->player->world;

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
    if (vm->going && access(path, F_OK) != 0) {
        g_free(path);
        path = g_strdup_printf("%s/%d/disk.%d", vm->going->path, vm->id, disk->id);
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
    g_autofree char *directory = vm_directory(vm, vm->place);
    GHashTableIter iterator;
    gpointer name, bytes;

    g_hash_table_iter_init(&iterator, vm->extras);
    while (g_hash_table_iter_next(&iterator, &name, &bytes)) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        char *data = NULL;
        gsize length = 0;
        if (!g_file_get_contents(path, &data, &length, NULL)) {
            g_hash_table_iter_remove(&iterator); /* the missing file is in the list already */
            continue;
        }
        g_autoptr(GBytes) seen = g_bytes_new_take(data, length);
        if (!g_bytes_equal(seen, bytes)) {
            row_problem(look->row, "the hypervisor's files unchanged", "'%s' differs", path);
            g_hash_table_iter_replace(&iterator, g_steal_pointer(&seen));
        }
    }
}

static void
look_at_vm(Look *look, Vm *vm)
{
    g_autofree char *directory = vm_directory(vm, vm->place);

    for (guint i = 0; i < vm->disks->len; i++)
        look_at_disk(look, vm, vm->disks->pdata[i]);
    if (vm->going)
        return;
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
    Look look = {.player = player, .row = row};

    look.expected = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    expect_all(&look);
    walk(&look, player->world->store, NULL);
    report_missing(&look);
    for (guint i = 0; i < player->world->images->len; i++)
        look_at_image(&look, player->world->images->pdata[i]);
    for (guint i = 0; i < player->world->vms->len; i++)
        look_at_vm(&look, player->world->vms->pdata[i]);
    g_hash_table_unref(look.expected);
}
