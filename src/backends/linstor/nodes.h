// SPDX-License-Identifier: Apache-2.0
/*
 * Which LINSTOR node a host is: the attribute LINSTOR_NODE that oned has of it, else the node of
 * its name, else the one whose uname it is.
 */
#pragma once

#include "backends/linstor/store.h"

/* What is most likely, without asking LINSTOR. Borrowed. */
const char *linstor_node_of(LinstorStore *store, Host *host);

/* After LINSTOR said that there is no such node: *node is the right one, or NULL if the host is
 * none. With `ask` the host is asked for its uname. Borrowed. */
bool linstor_node_search(LinstorStore *store, Host *host, bool ask, const char **node,
                         GError **error);

/* In words, for a host that is none. Returns false. */
bool linstor_node_missing(LinstorStore *store, Host *host, GError **error);

/* A host that oned may use, a node that is online, best one with an up-to-date replica of `volume`.
 */
bool linstor_choose_worker(Volume *volume, Host **host, GError **error);
