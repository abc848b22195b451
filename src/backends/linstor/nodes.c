// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/nodes.h"

#include "backends/linstor/examine.h"
#include "base/error.h"
#include "base/log.h"
#include "one/xmlrpc.h"

#include <string.h>

/* oned's hosts, asked for once. NULL: oned does not answer. */
static XmlDocument *
oned_hosts(void)
{
    static XmlDocument *pool;
    static bool asked;
    g_autoptr(GError) error = NULL;

    if (!asked) {
        asked = true;
        pool = xmlrpc_document("one.hostpool.info", NULL, 0, &error);
        if (!pool)
            log_info("LINSTOR_NODE of hosts is not known, names count: %s", error->message);
    }
    return pool;
}

/* Cluster and host name → node name, for the life of the process. */
static GHashTable *
known_nodes(void)
{
    static GHashTable *known;

    if (!known)
        known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return known;
}

static char *
node_key(const LinstorStore *store, Host *host)
{
    return g_strdup_printf("%p/%s", (const void *)store->client, host_name(host));
}

/* Texts that were given out stay valid. */
static const char *
remember(const LinstorStore *store, Host *host, const char *node)
{
    const char *kept = g_intern_string(node);

    g_hash_table_replace(known_nodes(), node_key(store, host), (gpointer)kept);
    return kept;
}

const char *
linstor_node_of(LinstorStore *store, Host *host)
{
    g_autofree char *key = node_key(store, host);
    const char *known = g_hash_table_lookup(known_nodes(), key);
    XmlDocument *pool = known ? NULL : oned_hosts();

    if (known)
        return known;
    for (xmlNode *at = pool ? xml_find(xml_root(pool), "HOST") : NULL; at; at = xml_next(at)) {
        g_autofree char *node = xml_text(at, "TEMPLATE/LINSTOR_NODE");
        if (node && xml_text_is(at, "NAME", host_name(host)))
            return remember(store, host, node);
    }
    return remember(store, host, host_name(host));
}

static const LinstorNode *
find(GPtrArray *nodes, const char *name)
{
    for (guint i = 0; i < nodes->len; i++) {
        const LinstorNode *node = g_ptr_array_index(nodes, i);
        if (node->storage && !g_ascii_strcasecmp(node->name, name))
            return node;
    }
    for (guint i = 0; i < nodes->len; i++) {
        const LinstorNode *node = g_ptr_array_index(nodes, i);
        if (node->storage && node->uname && !g_ascii_strcasecmp(node->uname, name))
            return node;
    }
    return NULL;
}

static bool
find_by_uname(GPtrArray *nodes, Host *host, const LinstorNode **found, GError **error)
{
    g_autoptr(Argv) argv = argv_new("uname", "-n");
    g_autofree char *out = NULL;

    if (!host_run(host, STEP_READ, "/", argv, SECONDS(10), &out, error))
        return false;
    *found = find(nodes, g_strstrip(out));
    return true;
}

bool
linstor_node_search(LinstorStore *store, Host *host, bool ask, const char **node, GError **error)
{
    g_autoptr(GPtrArray) nodes = linstor_nodes(store->client, error);
    const LinstorNode *found;

    *node = NULL;
    if (!nodes)
        return false;
    found = find(nodes, linstor_node_of(store, host));
    if (!found && ask && !find_by_uname(nodes, host, &found, error))
        return false;
    if (found)
        *node = remember(store, host, found->name);
    return true;
}

bool
linstor_node_missing(LinstorStore *store, Host *host, GError **error)
{
    const char *node = linstor_node_of(store, host);

    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "LINSTOR has no satellite '%s': host '%s' is none, or it has another name "
                     "there, which its attribute LINSTOR_NODE in OpenNebula must tell",
                     node, host_name(host));
}

/* Workers */

typedef struct Choosing {
    LinstorStore *store;
    GPtrArray *nodes;
    GHashTable *holders; /* node names in lower case → themselves */
} Choosing;

static bool
is_usable(const Choosing *choosing, Host *host)
{
    const LinstorNode *node = find(choosing->nodes, linstor_node_of(choosing->store, host));

    if (node && node->online)
        remember(choosing->store, host, node->name);
    return node && node->online;
}

static bool
holds(const Choosing *choosing, Host *host)
{
    g_autofree char *name = g_ascii_strdown(linstor_node_of(choosing->store, host), -1);

    return choosing->holders && g_hash_table_contains(choosing->holders, name);
}

static void
find_holders(GPtrArray *replicas, GHashTable *holders)
{
    for (guint i = 0; i < replicas->len; i++) {
        const LinstorResource *one = g_ptr_array_index(replicas, i);
        if (!one->diskless && !one->deleting && one->disk != LINSTOR_DISK_OTHER)
            g_hash_table_add(holders, g_ascii_strdown(one->node, -1));
    }
}

/* Hosts of oned, and the front-end, which may be a satellite too. */
static GPtrArray *
candidates(const Choosing *choosing)
{
    GPtrArray *hosts = g_ptr_array_new();
    XmlDocument *pool = oned_hosts();

    if (is_usable(choosing, host_frontend()))
        g_ptr_array_add(hosts, host_frontend());
    for (xmlNode *at = pool ? xml_find(xml_root(pool), "HOST") : NULL; at; at = xml_next(at)) {
        g_autofree char *name = xml_text(at, "NAME");
        if (!name || !one_host_is_usable(at))
            continue;
        Host *host = host_named(name, NULL);
        if (host && !host_is_frontend(host) && is_usable(choosing, host))
            g_ptr_array_add(hosts, host);
    }
    return hosts;
}

/* Holders first, then in turn by the volume's name, so that not one host does it all. */
static Host *
pick(const Choosing *choosing, GPtrArray *hosts, const char *name)
{
    g_autoptr(GPtrArray) best = g_ptr_array_new();

    for (guint i = 0; i < hosts->len; i++)
        if (holds(choosing, g_ptr_array_index(hosts, i)))
            g_ptr_array_add(best, g_ptr_array_index(hosts, i));
    GPtrArray *from = best->len > 0 ? best : hosts;
    return g_ptr_array_index(from, g_str_hash(name) % from->len);
}

bool
linstor_choose_worker(Volume *volume, Host **host, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);
    if (!store)
        return false;
    g_autoptr(GPtrArray) nodes = linstor_nodes(store->client, error);
    if (!nodes)
        return false;
    g_autoptr(GHashTable) holders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Choosing choosing = {.store = store, .nodes = nodes, .holders = holders};
    g_autoptr(GPtrArray) hosts = candidates(&choosing);

    if (hosts->len == 0)
        return set_error(error, ONEVOL_ERROR_UNREACHABLE,
                         "no host that OpenNebula may use is an online satellite of LINSTOR '%s'",
                         linstor_url(store->client));
    if (hosts->len > 1) {
        g_autoptr(GPtrArray) replicas = linstor_replicas(store, volume->name, error);
        if (!replicas)
            return false;
        find_holders(replicas, holders);
        LinstorKnown *known = linstor_known(store, volume->name);
        g_clear_pointer(&known->replicas, g_ptr_array_unref);
        known->replicas = g_steal_pointer(&replicas); /* whoever asks opens it next */
    }
    *host = pick(&choosing, hosts, volume->name);
    return true;
}
