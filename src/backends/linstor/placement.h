// SPDX-License-Identifier: Apache-2.0
/*
 * New definitions, and where their replicas go: by the datastore's rule, which is exactly one of
 * resource group, list of nodes, and number of replicas.
 */
#pragma once

#include "backends/linstor/store.h"

/* Who makes an image: an action that is run again may replace what it made itself. */
char *linstor_maker(const Volume *volume);

/* What every definition of ours gets when it is made: its mark, and whatever else must be there
 * from the start. Pairs, NULL at the end; free it with g_strfreev(). */
GStrv linstor_first_props(const Volume *volume, const char *origin);

/* Definition, volume of `bytes`, replicas; the mark is in the call that makes the definition. What
 * the pools tell of themselves is known afterwards (LinstorKnown.zeros). */
bool linstor_place_new(LinstorStore *store, const Volume *volume, guint64 bytes,
                       const char *const *props, GError **error);

/* The definition alone, under the datastore's group. */
bool linstor_define(LinstorStore *store, const char *name, const char *const *props,
                    GError **error);

/* Makes something under a name that a leftover may have: that goes first. REFUSED for a complete
 * image, unless the same action made it and nobody has used it since. BUSY for a name that LINSTOR
 * still holds for a node that is away. */
typedef bool (*LinstorMake)(LinstorStore *store, const Volume *volume, void *data, GError **error);
bool linstor_make_fresh(LinstorStore *store, const Volume *volume, LinstorMake make, void *data,
                        GError **error);
