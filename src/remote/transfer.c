// SPDX-License-Identifier: Apache-2.0
#include "remote/transfer.h"

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "mover/link.h"
#include "mover/reader.h"
#include "mover/writer.h"
#include "remote/deploy.h"
#include "remote/ssh.h"
#include "wire/frame.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool direct_is_forbidden;

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
side_begin(Side *side, bool sends, const TransferEnd *end, const MoveOptions *options,
           GError **error)
{
    g_autoptr(GVariant) reply = NULL;

    if (!side->session)
        return true;
    if (!remote_session_call(side->session, "bulk-open", g_variant_new("()"), &reply, error)) {
        g_prefix_error(error, "on host '%s': ", remote_session_host(side->session));
        return false;
    }
    g_variant_get(reply, "(s)", &side->ticket);
    gboolean tree = end->tree, dirty = options->dirty, readback = options->readback;
    GVariant *arguments =
        sends ? g_variant_new("(ssbtt)", side->ticket, end->path, tree, options->rate,
                              options->length)
              : g_variant_new("(ssbbb)", side->ticket, end->path, tree, dirty, readback);
    side->request = remote_session_start(side->session, sends ? "send" : "receive", arguments);
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

/* DIRECT of onevol.conf, or the environment: hosts shall perhaps not log in at each other. */
static bool
may_go_direct(void)
{
    const char *said = g_getenv("ONEVOL_DIRECT");

    return said ? g_ascii_strcasecmp(said, "no") != 0 : !direct_is_forbidden;
}

void
transfer_forbid_direct(void)
{
    direct_is_forbidden = true;
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
    if (!may_go_direct())
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

/* What the source's host has done so far is how far it all is. */
static bool
look_at_both(gpointer data, GError **error)
{
    Side *const *sides = data;

    remote_session_show_progress(sides[0]->session, sides[0]->request);
    return stop_if_failed(sides[0], error) && stop_if_failed(sides[1], error);
}

/* The hosts are at it by themselves. */
static bool
wait_for_both(Side *sides[2], GError **error)
{
    while (!remote_session_is_done(sides[0]->session, sides[0]->request) ||
           !remote_session_is_done(sides[1]->session, sides[1]->request)) {
        if (!cancel_check(error) || !look_at_both(sides, error))
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

/* How much an error explains: a broken connection is mostly the consequence of what went wrong at
 * one end, and a side that was told to stop says only that. */
static guint
weight_of(const GError *error, const Side *side)
{
    if (!error)
        return 0;
    if (g_error_matches(error, ONEVOL_ERROR, ONEVOL_ERROR_CANCELLED))
        return side ? 1 : 6; /* this process was told, that is the reason */
    if (!g_error_matches(error, ONEVOL_ERROR, ONEVOL_ERROR_UNREACHABLE))
        return 5;
    return !side ? 2 : !remote_session_is_lost(side->session) ? 3 : 4;
}

static void
choose_error(GError **local, Side *from, Side *to, GError **error)
{
    GError **candidates[] = {local, &from->error, &to->error};
    const Side *sides[] = {NULL, from, to};
    guint best = 0, most = 0;

    for (guint i = 0; i < G_N_ELEMENTS(candidates); i++) {
        guint weight = weight_of(*candidates[i], sides[i]);
        best = weight > most ? i : best;
        most = MAX(weight, most);
    }
    g_propagate_error(error, g_steal_pointer(candidates[best]));
    g_clear_error(local);
}

static bool
move_between_hosts(Side *source, Side *sink, GError **error)
{
    Side *sides[2] = {source, sink};
    bool direct;

    if (!connect_source(source, sink, &direct, error))
        return false;
    if (direct)
        return wait_for_both(sides, error);
    if (!side_connect(sink, "bulk", 0, error) || !side_ready(sink, error))
        return false;
    StreamLink in = {.fd = source->ssh.out, .stop = look_at_both, .data = sides};
    StreamLink out = {.fd = sink->ssh.in, .stop = look_at_both, .data = sides};
    return stream_relay(&in, &out, error);
}

static bool
move(const TransferEnd *from, const TransferEnd *to, const MoveOptions *options, Side *source,
     Side *sink, StreamResult *result, GError **error)
{
    if (!side_begin(sink, false, to, options, error) ||
        !side_begin(source, true, from, options, error))
        return false;
    if (source->session && sink->session)
        return move_between_hosts(source, sink, error);

    Side *host = source->session ? source : sink;
    if (!side_connect(host, "bulk", 0, error) || !side_ready(host, error))
        return false;
    StreamLink in = {.fd = host->ssh.out, .stop = stop_if_failed, .data = host};
    StreamLink out = {.fd = host->ssh.in, .stop = stop_if_failed, .data = host};
    StreamSource here = {.path = from->path,
                         .bytes = from->bytes,
                         .tree = from->tree,
                         .rate = options->rate,
                         .length = options->length};
    StreamTarget target = {.path = to->path, .tree = to->tree, .options = options};
    return host == sink ? stream_send(&out, &here, result, error)
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
    g_variant_get(side->reply, "(ttt@ay)", &result->size, &result->data, &result->sent, &digest);
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
    return digest_compare(result->digest, sent.digest, "the data changed on its way", error);
}

static bool
write_chunks(Reader *reader, Writer *writer, StreamResult *result, GError **error)
{
    g_autoptr(Digest) digest = digest_new();
    Chunk chunk;

    for (;;) {
        if (!reader_next(reader, &chunk, error))
            return false;
        if (chunk.length == 0)
            break;
        if (chunk.bytes && !writer_data(writer, chunk.bytes, chunk.length, chunk.offset, error))
            return false;
        if (chunk.bytes)
            digest_chunk(digest, chunk.bytes, chunk.length);
        else
            digest_zeros(digest, (chunk.length + DIGEST_CHUNK - 1) / DIGEST_CHUNK);
        result->size = chunk.offset + chunk.length;
        progress_add(chunk.length);
    }
    digest_end(digest, result->size, result->digest);
    result->data = writer_written(writer);
    return writer_end(writer, result->size, error);
}

/* Content of this process to a place on this machine. */
static bool
write_here(const ByteSource *source, const char *path, const MoveOptions *options,
           StreamResult *result, GError **error)
{
    g_autoptr(Writer) writer = writer_open(path, options, error);
    g_autoptr(Reader) reader = reader_of_bytes(source);
    guint8 again[DIGEST_LENGTH];

    progress_expect(source->size);
    if (!writer || !write_chunks(reader, writer, result, error))
        return false;
    if (!options->readback)
        return true;
    return digest_readback(writer_fd(writer), result->size, again, error) &&
           digest_compare(again, result->digest, "the storage gives back other data than written",
                          error);
}

static bool
transfer_between(const TransferEnd *from, const TransferEnd *to, const MoveOptions *options,
                 StreamResult *result, GError **error)
{
    g_auto(Side) source = {
        .session = from->session, .ssh = {.in = -1, .out = -1, .err = -1}
    };
    g_auto(Side) sink = {
        .session = to->session, .ssh = {.in = -1, .out = -1, .err = -1}
    };
    GError *local = NULL;

    bool done = move(from, to, options, &source, &sink, result, &local);
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

bool
transfer_run(const TransferEnd *from, const TransferEnd *to, const MoveOptions *options,
             StreamResult *result, GError **error)
{
    const MoveOptions plain = {0};

    options = options ? options : &plain;
    *result = (StreamResult){0};
    return from->session || to->session ? transfer_between(from, to, options, result, error)
                                        : write_here(from->bytes, to->path, options, result, error);
}
