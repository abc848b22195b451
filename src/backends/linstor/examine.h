// SPDX-License-Identifier: Apache-2.0
/*
 * What is wrong with a volume that DRBD does not let be used, in a sentence.
 */
#pragma once

#include "backends/linstor/store.h"

/* All replicas with their states, as LinstorResource: one call. NULL with error. */
GPtrArray *linstor_replicas(LinstorStore *store, const char *name, GError **error);

/* BUSY or REFUSED with what is wrong with the replicas of `name` as `node` sees them: nobody up to
 * date, split brain, no quorum, a locked passphrase, open elsewhere. True where nothing is found.
 */
bool linstor_examine(LinstorStore *store, const char *name, const char *node, GError **error);

/* The same for replicas that were looked at already (LinstorResource). */
bool linstor_judge_replicas(GPtrArray *replicas, const char *name, const char *node,
                            GError **error);
