// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "local/operation.h"

struct Session {
    GHashTable *locks; /* key → descriptor of its locked file */
};

/* Locks `key` in this process for a short check-and-act; waits at most 10 s. -1 on failure, else a
 * descriptor to close. Not the lock that an action holds on a volume: see local_lock(). */
int machine_lock(const char *key, GError **error);
