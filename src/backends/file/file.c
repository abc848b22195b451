// SPDX-License-Identifier: Apache-2.0
/*
 * Volumes as files of a directory that every user of them sees.
 *
 * Clones and snapshots are instant where the kernel shares blocks (XFS, btrfs, NFS 4.2) and sparse
 * copies elsewhere. All the rest is core/file_volume.c.
 */
#include "backends/file/file.h"

#include "core/file_volume.h"

static bool
file_probe(G_GNUC_UNUSED Datastore *datastore, G_GNUC_UNUSED unsigned *caps,
           G_GNUC_UNUSED GError **error)
{
    return true; /* every file system can copy; which way is found out by each copy */
}

static const FileStorage file_storage = {0};

static const ToolNeed file_tools[] = {
    {"qemu-img", "qcow2 volumes"},
    {NULL,       NULL           },
};

const Backend file_backend = {
    .name = "file",
    .tools = file_tools,
    .caps = CAP_CLONE | CAP_RESIZE | CAP_SNAPSHOT,
    .files = &file_storage,
    .probe = file_probe,
    .create = file_volume_create,
    .commit = file_volume_commit,
    .abandon = file_volume_abandon,
    .remove = file_volume_remove,
    .stat = file_volume_stat,
    .attach = file_volume_attach,
    .detach = file_volume_detach,
    .open = file_volume_open,
    .close = file_volume_close,
    .list = file_volume_list,
    .space = file_volume_space,
    .clone = file_volume_clone,
    .resize = file_volume_resize,
    .reserve = file_volume_reserve,
    .snapshot_create = file_volume_snapshot_create,
    .snapshot_remove = file_volume_snapshot_remove,
    .snapshot_revert = file_volume_snapshot_revert,
    .snapshot_flatten = file_volume_snapshot_flatten,
    .snapshots_copy = file_volume_snapshots_copy,
    .snapshot_open = file_volume_snapshot_open,
    .snapshot_close = file_volume_snapshot_close,
};
