// SPDX-License-Identifier: Apache-2.0
/*
 * An action that may hang in the kernel, watched by the process that the caller waits for.
 *
 * On the front-end requests run inside the action. A write to a storage that never answers cannot
 * be killed, and would keep the caller for ever. So the action goes on in a child; if that shows no
 * sign of life for as long as its request may take, and cannot be ended, the caller is told, and
 * the child stays behind with its locks until the storage answers.
 */
#pragma once

#include "local/operation.h"

/* True in the child, which goes on. In the parent it ends the process as the child ended, or
 * returns false with TIMEOUT. Called once, before anything is locked or sent. */
bool watch_begin(GError **error);

/* What this process does now, in the kernel perhaps; NULL: nothing of that kind. */
void watch_note(const Operation *operation, const char *object);
