// SPDX-License-Identifier: Apache-2.0
#include "admin/activate.h"

#include "base/error.h"
#include "core/driver.h"
#include "one/xmlrpc.h"

#include <stdio.h>

typedef struct Count {
    const Host *host;
    guint given, failed;
} Count;

static void
note(gpointer data, const char *what, const GError *problem)
{
    Count *count = data;
    g_autofree char *text = problem ? one_line(problem->message, 500) : NULL;

    *(problem ? &count->failed : &count->given) += 1;
    printf("%-16s %-32s %s%s\n", host_name(count->host), what, problem ? "FAILED  " : "ok",
           text ? text : "");
}

static bool
activate_all(char **names, Count *count, GError **error)
{
    g_autoptr(Installation) installation = installation_find(NULL);
    g_autoptr(XmlDocument) pool = xmlrpc_document("one.datastorepool.info", NULL, 0, error);

    if (!pool)
        return false;
    for (xmlNode *node = xml_find(xml_root(pool), "DATASTORE"); node; node = xml_next(node)) {
        g_autofree char *tm_mad = xml_text(node, "TM_MAD");
        const Driver *driver = driver_named(installation, tm_mad);
        if (!driver || !driver->backend->reattach)
            continue;
        OneDatastore *facts = one_datastore_new(pool, node, error);
        if (!facts)
            return false;
        g_autoptr(Datastore) datastore = datastore_new(driver, facts->id, facts);
        for (char **name = names; *name; name++) {
            Host *host = host_named(*name, error);
            if (!host)
                return false;
            count->host = host;
            driver->backend->reattach(datastore, host, note, count);
        }
    }
    return true;
}

bool
activate_command(int argc, char **argv, GError **error)
{
    GOptionContext *context = g_option_context_new("HOST...");
    g_autoptr(GError) words = NULL;
    Count count = {0};

    g_option_context_set_summary(context, "Activates on booted hosts the volumes they had before.");
    bool parsed = g_option_context_parse(context, &argc, &argv, &words);
    g_option_context_free(context);
    if (!parsed)
        return set_error(error, ONEVOL_ERROR_USAGE, "activate: %s", words->message);
    if (argc < 2)
        return set_error(error, ONEVOL_ERROR_USAGE, "activate: which hosts?");
    if (!activate_all(argv + 1, &count, error))
        return false;
    return count.failed == 0 ||
           set_error(error, ONEVOL_ERROR_FAILED, "%u of %u volumes could not be activated",
                     count.failed, count.failed + count.given);
}
