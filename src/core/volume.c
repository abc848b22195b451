// SPDX-License-Identifier: Apache-2.0
#include "core/volume.h"

#include "base/error.h"
#include "base/log.h"
#include "core/driver.h"
#include "core/fallback.h"

#include <string.h>

static const Backend *
backend_of(const Volume *volume)
{
    return volume->datastore->driver->backend;
}

Volume *
volume_new(Datastore *datastore, VolumeKind kind, Host *host, const char *name, const char *owner,
           const char *format)
{
    Volume *volume = g_new0(Volume, 1);

    volume->datastore = datastore;
    volume->kind = kind;
    volume->host = host;
    volume->name = g_strdup(name);
    volume->owner = g_strdup(owner);
    volume->format = g_strdup(format);
    volume->user.vm_id = -1;
    return volume;
}

void
volume_free(Volume *volume)
{
    if (!volume)
        return;
    g_free(volume->name);
    g_free(volume->snapshots);
    g_free(volume->owner);
    g_free(volume->format);
    mark_free(volume->mark);
    g_free(volume);
}

void
freeze_clear(Freeze *freeze)
{
    g_clear_pointer(&freeze->uri, g_free);
    g_clear_pointer(&freeze->domain, g_free);
}

void
endpoint_clear(Endpoint *endpoint)
{
    g_clear_pointer(&endpoint->path, g_free);
}

bool
volume_stat(Volume *volume, bool *exists, GError **error)
{
    return backend_of(volume)->stat(volume, exists, error);
}

bool
volume_require(Volume *volume, GError **error)
{
    bool exists;

    if (!volume_stat(volume, &exists, error))
        return false;
    if (!exists)
        return set_error(error, ONEVOL_ERROR_NOT_FOUND, "%s is not there: no '%s'", volume->owner,
                         volume->name);
    return true;
}

void
volume_mark_incomplete(Volume *volume)
{
    mark_free(volume->mark);
    volume->mark = mark_new(log_subject_text(), volume->owner);
}

/* After a failure before commit. */
static bool
give_up(Volume *volume)
{
    volume_abandon(volume);
    return false;
}

bool
volume_create(Volume *volume, guint64 bytes, GError **error)
{
    volume_mark_incomplete(volume);
    if (backend_of(volume)->create(volume, bytes, error))
        return true;
    g_prefix_error(error, "cannot create '%s': ", volume->name);
    return give_up(volume);
}

bool
volume_clone(Volume *source, Volume *target, GError **error)
{
    const Backend *backend = backend_of(target);
    unsigned caps = 0;
    g_autofree char *how = NULL;
    gint64 start = g_get_monotonic_time();

    /* else the caller has looked */
    if (source->virtual_size == 0 && !volume_require(source, error))
        return false;
    if (backend == backend_of(source) && backend->clone &&
        !datastore_caps(target->datastore, &caps, error))
        return false;

    if (source->freeze && !(caps & CAP_CLONE))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "%s is in use, and driver '%s' cannot copy it at one instant",
                         source->owner, source->datastore->driver->name);

    g_free(target->format);
    target->format = g_strdup(source->format);
    target->virtual_size = source->virtual_size;
    volume_mark_incomplete(target);
    bool done = caps & CAP_CLONE ? backend->clone(source, target, &how, error)
                                 : fallback_clone(source, target, &how, error);
    if (!done) {
        g_prefix_error(error, "cannot clone %s to '%s': ", source->owner, target->name);
        return give_up(target);
    }
    log_info("cloned %s by %s in %.0f ms", source->owner, how,
             (double)(g_get_monotonic_time() - start) / 1000.0);
    return true;
}

bool
volume_resize(Volume *volume, guint64 bytes, GError **error)
{
    if (!backend_of(volume)->resize)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "driver '%s' cannot resize volumes",
                         volume->datastore->driver->name);
    if (bytes < volume->virtual_size)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "%s has %" G_GUINT64_FORMAT " MiB and is not shrunk to %" G_GUINT64_FORMAT
                         " MiB",
                         volume->owner, volume->virtual_size / MIB, bytes / MIB);
    if (bytes == volume->virtual_size)
        return true;
    if (!backend_of(volume)->resize(volume, bytes, error)) {
        g_prefix_error(error, "cannot resize %s: ", volume->owner);
        return false;
    }
    volume->virtual_size = bytes;
    return true;
}

bool
volume_reserve(Volume *volume, GError **error)
{
    if (!backend_of(volume)->reserve || backend_of(volume)->reserve(volume, error))
        return true;
    g_prefix_error(error, "cannot reserve the space of %s: ", volume->owner);
    return false;
}

bool
volume_commit(Volume *volume, GError **error)
{
    g_assert(volume->mark);
    if (!backend_of(volume)->commit(volume, error)) {
        g_prefix_error(error, "cannot complete %s: ", volume->owner);
        return give_up(volume);
    }
    g_clear_pointer(&volume->mark, mark_free);
    return true;
}

void
volume_abandon(Volume *volume)
{
    g_autoptr(GError) error = NULL;

    if (!volume->mark)
        return;
    /* whoever took it over undoes it now */
    if (!backend_of(volume)->abandon(volume, &error) &&
        !g_error_matches(error, ONEVOL_ERROR, ONEVOL_ERROR_LOST))
        log_warn("leftover of '%s' stays: %s", volume->name, error->message);
    g_clear_pointer(&volume->mark, mark_free);
}

bool
volume_remove(Volume *volume, GError **error)
{
    if (backend_of(volume)->remove(volume, error))
        return true;
    g_prefix_error(error, "cannot remove %s: ", volume->owner);
    return false;
}

bool
volume_assign(Volume *volume, const VolumeUser *user, bool uses, GError **error)
{
    if (!backend_of(volume)->assign || backend_of(volume)->assign(volume, user, uses, error))
        return true;
    g_prefix_error(error, "cannot say who uses %s: ", volume->owner);
    return false;
}

bool
volume_use_worker(Volume *volume, GError **error)
{
    const Backend *backend = backend_of(volume);
    Host *host = volume->datastore->host;

    if (!host_is_frontend(volume->host) || !backend->choose_worker)
        return true;
    if (host_is_frontend(host) && !backend->choose_worker(volume, &host, error)) {
        g_prefix_error(error, "cannot work on '%s': ", volume->name);
        return false;
    }
    volume->host = volume->datastore->host = host;
    return true;
}

/* Files are locked where they are worked on; the names of other storages on the front-end, since
 * any host may work on them. */
bool
volume_lock(const Volume *volume, const char *holder, GError **error)
{
    const Backend *backend = backend_of(volume);
    g_autofree char *key = g_strdup_printf("/%s/%s", backend->name, volume->name);
    bool done = backend->files ? host_lock(volume->host, volume->name, holder, error)
                               : host_lock(host_frontend(), key, holder, error);

    if (!done)
        g_prefix_error(error, "'%s' is in use: ", volume->name);
    return done;
}

bool
volume_open(Volume *volume, Endpoint *endpoint, GError **error)
{
    *endpoint = (Endpoint){0};
    return backend_of(volume)->open(volume, endpoint, error);
}

bool
volume_close(Volume *volume, Endpoint *endpoint, GError **error)
{
    return backend_of(volume)->close(volume, endpoint, error);
}
