// SPDX-License-Identifier: Apache-2.0
/* Volumes that grow, and their content with them. */
#pragma once

#include "backends/linstor/store.h"

bool linstor_resize(Volume *volume, guint64 bytes, GError **error);

/* The device alone. Replicas that are not in sync yet are waited for. */
bool linstor_grow_device(LinstorStore *store, const char *name, guint64 bytes, GError **error);
/* A qcow2 in a device that is large enough. A running guest's is left to its hypervisor. */
bool linstor_grow_qcow2(LinstorStore *store, Volume *volume, guint64 bytes, GError **error);
/* Does any node have it open? */
bool linstor_is_open(LinstorStore *store, const char *name, bool *open, GError **error);
