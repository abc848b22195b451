// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/devices.h"

#include "backends/linstor/build.h"
#include "backends/linstor/examine.h"
#include "backends/linstor/nodes.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>

#define DEVICE_MS SECONDS(20)  /* for udev */
#define BY_MINOR_MS SECONDS(4) /* then /dev/drbd<minor> will do, where udev has no rule */

static const char *device_root = "/dev";

void
linstor_devices_are_in(const char *directory)
{
    device_root = directory;
}

static char *
device_of(const char *name)
{
    g_autofree char *path = linstor_device_path(name);

    return g_strconcat(device_root, path + strlen("/dev"), NULL);
}

/* Waiting for the node of the device */

static bool
is_device(Host *host, const char *path, bool *found, GError **error)
{
    g_auto(FileInfo) info = {0};

    if (!host_stat(host, path, true, &info, error))
        return false;
    *found = S_ISBLK(info.mode) || (S_ISREG(info.mode) && strcmp(device_root, "/dev") != 0);
    return true;
}

/* Where udev has no rule of DRBD's, only the minor's node appears. */
static bool
find_by_minor(LinstorStore *store, const char *name, const char *node, Host *host, char **device,
              GError **error)
{
    g_autoptr(LinstorResource) resource = linstor_resource(store->client, name, node, error);
    bool found = false;

    if (!resource || (resource->device && !is_device(host, resource->device, &found, error)))
        return false;
    if (!found)
        return true;
    log_warn("host '%s' has no link in /dev/drbd/by-res for '%s': DRBD's udev rules are missing",
             host_name(host), name);
    *device = g_strdup(resource->device);
    return true;
}

static bool
wait_for_device(LinstorStore *store, const char *name, const char *node, Host *host, char **device,
                GError **error)
{
    g_autofree char *path = device_of(name);
    gint64 start = g_get_monotonic_time();
    LinstorPause pause = linstor_pause_for(DEVICE_MS);
    bool found = false, asked = false;

    for (pause.ms = 10;;) {
        if (!is_device(host, path, &found, error))
            return false;
        if (found) {
            *device = g_steal_pointer(&path);
            return true;
        }
        if (!asked && g_get_monotonic_time() - start > (gint64)BY_MINOR_MS * 1000) {
            asked = true;
            if (!find_by_minor(store, name, node, host, device, error))
                return false;
            if (*device)
                return true;
        }
        if (!linstor_pause(&pause, NULL))
            break;
    }
    return cancel_check(error) && linstor_examine(store, name, node, error) &&
           set_error(error, ONEVOL_ERROR_TIMEOUT,
                     "LINSTOR has attached '%s' to node '%s', but there is no '%s' on host '%s' "
                     "after %u s",
                     name, node, path, host_name(host), DEVICE_MS / 1000);
}

/* A device that cannot be read has no quorum, or no replica that is up to date. */
static bool
check_readable(LinstorStore *store, const char *name, const char *node, Host *host,
               const char *device, GError **error)
{
    g_autoptr(GError) refused = NULL;
    g_autoptr(GBytes) start = host_read(host, device, 0, 4096, &refused);

    /* where oneadmin may not read it, qemu may */
    if (start || refused->code == ONEVOL_ERROR_DENIED)
        return true;
    if (!linstor_examine(store, name, node, error)) {
        g_prefix_error(error, "'%s' cannot be read on host '%s': ", device, host_name(host));
        return false;
    }
    g_propagate_error(error, g_steal_pointer(&refused));
    return false;
}

/* Attach */

/* Without DRBD a volume is where it is, and LINSTOR would place a new, empty one elsewhere. */
static bool
find_local(LinstorStore *store, const char *name, const char *node, Host *host, char **device,
           GError **error)
{
    g_autoptr(GError) why = NULL;
    g_autoptr(LinstorResource) resource = linstor_resource(store->client, name, node, &why);
    bool found = false;

    if (!resource && why->code != ONEVOL_ERROR_NOT_FOUND) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    if (!resource || resource->deleting || !resource->device)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' has no DRBD layer, so only a host that holds it can use it: host "
                         "'%s' does not",
                         name, host_name(host));
    if (!is_device(host, resource->device, &found, error))
        return false;
    *device = g_strdup(resource->device);
    return found || set_error(error, ONEVOL_ERROR_NOT_FOUND, "there is no '%s' on host '%s'",
                              resource->device, host_name(host));
}

/* One call, where nobody has looked at it before. */
static bool
find_out_drbd(LinstorStore *store, const char *name, LinstorTruth *drbd, GError **error)
{
    LinstorKnown *known = linstor_known(store, name);

    if (known->drbd == LINSTOR_UNKNOWN && !step_is_dry_run()) {
        g_autoptr(GPtrArray) found = linstor_resources(store->client, name, error);
        if (!found)
            return false;
        for (guint i = 0; i < found->len && known->drbd != LINSTOR_YES; i++)
            known->drbd =
                ((LinstorResource *)g_ptr_array_index(found, i))->drbd ? LINSTOR_YES : LINSTOR_NO;
    }
    *drbd = known->drbd;
    return true;
}

static bool
make_available(LinstorStore *store, const char *name, const char *node, GError **error)
{
    return store->at.diskless_pool
               ? linstor_attach_diskless(store->client, name, node, store->at.diskless_pool, error)
               : linstor_make_available(store->client, name, node, false, error);
}

/* With the node's right name in *node, if that was another than its host's. */
static bool
attach_to(LinstorStore *store, const char *name, Host *host, const char **node, GError **error)
{
    g_autoptr(GError) why = NULL;
    const char *right;

    *node = linstor_node_of(store, host);
    if (make_available(store, name, *node, &why))
        return true;
    int failure = linstor_failure(store->client);
    if (failure == LINSTOR_FAIL_NO_NODE || failure == LINSTOR_FAIL_INVALID_NODE) {
        if (!linstor_node_search(store, host, true, &right, error))
            return false;
        if (!right)
            return linstor_node_missing(store, host, error);
        if (g_ascii_strcasecmp(right, *node)) {
            *node = right;
            return make_available(store, name, right, error) || linstor_advise(store, error);
        }
    }
    if (failure == LINSTOR_FAIL_NO_POOL || failure == LINSTOR_FAIL_LAYER_UNSUPPORTED)
        g_prefix_error(&why,
                       "node '%s' has no DRBD, or no pool for volumes without a replica: ", *node);
    linstor_set_failure(store->client, failure);
    g_propagate_error(error, g_steal_pointer(&why));
    return linstor_advise(store, error);
}

static bool
allow_two_primaries(LinstorStore *store, const char *name, bool allow, GError **error)
{
    const char *const set[] = {LINSTOR_TWO_PRIMARIES, "yes", NULL};
    const char *const remove[] = {LINSTOR_TWO_PRIMARIES, NULL};
    LinstorProps props = {.set = allow ? set : NULL, .remove = allow ? NULL : remove};

    return linstor_definition_modify(store->client, name, &props, error);
}

static bool
attach_named(LinstorStore *store, const char *name, Host *host, AttachMode mode, char **device,
             GError **error)
{
    const char *node;
    LinstorTruth drbd;

    *device = NULL;
    if (!find_out_drbd(store, name, &drbd, error))
        return false;
    if (drbd == LINSTOR_NO && mode != ATTACH_DUAL)
        return find_local(store, name, linstor_node_of(store, host), host, device, error);
    if (drbd == LINSTOR_NO)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "'%s' has no DRBD layer: it cannot be on two hosts at once", name);
    if (!attach_to(store, name, host, &node, error) ||
        ((mode == ATTACH_DUAL || mode == ATTACH_SHARED) &&
         !allow_two_primaries(store, name, true, error)))
        return false;
    if (step_is_dry_run()) {
        *device = device_of(name);
        return true;
    }
    if (wait_for_device(store, name, node, host, device, error) &&
        (linstor_known(store, name)->blank ||
         check_readable(store, name, node, host, *device, error)))
        return true;
    g_clear_pointer(device, g_free);
    return false;
}

/* Several actions at once may read one image on one host: the last one detaches it. What a VM gets
 * is claimed until its link is there. */
static char *
claim_of(const char *name, Host *host)
{
    return g_strdup_printf("%s on %s", name, host_name(host));
}

static bool
claim(const Volume *volume, const char *name, Host *host, GError **error)
{
    g_autofree char *key = claim_of(name, host);

    return volume->kind != VOLUME_IMAGE || host_share(host_frontend(), key, error);
}

/* *last: to be detached, then unclaimed. */
static bool
give_up_claim(const Volume *volume, const char *name, Host *host, bool *last, GError **error)
{
    g_autofree char *key = claim_of(name, host);

    *last = true;
    return volume->kind != VOLUME_IMAGE || (host_share(host_frontend(), key, error) &&
                                            host_unshare(host_frontend(), key, last, error));
}

static bool
unclaim(const Volume *volume, const char *name, Host *host, GError **error)
{
    g_autofree char *key = claim_of(name, host);

    return volume->kind != VOLUME_IMAGE || host_unlock(host_frontend(), key, error);
}

bool
linstor_attach(Volume *volume, Host *host, AttachMode mode, char **device, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);

    return store && claim(volume, volume->name, host, error) &&
           attach_named(store, volume->name, host, mode, device, error);
}

/* Detach */

/* What is on that node; NULL without error where nothing is, or the host is no node. */
static bool
find_attached(LinstorStore *store, const char *name, Host *host, const char **node,
              LinstorResource **found, GError **error)
{
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        g_autoptr(GError) why = NULL;
        const char *right = NULL;
        *node = linstor_node_of(store, host);
        *found = linstor_resource(store->client, name, *node, &why);
        if (*found)
            return true;
        int failure = linstor_failure(store->client);
        bool no_node = failure == LINSTOR_FAIL_NO_NODE || failure == LINSTOR_FAIL_INVALID_NODE;
        if (why->code != ONEVOL_ERROR_NOT_FOUND && !no_node) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
        /* the host may be down: only what LINSTOR knows of its name counts */
        if (attempt > 0 || failure == LINSTOR_FAIL_NO_RSC_DFN ||
            !linstor_node_search(store, host, false, &right, NULL) || !right ||
            !g_ascii_strcasecmp(right, *node))
            return true;
    }
    return true;
}

/* The kernel closes a device a moment after the process that had it ended. */
static bool
wait_until_closed(LinstorStore *store, const char *name, const char *node, LinstorResource **found,
                  GError **error)
{
    LinstorPause pause = linstor_pause_for(linstor_patience_ms(store->client));

    while (*found && (*found)->in_use == LINSTOR_YES && linstor_pause(&pause, NULL)) {
        g_autoptr(GError) why = NULL;
        linstor_resource_free(*found);
        *found = linstor_resource(store->client, name, node, &why);
        if (!*found && why->code != ONEVOL_ERROR_NOT_FOUND) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
    }
    return true;
}

/* How many nodes but this one have it open, or attached without a replica. */
static bool
count_others(LinstorStore *store, const char *name, const char *node, guint *others, GError **error)
{
    g_autoptr(GPtrArray) found = linstor_resources(store->client, name, error);

    *others = 0;
    for (guint i = 0; found && i < found->len; i++) {
        const LinstorResource *one = g_ptr_array_index(found, i);
        if (g_ascii_strcasecmp(one->node, node) && one->in_use == LINSTOR_YES)
            (*others)++;
    }
    return found != NULL;
}

/* A shareable image keeps two writers as long as another host has it open. */
static bool
forbid_two_primaries(LinstorStore *store, const char *name, const char *node, AttachMode mode,
                     GError **error)
{
    guint others = 0;

    if (mode == ATTACH_SHARED && !count_others(store, name, node, &others, error))
        return false;
    return others > 0 || allow_two_primaries(store, name, false, error);
}

static bool
detach_claimed(Volume *volume, Host *host, AttachMode mode, bool last, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);
    g_autoptr(LinstorResource) found = NULL;
    const char *node;

    if (!store || !find_attached(store, volume->name, host, &node, &found, error))
        return false;
    bool gone = !found && linstor_failure(store->client) == LINSTOR_FAIL_NO_RSC_DFN;
    if (gone || !wait_until_closed(store, volume->name, node, &found, error))
        return gone;
    if (found && found->in_use == LINSTOR_YES) {
        log_warn("'%s' is still open on node '%s': it stays attached there", volume->name, node);
        return true;
    }
    if ((mode == ATTACH_DUAL || mode == ATTACH_SHARED) &&
        linstor_known(store, volume->name)->drbd != LINSTOR_NO &&
        !forbid_two_primaries(store, volume->name, node, mode, error))
        return false;
    if (!last || !found || !found->diskless || found->tie_breaker || found->deleting)
        return true;
    return linstor_resource_delete(store->client, volume->name, node, NULL, error);
}

bool
linstor_detach(Volume *volume, Host *host, AttachMode mode, GError **error)
{
    bool last;

    if (!give_up_claim(volume, volume->name, host, &last, error))
        return false;
    bool done = detach_claimed(volume, host, mode, last, error);
    return unclaim(volume, volume->name, host, done ? error : NULL) && done;
}

/* Content */

typedef struct Opening {
    const char *node;
    LinstorResource *here;
    bool zeros;   /* all replicas read as zeros where nothing was written */
    guint64 size; /* of the device, which may be larger than the volume */
    guint replicas;
    LinstorTruth drbd;
} Opening;

static void
see_replica(Opening *opening, const LinstorResource *resource)
{
    if (!resource->diskless) {
        opening->replicas++;
        opening->drbd = resource->drbd ? LINSTOR_YES : LINSTOR_NO;
        opening->size = MAX(opening->size, resource->device_size);
        /* what LUKS decrypts is noise */
        opening->zeros &= !resource->encrypted && linstor_provider_reads_zeros(resource->provider);
    }
    if (!opening->here && !g_ascii_strcasecmp(resource->node, opening->node)) {
        opening->here = g_new0(LinstorResource, 1);
        opening->here->diskless = resource->diskless;
        opening->here->tie_breaker = resource->tie_breaker;
        opening->here->deleting = resource->deleting;
        opening->here->inactive = resource->inactive;
    }
}

static void
see_replicas(LinstorKnown *known, GPtrArray *replicas, Opening *opening)
{
    for (guint i = 0; i < replicas->len; i++)
        see_replica(opening, g_ptr_array_index(replicas, i));
    opening->zeros &= opening->replicas > 0;
    if (known->drbd == LINSTOR_UNKNOWN)
        known->drbd = opening->drbd;
}

/* One call, unless the choice of this host has made it; of a blank volume it also tells what is
 * read where nothing was written. */
static bool
look_before_opening(LinstorStore *store, const char *name, Opening *opening, bool blank,
                    GError **error)
{
    LinstorKnown *known = linstor_known(store, name);
    g_autoptr(GPtrArray) replicas = g_steal_pointer(&known->replicas);
    g_autoptr(GError) why = NULL;

    opening->zeros = blank;
    if (!replicas && blank && !(replicas = linstor_replicas(store, name, error)))
        return false;
    if (replicas) {
        see_replicas(known, replicas, opening);
        return true;
    }
    opening->here = linstor_resource(store->client, name, opening->node, &why);
    int failure = linstor_failure(store->client);
    if (opening->here || why->code == ONEVOL_ERROR_NOT_FOUND ||
        failure == LINSTOR_FAIL_INVALID_NODE)
        return true;
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
}

static bool
is_usable_here(const LinstorResource *here)
{
    return here && !here->deleting && !here->inactive && !here->tie_breaker;
}

/* Copies do not follow links, which what is below /dev/drbd/by-res is. */
static bool
resolve(Host *host, char **path, GError **error)
{
    char *real = step_is_dry_run() ? g_strdup(*path) : host_resolve(host, *path, error);

    g_free(*path);
    *path = real;
    return real != NULL;
}

static bool
read_zeros(G_GNUC_UNUSED gpointer data, void *bytes, size_t length, size_t *got,
           G_GNUC_UNUSED GError **error)
{
    guint64 *left = data;

    *got = (size_t)MIN(length, *left);
    memset(bytes, 0, *got);
    *left -= *got;
    return true;
}

/* Nobody shall see what an earlier volume has left on a thick pool. */
static bool
write_zeros(Host *host, const char *path, guint64 size, GError **error)
{
    guint64 left = size, written;
    const ByteSource zeros = {.read = read_zeros, .data = &left, .size = size, .limit = size};
    const MoveOptions options = {.dirty = true};

    log_info("'%s' is filled with zeros, since its pool may show old data", path);
    return host_fill(host, path, &zeros, &options, &written, NULL, error);
}

bool
linstor_open_named(Volume *volume, const char *name, Endpoint *endpoint, GError **error)
{
    LinstorStore *store = linstor_store(volume->datastore, error);

    if (!store || !volume_use_worker(volume, error))
        return false;
    LinstorKnown *known = linstor_known(store, name);
    Opening opening = {.node = linstor_node_of(store, volume->host)};
    if (!claim(volume, name, volume->host, error))
        return false;
    if (!step_is_dry_run() && !look_before_opening(store, name, &opening, known->blank, error))
        return false;
    bool here = is_usable_here(opening.here);
    /* of an image: maybe what an action that was killed has left */
    bool stays = here && (!opening.here->diskless || volume->kind != VOLUME_IMAGE);
    bool done =
        here && known->drbd != LINSTOR_NO
            ? wait_for_device(store, name, opening.node, volume->host, &endpoint->path, error)
            : attach_named(store, name, volume->host, ATTACH_WRITE, &endpoint->path, error);
    g_clear_pointer(&opening.here, linstor_resource_free);
    if (!done || !resolve(volume->host, &endpoint->path, error))
        return false;
    endpoint->host = volume->host;
    endpoint->block = true;
    endpoint->size = known->size;
    endpoint->opened = stays || known->drbd == LINSTOR_NO ? NULL : GINT_TO_POINTER(1);
    if (known->blank && !opening.zeros && !step_is_dry_run() &&
        !write_zeros(endpoint->host, endpoint->path, MAX(known->size, opening.size), error)) {
        (void)linstor_close_named(volume, name, endpoint, NULL);
        return false;
    }
    endpoint->zeroed = known->blank;
    known->blank = false; /* whoever opened it may write */
    return true;
}

bool
linstor_open(Volume *volume, Endpoint *endpoint, GError **error)
{
    return linstor_store_of(volume, error) &&
           linstor_open_named(volume, volume->name, endpoint, error);
}

/* An image that a VM got on this host meanwhile, or had there before. */
static bool
is_linked(const Volume *volume, const char *name, Host *host, bool *linked, GError **error)
{
    const OneDatastore *facts =
        volume->kind == VOLUME_IMAGE ? datastore_facts(volume->datastore, error) : NULL;

    *linked = false;
    if (!facts || !facts->base_path)
        return facts || volume->kind != VOLUME_IMAGE;
    g_autofree char *datastores = g_path_get_dirname(facts->base_path);
    g_autofree char *device = linstor_device_path(name);
    g_autofree char *link = host_find_link(host, datastores, device, "", error);
    *linked = link && *link;
    return link != NULL;
}

bool
linstor_close_named(Volume *volume, const char *name, Endpoint *endpoint, GError **error)
{
    Host *host = endpoint->host;
    bool opened = endpoint->opened, linked, last;

    endpoint_clear(endpoint);
    endpoint->opened = NULL;
    if (!opened)
        return unclaim(volume, name, host, error);
    g_autoptr(Volume) it =
        volume_new(volume->datastore, volume->kind, host, name, volume->owner, NULL);
    if (!give_up_claim(volume, name, host, &last, error))
        return false;
    bool done = !last || (is_linked(volume, name, host, &linked, error) &&
                          (linked || detach_claimed(it, host, ATTACH_WRITE, true, error)));
    return unclaim(volume, name, host, done ? error : NULL) && done;
}

bool
linstor_close(Volume *volume, Endpoint *endpoint, GError **error)
{
    return linstor_close_named(volume, volume->name, endpoint, error);
}
