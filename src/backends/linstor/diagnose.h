// SPDX-License-Identifier: Apache-2.0
/* What `onevol doctor` looks at. */
#pragma once

#include "backends/linstor/store.h"
#include "core/backend.h"

void linstor_diagnose(Datastore *datastore, Host *host, CheckNote note, gpointer data);
