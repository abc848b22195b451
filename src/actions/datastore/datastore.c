// SPDX-License-Identifier: Apache-2.0
#include "actions/datastore/datastore.h"

#include "actions/monitor.h"
#include "base/error.h"

#include <stdio.h>

const Action datastore_actions[] = {
    {"clone",        "image_id",     datastore_clone,        TAKES_MESSAGE},
    {"cp",           "image_id",     datastore_cp,           TAKES_MESSAGE},
    {"export",       "image_id",     datastore_export,       TAKES_MESSAGE},
    {"mkfs",         "image_id",     datastore_mkfs,         TAKES_MESSAGE},
    {"monitor",      "datastore_id", monitor_datastore,      TAKES_MESSAGE},
    {"rm",           "image_id",     datastore_rm,           TAKES_MESSAGE},
    {"snap_delete",  "image_id",     datastore_snap_delete,  TAKES_MESSAGE},
    {"snap_flatten", "image_id",     datastore_snap_flatten, TAKES_MESSAGE},
    {"snap_revert",  "image_id",     datastore_snap_revert,  TAKES_MESSAGE},
    {"stat",         "request_id",   datastore_stat,         TAKES_MESSAGE},
    {NULL,           NULL,           NULL,                   0            },
};

bool
datastore_require_image(Task *task, GError **error)
{
    if (task->image)
        return true;
    return set_error(error, ONEVOL_ERROR_USAGE, "the driver message has no IMAGE");
}

Volume *
datastore_image(Task *task, GError **error)
{
    if (!datastore_require_image(task, error))
        return NULL;
    if (!task->image->source) {
        set_error(error, ONEVOL_ERROR_USAGE, "image %" G_GINT64_FORMAT " has no SOURCE",
                  task->image->id);
        return NULL;
    }
    g_autofree char *name =
        task->driver->naming->image_of_source(task->datastore, task->image->source, error);
    g_autofree char *owner = g_strdup_printf("image %" G_GINT64_FORMAT, task->image->id);
    return name ? volume_new(task->datastore, VOLUME_IMAGE, task->datastore->host, name, owner,
                             task->image->format)
                : NULL;
}

Volume *
datastore_new_image(Task *task, const char *format, GError **error)
{
    g_autofree char *name =
        task->driver->naming->new_image(task->datastore, task->image->id, error);
    if (!name)
        return NULL;
    g_autofree char *owner = g_strdup_printf("image %" G_GINT64_FORMAT, task->image->id);
    Volume *image =
        volume_new(task->datastore, VOLUME_IMAGE, task->datastore->host, name, owner, format);
    if (!task->driver->backend->files) /* a device has its size before its content comes */
        image->virtual_size = task->image->size;
    return image;
}

void
datastore_print_source(Task *task, const Volume *volume, bool with_format)
{
    g_autofree char *source =
        task->driver->naming->source_of_image(task->datastore->facts, volume->name);

    if (step_is_dry_run())
        return;
    if (with_format && task->image->says_format)
        printf("%s %s\n", source, volume->format);
    else
        printf("%s\n", source);
}
