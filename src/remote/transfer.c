// SPDX-License-Identifier: Apache-2.0
#include "remote/transfer.h"

#include "base/error.h"
#include "base/log.h"
#include "mover/link.h"
#include "remote/deploy.h"
#include "remote/ssh.h"
#include "wire/frame.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* One end that is a host. */
typedef struct Side {
    RemoteSession *session; /* NULL: this machine */
    CommandChild ssh;
    char *ticket;
    guint32 request;
    GVariant *reply;
    GError *error;
} Side;

static void
side_clear(Side *side)
{
    int status;

    ssh_end(&side->ssh, false, &status);
    g_clear_pointer(&side->ticket, g_free);
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

/* What ssh or the agent behind it said; the caller frees it. */
static char *
read_stderr(const Side *side)
{
    char buffer[1000];

    g_usleep(50000); /* last words come by another pipe */
    fcntl(side->ssh.err, F_SETFL, O_NONBLOCK);
    ssize_t got = read(side->ssh.err, buffer, sizeof buffer - 1);
    buffer[MAX(got, 0)] = '\0';
    return one_line(buffer, 300);
}

/* Behind an error of a connection that did not come about. */
static void
add_stderr(const Side *side, GError **error)
{
    g_autofree char *said = read_stderr(side);

    if (!*said || !error || !*error)
        return;
    g_autofree char *text = g_strdup_printf("%s: %s", (*error)->message, said);
    OnevolError code = (OnevolError)(*error)->code;
    g_clear_error(error);
    set_error(error, code, "%s", text);
}

static void
log_reason(const Side *source, const Side *sink)
{
    g_autofree char *said = read_stderr(source);

    log_info("host '%s' cannot reach '%s' by itself, the data goes by way of the front-end: %s",
             remote_session_host(source->session), remote_session_host(sink->session), said);
}

/* The request to read or write, which waits for its connection. */
static bool
side_begin(Side *side, const char *request, const char *path, bool tree, GError **error)
{
    g_autoptr(GVariant) reply = NULL;

    if (!side->session)
        return true;
    if (!remote_session_call(side->session, "bulk-open", g_variant_new("()"), &reply, error)) {
        g_prefix_error(error, "on host '%s': ", remote_session_host(side->session));
        return false;
    }
    g_variant_get(reply, "(s)", &side->ticket);
    GVariant *arguments = !strcmp(request, "send")
                              ? g_variant_new("(ssb)", side->ticket, path, (gboolean)tree)
                              : g_variant_new("(ssbb)", side->ticket, path, (gboolean)tree, TRUE);
    side->request = remote_session_start(side->session, request, arguments);
    return true;
}

static bool
side_connect(Side *side, const char *mode, unsigned flags, GError **error)
{
    if (!side->session)
        return true;
    g_autofree char *script = deploy_bulk_script(mode, side->ticket);
    return ssh_start(remote_session_host(side->session), script, SSH_OWN_CONNECTION | flags,
                     &side->ssh, error);
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
    add_stderr(side, error);
    g_prefix_error(error, "on host '%s': ", remote_session_host(side->session));
    return false;
}

/* Lets the source's host connect to the sink's. *direct false: it cannot, and the connection to
 * the source is like any other. */
static bool
connect_source(Side *source, Side *sink, bool *direct, GError **error)
{
    g_autofree char *script = deploy_bulk_script("bulk", sink->ticket);
    g_autoptr(Argv) argv =
        ssh_argv(remote_session_host(sink->session), script, SSH_OWN_CONNECTION | SSH_HURRY);
    g_autoptr(GBytes) command = message_pack(g_variant_new("^as", argv_words(argv)));
    gsize size;
    const void *bytes = g_bytes_get_data(command, &size);
    guint32 length = (guint32)size;
    struct iovec pieces[] = {
        {&length,       sizeof length},
        {(void *)bytes, size         },
    };
    char answer = 0;

    *direct = false;
    if (!g_strcmp0(g_getenv("ONEVOL_DIRECT"), "no")) /* hosts shall not log in at each other */
        return side_connect(source, "bulk", 0, error) && side_ready(source, error);
    if (!side_connect(source, "direct", SSH_FORWARD_AGENT, error))
        return false;
    StreamLink in = {.fd = source->ssh.in, .stop = stop_if_failed, .data = source};
    StreamLink out = {.fd = source->ssh.out, .stop = stop_if_failed, .data = source};
    if (!link_write(&in, pieces, G_N_ELEMENTS(pieces), error) || !side_ready(source, error) ||
        link_read(&out, &answer, 1, error) != LINK_DONE)
        return false;
    *direct = answer == DIRECT_YES;
    if (!*direct)
        log_reason(source, sink);
    return true;
}

/* The hosts are at it by themselves. */
static bool
wait_for_both(Side *source, Side *sink, GError **error)
{
    while (!remote_session_is_done(source->session, source->request) ||
           !remote_session_is_done(sink->session, sink->request)) {
        if (!cancel_check(error) || !stop_if_failed(source, error) || !stop_if_failed(sink, error))
            return false;
        g_usleep(50000);
    }
    return true;
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
move_between_hosts(Side *source, Side *sink, GError **error)
{
    bool direct;

    if (!connect_source(source, sink, &direct, error))
        return false;
    if (direct)
        return wait_for_both(source, sink, error);
    if (!side_connect(sink, "bulk", 0, error) || !side_ready(sink, error))
        return false;
    StreamLink in = {.fd = source->ssh.out, .stop = stop_if_failed, .data = sink};
    StreamLink out = {.fd = sink->ssh.in, .stop = stop_if_failed, .data = sink};
    return stream_relay(&in, &out, error);
}

static bool
move(const TransferEnd *from, const TransferEnd *to, Side *source, Side *sink, bool tree,
     StreamResult *result, GError **error)
{
    if (!side_begin(sink, "receive", to->path, tree, error) ||
        !side_begin(source, "send", from->path, tree, error))
        return false;
    if (source->session && sink->session)
        return move_between_hosts(source, sink, error);

    Side *host = source->session ? source : sink;
    if (!side_connect(host, "bulk", 0, error) || !side_ready(host, error))
        return false;
    StreamLink in = {.fd = host->ssh.out, .stop = stop_if_failed, .data = host};
    StreamLink out = {.fd = host->ssh.in, .stop = stop_if_failed, .data = host};
    StreamTarget target = {.path = to->path, .zeroed = true, .tree = tree};
    return host == sink ? stream_send(&out, from->path, tree, result, error)
                        : stream_receive(&in, &target, result, error);
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
    g_auto(Side) source = {
        .session = from->session, .ssh = {.in = -1, .out = -1, .err = -1}
    };
    g_auto(Side) sink = {
        .session = to->session, .ssh = {.in = -1, .out = -1, .err = -1}
    };
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
