// SPDX-License-Identifier: Apache-2.0
/*
 * mkfs: an empty image; with the format save_as only a name, which cpds fills later.
 */
#include "actions/datastore/datastore.h"
#include "core/filesystem.h"

#include <string.h>

bool
datastore_mkfs(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    if (!datastore_require_image(task, error))
        return false;

    g_autoptr(Volume) image = datastore_new_image(task, NULL, error);
    const char *format = task->image->format ? task->image->format : "raw";
    if (!image)
        return false;
    if (strcmp(format, "save_as") != 0) {
        g_autoptr(GHashTable) settings =
            settings_of_remotes(task->installation, "datastore/datastore.conf");
        g_autoptr(FilesystemRules) rules = filesystem_rules_new(settings);
        if (!filesystem_create(rules, image, task->image->size, format, task->image->fs, error))
            return false;
        if (!one_datastore_flag(task->datastore->facts, "SPARSE", true) &&
            !volume_reserve(image, error)) {
            volume_abandon(image);
            return false;
        }
        if (!volume_commit(image, error))
            return false;
    }
    datastore_print_source(task, image, false);
    return true;
}
