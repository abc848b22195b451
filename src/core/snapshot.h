// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshots of volumes, a flat set: any may be removed or reverted to, in any order
 * (ALLOW_ORPHANS=YES). They belong to the volume: for a persistent disk that is the image.
 */
#pragma once

#include "core/volume.h"

#include <libxml/tree.h>

/* What oned believes about a disk's or an image's snapshots, ALLOW_ORPHANS of its elements, must be
 * true of a flat set. NO, MIXED and FORMAT are: oned shows a tree and lets fewer be removed. LINEAR
 * is not: at a revert oned forgets all younger ones and nobody ever removes them. So no snapshot is
 * made then, and none reverted to that has younger ones (`revert`). `element` is DISK or IMAGE,
 * `snapshots` its SNAPSHOTS; either may be NULL. `driver` is its name in oned.conf. */
bool snapshot_model_check(xmlNode *element, xmlNode *snapshots, gint64 id, bool revert,
                          const char *driver, GError **error);

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
