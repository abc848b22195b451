// SPDX-License-Identifier: Apache-2.0
/* All volumes of a datastore: one call. */
#include "backends/linstor/monitor.h"
#include "base/path.h"

#include <string.h>

typedef struct Listing {
    LinstorStore *store;
    Datastore *datastore;
    GPtrArray *volumes;
} Listing;

/* Images lie in image datastores; with LINBIT's driver so do the disks made from them. */
static bool
belongs(const Listing *listing, const LinstorName *name, const LinstorDefinition *definition)
{
    bool system = listing->store->facts->type == DATASTORE_SYSTEM;
    const LinstorAttributes *at = &listing->store->at;
    const char *told = g_hash_table_lookup(definition->props, LINSTOR_DS_ID);
    guint64 datastore;

    if (system != (name->image_id < 0))
        return false;
    if (system && told)
        return parse_number(told, G_MAXINT32, &datastore) &&
               (gint64)datastore == listing->store->id;
    return at->rule != LINSTOR_RULE_GROUP || !definition->group ||
           !g_ascii_strcasecmp(definition->group, at->group);
}

static VolumeKind
kind_of(const LinstorName *name)
{
    return name->kind == LINSTOR_NAME_IMAGE        ? VOLUME_IMAGE
           : name->kind == LINSTOR_NAME_CHECKPOINT ? VOLUME_CHECKPOINT
                                                   : VOLUME_DISK;
}

static Mark *
mark_from(const char *text, const char *owner)
{
    Mark *mark = mark_new("unknown", owner);

    if (text) {
        g_free(mark->text);
        mark->text = g_strdup(text);
    }
    return mark;
}

/* What lies beside a volume is never complete. */
static bool
see(LinstorDefinition *definition, void *user, G_GNUC_UNUSED GError **error)
{
    const Listing *listing = user;
    bool beside = g_str_has_suffix(definition->name, "-tmp");
    g_autofree char *name =
        g_strndup(definition->name, strlen(definition->name) - (beside ? strlen("-tmp") : 0));
    const char *mark = linstor_mark_of(definition);
    LinstorName parsed;

    if (!listing->store->names->parse(name, &parsed) || definition->deleting ||
        !belongs(listing, &parsed, definition))
        return true;
    Volume *volume = volume_new(listing->datastore, kind_of(&parsed), listing->datastore->host,
                                definition->name, definition->name, NULL);
    volume->virtual_size = volume->allocated_size = definition->size;
    if (mark || beside || definition->cloning || definition->failed)
        volume->mark = mark_from(mark, definition->name);
    g_ptr_array_add(listing->volumes, volume);
    return true;
}

bool
linstor_list_volumes(Datastore *datastore, GPtrArray *volumes, GError **error)
{
    LinstorStore *store = linstor_store(datastore, error);
    Listing listing = {store, datastore, volumes};

    return store && linstor_definitions(store->client, NULL, NULL, see, &listing, error);
}
