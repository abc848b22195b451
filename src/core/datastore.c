// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "core/driver.h"
#include "one/xmlrpc.h"

Datastore *
datastore_new(const Driver *driver, gint64 id, OneDatastore *facts)
{
    Datastore *datastore = g_new0(Datastore, 1);

    datastore->driver = driver;
    datastore->id = id;
    datastore->host = host_frontend();
    datastore->facts = facts;
    return datastore;
}

void
datastore_free(Datastore *datastore)
{
    if (!datastore)
        return;
    one_datastore_free(datastore->facts);
    g_free(datastore);
}

const OneDatastore *
datastore_facts(Datastore *datastore, GError **error)
{
    if (datastore->facts)
        return datastore->facts;

    XmlrpcValue id = {.type = XMLRPC_INT, .number = datastore->id};
    g_autoptr(XmlDocument) document = xmlrpc_document("one.datastore.info", &id, 1, error);
    if (!document)
        return NULL;
    datastore->facts = one_datastore_new(document, xml_root(document), error);
    return datastore->facts;
}

static bool
take_verify(const OneDatastore *facts, bool *readback, GError **error)
{
    g_autofree char *verify = one_datastore_attribute(facts, "VERIFY");

    *readback = verify && !g_ascii_strcasecmp(verify, "READBACK");
    if (!verify || *readback || !g_ascii_strcasecmp(verify, "NO"))
        return true;
    g_autofree char *shown = one_line(verify, 40);
    return set_error(error, ONEVOL_ERROR_USAGE, "VERIFY '%s' is neither READBACK nor NO", shown);
}

bool
datastore_move_options(Datastore *datastore, MoveOptions *options, GError **error)
{
    const OneDatastore *facts = datastore_facts(datastore, error);

    *options = (MoveOptions){0};
    return facts && one_datastore_rate(facts, &options->rate, error) &&
           take_verify(facts, &options->readback, error);
}

bool
datastore_caps(Datastore *datastore, unsigned *caps, GError **error)
{
    if (!datastore->probed) {
        datastore->caps = datastore->driver->backend->caps;
        if (!datastore->driver->backend->probe(datastore, &datastore->caps, error))
            return false;
        datastore->probed = true;
    }
    *caps = datastore->caps;
    return true;
}
