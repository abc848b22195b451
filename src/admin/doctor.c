// SPDX-License-Identifier: Apache-2.0
/*
 * Each datastore of ours × each host that oned uses: programs, the directory, and what the backend
 * itself must look at (diagnose). Everything is found out by doing it, with a file of no size that
 * is removed again.
 */
#include "admin/doctor.h"

#include "admin/datastores.h"
#include "base/error.h"
#include "base/log.h"
#include "core/driver.h"
#include "one/xmlrpc.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Doctor {
    bool json;
    json_t *rows;
    GPtrArray *hosts;
    guint good, bad;
    /* of the row that is being made */
    Datastore *datastore;
    Host *host;
} Doctor;

static void
note(gpointer data, const char *what, const GError *problem)
{
    Doctor *doctor = data;
    const char *host = host_name(doctor->host);
    g_autofree char *text = problem ? one_line(problem->message, 500) : NULL;

    doctor->good += !problem;
    doctor->bad += problem != NULL;
    if (doctor->json)
        json_array_append_new(doctor->rows,
                              json_pack("{s:I, s:s, s:s, s:b, s:s?}", "datastore",
                                        (json_int_t)doctor->datastore->id, "host", host, "check",
                                        what, "ok", !problem, "problem", text));
    else
        printf("%-9" G_GINT64_FORMAT " %-16s %-16s %s%s\n", doctor->datastore->id, host, what,
               problem ? "FAILED  " : "ok", text ? text : "");
}

static void
check_programs(Doctor *doctor)
{
    const ToolNeed *need = doctor->datastore->driver->backend->tools;

    for (; need->program; need++) {
        g_autoptr(GError) error = NULL;
        const char *const names[] = {need->program, NULL};
        g_autofree char *found = host_find_program(doctor->host, names, &error);
        if (found && !*found)
            set_error(&error, ONEVOL_ERROR_NOT_FOUND, "no '%s' in PATH: %s need it", need->program,
                      need->why);
        note(doctor, need->program, error);
    }
}

/* Whether that host sees the front-end's directory, by a file of the front-end's. */
static bool
sees(Host *host, const char *directory, const char *probe, GError **error)
{
    g_auto(FileInfo) info = {0};

    if (!host_stat(host, probe, false, &info, error))
        return false;
    return info.mode != 0 ||
           set_error(error, ONEVOL_ERROR_UNREACHABLE,
                     "host '%s' does not see what the front-end writes to '%s': it is not mounted "
                     "there, or another storage is",
                     host_name(host), directory);
}

static void
check_directory(Doctor *doctor, const char *directory)
{
    g_autofree char *id = g_uuid_string_random();
    g_autofree char *probe = g_strdup_printf("%s/.onevol-%s", directory, id);
    g_autoptr(GBytes) nothing = g_bytes_new(NULL, 0);
    g_autoptr(GError) error = NULL;

    if (host_write(host_frontend(), probe, nothing, 0600, &error)) {
        sees(doctor->host, directory, probe, &error);
        host_remove(host_frontend(), probe, error ? NULL : &error);
    }
    note(doctor, "directory", error);
}

static void
check_space(Doctor *doctor)
{
    g_autoptr(GError) error = NULL;
    guint64 total, used, available;

    doctor->datastore->driver->backend->space(doctor->datastore, &total, &used, &available, &error);
    note(doctor, "capacity", error);
}

static void
check_pair(Doctor *doctor, Datastore *datastore, Host *host)
{
    const Backend *backend = datastore->driver->backend;
    const char *directory = datastore->facts->base_path;

    doctor->datastore = datastore;
    doctor->host = host;
    check_programs(doctor);
    if (datastore->driver->placement == PLACEMENT_EVERYWHERE)
        check_directory(doctor, directory);
    if (backend->diagnose)
        backend->diagnose(datastore, host, note, doctor);
    if (host_is_frontend(host))
        check_space(doctor);
}

/* Host elements: the front-end, then those given or all that oned may use. */
static GPtrArray *
find_hosts(const char *given, GError **error)
{
    g_autoptr(GPtrArray) hosts = g_ptr_array_new();
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(hosts, host_frontend());
    if (given) {
        g_auto(GStrv) words = g_strsplit_set(given, ", ", -1);
        for (char **word = words; *word; word++)
            if (**word)
                g_ptr_array_add(names, g_strdup(*word));
    } else {
        g_autoptr(XmlDocument) pool = xmlrpc_document("one.hostpool.info", NULL, 0, error);
        if (!pool)
            return NULL;
        for (xmlNode *node = xml_find(xml_root(pool), "HOST"); node; node = xml_next(node)) {
            gint64 state = xml_number(node, "STATE", 0);
            if (state != HOST_DISABLED && state != HOST_OFFLINE)
                g_ptr_array_add(names, xml_text(node, "NAME"));
        }
    }
    for (guint i = 0; i < names->len; i++) {
        Host *host = host_named(g_ptr_array_index(names, i), error);
        if (!host)
            return NULL;
        if (!host_is_frontend(host))
            g_ptr_array_add(hosts, host);
    }
    return g_steal_pointer(&hosts);
}

static void
check_on_hosts(Datastore *datastore, gpointer data)
{
    Doctor *doctor = data;

    for (guint i = 0; i < doctor->hosts->len; i++)
        check_pair(doctor, datastore, g_ptr_array_index(doctor->hosts, i));
}

static bool
report(Doctor *doctor, GError **error)
{
    if (doctor->json) {
        char *text = json_dumps(doctor->rows, JSON_INDENT(1));
        printf("%s\n", text);
        free(text);
    }
    if (doctor->good + doctor->bad == 0)
        return set_error(error, ONEVOL_ERROR_NOT_FOUND, "oned knows no datastore of our drivers");
    if (doctor->bad == 0)
        return true;
    return set_error(error, ONEVOL_ERROR_FAILED, "%u of %u checks failed", doctor->bad,
                     doctor->good + doctor->bad);
}

bool
doctor_command(int argc, char **argv, GError **error)
{
    g_autofree char *driver = NULL;
    g_autofree char *hosts = NULL;
    gboolean json = FALSE;
    const GOptionEntry entries[] = {
        {"driver", 0, 0, G_OPTION_ARG_STRING, &driver, "only datastores of this driver",     "NAME"},
        {"hosts",  0, 0, G_OPTION_ARG_STRING, &hosts,  "these instead of all that oned has",
         "NAME,..."                                                                                },
        {"json",   0, 0, G_OPTION_ARG_NONE,   &json,   "one JSON document, no table",        NULL  },
        {NULL,     0, 0, 0,                   NULL,    NULL,                                 NULL  },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) words = NULL;

    g_option_context_set_summary(context, "Looks for what our datastores need, on every host.");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &words))
        return set_error(error, ONEVOL_ERROR_USAGE, "doctor: %s", words->message);
    if (argc > 1)
        return set_error(error, ONEVOL_ERROR_USAGE, "doctor: what is '%s'?", argv[1]);
    g_autoptr(Installation) installation = installation_find(NULL);
    if (driver && !driver_named(installation, driver))
        return set_error(error, ONEVOL_ERROR_USAGE, "there is no driver '%s'", driver);

    g_autoptr(GPtrArray) list = find_hosts(hosts, error);
    if (!list)
        return false;
    Doctor doctor = {.json = json, .rows = json_array(), .hosts = list};
    if (!json)
        printf("%-9s %-16s %-16s %s\n", "DATASTORE", "HOST", "CHECK", "RESULT");
    bool done = each_datastore(driver, check_on_hosts, &doctor, error) && report(&doctor, error);
    json_decref(doctor.rows);
    return done;
}
