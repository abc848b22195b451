// SPDX-License-Identifier: Apache-2.0
/*
 * stat: the size an image will have, in MiB, before it is registered. Only its header is read where
 * the format allows; oned gives the user an error after 90 s (include/SyncRequest.h).
 */
#include "actions/datastore/datastore.h"
#include "actions/datastore/source.h"
#include "actions/datastore/volume_source.h"
#include "base/error.h"

#include <stdio.h>

#define PATIENCE (80 * G_USEC_PER_SEC)

static bool
print_size(guint64 size)
{
    printf("%" G_GUINT64_FORMAT "\n", (size + MIB - 1) / MIB);
    return true;
}

bool
datastore_stat(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    g_auto(Source) source = {0};
    gint64 deadline = g_get_monotonic_time() + PATIENCE;
    guint64 size;

    if (!datastore_require_image(task, error))
        return false;
    if (!task->image->path)
        return set_error(error, ONEVOL_ERROR_USAGE, "the message does not say what to look at");
    if (datastore_is_media(task)) {
        g_autoptr(Volume) media = datastore_media(task, error);
        return media && print_size(media->virtual_size);
    }
    if (!source_open(task, SOURCE_HEADER, &source, error))
        return false;
    if (source_is_volume(&source)) {
        if (!volume_source_size(&source.url, &size, error))
            return false;
        size *= MIB;
    } else if (!source_size(&source, deadline, &size, error)) {
        return false;
    }
    return print_size(size);
}
