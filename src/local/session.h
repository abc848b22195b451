// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "local/guardian.h"
#include "local/operation.h"

#include <sys/types.h>

struct Session {
    GHashTable *locks;  /* key → descriptor of its locked file */
    GHashTable *builds; /* path → token of a build that is neither complete nor abandoned */
    GHashTable *bulks;  /* ticket → listening descriptor of a bulk connection to come */
    Guardian guardian;  /* of a guest that stands still, from `freeze` to `thaw` */
    pid_t pid;          /* whoever ends this session ends this process */
};

/* Locks `key` in this process for a short check-and-act; waits at most 10 s. -1 on failure, else a
 * descriptor to close. Not the lock that an action holds on a volume: see local_lock(). */
int machine_lock(const char *key, GError **error);

/* The token in a mark's JSON, or "". The caller frees it. */
char *build_token(const char *mark);
