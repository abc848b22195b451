// SPDX-License-Identifier: Apache-2.0
/*
 * Volumes that are files: what the backends on a file system have in common.
 *
 * A volume's name is its path. New content is built in PATH.part/ (local/build.c) and renamed;
 * snapshot ID is the whole file PATH.snap/ID, so any of them can go in any order. A revert builds
 * beside the file and renames, so that the only copy of user data is never gone.
 *
 * A backend names these functions in its table (core/backend.h has their contract), and says in
 * `files` how one file becomes an instant copy of another.
 */
#pragma once

#include "core/driver.h"

struct FileStorage {
    /* Optional. The command that makes the absent file `to` an instant copy of `from`, to be run on
     * `host` once `from` is flushed there. *command NULL: none works for these two, so they are
     * copied, and what was written is read back. The caller frees it. NULL slot: blocks are shared
     * where the kernel can, and else copied. */
    bool (*instant)(Volume *volume, Host *host, const char *from, const char *to, Argv **command,
                    GError **error);
    /* Optional. The finished content of `volume` lies at `path`, under its mark: what the storage
     * must be told about it. */
    bool (*finish)(Volume *volume, const char *path, GError **error);
};

/* Where the content of `volume` is now: below its mark, or in place. Caller frees. */
char *file_volume_content(const Volume *volume);

bool file_volume_create(Volume *volume, guint64 bytes, GError **error);
bool file_volume_commit(Volume *volume, GError **error);
bool file_volume_abandon(Volume *volume, GError **error);
bool file_volume_remove(Volume *volume, GError **error);
bool file_volume_stat(Volume *volume, bool *exists, GError **error);
bool file_volume_attach(Volume *volume, Host *host, AttachMode mode, char **device, GError **error);
bool file_volume_detach(Volume *volume, Host *host, AttachMode mode, GError **error);
bool file_volume_open(Volume *volume, Endpoint *endpoint, GError **error);
bool file_volume_close(Volume *volume, Endpoint *endpoint, GError **error);
bool file_volume_list(Datastore *datastore, GPtrArray *volumes, GError **error);
bool file_volume_space(Datastore *datastore, guint64 *total, guint64 *used, guint64 *available,
                       GError **error);
bool file_volume_clone(Volume *source, Volume *target, char **how, GError **error);
bool file_volume_resize(Volume *volume, guint64 bytes, GError **error);
bool file_volume_reserve(Volume *volume, GError **error);
bool file_volume_snapshot_create(Volume *volume, gint64 id, GError **error);
bool file_volume_snapshot_remove(Volume *volume, gint64 id, GError **error);
bool file_volume_snapshot_revert(Volume *volume, gint64 id, GError **error);
bool file_volume_snapshot_flatten(Volume *volume, gint64 id, GError **error);
bool file_volume_snapshots_copy(Volume *source, Volume *target, GError **error);
bool file_volume_snapshot_open(Volume *volume, gint64 id, Endpoint *endpoint, GError **error);
bool file_volume_snapshot_close(Volume *volume, gint64 id, Endpoint *endpoint, GError **error);

/* Images are files directly below the datastore's BASE_PATH, SOURCE is the path; a VM's own disk
 * is VMDIR/disk.N itself. */
extern const Naming file_naming;
