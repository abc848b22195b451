// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/placement.h"

#include "backends/linstor/life.h"
#include "backends/linstor/nodes.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>

char *
linstor_maker(const Volume *volume)
{
    return g_strdup_printf("%s of %s on %s", log_subject_text(), volume->owner, g_get_host_name());
}

GStrv
linstor_first_props(const Volume *volume, const char *origin)
{
    GPtrArray *pairs = g_ptr_array_new();
    bool raw = !volume->format || !strcmp(volume->format, "raw");

    g_ptr_array_add(pairs, g_strdup(LINSTOR_MARK));
    g_ptr_array_add(pairs, g_strdup(volume->mark->text));
    if (origin) {
        g_ptr_array_add(pairs, g_strdup(LINSTOR_ORIGIN));
        g_ptr_array_add(pairs, g_strdup(origin));
    }
    if (!raw) {
        g_ptr_array_add(pairs, g_strdup(LINSTOR_FORMAT));
        g_ptr_array_add(pairs, g_strdup(volume->format));
        g_ptr_array_add(pairs, g_strdup(LINSTOR_CONTENT));
        g_ptr_array_add(pairs, g_strdup_printf("%" G_GUINT64_FORMAT, volume->virtual_size));
    }
    g_ptr_array_add(pairs, NULL);
    return (GStrv)g_ptr_array_free(pairs, FALSE);
}

/* What the attributes say beyond the rule. A filter makes LINSTOR forget the group's list of nodes,
 * so none is sent where nothing asks for one. */
static bool
fill_place(const LinstorAttributes *at, VolumeKind kind, LinstorPlace *place)
{
    *place = (LinstorPlace){
        .count = at->rule == LINSTOR_RULE_COUNT ? at->count : 0,
        .nodes = (const char *const *)(at->rule == LINSTOR_RULE_NODES ? at->nodes : NULL),
        .pools = (const char *const *)at->pools,
        .providers = (const char *const *)at->providers,
        .layers = (const char *const *)at->layers,
        .same = (const char *const *)at->same,
        .different = (const char *const *)at->different,
        .not_with = (const char *const *)at->not_with,
        .not_with_regex = at->not_with_regex,
    };
    if (at->rule == LINSTOR_RULE_NODES)
        place->count = g_strv_length(at->nodes);
    if (kind == VOLUME_CHECKPOINT && at->checkpoint > 0)
        place->count = at->checkpoint;
    return place->count || place->pools || place->providers || place->layers || place->same ||
           place->different || place->not_with || place->not_with_regex;
}

bool
linstor_define(LinstorStore *store, const char *name, const char *const *props, GError **error)
{
    const LinstorNew new = {
        .name = name,
        .group = store->at.rule == LINSTOR_RULE_GROUP ? store->at.group : NULL,
        .layers = (const char *const *)store->at.layers,
        .set = props,
    };

    return linstor_definition_create(store->client, &new, error);
}

/* A replica where the VM runs, if there is room; else the placer finds other places. */
static bool
place_at_host(LinstorStore *store, const Volume *volume, GError **error)
{
    const char *node = linstor_node_of(store, volume->host);
    const char *const nodes[] = {node, NULL};
    g_autoptr(GError) why = NULL;

    bool done =
        store->at.pools
            ? linstor_resource_create(store->client, volume->name, nodes, store->at.pools[0], &why)
            : linstor_make_available(store->client, volume->name, node, true, &why);
    if (done)
        return true;
    if (linstor_failure(store->client) == 0) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    log_info("no replica of '%s' on node '%s', as PREFER_NODE asks: %s", volume->name, node,
             why->message);
    return true;
}

static bool
place_replicas(LinstorStore *store, const Volume *volume, const LinstorPlace *place, bool prefer,
               LinstorPlaced *placed, GError **error)
{
    const LinstorAttributes *at = &store->at;
    bool whole_list = at->rule == LINSTOR_RULE_NODES && place->count == g_strv_length(at->nodes);

    if (prefer && !place_at_host(store, volume, error))
        return false;
    if (whole_list && g_strv_length(at->pools) == 1)
        return linstor_resource_create(store->client, volume->name, (const char *const *)at->nodes,
                                       at->pools[0], error);
    return linstor_autoplace(store->client, volume->name, place, placed, error);
}

bool
linstor_place_new(LinstorStore *store, const Volume *volume, guint64 bytes,
                  const char *const *props, GError **error)
{
    const LinstorAttributes *at = &store->at;
    LinstorPlace place;
    bool filter = fill_place(at, volume->kind, &place);
    bool prefer = at->prefer_node && volume->kind == VOLUME_DISK &&
                  at->rule != LINSTOR_RULE_NODES && !host_is_frontend(volume->host);
    const LinstorNew new = {.name = volume->name, .group = at->group, .set = props};
    LinstorPlaced placed = {0};

    if (!linstor_attributes_can_place(at, store->facts, store->driver, error))
        return false;
    /* one call, unless LINSTOR is too old to set the mark in it */
    bool done = at->rule == LINSTOR_RULE_GROUP && !at->encryption && !prefer &&
                        linstor_has(store->client, LINSTOR_SPAWN_PROPS)
                    ? linstor_spawn(store->client, &new, bytes, filter ? &place : NULL, false,
                                    &placed, error)
                    : linstor_define(store, volume->name, props, error) &&
                          linstor_volume_create(store->client, volume->name, bytes, at->encryption,
                                                error) &&
                          place_replicas(store, volume, &place, prefer, &placed, error);
    g_free(placed.node);
    /* a replica that was there before was not told of */
    linstor_known(store, volume->name)->zeros = prefer ? LINSTOR_UNKNOWN : placed.zeros;
    return done;
}

/* A name that is taken */

/* Killed after its last step, an action that is run again finds what it made itself. */
static bool
is_our_own(LinstorStore *store, const Volume *volume, const LinstorDefinition *it, bool *own,
           GError **error)
{
    g_autofree char *maker = linstor_maker(volume);

    *own = !g_strcmp0(g_hash_table_lookup(it->props, LINSTOR_MADE), maker) &&
           !g_hash_table_contains(it->props, LINSTOR_VM_ID);
    if (!*own)
        return true;
    g_autoptr(GPtrArray) snapshots = linstor_snapshots(store->client, it->name, error);
    *own = snapshots && snapshots->len == 0;
    return snapshots != NULL;
}

static bool
clear_name(LinstorStore *store, const Volume *volume, GError **error)
{
    g_auto(LinstorLook) look = {0};

    if (!linstor_look(store, volume->name, &look, error))
        return false;
    if (!look.it)
        return true;
    if (look.it->deleting)
        return set_error(error, ONEVOL_ERROR_BUSY,
                         "'%s' was deleted, but LINSTOR keeps the name until all of its nodes are "
                         "back",
                         volume->name);
    bool leftover = volume->kind != VOLUME_IMAGE || linstor_mark_of(look.it) || look.it->failed;
    if (!leftover && !is_our_own(store, volume, look.it, &leftover, error))
        return false;
    if (!leftover)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' exists in LINSTOR already, and is no leftover: it is not replaced",
                         volume->name);
    log_info("'%s' is there from another try, it goes first", volume->name);
    return linstor_drop(store, volume->name, &look, error);
}

bool
linstor_make_fresh(LinstorStore *store, const Volume *volume, LinstorMake make, void *data,
                   GError **error)
{
    g_autoptr(GError) why = NULL;

    if (make(store, volume, data, &why))
        return true;
    if (linstor_failure(store->client) == LINSTOR_FAIL_EXISTS_RSC_DFN) {
        if (!clear_name(store, volume, error))
            return false;
        return make(store, volume, data, error) || linstor_advise(store, error);
    }
    g_propagate_error(error, g_steal_pointer(&why));
    return linstor_advise(store, error);
}
