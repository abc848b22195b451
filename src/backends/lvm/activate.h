// SPDX-License-Identifier: Apache-2.0
/*
 * Where volumes are active. A tag "at" names each host that may write to a volume, "on" each that
 * only reads it; what can be active on one host only has no more than one of them. No host is given
 * a volume for writing while another one is named: it is taken from there first, which fails while
 * it is in use.
 */
#pragma once

#include "backends/lvm/group.h"

/* A volume with its group and what LVM says of both. */
typedef struct Found {
    Group group;
    LvmReport report;
    const Lv *lv; /* NULL: not there */
    bool locked;
    bool passed; /* a writer that does not answer was passed over: LVM's locks must prove it gone */
} Found;

bool found_of(Volume *volume, Found *found, GError **error);
/* The same with the group locked, so that it stays true until it is changed by who asked. */
bool found_lock(Volume *volume, Found *found, GError **error);
void found_unlock(Found *found);
/* Locked, but asked again. */
bool found_relock(Volume *volume, Found *found, GError **error);
/* Hosts other than `but` (NULL: all) that have it are met before they are asked something under the
 * lock: for one that is dead nobody else must wait. May ask again. */
bool found_meet(Volume *volume, Found *found, const Host *but, GError **error);
/* Asks again, after a change. */
bool found_again(Volume *volume, Found *found, GError **error);
/* Unlocks too. */
void found_clear(Found *found);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Found, found_clear)

/* Complete and there, else NOT_FOUND. */
bool found_require(const Volume *volume, const Found *found, GError **error);
/* Made by another OpenNebula: REFUSED. */
bool found_check_instance(const Volume *volume, const Found *found, GError **error);
/* It can be active on one host only. */
bool found_is_single(const Found *found);
/* Who writes to it has it under a shared lock of lvmlockd's (LVM_ACTIVATION). */
bool found_is_shared(const Found *found);
/* The host that has it to write, or has it at all if only one can, else `host`. NULL on failure. */
Host *found_host(const Found *found, Host *host, GError **error);
/* Tags of it change, if there is anything to change. Both may be NULL. */
bool found_retag(const Found *found, Host *host, GPtrArray *without, GPtrArray *with,
                 GError **error);

char *lvm_device(const Group *group, const char *name);
bool lvm_is_active(const Group *group, Host *host, const char *name, bool *active, GError **error);
/* Waits until its device is there. */
bool lvm_wait(const Group *group, Host *host, const char *name, GError **error);
bool lvm_switch_on(const Group *group, Host *host, const char *name, LvmActivation activation,
                   GError **error);
/* Not active is success; in use is BUSY. */
bool found_switch_off(const Found *found, Host *host, GError **error);

/* No other host than `host` (NULL: none at all) has it; `gone` gets the tags that are wrong then.
 */
bool found_release(Found *found, Host *host, GPtrArray *gone, GError **error);
/* `host` has it, to write or to read; tags say so. Complete and locked. */
bool found_take(Volume *volume, Found *found, Host *host, AttachMode mode, GError **error);

/* Nobody has it, `host` neither: who works on it gives it back. */
bool found_is_idle(const Found *found, Host *host, bool *idle, GError **error);
bool found_give_back(Volume *volume, Found *found, Host *host, GError **error);

/* Backend's slot: all that the tags say `host` has. */
void lvm_reattach(Datastore *datastore, Host *host, CheckNote note, gpointer data);
bool lvm_attach(Volume *volume, Host *host, AttachMode mode, char **device, GError **error);
bool lvm_detach(Volume *volume, Host *host, AttachMode mode, GError **error);
