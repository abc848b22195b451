// SPDX-License-Identifier: Apache-2.0
#include "actions/task.h"

#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "core/qemu_img.h"
#include "local/watch.h"
#include "one/xmlrpc.h"

#include <string.h>
#include <unistd.h>

static void
task_clear(Task *task)
{
    one_image_free(task->image);
    datastore_free(task->datastore);
    xml_unref(task->message);
    g_free(task->message_text);
    one_vm_free(task->vm);
    g_ptr_array_unref(task->datastores);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Task, task_clear)

/* The file of a VMM action has the driver's name behind it, since OpenNebula's own is there too. */
static bool
is_named(const Action *action, Plane plane, const char *name)
{
    gsize length = strlen(action->name);

    return !strcmp(action->name, name) ||
           (plane == PLANE_VMM && !strncmp(action->name, name, length) && name[length] == '_');
}

const Action *
action_find(Plane plane, const char *name)
{
    const Action *action = plane == PLANE_TM          ? tm_actions
                           : plane == PLANE_DATASTORE ? datastore_actions
                                                      : vmm_actions;

    for (; action->name; action++)
        if (is_named(action, plane, name))
            return action;
    return NULL;
}

const OneVm *
task_vm(Task *task, gint64 vm_id, GError **error)
{
    if (task->vm && task->vm->id == vm_id)
        return task->vm;

    XmlrpcValue id = {.type = XMLRPC_INT, .number = vm_id};
    g_autoptr(XmlDocument) document = xmlrpc_document("one.vm.info", &id, 1, error);
    if (!document)
        return NULL;
    one_vm_free(task->vm);
    task->vm = one_vm_new(document, xml_root(document));
    return task->vm;
}

Datastore *
task_datastore(Task *task, gint64 id)
{
    for (guint i = 0; i < task->datastores->len; i++) {
        Datastore *datastore = g_ptr_array_index(task->datastores, i);
        if (datastore->id == id)
            return datastore;
    }
    Datastore *datastore = datastore_new(task->driver, id, NULL);
    g_ptr_array_add(task->datastores, datastore);
    return datastore;
}

char *
task_text(const Task *task)
{
    if (task->message) /* its argument may be the whole document */
        return g_strdup_printf("%s %" G_GINT64_FORMAT, task->request->action, task->id);
    g_autofree char *arguments = g_strjoinv(" ", task->request->arguments);
    return g_strconcat(task->request->action, " ", arguments, NULL);
}

/* Counts against the synopsis: "word..." stands for one or more, "[word]" for one or none. */
static bool
check_arguments(const Action *action, char **arguments, GError **error)
{
    g_auto(GStrv) words = g_strsplit(action->arguments, " ", -1);
    guint most = g_strv_length(words), given = g_strv_length(arguments), least = most;

    for (char **word = words; *word; word++) {
        least -= **word == '[';
        most = g_str_has_suffix(*word, "...") ? G_MAXUINT : most;
    }
    if (given >= least && given <= most)
        return true;
    return set_error(error, ONEVOL_ERROR_USAGE, "%s takes '%s', not %u arguments", action->name,
                     action->arguments, given);
}

static bool
read_message(Task *task, GError **error)
{
    task->message = request_document(task->request, STDIN_FILENO, &task->id, error);
    if (!task->message)
        return false;

    xmlNode *root = xml_root(task->message);
    xmlNode *image = xml_find(root, "IMAGE");
    xmlNode *datastore = xml_find(root, "DATASTORE");
    if (!datastore)
        return set_error(error, ONEVOL_ERROR_USAGE, "the driver message has no DATASTORE");
    if (image)
        task->image = one_image_new(task->message, image);
    OneDatastore *facts = one_datastore_new(task->message, datastore, error);
    if (!facts)
        return false;
    task->datastore = datastore_new(task->driver, facts->id, facts);
    /* monitor comes with the datastore's own id, again and again: any host will do */
    guint64 turn = task->image ? (guint64)task->id : g_random_int();
    if (!datastore_use_bridge(task->datastore, turn, error))
        return false;
    const Backend *backend = task->driver->backend;
    return !backend->check ||
           backend->check(task->datastore, task->datastore->host, facts->base_path, error);
}

/* The driver by which oned's directory is meant; that of a VMM action is its hypervisor's. */
static bool
find_driver(Task *task, GError **error)
{
    const Request *request = task->request;

    if (request->plane == PLANE_VMM)
        return true;
    task->driver = request->driver ? driver_find(request->driver)
                                   : driver_named(task->installation, request->directory);
    return task->driver || set_error(error, ONEVOL_ERROR_USAGE, "there is no driver '%s'",
                                     request->driver ? request->driver : request->directory);
}

static void
apply_settings(GHashTable *settings)
{
    const char *options = g_getenv("QCOW2_OPTIONS"); /* tmrc, where one_tm is the caller */
    const char *names = g_hash_table_lookup(settings, "FRONTEND_NAMES");
    const char *direct = g_hash_table_lookup(settings, "DIRECT");
    g_auto(GStrv) words = g_strsplit_set(names ? names : "", " ,", -1);

    qemu_img_set_create_options(options ? options : g_hash_table_lookup(settings, "QCOW2_OPTIONS"));
    if (direct && !g_ascii_strcasecmp(direct, "no"))
        hosts_forbid_direct();
    for (char **word = words; *word; word++)
        if (**word)
            host_add_frontend_name(*word);
}

static bool
run_action(Task *task, const Action *action, GError **error)
{
    char **arguments = task->request->arguments;

    if (action->flags & TAKES_MESSAGE) {
        if (!read_message(task, error))
            return false;
    } else if (!check_arguments(action, arguments, error)) {
        return false;
    }
    return action->run(task, arguments, error);
}

bool
task_run(const Request *request, const Installation *installation, int *status, GError **error)
{
    g_autoptr(GHashTable) settings = settings_of_remotes(installation, "onevol/onevol.conf");
    g_auto(Task) task = {.request = request, .installation = installation};
    const Action *action = action_find(request->plane, request->action);

    task.datastores = g_ptr_array_new_with_free_func((GDestroyNotify)datastore_free);
    if (!find_driver(&task, error))
        return false;
    if (!action)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "driver '%s' has no %s action '%s'",
                         request->directory, plane_name(request->plane), request->action);
    apply_settings(settings);
    if (!watch_begin(error))
        return false;
    bool done = run_action(&task, action, error);
    *status = task.status;
    return done;
}

char *
task_staging(Task *task, GError **error)
{
    const OneDatastore *facts = datastore_facts(task->datastore, error);
    if (!facts)
        return NULL;
    const char *name = task->driver->name;
    g_autofree char *file = g_strdup_printf("datastore/%s/%s.conf", name, name);
    g_autofree char *set = one_datastore_attribute(facts, "STAGING_DIR");
    g_autoptr(GHashTable) settings = settings_of_remotes(task->installation, file);
    const char *otherwise = g_hash_table_lookup(settings, "STAGING_DIR");

    return path_normal(set ? set : otherwise && *otherwise ? otherwise : "/var/tmp", error);
}
