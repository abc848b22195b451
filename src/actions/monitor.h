// SPDX-License-Identifier: Apache-2.0
/*
 * monitor, the same for both planes: an image datastore's space, a system datastore's space and
 * what each VM's disks take.
 */
#pragma once

#include "actions/task.h"

bool monitor_datastore(Task *task, char **arguments, GError **error);
