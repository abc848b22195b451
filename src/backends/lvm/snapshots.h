// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshots: NAME.snap.ID beside NAME. Of a thick volume each has a store for what changes, of a
 * thin one it lies in the same pool. A revert of a thick volume merges the snapshot, which is made
 * again then; LVM switches the content in one change of metadata, and what is half merged reads as
 * the whole. Of a thin one a snapshot of the snapshot, NAME.revert, takes the volume's name, after
 * that has become NAME.old; while neither is NAME, found_of() ends it.
 *
 * What is begun and not ended is told by tags of the volume: "remake=ID" (a thick volume's snapshot
 * is being merged, and missing after), "growing=1" (its end may hold old data).
 */
#pragma once

#include "backends/lvm/activate.h"

bool found_has_snapshots(const Found *found);
/* The volumes that a copy of a running VM or a revert left when it died; a copy at work has its own
 * open.
 */
bool found_drop_leftovers(Volume *volume, Found *found, Host *host, GError **error);
/* Ends what a run that died has begun, before the volume is used. As locked as before, then. */
bool found_settle(Volume *volume, Found *found, GError **error);

/* One of what is active, at one instant if a guest writes to it: the name of the new volume, which
 * is no snapshot that oned knows. lvm_drop() when it is not needed any more. */
bool lvm_instant(Volume *volume, Found *found, char **name, GError **error);
bool lvm_drop(Volume *volume, const char *name, GError **error);

bool lvm_snapshot_create(Volume *volume, gint64 id, GError **error);
bool lvm_snapshot_remove(Volume *volume, gint64 id, GError **error);
bool lvm_snapshot_revert(Volume *volume, gint64 id, GError **error);
bool lvm_snapshot_flatten(Volume *volume, gint64 id, GError **error);
bool lvm_snapshot_open(Volume *volume, gint64 id, Endpoint *endpoint, GError **error);
bool lvm_snapshot_close(Volume *volume, gint64 id, Endpoint *endpoint, GError **error);

/* A new volume of `bytes`, active there, reads as zeros. */
bool lvm_zero_new(const Group *group, Host *host, const char *name, guint64 bytes, GError **error);
/* One that is active there does from `from` on. */
bool lvm_zero_rest(const Found *found, Host *host, guint64 from, GError **error);
/* The pool of a thin volume holds `bytes` for it and each of `snapshots` (by POOL_PERCENT). */
bool lvm_fit_pool(const Found *found, Host *host, guint64 bytes, guint snapshots, GError **error);
guint found_snapshots(const Found *found);
