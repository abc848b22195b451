// SPDX-License-Identifier: Apache-2.0
/*
 * cp: an image comes into the datastore.
 *
 * oned knows no SOURCE until this prints it, so rm is never called for what fails here: nothing
 * may be left.
 */
#include "actions/datastore/datastore.h"
#include "actions/datastore/source.h"
#include "base/error.h"

#include <string.h>

/* DRIVER of the datastore, unless CONVERT says no; CD-ROMs and files for kernels or context are
 * taken as they are (src/datastore_mad/remotes/fs/cp). */
static char *
wanted_format(Task *task, const OneDatastore *facts)
{
    g_autofree char *driver = one_datastore_attribute(facts, "DRIVER");

    if (!driver || task->image->type == IMAGE_CDROM || facts->type == DATASTORE_FILE ||
        !one_datastore_flag(facts, "CONVERT", true))
        return NULL;
    return g_ascii_strdown(driver, -1);
}

bool
datastore_cp(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    const OneDatastore *facts = datastore_facts(task->datastore, error);
    g_auto(Source) source = {0};

    if (!facts || !datastore_require_image(task, error))
        return false;
    if (!task->image->path)
        return set_error(error, ONEVOL_ERROR_USAGE, "image %" G_GINT64_FORMAT " has no PATH",
                         task->image->id);
    if (!source_open(task, task->image->path, &source, error) ||
        !source_verify(task, &source, error))
        return false;

    g_autofree char *format = wanted_format(task, facts);
    if (format && strcmp(format, "raw") != 0 && strcmp(format, "qcow2") != 0)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "DRIVER '%s' of datastore %" G_GINT64_FORMAT " is neither raw nor qcow2",
                         format, facts->id);
    g_autoptr(Volume) image = datastore_new_image(task, format, error);
    if (!image || !volume_import(image, source.host, source.path, source.format.name,
                                 source.format.virtual_size, error))
        return false;
    bool sparse = one_datastore_flag(facts, "SPARSE", true);
    if (!source_unchanged(&source, error) || (!sparse && !volume_reserve(image, error))) {
        volume_abandon(image);
        return false;
    }
    if (!volume_commit(image, error))
        return false;
    datastore_print_source(task, image, true);
    return true;
}
