// SPDX-License-Identifier: Apache-2.0
#include "admin/activate.h"

#include "admin/datastores.h"
#include "base/error.h"

#include <stdio.h>

typedef struct Count {
    GPtrArray *hosts;
    const Host *host; /* of the row that is being made */
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

static void
reattach_on_hosts(Datastore *datastore, gpointer data)
{
    Count *count = data;

    for (guint i = 0; datastore->driver->backend->reattach && i < count->hosts->len; i++) {
        Host *host = g_ptr_array_index(count->hosts, i);
        count->host = host;
        datastore->driver->backend->reattach(datastore, host, note, count);
    }
}

bool
activate_command(int argc, char **argv, GError **error)
{
    GOptionContext *context = g_option_context_new("HOST...");
    g_autoptr(GError) words = NULL;
    g_autoptr(GPtrArray) hosts = g_ptr_array_new();
    Count count = {.hosts = hosts};

    g_option_context_set_summary(context, "Activates on booted hosts the volumes they had before.");
    bool parsed = g_option_context_parse(context, &argc, &argv, &words);
    g_option_context_free(context);
    if (!parsed)
        return set_error(error, ONEVOL_ERROR_USAGE, "activate: %s", words->message);
    if (argc < 2)
        return set_error(error, ONEVOL_ERROR_USAGE, "activate: which hosts?");
    for (char **name = argv + 1; *name; name++) {
        Host *host = host_named(*name, error);
        if (!host)
            return false;
        g_ptr_array_add(hosts, host);
    }
    if (!each_datastore(NULL, reattach_on_hosts, &count, error))
        return false;
    return count.failed == 0 ||
           set_error(error, ONEVOL_ERROR_FAILED, "%u of %u volumes could not be activated",
                     count.failed, count.failed + count.given);
}
