// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshots of volumes.
 *
 * LINSTOR rolls a definition back by itself, since 1.31 to any snapshot, before to the newest one.
 * An older one is then restored to a definition beside the volume, and copied over it, read back;
 * what lies beside goes when that is done.
 */
#pragma once

#include "backends/linstor/store.h"

bool linstor_history_create(Volume *volume, gint64 id, GError **error);
bool linstor_history_remove(Volume *volume, gint64 id, GError **error);
bool linstor_history_revert(Volume *volume, gint64 id, GError **error);
bool linstor_history_flatten(Volume *volume, gint64 id, GError **error);
bool linstor_history_open(Volume *volume, gint64 id, Endpoint *endpoint, GError **error);
bool linstor_history_close(Volume *volume, gint64 id, Endpoint *endpoint, GError **error);

/* A snapshot of a volume, with its guest standing still where one writes to it. One of that name
 * which a failed try left is replaced. UNSUPPORTED where the pool has none. */
bool linstor_take_snapshot(LinstorStore *store, const Volume *volume, const char *snapshot,
                           GError **error);
/* The definition beside the volume, alone, in place of one that a failed try left; with `props`
 * (pairs, NULL at the end). */
bool linstor_define_beside(LinstorStore *store, const Volume *volume, const char *const *props,
                           GError **error);
/* A snapshot's content as the definition beside the volume. */
bool linstor_restore_beside(LinstorStore *store, const Volume *volume, const char *snapshot,
                            GError **error);
bool linstor_drop_beside(LinstorStore *store, const Volume *volume, GError **error);
