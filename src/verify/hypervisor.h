// SPDX-License-Identifier: Apache-2.0
/*
 * A stand-in for libvirt on this machine: a `virsh` in front of PATH, which is this program. Its
 * guests run, freeze and thaw; it remembers who stands still. Other hosts have their own.
 */
#pragma once

#include "verify/play.h"

/* Makes the command below ROOT/etc, and adds to the environment of drivers. */
bool hypervisor_make(const World *world, GPtrArray *environment, GError **error);
/* True if the program was called as virsh: then it has answered, with *status. */
bool hypervisor_is_called(int argc, char **argv, int *status);
/* After each action: no guest may stand still. */
void hypervisor_judge(const Player *player, Row *row);
/* Of copies of a running VM's disk: with hosts of their own, or drivers that ask something else
 * than virsh, a refusal is right too. */
Expectation hypervisor_expectation(const Player *player);
