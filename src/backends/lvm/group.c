// SPDX-License-Identifier: Apache-2.0
#include "backends/lvm/group.h"

#include "base/error.h"
#include "base/log.h"
#include "base/path.h"

#include <string.h>

#define COMMAND_MS SECONDS(120) /* a busy group: LVM waits for its own locks meanwhile */
#define RETRIES 20
#define LOCK_TRIES 10 /* of 60 s */

/* The first predecessor had this in its tm_gfs2clvmrc, the second another. */
static const char *
default_group(const Datastore *datastore)
{
    return !strcmp(datastore->driver->name, "gfs2clvm") ? "vg-one" : NULL;
}

static bool
percent_of(const OneDatastore *facts, const char *name, unsigned otherwise, unsigned *percent,
           GError **error)
{
    g_autofree char *text = one_datastore_attribute(facts, name);
    guint64 number = otherwise;

    if (text && (!parse_number(text, 1000, &number) || number == 0)) {
        g_autofree char *shown = one_line(text, 40);
        return set_error(error, ONEVOL_ERROR_USAGE, "%s '%s' is no number of percent", name, shown);
    }
    *percent = (unsigned)number;
    return true;
}

/* One of `words` (NULL at the end) by its number; the first if the attribute is missing. */
static bool
choice_of(const OneDatastore *facts, const char *name, const char *const *words, unsigned *choice,
          GError **error)
{
    g_autofree char *text = one_datastore_attribute(facts, name);

    *choice = 0;
    for (unsigned i = 0; text && words[i]; i++)
        if (!g_ascii_strcasecmp(text, words[i])) {
            *choice = i;
            return true;
        }
    if (!text)
        return true;
    g_autofree char *list = g_strjoinv(", ", (char **)words);
    g_autofree char *shown = one_line(text, 40);
    return set_error(error, ONEVOL_ERROR_USAGE, "%s '%s' is none of %s", name, shown, list);
}

static bool
take_name(Datastore *datastore, const OneDatastore *facts, Group *group, GError **error)
{
    group->name = one_datastore_attribute(facts, "VG_NAME");
    if (!group->name)
        group->name = g_strdup(default_group(datastore));
    if (!group->name)
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "datastore %" G_GINT64_FORMAT " has no attribute VG_NAME", facts->id);
    if (lvm_name_is_valid(group->name))
        return true;
    g_autofree char *shown = one_line(group->name, 40);
    return set_error(error, ONEVOL_ERROR_USAGE, "VG_NAME '%s' is no name of a volume group", shown);
}

/* The first of BRIDGE_LIST, always the same one: the lock lies there. HOST is gfs2clvm's. */
static bool
take_bridge(Datastore *datastore, const OneDatastore *facts, Group *group, GError **error)
{
    g_autofree char *list = one_datastore_attribute(facts, "BRIDGE_LIST");

    if (!list && !strcmp(datastore->driver->name, "gfs2clvm"))
        list = one_datastore_attribute(facts, "HOST");
    if (!list)
        return true;
    g_auto(GStrv) words = g_strsplit_set(list, " \t", -1);
    for (char **word = words; *word; word++)
        if (**word) {
            group->bridge = host_named(*word, error);
            return group->bridge != NULL;
        }
    return true;
}

bool
group_of(Datastore *datastore, Group *group, GError **error)
{
    static const char *const modes[] = {"THICK", "SNAPSHOT", "THIN", NULL};
    static const char *const activations[] = {"EXCLUSIVE", "SHARED", NULL};
    static const char *const dead[] = {"REFUSE", "FENCED", NULL};
    const OneDatastore *facts = datastore_facts(datastore, error);
    unsigned mode, activation, host;

    *group = (Group){0};
    if (!facts || !take_name(datastore, facts, group, error) ||
        !take_bridge(datastore, facts, group, error) ||
        !choice_of(facts, "LVM_MODE", modes, &mode, error) ||
        !choice_of(facts, "LVM_ACTIVATION", activations, &activation, error) ||
        !choice_of(facts, "DEAD_HOST", dead, &host, error) ||
        !percent_of(facts, "SNAPSHOT_PERCENT", 100, &group->snapshot_percent, error) ||
        !percent_of(facts, "POOL_PERCENT", 100, &group->pool_percent, error))
        return false;
    group->mode = (LvmMode)mode;
    group->activate_shared = activation == 1;
    group->fenced = host == 1;
    group->instance = one_datastore_attribute(facts, "LVM_INSTANCE");
    if (!group->instance)
        group->instance = g_strdup("one");
    return true;
}

void
group_clear(Group *group)
{
    g_clear_pointer(&group->name, g_free);
    g_clear_pointer(&group->instance, g_free);
}

char *
group_object(const Group *group, const char *name)
{
    return name ? g_strdup_printf("/lvm/%s/%s", group->name, name)
                : g_strdup_printf("/lvm/%s", group->name);
}

Host *
group_worker(const Group *group, Host *host)
{
    return group->shared || !group->bridge ? host : group->bridge;
}

static bool
run_report(const Group *group, Host *host, const char *name, const Argv *argv, LvmReport *report,
           GError **error)
{
    g_autofree char *object = group_object(group, name);
    g_autofree char *out = NULL;

    return host_run(host, STEP_READ, object, argv, COMMAND_MS, &out, error) &&
           lvm_report_parse(out ? out : "", report, error);
}

static bool
check_locking(Group *group, const LvmReport *report, GError **error)
{
    if (report->clustered)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "volume group '%s' has the flag of clvmd, which today's LVM refuses: with "
                         "all hosts' volumes inactive convert it on one host by 'vgchange "
                         "--lock-type none --lock-opt force %s', see onevol-lvm(7)",
                         group->name, group->name);
    group->shared = report->lock_type && *report->lock_type;
    if (group->shared || group->bridge)
        return true;
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "no lvmlockd guards volume group '%s': BRIDGE_LIST of its datastore must name "
                     "the one host that changes it",
                     group->name);
}

/* No row told of the group: it holds nothing (of that name). */
static bool
ask_group(const Group *group, Host *host, LvmReport *report, GError **error)
{
    g_autoptr(Argv) argv = lvm_vgdisplay(group->name);
    g_auto(LvmReport) about = {0};

    if (!run_report(group, host, NULL, argv, &about, error))
        return false;
    if (!about.has_group)
        return set_error(error, ONEVOL_ERROR_NOT_FOUND, "there is no volume group '%s'",
                         group->name);
    report->has_group = true;
    report->extent = about.extent;
    report->group_size = about.group_size;
    report->group_free = about.group_free;
    report->clustered = about.clustered;
    g_free(report->lock_type);
    report->lock_type = g_steal_pointer(&about.lock_type);
    return true;
}

static bool
ask(Group *group, Host *asked, const char *name, LvmReport *report, GError **error)
{
    g_autoptr(Argv) argv = lvm_lvs(group->name, name);

    if (!run_report(group, asked, name, argv, report, error))
        return false;
    /* no row: how the group is locked matters to who changes it, and a bridge may in any case; and
     * to how a new volume is activated */
    bool needed = !name || !group->bridge || group->activate_shared;
    if (!report->has_group && (!needed || !ask_group(group, asked, report, error)))
        return !needed;
    return check_locking(group, report, error);
}

bool
lvm_ask_there(const Group *group, Host *host, const char *name, LvmReport *report, GError **error)
{
    g_autoptr(Argv) argv = lvm_lvs(group->name, name);

    return run_report(group, host, name, argv, report, error);
}

bool
lvm_ask(Group *group, Host *host, const char *name, LvmReport *report, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (ask(group, group->bridge ? group->bridge : host, name, report, &local))
        return true;
    /* with lvmlockd any other host will do; without it nobody takes the bridge's place */
    if (group->bridge && host != group->bridge && !host_is_frontend(host) &&
        g_error_matches(local, ONEVOL_ERROR, ONEVOL_ERROR_UNREACHABLE)) {
        lvm_report_clear(report);
        if (ask(group, host, name, report, NULL) && group->shared) {
            log_info("asked '%s' instead: %s", host_name(host), local->message);
            group->bridge = NULL;
            return true;
        }
    }
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

static char *
lock_key(const Group *group)
{
    return g_strdup_printf("/lvm/%s", group->name);
}

/* A lock that this process has, how often, and where it lies (NULL: nowhere, LVM's own do). */
typedef struct Held {
    unsigned depth;
    Host *bridge;
} Held;

static Held *
held_of(const char *key)
{
    static GHashTable *locks;

    if (!locks)
        locks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    Held *held = g_hash_table_lookup(locks, key);
    if (!held) {
        held = g_new0(Held, 1);
        g_hash_table_insert(locks, g_strdup(key), held);
    }
    return held;
}

/* A revert of a large volume holds it longer than others' patience with one try. */
static bool
wait_for_lock(Host *bridge, const char *key, const char *holder, GError **error)
{
    for (unsigned try = 1;; try++) {
        g_autoptr(GError) local = NULL;
        if (host_lock(bridge, key, holder, &local))
            return true;
        if (try == LOCK_TRIES || !g_error_matches(local, ONEVOL_ERROR, ONEVOL_ERROR_BUSY)) {
            g_propagate_error(error, g_steal_pointer(&local));
            return false;
        }
        log_info("still waiting: %s", local->message);
    }
}

bool
group_lock(const Group *group, GError **error)
{
    g_autofree char *key = lock_key(group);
    g_autofree char *holder = g_strdup_printf("lvm %s", group->name);
    Held *held = held_of(key);

    if (held->depth == 0) {
        held->bridge = group->shared ? NULL : group->bridge;
        if (held->bridge && !wait_for_lock(held->bridge, key, holder, error)) {
            g_prefix_error(error, "volume group '%s' cannot be changed, its lock is on host '%s': ",
                           group->name, host_name(group->bridge));
            return false;
        }
    }
    held->depth++;
    return true;
}

void
group_unlock(const Group *group)
{
    g_autofree char *key = lock_key(group);
    g_autoptr(GError) error = NULL;
    Held *held = held_of(key);

    if (--held->depth == 0 && held->bridge && !host_unlock(held->bridge, key, &error))
        log_debug("the lock of volume group '%s' stays until the end: %s", group->name,
                  error->message);
}

/* lvmlockd gives up after some tries of its own while others change the group. */
static bool
is_contended(const GError *error)
{
    return strstr(error->message, "lock failed: held by other host") ||
           strstr(error->message, "VG lock failed") || strstr(error->message, "error -11");
}

bool
lvm_change(const Group *group, Host *host, const char *name, const Argv *argv, GError **error)
{
    g_autofree char *object = group_object(group, name);
    const char *program = argv_words(argv)[2];

    for (unsigned try = 0;; try++) {
        g_autoptr(GError) local = NULL;
        if (host_run(host, STEP_WRITE, object, argv, COMMAND_MS, NULL, &local))
            return true;
        if (!group->shared || try == RETRIES || !is_contended(local)) {
            if (strstr(local->message, "insufficient free space") ||
                strstr(local->message, "Insufficient free space"))
                local->code = ONEVOL_ERROR_NO_SPACE;
            if (strstr(local->message, "a password is required"))
                return set_error(error, ONEVOL_ERROR_DENIED,
                                 "sudo on host '%s' does not allow '%s': onevol-lvm.sudoers does",
                                 host_name(host), program);
            g_propagate_error(error, g_steal_pointer(&local));
            return false;
        }
        g_usleep(500000 + g_random_int() % 500000);
    }
}

bool
lvm_do(const Group *group, Host *host, const char *name, const Argv *argv, GError **error)
{
    if (!group_lock(group, error))
        return false;
    bool done = lvm_change(group, host, name, argv, error);
    group_unlock(group);
    return done;
}
