// SPDX-License-Identifier: Apache-2.0
#include "actions/task.h"

#include "base/error.h"
#include "base/log.h"
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
    one_vm_free(task->vm);
    g_ptr_array_unref(task->datastores);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Task, task_clear)

const Action *
action_find(Plane plane, const char *name)
{
    const Action *action = plane == PLANE_TM          ? tm_actions
                           : plane == PLANE_DATASTORE ? datastore_actions
                                                      : NULL;

    for (; action && action->name; action++)
        if (!strcmp(action->name, name))
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

/* The driver by which oned's directory is meant: the interpreter line's, an alias of onevol.conf,
 * or the name itself. */
static const Driver *
find_driver(const Request *request, GHashTable *settings, GError **error)
{
    const char *name = request->driver ? request->driver : request->directory;
    const char *aliases = g_hash_table_lookup(settings, "ALIASES");
    g_auto(GStrv) pairs = g_strsplit_set(aliases && !request->driver ? aliases : "", " ,", -1);

    for (char **pair = pairs; *pair; pair++) {
        gsize length = strlen(name);
        if (!strncmp(*pair, name, length) && (*pair)[length] == '=')
            name = *pair + length + 1;
    }
    const Driver *driver = driver_find(name);
    if (!driver)
        set_error(error, ONEVOL_ERROR_USAGE, "there is no driver '%s'", name);
    return driver;
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

bool
task_run(const Request *request, const Installation *installation, GError **error)
{
    g_autoptr(GHashTable) settings = settings_of_remotes(installation, "onevol/onevol.conf");
    g_auto(Task) task = {.request = request, .installation = installation};
    const Action *action = action_find(request->plane, request->action);

    task.datastores = g_ptr_array_new_with_free_func((GDestroyNotify)datastore_free);
    task.driver = find_driver(request, settings, error);
    if (!task.driver)
        return false;
    if (!action)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "driver '%s' has no %s action '%s'",
                         request->directory, plane_name(request->plane), request->action);
    apply_settings(settings);
    if (!watch_begin(error))
        return false;
    if (action->flags & TAKES_MESSAGE) {
        if (!read_message(&task, error))
            return false;
    } else if (!check_arguments(action, request->arguments, error)) {
        return false;
    }
    return action->run(&task, request->arguments, error);
}
