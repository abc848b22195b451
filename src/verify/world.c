// SPDX-License-Identifier: Apache-2.0
#include "verify/world.h"

#include "verify/storage.h"

#include <string.h>
#include <unistd.h>

static void
image_free(gpointer data)
{
    Image *image = data;

    g_free(image->name);
    g_free(image->source);
    g_free(image->path);
    g_free(image->format);
    g_free(image->checksum);
    g_ptr_array_unref(image->snapshots);
    g_free(image);
}

static void
disk_free(gpointer data)
{
    Disk *disk = data;

    g_ptr_array_unref(disk->snapshots);
    g_free(disk->volume);
    g_free(disk);
}

static void
vm_free(gpointer data)
{
    Vm *vm = data;

    g_ptr_array_unref(vm->disks);
    g_ptr_array_unref(vm->history);
    g_hash_table_unref(vm->context_files);
    g_hash_table_unref(vm->extras);
    g_free(vm);
}

static void
host_free(gpointer data)
{
    Host *host = data;

    host_close(host);
    g_free(host->name);
    g_free(host);
}

static void
datastore_free(gpointer data)
{
    Datastore *datastore = data;

    g_free(datastore->name);
    g_free(datastore->path);
    g_free(datastore);
}

static Host *
world_host(World *world, const char *name, bool local)
{
    Host *host = g_new(Host, 1);

    *host = (Host){.name = g_strdup(name), .id = (int)world->hosts->len, .local = local};
    g_ptr_array_add(world->hosts, host);
    return host;
}

/* .invalid never has an address (RFC 6761) */
#define DEAD_HOST "onevol-verify-dead.invalid"

static void
add_hosts(World *world, char **names, bool own_directories)
{
    char here[256] = "";

    gethostname(here, sizeof here - 1);
    world->separate = names && (!world->shared || own_directories);
    if (names) {
        for (char **name = names; *name; name++)
            (void)world_host(world, *name, false);
        world->host = world->hosts->pdata[0];
        world->host2 = world->hosts->pdata[1];
        world->frontend = g_new(Host, 1);
        *world->frontend = (Host){.name = g_strdup(here), .id = -1, .local = true};
    } else {
        world->host = world_host(world, "localhost", true);
        world->host2 = world->frontend = world_host(world, here, true);
    }
    g_ptr_array_add(world->trees, world->frontend);
    for (guint i = 0; world->separate && i < world->hosts->len; i++)
        g_ptr_array_add(world->trees, world->hosts->pdata[i]);
    world->dead = world_host(world, DEAD_HOST, false);
}

const Host *
world_tree(const World *world, const Host *host)
{
    if (!world->separate)
        return world->frontend;
    return host == world->dead ? world->host : host; /* it was that one before it died */
}

char *
world_mark(Place place)
{
    return g_strdup_printf("%s %d", place.tree->name, place.datastore->id);
}

Place
world_place(const World *world, const Host *host, Datastore *datastore)
{
    const Host *alive = host == world->dead ? world->host : host;

    return (Place){.tree = world_tree(world, host),
                   .datastore = datastore,
                   .host = world->storage ? alive : NULL};
}

static Datastore *
world_datastore(World *world, int id, const char *name, DatastoreType type, const char *driver)
{
    Datastore *datastore = g_new0(Datastore, 1);

    *datastore = (Datastore){.id = id, .name = g_strdup(name), .type = type, .driver = driver};
    datastore->path = g_strdup_printf("%s/%d", world->store, id);
    g_ptr_array_add(world->datastores, datastore);
    return datastore;
}

/* The TM_MAD_CONF rows that differ from NONE, SYSTEM, SHARED=YES, those with DRIVER=raw whose
 * storage holds nothing else, and the SOURCE that begins with a host. */
static void
set_driver_row(World *world, const char *driver)
{
    static const struct {
        const char *driver, *ln_target, *clone_target;
        bool shared, raw_only, host_in_source;
    } rows[] = {
        {"reflink_local", "SYSTEM", "SYSTEM", false, false, false},
        {"linstor",       "NONE",   "SELF",   true,  false, false},
        {"gfs2clvm",      "NONE",   "SELF",   true,  true,  true },
        {"clvm",          "NONE",   "SELF",   true,  true,  false},
        {"cxm",           "SYSTEM", "SYSTEM", true,  false, false},
        {"cxm_local",     "SYSTEM", "SYSTEM", false, false, false},
    };

    world->ln_target = "NONE";
    world->clone_target = "SYSTEM";
    world->shared = true;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (strcmp(rows[i].driver, driver) == 0) {
            world->ln_target = rows[i].ln_target;
            world->clone_target = rows[i].clone_target;
            world->shared = rows[i].shared;
            world->raw_only = rows[i].raw_only;
            world->host_in_source = rows[i].host_in_source;
        }
}

World *
world_new(const Release *release, const WorldOptions *options)
{
    World *world = g_new0(World, 1);
    const char *root = options->root;

    g_mutex_init(&world->lock);
    world->release = release;
    world->driver = options->as ? options->as : options->driver;
    world->storage = options->storage ? storage_new(options->storage) : NULL;
    world->attributes = options->attributes;
    world->image_attributes = options->image_attributes;
    world->system_attributes = options->system_attributes;
    world->host_attributes = options->host_attributes;
    world->root = g_strdup(root);
    world->var = g_build_filename(root, "var", NULL);
    world->store = g_build_filename(root, "var", "datastores", NULL);
    world->store_text = g_strconcat(world->var, "//datastores", NULL);
    world->sources = g_build_filename(root, "sources", NULL);
    world->elsewhere = g_build_filename(root, "elsewhere", NULL);
    world->hosts = g_ptr_array_new_with_free_func(host_free);
    world->trees = g_ptr_array_new();
    world->marked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    world->datastores = g_ptr_array_new_with_free_func(datastore_free);
    world->images = g_ptr_array_new_with_free_func(image_free);
    world->vms = g_ptr_array_new_with_free_func(vm_free);
    world->next_vm = 7;
    set_driver_row(world, options->driver);

    add_hosts(world, options->hosts, options->own_directories);
    world->system = world_datastore(world, 100, "system", DATASTORE_SYSTEM, NULL);
    world->system2 = world_datastore(world, 101, "system two", DATASTORE_SYSTEM, NULL);
    world->raw = world_datastore(world, 102, "images", DATASTORE_IMAGE, NULL);
    world->qcow2 = world_datastore(world, 103, "images qcow2", DATASTORE_IMAGE, "qcow2");
    world->files = world_datastore(world, 104, "files", DATASTORE_FILE, NULL);
    return world;
}

void
world_free(World *world)
{
    if (!world)
        return;
    g_ptr_array_unref(world->vms);
    g_ptr_array_unref(world->images);
    g_ptr_array_unref(world->datastores);
    if (world->frontend->id < 0)
        host_free(world->frontend);
    g_ptr_array_unref(world->trees);
    g_hash_table_unref(world->marked);
    g_ptr_array_unref(world->hosts);
    g_free(world->root);
    g_free(world->var);
    g_free(world->store);
    g_free(world->store_text);
    g_free(world->sources);
    g_free(world->elsewhere);
    storage_free(world->storage);
    g_mutex_clear(&world->lock);
    g_free(world);
}

Image *
world_image(World *world, ImageType type, Datastore *datastore)
{
    Image *image = g_new0(Image, 1);

    *image = (Image){.id = world->next_image++,
                     .type = type,
                     .datastore = datastore,
                     .state = IMAGE_LOCKED,
                     .cloning_id = -1,
                     .target_snapshot = -1,
                     .saved_vm = -1,
                     .saved_disk = -1};
    image->name = g_strdup_printf("image %d & <co>", image->id); /* users write such names */
    image->snapshots = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(world->images, image);
    return image;
}

void
world_forget_image(World *world, Image *image)
{
    g_ptr_array_remove(world->images, image);
}

Image *
world_find_image(const World *world, int id)
{
    for (guint i = 0; i < world->images->len; i++)
        if (((Image *)world->images->pdata[i])->id == id)
            return world->images->pdata[i];
    return NULL;
}

Vm *
world_vm(World *world)
{
    Vm *vm = g_new0(Vm, 1);

    *vm = (Vm){.id = world->next_vm++, .context_id = -1, .name = "it's a \"VM\""};
    vm->disks = g_ptr_array_new_with_free_func(disk_free);
    vm->history = g_ptr_array_new_with_free_func(g_free);
    vm->context_files =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    vm->extras = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_ptr_array_add(world->vms, vm);
    vm_add_history(vm, world->host, world->system);
    vm->place = world_place(world, world->host, world->system);
    return vm;
}

void
world_forget_vm(World *world, Vm *vm)
{
    g_ptr_array_remove(world->vms, vm);
}

Vm *
world_find_vm(const World *world, int id)
{
    for (guint i = 0; i < world->vms->len; i++)
        if (((Vm *)world->vms->pdata[i])->id == id)
            return world->vms->pdata[i];
    return NULL;
}

Datastore *
world_find_datastore(const World *world, int id)
{
    for (guint i = 0; i < world->datastores->len; i++)
        if (((Datastore *)world->datastores->pdata[i])->id == id)
            return world->datastores->pdata[i];
    return NULL;
}

static int
vm_next_disk_id(const Vm *vm)
{
    int highest = vm->context_id;

    for (guint i = 0; i < vm->disks->len; i++)
        highest = MAX(highest, ((Disk *)vm->disks->pdata[i])->id);
    return highest + 1;
}

Disk *
vm_add_disk(const World *world, Vm *vm, DiskRole role, Image *image, guint64 size_mb)
{
    Disk *disk = g_new0(Disk, 1);

    *disk = (Disk){.id = vm_next_disk_id(vm),
                   .role = role,
                   .image = image,
                   .size_mb = size_mb,
                   .format = image ? image->format : "raw",
                   .snapshot_in_progress = -1,
                   .maker = "clone"};
    /* LN makes a link where LN_TARGET is NONE or SELF, and a copy where it is SYSTEM */
    disk->own = role == ROLE_PRIVATE || role == ROLE_VOLATILE || role == ROLE_SWAP ||
                strcmp(world->ln_target, "SYSTEM") == 0;
    disk->snapshots = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(vm->disks, disk);
    return disk;
}

Disk *
vm_add_volatile(const World *world, Vm *vm, const char *format, const char *file_system,
                guint64 size_mb)
{
    bool swap = strcmp(format, "swap") == 0;
    Disk *disk = vm_add_disk(world, vm, swap ? ROLE_SWAP : ROLE_VOLATILE, NULL, size_mb);

    disk->format = swap ? "raw" : format;
    disk->file_system = file_system;
    return disk;
}

void
vm_remove_disk(Vm *vm, Disk *disk)
{
    g_ptr_array_remove(vm->disks, disk);
}

void
vm_add_context(Vm *vm)
{
    vm->context_id = vm_next_disk_id(vm);
}

void
vm_add_history(Vm *vm, const Host *host, Datastore *datastore)
{
    History *record = g_new0(History, 1);

    *record = (History){.host = host, .datastore = datastore};
    g_ptr_array_add(vm->history, record);
}

static void
disk_lost(gpointer data, G_GNUC_UNUSED gpointer context)
{
    Disk *disk = data;

    disk->lost = disk->own && disk->present;
    disk->present = disk->detached = false;
    g_ptr_array_set_size(disk->snapshots, 0);
}

void
vm_start_afresh(Vm *vm, Place place)
{
    if (vm->place.tree == place.tree && vm->place.datastore == place.datastore) {
        /* the same directory, seen from another host: only devices are not there */
        g_ptr_array_foreach(vm->disks, disk_lost, NULL);
        for (guint i = 0; i < vm->disks->len; i++)
            ((Disk *)vm->disks->pdata[i])->detached = true;
        vm->place = place;
        return;
    }
    vm->left = vm->place;
    vm->place = place;
    vm->directory_present = false;
    vm->context_made = vm->kernel_made = vm->ramdisk_made = false;
    g_hash_table_remove_all(vm->extras);
    g_ptr_array_foreach(vm->disks, disk_lost, NULL);
}

const History *
vm_last(const Vm *vm)
{
    return vm->history->pdata[vm->history->len - 1];
}

void
vm_rename_host(Vm *vm, const Host *host)
{
    ((History *)vm->history->pdata[vm->history->len - 1])->host = host;
}

const History *
vm_previous(const Vm *vm)
{
    return vm->history->pdata[vm->history->len > 1 ? vm->history->len - 2 : 0];
}

void
vm_set_state(Vm *vm, int state, int lcm_state)
{
    vm->previous_state = vm->state;
    vm->previous_lcm_state = vm->lcm_state;
    vm->state = state;
    vm->lcm_state = lcm_state;
}

char *
vm_directory_text(const World *world, const Vm *vm, const Datastore *datastore)
{
    return g_strdup_printf("%s/%d/%d", world->store_text, datastore->id, vm->id);
}

char *
vm_directory(const Vm *vm, const Datastore *datastore)
{
    return g_strdup_printf("%s/%d", datastore->path, vm->id);
}

char *
vm_disk_path(const Vm *vm, const Disk *disk)
{
    return g_strdup_printf("%s/%d/disk.%d", vm->place.datastore->path, vm->id, disk->id);
}

const char *
disk_role_name(const Disk *disk)
{
    static const char *const names[] = {
        [ROLE_PERSISTENT] = "persistent", [ROLE_PRIVATE] = "private",   [ROLE_CDROM] = "CD-ROM",
        [ROLE_SHAREABLE] = "shareable",   [ROLE_VOLATILE] = "volatile", [ROLE_SWAP] = "swap",
    };
    return names[disk->role];
}

bool
disk_saves(const Disk *disk)
{
    return disk->role == ROLE_PERSISTENT || disk->role == ROLE_SHAREABLE;
}

Content *
disk_content(Disk *disk)
{
    return !disk->own ? &disk->image->content : &disk->content;
}

GPtrArray *
disk_snapshots(Disk *disk)
{
    return !disk->own ? disk->image->snapshots : disk->snapshots;
}

int *
disk_next_snapshot(Disk *disk)
{
    return !disk->own ? &disk->image->next_snapshot : &disk->next_snapshot;
}

int
disk_datastore_id(const Vm *vm, const Disk *disk)
{
    return disk->image ? disk->image->datastore->id : vm_last(vm)->datastore->id;
}

Snapshot *
snapshot_find(GPtrArray *snapshots, int id)
{
    for (guint i = 0; i < snapshots->len; i++)
        if (((Snapshot *)snapshots->pdata[i])->id == id)
            return snapshots->pdata[i];
    return NULL;
}

Snapshot *
snapshot_add(GPtrArray *snapshots, int id, guint64 size_mb, const Content *content)
{
    Snapshot *snapshot = g_new0(Snapshot, 1);

    *snapshot = (Snapshot){.id = id, .size_mb = size_mb, .content = *content};
    g_ptr_array_add(snapshots, snapshot);
    return snapshot;
}
