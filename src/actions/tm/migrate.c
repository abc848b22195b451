// SPDX-License-Identifier: Apache-2.0
/*
 * premigrate, postmigrate, failmigrate: before and after a live migration.
 *
 * oned calls the system datastore's driver only; that one calls the drivers of the VM's other
 * disks, with its own name as one more argument. Who finds that argument looks after its own disks
 * and calls nobody (src/tm_mad/tm_common.sh, migrate_other). The stock
 * drivers do not pass failmigrate on (src/tm_mad/common/failmigrate), so nothing may depend on it.
 */
#include "actions/tm/attached.h"
#include "actions/tm/place.h"
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"

#include <string.h>
#include <unistd.h>

/* base64 of "<VM>": how an argument of <= 5.8 is told from the caller's name of >= 5.10 */
#define VM_IN_BASE64 "PFZN"

typedef struct Migration {
    char **arguments;   /* the five that all releases have, then what was added */
    const char *caller; /* NULL: oned itself */
    char *on_stdin;     /* base64, >= 5.10 */
    OneVm *vm;
} Migration;

static void
migration_clear(Migration *migration)
{
    g_clear_pointer(&migration->on_stdin, g_free);
    g_clear_pointer(&migration->vm, one_vm_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Migration, migration_clear)

static bool
read_migration(char **arguments, Migration *migration, GError **error)
{
    guint count = g_strv_length(arguments);
    bool in_arguments = count > 5 && g_str_has_prefix(arguments[5], VM_IN_BASE64);
    const char *text = in_arguments ? arguments[5] : NULL;

    migration->arguments = arguments;
    migration->caller = arguments[MIN(in_arguments ? 6 : 5, count)];
    if (!in_arguments) {
        migration->on_stdin = request_stdin(STDIN_FILENO, error);
        text = migration->on_stdin;
    }
    if (!text)
        return false;
    g_autoptr(XmlDocument) document = document_decode(text, strlen(text), error);
    if (document)
        migration->vm = one_vm_new(document, xml_root(document));
    return document != NULL;
}

static bool
call_driver(Task *task, const Migration *migration, const char *tm_mad, GError **error)
{
    g_autofree char *file =
        g_build_filename(task->installation->remotes, "tm", tm_mad, task->request->action, NULL);
    g_autoptr(Argv) argv = argv_new(file);
    CommandOptions options = {.timeout_ms = SECONDS(24 * 3600), .keep_locale = true};
    g_auto(CommandResult) result = {0};

    argv_add_strv(argv, (const char *const *)migration->arguments);
    argv_add(argv, task->request->directory);
    if (migration->on_stdin) {
        options.input = migration->on_stdin;
        options.input_length = strlen(migration->on_stdin);
    }
    if (!g_file_test(file, G_FILE_TEST_EXISTS)) { /* e.g. one that only knows images */
        log_info("driver '%s' has no %s", tm_mad, task->request->action);
        return true;
    }
    StepVerdict verdict = step_begin(STEP_WRITE, file, file, error);
    if (verdict != STEP_DO)
        return verdict == STEP_SKIP;
    if (!command_run(argv, &options, &result, error))
        return false;
    step_end();
    return result.status == 0 || command_judge(argv, result.status, result.err, result.out, error);
}

static bool
call_others(Task *task, const Migration *migration, GError **error)
{
    g_autoptr(GHashTable) called = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < migration->vm->disks->len; i++) {
        const OneDisk *disk = g_ptr_array_index(migration->vm->disks, i);
        const char *tm_mad = disk->tm_mad;
        if (!tm_mad || !strcmp(tm_mad, task->request->directory) ||
            !g_hash_table_add(called, (char *)tm_mad))
            continue;
        if (!name_is_safe(tm_mad))
            return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is no name of a driver", tm_mad);
        log_info("calling driver '%s'", tm_mad);
        if (!call_driver(task, migration, tm_mad, error)) {
            g_prefix_error(error, "driver '%s': ", tm_mad);
            return false;
        }
    }
    return true;
}

/* Each name of `directory` on `host`, unfinished builds aside, is there on `keeper` too. */
static bool
require_same_names(Host *host, Host *keeper, const char *directory, GError **error)
{
    g_autoptr(GPtrArray) names = host_list(host, directory, error);

    for (guint i = 0; names && i < names->len; i++) {
        const DirectoryEntry *entry = g_ptr_array_index(names, i);
        g_autofree char *path = g_build_filename(directory, entry->name, NULL);
        g_auto(FileInfo) info = {0};
        if (g_str_has_suffix(entry->name, ".part"))
            continue;
        if (!host_stat(keeper, path, false, &info, error))
            return false;
        if (!info.mode)
            return set_error(error, ONEVOL_ERROR_REFUSED,
                             "host '%s' has no '%s': nothing of the VM is removed from host '%s'",
                             host_name(keeper), path, host_name(host));
    }
    return names != NULL;
}

/* What goes must not be the only copy: scripts that leave out a disk, or a disk's snapshots, exist.
 * The disks that the VM has now are what counts; other files are remade. */
static bool
require_kept(const OneVm *vm, Host *host, Host *keeper, const char *directory, GError **error)
{
    for (guint i = 0; i < vm->disks->len; i++) {
        const OneDisk *facts = g_ptr_array_index(vm->disks, i);
        g_autofree char *path = g_strdup_printf("%s/disk.%" G_GINT64_FORMAT, directory, facts->id);
        g_autofree char *snapshots = g_strconcat(path, ".snap", NULL);
        g_auto(FileInfo) here = {0};
        g_auto(FileInfo) there = {0};
        if (!host_stat(host, path, false, &here, error) ||
            (here.mode && !host_stat(keeper, path, false, &there, error)))
            return false;
        if (here.mode && !there.mode)
            return set_error(error, ONEVOL_ERROR_REFUSED,
                             "host '%s' has no '%s': nothing of the VM is removed from host '%s'",
                             host_name(keeper), path, host_name(host));
        if (!require_same_names(host, keeper, snapshots, error))
            return false;
    }
    return true;
}

/* The VM's directory on the side that loses it; where both hosts see one directory it stays. `vm`
 * NULL: what is there is no copy of the VM, but what an earlier try left. */
static bool
remove_side(Task *task, const OneVm *vm, Host *host, Host *other, const char *path, GError **error)
{
    bool shared;

    if (!tm_lock(task, host, path, error) ||
        !place_is_shared(task, host, other, path, &shared, error))
        return false;
    return shared || ((!vm || require_kept(vm, host, other, path, error)) &&
                      host_remove_tree(host, path, error));
}

/*
 * Own storage on each host: the hypervisor's migrate script copies the disks (vmm/kvm/migrate of
 * 6.0+ does, for SHARED=NO; before, libvirt finds no disk there and the migration fails). It needs
 * an empty directory there, and none here afterwards.
 */
static bool
prepare_local(Task *task, const OneVm *vm, Host *from, Host *to, const char *path, GError **error)
{
    const char *action = task->request->action;

    if (from == to)
        return true;
    if (!strcmp(action, "postmigrate"))
        return remove_side(task, vm, from, to, path, error);
    if (!strcmp(action, "failmigrate"))
        return remove_side(task, vm, to, from, path, error);
    return remove_side(task, NULL, to, from, path, error) && host_make_directory(to, path, error) &&
           place_mark(task, to, path, error);
}

/* The directory is another driver's, which removes and makes it. Our disks are files that every
 * host sees, so there is nothing to attach; but their links must be there, also after a directory
 * was emptied. */
static bool
prepare_links(Task *task, const OneVm *vm, Host *from, Host *to, const char *path, GError **error)
{
    const char *action = task->request->action;

    if (!strcmp(action, "failmigrate"))
        return true;
    return place_restore_links(task, vm, to, path, !strcmp(action, "premigrate") ? from : NULL,
                               error);
}

/* The disks are attached to both hosts, and the small files follow if they are the host's own. They
 * stay at the source until the guest runs elsewhere. */
static bool
bring_small_files(Task *task, Host *from, Host *to, const char *path, GError **error)
{
    bool shared;
    g_autofree char *content = NULL;
    g_autofree char *text = task_text(task);
    g_autoptr(Mark) mark = mark_new(text, path);

    if (!tm_lock(task, to, path, error) || !place_is_shared(task, to, from, path, &shared, error))
        return false;
    if (shared)
        return true;
    if (!host_build_begin(to, path, mark->text, &content, error))
        return false;
    if (host_transfer_tree(from, path, to, content, NULL, error) &&
        host_remove_tree(to, path, error) && host_build_commit(to, path, mark->token, error))
        return true;
    host_build_abandon(to, path, mark->token, NULL);
    return false;
}

static bool
prepare_devices(Task *task, const OneVm *vm, Host *from, Host *to, const char *path, GError **error)
{
    const char *action = task->request->action;

    if (from == to)
        return true;
    if (!strcmp(action, "premigrate"))
        return bring_small_files(task, from, to, path, error) &&
               attached_on_both(task, vm, path, from, to, error);
    Host *leaves = !strcmp(action, "postmigrate") ? from : to;
    return attached_on_one(task, vm, path, leaves, error) &&
           remove_side(task, NULL, leaves, leaves == from ? to : from, path, error);
}

/* The directory is another driver's. Its migration may know nothing of a context disk on a host's
 * own storage (LINBIT's driver brings it too). */
static bool
bring_context(const OneVm *vm, Host *from, Host *to, const char *path, GError **error)
{
    g_autofree char *context = g_strdup_printf("%s/disk.%" G_GINT64_FORMAT, path, vm->context_disk);
    g_auto(FileInfo) here = {0};
    g_auto(FileInfo) there = {0};

    if (vm->context_disk < 0)
        return true;
    if (!host_stat(to, context, false, &there, error) ||
        !host_stat(from, context, false, &here, error))
        return false;
    return there.mode || !S_ISREG(here.mode) ||
           (host_make_directory(to, path, error) &&
            host_transfer(from, context, to, context, NULL, NULL, error));
}

static bool
prepare_device_links(Task *task, const OneVm *vm, Host *from, Host *to, const char *path,
                     GError **error)
{
    const char *action = task->request->action;

    if (from == to)
        return true;
    if (strcmp(action, "premigrate") != 0)
        return attached_on_one(task, vm, path, !strcmp(action, "postmigrate") ? from : to, error);
    return attached_on_both(task, vm, path, from, to, error) &&
           bring_context(vm, from, to, path, error);
}

typedef bool (*Prepare)(Task *task, const OneVm *vm, Host *from, Host *to, const char *path,
                        GError **error);

static Prepare
preparation(const Task *task, bool foreign)
{
    if (is_attached(task))
        return foreign ? prepare_device_links : prepare_devices;
    return foreign ? prepare_links : prepare_local;
}

static bool
migrate_ours(Task *task, const Migration *migration, GError **error)
{
    Host *from = host_named(migration->arguments[0], error);
    Host *to = from ? host_named(migration->arguments[1], error) : NULL;
    g_autofree char *path = to ? path_normal(migration->arguments[2], error) : NULL;

    if (!path ||
        !vm_directory_check(task->installation->datastores, path, migration->vm->id, error))
        return false;
    return preparation(task, migration->caller != NULL)(task, migration->vm, from, to, path, error);
}

bool
tm_migrate(Task *task, char **arguments, GError **error)
{
    g_auto(Migration) migration = {0};
    gint64 vm_id;

    if (!argument_number(arguments[3], "the VM's id", &vm_id, error) ||
        !place_can_move(task, error) || !read_migration(arguments, &migration, error))
        return false;
    if (migration.vm->id != vm_id)
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "the document is of VM %" G_GINT64_FORMAT ", not of VM %" G_GINT64_FORMAT,
                         migration.vm->id, vm_id);
    if (migration.caller)
        return migrate_ours(task, &migration, error);
    bool first = !strcmp(task->request->action, "premigrate");
    bool own = place_has_own_directory(task);

    /* others attach before and release before what is ours goes */
    if (own && first && !migrate_ours(task, &migration, error))
        return false;
    if (!call_others(task, &migration, error))
        return false;
    return !own || first || migrate_ours(task, &migration, error);
}
