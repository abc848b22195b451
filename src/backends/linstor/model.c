// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/model.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

#define LARGEST_KIB ((gint64)1 << 50)

/* Pieces */

static char *
text_of(const json_t *json, const char *key)
{
    return g_strdup(json_string_value(json_object_get(json, key)));
}

static bool
needs(const json_t *json, const char *what, const char *const *keys, GError **error)
{
    for (const char *const *key = keys; *key; key++)
        if (!json_is_string(json_object_get(json, *key)))
            return set_error(error, ONEVOL_ERROR_CORRUPT, "LINSTOR tells of a %s without '%s'",
                             what, *key);
    return true;
}

static GStrv
strings_of(const json_t *list)
{
    GPtrArray *found = g_ptr_array_new();
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) if (json_is_string(item))
        g_ptr_array_add(found, g_strdup(json_string_value(item)));
    g_ptr_array_add(found, NULL);
    return (GStrv)g_ptr_array_free(found, FALSE);
}

static void
add_props(GHashTable *props, const json_t *map)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)map, key, value) if (json_is_string(value))
        g_hash_table_insert(props, g_strdup(key), g_strdup(json_string_value(value)));
}

static GHashTable *
props_of(const json_t *map)
{
    GHashTable *props = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    add_props(props, map);
    return props;
}

static bool
has_word(const json_t *list, const char *word)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) if (json_is_string(item) &&
                                          !strcmp(json_string_value(item), word)) return true;
    return false;
}

/* KiB as bytes; false if it is missing or no size. Diskless pools say 2^63-1, some volumes -1. */
static bool
size_of(const json_t *json, const char *key, guint64 *bytes)
{
    const json_t *found = json_object_get(json, key);
    gint64 kib = json_integer_value(found);

    *bytes = 0;
    if (!json_is_integer(found) || kib < 0)
        return false;
    *bytes = (guint64)MIN(kib, LARGEST_KIB) * 1024;
    return true;
}

static LinstorTruth
truth_of(const json_t *json, const char *key)
{
    const json_t *found = json_object_get(json, key);

    return json_is_boolean(found) ? (json_is_true(found) ? LINSTOR_YES : LINSTOR_NO)
                                  : LINSTOR_UNKNOWN;
}

guint64
linstor_kib(guint64 bytes)
{
    return bytes / 1024 + (bytes % 1024 != 0);
}

bool
linstor_name_is_valid(const char *name)
{
    bool letter = false;
    gsize length = strlen(name);

    if (length < 2 || length > 48 || !(g_ascii_isalpha(*name) || *name == '_'))
        return false;
    for (const char *p = name; *p; p++) {
        letter |= g_ascii_isalpha(*p);
        if (!g_ascii_isalnum(*p) && *p != '_' && *p != '-')
            return false;
    }
    return letter && g_ascii_strcasecmp(name, "all") && g_ascii_strcasecmp(name, "proxy");
}

/* Nodes, pools, groups */

LinstorNode *
linstor_node_parse(const json_t *json, GError **error)
{
    static const char *const keys[] = {"name", "type", NULL};

    if (!needs(json, "node", keys, error))
        return NULL;
    const json_t *flags = json_object_get(json, "flags");
    LinstorNode *node = g_new0(LinstorNode, 1);
    node->name = text_of(json, "name");
    node->type = text_of(json, "type");
    node->status = text_of(json, "connection_status");
    node->props = props_of(json_object_get(json, "props"));
    node->uname = g_strdup(g_hash_table_lookup(node->props, "NodeUname"));
    node->online = node->status && !strcmp(node->status, "ONLINE") && !has_word(flags, "EVICTED") &&
                   !has_word(flags, "EVACUATE") && !has_word(flags, "DELETE");
    node->drbd = has_word(json_object_get(json, "resource_layers"), "DRBD");
    node->storage =
        !g_ascii_strcasecmp(node->type, "SATELLITE") || !g_ascii_strcasecmp(node->type, "COMBINED");
    return node;
}

void
linstor_node_free(LinstorNode *node)
{
    if (!node)
        return;
    g_free(node->name);
    g_free(node->uname);
    g_free(node->type);
    g_free(node->status);
    g_hash_table_unref(node->props);
    g_free(node);
}

LinstorPool *
linstor_pool_parse(const json_t *json, GError **error)
{
    static const char *const keys[] = {"storage_pool_name", "node_name", "provider_kind", NULL};

    if (!needs(json, "storage pool", keys, error))
        return NULL;
    LinstorPool *pool = g_new0(LinstorPool, 1);
    pool->name = text_of(json, "storage_pool_name");
    pool->node = text_of(json, "node_name");
    pool->provider = text_of(json, "provider_kind");
    pool->diskless = !strcmp(pool->provider, "DISKLESS");
    pool->thin = g_str_has_suffix(pool->provider, "_THIN");
    pool->snapshots = json_is_true(json_object_get(json, "supports_snapshots"));
    pool->clones =
        g_str_has_prefix(pool->provider, "LVM") || g_str_has_prefix(pool->provider, "ZFS");
    bool has_free = size_of(json, "free_capacity", &pool->free);
    bool has_total = size_of(json, "total_capacity", &pool->total);
    pool->known = !pool->diskless && has_free && has_total;
    return pool;
}

void
linstor_pool_free(LinstorPool *pool)
{
    if (!pool)
        return;
    g_free(pool->name);
    g_free(pool->node);
    g_free(pool->provider);
    g_free(pool);
}

LinstorGroup *
linstor_group_parse(const json_t *json, GError **error)
{
    static const char *const keys[] = {"name", NULL};

    if (!needs(json, "resource group", keys, error))
        return NULL;
    const json_t *filter = json_object_get(json, "select_filter");
    gint64 count = json_integer_value(json_object_get(filter, "place_count"));
    LinstorGroup *group = g_new0(LinstorGroup, 1);
    group->name = text_of(json, "name");
    group->place_count = count > 0 && count < 1000 ? (unsigned)count : 2; /* LINSTOR's default */
    group->pools = strings_of(json_object_get(filter, "storage_pool_list"));
    if (!*group->pools && json_is_string(json_object_get(filter, "storage_pool"))) {
        g_strfreev(group->pools);
        group->pools = g_new0(char *, 2);
        group->pools[0] = text_of(filter, "storage_pool");
    }
    group->layers = strings_of(json_object_get(filter, "layer_stack"));
    group->props = props_of(json_object_get(json, "props"));
    return group;
}

void
linstor_group_free(LinstorGroup *group)
{
    if (!group)
        return;
    g_free(group->name);
    g_strfreev(group->pools);
    g_strfreev(group->layers);
    g_hash_table_unref(group->props);
    g_free(group);
}

bool
linstor_space_parse(const json_t *json, LinstorSpace *space, GError **error)
{
    const json_t *info = json_object_get(json, "space_info");

    *space = (LinstorSpace){0};
    if (size_of(info, "capacity_in_kib", &space->total) &&
        size_of(info, "available_size_in_kib", &space->free) &&
        size_of(info, "max_vlm_size_in_kib", &space->largest))
        return true;
    return set_error(error, ONEVOL_ERROR_CORRUPT, "LINSTOR tells of no space");
}

/* Definitions */

static GStrv
layer_kinds(const json_t *layers)
{
    GPtrArray *found = g_ptr_array_new();
    size_t i;
    json_t *layer;

    json_array_foreach(layers, i, layer)
    {
        char *kind = text_of(layer, "type");
        if (kind)
            g_ptr_array_add(found, kind);
    }
    g_ptr_array_add(found, NULL);
    return (GStrv)g_ptr_array_free(found, FALSE);
}

bool
linstor_volume_parse(const json_t *json, LinstorVolume *volume, GError **error)
{
    const json_t *flags = json_object_get(json, "flags");
    gint64 number = json_integer_value(json_object_get(json, "volume_number"));

    *volume = (LinstorVolume){.number = (unsigned)number};
    if (number < 0 || number > 65534 || !size_of(json, "size_kib", &volume->size))
        return set_error(error, ONEVOL_ERROR_CORRUPT, "LINSTOR tells of a volume without size");
    volume->resizing = has_word(flags, "RESIZE");
    volume->encrypted = has_word(flags, "ENCRYPTED");
    volume->gross = has_word(flags, "GROSS_SIZE");
    return true;
}

static bool
take_volumes(LinstorDefinition *definition, const json_t *volumes, GError **error)
{
    size_t i;
    json_t *item;

    json_array_foreach(volumes, i, item)
    {
        LinstorVolume volume;
        if (!linstor_volume_parse(item, &volume, error))
            return false;
        definition->volumes++;
        definition->size += volume.size;
        definition->sized = true;
    }
    return true;
}

LinstorDefinition *
linstor_definition_parse(const json_t *json, GError **error)
{
    static const char *const keys[] = {"name", NULL};

    if (!needs(json, "resource definition", keys, error))
        return NULL;
    const json_t *flags = json_object_get(json, "flags");
    g_autoptr(LinstorDefinition) definition = g_new0(LinstorDefinition, 1);
    definition->name = text_of(json, "name");
    definition->group = text_of(json, "resource_group_name");
    definition->props = props_of(json_object_get(json, "props"));
    definition->layers = layer_kinds(json_object_get(json, "layer_data"));
    definition->deleting = has_word(flags, "DELETE");
    definition->cloning = has_word(flags, "CLONING");
    definition->failed = has_word(flags, "FAILED");
    if (!take_volumes(definition, json_object_get(json, "volume_definitions"), error))
        return NULL;
    return g_steal_pointer(&definition);
}

void
linstor_definition_free(LinstorDefinition *definition)
{
    if (!definition)
        return;
    g_free(definition->name);
    g_free(definition->group);
    g_hash_table_unref(definition->props);
    g_strfreev(definition->layers);
    g_free(definition);
}

/* Resources */

static const json_t *
numbered(const json_t *list, gint64 number, const char *inner)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        const json_t *where = inner ? json_object_get(item, inner) : item;
        const json_t *found = json_object_get(where, "volume_number");
        if (json_is_integer(found) && json_integer_value(found) == number)
            return item;
    }
    return NULL;
}

static bool
has_layer(const json_t *layer, const char *kind)
{
    const char *found = json_string_value(json_object_get(layer, "type"));
    size_t i;
    json_t *child;

    if (found && !strcmp(found, kind))
        return true;
    json_array_foreach(json_object_get(layer, "children"), i,
                       child) if (has_layer(child, kind)) return true;
    return false;
}

/* StandAlone: DRBD has found that both have changes of their own. */
static void
take_connections(LinstorResource *resource, const json_t *connections)
{
    const char *peer;
    json_t *connection;

    json_object_foreach((json_t *)connections, peer, connection)
    {
        const char *message = json_string_value(json_object_get(connection, "message"));
        if (message && !strcmp(message, "StandAlone") && !resource->alone)
            resource->alone = g_strdup(peer);
        resource->cut_off |= json_is_false(json_object_get(connection, "connected"));
    }
}

/* The device as the uppermost layer that we know shows it. */
static void
take_layer(LinstorResource *resource, const json_t *layer)
{
    const char *kind = json_string_value(json_object_get(layer, "type"));
    const json_t *drbd = json_object_get(layer, "drbd"), *volume = NULL;
    static const struct {
        const char *kind, *object, *list;
    } lists[] = {
        {"LUKS",       "luks",       "luks_volumes"      },
        {"WRITECACHE", "writecache", "writecache_volumes"},
        {"CACHE",      "cache",      "cache_volumes"     },
        {"BCACHE",     "bcache",     "bcache_volumes"    },
        {"NVME",       "nvme",       "nvme_volumes"      },
        {"STORAGE",    "storage",    "storage_volumes"   },
    };

    if (!kind)
        return;
    resource->encrypted = has_layer(layer, "LUKS");
    resource->drbd = !strcmp(kind, "DRBD");
    if (resource->drbd) {
        volume = numbered(json_object_get(drbd, "drbd_volumes"), 0, "drbd_volume_definition");
        resource->may_promote = truth_of(drbd, "may_promote");
        take_connections(resource, json_object_get(drbd, "connections"));
    }
    for (guint i = 0; i < G_N_ELEMENTS(lists) && !volume; i++)
        if (!strcmp(kind, lists[i].kind))
            volume = numbered(
                json_object_get(json_object_get(layer, lists[i].object), lists[i].list), 0, NULL);
    resource->device = text_of(volume, "device_path");
    size_of(volume, "usable_size_kib", &resource->device_size);
}

static LinstorDisk
disk_of(const char *state)
{
    if (!state || !strcmp(state, "DUnknown"))
        return LINSTOR_DISK_UNKNOWN;
    if (!strcmp(state, "UpToDate"))
        return LINSTOR_DISK_UP_TO_DATE;
    return strcmp(state, "Diskless") ? LINSTOR_DISK_OTHER : LINSTOR_DISK_DISKLESS;
}

static void
take_resource_volumes(LinstorResource *resource, const json_t *volumes)
{
    size_t i;
    json_t *item;

    json_array_foreach(volumes, i, item)
    {
        guint64 allocated;
        const json_t *flags = json_object_get(item, "flags");
        size_of(item, "allocated_size_kib", &allocated);
        resource->allocated += allocated;
        resource->resizing |= has_word(flags, "RESIZE") || has_word(flags, "DRBD_RESIZE");
    }
    const json_t *first = numbered(volumes, 0, NULL);
    if (!first)
        return;
    resource->pool = text_of(first, "storage_pool_name");
    resource->provider = text_of(first, "provider_kind");
    resource->disk_state = text_of(json_object_get(first, "state"), "disk_state");
    resource->disk = disk_of(resource->disk_state);
    if (!resource->device)
        resource->device = text_of(first, "device_path");
}

LinstorResource *
linstor_resource_parse(const json_t *json, GError **error)
{
    static const char *const keys[] = {"name", "node_name", NULL};

    if (!needs(json, "resource", keys, error))
        return NULL;
    const json_t *flags = json_object_get(json, "flags");
    LinstorResource *resource = g_new0(LinstorResource, 1);
    resource->definition = text_of(json, "name");
    resource->node = text_of(json, "node_name");
    resource->diskless = has_word(flags, "DISKLESS") || has_word(flags, "DRBD_DISKLESS");
    resource->tie_breaker = has_word(flags, "TIE_BREAKER");
    resource->deleting = has_word(flags, "DELETE") || has_word(flags, "DRBD_DELETE");
    resource->inactive = has_word(flags, "INACTIVE") || has_word(flags, "INACTIVE_PERMANENTLY");
    resource->in_use = truth_of(json_object_get(json, "state"), "in_use");
    take_layer(resource, json_object_get(json, "layer_object"));
    take_resource_volumes(resource, json_object_get(json, "volumes"));
    if (!resource->pool)
        resource->pool = text_of(json_object_get(json, "props"), "StorPoolName");
    return resource;
}

void
linstor_resource_free(LinstorResource *resource)
{
    if (!resource)
        return;
    g_free(resource->definition);
    g_free(resource->node);
    g_free(resource->pool);
    g_free(resource->provider);
    g_free(resource->device);
    g_free(resource->alone);
    g_free(resource->disk_state);
    g_free(resource);
}

/* Snapshots */

static guint64
sequence_of(const json_t *json)
{
    guint64 number = 0;
    const char *text = json_string_value(
        json_object_get(json_object_get(json, "snapshot_definition_props"), "SequenceNumber"));

    if (!text) /* the only map before LINSTOR 1.30 */
        text = json_string_value(json_object_get(json_object_get(json, "props"), "SequenceNumber"));
    parse_number(text, G_MAXINT64, &number);
    return number;
}

LinstorSnapshot *
linstor_snapshot_parse(const json_t *json, GError **error)
{
    static const char *const keys[] = {"name", "resource_name", NULL};
    size_t i;
    json_t *item;

    if (!needs(json, "snapshot", keys, error))
        return NULL;
    const json_t *flags = json_object_get(json, "flags");
    LinstorSnapshot *snapshot = g_new0(LinstorSnapshot, 1);
    snapshot->name = text_of(json, "name");
    snapshot->definition = text_of(json, "resource_name");
    snapshot->nodes = strings_of(json_object_get(json, "nodes"));
    snapshot->successful = has_word(flags, "SUCCESSFUL");
    snapshot->failed = has_word(flags, "FAILED_DEPLOYMENT") || has_word(flags, "FAILED_DISCONNECT");
    snapshot->deleting = has_word(flags, "DELETE");
    snapshot->sequence = sequence_of(json);
    snapshot->props = props_of(json_object_get(json, "props"));
    add_props(snapshot->props, json_object_get(json, "resource_definition_props"));
    json_array_foreach(json_object_get(json, "snapshots"), i, item) snapshot->created_ms =
        MAX(snapshot->created_ms, json_integer_value(json_object_get(item, "create_timestamp")));
    size_of(numbered(json_object_get(json, "volume_definitions"), 0, NULL), "size_kib",
            &snapshot->size);
    return snapshot;
}

void
linstor_snapshot_free(LinstorSnapshot *snapshot)
{
    if (!snapshot)
        return;
    g_free(snapshot->definition);
    g_free(snapshot->name);
    g_strfreev(snapshot->nodes);
    g_hash_table_unref(snapshot->props);
    g_free(snapshot);
}
