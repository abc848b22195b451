// SPDX-License-Identifier: Apache-2.0
#include "backends/lvm/snapshots.h"

#include "base/error.h"
#include "base/log.h"
#include "base/path.h"

#include <string.h>

/* 10 MB/s at least, and a week at most */
#define ZERO_MS(bytes) ((unsigned)MIN(600000 + (bytes) / 10000, (guint64)7 * 86400000))
#define FREEZE_MS SECONDS(6)
#define MERGE_US (G_GINT64_CONSTANT(4 * 3600) * G_USEC_PER_SEC)
#define MERGE_LOOK_US 500000
#define MERGE_LOOK_MAX_US (5 * G_USEC_PER_SEC)
#define MERGE_END_US (G_GINT64_CONSTANT(60) * G_USEC_PER_SEC)

static char *
snapshot_name(const Volume *volume, gint64 id)
{
    return g_strdup_printf("%s.snap.%" G_GINT64_FORMAT, volume->name, id);
}

static char *
companion(const char *name, const char *suffix)
{
    return g_strconcat(name, suffix, NULL);
}

/* NAME.snap.ID, by a full parse. */
static bool
is_snapshot_of(const char *name, const char *origin, gint64 *id)
{
    size_t length = strlen(origin);
    guint64 number;

    if (strncmp(name, origin, length) != 0 || !g_str_has_prefix(name + length, ".snap.") ||
        !parse_number(name + length + strlen(".snap."), G_MAXINT32, &number))
        return false;
    *id = (gint64)number;
    return true;
}

guint
found_snapshots(const Found *found)
{
    guint count = 0;
    gint64 id;

    for (guint i = 0; found->lv && i < found->report.volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(found->report.volumes, i);
        count += is_snapshot_of(lv->name, found->lv->name, &id);
    }
    return count;
}

/* Any that LVM knows: also one for a copy of a running VM, or an admin's own. */
bool
found_has_snapshots(const Found *found)
{
    for (guint i = 0; found->lv && i < found->report.volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(found->report.volumes, i);
        if (!strcmp(lv->origin, found->lv->name))
            return true;
    }
    return found->lv && *found->lv->attributes == 'o';
}

bool
lvm_zero_new(const Group *group, Host *host, const char *name, guint64 bytes, GError **error)
{
    g_autofree char *device = lvm_device(group, name);
    g_autoptr(Argv) argv = lvm_zero(device, 0);

    return host_run(host, STEP_WRITE, device, argv, ZERO_MS(bytes), NULL, error);
}

bool
lvm_zero_rest(const Found *found, Host *host, guint64 from, GError **error)
{
    g_autofree char *device = lvm_device(&found->group, found->lv->name);
    guint64 offset = (from + 511) / 512 * 512;

    if (offset >= found->lv->size)
        return true;
    g_autoptr(Argv) argv = lvm_zero(device, offset);
    return host_run(host, STEP_WRITE, device, argv, ZERO_MS(found->lv->size - offset), NULL, error);
}

bool
lvm_fit_pool(const Found *found, Host *host, guint64 bytes, guint snapshots, GError **error)
{
    const Lv *pool = lvm_report_find(&found->report, found->lv->pool);
    guint64 wanted = bytes / 100 * found->group.pool_percent * (1 + snapshots);

    if (!pool)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s/%s' lies in the pool '%s', which is not its own", found->group.name,
                         found->lv->name, found->lv->pool);
    if (pool->size >= wanted)
        return true;
    g_autoptr(Argv) argv = lvm_extend(found->group.name, pool->name, wanted, false);
    return lvm_do(&found->group, host, found->lv->name, argv, error);
}

static bool
set_tag(const Found *found, Host *host, const char *without, const char *with, GError **error)
{
    g_autoptr(GPtrArray) old = g_ptr_array_new();
    g_autoptr(GPtrArray) new = g_ptr_array_new();

    if (without)
        g_ptr_array_add(old, (gpointer)without);
    if (with)
        g_ptr_array_add(new, (gpointer)with);
    return found_retag(found, host, old, new, error);
}

/* The tags of what belongs to the volume. */
static char *
instance_tag(const Found *found)
{
    return lvm_tag("instance", found->group.instance);
}

static bool
make_snapshot(const Found *found, Host *host, const char *origin, const char *name, GError **error)
{
    g_autofree char *instance = instance_tag(found);
    const char *const tags[] = {instance, NULL};
    unsigned percent = lv_is_thin(found->lv) ? 0 : found->group.snapshot_percent;
    g_autoptr(Argv) argv = lvm_snapshot(found->group.name, origin, name, percent, tags);

    return lvm_change(&found->group, host, found->lv->name, argv, error);
}

static bool
remove_volume(const Found *found, Host *host, const char *name, GError **error)
{
    const char *const names[] = {name, NULL};
    g_autoptr(Argv) argv = lvm_remove(found->group.name, names);

    return lvm_do(&found->group, host, found->lv->name, argv, error);
}

static bool
remove_if_there(Found *found, Host *host, const char *name, GError **error)
{
    return !lvm_report_find(&found->report, name) || remove_volume(found, host, name, error);
}

/* A guest stands still meanwhile; the lock is taken before, so that it stands still briefly. */
static bool
make_at_one_instant(Volume *volume, const Found *found, Host *host, const char *name,
                    GError **error)
{
    const Freeze *freeze = volume->freeze;

    if (!freeze)
        return make_snapshot(found, host, found->lv->name, name, error);
    if (freeze->host != host)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the VM runs on '%s', but its volume is active on '%s'",
                         host_name(freeze->host), host_name(host));
    bool done =
        host_freeze(host, freeze->uri, freeze->domain, freeze->may_suspend, FREEZE_MS, NULL, error);
    if (!done)
        return false;
    done = make_snapshot(found, host, found->lv->name, name, error);
    bool thawed = host_thaw(host, done ? error : NULL);
    if (done && !thawed) {
        const char *const names[] = {name, NULL};
        g_autoptr(Argv) argv = lvm_remove(found->group.name, names);
        lvm_change(&found->group, host, volume->name, argv, NULL);
    }
    return done && thawed;
}

/* What it sees is what this host writes: no other may have the volume active. */
static bool
snapshot_on_host(Volume *volume, Found *found, const char *name, Host **host, GError **error)
{
    g_autoptr(GPtrArray) writers = lv_tags(found->lv, "at");

    if (writers->len > 1)
        return set_error(error, ONEVOL_ERROR_BUSY, "%s is active on %u hosts", volume->owner,
                         writers->len);
    *host = found_host(found, volume->freeze ? volume->freeze->host : volume->host, error);
    if (!*host || !found_take(volume, found, *host, ATTACH_WRITE, error))
        return false;
    if (lv_is_thin(found->lv) &&
        !lvm_fit_pool(found, *host, lv_virtual_size(found->lv, found->report.extent),
                      found_snapshots(found) + 1, error))
        return false;
    if (!remove_if_there(found, *host, name, error) || !group_lock(&found->group, error))
        return false;
    bool done = make_at_one_instant(volume, found, *host, name, error);
    group_unlock(&found->group);
    return done;
}

bool
lvm_instant(Volume *volume, Found *found, char **name, GError **error)
{
    Host *host;
    g_autofree char *live = companion(volume->name, ".live");

    if (!snapshot_on_host(volume, found, live, &host, error))
        return false;
    if (lv_is_thin(found->lv) &&
        !lvm_switch_on(&found->group, host, live, found->group.shared ? LVM_EXCLUSIVE : LVM_ON,
                       error))
        return false;
    *name = g_steal_pointer(&live);
    return true;
}

bool
lvm_drop(Volume *volume, const char *name, GError **error)
{
    g_auto(Found) found = {0};

    if (!found_lock(volume, &found, error) || !found_require(volume, &found, error))
        return false;
    Host *host = found_host(&found, volume->host, error);
    return host && remove_if_there(&found, host, name, error);
}

/* What every action on snapshots begins with. */
static bool
begin(Volume *volume, Found *found, Host **host, GError **error)
{
    if (!volume_use_worker(volume, error) || !found_lock(volume, found, error) ||
        !found_require(volume, found, error) || !found_check_instance(volume, found, error) ||
        !found_settle(volume, found, error))
        return false;
    *host = found_host(found, volume->host, error);
    return *host != NULL;
}

bool
lvm_snapshot_create(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *name = snapshot_name(volume, id);
    g_auto(Found) found = {0};
    Host *host;
    bool idle;

    return begin(volume, &found, &host, error) && found_is_idle(&found, host, &idle, error) &&
           snapshot_on_host(volume, &found, name, &host, error) &&
           (!idle || found_give_back(volume, &found, host, error));
}

bool
lvm_snapshot_remove(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *name = snapshot_name(volume, id);
    g_auto(Found) found = {0};
    Host *host;

    return begin(volume, &found, &host, error) && remove_if_there(&found, host, name, error);
}

static bool
require_snapshot(const Volume *volume, const Found *found, const char *name, gint64 id,
                 GError **error)
{
    if (lvm_report_find(&found->report, name))
        return true;
    return set_error(error, ONEVOL_ERROR_NOT_FOUND,
                     "%s has no snapshot %" G_GINT64_FORMAT ": no '%s/%s'", volume->owner, id,
                     found->group.name, name);
}

/* LVM looks for itself only where it is active, and what could not be merged would stay so. */
static bool
check_not_full(Volume *volume, Found *found, Host *host, const char *name, bool idle,
               GError **error)
{
    g_auto(LvmReport) now = {0};

    if (!found_take(volume, found, host, ATTACH_WRITE, error) ||
        !lvm_ask_there(&found->group, host, volume->name, &now, error))
        return false;
    const Lv *lv = lvm_report_find(&now, name);
    if (!lv || !lv_has_failed(lv))
        return true;
    set_error(error, ONEVOL_ERROR_REFUSED,
              "the snapshot '%s/%s' ran full and is lost: more changed since than "
              "SNAPSHOT_PERCENT has room for",
              found->group.name, name);
    if (idle)
        (void)found_give_back(volume, found, host, NULL);
    return false;
}

/* Before anything changes. `idle`: nobody has the volume, and it is given back after. */
static bool
require_usable(Volume *volume, Found *found, Host *host, const char *name, gint64 id, bool *idle,
               GError **error)
{
    *idle = false;
    if (!require_snapshot(volume, found, name, id, error))
        return false;
    return lv_is_thin(found->lv) || (found_is_idle(found, host, idle, error) &&
                                     check_not_full(volume, found, host, name, *idle, error));
}

/* The volume is inactive: merged it is while it is active again. */
static bool
begin_merge(const Found *found, Host *host, const char *snapshot, GError **error)
{
    g_autoptr(Argv) argv = lvm_merge(found->group.name, snapshot);

    return lvm_do(&found->group, group_worker(&found->group, host), found->lv->name, argv, error);
}

static bool
check_merge(const Lv *lv, Host *host, gint64 deadline, GError **error)
{
    if (lv_has_failed(lv))
        return set_error(error, ONEVOL_ERROR_FAILED,
                         "host '%s' cannot revert '%s', its kernel's log says why", host_name(host),
                         lv->name);
    if (lv->data_percent < 0)
        return set_error(error, ONEVOL_ERROR_BUSY,
                         "'%s' is not active on host '%s' any more, its revert goes on when it is",
                         lv->name, host_name(host));
    return g_get_monotonic_time() < deadline ||
           set_error(error, ONEVOL_ERROR_TIMEOUT, "'%s' is still being reverted on host '%s'",
                     lv->name, host_name(host));
}

/* The kernel copies: that may take long, and nobody else needs to wait. */
static bool
await_merge(const Found *found, Host *host, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + MERGE_US;
    gulong pause = MERGE_LOOK_US;

    for (;; pause = MIN(2 * pause, MERGE_LOOK_MAX_US)) {
        g_auto(LvmReport) now = {0};
        g_usleep(pause);
        if (!lvm_ask_there(&found->group, host, found->lv->name, &now, error))
            return false;
        const Lv *lv = lvm_report_find(&now, found->lv->name);
        if (!lv || !lv_is_merging(lv) || lv->data_percent == 0)
            return true;
        if (!check_merge(lv, host, deadline, error))
            return false;
    }
}

/* LVM forgets the snapshot then: it is told to under the lock, and does it in the background. */
static bool
end_merge(Volume *volume, Found *found, Host *host, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + MERGE_END_US;

    if (!found_relock(volume, found, error) || !found_require(volume, found, error))
        return false;
    if (!lv_is_merging(found->lv))
        return true;
    g_autoptr(Argv) argv = lvm_end_merge(found->group.name, found->lv->name);
    if (!lvm_change(&found->group, host, found->lv->name, argv, error))
        return false;
    while (!step_is_dry_run()) {
        if (!found_again(volume, found, error) || !found_require(volume, found, error))
            return false;
        if (!lv_is_merging(found->lv))
            return true;
        if (g_get_monotonic_time() > deadline)
            return set_error(error, ONEVOL_ERROR_BUSY, "%s is still being reverted", volume->owner);
        g_usleep(MERGE_LOOK_US);
    }
    return true;
}

/* Locked before and after, not while the kernel merges. */
static bool
merge_here(Volume *volume, Found *found, Host *host, GError **error)
{
    if (!found_take(volume, found, host, ATTACH_WRITE, error))
        return false;
    found_unlock(found);
    return await_merge(found, host, error) && end_merge(volume, found, host, error);
}

/* It is there if the merge had not begun, or another run has made it again. */
static bool
remake(const Found *found, Host *host, const char *name, const char *tag, GError **error)
{
    if (!group_lock(&found->group, error))
        return false;
    bool done = lvm_report_find(&found->report, name) ||
                make_snapshot(found, host, found->lv->name, name, error);
    group_unlock(&found->group);
    return done && set_tag(found, host, tag, NULL, error);
}

static bool
revert_thick(Volume *volume, Found *found, Host *host, const char *name, gint64 id, bool keep,
             GError **error)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, id);
    g_autofree char *tag = lvm_tag("remake", text);

    if (!found_switch_off(found, host, error) ||
        (keep && !set_tag(found, host, NULL, tag, error)) ||
        !begin_merge(found, host, name, error) || !merge_here(volume, found, host, error))
        return false;
    return !keep || remake(found, host, name, tag, error);
}

/* The tags of the volume stay its own: the snapshot that takes its place gets them. */
static bool
make_substitute(const Found *found, Host *host, const char *snapshot, const char *name,
                GError **error)
{
    g_autoptr(Argv) argv =
        lvm_snapshot(found->group.name, snapshot, name, 0, (const char *const *)found->lv->tags);

    return lvm_do(&found->group, host, found->lv->name, argv, error);
}

/* Two changes, and found_again() ends what is cut between them. If the first fails, nothing is
 * left. */
static bool
swap(const Found *found, Host *host, const char *new, const char *old, GError **error)
{
    const Group *group = &found->group;
    g_autoptr(Argv) aside = lvm_rename(group->name, found->lv->name, old);
    g_autoptr(Argv) in = lvm_rename(group->name, new, found->lv->name);

    if (!group_lock(group, error))
        return false;
    bool begun = lvm_change(group, host, found->lv->name, aside, error);
    bool done = begun && lvm_change(group, host, found->lv->name, in, error);
    if (!begun)
        (void)remove_volume(found, host, new, NULL);
    group_unlock(group);
    return done;
}

/* LVM's own merge of thin volumes would take the origin from the other snapshots, which could not
 * be merged any more. */
static bool
revert_thin(Found *found, Host *host, const char *name, GError **error)
{
    g_autofree char *new = companion(found->lv->name, ".revert");
    g_autofree char *old = companion(found->lv->name, ".old");
    bool active;

    if (!lvm_is_active(&found->group, host, found->lv->name, &active, error) ||
        !found_switch_off(found, host, error))
        return false;
    bool done = make_substitute(found, host, name, new, error) &&
                swap(found, host, new, old, error) && remove_volume(found, host, old, error);
    if (!active)
        return done;
    return lvm_switch_on(&found->group, host, found->lv->name,
                         found->group.shared ? LVM_EXCLUSIVE : LVM_ON, done ? error : NULL) &&
           done;
}

bool
lvm_snapshot_revert(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *name = snapshot_name(volume, id);
    g_auto(Found) found = {0};
    Host *host;
    bool idle;

    if (!begin(volume, &found, &host, error) ||
        !require_usable(volume, &found, host, name, id, &idle, error))
        return false;
    if (lv_is_thin(found.lv))
        return revert_thin(&found, host, name, error);
    return revert_thick(volume, &found, host, name, id, true, error) &&
           (!idle || found_give_back(volume, &found, host, error));
}

/* The others first: while the one is there, a second run goes on with it. */
static bool
remove_others(Found *found, Host *host, const char *keep, GError **error)
{
    gint64 id;

    for (guint i = 0; i < found->report.volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(found->report.volumes, i);
        if (is_snapshot_of(lv->name, found->lv->name, &id) && strcmp(lv->name, keep) != 0 &&
            !remove_volume(found, host, lv->name, error))
            return false;
    }
    return true;
}

bool
lvm_snapshot_flatten(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *name = snapshot_name(volume, id);
    g_auto(Found) found = {0};
    Host *host;
    bool idle;

    if (!begin(volume, &found, &host, error))
        return false;
    if (found_snapshots(&found) == 0)
        return true;
    if (!require_usable(volume, &found, host, name, id, &idle, error) ||
        !remove_others(&found, host, name, error) || !found_again(volume, &found, error) ||
        !found_require(volume, &found, error))
        return false;
    if (!lv_is_thin(found.lv))
        return revert_thick(volume, &found, host, name, id, false, error) &&
               (!idle || found_give_back(volume, &found, host, error));
    return revert_thin(&found, host, name, error) && remove_volume(&found, host, name, error);
}

bool
lvm_snapshot_open(Volume *volume, gint64 id, Endpoint *endpoint, GError **error)
{
    g_autofree char *name = snapshot_name(volume, id);
    g_auto(Found) found = {0};
    Host *host;

    if (!begin(volume, &found, &host, error) ||
        !require_snapshot(volume, &found, name, id, error) ||
        !found_take(volume, &found, host, ATTACH_READ_ONLY, error))
        return false;
    if (lv_is_thin(found.lv) && !lvm_switch_on(&found.group, host, name,
                                               found.group.shared ? LVM_EXCLUSIVE : LVM_ON, error))
        return false;
    endpoint->host = host;
    endpoint->path = lvm_device(&found.group, name);
    endpoint->block = true;
    endpoint->size = lv_virtual_size(found.lv, found.report.extent);
    return true;
}

/* A snapshot of a thin volume would keep its pool active; of a thick one it goes with the volume.
 */
bool
lvm_snapshot_close(Volume *volume, gint64 id, Endpoint *endpoint, GError **error)
{
    g_autofree char *name = snapshot_name(volume, id);
    g_auto(Found) found = {0};
    bool done = found_of(volume, &found, error);

    if (done && found.lv && lv_is_thin(found.lv)) {
        g_autoptr(Argv) argv = lvm_activate(found.group.name, name, LVM_OFF);
        done =
            host_run(endpoint->host, STEP_WRITE, endpoint->path, argv, SECONDS(120), NULL, error);
    }
    endpoint_clear(endpoint);
    return done;
}

/* Its end was not zeroed yet. */
static bool
end_growth(Volume *volume, Found *found, Host *host, GError **error)
{
    g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) here = g_ptr_array_new_with_free_func(g_free);

    if (!found_take(volume, found, host, ATTACH_WRITE, error))
        return false;
    guint64 size = lv_virtual_size(found->lv, found->report.extent);
    found_unlock(found); /* it may take long */
    g_autoptr(Argv) refresh = lvm_refresh(found->group.name, found->lv->name);
    if (!lvm_change(&found->group, host, found->lv->name, refresh, error) ||
        !lvm_zero_rest(found, host, size, error))
        return false;
    g_ptr_array_add(gone, lvm_tag("growing", "1"));
    if (size != found->lv->size) {
        g_autofree char *old = g_strdup_printf("%" G_GUINT64_FORMAT, size);
        g_autofree char *new = g_strdup_printf("%" G_GUINT64_FORMAT, found->lv->size);
        g_ptr_array_add(gone, lvm_tag("size", old));
        g_ptr_array_add(here, lvm_tag("size", new));
    }
    return found_retag(found, host, gone, here, error);
}

static bool
end_remake(const Found *found, Host *host, const char *id, GError **error)
{
    g_autofree char *tag = lvm_tag("remake", id);
    g_autofree char *name = g_strdup_printf("%s.snap.%s", found->lv->name, id);

    return remake(found, host, name, tag, error);
}

/* NAME.live of a copy, NAME.revert and NAME.old of a thin revert. */
static const char *const leftovers[] = {".live", ".revert", ".old"};

static bool
has_leftovers(const Found *found)
{
    for (guint i = 0; i < G_N_ELEMENTS(leftovers); i++) {
        g_autofree char *name = companion(found->lv->name, leftovers[i]);
        if (lvm_report_find(&found->report, name))
            return true;
    }
    return false;
}

/* What a copy at work reads stays. */
static bool
remove_unless_open(Found *found, Host *host, const char *name, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (remove_if_there(found, host, name, &local))
        return true;
    if (!strstr(local->message, " in use")) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    log_info("a copy is being made: %s", local->message);
    return true;
}

bool
found_drop_leftovers(Volume *volume, Found *found, Host *host, GError **error)
{
    if (!has_leftovers(found))
        return true;
    host = found_host(found, host, error);
    for (guint i = 0; host && i < G_N_ELEMENTS(leftovers); i++) {
        g_autofree char *name = companion(found->lv->name, leftovers[i]);
        if (!remove_unless_open(found, host, name, error))
            return false;
    }
    return host && found_again(volume, found, error) && found_require(volume, found, error);
}

static bool
is_unsettled(const Found *found)
{
    return lv_is_merging(found->lv) || lv_tag(found->lv, "growing") ||
           lv_tag(found->lv, "remake") || has_leftovers(found);
}

/* By what is so under the lock: another run may have ended it meanwhile. */
static bool
settle(Volume *volume, Found *found, GError **error)
{
    if (!found_relock(volume, found, error) || !found_require(volume, found, error) ||
        !found_meet(volume, found, NULL, error) || !found_require(volume, found, error))
        return false;
    Host *host = found_host(found, volume->host, error);
    if (!host || !found_drop_leftovers(volume, found, host, error))
        return false;
    if (lv_is_merging(found->lv) || lv_tag(found->lv, "growing") || lv_tag(found->lv, "remake"))
        log_info("ending what another run began with %s", volume->owner);
    if (lv_is_merging(found->lv) && !merge_here(volume, found, host, error))
        return false;
    if (lv_tag(found->lv, "growing") && !end_growth(volume, found, host, error))
        return false;
    const char *id = lv_tag(found->lv, "remake");
    return !id || end_remake(found, host, id, error);
}

bool
found_settle(Volume *volume, Found *found, GError **error)
{
    bool locked = found->locked;

    if (!is_unsettled(found))
        return true;
    bool done = settle(volume, found, error);
    if (!locked)
        found_unlock(found);
    return done &&
           (locked ? found_relock(volume, found, error) : found_again(volume, found, error)) &&
           found_require(volume, found, error);
}
