// SPDX-License-Identifier: Apache-2.0
/*
 * LINSTOR's rollback brings back the properties and the size of the snapshot's time, too. Both are
 * put right after it. What they are to be is noted before, on a definition beside the volume: after
 * a kill in between nothing else tells it. Whoever changes the volume next completes that first.
 */
#pragma once

#include "backends/linstor/store.h"

/* `volume` was looked at. Its properties, its size and that of a qcow2 in it stay as they are. */
bool linstor_roll_back(LinstorStore *store, Volume *volume, const LinstorSnapshot *snapshot,
                       GError **error);

/* Completes a rollback that was cut short; the sizes in `volume` are right afterwards. No call
 * where the last look has found no note. */
bool linstor_settle(LinstorStore *store, Volume *volume, GError **error);

/* What a rollback would lose, between the properties of now and of then. */
bool linstor_rollback_loses(GHashTable *now, GHashTable *then);
