// SPDX-License-Identifier: Apache-2.0
/*
 * Clones: restored from a snapshot of the source, by LINSTOR's own clone, or by copy, as CLONE_MODE
 * of the target's datastore says.
 */
#pragma once

#include "backends/linstor/store.h"

bool linstor_clone(Volume *source, Volume *target, char **how, GError **error);
