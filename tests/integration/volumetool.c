// SPDX-License-Identifier: Apache-2.0
/*
 * What an action asks of a backend, by hand and in a process of its own, for tests that count:
 *
 *     volumetool [--driver NAME] [--system] [--attribute NAME=VALUE]… [--devices DIRECTORY]
 *                [--host NAME] FUNCTION ARGUMENT…
 *
 * Commands run on this machine, or on that host. Prints one line: "ok" and what was found, or
 * "error CODE TEXT".
 */
#include "backends/linstor/devices.h"
#include "base/log.h"
#include "core/snapshot.h"

#include <string.h>

typedef struct Tool {
    Datastore *datastore;
    char **words;
    guint count;
    GString *out;
    Host *host;
} Tool;

static const char *
word(const Tool *tool, guint number)
{
    return number < tool->count ? tool->words[number] : "";
}

static guint64
amount(const Tool *tool, guint number)
{
    return g_ascii_strtoull(word(tool, number), NULL, 10);
}

static Volume *
volume_named(const Tool *tool, guint number)
{
    const char *name = word(tool, number);
    VolumeKind kind = strstr(name, "checkpoint") ? VOLUME_CHECKPOINT
                      : strstr(name, "vm")       ? VOLUME_DISK
                                                 : VOLUME_IMAGE;
    Volume *volume = volume_new(tool->datastore, kind, tool->host, name, name, NULL);

    if (kind == VOLUME_DISK)
        volume->user = (VolumeUser){.vm_id = 7, .disk_id = 0, .datastore_id = tool->datastore->id};
    return volume;
}

static const Backend *
backend_of(const Tool *tool)
{
    return tool->datastore->driver->backend;
}

static bool
attach(const Tool *tool, Volume *volume, AttachMode mode, GError **error)
{
    g_autofree char *device = NULL;

    if (!backend_of(tool)->attach(volume, tool->host, mode, &device, error))
        return false;
    g_string_append_printf(tool->out, " %s", device);
    return true;
}

static AttachMode
mode_of(const char *text)
{
    return !strcmp(text, "dual")     ? ATTACH_DUAL
           : !strcmp(text, "shared") ? ATTACH_SHARED
           : !strcmp(text, "read")   ? ATTACH_READ_ONLY
                                     : ATTACH_WRITE;
}

static bool
do_create(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);

    if (*word(tool, 2))
        it->format = g_strdup(word(tool, 2));
    return volume_create(it, amount(tool, 1), error) && volume_commit(it, error);
}

/* As an import does: the content is written by way of a host. */
static bool
do_fill(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);

    return volume_import(it, &(Endpoint){.host = host_frontend(), .path = (char *)word(tool, 1)},
                         "raw", amount(tool, 2), error) &&
           volume_commit(it, error);
}

static bool
do_clone(const Tool *tool, GError **error)
{
    g_autoptr(Volume) from = volume_named(tool, 0);
    g_autoptr(Volume) to = volume_named(tool, 1);

    if (!volume_clone(from, to, error))
        return false;
    if (*word(tool, 2) && !volume_resize(to, amount(tool, 2), error)) {
        volume_abandon(to);
        return false;
    }
    return volume_commit(to, error) && attach(tool, to, ATTACH_WRITE, error);
}

static bool
do_attach(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);
    return volume_require(it, error) && attach(tool, it, mode_of(word(tool, 1)), error);
}

static bool
do_detach(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);
    return backend_of(tool)->detach(it, tool->host, mode_of(word(tool, 1)), error);
}

static bool
do_stat(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);
    bool exists;

    if (!volume_stat(it, &exists, error))
        return false;
    if (exists)
        g_string_append_printf(tool->out, " %s %" G_GUINT64_FORMAT, it->format, it->virtual_size);
    return true;
}

static bool
do_resize(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);
    return volume_require(it, error) && volume_resize(it, amount(tool, 1), error);
}

static bool
do_remove(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);
    return volume_remove(it, error);
}

static bool
do_assign(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);
    const VolumeUser user = {(gint64)amount(tool, 1), (gint64)amount(tool, 2), tool->datastore->id};
    return volume_assign(it, &user, strcmp(word(tool, 3), "not") != 0, error);
}

static bool
do_snapshot(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);
    return snapshot_create(it, (gint64)amount(tool, 1), error);
}

static bool
do_unsnapshot(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);
    return snapshot_remove(it, (gint64)amount(tool, 1), error);
}

static bool
do_revert(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);
    return snapshot_revert(it, (gint64)amount(tool, 1), error);
}

static bool
do_flatten(const Tool *tool, GError **error)
{
    g_autoptr(Volume) it = volume_named(tool, 0);
    return snapshot_flatten(it, (gint64)amount(tool, 1), error);
}

static bool
do_save(const Tool *tool, GError **error)
{
    g_autoptr(Volume) from = volume_named(tool, 0);
    g_autoptr(Volume) to = volume_named(tool, 2);
    return snapshot_clone(from, (gint64)amount(tool, 1), to, error) && volume_commit(to, error);
}

static bool
do_forget(const Tool *tool, GError **error)
{
    g_auto(GStrv) names = tool->datastore->driver->naming->old_contexts((gint64)amount(tool, 0),
                                                                        (gint64)amount(tool, 1));
    return backend_of(tool)->remove_any(tool->datastore, (const char *const *)names, error);
}

static bool
do_space(const Tool *tool, GError **error)
{
    guint64 total, used, available;

    if (!backend_of(tool)->space(tool->datastore, &total, &used, &available, error))
        return false;
    g_string_append_printf(tool->out, " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, total,
                           available);
    return true;
}

static void
note(gpointer data, gint64 vm_id, gint64 disk_id, gint64 snapshot, guint64 bytes)
{
    g_string_append_printf(
        data, " %" G_GINT64_FORMAT ".%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT "=%" G_GUINT64_FORMAT,
        vm_id, disk_id, snapshot, bytes);
}

static bool
do_usage(const Tool *tool, GError **error)
{
    return backend_of(tool)->usage(tool->datastore, note, tool->out, error);
}

static bool
do_list(const Tool *tool, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)volume_free);

    if (!backend_of(tool)->list(tool->datastore, found, error))
        return false;
    for (guint i = 0; i < found->len; i++) {
        const Volume *it = g_ptr_array_index(found, i);
        g_string_append_printf(tool->out, " %s%s", it->name, it->mark ? "!" : "");
    }
    return true;
}

static void
note_check(gpointer data, const char *what, const GError *problem)
{
    g_string_append_printf(data, " %s:%s;", what, problem ? problem->message : "ok");
}

static bool
do_diagnose(const Tool *tool, G_GNUC_UNUSED GError **error)
{
    backend_of(tool)->diagnose(tool->datastore, tool->host, note_check, tool->out);
    return true;
}

static bool
do_reattach(const Tool *tool, G_GNUC_UNUSED GError **error)
{
    backend_of(tool)->reattach(tool->datastore, tool->host, note_check, tool->out);
    return true;
}

static const struct {
    const char *name;
    bool (*run)(const Tool *tool, GError **error);
} functions[] = {
    {"create",     do_create    },
    {"fill",       do_fill      },
    {"clone",      do_clone     },
    {"attach",     do_attach    },
    {"detach",     do_detach    },
    {"stat",       do_stat      },
    {"resize",     do_resize    },
    {"remove",     do_remove    },
    {"assign",     do_assign    },
    {"snapshot",   do_snapshot  },
    {"unsnapshot", do_unsnapshot},
    {"revert",     do_revert    },
    {"flatten",    do_flatten   },
    {"save",       do_save      },
    {"forget",     do_forget    },
    {"space",      do_space     },
    {"usage",      do_usage     },
    {"list",       do_list      },
    {"diagnose",   do_diagnose  },
    {"reattach",   do_reattach  },
};

static Datastore *
make_datastore(const char *driver, bool system, char **attributes)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_printf(text,
                    "<DATASTORE><ID>100</ID><NAME>d</NAME><TYPE>%d</TYPE>"
                    "<BASE_PATH>/var/lib/one/datastores/100</BASE_PATH><TEMPLATE>",
                    system);
    for (char **at = attributes; at && *at; at++) {
        g_auto(GStrv) pair = g_strsplit(*at, "=", 2);
        g_autofree char *value = g_markup_escape_text(pair[1] ? pair[1] : "", -1);
        g_string_append_printf(text, "<%s>%s</%s>", pair[0], value, pair[0]);
    }
    g_string_append(text, "</TEMPLATE></DATASTORE>");
    g_autoptr(XmlDocument) document = xml_parse(text->str, text->len, NULL);
    return datastore_new(driver_find(driver), 100,
                         one_datastore_new(document, xml_root(document), NULL));
}

static int
run(const Tool *tool, const char *function)
{
    g_autoptr(GError) error = NULL;
    bool done = false;

    for (guint i = 0; i < G_N_ELEMENTS(functions); i++)
        if (!strcmp(functions[i].name, function))
            done = functions[i].run(tool, &error);
    if (done)
        printf("ok%s\n", tool->out->str);
    else
        printf("error %d %s\n", error ? error->code : 0, error ? error->message : "no function");
    return done ? 0 : 1;
}

int
main(int argc, char **argv)
{
    g_autofree char *driver = NULL;
    g_autofree char *devices = NULL;
    g_autofree char *host = NULL;
    g_auto(GStrv) attributes = NULL;
    gboolean system = FALSE;
    const GOptionEntry entries[] = {
        {"driver",    0, 0, G_OPTION_ARG_STRING,       &driver,     NULL, NULL},
        {"system",    0, 0, G_OPTION_ARG_NONE,         &system,     NULL, NULL},
        {"attribute", 0, 0, G_OPTION_ARG_STRING_ARRAY, &attributes, NULL, NULL},
        {"devices",   0, 0, G_OPTION_ARG_STRING,       &devices,    NULL, NULL},
        {"host",      0, 0, G_OPTION_ARG_STRING,       &host,       NULL, NULL},
        {NULL,        0, 0, 0,                         NULL,        NULL, NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, NULL) || argc < 2 || !driver ||
        !driver_find(driver))
        return 2;
    log_set_subject("volumetool");
    if (devices)
        linstor_devices_are_in(devices);
    Tool tool = {.datastore = make_datastore(driver, system, attributes),
                 .words = argv + 2,
                 .count = (guint)(argc - 2),
                 .out = g_string_new(NULL),
                 .host = host ? host_named(host, NULL) : host_frontend()};
    int status = run(&tool, argv[1]);
    g_string_free(tool.out, TRUE);
    datastore_free(tool.datastore);
    hosts_close();
    return status;
}
