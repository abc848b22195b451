// SPDX-License-Identifier: Apache-2.0
/*
 * cp: an image comes into the datastore.
 *
 * oned knows no SOURCE until this prints it, so rm is never called for what fails here: nothing
 * may be left.
 */
#include "actions/datastore/datastore.h"
#include "actions/datastore/source.h"
#include "actions/datastore/volume_source.h"
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

static bool
check_convertible(const Source *source, const char *format, bool as_is, GError **error)
{
    if (format && strcmp(format, "raw") != 0 && strcmp(format, "qcow2") != 0)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "DRIVER '%s' of the datastore is neither raw nor qcow2", format);
    if (source_is_volume(source) || source->format.supported || !as_is)
        return true;
    return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                     "'%s' is a %s image, which must be converted, but is not to be: it is a "
                     "CD-ROM, or CONVERT is NO",
                     source->url.shown, source->format.name);
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
    if (datastore_is_media(task))
        return datastore_cp_media(task, error);
    g_autofree char *format = wanted_format(task, facts);
    bool as_is = task->image->type == IMAGE_CDROM || !one_datastore_flag(facts, "CONVERT", true);
    if (!source_open(task, SOURCE_WHOLE, &source, error) ||
        !check_convertible(&source, format, as_is, error))
        return false;

    g_autoptr(Volume) image = datastore_new_image(task, format, error);
    if (!image)
        return false;
    if (source_is_volume(&source) ? !volume_source_import(task, &source.url, format, image, error)
                                  : !source_import(task, &source, image, error))
        return false;
    bool sparse = one_datastore_flag(facts, "SPARSE", true);
    if (!sparse && !volume_reserve(image, error)) {
        volume_abandon(image);
        return false;
    }
    if (!volume_commit(image, error))
        return false;
    datastore_print_source(task, image, true);
    return true;
}
