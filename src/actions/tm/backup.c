// SPDX-License-Identifier: Apache-2.0
/*
 * prebackup, postbackup, restore (6.6+): no backups yet, said clearly; what is called to clean up
 * succeeds when there is nothing.
 */
#include "actions/tm/tm.h"
#include "base/error.h"

bool
tm_backup_unsupported(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                     "backups are not supported yet by driver '%s'", task->driver->name);
}

bool
tm_postbackup(Task *task, char **arguments, GError **error)
{
    static const char *const names[] = {"backup", "tmp", NULL};
    guint count = g_strv_length(arguments);
    g_auto(Location) location = {0};
    gint64 vm_id;

    if (!location_parse(arguments[0], &location, error) ||
        !argument_number(arguments[count - 2], "the VM's id", &vm_id, error) ||
        !vm_directory_check(task->installation->datastores, location.path, vm_id, error))
        return false;
    Host *host = host_named(location.host, error);
    if (!host)
        return false;
    for (const char *const *name = names; *name; name++) {
        g_autofree char *path = g_build_filename(location.path, *name, NULL);
        if (!host_remove_tree(host, path, error))
            return false;
    }
    return true;
}
