// SPDX-License-Identifier: Apache-2.0
/*
 * The steps that the lives of VMs are made of: what oned does for one user command, and what the
 * guest and its hypervisor do in between.
 */
#pragma once

#include "verify/play_datastore.h"
#include "verify/transfer.h"

/* States and LCM states of include/VirtualMachine.h, 5.4 to 7.4. */
enum {
    STATE_ACTIVE = 3,
    STATE_STOPPED = 4,
    STATE_SUSPENDED = 5,
    STATE_DONE = 6,
    STATE_POWEROFF = 8,
    STATE_UNDEPLOYED = 9,
};
enum {
    LCM_INIT = 0,
    LCM_PROLOG = 1,
    LCM_BOOT = 2,
    LCM_RUNNING = 3,
    LCM_MIGRATE = 4,
    LCM_PROLOG_MIGRATE = 8,
    LCM_PROLOG_RESUME = 9,
    LCM_EPILOG_STOP = 10,
    LCM_EPILOG = 11,
    LCM_CLEANUP_RESUBMIT = 15,
    LCM_HOTPLUG = 17,
    LCM_BOOT_POWEROFF = 20,
    LCM_BOOT_SUSPENDED = 21,
    LCM_BOOT_STOPPED = 22,
    LCM_CLEANUP_DELETE = 23,
    LCM_HOTPLUG_NIC = 25,
    LCM_HOTPLUG_SAVEAS = 26,
    LCM_HOTPLUG_SAVEAS_POWEROFF = 27,
    LCM_HOTPLUG_SAVEAS_SUSPENDED = 28,
    LCM_EPILOG_UNDEPLOY = 30,
    LCM_PROLOG_UNDEPLOY = 31,
    LCM_BOOT_UNDEPLOY = 32,
    LCM_HOTPLUG_PROLOG_POWEROFF = 33,
    LCM_HOTPLUG_EPILOG_POWEROFF = 34,
    LCM_BOOT_MIGRATE = 35,
    LCM_PROLOG_MIGRATE_POWEROFF = 43,
    LCM_PROLOG_MIGRATE_SUSPEND = 45,
    LCM_DISK_SNAPSHOT_POWEROFF = 51,
    LCM_DISK_SNAPSHOT_REVERT_POWEROFF = 52,
    LCM_DISK_SNAPSHOT_DELETE_POWEROFF = 53,
    LCM_DISK_SNAPSHOT_SUSPENDED = 54,
    LCM_DISK_SNAPSHOT_DELETE_SUSPENDED = 56,
    LCM_DISK_SNAPSHOT = 57,
    LCM_DISK_SNAPSHOT_DELETE = 59,
    LCM_PROLOG_MIGRATE_UNKNOWN = 60,
    LCM_PROLOG_MIGRATE_UNKNOWN_FAILURE = 61,
    LCM_DISK_RESIZE = 62,
    LCM_DISK_RESIZE_POWEROFF = 63,
    LCM_DISK_RESIZE_UNDEPLOYED = 64,
    LCM_HOTPLUG_SAVEAS_UNDEPLOYED = 67,
    LCM_HOTPLUG_SAVEAS_STOPPED = 68,
    LCM_BACKUP = 69,
    LCM_BACKUP_POWEROFF = 70,
    LCM_RESTORE = 71,
};

/* Prolog, context, and what the hypervisor writes at the first boot. */
bool life_deploy(Player *player, Vm *vm);
/* The lines of PROLOG alone. */
bool life_prolog(Player *player, Vm *vm);
/* The VMM's TM context action in that LCM state, and a look into the ISO; then the VM runs. */
bool life_context(Player *player, Vm *vm, int lcm_state);
bool life_poweroff(Player *player, Vm *vm);
bool life_resume(Player *player, Vm *vm);
/* Running: the VMM's single line. Powered off: a script. */
bool life_attach(Player *player, Vm *vm, Disk *disk, bool running);
bool life_detach(Player *player, Vm *vm, Disk *disk, bool running);
/* Everything ends; the VM is forgotten. `host`: as in steps_epilog(). */
bool life_terminate(Player *player, Vm *vm, const Host *host);
/* The VM is no more. */
void life_forget(Player *player, Vm *vm);
/* After a failure: what the VM left is removed so that others can be played. */
void life_abandon(Player *player, Vm *vm);
bool life_move(Player *player, Vm *vm, const char *script, int state, int lcm_state,
               const Host *from, Datastore *from_datastore, const Host *to,
               Datastore *to_datastore);

/* A guest writes into a disk; what must not change is checked. */
bool guest_write(Player *player, Vm *vm, Disk *disk);
/* Files that a hypervisor keeps beside the disks. */
void hypervisor_file(Player *player, Vm *vm, const char *name, const char *content);

/* Imports that nearly every scenario needs. */
Image *given_image(Player *player, bool persistent);
Image *given_qcow2(Player *player);
Image *given_cdrom(Player *player);
Image *given_datablock(Player *player, guint64 size_mb);
/* RM for all images that are left. */
void remove_images(Player *player);
