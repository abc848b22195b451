// SPDX-License-Identifier: Apache-2.0
/*
 * Install media that stay files (Naming.is_media): cp registers what lies on the hosts' shared file
 * system, and copies nothing.
 */
#include "actions/datastore/datastore.h"
#include "actions/datastore/source.h"
#include "actions/datastore/volume_source.h"
#include "base/error.h"

#include <string.h>

bool
datastore_is_media(const Task *task)
{
    const Naming *naming = task->driver->naming;

    return task->image->path && naming->is_media && naming->is_media(task->image->path);
}

static Volume *
media_of_path(Task *task, const char *path, Host *host)
{
    g_autofree char *owner = g_strdup_printf("'%s'", path);

    return volume_new(task->datastore, VOLUME_IMAGE, host, path, owner, "raw");
}

/* The file itself, not a link whose end may become another: as a host sees it. */
Volume *
datastore_media(Task *task, GError **error)
{
    const char *path = task->image->path;
    g_autoptr(Volume) named = media_of_path(task, path, task->datastore->host);

    if (!volume_use_worker(named, error))
        return NULL;
    g_autofree char *real = source_allowed_there(task, named->host, path, error);
    if (!real)
        return NULL;
    if (!task->driver->naming->is_media(real)) {
        set_error(error, ONEVOL_ERROR_REFUSED, "'%s' leads to '%s', which is no install medium",
                  path, real);
        return NULL;
    }
    g_autoptr(Volume) media = media_of_path(task, real, named->host);
    return volume_require(media, error) ? g_steal_pointer(&media) : NULL;
}

static bool
check_sums(const Task *task, const Volume *media, GError **error)
{
    const Endpoint content = {.host = media->host, .path = media->name};

    return volume_check_sums(task, media->name, &content, error);
}

bool
datastore_cp_media(Task *task, GError **error)
{
    g_autoptr(Volume) media = datastore_media(task, error);

    if (!media)
        return false;
    if (task->image->type != IMAGE_CDROM)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' stays a file that VMs can only read: register it as CDROM",
                         media->name);
    if (task->image->size > 0 && media->virtual_size > task->image->size)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' has grown to %" G_GUINT64_FORMAT " MiB since it was registered",
                         media->name, (media->virtual_size + MIB - 1) / MIB);
    if (!check_sums(task, media, error))
        return false;
    datastore_print_source(task, media, true);
    return true;
}
