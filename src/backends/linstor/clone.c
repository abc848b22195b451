// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/clone.h"

#include "backends/linstor/devices.h"
#include "backends/linstor/examine.h"
#include "backends/linstor/history.h"
#include "backends/linstor/life.h"
#include "backends/linstor/placement.h"
#include "backends/linstor/rollback.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>

/* LINSTOR copies in the background, at the rate of the pool. */
#define CLONE_MS(bytes) (SECONDS(600) + (unsigned)MIN((bytes) / 20000, SECONDS(86400)))

typedef struct Clone {
    LinstorStore *from, *to;
    Volume *source, *target;
    char **how;
} Clone;

/* What the target is like before anybody looks at it. */
static void
inherit(const Clone *clone)
{
    const LinstorKnown *source = linstor_known(clone->from, clone->source->name);
    LinstorKnown *target = linstor_known(clone->to, clone->target->name);

    target->drbd = source->drbd;
    target->size = source->size;
    target->blank = false;
}

/* From a snapshot of the source that has the target's name, as linstor_un names it. */

static bool
define_clone(LinstorStore *store, const Volume *target, void *data, GError **error)
{
    const Clone *clone = data;
    g_auto(GStrv) props = linstor_first_props(target, clone->source->name);

    return linstor_attributes_can_place(&store->at, store->facts, store->driver, error) &&
           linstor_define(store, target->name, (const char *const *)props, error);
}

/* The definition comes first: whoever finds it knows of the snapshot. */
static bool
clone_by_snapshot(Clone *clone, GError **error)
{
    const char *source = clone->source->name, *target = clone->target->name;
    LinstorClient *client = clone->to->client;

    if (!linstor_make_fresh(clone->to, clone->target, define_clone, clone, error))
        return false;
    linstor_forget(clone->to, target);
    linstor_known(clone->to, target)->origin = g_strdup(source);
    inherit(clone);
    if (!linstor_take_snapshot(clone->from, clone->source, target, error)) {
        if (linstor_failure(client) == LINSTOR_FAIL_NO_SNAPSHOTS)
            g_prefix_error(error, "the pool has no snapshots, CLONE_MODE=copy would work: ");
        return false;
    }
    *clone->how = g_strdup("snapshot");
    return (linstor_restore_volumes(client, source, target, target, error) &&
            linstor_restore_resources(client, source, target, target, NULL, error)) ||
           linstor_advise(clone->to, error);
}

/* LINSTOR's own */

typedef enum { DONE, IMPOSSIBLE, FAILED } Outcome;

static const char *
other_group(const Clone *clone)
{
    const char *group = linstor_known(clone->from, clone->source->name)->group;
    const char *wanted = clone->to->at.group;

    return wanted && group && g_ascii_strcasecmp(group, wanted) ? wanted : NULL;
}

static bool
start_clone(LinstorStore *store, const Volume *target, void *data, GError **error)
{
    static const char *const foreign[] = {"Aux/one", NULL};
    Clone *clone = data;
    g_auto(GStrv) props = linstor_first_props(target, NULL);
    const LinstorCloneOptions options = {
        .dependent = target->kind == VOLUME_DISK,
        .group = other_group(clone),
        .props = {.set = (const char *const *)props, .remove_namespaces = foreign},
    };

    return linstor_clone_start(store->client, clone->source->name, target->name, &options, error) &&
           linstor_clone_wait(store->client, clone->source->name, target->name, &options,
                              CLONE_MS(clone->source->virtual_size), error);
}

/* LINSTOR clones what is attached, too: an image would stay attached where the disk's VM is. */
static bool
drop_attachments(LinstorStore *store, const char *name, GError **error)
{
    g_autoptr(GPtrArray) replicas = linstor_replicas(store, name, error);

    for (guint i = 0; replicas && i < replicas->len; i++) {
        const LinstorResource *one = g_ptr_array_index(replicas, i);
        if (one->diskless && !one->tie_breaker && !one->deleting &&
            !linstor_resource_delete(store->client, name, one->node, NULL, error))
            return false;
    }
    return replicas != NULL;
}

static Outcome
clone_by_linstor(Clone *clone, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (linstor_make_fresh(clone->to, clone->target, start_clone, clone, &why)) {
        linstor_forget(clone->to, clone->target->name);
        inherit(clone);
        *clone->how = g_strdup("LINSTOR's clone");
        return clone->target->kind != VOLUME_IMAGE ||
                       drop_attachments(clone->to, clone->target->name, error)
                   ? DONE
                   : FAILED;
    }
    int failure = linstor_failure(clone->to->client);
    if (why->code == ONEVOL_ERROR_UNSUPPORTED || failure == LINSTOR_FAIL_INVALID_PROVIDER ||
        failure == LINSTOR_FAIL_NOT_ENOUGH_NODES) {
        log_info("LINSTOR cannot clone '%s' itself, it is copied: %s", clone->source->name,
                 why->message);
        return IMPOSSIBLE;
    }
    g_propagate_error(error, g_steal_pointer(&why));
    return FAILED;
}

/* By copy */

/* A qcow2 may have been put on a larger device than it would get today. */
static bool
make_target(Clone *clone, GError **error)
{
    guint64 bytes = linstor_device_bytes(clone->target->format, clone->target->virtual_size);

    if (clone->target->format && !strcmp(clone->target->format, "qcow2"))
        bytes = MAX(bytes, linstor_known(clone->from, clone->source->name)->size);
    return linstor_create_device(clone->target, bytes, error);
}

static bool
copy_from(Clone *clone, const Endpoint *from, GError **error)
{
    g_auto(Endpoint) to = {0};
    MoveOptions options;

    if (!datastore_move_options(clone->target->datastore, &options, error) ||
        !linstor_open(clone->target, &to, error))
        return false;
    options.dirty = !to.zeroed;
    options.length = from->size;
    bool done =
        host_transfer(from->host, from->path, to.host, to.path, &options, clone->how, error);
    return linstor_close(clone->target, &to, done ? error : NULL) && done;
}

static bool
clone_by_copy(Clone *clone, GError **error)
{
    g_auto(Endpoint) from = {0};

    if (!make_target(clone, error) || !linstor_open(clone->source, &from, error))
        return false;
    bool done = copy_from(clone, &from, error);
    return linstor_close(clone->source, &from, done ? error : NULL) && done;
}

/* Of a guest that runs: what a snapshot holds is copied. */

static bool
copy_beside(Clone *clone, const char *snapshot, GError **error)
{
    g_autofree char *beside = linstor_beside(clone->source->name);
    g_auto(Endpoint) from = {0};

    if (!linstor_restore_beside(clone->from, clone->source, snapshot, error))
        return false;
    bool done =
        linstor_open_named(clone->source, beside, &from, error) && copy_from(clone, &from, error);
    return linstor_drop_beside(clone->from, clone->source, done ? error : NULL) && done;
}

/* The pool has none: libvirt copies, where the guest runs. */
static bool
copy_by_libvirt(Clone *clone, GError **error)
{
    const Freeze *freeze = clone->source->freeze;
    g_auto(Endpoint) from = {0};
    g_auto(Endpoint) to = {0};

    clone->source->host = clone->target->host = freeze->host;
    if (!linstor_open(clone->source, &from, error))
        return false;
    bool done = linstor_open(clone->target, &to, error);
    if (done) {
        done = host_frozen_copy(freeze->host, freeze->uri, freeze->domain, freeze->may_suspend,
                                NULL, from.path, to.path, clone->how, error);
        done = linstor_close(clone->target, &to, done ? error : NULL) && done;
    }
    return linstor_close(clone->source, &from, done ? error : NULL) && done;
}

static bool
clone_running(Clone *clone, GError **error)
{
    g_autofree char *snapshot = g_strconcat("onevol-", clone->target->name, NULL);
    g_autoptr(GError) why = NULL;

    if (strlen(snapshot) > 48)
        snapshot[48] = '\0';
    if (!linstor_settle(clone->from, clone->source, error) || !make_target(clone, error))
        return false;
    if (!linstor_take_snapshot(clone->from, clone->source, snapshot, &why)) {
        if (linstor_failure(clone->from->client) == LINSTOR_FAIL_NO_SNAPSHOTS)
            return copy_by_libvirt(clone, error);
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    bool done = copy_beside(clone, snapshot, error);
    return linstor_snapshot_delete(clone->from->client, clone->source->name, snapshot,
                                   done ? error : NULL) &&
           done;
}

bool
linstor_clone(Volume *source, Volume *target, char **how, GError **error)
{
    Clone clone = {.source = source, .target = target, .how = how};

    if (!(clone.from = linstor_store_of(source, error)) ||
        !(clone.to = linstor_store_of(target, error)))
        return false;
    bool one_cluster = clone.from->client == clone.to->client;
    LinstorCloneMode mode = one_cluster ? clone.to->at.clone_mode : LINSTOR_BY_COPY;
    /* an image must not depend on another one's snapshot */
    if (mode == LINSTOR_BY_SNAPSHOT && target->kind == VOLUME_DISK)
        return clone_by_snapshot(&clone, error);
    if (source->freeze)
        return clone_running(&clone, error);
    if (mode == LINSTOR_BY_CLONE) {
        Outcome outcome = clone_by_linstor(&clone, error);
        if (outcome != IMPOSSIBLE)
            return outcome == DONE;
    }
    return clone_by_copy(&clone, error);
}
