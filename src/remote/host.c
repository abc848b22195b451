// SPDX-License-Identifier: Apache-2.0
#include "remote/host.h"

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "local/operation.h"
#include "local/watch.h"
#include "remote/session.h"
#include "remote/ssh.h"
#include "remote/transfer.h"

#include <string.h>
#include <unistd.h>

struct Host {
    char *name;
    Session *session;      /* of the front-end: served in this process */
    RemoteSession *remote; /* of another machine, once something was asked of it */
    RemoteSession *begun;  /* will be that */
    GError *failed;        /* why there is none: asked once an action */
    GVariant *frozen;      /* arguments of `thaw`, while a guest stands still */
};

static Host *frontend;
static GPtrArray *frontend_names;
static GHashTable *others; /* name → Host */

static void
host_free(gpointer data)
{
    Host *host = data;

    session_free(host->session);
    remote_session_free(host->remote);
    remote_session_free(host->begun);
    g_clear_error(&host->failed);
    g_clear_pointer(&host->frozen, g_variant_unref);
    g_free(host->name);
    g_free(host);
}

Host *
host_frontend(void)
{
    if (!frontend) {
        frontend = g_new0(Host, 1);
        frontend->name = g_strdup(g_get_host_name());
        frontend->session = session_new();
    }
    return frontend;
}

void
host_add_frontend_name(const char *name)
{
    if (!frontend_names)
        frontend_names = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(frontend_names, g_strdup(name));
}

/* "fe" and "fe.example.org" are the same machine. */
static bool
same_machine(const char *a, const char *b)
{
    size_t length = strcspn(a, ".");

    return !g_ascii_strcasecmp(a, b) ||
           ((!a[length] || !strchr(b, '.')) && strcspn(b, ".") == length &&
            !g_ascii_strncasecmp(a, b, length));
}

Host *
host_named(const char *name, GError **error)
{
    Host *here = host_frontend();

    if (!g_ascii_strcasecmp(name, "localhost") || same_machine(name, here->name))
        return here;
    for (guint i = 0; frontend_names && i < frontend_names->len; i++)
        if (same_machine(name, g_ptr_array_index(frontend_names, i)))
            return here;
    if (!ssh_host_check(name, error))
        return NULL;
    if (!others)
        others = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, host_free);
    Host *host = g_hash_table_lookup(others, name);
    if (!host) {
        host = g_new0(Host, 1);
        host->name = g_strdup(name);
        g_hash_table_insert(others, host->name, host);
    }
    return host;
}

/* Its session, opened when first needed. */
static bool
host_connect(Host *host, GError **error)
{
    if (host->session || host->remote)
        return true;
    if (!host->failed)
        host->remote =
            remote_session_open(host->name, g_steal_pointer(&host->begun), &host->failed);
    if (host->remote)
        return true;
    g_propagate_error(error, g_error_copy(host->failed));
    return false;
}

void
host_expect(Host *host)
{
    if (!host->session && !host->remote && !host->begun && !host->failed)
        host->begun = remote_session_begin(host->name, NULL);
}

bool
host_is_met(const Host *host)
{
    return host->session || host->remote || host->failed;
}

const char *
host_name(const Host *host)
{
    return host->name;
}

bool
host_is_frontend(const Host *host)
{
    return host == frontend;
}

void
hosts_forbid_direct(void)
{
    transfer_forbid_direct();
}

void
hosts_close(void)
{
    GHashTableIter hosts;
    gpointer host;

    if (others) {
        g_hash_table_iter_init(&hosts, others);
        while (g_hash_table_iter_next(&hosts, NULL, &host))
            if (((Host *)host)->remote) /* all at once, then wait for each */
                remote_session_hang_up(((Host *)host)->remote);
            else if (((Host *)host)->begun)
                remote_session_hang_up(((Host *)host)->begun);
    }
    g_clear_pointer(&others, g_hash_table_unref);
    g_clear_pointer(&frontend, host_free);
    g_clear_pointer(&frontend_names, g_ptr_array_unref);
}

static bool
host_serve(Host *host, const Operation *operation, const char *object, GVariant *arguments,
           GVariant **answer, GError **error)
{
    if (host->session) {
        watch_note(operation, object);
        bool done = operation_run(operation, host->session, arguments, answer, error);
        watch_note(NULL, NULL);
        return done;
    }
    if (!host_connect(host, error) ||
        !remote_session_call(host->remote, operation->name, arguments, answer, error))
        return false;
    if (g_variant_is_of_type(*answer, G_VARIANT_TYPE(operation->reply)))
        return true;
    g_clear_pointer(answer, g_variant_unref);
    return set_error(error, ONEVOL_ERROR_CORRUPT, "the answer to '%s' is of a wrong type",
                     operation->name);
}

/*
 * The one way to a machine. `arguments` is consumed. *reply stays NULL when a dry run skips the
 * step.
 */
static bool
call(Host *host, const char *name, StepKind kind, const char *object, GVariant *arguments,
     GVariant **reply, GError **error)
{
    const Operation *operation = operation_find(name);
    g_autoptr(GVariant) held = g_variant_ref_sink(arguments);
    g_autofree char *what = g_strdup_printf("%s '%s' on %s", name, object, host->name);
    GVariant *answer = NULL;

    switch (step_begin(kind, what, object, error)) {
    case STEP_STOP:
        return false;
    case STEP_SKIP:
        return true;
    case STEP_DO:
        break;
    }
    if (!host_serve(host, operation, object, held, &answer, error)) {
        if (!host_is_frontend(host))
            g_prefix_error(error, "on host '%s': ", host->name);
        return false;
    }
    step_end();
    if (reply)
        *reply = answer;
    else
        g_variant_unref(answer);
    return true;
}

/* For the many that only read or write one path and answer nothing of interest. */
static bool
order(Host *host, const char *name, const char *object, GVariant *arguments, GError **error)
{
    return call(host, name, operation_find(name)->kind, object, arguments, NULL, error);
}

static GVariant *
ask(Host *host, const char *name, const char *object, GVariant *arguments, GError **error)
{
    GVariant *reply = NULL;

    call(host, name, operation_find(name)->kind, object, arguments, &reply, error);
    return reply;
}

void
file_info_clear(FileInfo *info)
{
    g_clear_pointer(&info->target, g_free);
}

bool
host_stat(Host *host, const char *path, bool follow, FileInfo *info, GError **error)
{
    g_autoptr(GVariant) reply =
        ask(host, "stat", path, g_variant_new("(sb)", path, (gboolean)follow), error);

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
    g_autoptr(GVariant) reply = ask(host, "list", path, g_variant_new("(s)", path), error);
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
        ask(host, "read", path, g_variant_new("(stt)", path, offset, length), error);

    if (!reply)
        return NULL;
    g_autoptr(GVariant) bytes = g_variant_get_child_value(reply, 0);
    return g_variant_get_data_as_bytes(bytes);
}

static char *
ask_text(Host *host, const char *name, const char *object, GVariant *arguments, GError **error)
{
    g_autoptr(GVariant) reply = ask(host, name, object, arguments, error);
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
    g_autoptr(GVariant) reply = ask(host, "space", path, g_variant_new("(s)", path), error);

    if (!reply)
        return false;
    g_variant_get(reply, "(ttt)", total, used, available);
    return true;
}

bool
host_make_directory(Host *host, const char *path, GError **error)
{
    return order(host, "make-directory", path, g_variant_new("(s)", path), error);
}

bool
host_link(Host *host, const char *target, const char *path, GError **error)
{
    return order(host, "link", path, g_variant_new("(ss)", target, path), error);
}

bool
host_remove(Host *host, const char *path, GError **error)
{
    return order(host, "remove", path, g_variant_new("(s)", path), error);
}

bool
host_remove_tree(Host *host, const char *path, GError **error)
{
    return order(host, "remove-tree", path, g_variant_new("(s)", path), error);
}

bool
host_rename(Host *host, const char *from, const char *to, GError **error)
{
    return order(host, "rename", to, g_variant_new("(ss)", from, to), error);
}

static GVariant *
bytes_variant(GBytes *bytes)
{
    return g_variant_new_from_bytes(G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);
}

bool
host_write(Host *host, const char *path, GBytes *content, guint32 mode, GError **error)
{
    return order(host, "write", path, g_variant_new("(s@ayu)", path, bytes_variant(content), mode),
                 error);
}

bool
host_allocate(Host *host, const char *path, guint64 size, bool create, GError **error)
{
    return order(host, "allocate", path, g_variant_new("(stb)", path, size, (gboolean)create),
                 error);
}

bool
host_reserve(Host *host, const char *path, bool *possible, GError **error)
{
    GVariant *reply = NULL;
    gboolean done = TRUE;

    if (!call(host, "reserve", STEP_WRITE, path, g_variant_new("(s)", path), &reply, error))
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
    return order(host, "flush", path, g_variant_new("(s)", path), error);
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
host_copy(Host *host, const char *source, const char *target, bool share,
          const MoveOptions *options, char **how, GError **error)
{
    const MoveOptions plain = {0};
    GVariant *reply = NULL;

    options = options ? options : &plain;
    g_autofree char *work = g_strdup_printf("copying to '%s' on %s", target, host->name);
    progress_begin(work);
    bool done =
        call(host, "copy", STEP_WRITE, target,
             g_variant_new("(ssbbbt)", source, target, (gboolean)share, (gboolean)options->dirty,
                           (gboolean)options->readback, options->length),
             &reply, error);
    progress_end();
    if (!done)
        return false;
    if (how)
        *how = g_strdup("nothing yet");
    if (reply && how) {
        const char *method;
        guint64 bytes;
        g_free(*how);
        g_variant_get(reply, "(&st)", &method, &bytes);
        g_autofree char *size = g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
        *how = bytes ? g_strdup_printf("%s of %s", method, size) : g_strdup(method);
    }
    g_clear_pointer(&reply, g_variant_unref);
    return true;
}

bool
host_frozen_copy(Host *host, const char *uri, const char *domain, bool may_suspend,
                 const Argv *snapshot, const char *source, const char *target, char **how,
                 GError **error)
{
    static const char *const none[] = {NULL};
    GVariant *reply = NULL;

    if (!call(host, "frozen-copy", STEP_WRITE, target,
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

    if (!call(host, "freeze", STEP_WRITE, domain,
              g_variant_new("(ssbu)", uri, domain, (gboolean)may_suspend, limit_ms), &reply, error))
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
    return call(host, "thaw", STEP_WRITE, domain, arguments, NULL, error);
}

bool
host_guest_save(Host *host, const char *uri, const char *domain, const char *path,
                unsigned timeout_ms, GError **error)
{
    return order(host, "guest-save", path, g_variant_new("(sssu)", uri, domain, path, timeout_ms),
                 error);
}

bool
host_guest_restore(Host *host, const char *uri, const char *domain, const char *path,
                   const char *xml, bool sync_time, unsigned timeout_ms, GError **error)
{
    return order(host, "guest-restore", path,
                 g_variant_new("(ssssbu)", uri, domain, path, xml ? xml : "", (gboolean)sync_time,
                               timeout_ms),
                 error);
}

bool
host_copy_tree(Host *host, const char *source, const char *target, GError **error)
{
    return order(host, "copy-tree", target, g_variant_new("(ss)", source, target), error);
}

bool
host_build_begin(Host *host, const char *path, const char *mark, char **content, GError **error)
{
    GVariant *reply = NULL;

    if (!call(host, "build-begin", STEP_WRITE, path, g_variant_new("(ss)", path, mark), &reply,
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
    return order(host, "build-commit", path, g_variant_new("(ss)", path, token), error);
}

bool
host_build_abandon(Host *host, const char *path, const char *token, GError **error)
{
    return order(host, "build-abandon", path, g_variant_new("(ss)", path, token), error);
}

bool
host_lock(Host *host, const char *key, const char *holder, GError **error)
{
    return order(host, "lock", key, g_variant_new("(ssu)", key, holder, SECONDS(60)), error);
}

bool
host_unlock(Host *host, const char *key, GError **error)
{
    return order(host, "unlock", key, g_variant_new("(s)", key), error);
}

bool
host_share(Host *host, const char *key, GError **error)
{
    return order(host, "share", key, g_variant_new("(su)", key, SECONDS(60)), error);
}

bool
host_unshare(Host *host, const char *key, bool *last, GError **error)
{
    g_autoptr(GVariant) reply = ask(host, "unshare", key, g_variant_new("(s)", key), error);
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
    if (!call(host, "run", kind, object, arguments, &reply, error))
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

/* The step of a copy that this process or two machines carry out. *how stays NULL when a dry run
 * skips it. */
static bool
transfer(const TransferEnd *in, Host *from, const TransferEnd *out, Host *to, const char *what,
         const MoveOptions *options, StreamResult *result, char **how, GError **error)
{
    gint64 start = g_get_monotonic_time();

    switch (step_begin(STEP_WRITE, what, out->path, error)) {
    case STEP_STOP:
        return false;
    case STEP_SKIP:
        return true;
    case STEP_DO:
        break;
    }
    Host *hosts[] = {from, to};
    for (guint i = 0; i < G_N_ELEMENTS(hosts); i++)
        if (!host_connect(hosts[i], error)) {
            g_prefix_error(error, "on host '%s': ", hosts[i]->name);
            return false;
        }
    TransferEnd source = *in, sink = *out;
    source.session = from->remote;
    sink.session = to->remote;
    progress_begin(what);
    bool done = transfer_run(&source, &sink, options, result, error);
    progress_end();
    if (!done)
        return false;
    step_end();

    double seconds = (double)(g_get_monotonic_time() - start) / 1e6;
    g_autofree char *size = g_format_size_full(result->size, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *data = g_format_size_full(result->data, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *sent = g_format_size_full(result->sent, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *digest = digest_text(result->digest);
    *how = g_strdup_printf("stream of %s in %.1f s", data, seconds);
    log_info("copied %s (%s of data, %s on the way) from '%s' to '%s', digest %s", size, data, sent,
             from->name, to->name, digest);
    return true;
}

static bool
transfer_path(Host *from, const char *source, Host *to, const char *target, bool tree,
              const MoveOptions *options, char **how, GError **error)
{
    g_autofree char *what =
        g_strdup_printf("copy '%s' on %s to '%s' on %s", source, from->name, target, to->name);
    TransferEnd in = {.path = source, .tree = tree};
    TransferEnd out = {.path = target, .tree = tree};
    StreamResult result;

    return transfer(&in, from, &out, to, what, options, &result, how, error);
}

bool
host_transfer(Host *from, const char *source, Host *to, const char *target,
              const MoveOptions *options, char **how, GError **error)
{
    g_autofree char *text = NULL;

    if (from == to)
        return host_copy(to, source, target, true, options, how, error);
    if (!transfer_path(from, source, to, target, false, options, &text, error))
        return false;
    if (how)
        *how = text ? g_steal_pointer(&text) : g_strdup("nothing yet");
    return true;
}

bool
host_transfer_tree(Host *from, const char *source, Host *to, const char *target,
                   const MoveOptions *options, GError **error)
{
    g_autofree char *text = NULL;

    if (from == to)
        return host_copy_tree(to, source, target, error);
    return transfer_path(from, source, to, target, true, options, &text, error);
}

bool
host_fill(Host *to, const char *target, const ByteSource *source, const MoveOptions *options,
          guint64 *size, char **how, GError **error)
{
    g_autofree char *what = g_strdup_printf("fill '%s' on %s", target, to->name);
    g_autofree char *text = NULL;
    TransferEnd in = {.bytes = source};
    TransferEnd out = {.path = target};
    StreamResult result = {0};

    if (!transfer(&in, host_frontend(), &out, to, what, options, &result, &text, error))
        return false;
    if (size)
        *size = result.size;
    if (how)
        *how = text ? g_steal_pointer(&text) : g_strdup("nothing yet");
    return true;
}
