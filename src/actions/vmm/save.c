// SPDX-License-Identifier: Apache-2.0
/*
 * save: the guest's memory goes to a fresh volume, and the guest is gone. If anything fails the
 * guest runs on as before, and the volume goes.
 *
 * The volume is complete, as a volume, before it is filled: whether the image in it is, libvirt
 * writes into its first bytes.
 */
#include "actions/vmm/vmm.h"

#include "base/command.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>

static bool
size_of(const Suspension *save, guint64 *bytes, GError **error)
{
    g_autoptr(Argv) argv = argv_new("virsh", "-q", "-c", save->uri, "dumpxml", save->domain);
    g_autofree char *text = NULL;

    if (!host_run(save->host, STEP_READ, save->domain, argv, SECONDS(10), &text, error))
        return false;
    g_autoptr(XmlDocument) domain = xml_parse(text, strlen(text), error);
    return domain && checkpoint_size(domain, bytes, error);
}

static bool
save_to_volume(const Suspension *save, guint64 bytes, GError **error)
{
    const Backend *backend = save->volume->datastore->driver->backend;
    g_autofree char *device = NULL;
    g_autoptr(GError) left = NULL;

    if (!backend->attach(save->volume, save->host, ATTACH_WRITE, &device, error)) {
        g_prefix_error(error, "cannot attach %s: ", save->volume->owner);
        return false;
    }
    bool done = host_guest_save(save->host, save->uri, save->domain, device,
                                checkpoint_timeout(bytes), error);
    if (!done)
        cancel_forget(); /* what is undone now is undone after a signal too */
    /* the VM may go on elsewhere */
    if (!backend->detach(save->volume, save->host, ATTACH_WRITE, &left))
        log_warn("%s stays attached: %s", save->volume->owner, left->message);
    return done;
}

/* After a failure. Only if the guest is seen to be there is its memory surely nowhere else. */
static void
drop_unused(const Suspension *save)
{
    g_autoptr(GError) error = NULL;
    DomainState state;

    if (!suspension_state(save, &state, &error))
        log_warn("%s stays: %s", save->volume->owner, error->message);
    else if (state == DOMAIN_ABSENT)
        log_warn("%s stays: guest '%s' is gone", save->volume->owner, save->domain);
    else if (!volume_remove(save->volume, &error))
        log_warn("%s", error->message);
}

static bool
save_running(const Suspension *save, GError **error)
{
    guint64 bytes;

    if (!size_of(save, &bytes, error) || !volume_create(save->volume, bytes, error) ||
        !volume_commit(save->volume, error))
        return false;
    log_info("saving up to %" G_GUINT64_FORMAT " MiB to '%s'", bytes / MIB, save->volume->name);
    if (save_to_volume(save, bytes, error))
        return true;
    drop_unused(save);
    return false;
}

/* A second run: the first was successful, if its image is complete. */
static bool
is_saved(const Suspension *save, bool *saved, GError **error)
{
    const Backend *backend = save->volume->datastore->driver->backend;
    g_autofree char *device = NULL;
    bool exists;

    *saved = false;
    if (!volume_stat(save->volume, &exists, error) || !exists)
        return !exists;
    if (!backend->attach(save->volume, save->host, ATTACH_WRITE, &device, error) ||
        !checkpoint_is_complete(save->host, device, saved, error))
        return false;
    return backend->detach(save->volume, save->host, ATTACH_WRITE, error);
}

bool
vmm_save(Task *task, char **arguments, GError **error)
{
    g_auto(Suspension) save = {0};
    DomainState state;
    bool saved;

    if (!suspension_read(task, arguments[2], arguments[0], arguments[1], arguments[3], &save,
                         error))
        return false;
    if (!save.volume)
        return vmm_pass_on(task, &save, "save", arguments, error);
    if (!suspension_state(&save, &state, error))
        return false;
    if (state != DOMAIN_ABSENT)
        return save_running(&save, error);
    if (!is_saved(&save, &saved, error))
        return false;
    return saved ||
           set_error(error, ONEVOL_ERROR_NOT_FOUND,
                     "libvirt on host '%s' knows no running guest '%s', and there is no complete "
                     "checkpoint of it",
                     host_name(save.host), save.domain);
}
