// SPDX-License-Identifier: Apache-2.0
/*
 * restore: the guest comes back from its volume, which goes then. A checkpoint that OpenNebula's
 * own save left in the VM's directory is restored by OpenNebula's own restore.
 */
#include "actions/vmm/vmm.h"

#include "base/command.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>

/* The saved document, with its paths as they are now; *changed false: as it is. Passwords of
 * consoles are in it, so it goes into no file and no log. */
static bool
read_document(Task *task, const Suspension *restore, const char *device, char **xml, guint64 *bytes,
              GError **error)
{
    g_autoptr(Argv) argv = argv_new("virsh", "-q", "-c", restore->uri, "save-image-dumpxml",
                                    "--security-info", device);
    g_autofree char *text = NULL;
    g_autofree char *moved = NULL;
    bool changed;

    if (!host_run(restore->host, STEP_READ, device, argv, SECONDS(60), &text, error))
        return false;
    g_autoptr(XmlDocument) domain = xml_parse(text, strlen(text), error);
    if (!domain || !checkpoint_size(domain, bytes, error))
        return false;
    moved = domain_relocate(text, task->installation->datastores, restore->volume->datastore->id,
                            restore->vm_id, &changed, error);
    if (moved && changed)
        *xml = g_steal_pointer(&moved);
    return moved || changed;
}

static bool
restore_from(Task *task, const Suspension *restore, const char *device, DomainState state,
             GError **error)
{
    g_autofree char *sync = installation_kvm_setting(task->installation, "SYNC_TIME");
    g_autofree char *xml = NULL;
    guint64 bytes = 0;

    if (state == DOMAIN_ABSENT && !read_document(task, restore, device, &xml, &bytes, error))
        return false;
    return host_guest_restore(restore->host, restore->uri, restore->domain, device, xml,
                              !g_strcmp0(sync, "yes"), checkpoint_timeout(bytes), error);
}

/* No volume, or none that is of use: the guest runs already, or its checkpoint is a file of
 * OpenNebula's own save. */
static bool
restore_otherwise(Task *task, const Suspension *restore, DomainState state, char **arguments,
                  GError **error)
{
    g_auto(FileInfo) info = {0};

    if (state == DOMAIN_RUNNING)
        return true;
    if (!host_stat(restore->host, restore->file, true, &info, error))
        return false;
    if (state == DOMAIN_ASLEEP || info.mode)
        return vmm_pass_on(task, restore, "restore", arguments, error);
    return set_error(error, ONEVOL_ERROR_NOT_FOUND,
                     "there is no complete checkpoint of VM %" G_GINT64_FORMAT
                     ", neither in '%s' nor in '%s' on host '%s'",
                     restore->vm_id, restore->volume->name, restore->file,
                     host_name(restore->host));
}

/* *usable: it holds what the guest can come back from, or came back from just now. */
static bool
try_volume(Task *task, const Suspension *restore, const char *device, DomainState state,
           bool *usable, GError **error)
{
    *usable = state != DOMAIN_ABSENT;
    return (*usable || checkpoint_is_complete(restore->host, device, usable, error)) &&
           (!*usable || restore_from(task, restore, device, state, error));
}

static bool
restore_volume(Task *task, const Suspension *restore, DomainState state, char **arguments,
               GError **error)
{
    const Backend *backend = restore->volume->datastore->driver->backend;
    g_autofree char *device = NULL;
    g_autoptr(GError) left = NULL;
    bool usable;

    if (!backend->attach(restore->volume, restore->host, ATTACH_WRITE, &device, error)) {
        g_prefix_error(error, "cannot attach %s: ", restore->volume->owner);
        return false;
    }
    bool done = try_volume(task, restore, device, state, &usable, error);
    if (done && usable) {
        if (!volume_remove(restore->volume, &left)) /* spent, and replaced by the next save */
            log_warn("%s", left->message);
        return true;
    }
    if (!done)
        cancel_forget(); /* what is undone now is undone after a signal too */
    if (!backend->detach(restore->volume, restore->host, ATTACH_WRITE, &left))
        log_warn("%s stays attached: %s", restore->volume->owner, left->message);
    return done && restore_otherwise(task, restore, state, arguments, error);
}

bool
vmm_restore(Task *task, char **arguments, GError **error)
{
    g_auto(Suspension) restore = {0};
    DomainState state;
    bool exists;

    if (!suspension_read(task, arguments[1], arguments[2], arguments[0], arguments[3], &restore,
                         error))
        return false;
    if (!restore.volume)
        return vmm_pass_on(task, &restore, "restore", arguments, error);
    if (!suspension_state(&restore, &state, error) || !volume_stat(restore.volume, &exists, error))
        return false;
    return exists && state != DOMAIN_ASLEEP
               ? restore_volume(task, &restore, state, arguments, error)
               : restore_otherwise(task, &restore, state, arguments, error);
}
