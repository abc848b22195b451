// SPDX-License-Identifier: Apache-2.0
/*
 * Save and restore of KVM guests whose memory is kept in a volume: local actions of the VM_MAD,
 * `-l save=save_linstor_un,restore=restore_linstor_un` (docs/design/checkpoints.md).
 *
 * oned calls them for all VMs of that VM_MAD. Those whose system datastore keeps checkpoints as
 * files, and those of other drivers, are passed on to OpenNebula's own script on their host.
 */
#pragma once

#include "actions/task.h"

bool vmm_save(Task *task, char **arguments, GError **error);
bool vmm_restore(Task *task, char **arguments, GError **error);

/* What a save or restore is about. */
typedef struct Suspension {
    Host *host;
    const char *domain;
    char *file; /* where a checkpoint that is a file lies: VMDIR/checkpoint */
    gint64 vm_id;
    char *uri;      /* of libvirt */
    Volume *volume; /* NULL: the checkpoint is a file, which is not ours to handle */
} Suspension;

void suspension_clear(Suspension *suspension);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Suspension, suspension_clear)

/* From the arguments and the document on stdin, which the task keeps; the volume is locked. */
bool suspension_read(Task *task, const char *host, const char *domain, const char *file,
                     const char *vm_id, Suspension *suspension, GError **error);

typedef enum {
    DOMAIN_ABSENT, /* not running there, defined or not */
    DOMAIN_PAUSED,
    DOMAIN_RUNNING,
    DOMAIN_ASLEEP, /* by its own power management */
} DomainState;

bool suspension_state(const Suspension *suspension, DomainState *state, GError **error);

/* Has libvirt written the image there to its end? */
bool checkpoint_is_complete(Host *host, const char *device, bool *complete, GError **error);

/* OpenNebula's own script of that action on the VM's host, as oned would have run it. Its answer
 * becomes that of this process. */
bool vmm_pass_on(Task *task, const Suspension *suspension, const char *script, char **arguments,
                 GError **error);

/* What libvirt may need at most to save the guest of this document, in bytes. */
bool checkpoint_size(const XmlDocument *domain, guint64 *bytes, GError **error);

/* A guest's document with its paths below `datastores`, in whatever system datastore they were,
 * leading to system datastore `ds_id`; *changed: something did. Caller frees. */
char *domain_relocate(const char *text, const char *datastores, gint64 ds_id, gint64 vm_id,
                      bool *changed, GError **error);

/* For a save or restore of so many bytes. */
unsigned checkpoint_timeout(guint64 bytes);
