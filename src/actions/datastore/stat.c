// SPDX-License-Identifier: Apache-2.0
/*
 * stat: the size an image will have, in MiB, before it is registered. Only its header is read.
 */
#include "actions/datastore/datastore.h"
#include "actions/datastore/source.h"
#include "base/error.h"

#include <stdio.h>

bool
datastore_stat(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    g_auto(Source) source = {0};

    if (!datastore_require_image(task, error))
        return false;
    if (!task->image->path)
        return set_error(error, ONEVOL_ERROR_USAGE, "the message does not say what to look at");
    if (!source_open(task, task->image->path, &source, error))
        return false;
    printf("%" G_GUINT64_FORMAT "\n", (source.format.virtual_size + MIB - 1) / MIB);
    return true;
}
