// SPDX-License-Identifier: Apache-2.0
#include "core/fallback.h"

#include "base/error.h"
#include "core/driver.h"

static bool
copy_between(const Endpoint *from, const Endpoint *to, Datastore *datastore, char **how,
             GError **error)
{
    MoveOptions options;

    if (!datastore_move_options(datastore, &options, error))
        return false;
    options.dirty = !to->zeroed;
    options.length = from->size;
    return host_transfer(from->host, from->path, to->host, to->path, &options, how, error);
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
        done = copy_between(&from, &to, target->datastore, how, error);
        done = volume_close(target, &to, done ? error : NULL) && done;
    }
    return volume_close(source, &from, done ? error : NULL) && done;
}
