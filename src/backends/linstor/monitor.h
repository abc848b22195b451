// SPDX-License-Identifier: Apache-2.0
/* What there is: the space of a datastore, what VMs' disks take of it, and all volumes. */
#pragma once

#include "backends/linstor/store.h"
#include "core/backend.h"

bool linstor_space(Datastore *datastore, guint64 *total, guint64 *used, guint64 *available,
                   GError **error);
bool linstor_usage(Datastore *datastore, UsageNote note, gpointer data, GError **error);
bool linstor_list_volumes(Datastore *datastore, GPtrArray *volumes, GError **error);
