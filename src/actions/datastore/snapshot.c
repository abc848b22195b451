// SPDX-License-Identifier: Apache-2.0
/*
 * snap_delete, snap_revert, snap_flatten: snapshots of a persistent image that no VM uses.
 */
#include "core/snapshot.h"
#include "actions/datastore/datastore.h"
#include "base/error.h"

typedef bool (*SnapshotStep)(Volume *volume, gint64 id, GError **error);

static bool
snapshot_action(Task *task, SnapshotStep step, GError **error)
{
    g_autoptr(Volume) image = datastore_image(task, error);
    if (!image)
        return false;
    if (task->image->target_snapshot < 0)
        return set_error(error, ONEVOL_ERROR_USAGE, "the message names no snapshot");
    gint64 id = task->image->target_snapshot;
    if (step == snapshot_revert &&
        !snapshot_model_check(NULL, xml_find(task->image->node, "SNAPSHOTS"), id, true,
                              task->request->directory, error))
        return false;

    g_autofree char *text = task_text(task);
    return volume_lock(image, text, error) && step(image, id, error);
}

bool
datastore_snap_delete(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    return snapshot_action(task, snapshot_remove, error);
}

bool
datastore_snap_revert(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    return snapshot_action(task, snapshot_revert, error);
}

bool
datastore_snap_flatten(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    return snapshot_action(task, snapshot_flatten, error);
}
