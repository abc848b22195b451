// SPDX-License-Identifier: Apache-2.0
#include "core/fallback.h"

#include "base/error.h"
#include "core/driver.h"
#include "core/qemu_img.h"

#include <string.h>

/* One machine for now: the plain mover between hosts comes with the agent. */
static bool
same_host(const Host *a, const Host *b, GError **error)
{
    if (a == b)
        return true;
    return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "cannot copy from '%s' to '%s' yet",
                     host_name(a), host_name(b));
}

static bool
copy_between(const Endpoint *from, const Endpoint *to, char **how, GError **error)
{
    if (!same_host(from->host, to->host, error))
        return false;
    if (from->block || to->block)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "cannot copy block devices yet");
    return host_copy(to->host, from->path, to->path, true, how, error);
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

bool
fallback_import(Volume *volume, Host *host, const char *file, const char *file_format,
                GError **error)
{
    g_auto(Endpoint) to = {0};

    if (!volume_open(volume, &to, error))
        return false;
    bool done = same_host(host, to.host, error);
    if (done && !strcmp(file_format, volume->format))
        done = host_copy(host, file, to.path, true, NULL, error);
    else if (done)
        done = qemu_img_convert(host, file, file_format, to.path, volume->format, error);
    return volume_close(volume, &to, done ? error : NULL) && done;
}
