// SPDX-License-Identifier: Apache-2.0
#include "core/file_volume.h"

#include "base/error.h"
#include "base/path.h"

/* The random part keeps a database that starts again at image 0 from meeting old files. */
static char *
file_new_image(Datastore *datastore, gint64 image_id, GError **error)
{
    const OneDatastore *facts = datastore_facts(datastore, error);
    if (!facts)
        return NULL;
    return g_strdup_printf("%s/image-%" G_GINT64_FORMAT "-%08x%08x", facts->base_path, image_id,
                           g_random_int(), g_random_int());
}

static char *
file_source_of_image(G_GNUC_UNUSED const OneDatastore *facts, const char *name)
{
    return g_strdup(name);
}

/*
 * A SOURCE may be any text that an admin typed: it must name a file directly below BASE_PATH, also
 * after links are resolved, or a template could reach every file of the front-end.
 */
static char *
file_image_of_source(Datastore *datastore, const char *source, GError **error)
{
    const OneDatastore *facts = datastore_facts(datastore, error);
    if (!facts)
        return NULL;
    g_autofree char *path = path_normal(source, error);
    if (!path)
        return NULL;

    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    g_auto(FileInfo) info = {0};
    if (g_strcmp0(directory, facts->base_path) != 0 || !name_is_safe(name)) {
        set_error(error, ONEVOL_ERROR_REFUSED,
                  "'%s' is not an image of datastore %" G_GINT64_FORMAT " in '%s'", path, facts->id,
                  facts->base_path);
        return NULL;
    }
    if (!host_stat(datastore->host, path, false, &info, error))
        return NULL;
    if (S_ISLNK(info.mode)) {
        set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is a link, not an image", path);
        return NULL;
    }
    return g_steal_pointer(&path);
}

static char *
file_disk(const char *path, G_GNUC_UNUSED gint64 vm_id, G_GNUC_UNUSED gint64 disk_id,
          G_GNUC_UNUSED const char *source)
{
    return g_strdup(path);
}

const Naming file_naming = {
    .name = "files",
    .new_image = file_new_image,
    .source_of_image = file_source_of_image,
    .image_of_source = file_image_of_source,
    .disk = file_disk,
};
