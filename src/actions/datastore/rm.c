// SPDX-License-Identifier: Apache-2.0
/*
 * rm: an image with its snapshots. SOURCE may be any text that an admin registered: what is not of
 * this datastore is refused, not removed.
 */
#include "actions/datastore/datastore.h"

bool
datastore_rm(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    g_autoptr(Volume) image = datastore_image(task, error);
    g_autofree char *text = task_text(task);

    return image && volume_lock(image, text, error) && volume_remove(image, error);
}
