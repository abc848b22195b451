// SPDX-License-Identifier: Apache-2.0
/*
 * What an action that succeeded must have changed: the World follows, and what a new disk holds is
 * looked at.
 */
#pragma once

#include "verify/transfer.h"

void effect_apply(Player *player, Vm *vm, const Step *step, Row *row);
