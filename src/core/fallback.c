// SPDX-License-Identifier: Apache-2.0
#include "core/fallback.h"

#include "base/error.h"
#include "core/driver.h"
#include "core/qemu_img.h"

#include <string.h>

static bool
copy_between(const Endpoint *from, const Endpoint *to, char **how, GError **error)
{
    if (from->block || to->block)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "cannot copy block devices yet");
    return host_transfer(from->host, from->path, to->host, to->path, how, error);
}

bool
fallback_clone(Volume *source, Volume *target, char **how, GError **error)
{
    g_auto(Endpoint) from = {0};
    g_auto(Endpoint) to = {0};

    if (!target->datastore->driver->backend->create(target, source->virtual_size, error))
        return false;
    if (!volume_open(source, &from, error))
        return false;
    bool done = volume_open(target, &to, error);
    if (done) {
        done = copy_between(&from, &to, how, error);
        done = volume_close(target, &to, done ? error : NULL) && done;
    }
    return volume_close(source, &from, done ? error : NULL) && done;
}

/* qemu-img works on one machine: what comes from another is brought there first. */
static bool
convert(const Endpoint *to, Host *host, const char *file, const char *from_format,
        const char *to_format, GError **error)
{
    if (host == to->host)
        return qemu_img_convert(host, file, from_format, to->path, to_format, error);

    g_autofree char *near = g_strconcat(to->path, ".source", NULL);
    return host_transfer(host, file, to->host, near, NULL, error) &&
           qemu_img_convert(to->host, near, from_format, to->path, to_format, error) &&
           host_remove(to->host, near, error);
}

bool
fallback_import(Volume *volume, Host *host, const char *file, const char *file_format,
                GError **error)
{
    g_auto(Endpoint) to = {0};

    if (!volume_open(volume, &to, error))
        return false;
    bool done = !strcmp(file_format, volume->format)
                    ? host_transfer(host, file, to.host, to.path, NULL, error)
                    : convert(&to, host, file, file_format, volume->format, error);
    return volume_close(volume, &to, done ? error : NULL) && done;
}
