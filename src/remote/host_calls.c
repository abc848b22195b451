// SPDX-License-Identifier: Apache-2.0
/* What a machine can be asked: files, guests, builds, locks, programs. */
#include "remote/host_call.h"

#include "base/error.h"

void
file_info_clear(FileInfo *info)
{
    g_clear_pointer(&info->target, g_free);
}

bool
host_stat(Host *host, const char *path, bool follow, FileInfo *info, GError **error)
{
    g_autoptr(GVariant) reply =
        host_ask(host, "stat", path, g_variant_new("(sb)", path, (gboolean)follow), error);

    *info = (FileInfo){0};
    if (!reply)
        return false;
    g_variant_get(reply, "(uttttts)", &info->mode, &info->size, &info->allocated, &info->device,
                  &info->inode, &info->modified, &info->target);
    return true;
}

static void
directory_entry_free(gpointer entry)
{
    g_free(((DirectoryEntry *)entry)->name);
    g_free(entry);
}

GPtrArray *
host_list(Host *host, const char *path, GError **error)
{
    g_autoptr(GVariant) reply = host_ask(host, "list", path, g_variant_new("(s)", path), error);
    g_autoptr(GVariantIter) entries = NULL;
    DirectoryEntry entry;

    if (!reply)
        return NULL;
    GPtrArray *list = g_ptr_array_new_with_free_func(directory_entry_free);
    g_variant_get(reply, "(a(sutt))", &entries);
    while (g_variant_iter_next(entries, "(sutt)", &entry.name, &entry.mode, &entry.size,
                               &entry.allocated))
        g_ptr_array_add(list, g_memdup2(&entry, sizeof entry));
    return list;
}

GBytes *
host_read(Host *host, const char *path, guint64 offset, guint64 length, GError **error)
{
    g_autoptr(GVariant) reply =
        host_ask(host, "read", path, g_variant_new("(stt)", path, offset, length), error);

    if (!reply)
        return NULL;
    g_autoptr(GVariant) bytes = g_variant_get_child_value(reply, 0);
    return g_variant_get_data_as_bytes(bytes);
}

static char *
ask_text(Host *host, const char *name, const char *object, GVariant *arguments, GError **error)
{
    g_autoptr(GVariant) reply = host_ask(host, name, object, arguments, error);
    char *text = NULL;

    if (reply)
        g_variant_get(reply, "(s)", &text);
    return text;
}

char *
host_resolve(Host *host, const char *path, GError **error)
{
    return ask_text(host, "resolve", path, g_variant_new("(s)", path), error);
}

char *
host_digest(Host *host, const char *path, const char *algorithm, guint64 length, GError **error)
{
    return ask_text(host, "digest", path, g_variant_new("(sst)", path, algorithm, length), error);
}

bool
host_space(Host *host, const char *path, guint64 *total, guint64 *used, guint64 *available,
           GError **error)
{
    g_autoptr(GVariant) reply = host_ask(host, "space", path, g_variant_new("(s)", path), error);

    if (!reply)
        return false;
    g_variant_get(reply, "(ttt)", total, used, available);
    return true;
}

bool
host_make_directory(Host *host, const char *path, GError **error)
{
    return host_order(host, "make-directory", path, g_variant_new("(s)", path), error);
}

bool
host_link(Host *host, const char *target, const char *path, GError **error)
{
    return host_order(host, "link", path, g_variant_new("(ss)", target, path), error);
}

bool
host_remove(Host *host, const char *path, GError **error)
{
    return host_order(host, "remove", path, g_variant_new("(s)", path), error);
}

bool
host_remove_tree(Host *host, const char *path, GError **error)
{
    return host_order(host, "remove-tree", path, g_variant_new("(s)", path), error);
}

bool
host_rename(Host *host, const char *from, const char *to, GError **error)
{
    return host_order(host, "rename", to, g_variant_new("(ss)", from, to), error);
}

static GVariant *
bytes_variant(GBytes *bytes)
{
    return g_variant_new_from_bytes(G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);
}

bool
host_write(Host *host, const char *path, GBytes *content, guint32 mode, GError **error)
{
    return host_order(host, "write", path,
                      g_variant_new("(s@ayu)", path, bytes_variant(content), mode), error);
}

bool
host_allocate(Host *host, const char *path, guint64 size, bool create, GError **error)
{
    return host_order(host, "allocate", path, g_variant_new("(stb)", path, size, (gboolean)create),
                      error);
}

bool
host_reserve(Host *host, const char *path, bool *possible, GError **error)
{
    GVariant *reply = NULL;
    gboolean done = TRUE;

    if (!host_call(host, "reserve", STEP_WRITE, path, g_variant_new("(s)", path), &reply, error))
        return false;
    if (reply)
        g_variant_get(reply, "(b)", &done);
    g_clear_pointer(&reply, g_variant_unref);
    *possible = done;
    return true;
}

bool
host_flush(Host *host, const char *path, GError **error)
{
    return host_order(host, "flush", path, g_variant_new("(s)", path), error);
}

char *
host_find_above(Host *host, const char *path, const char *name, GError **error)
{
    return ask_text(host, "find-above", path, g_variant_new("(ss)", path, name), error);
}

char *
host_find_link(Host *host, const char *datastores, const char *target, const char *but,
               GError **error)
{
    return ask_text(host, "find-link", datastores, g_variant_new("(sss)", datastores, target, but),
                    error);
}

char *
host_find_program(Host *host, const char *const *names, GError **error)
{
    return ask_text(host, "find-program", names[0], g_variant_new("(^as)", names), error);
}

bool
host_frozen_copy(Host *host, const char *uri, const char *domain, bool may_suspend,
                 const Argv *snapshot, const char *source, const char *target, char **how,
                 GError **error)
{
    static const char *const none[] = {NULL};
    GVariant *reply = NULL;

    if (!host_call(host, "frozen-copy", STEP_WRITE, target,
                   g_variant_new("(ssb^asss)", uri, domain, (gboolean)may_suspend,
                                 snapshot ? argv_words(snapshot) : none, source, target),
                   &reply, error))
        return false;
    if (reply)
        g_variant_get(reply, "(s)", how);
    else
        *how = g_strdup("nothing yet");
    g_clear_pointer(&reply, g_variant_unref);
    return true;
}

bool
host_freeze(Host *host, const char *uri, const char *domain, bool may_suspend, unsigned limit_ms,
            char **how, GError **error)
{
    GVariant *reply = NULL;
    const char *done = "nothing yet";

    if (!host_call(host, "freeze", STEP_WRITE, domain,
                   g_variant_new("(ssbu)", uri, domain, (gboolean)may_suspend, limit_ms), &reply,
                   error))
        return false;
    if (reply)
        g_variant_get(reply, "(&s)", &done);
    g_clear_pointer(&host->frozen, g_variant_unref);
    host->frozen = g_variant_ref_sink(g_variant_new("(sssu)", uri, domain, done, limit_ms));
    if (how)
        *how = g_strdup(done);
    g_clear_pointer(&reply, g_variant_unref);
    return true;
}

bool
host_thaw(Host *host, GError **error)
{
    g_autoptr(GVariant) arguments = g_steal_pointer(&host->frozen);
    const char *domain;

    g_assert(arguments);
    g_variant_get_child(arguments, 1, "&s", &domain);
    return host_call(host, "thaw", STEP_WRITE, domain, arguments, NULL, error);
}

bool
host_guest_save(Host *host, const char *uri, const char *domain, const char *path,
                unsigned timeout_ms, GError **error)
{
    return host_order(host, "guest-save", path,
                      g_variant_new("(sssu)", uri, domain, path, timeout_ms), error);
}

bool
host_guest_restore(Host *host, const char *uri, const char *domain, const char *path,
                   const char *xml, bool sync_time, unsigned timeout_ms, GError **error)
{
    return host_order(host, "guest-restore", path,
                      g_variant_new("(ssssbu)", uri, domain, path, xml ? xml : "",
                                    (gboolean)sync_time, timeout_ms),
                      error);
}

bool
host_build_begin(Host *host, const char *path, const char *mark, char **content, GError **error)
{
    GVariant *reply = NULL;

    if (!host_call(host, "build-begin", STEP_WRITE, path, g_variant_new("(ss)", path, mark), &reply,
                   error))
        return false;
    if (reply)
        g_variant_get(reply, "(s)", content);
    else /* dry run: where it would be */
        *content = g_strconcat(path, ".part/content", NULL);
    g_clear_pointer(&reply, g_variant_unref);
    return true;
}

bool
host_build_commit(Host *host, const char *path, const char *token, GError **error)
{
    return host_order(host, "build-commit", path, g_variant_new("(ss)", path, token), error);
}

bool
host_build_abandon(Host *host, const char *path, const char *token, GError **error)
{
    return host_order(host, "build-abandon", path, g_variant_new("(ss)", path, token), error);
}

bool
host_lock(Host *host, const char *key, const char *holder, GError **error)
{
    return host_order(host, "lock", key, g_variant_new("(ssu)", key, holder, SECONDS(60)), error);
}

bool
host_unlock(Host *host, const char *key, GError **error)
{
    return host_order(host, "unlock", key, g_variant_new("(s)", key), error);
}

bool
host_share(Host *host, const char *key, GError **error)
{
    return host_order(host, "share", key, g_variant_new("(su)", key, SECONDS(60)), error);
}

bool
host_unshare(Host *host, const char *key, bool *last, GError **error)
{
    g_autoptr(GVariant) reply = host_ask(host, "unshare", key, g_variant_new("(s)", key), error);
    gboolean alone = FALSE;

    if (reply)
        g_variant_get(reply, "(b)", &alone);
    *last = alone;
    return reply != NULL;
}

bool
host_run_any(Host *host, StepKind kind, const char *object, const Argv *argv, GBytes *input,
             unsigned timeout_ms, CommandResult *result, GError **error)
{
    g_autoptr(GBytes) nothing = g_bytes_new(NULL, 0);
    GVariant *arguments = g_variant_new("(^as@ayu)", argv_words(argv),
                                        bytes_variant(input ? input : nothing), timeout_ms);
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) printed = NULL;
    g_autoptr(GVariant) said = NULL;
    gint32 status;

    *result = (CommandResult){0};
    if (!host_call(host, "run", kind, object, arguments, &reply, error))
        return false;
    if (!reply) {
        result->out = g_strdup("");
        result->err = g_strdup("");
        return true;
    }
    g_variant_get(reply, "(i@ay@ay)", &status, &printed, &said);
    const char *bytes = g_variant_get_fixed_array(printed, &result->out_length, 1);
    result->status = status;
    result->out = g_strndup(bytes ? bytes : "", result->out_length); /* an empty one lies nowhere */
    result->err = g_strdup(g_variant_get_bytestring(said));
    return true;
}

bool
host_run(Host *host, StepKind kind, const char *object, const Argv *argv, unsigned timeout_ms,
         char **out, GError **error)
{
    g_auto(CommandResult) result = {0};

    if (!host_run_any(host, kind, object, argv, NULL, timeout_ms, &result, error))
        return false;
    if (result.status != 0)
        return command_judge(argv, result.status, result.err, result.out, error);
    if (out)
        *out = g_steal_pointer(&result.out);
    return true;
}
