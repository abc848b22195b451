// SPDX-License-Identifier: Apache-2.0
#include "core/snapshot.h"

#include "base/error.h"
#include "base/log.h"
#include "core/driver.h"
#include "one/xml.h"

typedef bool (*SnapshotSlot)(Volume *volume, gint64 id, GError **error);

static bool
run(Volume *volume, gint64 id, SnapshotSlot slot, const char *what, GError **error)
{
    unsigned caps;

    if (!datastore_caps(volume->datastore, &caps, error))
        return false;
    if (!slot || !(caps & CAP_SNAPSHOT))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "driver '%s' has no snapshots here",
                         volume->datastore->driver->name);
    if (!volume_require(volume, error))
        return false;
    if (slot(volume, id, error))
        return true;
    g_prefix_error(error, "cannot %s snapshot %" G_GINT64_FORMAT " of %s: ", what, id,
                   volume->owner);
    return false;
}

/* oned's comparison, and its default: anything that it does not know is NO. */
static bool
says_linear(xmlNode *element)
{
    g_autofree char *model = element ? xml_text(element, "ALLOW_ORPHANS") : NULL;

    return model && !g_ascii_strcasecmp(model, "LINEAR");
}

static bool
has_younger(xmlNode *snapshots, gint64 id)
{
    xmlNode *snapshot = snapshots ? xml_find(snapshots, "SNAPSHOT") : NULL;

    for (; snapshot; snapshot = xml_next(snapshot))
        if (xml_number(snapshot, "ID", -1) > id)
            return true;
    return false;
}

/* A VM's revert goes by what its DISK says (disk_snapshot_success of LifeCycleStates.cc), an
 * image's by its SNAPSHOTS (Image.cc), which the VM hands to the image: either one counts. */
bool
snapshot_model_check(xmlNode *element, xmlNode *snapshots, gint64 id, bool revert,
                     const char *driver, GError **error)
{
    if ((!says_linear(element) && !says_linear(snapshots)) ||
        (revert && !has_younger(snapshots, id)))
        return true;
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "ALLOW_ORPHANS is LINEAR, by which oned forgets younger snapshots at a revert "
                     "that nobody would remove then: set ALLOW_ORPHANS = \"YES\" in the "
                     "TM_MAD_CONF of '%s' in oned.conf, update the datastore and attach the disk "
                     "anew",
                     driver);
}

bool
snapshot_create(Volume *volume, gint64 id, GError **error)
{
    return run(volume, id, volume->datastore->driver->backend->snapshot_create, "make", error);
}

bool
snapshot_remove(Volume *volume, gint64 id, GError **error)
{
    return run(volume, id, volume->datastore->driver->backend->snapshot_remove, "remove", error);
}

bool
snapshot_revert(Volume *volume, gint64 id, GError **error)
{
    return run(volume, id, volume->datastore->driver->backend->snapshot_revert, "go back to",
               error);
}

bool
snapshot_flatten(Volume *volume, gint64 id, GError **error)
{
    return run(volume, id, volume->datastore->driver->backend->snapshot_flatten, "flatten to",
               error);
}

bool
snapshots_copy(Volume *source, Volume *target, GError **error)
{
    const Backend *backend = source->datastore->driver->backend;

    if (!backend->snapshots_copy)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "driver '%s' cannot move snapshots",
                         source->datastore->driver->name);
    if (backend->snapshots_copy(source, target, error))
        return true;
    g_prefix_error(error, "cannot copy the snapshots of %s: ", source->owner);
    return false;
}

static bool
clone_natively(Volume *volume, gint64 id, Volume *target, GError **error)
{
    const Backend *backend = volume->datastore->driver->backend;
    g_autofree char *how = NULL;

    g_free(target->format);
    target->format = g_strdup(volume->format);
    target->virtual_size = volume->virtual_size;
    volume_mark_incomplete(target);
    if (!backend->snapshot_clone(volume, id, target, &how, error)) {
        g_prefix_error(error, "cannot clone snapshot %" G_GINT64_FORMAT " of %s: ", id,
                       volume->owner);
        volume_abandon(target);
        return false;
    }
    log_info("cloned snapshot %" G_GINT64_FORMAT " of %s by %s", id, volume->owner, how);
    return true;
}

bool
snapshot_clone(Volume *volume, gint64 id, Volume *target, GError **error)
{
    const Backend *backend = volume->datastore->driver->backend;
    g_auto(Endpoint) content = {0};

    if (!volume_require(volume, error))
        return false;
    if (backend->snapshot_clone && backend == target->datastore->driver->backend)
        return clone_natively(volume, id, target, error);
    if (!backend->snapshot_open)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "driver '%s' cannot read snapshots",
                         volume->datastore->driver->name);
    if (!backend->snapshot_open(volume, id, &content, error))
        return false;
    if (!target->format)
        target->format = g_strdup(volume->format);
    bool done = volume_import(target, &content, volume->format, volume->virtual_size, error);
    return backend->snapshot_close(volume, id, &content, done ? error : NULL) && done;
}
