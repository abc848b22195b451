// SPDX-License-Identifier: Apache-2.0
#include "actions/vmm/vmm.h"

#include "base/command.h"
#include "base/error.h"
#include "base/path.h"
#include "core/disk.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The last two are added by oned to all of them (src/mad/ruby/OpenNebulaDriver.rb). */
const Action vmm_actions[] = {
    {"restore", "checkpoint host domain vm_id host", vmm_restore, 0},
    {"save",    "domain checkpoint host vm_id host", vmm_save,    0},
    {NULL,      NULL,                                NULL,        0},
};

/* oned waits for its own scripts without a limit. */
#define PASSED_ON_MS SECONDS(24 * 3600)

/* What libvirt writes first; while it is at it this ends in "Part" (its qemu_saveimage.h). */
#define MAGIC "LibvirtQemudSave"

void
suspension_clear(Suspension *suspension)
{
    g_clear_pointer(&suspension->file, g_free);
    g_clear_pointer(&suspension->uri, g_free);
    g_clear_pointer(&suspension->volume, volume_free);
}

bool
checkpoint_is_complete(Host *host, const char *device, bool *complete, GError **error)
{
    g_autoptr(GBytes) bytes = host_read(host, device, 0, strlen(MAGIC), error);

    *complete = bytes && g_bytes_get_size(bytes) == strlen(MAGIC) &&
                !memcmp(g_bytes_get_data(bytes, NULL), MAGIC, strlen(MAGIC));
    return bytes != NULL;
}

unsigned
checkpoint_timeout(guint64 bytes)
{
    return SECONDS(600) + (unsigned)MIN(bytes / (8 * MIB) * 1000, G_MAXUINT / 2);
}

/* The document that oned sends with the action, as text and read. */
static bool
read_message(Task *task, GError **error)
{
    g_autofree char *sent = request_stdin(STDIN_FILENO, error);

    if (!sent)
        return false;
    gsize length;
    task->message_text = document_plain(sent, strlen(sent), &length, error);
    if (!task->message_text)
        return false;
    task->message = xml_parse(task->message_text, length, error);
    return task->message != NULL;
}

/* The VM's system datastore and its driver; the latter may be none of ours. */
static bool
find_datastore(Task *task, GError **error)
{
    xmlNode *node = xml_find(xml_root(task->message), "DATASTORE");

    if (!node)
        return set_error(error, ONEVOL_ERROR_USAGE, "the driver message has no DATASTORE");
    OneDatastore *facts = one_datastore_new(task->message, node, error);
    if (!facts)
        return false;
    task->driver = driver_named(task->installation, facts->tm_mad);
    if (task->driver)
        task->datastore = datastore_new(task->driver, facts->id, facts);
    else
        one_datastore_free(facts);
    return true;
}

static bool
prepare_volume(Task *task, const char *domain, Suspension *suspension, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(suspension->file);
    g_autofree char *text = task_text(task);

    if (!name_is_safe(domain))
        return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is not a guest's name", domain);
    if (!vm_directory_check(task->installation->datastores, directory, suspension->vm_id, error))
        return false;
    suspension->uri = installation_libvirt_uri(task->installation);
    return volume_lock(suspension->volume, text, error);
}

bool
suspension_read(Task *task, const char *host, const char *domain, const char *file,
                const char *vm_id, Suspension *suspension, GError **error)
{
    if (!argument_number(vm_id, "the VM's id", &suspension->vm_id, error) ||
        !read_message(task, error) || !find_datastore(task, error))
        return false;
    task->id = suspension->vm_id;
    suspension->host = host_named(host, error);
    suspension->domain = domain;
    if (!suspension->host)
        return false;
    suspension->volume =
        task->driver ? checkpoint_volume(task->datastore, suspension->host, suspension->vm_id)
                     : NULL;
    if (!suspension->volume)
        return true;
    suspension->file = path_normal(file, error);
    return suspension->file && prepare_volume(task, domain, suspension, error);
}

bool
suspension_state(const Suspension *suspension, DomainState *state, GError **error)
{
    g_autoptr(Argv) argv =
        argv_new("virsh", "-q", "-c", suspension->uri, "domstate", suspension->domain);
    g_autofree char *text = NULL;
    GError *local = NULL;

    *state = DOMAIN_ABSENT;
    if (!host_run(suspension->host, STEP_READ, suspension->domain, argv, SECONDS(10), &text,
                  &local)) {
        if (strstr(local->message, "failed to get domain")) {
            g_error_free(local);
            return true;
        }
        g_propagate_error(error, local);
        return false;
    }
    g_strstrip(text);
    if (!strcmp(text, "paused"))
        *state = DOMAIN_PAUSED;
    else if (!strcmp(text, "pmsuspended"))
        *state = DOMAIN_ASLEEP;
    else if (strcmp(text, "shut off") != 0 && strcmp(text, "crashed") != 0)
        *state = DOMAIN_RUNNING;
    return true;
}

bool
vmm_pass_on(Task *task, const Suspension *suspension, const char *script, char **arguments,
            GError **error)
{
    g_autofree char *scripts = installation_remote_scripts(task->installation);
    g_autofree char *path =
        g_build_filename(scripts, "vmm", task->request->directory, script, NULL);
    g_autoptr(Argv) argv = argv_new(path);
    /* the line end is of the here-document that oned would have made */
    g_autofree char *text = g_strconcat(task->message_text, "\n", NULL);
    g_autoptr(GBytes) input = g_bytes_new(text, strlen(text));
    g_auto(CommandResult) result = {0};

    argv_add_strv(argv, (const char *const *)arguments);
    if (!host_run_any(suspension->host, STEP_WRITE, suspension->domain, argv, input, PASSED_ON_MS,
                      &result, error))
        return false;
    fwrite(result.out, 1, result.out_length, stdout);
    fputs(result.err, stderr);
    task->status = result.status;
    return true;
}
