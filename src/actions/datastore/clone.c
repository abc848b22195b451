// SPDX-License-Identifier: Apache-2.0
/*
 * clone: an independent image with the content of another.
 */
#include "actions/datastore/datastore.h"
#include "base/error.h"
#include "one/xmlrpc.h"

/* The original may lie in another datastore of the same driver; before 7.4 nothing in the message
 * says which one, but the image itself does. */
static Datastore *
origin(Task *task, GError **error)
{
    gint64 id = xml_number(task->image->node, "CLONING_ID", -1);
    XmlrpcValue value = {.type = XMLRPC_INT, .number = id};

    if (id < 0)
        return task->datastore;
    g_autoptr(XmlDocument) document = xmlrpc_document("one.image.info", &value, 1, error);
    if (!document)
        return NULL;
    gint64 datastore_id = xml_number(xml_root(document), "DATASTORE_ID", -1);
    if (datastore_id == task->datastore->id)
        return task->datastore;
    Datastore *from = task_datastore(task, datastore_id);
    if (task->driver->placement == PLACEMENT_EVERYWHERE)
        from->host = task->datastore->host;
    else if (!datastore_use_bridge(from, (guint64)task->id, error))
        return NULL;
    return from;
}

bool
datastore_clone(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    if (!datastore_require_image(task, error))
        return false;
    if (!task->image->path)
        return set_error(error, ONEVOL_ERROR_USAGE, "the message does not say what to clone");

    Datastore *from = origin(task, error);
    g_autofree char *name =
        from ? task->driver->naming->image_of_source(from, task->image->path, error) : NULL;
    if (!name)
        return false;
    g_autofree char *owner = g_strdup_printf("image '%s'", task->image->path);
    g_autoptr(Volume) original =
        volume_new(from, VOLUME_IMAGE, from->host, name, owner, task->image->format);
    g_autoptr(Volume) image = datastore_new_image(task, NULL, error);
    if (!image || !volume_clone(original, image, error) || !volume_commit(image, error))
        return false;
    datastore_print_source(task, image, true);
    return true;
}
