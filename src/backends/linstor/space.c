// SPDX-License-Identifier: Apache-2.0
/*
 * The space of a datastore: what fits, not what the disks add up to. A group's is what LINSTOR
 * itself computes; else pools are added up and divided by the number of replicas.
 */
#include "backends/linstor/monitor.h"
#include "base/error.h"

#include <string.h>

static bool
is_listed(const char *const *names, const char *name)
{
    if (!names)
        return true;
    for (; *names; names++)
        if (!g_ascii_strcasecmp(*names, name))
            return true;
    return false;
}

/* A node that is away tells no sizes: it is left out, and never counts as full. */
static bool
add_pools(LinstorStore *store, const char *const *pools, const char *const *nodes, unsigned count,
          LinstorSpace *space, GError **error)
{
    g_autoptr(GPtrArray) found = linstor_pools(store->client, pools, error);

    if (!found)
        return false;
    *space = (LinstorSpace){0};
    for (guint i = 0; i < found->len; i++) {
        const LinstorPool *pool = g_ptr_array_index(found, i);
        if (!pool->known || !is_listed(nodes, pool->node) ||
            !is_listed((const char *const *)store->at.providers, pool->provider))
            continue;
        space->total += pool->total;
        space->free += pool->free;
    }
    space->total /= MAX(count, 1);
    space->free /= MAX(count, 1);
    return space->total > 0 ||
           set_error(error, ONEVOL_ERROR_UNREACHABLE,
                     "no storage pool of datastore %" G_GINT64_FORMAT " tells its size: are its "
                     "nodes online?",
                     store->id);
}

static bool
space_of_group(LinstorStore *store, const char *name, LinstorSpace *space, GError **error)
{
    if (linstor_has(store->client, LINSTOR_QUERY_SIZE)) {
        if (!linstor_query_size(store->client, name, space, error))
            return false;
        if (space->total > 0)
            return true; /* all zeros while a node that it needs is away */
    }
    g_autoptr(LinstorGroup) group = linstor_group(store->client, name, error);
    if (!group)
        return false;
    const char *const *pools = (const char *const *)(store->at.pools ? store->at.pools
                                                     : *group->pools ? group->pools
                                                                     : NULL);
    return add_pools(store, pools, NULL, group->place_count, space, error);
}

bool
linstor_space(Datastore *datastore, guint64 *total, guint64 *used, guint64 *available,
              GError **error)
{
    LinstorStore *store = linstor_store(datastore, error);
    LinstorSpace space;

    if (!store || !linstor_attributes_can_place(&store->at, store->facts, store->driver, error))
        return false;
    const LinstorAttributes *at = &store->at;
    const char *const *nodes = (const char *const *)at->nodes;
    bool done =
        at->rule == LINSTOR_RULE_GROUP
            ? space_of_group(store, at->group, &space, error)
            : add_pools(store, (const char *const *)at->pools, nodes,
                        at->rule == LINSTOR_RULE_NODES ? g_strv_length(at->nodes) : at->count,
                        &space, error);
    if (!done)
        return false;
    *total = space.total;
    *available = MIN(space.free, space.total);
    *used = *total - *available;
    return true;
}
