// SPDX-License-Identifier: Apache-2.0
/*
 * A volume group as a datastore uses it: its attributes, where its commands run, and its lock.
 *
 * Where lvmlockd runs, LVM locks by itself and commands run on the host that works with the volume.
 * Without it ("plain") nothing in LVM keeps two hosts from changing the group at once, and what one
 * wrote is silently lost: every change is made under a lock that the agent of one host, the bridge,
 * holds, and on the bridge, unless it must be where the volume is active. A bridge that
 * does not answer means that nothing is changed; nobody takes its place.
 */
#pragma once

#include "backends/lvm/command.h"
#include "backends/lvm/report.h"
#include "core/driver.h"

typedef enum {
    LVM_THICK,    /* can be active on several hosts */
    LVM_SNAPSHOT, /* thick, and snapshots with a store of their own: then on one host only */
    LVM_THIN,     /* each in a pool of its own: on one host only */
} LvmMode;

typedef struct Group {
    char *name;
    Host *bridge; /* NULL: none is named */
    LvmMode mode;
    unsigned snapshot_percent; /* of the origin: store of one snapshot */
    unsigned pool_percent;     /* of the volume: its pool, and as much for each snapshot */
    bool shared;               /* lvmlockd: known once a volume was found */
    bool activate_shared;      /* LVM_ACTIVATION=SHARED */
    bool fenced;               /* DEAD_HOST=FENCED */
    char *instance;            /* which OpenNebula: tag of all that it makes */
} Group;

bool group_of(Datastore *datastore, Group *group, GError **error);
void group_clear(Group *group);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Group, group_clear)

/* What LVM knows of the volume `name` with what belongs to it, or of all (NULL). Refuses a group
 * whose lock type cannot be worked with. `host` is asked where no bridge is named. One command,
 * unless nothing is there. */
bool lvm_ask(Group *group, Host *host, const char *name, LvmReport *report, GError **error);

/* The same by the host itself, which knows how full is what is active there, and how far a merge.
 */
bool lvm_ask_there(const Group *group, Host *host, const char *name, LvmReport *report,
                   GError **error);

/* Where a change of metadata runs that need not run where the volume is active. */
Host *group_worker(const Group *group, Host *host);

/* Around everything that changes the group's metadata, and what it was decided by. Short. They
 * nest; under lvmlockd the lock is only taken for what is decided. */
bool group_lock(const Group *group, GError **error);
void group_unlock(const Group *group);

/* Runs a command of command.h that changes `name`. The group is locked. */
bool lvm_do(const Group *group, Host *host, const char *name, const Argv *argv, GError **error);
/* The same between group_lock() and group_unlock(). */
bool lvm_change(const Group *group, Host *host, const char *name, const Argv *argv, GError **error);

/* For steps: what a command reads or changes. Caller frees. */
char *group_object(const Group *group, const char *name);
