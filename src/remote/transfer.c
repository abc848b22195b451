// SPDX-License-Identifier: Apache-2.0
#include "remote/transfer.h"

#include "base/error.h"
#include "remote/deploy.h"
#include "remote/ssh.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* One end that is a host. */
typedef struct Side {
    RemoteSession *session; /* NULL: this machine */
    CommandChild ssh;
    guint32 request;
    GVariant *reply;
    GError *error;
} Side;

static void
side_clear(Side *side)
{
    int status;

    ssh_end(&side->ssh, false, &status);
    g_clear_pointer(&side->reply, g_variant_unref);
    g_clear_error(&side->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Side, side_clear)

static bool
stop_if_failed(gpointer data, GError **error)
{
    const Side *side = data;

    if (!remote_session_has_failed(side->session, side->request))
        return true;
    /* the side's own error is the one to show, see collect() */
    return set_error(error, ONEVOL_ERROR_UNREACHABLE, "the other side gave up");
}

/* What ssh said, behind an error of a connection that did not come about. */
static void
add_stderr(const Side *side, GError **error)
{
    char buffer[1000];

    fcntl(side->ssh.err, F_SETFL, O_NONBLOCK);
    ssize_t got = read(side->ssh.err, buffer, sizeof buffer - 1);
    if (got <= 0 || !error || !*error)
        return;
    buffer[got] = '\0';
    g_autofree char *said = one_line(buffer, 300);
    g_autofree char *text = g_strdup_printf("%s: %s", (*error)->message, said);
    OnevolError code = (OnevolError)(*error)->code;
    g_clear_error(error);
    set_error(error, code, "%s", text);
}

/* Starts the connection and the request that will use it. */
static bool
side_begin(Side *side, const char *request, const char *path, bool tree, GError **error)
{
    g_autoptr(GVariant) reply = NULL;
    const char *ticket;

    if (!side->session)
        return true;
    if (!remote_session_call(side->session, "bulk-open", g_variant_new("()"), &reply, error)) {
        g_prefix_error(error, "on host '%s': ", remote_session_host(side->session));
        return false;
    }
    g_variant_get(reply, "(&s)", &ticket);
    g_autofree char *script = deploy_bulk_script(ticket);
    if (!ssh_start(remote_session_host(side->session), script, SSH_OWN_CONNECTION, &side->ssh,
                   error))
        return false;
    GVariant *arguments = !strcmp(request, "send")
                              ? g_variant_new("(ssb)", ticket, path, (gboolean)tree)
                              : g_variant_new("(ssbb)", ticket, path, (gboolean)tree, TRUE);
    side->request = remote_session_start(side->session, request, arguments);
    return true;
}

/* Waits until the connection is there. */
static bool
side_ready(Side *side, GError **error)
{
    if (!side->session)
        return true;
    StreamLink link = {.fd = side->ssh.out, .stop = stop_if_failed, .data = side};
    if (stream_skip_preamble(&link, error))
        return true;
    g_usleep(50000); /* ssh's last words come by another pipe */
    add_stderr(side, error);
    g_prefix_error(error, "on host '%s': ", remote_session_host(side->session));
    return false;
}

/* Waits for the side's own answer. After a failure elsewhere it is told to stop first. */
static void
collect(Side *side, bool failed)
{
    int status;

    if (!side->session || !side->request)
        return;
    if (failed) {
        remote_session_cancel(side->session, side->request);
        ssh_end(&side->ssh, false, &status);
    }
    remote_session_wait(side->session, side->request, &side->reply, &side->error);
    if (side->error)
        g_prefix_error(&side->error, "on host '%s': ", remote_session_host(side->session));
}

static bool
is_cause(const GError *error)
{
    return error && !g_error_matches(error, ONEVOL_ERROR, ONEVOL_ERROR_UNREACHABLE) &&
           !g_error_matches(error, ONEVOL_ERROR, ONEVOL_ERROR_CANCELLED);
}

/* A broken connection is mostly the consequence of what went wrong at one end. */
static void
choose_error(GError **local, Side *from, Side *to, GError **error)
{
    GError **candidates[] = {local, &from->error, &to->error};

    for (guint i = 0; i < G_N_ELEMENTS(candidates); i++)
        if (is_cause(*candidates[i])) {
            g_propagate_error(error, g_steal_pointer(candidates[i]));
            g_clear_error(local);
            return;
        }
    for (guint i = 0; i < G_N_ELEMENTS(candidates); i++)
        if (*candidates[i]) {
            g_propagate_error(error, g_steal_pointer(candidates[i]));
            break;
        }
    g_clear_error(local);
}

static bool
move(const TransferEnd *from, const TransferEnd *to, Side *source, Side *sink, bool tree,
     StreamResult *result, GError **error)
{
    if (!side_begin(sink, "receive", to->path, tree, error) ||
        !side_begin(source, "send", from->path, tree, error) || !side_ready(sink, error) ||
        !side_ready(source, error))
        return false;

    Side *peer = sink->session ? sink : source;
    StreamLink in = {.fd = source->ssh.out, .stop = stop_if_failed, .data = peer};
    StreamLink out = {.fd = sink->ssh.in, .stop = stop_if_failed, .data = peer};
    StreamTarget target = {.path = to->path, .zeroed = true, .tree = tree};
    if (!source->session)
        return stream_send(&out, from->path, tree, result, error);
    if (!sink->session)
        return stream_receive(&in, &target, result, error);
    return stream_relay(&in, &out, error);
}

/* A host's own figures take the place of *result. */
static bool
take_result(Side *side, StreamResult *result, GError **error)
{
    g_autoptr(GVariant) digest = NULL;
    gsize length;

    if (!side->reply)
        return true;
    g_variant_get(side->reply, "(tt@ay)", &result->size, &result->data, &digest);
    const void *bytes = g_variant_get_fixed_array(digest, &length, 1);
    if (length != DIGEST_LENGTH)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "a digest has %" G_GSIZE_FORMAT " bytes",
                         length);
    memcpy(result->digest, bytes, DIGEST_LENGTH);
    return true;
}

static bool
compare(Side *from, Side *to, StreamResult *result, GError **error)
{
    StreamResult sent = *result;

    /* where one end is this machine, *result holds its figures */
    if (!take_result(from, &sent, error) || !take_result(to, result, error))
        return false;
    if (!memcmp(sent.digest, result->digest, DIGEST_LENGTH))
        return true;
    return set_error(error, ONEVOL_ERROR_CORRUPT, "the data changed on its way");
}

bool
transfer_run(const TransferEnd *from, const TransferEnd *to, bool tree, StreamResult *result,
             GError **error)
{
    g_auto(Side) source = {.session = from->session, .ssh = {.in = -1, .out = -1, .err = -1}};
    g_auto(Side) sink = {.session = to->session, .ssh = {.in = -1, .out = -1, .err = -1}};
    GError *local = NULL;

    *result = (StreamResult){0};
    bool done = move(from, to, &source, &sink, tree, result, &local);
    if (sink.ssh.in >= 0) { /* the end of what is sent */
        close(sink.ssh.in);
        sink.ssh.in = -1;
    }
    collect(&source, !done);
    collect(&sink, !done || source.error);
    if (!done || source.error || sink.error) {
        choose_error(&local, &source, &sink, error);
        return false;
    }
    return compare(&source, &sink, result, error);
}
