// SPDX-License-Identifier: Apache-2.0
#include "admin/datastores.h"

#include "one/xmlrpc.h"

#include <string.h>

bool
each_datastore(const char *wanted, DatastoreVisit visit, gpointer data, GError **error)
{
    g_autoptr(Installation) installation = installation_find(NULL);
    g_autoptr(XmlDocument) pool = xmlrpc_document("one.datastorepool.info", NULL, 0, error);

    if (!pool)
        return false;
    for (xmlNode *node = xml_find(xml_root(pool), "DATASTORE"); node; node = xml_next(node)) {
        g_autofree char *tm_mad = xml_text(node, "TM_MAD");
        const Driver *driver = driver_named(installation, tm_mad);
        if (!driver || (wanted && strcmp(wanted, driver->name) != 0 && strcmp(wanted, tm_mad) != 0))
            continue;
        OneDatastore *facts = one_datastore_new(pool, node, error);
        if (!facts)
            return false;
        g_autoptr(Datastore) datastore = datastore_new(driver, facts->id, facts);
        visit(datastore, data);
    }
    return true;
}
