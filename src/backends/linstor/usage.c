// SPDX-License-Identifier: Apache-2.0
/*
 * What VMs' disks take: in two calls for all of them, however many there are. Whose a definition
 * is, its properties tell (linstor_un), or its name (LINBIT's driver). Replicas hold the same, so
 * the largest one counts.
 */
#include "backends/linstor/monitor.h"
#include "base/error.h"
#include "base/path.h"

#include <string.h>

typedef struct Disk {
    gint64 vm_id, disk_id;
    guint64 bytes;
} Disk;

typedef struct Counting {
    LinstorStore *store;
    GHashTable *disks; /* name in lower case → Disk */
    UsageNote note;
    gpointer data;
} Counting;

static bool
number_of(GHashTable *props, const char *key, gint64 *number)
{
    const char *text = g_hash_table_lookup(props, key);
    guint64 found;

    if (!text || !parse_number(text, G_MAXINT32, &found))
        return false;
    *number = (gint64)found;
    return true;
}

static void
note_snapshots(const Counting *counting, const LinstorDefinition *definition, const Disk *disk)
{
    GHashTableIter iter;
    gpointer key, value;
    gint64 id;
    guint64 kib;

    g_hash_table_iter_init(&iter, definition->props);
    while (g_hash_table_iter_next(&iter, &key, &value))
        if (linstor_name_match(key, "Aux/one/SNAPSHOT_#/DISK_SIZE", &id) &&
            parse_number(value, G_MAXINT64 / 1024, &kib))
            counting->note(counting->data, disk->vm_id, disk->disk_id, id, kib * 1024);
}

/* The datastore's id is missing on what linstor_un 0.7 and 0.8 made. */
static bool
see_definition(LinstorDefinition *definition, void *user, G_GNUC_UNUSED GError **error)
{
    Counting *counting = user;
    Disk found = {0};
    gint64 datastore;
    LinstorName parsed;

    if ((!number_of(definition->props, LINSTOR_VM_ID, &found.vm_id) &&
         !number_of(definition->props, LINSTOR_OLD_VM_ID, &found.vm_id)) ||
        !number_of(definition->props, LINSTOR_DISK_ID, &found.disk_id) ||
        linstor_mark_of(definition) || definition->deleting ||
        counting->store->names->parse(definition->name, &parsed) == LINSTOR_NAME_NONE)
        return true;
    if (number_of(definition->props, LINSTOR_DS_ID, &datastore) && datastore != counting->store->id)
        return true;
    g_hash_table_insert(counting->disks, g_ascii_strdown(definition->name, -1),
                        g_memdup2(&found, sizeof found));
    note_snapshots(counting, definition, &found);
    return true;
}

static Disk *
disk_by_name(const Counting *counting, const char *name, char *key)
{
    LinstorName parsed;

    if (counting->store->names->parse(name, &parsed) != LINSTOR_NAME_DISK)
        return NULL;
    Disk *disk = g_new0(Disk, 1);
    disk->vm_id = parsed.vm_id;
    disk->disk_id = parsed.disk_id;
    g_hash_table_insert(counting->disks, g_strdup(key), disk);
    return disk;
}

static bool
see_resource(LinstorResource *resource, void *user, G_GNUC_UNUSED GError **error)
{
    Counting *counting = user;
    g_autofree char *key = g_ascii_strdown(resource->definition, -1);
    Disk *disk = g_hash_table_lookup(counting->disks, key);

    if (resource->diskless)
        return true;
    if (!disk && !counting->store->names->tells_users)
        disk = disk_by_name(counting, resource->definition, key);
    if (disk)
        disk->bytes = MAX(disk->bytes, resource->allocated);
    return true;
}

bool
linstor_usage(Datastore *datastore, UsageNote note, gpointer data, GError **error)
{
    g_autoptr(GHashTable) disks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    LinstorStore *store = linstor_store(datastore, error);
    Counting counting = {store, disks, note, data};
    GHashTableIter iter;
    gpointer disk;

    if (!store ||
        (store->names->tells_users && !linstor_definitions(store->client, LINSTOR_DISK_ID, NULL,
                                                           see_definition, &counting, error)) ||
        !linstor_view(store->client, NULL, see_resource, &counting, error))
        return false;
    g_hash_table_iter_init(&iter, disks);
    while (g_hash_table_iter_next(&iter, NULL, &disk))
        note(data, ((Disk *)disk)->vm_id, ((Disk *)disk)->disk_id, -1, ((Disk *)disk)->bytes);
    return true;
}
