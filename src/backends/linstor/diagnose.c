// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/diagnose.h"

#include "backends/linstor/nodes.h"
#include "base/error.h"

#include <string.h>

static void
check_rules(LinstorStore *store, CheckNote note, gpointer data)
{
    g_autoptr(GError) problem = NULL;

    linstor_attributes_can_place(&store->at, store->facts, store->driver, &problem);
    note(data, "placement", problem);
    if (problem || store->at.rule != LINSTOR_RULE_GROUP)
        return;
    g_autoptr(GError) missing = NULL;
    g_autoptr(LinstorGroup) group = linstor_group(store->client, store->at.group, &missing);
    note(data, "group", group ? NULL : missing);
}

static const LinstorNode *
node_named(GPtrArray *nodes, const char *name)
{
    for (guint i = 0; i < nodes->len; i++)
        if (!g_ascii_strcasecmp(((LinstorNode *)g_ptr_array_index(nodes, i))->name, name))
            return g_ptr_array_index(nodes, i);
    return NULL;
}

static void
check_node_list(LinstorStore *store, CheckNote note, gpointer data)
{
    g_autoptr(GError) problem = NULL;

    if (!store->at.nodes)
        return;
    g_autoptr(GPtrArray) nodes = linstor_nodes(store->client, &problem);
    for (char **name = store->at.nodes; nodes && *name && !problem; name++)
        if (!node_named(nodes, *name))
            set_error(&problem, ONEVOL_ERROR_NOT_FOUND,
                      "LINSTOR has no node '%s', which NODE_LIST names", *name);
    note(data, "nodes", problem);
}

static bool
has_pool(GPtrArray *pools, const char *name)
{
    for (guint i = 0; i < pools->len; i++) {
        const LinstorPool *pool = g_ptr_array_index(pools, i);
        if (!g_ascii_strcasecmp(pool->name, name))
            return true;
    }
    return false;
}

/* Which pools snapshots, and so clones by them and live copies, work on. */
static void
check_pools(LinstorStore *store, CheckNote note, gpointer data)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) pools =
        linstor_pools(store->client, (const char *const *)store->at.pools, &problem);
    guint usable = 0;

    for (guint i = 0; pools && i < pools->len && !problem; i++) {
        const LinstorPool *pool = g_ptr_array_index(pools, i);
        usable += !pool->diskless;
        if (!pool->diskless && !pool->snapshots && store->at.clone_mode == LINSTOR_BY_SNAPSHOT)
            set_error(&problem, ONEVOL_ERROR_UNSUPPORTED,
                      "pool '%s' of node '%s' (%s) has no snapshots, which CLONE_MODE=snapshot "
                      "needs",
                      pool->name, pool->node, pool->provider);
    }
    for (char **name = store->at.pools; pools && name && *name && !problem; name++)
        if (!has_pool(pools, *name))
            set_error(&problem, ONEVOL_ERROR_NOT_FOUND, "LINSTOR has no storage pool '%s'", *name);
    if (!problem && usable == 0)
        set_error(&problem, ONEVOL_ERROR_NOT_FOUND, "LINSTOR has no storage pool for replicas");
    note(data, "pools", problem);
}

static void
check_passphrase(LinstorStore *store, CheckNote note, gpointer data)
{
    g_autoptr(GError) problem = NULL;

    if (!linstor_has(store->client, LINSTOR_PASSPHRASE_STATUS))
        return;
    g_autofree char *status = linstor_passphrase_status(store->client, &problem);
    if (!problem && (!g_strcmp0(status, "locked") ||
                     (store->at.encryption && g_strcmp0(status, "unlocked") != 0)))
        set_error(&problem, ONEVOL_ERROR_REFUSED,
                  "LINSTOR's passphrase is %s: 'linstor encryption %s-passphrase'",
                  !g_strcmp0(status, "locked") ? "locked" : "not set",
                  !g_strcmp0(status, "locked") ? "enter" : "create");
    note(data, "passphrase", problem);
}

static void
judge_node(LinstorStore *store, Host *host, GError **problem)
{
    g_autoptr(GPtrArray) nodes = linstor_nodes(store->client, problem);
    const char *name;

    if (!nodes || !linstor_node_search(store, host, true, &name, problem))
        return;
    const LinstorNode *node = name ? node_named(nodes, name) : NULL;
    if (!node)
        linstor_node_missing(store, host, problem);
    else if (!node->online)
        set_error(problem, ONEVOL_ERROR_UNREACHABLE, "LINSTOR node '%s' is %s", node->name,
                  node->status ? node->status : "not online");
    else if (!node->drbd)
        set_error(problem, ONEVOL_ERROR_UNSUPPORTED, "LINSTOR node '%s' has no DRBD", node->name);
}

static void
check_node(LinstorStore *store, Host *host, CheckNote note, gpointer data)
{
    g_autoptr(GError) problem = NULL;

    judge_node(store, host, &problem);
    note(data, "satellite", problem);
}

void
linstor_diagnose(Datastore *datastore, Host *host, CheckNote note, gpointer data)
{
    g_autoptr(GError) problem = NULL;
    LinstorStore *store = linstor_store(datastore, &problem);

    if (!host_is_frontend(host)) { /* the controller is looked at once, from the front-end */
        if (store)
            check_node(store, host, note, data);
        return;
    }
    note(data, "controller", problem);
    if (!store)
        return;
    check_rules(store, note, data);
    check_node_list(store, note, data);
    check_pools(store, note, data);
    check_passphrase(store, note, data);
}
