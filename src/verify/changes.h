// SPDX-License-Identifier: Apache-2.0
/*
 * What a user does to a disk that stays: resize, snapshots, save-as. Each sets the LCM state that
 * oned has meanwhile, plays the action and settles.
 */
#pragma once

#include "verify/life.h"

/* Of a running VM it is the hypervisor's: the driver has to leave the disk alone. */
bool change_resize(Player *player, Vm *vm, Disk *disk, int lcm_state, guint64 size_mb);

/* "snap_create", "snap_delete", "snap_revert". */
bool change_snapshot(Player *player, Vm *vm, const char *action, Disk *disk, int id, int lcm_state);

/* A new image of the disk or of one of its snapshots; -1: of the disk. `host`: NULL, or the
 * front-end for stopped ones. */
bool change_save_as(Player *player, Vm *vm, Disk *disk, int snapshot_id, const Host *host,
                    int lcm_state);

/* Of a running guest. False if it was refused, where that is right: see hypervisor.h. */
bool change_snapshot_live(Player *player, Vm *vm, Disk *disk, int id);

/* The same, where the driver has to refuse. */
void change_resize_refused(Player *player, Vm *vm, Disk *disk, int lcm_state);
void change_snapshot_refused(Player *player, Vm *vm, const char *action, Disk *disk, int id,
                             int lcm_state);
void change_save_as_refused(Player *player, Vm *vm, Disk *disk, const Host *host, int lcm_state);
