// SPDX-License-Identifier: Apache-2.0
/*
 * Volumes as files on LizardFS, MooseFS or SaunaFS, mounted at the same path everywhere.
 *
 * A clone, snapshot or revert is one lazy snapshot: a request to the metadata server, which copies
 * a chunk when somebody writes to it. It knows only what clients have flushed, so it is made on the
 * host that may have the file open, after a flush there. All the rest is core/file_volume.c.
 *
 * These file systems cannot do FICLONE, holes or O_TMPFILE, and count a file's whole length as
 * used: sizes of volumes are virtual sizes here.
 */
#include "backends/mfs/mfs.h"

#include "backends/mfs/output.h"
#include "backends/mfs/product.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "core/file_volume.h"

#include <string.h>

#define TOOL_MS SECONDS(60)
/* Every mount of the three products has this file at its root; their own tools find it so. */
#define MARKER ".masterinfo"

static const char *
preferred(const Datastore *datastore)
{
    return datastore->driver->name;
}

/* Drivers of OpenNebula itself that a system datastore beside ours may have (TM_MAD_SYSTEM), and
 * drivers here of another backend. A name that nobody knows is ours under another name. */
static bool
is_foreign(const char *tm_mad)
{
    static const char *const stock[] = {"shared", "ssh", "qcow2", "local", NULL};
    const Driver *driver = tm_mad ? driver_find(tm_mad) : NULL;

    return driver ? driver->backend != &mfs_backend : tm_mad && g_strv_contains(stock, tm_mad);
}

static bool
mfs_check(Datastore *datastore, Host *host, const char *directory, GError **error)
{
    g_autofree char *root = host_find_above(host, directory, MARKER, error);
    if (!root)
        return false;
    if (*root)
        return true;
    const OneDatastore *facts = datastore_facts(datastore, error);
    if (!facts)
        return false;
    if (facts->type == DATASTORE_SYSTEM && is_foreign(facts->tm_mad))
        return true;
    return set_error(error, ONEVOL_ERROR_UNREACHABLE,
                     "host '%s' has no LizardFS, MooseFS or SaunaFS mounted for '%s': there is no "
                     "'" MARKER "' in or above it",
                     host_name(host), directory);
}

static bool
mfs_probe(G_GNUC_UNUSED Datastore *datastore, G_GNUC_UNUSED unsigned *caps,
          G_GNUC_UNUSED GError **error)
{
    return true; /* each copy finds out what its two places allow */
}

/* One mount: the metadata server of another knows nothing of the source. */
static bool
same_mount(Host *host, const char *from, const char *to, bool *same, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(to);
    g_auto(FileInfo) source = {0};
    g_auto(FileInfo) target = {0};

    if (!host_stat(host, from, true, &source, error) ||
        !host_stat(host, directory, true, &target, error))
        return false;
    *same = source.device == target.device;
    if (!*same) {
        log_info("'%s' and '%s' are on different file systems: no snapshot, a copy", from, to);
        return true;
    }
    g_autofree char *root = host_find_above(host, directory, MARKER, error);
    *same = root && *root; /* both may be on a foreign system datastore's disk */
    return root != NULL;
}

static bool
mfs_instant(Volume *volume, Host *host, const char *from, const char *to, Argv **command,
            GError **error)
{
    bool same;

    if (!same_mount(host, from, to, &same, error))
        return false;
    if (!same)
        return true;
    if (!mfs_command(host, preferred(volume->datastore), MFS_SNAPSHOT, command, error))
        return false;
    argv_add(*command, from, to);
    return true;
}

/* What is said of a disk is said by its system datastore; the volume's own is the image's. */
static const OneDatastore *
attributes_of(const Volume *volume, GError **error)
{
    static Datastore *system; /* an action has to do with one, and lives no longer */
    g_autofree char *directory = g_path_get_dirname(volume->name);
    g_autofree char *above = g_path_get_dirname(directory);
    g_autofree char *text = g_path_get_basename(above);
    guint64 id;

    if (volume->kind == VOLUME_IMAGE || !parse_number(text, G_MAXINT32, &id) ||
        (gint64)id == volume->datastore->id)
        return datastore_facts(volume->datastore, error);
    if (!system || system->id != (gint64)id) {
        datastore_free(system);
        system = datastore_new(volume->datastore->driver, (gint64)id, NULL);
    }
    return datastore_facts(system, error);
}

static bool
tell(const Volume *volume, MfsTool tool, const char *value, const char *path, GError **error)
{
    g_autoptr(Argv) command = NULL;

    if (!mfs_command(volume->host, preferred(volume->datastore), tool, &command, error))
        return false;
    if (!command)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "host '%s' has no program to set it with",
                         host_name(volume->host));
    argv_add(command, value, path);
    return host_run(volume->host, STEP_WRITE, path, command, TOOL_MS, NULL, error);
}

/* MFS_GOAL and MFS_TRASHTIME. A snapshot takes both from its source. */
static bool
mfs_finish(Volume *volume, const char *path, GError **error)
{
    const OneDatastore *facts = attributes_of(volume, error);
    if (!facts)
        return false;
    g_autofree char *goal = one_datastore_attribute(facts, "MFS_GOAL");
    g_autofree char *trashtime = one_datastore_attribute(facts, "MFS_TRASHTIME");
    guint64 seconds;

    if (!goal && !trashtime)
        return true;
    if ((goal && !name_is_safe(goal)) ||
        (trashtime && !parse_number(trashtime, G_MAXUINT32, &seconds)))
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "datastore %" G_GINT64_FORMAT ": MFS_GOAL '%s' must be a number or a "
                         "name, MFS_TRASHTIME '%s' seconds",
                         facts->id, goal ? goal : "", trashtime ? trashtime : "");
    if ((!goal || tell(volume, MFS_SET_GOAL, goal, path, error)) &&
        (!trashtime || tell(volume, MFS_SET_TRASHTIME, trashtime, path, error)))
        return true;
    g_prefix_error(error,
                   "cannot set MFS_GOAL or MFS_TRASHTIME of datastore %" G_GINT64_FORMAT ": ",
                   facts->id);
    return false;
}

/* Output of a tool about the first directory, or about all; *text is NULL where the product has no
 * such tool, or would not tell. */
static bool
ask(Datastore *datastore, MfsTool tool, GPtrArray *directories, char **text, GError **error)
{
    g_autoptr(Argv) command = NULL;
    g_autoptr(GError) refused = NULL;
    const char *directory = g_ptr_array_index(directories, 0);

    *text = NULL;
    if (!mfs_command(datastore->host, preferred(datastore), tool, &command, error))
        return false;
    if (!command)
        return true;
    guint count = tool == MFS_QUOTA ? directories->len : 1;
    for (guint i = 0; i < count; i++)
        argv_add(command, g_ptr_array_index(directories, i));
    if (host_run(datastore->host, STEP_READ, directory, command, TOOL_MS, text, &refused))
        return true;
    if (refused->code != ONEVOL_ERROR_FAILED) { /* a tool that hangs: so does the storage */
        g_propagate_error(error, g_steal_pointer(&refused));
        return false;
    }
    log_warn("capacity without what one tool would tell: %s", refused->message);
    return true;
}

/* How often each byte is stored: a numeric goal or class says it, else what is there already. */
static bool
find_copies(Datastore *datastore, GPtrArray *directory, double *copies, GError **error)
{
    g_autofree char *goal = one_datastore_attribute(datastore->facts, "MFS_GOAL");
    g_autofree char *said = NULL;
    g_autofree char *info = NULL;
    guint64 number;

    if (!goal) {
        if (!ask(datastore, MFS_GET_GOAL, directory, &said, error) ||
            (said && !(goal = mfs_parse_goal(said, error))))
            return false;
    }
    *copies = 0;
    if (goal && parse_number(goal, 100, &number) && number > 0)
        *copies = (double)number;
    else if (!ask(datastore, MFS_INFO, directory, &info, error) ||
             (info && !mfs_parse_copies(info, copies, error)))
        return false;
    if (*copies < 1) {
        log_info("goal '%s' does not tell how often data is stored: counted once", goal);
        *copies = 1;
    }
    return true;
}

/* The directory and all above it: any of them may have a quota. */
static GPtrArray *
directories_up_to(const char *path, const char *root)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *at = g_strdup(path);

    while (path_is_below(at, root)) {
        g_ptr_array_add(list, g_strdup(at));
        char *above = g_path_get_dirname(at);
        g_free(at);
        at = above;
    }
    g_ptr_array_add(list, g_strdup(root));
    return list;
}

static bool
apply_quotas(Datastore *datastore, GPtrArray *directories, double copies, MfsSpace *space,
             GError **error)
{
    g_autofree char *all = NULL;

    if (!ask(datastore, MFS_QUOTA, directories, &all, error))
        return false;
    if (all)
        return mfs_apply_quota(all, copies, space, error);
    for (guint i = 0; i < directories->len; i++) {
        g_autoptr(GPtrArray) one = g_ptr_array_new();
        g_autofree char *text = NULL;
        g_ptr_array_add(one, g_ptr_array_index(directories, i));
        if (!ask(datastore, MFS_QUOTA_ONE, one, &text, error) ||
            (text && !mfs_apply_repquota(text, space, error)))
            return false;
        if (!text)
            break;
    }
    return true;
}

/* What users can store: statfs() knows the disks of all chunk servers, and neither copies nor
 * quotas. A total of 0 is an error of host_space(). */
static bool
mfs_space(Datastore *datastore, guint64 *total, guint64 *used, guint64 *available, GError **error)
{
    MfsSpace space;
    double copies;

    if (!file_volume_space(datastore, &space.total, &space.used, &space.available, error))
        return false;
    const char *base = datastore->facts->base_path;
    g_autofree char *resolved = host_resolve(datastore->host, base, error);
    g_autofree char *root = resolved ? host_find_above(datastore->host, base, MARKER, error) : NULL;
    if (!root)
        return false;
    if (*root) {
        g_autoptr(GPtrArray) directories = directories_up_to(resolved, root);
        if (!find_copies(datastore, directories, &copies, error))
            return false;
        space.total = (guint64)((double)space.total / copies);
        space.used = (guint64)((double)space.used / copies);
        space.available = (guint64)((double)space.available / copies);
        if (!apply_quotas(datastore, directories, copies, &space, error))
            return false;
    }
    *total = space.total;
    *used = space.used;
    *available = space.available;
    return true;
}

/* A snapshot of an empty file in the datastore, made there. */
static bool
try_snapshot(Datastore *datastore, Host *host, const char *directory, GError **error)
{
    g_autofree char *id = g_uuid_string_random();
    g_autofree char *file = g_strdup_printf("%s/.onevol-%s", directory, id);
    g_autofree char *copy = g_strconcat(file, ".copy", NULL);
    g_autoptr(GBytes) nothing = g_bytes_new(NULL, 0);
    g_autoptr(Argv) command = NULL;

    if (!mfs_command(host, preferred(datastore), MFS_SNAPSHOT, &command, error) ||
        !host_write(host, file, nothing, 0600, error))
        return false;
    argv_add(command, file, copy);
    bool done = host_run(host, STEP_WRITE, copy, command, TOOL_MS, NULL, error);
    return host_remove(host, copy, done ? error : NULL) &&
           host_remove(host, file, done ? error : NULL) && done;
}

static void
mfs_diagnose(Datastore *datastore, Host *host, CheckNote note, gpointer data)
{
    g_autoptr(GError) unmounted = NULL;
    g_autoptr(GError) failed = NULL;
    const OneDatastore *facts = datastore_facts(datastore, &unmounted);
    bool mounted = facts && mfs_check(datastore, host, facts->base_path, &unmounted);

    note(data, "mounted", unmounted);
    if (!mounted)
        return;
    try_snapshot(datastore, host, facts->base_path, &failed);
    note(data, "snapshots", failed);
}

static const FileStorage mfs_storage = {
    .instant = mfs_instant,
    .finish = mfs_finish,
};

static const ToolNeed mfs_tools[] = {
    {"qemu-img", "qcow2 volumes"},
    {NULL,       NULL           },
};

const Backend mfs_backend = {
    .name = "mfs",
    .tools = mfs_tools,
    .caps = CAP_CLONE | CAP_RESIZE | CAP_SNAPSHOT,
    .files = &mfs_storage,
    .probe = mfs_probe,
    .check = mfs_check,
    .diagnose = mfs_diagnose,
    .create = file_volume_create,
    .commit = file_volume_commit,
    .abandon = file_volume_abandon,
    .remove = file_volume_remove,
    .stat = file_volume_stat,
    .attach = file_volume_attach,
    .detach = file_volume_detach,
    .open = file_volume_open,
    .close = file_volume_close,
    .list = file_volume_list,
    .clone = file_volume_clone,
    .resize = file_volume_resize,
    .reserve = file_volume_reserve,
    .snapshot_create = file_volume_snapshot_create,
    .snapshot_remove = file_volume_snapshot_remove,
    .snapshot_revert = file_volume_snapshot_revert,
    .snapshot_flatten = file_volume_snapshot_flatten,
    .snapshots_copy = file_volume_snapshots_copy,
    .snapshot_open = file_volume_snapshot_open,
    .snapshot_close = file_volume_snapshot_close,
    .space = mfs_space,
};
