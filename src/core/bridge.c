// SPDX-License-Identifier: Apache-2.0
/*
 * BRIDGE_LIST: the hosts that run a datastore's commands. Hosts that oned holds for off, broken or
 * disabled are left out, and the others take turns (as get_destination_host of
 * src/datastore_mad/remotes/libfs.sh does).
 */
#include "base/error.h"
#include "base/log.h"
#include "core/volume.h"
#include "one/xmlrpc.h"

#include <string.h>

static bool
is_unusable(xmlNode *pool, const char *name)
{
    for (xmlNode *host = xml_find(pool, "HOST"); host; host = xml_next(host))
        if (xml_text_is(host, "NAME", name))
            return !one_host_is_usable(host);
    return false; /* not one of oned's hosts: a storage server, or the front-end */
}

static GPtrArray *
usable_hosts(const char *list)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) words = g_strsplit_set(list, " \t", -1);
    g_autoptr(GError) unknown = NULL;
    g_autoptr(XmlDocument) pool = xmlrpc_document("one.hostpool.info", NULL, 0, &unknown);

    if (!pool)
        log_warn("cannot find out which hosts of BRIDGE_LIST are usable: %s", unknown->message);
    for (char **word = words; *word; word++)
        if (**word && !(pool && is_unusable(xml_root(pool), *word)))
            g_ptr_array_add(names, g_strdup(*word));
    return names;
}

bool
datastore_use_bridge(Datastore *datastore, guint64 turn, GError **error)
{
    const OneDatastore *facts = datastore_facts(datastore, error);
    if (!facts)
        return false;
    g_autofree char *list = one_datastore_attribute(facts, "BRIDGE_LIST");
    if (!list)
        return true;

    g_autoptr(GPtrArray) names = usable_hosts(list);
    if (names->len == 0)
        return set_error(error, ONEVOL_ERROR_UNREACHABLE,
                         "no host in BRIDGE_LIST '%s' of datastore %" G_GINT64_FORMAT " is usable",
                         list, facts->id);
    Host *host = host_named(g_ptr_array_index(names, turn % names->len), error);
    if (host)
        datastore->host = host;
    return host != NULL;
}
