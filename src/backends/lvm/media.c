// SPDX-License-Identifier: Apache-2.0
#include "backends/lvm/media.h"

#include "base/error.h"
#include "base/log.h"

#include <sys/stat.h>

bool
media_is(const Volume *volume)
{
    const Naming *naming = volume->datastore->driver->naming;

    return naming->is_media && naming->is_media(volume->name);
}

static bool
look(const Volume *volume, Host *host, FileInfo *info, GError **error)
{
    if (!host_stat(host, volume->name, true, info, error))
        return false;
    return info->mode == 0 || S_ISREG(info->mode) ||
           set_error(error, ONEVOL_ERROR_REFUSED, "'%s' on host '%s' is no file", volume->name,
                     host_name(host));
}

static bool
require(const Volume *volume, Host *host, FileInfo *info, GError **error)
{
    return look(volume, host, info, error) &&
           (info->mode != 0 ||
            set_error(error, ONEVOL_ERROR_NOT_FOUND, "%s is not there: host '%s' has no '%s'",
                      volume->owner, host_name(host), volume->name));
}

bool
media_stat(Volume *volume, bool *exists, GError **error)
{
    g_auto(FileInfo) info = {0};

    if (!volume_use_worker(volume, error) || !look(volume, volume->host, &info, error))
        return false;
    *exists = info.mode != 0;
    g_free(volume->format);
    volume->format = g_strdup("raw");
    volume->virtual_size = info.size;
    volume->allocated_size = info.allocated;
    return true;
}

bool
media_attach(const Volume *volume, Host *host, char **device, GError **error)
{
    g_auto(FileInfo) info = {0};

    if (!require(volume, host, &info, error))
        return false;
    *device = g_strdup(volume->name);
    return true;
}

bool
media_open(Volume *volume, Endpoint *endpoint, GError **error)
{
    g_auto(FileInfo) info = {0};

    if (!volume_use_worker(volume, error) || !require(volume, volume->host, &info, error))
        return false;
    *endpoint = (Endpoint){.host = volume->host, .path = g_strdup(volume->name), .size = info.size};
    return true;
}

bool
media_remove(const Volume *volume)
{
    log_info("'%s' stays: it is a file that others put there", volume->name);
    return true;
}
