// SPDX-License-Identifier: Apache-2.0
/* What the group holds as a whole, each by one command: for monitor, status, gc and doctor. */
#pragma once

#include "core/driver.h"

bool lvm_list(Datastore *datastore, GPtrArray *volumes, GError **error);
bool lvm_space(Datastore *datastore, guint64 *total, guint64 *used, guint64 *available,
               GError **error);
bool lvm_usage(Datastore *datastore, UsageNote note, gpointer data, GError **error);
void lvm_diagnose(Datastore *datastore, Host *host, CheckNote note, gpointer data);
