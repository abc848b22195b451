// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshots of volumes, a flat set: any may be removed or reverted to, in any order
 * (ALLOW_ORPHANS=YES). They belong to the volume: for a persistent disk that is the image.
 */
#pragma once

#include "core/volume.h"

/* One of the same id, left by a failed try, is replaced. */
bool snapshot_create(Volume *volume, gint64 id, GError **error);
/* None of that id is success. */
bool snapshot_remove(Volume *volume, gint64 id, GError **error);
/* The volume gets the snapshot's content; snapshots stay. */
bool snapshot_revert(Volume *volume, gint64 id, GError **error);
/* The same, and all snapshots go. */
bool snapshot_flatten(Volume *volume, gint64 id, GError **error);
/* The target's snapshots become those of the source. */
bool snapshots_copy(Volume *source, Volume *target, GError **error);
/* `target` becomes an incomplete volume with the snapshot's content. */
bool snapshot_clone(Volume *volume, gint64 id, Volume *target, GError **error);
