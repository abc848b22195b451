// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/history.h"

#include "backends/linstor/devices.h"
#include "backends/linstor/growing.h"
#include "backends/linstor/life.h"
#include "backends/linstor/placement.h"
#include "backends/linstor/rollback.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"

#include <string.h>

#define FREEZE_MS 7000 /* a guest stands still no longer */

/* Taking one */

static bool
take_once(LinstorStore *store, const Volume *volume, const char *snapshot, GError **error)
{
    const Freeze *freeze = volume->freeze;
    g_autofree char *how = NULL;

    if (!freeze)
        return linstor_snapshot_create(store->client, volume->name, snapshot, error);
    if (!host_freeze(freeze->host, freeze->uri, freeze->domain, freeze->may_suspend, FREEZE_MS,
                     &how, error))
        return false;
    bool taken = linstor_snapshot_create(store->client, volume->name, snapshot, error);
    int failure = linstor_failure(store->client);
    bool still = host_thaw(freeze->host, taken ? error : NULL);
    if (taken && !still) /* not of one instant */
        (void)linstor_snapshot_delete(store->client, volume->name, snapshot, NULL);
    linstor_set_failure(store->client, failure);
    return taken && still;
}

bool
linstor_take_snapshot(LinstorStore *store, const Volume *volume, const char *snapshot,
                      GError **error)
{
    g_autoptr(GError) why = NULL;

    if (take_once(store, volume, snapshot, &why))
        return true;
    if (linstor_failure(store->client) != LINSTOR_FAIL_EXISTS_SNAPSHOT &&
        linstor_failure(store->client) != LINSTOR_FAIL_EXISTS_ONE_SNAPSHOT) {
        g_propagate_error(error, g_steal_pointer(&why));
        return linstor_advise(store, error);
    }
    log_info("snapshot '%s' of '%s' is there from another try, it goes first", snapshot,
             volume->name);
    return linstor_snapshot_delete(store->client, volume->name, snapshot, error) &&
           take_once(store, volume, snapshot, error);
}

/* Sizes of snapshots: LINSTOR tells none, so linstor_un records what the volume took then. */

static char *
size_key(gint64 id)
{
    return g_strdup_printf("Aux/one/SNAPSHOT_%" G_GINT64_FORMAT "/DISK_SIZE", id);
}

static bool
see_largest(LinstorResource *resource, void *user, G_GNUC_UNUSED GError **error)
{
    guint64 *largest = user;

    if (!resource->diskless)
        *largest = MAX(*largest, resource->allocated);
    return true;
}

static bool
record_size(LinstorStore *store, const char *name, gint64 id, GError **error)
{
    guint64 bytes = 0;

    if (!linstor_view(store->client, name, see_largest, &bytes, error))
        return false;
    g_autofree char *key = size_key(id);
    g_autofree char *value = g_strdup_printf("%" G_GUINT64_FORMAT, bytes / 1024);
    const char *const set[] = {key, value, NULL};
    const LinstorProps props = {.set = set};
    return linstor_definition_modify(store->client, name, &props, error);
}

bool
linstor_history_create(Volume *volume, gint64 id, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);
    g_autoptr(GError) unknown = NULL;

    if (!store || !linstor_settle(store, volume, error))
        return false;
    g_autofree char *snapshot = linstor_snapshot_name(store->names, id);
    if (!linstor_take_snapshot(store, volume, snapshot, error))
        return false;
    if (store->names->tells_users && !record_size(store, volume->name, id, &unknown))
        log_warn("the size of the snapshot is not recorded: %s", unknown->message);
    return true;
}

bool
linstor_history_remove(Volume *volume, gint64 id, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);

    if (!store || !linstor_settle(store, volume, error))
        return false;
    g_autofree char *snapshot = linstor_snapshot_name(store->names, id);
    g_autofree char *key = size_key(id);
    const char *const keys[] = {key, NULL};
    const LinstorProps props = {.remove = keys};
    GHashTable *seen = linstor_known(store, volume->name)->props;
    bool recorded = store->names->tells_users && (!seen || g_hash_table_contains(seen, key));

    return linstor_snapshot_delete(store->client, volume->name, snapshot, error) &&
           (!recorded || linstor_definition_modify(store->client, volume->name, &props, error));
}

/* Beside the volume */

bool
linstor_define_beside(LinstorStore *store, const Volume *volume, const char *const *props,
                      GError **error)
{
    g_autofree char *beside = linstor_beside(volume->name);
    g_autoptr(Mark) mark = mark_new("snapshot", volume->owner);
    g_autoptr(GPtrArray) pairs = g_ptr_array_new();
    g_autoptr(GError) why = NULL;

    g_ptr_array_add(pairs, (gpointer)LINSTOR_MARK);
    g_ptr_array_add(pairs, mark->text);
    for (const char *const *at = props; at && *at; at++)
        g_ptr_array_add(pairs, (gpointer)*at);
    g_ptr_array_add(pairs, NULL);
    if (linstor_define(store, beside, (const char *const *)pairs->pdata, &why))
        return true;
    if (linstor_failure(store->client) != LINSTOR_FAIL_EXISTS_RSC_DFN) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    return linstor_drop_beside(store, volume, error) &&
           linstor_define(store, beside, (const char *const *)pairs->pdata, error);
}

static bool
restore(LinstorStore *store, const Volume *volume, const char *snapshot, const char *beside,
        GError **error)
{
    LinstorVolume found = {0};

    if (!linstor_restore_volumes(store->client, volume->name, snapshot, beside, error) ||
        !linstor_restore_resources(store->client, volume->name, snapshot, beside, NULL, error) ||
        (!step_is_dry_run() && !linstor_volume(store->client, beside, &found, error)))
        return linstor_advise(store, error);
    LinstorKnown *known = linstor_known(store, beside);
    known->drbd = linstor_known(store, volume->name)->drbd;
    known->size = found.size;
    return true;
}

bool
linstor_restore_beside(LinstorStore *store, const Volume *volume, const char *snapshot,
                       GError **error)
{
    g_autofree char *beside = linstor_beside(volume->name);

    if (!linstor_define_beside(store, volume, NULL, error))
        return false;
    if (restore(store, volume, snapshot, beside, error))
        return true;
    (void)linstor_drop_beside(store, volume, NULL);
    return false;
}

bool
linstor_drop_beside(LinstorStore *store, const Volume *volume, GError **error)
{
    g_autofree char *beside = linstor_beside(volume->name);

    return linstor_drop_one(store, beside, error);
}

bool
linstor_history_open(Volume *volume, gint64 id, Endpoint *endpoint, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);

    if (!store || !linstor_settle(store, volume, error))
        return false;
    g_autofree char *snapshot = linstor_snapshot_name(store->names, id);
    g_autofree char *beside = linstor_beside(volume->name);
    if (!linstor_restore_beside(store, volume, snapshot, error))
        return false;
    if (linstor_open_named(volume, beside, endpoint, error))
        return true;
    (void)linstor_drop_beside(store, volume, NULL);
    return false;
}

bool
linstor_history_close(Volume *volume, G_GNUC_UNUSED gint64 id, Endpoint *endpoint, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);
    g_autofree char *beside = linstor_beside(volume->name);

    endpoint_clear(endpoint);
    endpoint->opened = NULL; /* the whole definition goes */
    return store && linstor_drop_one(store, beside, error);
}

/* Going back */

static bool
copy_back(LinstorStore *store, Volume *volume, GError **error)
{
    g_autofree char *beside = linstor_beside(volume->name);
    g_auto(Endpoint) from = {0};
    g_auto(Endpoint) to = {0};
    MoveOptions options;

    if (!datastore_move_options(volume->datastore, &options, error) ||
        !linstor_open_named(volume, beside, &from, error))
        return false;
    bool done = linstor_open(volume, &to, error);
    if (done) {
        options.dirty = options.readback = true;
        options.length = from.size;
        done = host_transfer(from.host, from.path, to.host, to.path, &options, NULL, error);
        done = linstor_close(volume, &to, done ? error : NULL) && done;
    }
    endpoint_clear(&from);
    return done && linstor_drop_beside(store, volume, error);
}

/* As large as the volume is now, so that all of it is written. */
static bool
revert_by_copy(LinstorStore *store, Volume *volume, const LinstorSnapshot *snapshot, GError **error)
{
    g_autofree char *beside = linstor_beside(volume->name);
    guint64 size = linstor_known(store, volume->name)->size;
    bool open;

    if (!linstor_is_open(store, volume->name, &open, error))
        return false;
    if (open)
        return set_error(error, ONEVOL_ERROR_BUSY, "'%s' is open on a node", volume->name);
    if (!linstor_restore_beside(store, volume, snapshot->name, error))
        return false;
    return (linstor_known(store, beside)->size >= size ||
            linstor_grow_device(store, beside, size, error)) &&
           copy_back(store, volume, error) &&
           (!volume->format || strcmp(volume->format, "qcow2") != 0 ||
            linstor_grow_qcow2(store, volume, volume->virtual_size, error));
}

/* Where there is no such snapshot, *snapshot is NULL. */
static void
find(GPtrArray *all, const char *name, const LinstorSnapshot **snapshot, bool *newest)
{
    *snapshot = NULL;
    for (guint i = 0; i < all->len; i++) {
        const LinstorSnapshot *one = g_ptr_array_index(all, i);
        if (!g_ascii_strcasecmp(one->name, name) && one->successful && !one->deleting) {
            *snapshot = one;
            *newest = i + 1 == all->len;
        }
    }
}

/* The newest of all, whoever took the others: LINSTOR before 1.31 rolls back to no other. */
static bool
revert_among(LinstorStore *store, Volume *volume, GPtrArray *all, const char *name, GError **error)
{
    const LinstorSnapshot *snapshot;
    bool newest;

    find(all, name, &snapshot, &newest);
    if (!snapshot)
        return set_error(error, ONEVOL_ERROR_NOT_FOUND, "'%s' has no snapshot '%s'", volume->name,
                         name);
    return newest || linstor_has(store->client, LINSTOR_ROLLBACK_ANY)
               ? linstor_roll_back(store, volume, snapshot, error)
               : revert_by_copy(store, volume, snapshot, error);
}

bool
linstor_history_revert(Volume *volume, gint64 id, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);

    if (!store || !linstor_settle(store, volume, error))
        return false;
    g_autofree char *snapshot = linstor_snapshot_name(store->names, id);
    g_autoptr(GPtrArray) all = linstor_snapshots(store->client, volume->name, error);
    return all && revert_among(store, volume, all, snapshot, error);
}

/* Flatten */

static bool
drop_all(LinstorStore *store, Volume *volume, GPtrArray *all, const char *last, GError **error)
{
    gint64 id;

    for (guint i = all->len; i > 0; i--) {
        const LinstorSnapshot *one = g_ptr_array_index(all, i - 1);
        if (linstor_snapshot_id(store->names, one->name, &id) &&
            g_ascii_strcasecmp(one->name, last) != 0 && !linstor_history_remove(volume, id, error))
            return false;
    }
    return linstor_snapshot_id(store->names, last, &id) &&
           linstor_history_remove(volume, id, error);
}

/* The one that is gone back to goes last: as long as it is there, this can be done again. */
bool
linstor_history_flatten(Volume *volume, gint64 id, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);
    guint ours = 0;
    gint64 number;

    if (!store || !linstor_settle(store, volume, error))
        return false;
    g_autofree char *snapshot = linstor_snapshot_name(store->names, id);
    g_autoptr(GPtrArray) all = linstor_snapshots(store->client, volume->name, error);
    if (!all)
        return false;
    for (guint i = 0; i < all->len; i++)
        ours += linstor_snapshot_id(store->names,
                                    ((LinstorSnapshot *)g_ptr_array_index(all, i))->name, &number);
    return ours == 0 || /* it was done before */
           (revert_among(store, volume, all, snapshot, error) &&
            drop_all(store, volume, all, snapshot, error));
}
