// SPDX-License-Identifier: Apache-2.0
/*
 * The datastores of oned that our drivers work with.
 */
#pragma once

#include "core/driver.h"

typedef void (*DatastoreVisit)(Datastore *datastore, gpointer data);

/* Asks oned. `wanted`: only what has this TM_MAD, or a driver of this name; NULL for all. */
bool each_datastore(const char *wanted, DatastoreVisit visit, gpointer data, GError **error);
