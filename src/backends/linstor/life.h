// SPDX-License-Identifier: Apache-2.0
/*
 * A volume's life: made under a mark, complete, gone. And who uses it.
 *
 * The mark is a property that the definition is made with. The call that says who uses a new volume
 * takes it away. LINSTOR cannot check and change in one call: the volume's lock keeps others on
 * this front-end away, the token those of another one.
 */
#pragma once

#include "backends/linstor/store.h"
#include "core/backend.h"

bool linstor_create(Volume *volume, guint64 bytes, GError **error);
bool linstor_commit(Volume *volume, GError **error);
bool linstor_abandon(Volume *volume, GError **error);
bool linstor_remove(Volume *volume, GError **error);
bool linstor_remove_any(Datastore *datastore, const char *const *names, GError **error);
bool linstor_stat(Volume *volume, bool *exists, GError **error);
bool linstor_assign(Volume *volume, const VolumeUser *user, bool uses, GError **error);

/* A device of at least so many bytes; its content and format are the caller's. */
bool linstor_create_device(Volume *volume, guint64 bytes, GError **error);
/* Definitions that were looked at, with snapshots and the source's snapshot that a clone keeps. */
bool linstor_drop(LinstorStore *store, const char *name, const LinstorLook *look, GError **error);
/* One definition with its snapshots. */
bool linstor_drop_one(LinstorStore *store, const char *name, GError **error);

/* Device bytes for content that a guest sees as `bytes`: qcow2 needs room for its tables. */
guint64 linstor_device_bytes(const char *format, guint64 bytes);
