// SPDX-License-Identifier: Apache-2.0
/*
 * rm: an image with its snapshots. SOURCE may be any text that an admin registered: what is not of
 * this datastore is refused, not removed.
 */
#include "actions/datastore/datastore.h"
#include "base/error.h"

bool
datastore_rm(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    if (!datastore_require_image(task, error))
        return false;
    if (!task->image->source)
        return set_error(error, ONEVOL_ERROR_USAGE, "image %" G_GINT64_FORMAT " has no SOURCE",
                         task->image->id);

    g_autofree char *name =
        task->driver->naming->image_of_source(task->datastore, task->image->source, error);
    g_autofree char *owner = g_strdup_printf("image %" G_GINT64_FORMAT, task->image->id);
    g_autoptr(Volume) image =
        name ? volume_new(task->datastore, VOLUME_IMAGE, task->datastore->host, name, owner, NULL)
             : NULL;
    g_autofree char *text = task_text(task);
    return image && host_lock(image->host, image->name, text, error) && volume_remove(image, error);
}
