// SPDX-License-Identifier: Apache-2.0
#include "backends/lvm/activate.h"

#include "backends/lvm/cow.h"
#include "backends/lvm/media.h"
#include "backends/lvm/snapshots.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>

#define SWITCH_MS SECONDS(120)
#define NODE_US (10 * G_USEC_PER_SEC)
#define LOOK_US 20000

static bool
begin(Volume *volume, Found *found, GError **error)
{
    *found = (Found){0};
    if (!group_of(volume->datastore, &found->group, error))
        return false;
    return lvm_name_is_valid(volume->name) ||
           set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is no name of a logical volume",
                     volume->name);
}

bool
found_of(Volume *volume, Found *found, GError **error)
{
    return begin(volume, found, error) && found_again(volume, found, error);
}

bool
found_relock(Volume *volume, Found *found, GError **error)
{
    g_autoptr(GError) unlocked = NULL;
    g_autoptr(GError) local = NULL;

    if (!found->locked && !(found->locked = group_lock(&found->group, &unlocked)) &&
        !g_error_matches(unlocked, ONEVOL_ERROR, ONEVOL_ERROR_UNREACHABLE)) {
        g_propagate_error(error, g_steal_pointer(&unlocked));
        return false;
    }
    /* the answer says whether it can be done without: under lvmlockd */
    if (found_again(volume, found, &local))
        return true;
    g_propagate_error(error, unlocked ? g_steal_pointer(&unlocked) : g_steal_pointer(&local));
    return false;
}

void
found_unlock(Found *found)
{
    if (found->locked)
        group_unlock(&found->group);
    found->locked = false;
}

/* What is wrong is said by who needs it. */
static void
meet(Host *host)
{
    g_auto(FileInfo) info = {0};

    if (!host_is_met(host))
        (void)host_stat(host, "/dev", true, &info, NULL);
}

bool
found_lock(Volume *volume, Found *found, GError **error)
{
    meet(volume->host);
    return begin(volume, found, error) && found_relock(volume, found, error);
}

/* Hosts that have it, and that nothing was asked of yet. */
static GPtrArray *
strangers(const Found *found, const Host *but)
{
    static const char *const keys[] = {"at", "on"};
    GPtrArray *hosts = g_ptr_array_new();

    for (guint i = 0; found->lv && i < G_N_ELEMENTS(keys); i++) {
        g_autoptr(GPtrArray) names = lv_tags(found->lv, keys[i]);
        for (guint j = 0; j < names->len; j++) {
            Host *host = host_named(g_ptr_array_index(names, j), NULL);
            if (host && host != but && !host_is_met(host))
                g_ptr_array_add(hosts, host);
        }
    }
    return hosts;
}

bool
found_meet(Volume *volume, Found *found, const Host *but, GError **error)
{
    g_autoptr(GPtrArray) hosts = strangers(found, but);

    if (hosts->len == 0)
        return true;
    bool locked = found->locked;
    found_unlock(found);
    for (guint i = 0; i < hosts->len; i++)
        host_expect(g_ptr_array_index(hosts, i));
    for (guint i = 0; i < hosts->len; i++)
        meet(g_ptr_array_index(hosts, i));
    return locked ? found_relock(volume, found, error) : found_again(volume, found, error);
}

/* A revert of a thin volume was cut between its two renames. */
static bool
end_swap(Volume *volume, Found *found, GError **error)
{
    g_autofree char *old = g_strconcat(volume->name, ".old", NULL);
    g_autofree char *new = g_strconcat(volume->name, ".revert", NULL);
    const char *left = lvm_report_find(&found->report, new) ? new : old;

    if (found->lv || !lvm_report_find(&found->report, old))
        return true;
    log_info("ending the revert of %s that another run began", volume->owner);
    g_autoptr(Argv) argv = lvm_rename(found->group.name, left, volume->name);
    if (!lvm_do(&found->group, group_worker(&found->group, volume->host), volume->name, argv,
                error))
        return false;
    lvm_report_clear(&found->report);
    if (!lvm_ask(&found->group, volume->host, volume->name, &found->report, error))
        return false;
    found->lv = lvm_report_find(&found->report, volume->name);
    return true;
}

bool
found_again(Volume *volume, Found *found, GError **error)
{
    lvm_report_clear(&found->report);
    found->lv = NULL;
    if (!lvm_ask(&found->group, volume->host, volume->name, &found->report, error))
        return false;
    found->lv = lvm_report_find(&found->report, volume->name);
    return end_swap(volume, found, error);
}

void
found_clear(Found *found)
{
    found_unlock(found);
    group_clear(&found->group);
    lvm_report_clear(&found->report);
    found->lv = NULL;
}

bool
found_require(const Volume *volume, const Found *found, GError **error)
{
    if (!found->lv)
        return set_error(error, ONEVOL_ERROR_NOT_FOUND, "%s is not there: no '%s/%s'",
                         volume->owner, found->group.name, volume->name);
    if (lv_tag(found->lv, "token"))
        return set_error(error, ONEVOL_ERROR_NOT_FOUND, "%s is not there: '%s/%s' is not complete",
                         volume->owner, found->group.name, volume->name);
    return true;
}

bool
found_check_instance(const Volume *volume, const Found *found, GError **error)
{
    const char *instance = found->lv ? lv_tag(found->lv, "instance") : NULL;

    if (!instance || lv_has_tag(found->lv, "instance", found->group.instance))
        return true;
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "'%s/%s' is not %s but belongs to the OpenNebula '%s' (LVM_INSTANCE here is "
                     "'%s')",
                     found->group.name, volume->name, volume->owner, instance,
                     found->group.instance);
}

bool
found_is_single(const Found *found)
{
    return lv_is_thin(found->lv) || lv_is_cow(found->lv) || lv_is_merging(found->lv) ||
           found_has_snapshots(found);
}

Host *
found_host(const Found *found, Host *host, GError **error)
{
    const char *at = lv_tag(found->lv, "at");

    if (!at && found_is_single(found))
        at = lv_tag(found->lv, "on");
    return at ? host_named(at, error) : host;
}

bool
found_retag(const Found *found, Host *host, GPtrArray *without, GPtrArray *with, GError **error)
{
    if ((!without || without->len == 0) && (!with || with->len == 0))
        return true;
    if (without)
        g_ptr_array_add(without, NULL);
    if (with)
        g_ptr_array_add(with, NULL);
    g_autoptr(Argv) argv = lvm_retag(found->group.name, found->lv->name,
                                     without ? (const char *const *)without->pdata : NULL,
                                     with ? (const char *const *)with->pdata : NULL);
    return lvm_do(&found->group, group_worker(&found->group, host), found->lv->name, argv, error);
}

char *
lvm_device(const Group *group, const char *name)
{
    return g_strdup_printf("/dev/%s/%s", group->name, name);
}

bool
lvm_is_active(const Group *group, Host *host, const char *name, bool *active, GError **error)
{
    g_autofree char *device = lvm_device(group, name);
    g_auto(FileInfo) info = {0};

    if (!host_stat(host, device, true, &info, error))
        return false;
    *active = S_ISBLK(info.mode);
    return true;
}

/* The device that udev makes once the kernel has the volume. */
bool
lvm_wait(const Group *group, Host *host, const char *name, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + NODE_US;
    bool active;

    if (step_is_dry_run())
        return true;
    for (;;) {
        if (!lvm_is_active(group, host, name, &active, error))
            return false;
        if (active)
            return true;
        if (g_get_monotonic_time() > deadline)
            return set_error(error, ONEVOL_ERROR_TIMEOUT,
                             "host '%s' has no device '/dev/%s/%s' %d s after it was activated: is "
                             "udev running there?",
                             host_name(host), group->name, name, (int)(NODE_US / G_USEC_PER_SEC));
        g_usleep(LOOK_US);
    }
}

bool
lvm_switch_on(const Group *group, Host *host, const char *name, LvmActivation activation,
              GError **error)
{
    g_autoptr(Argv) argv = lvm_activate(group->name, name, activation);
    g_autofree char *object = lvm_device(group, name);
    g_autoptr(GError) local = NULL;

    if (host_run(host, STEP_WRITE, object, argv, SWITCH_MS, NULL, &local))
        return lvm_wait(group, host, name, error);
    if (strstr(local->message, "locked by other host") ||
        strstr(local->message, "incompatible mode"))
        local->code = ONEVOL_ERROR_BUSY;
    g_propagate_prefixed_error(error, g_steal_pointer(&local),
                               "cannot activate '%s/%s' on '%s': ", group->name, name,
                               host_name(host));
    return false;
}

/* A thin volume's pool is a device of its own, and so are its snapshots. */
static Argv *
switch_off_command(const Found *found)
{
    Argv *argv = lvm_activate(found->group.name, found->lv->name, LVM_OFF);

    if (!lv_is_thin(found->lv))
        return argv;
    for (guint i = 0; i < found->report.volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(found->report.volumes, i);
        if (lv != found->lv && !strcmp(lv->pool, found->lv->pool))
            argv_addf(argv, "%s/%s", found->group.name, lv->name);
    }
    argv_addf(argv, "%s/%s", found->group.name, found->lv->pool);
    return argv;
}

/* All of it or nothing: a thin volume whose snapshot is being read stays, too. */
static void
switch_on_again(const Found *found, Host *host)
{
    g_autoptr(GError) error = NULL;

    if (!lvm_switch_on(&found->group, host, found->lv->name,
                       found->group.shared ? LVM_EXCLUSIVE : LVM_ON, &error))
        log_warn("%s", error->message);
}

bool
found_switch_off(const Found *found, Host *host, GError **error)
{
    g_autoptr(Argv) argv = switch_off_command(found);
    g_autofree char *object = lvm_device(&found->group, found->lv->name);
    g_autoptr(GError) local = NULL;
    bool active;

    if (!lvm_is_active(&found->group, host, found->lv->name, &active, error) ||
        (active && lv_is_cow(found->lv) && !cow_check_alone(found, host, error)))
        return false;
    if ((!active && !lv_is_thin(found->lv)) ||
        host_run(host, STEP_WRITE, object, argv, SWITCH_MS, NULL, &local))
        return true;
    if (!strstr(local->message, " in use")) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    if (active && lv_is_thin(found->lv))
        switch_on_again(found, host);
    return set_error(error, ONEVOL_ERROR_BUSY, "'%s/%s' is in use on host '%s'", found->group.name,
                     found->lv->name, host_name(host));
}

/* A host that does not answer: it may still write. Only who fences such hosts may go on. */
static bool
pass_dead_host(const Group *group, const char *volume, const char *host, bool writer,
               GError **problem, GError **error)
{
    if (!g_error_matches(*problem, ONEVOL_ERROR, ONEVOL_ERROR_UNREACHABLE)) {
        g_propagate_error(error, g_steal_pointer(problem));
        return false;
    }
    if (writer && !group->fenced && !group->shared) {
        g_propagate_prefixed_error(error, g_steal_pointer(problem),
                                   "'%s/%s' is active on host '%s', which may still write to it; "
                                   "where such hosts are fenced say so by DEAD_HOST=FENCED: ",
                                   group->name, volume, host);
        return false;
    }
    log_warn("host '%s' does not answer, so '%s/%s' is taken from it: %s", host, group->name,
             volume, (*problem)->message);
    g_clear_error(problem);
    return true;
}

static bool
release_from(Found *found, const char *name, bool writer, GError **error)
{
    GError *problem = NULL;
    Host *host = host_named(name, error);

    if (!host)
        return false;
    if (found_switch_off(found, host, &problem))
        return true;
    found->passed |= writer;
    return pass_dead_host(&found->group, found->lv->name, name, writer, &problem, error);
}

bool
found_release(Found *found, Host *host, GPtrArray *gone, GError **error)
{
    static const char *const keys[] = {"at", "on"};
    bool single = found_is_single(found);

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autoptr(GPtrArray) names = lv_tags(found->lv, keys[i]);
        for (guint j = 0; j < names->len; j++) {
            const char *name = g_ptr_array_index(names, j);
            if (host && !strcmp(name, host_name(host)))
                continue;
            if (!release_from(found, name, i == 0 || single, error))
                return false;
            g_ptr_array_add(gone, lvm_tag(keys[i], name));
        }
    }
    return true;
}

static LvmActivation
activation_for(const Found *found, AttachMode mode)
{
    const Group *group = &found->group;

    if (!group->shared)
        return LVM_ON;
    if (found_is_single(found))
        return LVM_EXCLUSIVE;
    return mode == ATTACH_WRITE && !group->activate_shared ? LVM_EXCLUSIVE : LVM_SHARED;
}

bool
found_is_shared(const Found *found)
{
    return activation_for(found, ATTACH_WRITE) == LVM_SHARED;
}

static bool
is_tagged(const Lv *lv, const Host *host)
{
    return lv_has_tag(lv, "at", host_name(host)) || lv_has_tag(lv, "on", host_name(host));
}

/* A device that no tag of ours explains may be of before the volume was taken from a host that did
 * not answer. One that somebody has open stays: a VM that a predecessor started. */
static bool
switch_off_unknown(const Found *found, Host *host, bool *active, GError **error)
{
    g_autoptr(GError) local = NULL;

    *active = false;
    if (found_switch_off(found, host, &local))
        return true;
    if (!g_error_matches(local, ONEVOL_ERROR, ONEVOL_ERROR_BUSY) &&
        !(lv_is_cow(found->lv) && g_error_matches(local, ONEVOL_ERROR, ONEVOL_ERROR_UNSUPPORTED))) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    log_info("stays active: %s", local->message);
    *active = true;
    return true;
}

/* Under lvmlockd an exclusive lock proves that a host which does not answer has none any more, not
 * even a shared one. Before the tags forget that host. */
static bool
prove_gone(const Found *found, Host *host, GError **error)
{
    bool active;

    if (!found->passed || !found->group.shared)
        return true;
    if (!lvm_is_active(&found->group, host, found->lv->name, &active, error))
        return false;
    if (active && is_tagged(found->lv, host))
        return true; /* the other end of a live migration */
    return lvm_switch_on(&found->group, host, found->lv->name, LVM_EXCLUSIVE, error) &&
           found_switch_off(found, host, error);
}

static bool
switch_on_here(const Found *found, Host *host, AttachMode mode, GError **error)
{
    LvmActivation activation = activation_for(found, mode);
    bool active;

    if (!lvm_is_active(&found->group, host, found->lv->name, &active, error))
        return false;
    if (active && !is_tagged(found->lv, host) && !switch_off_unknown(found, host, &active, error))
        return false;
    if (active)
        return true;
    return lvm_switch_on(&found->group, host, found->lv->name, activation, error);
}

/* Noted first: what is active without a tag nobody would switch off. Who writes is no reader. */
static bool
note_and_switch_on(const Found *found, Host *host, AttachMode mode, GPtrArray *gone,
                   const char *key, GError **error)
{
    g_autoptr(GPtrArray) here = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) undone = g_ptr_array_new_with_free_func(g_free);
    bool writes = !strcmp(key, "at");
    bool known = writes ? lv_has_tag(found->lv, key, host_name(host)) : is_tagged(found->lv, host);

    if (writes && lv_has_tag(found->lv, "on", host_name(host)))
        g_ptr_array_add(gone, lvm_tag("on", host_name(host)));
    if (!known) {
        g_ptr_array_add(here, lvm_tag(key, host_name(host)));
        g_ptr_array_add(undone, lvm_tag(key, host_name(host)));
    }
    if (!prove_gone(found, host, error) || !found_retag(found, host, gone, here, error))
        return false;
    if (switch_on_here(found, host, mode, error))
        return true;
    (void)found_retag(found, host, undone, NULL, NULL);
    return false;
}

bool
found_take(Volume *volume, Found *found, Host *host, AttachMode mode, GError **error)
{
    g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);
    bool alone = mode == ATTACH_WRITE || found_is_single(found);

    if (alone && (!found_meet(volume, found, host, error) || !found_require(volume, found, error)))
        return false;
    if ((alone || found_is_single(found)) && !found_release(found, host, gone, error))
        return false;
    return note_and_switch_on(found, host, mode, gone, mode == ATTACH_READ_ONLY ? "on" : "at",
                              error);
}

bool
found_is_idle(const Found *found, Host *host, bool *idle, GError **error)
{
    bool active = false;

    *idle = !lv_tag(found->lv, "at") && !lv_tag(found->lv, "on");
    if (*idle && !lvm_is_active(&found->group, host, found->lv->name, &active, error))
        return false;
    *idle = *idle && !active;
    return true;
}

bool
found_give_back(Volume *volume, Found *found, Host *host, GError **error)
{
    g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(gone, lvm_tag("at", host_name(host)));
    return found_relock(volume, found, error) && found_require(volume, found, error) &&
           found_switch_off(found, host, error) && found_retag(found, host, gone, NULL, error);
}

/* What another OpenNebula has in this group, or is not complete, is not for us to switch on. */
static bool
belongs_to(const Found *found, const Host *host)
{
    const Lv *lv = found->lv;

    return is_tagged(lv, host) && !lv_tag(lv, "token") &&
           (!lv_tag(lv, "instance") || lv_has_tag(lv, "instance", found->group.instance));
}

void
lvm_reattach(Datastore *datastore, Host *host, CheckNote note, gpointer data)
{
    g_autoptr(GError) unlocked = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(Found) found = {0};

    if (!group_of(datastore, &found.group, &error) ||
        (!(found.locked = group_lock(&found.group, &unlocked)) &&
         !g_error_matches(unlocked, ONEVOL_ERROR, ONEVOL_ERROR_UNREACHABLE)) ||
        !lvm_ask(&found.group, host, NULL, &found.report, &error)) {
        note(data, "volume group", unlocked ? unlocked : error);
        return;
    }
    for (guint i = 0; i < found.report.volumes->len; i++) {
        g_autoptr(GError) local = NULL;
        bool active = false;
        found.lv = g_ptr_array_index(found.report.volumes, i);
        if (!belongs_to(&found, host))
            continue;
        /* who only reads it must not keep other readers out */
        AttachMode mode =
            lv_has_tag(found.lv, "at", host_name(host)) ? ATTACH_WRITE : ATTACH_READ_ONLY;
        if (lvm_is_active(&found.group, host, found.lv->name, &active, &local) && !active)
            (void)lvm_switch_on(&found.group, host, found.lv->name, activation_for(&found, mode),
                                &local);
        if (!active)
            note(data, found.lv->name, local);
    }
}

/* What two hosts cannot have is told before anything changes. */
static bool
check_dual(const Volume *volume, const Found *found, GError **error)
{
    if (found_is_single(found))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "%s %s, so it cannot be active on two hosts: migrate the VM while it is "
                         "powered off",
                         volume->owner,
                         lv_is_thin(found->lv)  ? "is thin"
                         : lv_is_cow(found->lv) ? "is a copy-on-write clone"
                                                : "has snapshots");
    if (found->group.shared && !found->group.activate_shared)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "%s is active exclusively under lvmlockd: a live migration needs "
                         "LVM_ACTIVATION=SHARED, with which the VM was started",
                         volume->owner);
    return true;
}

bool
lvm_attach(Volume *volume, Host *host, AttachMode mode, char **device, GError **error)
{
    g_auto(Found) found = {0};

    if (media_is(volume))
        return media_attach(volume, host, device, error);
    meet(host);
    if (!found_lock(volume, &found, error) || !found_require(volume, &found, error) ||
        !found_check_instance(volume, &found, error) || !found_settle(volume, &found, error) ||
        (mode == ATTACH_DUAL && !check_dual(volume, &found, error)) ||
        (lv_is_cow(found.lv) && !cow_take_origin(volume, &found, host, error)) ||
        !found_take(volume, &found, host, mode, error))
        return false;
    *device = lvm_device(&found.group, volume->name);
    return true;
}

/* Another VM has it open, or a COW clone of the same image goes off only with this one. */
static bool
may_stay(const Found *found, AttachMode mode, const GError *problem)
{
    if (lv_is_cow(found->lv) && g_error_matches(problem, ONEVOL_ERROR, ONEVOL_ERROR_UNSUPPORTED))
        return true;
    return g_error_matches(problem, ONEVOL_ERROR, ONEVOL_ERROR_BUSY) &&
           (mode == ATTACH_READ_ONLY || mode == ATTACH_SHARED);
}

bool
lvm_detach(Volume *volume, Host *host, AttachMode mode, GError **error)
{
    static const char *const keys[] = {"at", "on"};
    g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);
    GError *local = NULL;
    g_auto(Found) found = {0};

    if (media_is(volume))
        return true;
    meet(host);
    if (!found_lock(volume, &found, error))
        return false;
    if (!found.lv)
        return true;
    bool done = found_switch_off(&found, host, &local);
    if (!done && may_stay(&found, mode, local)) {
        log_info("left active: %s", local->message);
        g_error_free(local);
        return true;
    }
    /* a dead host that does not have it any more, or may be taken for fenced */
    bool writer = lv_has_tag(found.lv, "at", host_name(host));
    if (!done &&
        !pass_dead_host(&found.group, volume->name, host_name(host), writer, &local, error))
        return false;
    if (!done && writer && !found.group.fenced)
        return true; /* who takes it next proves that its lock is gone, and that is when its tag
                        goes */
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        if (lv_has_tag(found.lv, keys[i], host_name(host)))
            g_ptr_array_add(gone, lvm_tag(keys[i], host_name(host)));
    return found_retag(&found, host, gone, NULL, error);
}
