// SPDX-License-Identifier: Apache-2.0
#include "agent/serve.h"

#include "agent/worker.h"
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "wire/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 32u
#define LOOK_MS 500
#define END_MS 10000u /* for workers to end with the session */
#define DROP_MS 10000u

typedef struct Server {
    const char *build;
    Channel channel;
    Session *session;
    GPtrArray *workers;
    int log[2]; /* of all workers */
    GString *log_text;
    bool greeted;
    guint32 beat_ms, silence_ms, limit_ms;
    GError *over; /* why it ends; set = it ends */
} Server;

static void
end_session(Server *server, OnevolError code, const char *why)
{
    if (!server->over)
        set_error(&server->over, code, "%s", why);
}

static void
send_bytes(Server *server, guint8 type, guint32 stream, const void *bytes, size_t length)
{
    frame_append(server->channel.queue, (FrameType)type, stream, bytes, length);
    server->channel.spoke = g_get_monotonic_time();
}

static void
hello_in(Server *server, const Frame *frame, size_t length)
{
    g_autoptr(GVariant) hello = message_unpack(frame->payload, length, WIRE_HELLO, &server->over);
    const char *build;
    gboolean verbose;

    if (!hello)
        return;
    g_variant_get(hello, "(&suuub)", &build, &server->beat_ms, &server->silence_ms,
                  &server->limit_ms, &verbose);
    log_set_verbose(verbose);
    server->beat_ms = CLAMP(server->beat_ms, 50, 60000);
    server->silence_ms = CLAMP(server->silence_ms, 200, 600000);
    server->greeted = true;
    if (strcmp(build, server->build) != 0)
        end_session(server, ONEVOL_ERROR_UNSUPPORTED, "the front-end is of another build");
}

static void
hello_out(Server *server)
{
    g_byte_array_append(server->channel.queue, (const guint8 *)WIRE_PREAMBLE,
                        (guint)strlen(WIRE_PREAMBLE));
    channel_send(
        &server->channel, FRAME_HELLO, 0,
        g_variant_new(WIRE_HELLO, server->build, server->beat_ms, server->silence_ms, 0, FALSE));
}

static void
refuse(Server *server, guint32 stream, GError *error)
{
    channel_send_error(&server->channel, stream, error);
    g_error_free(error);
}

static void
run_inside(Server *server, guint32 stream, const Operation *operation, GVariant *arguments)
{
    GVariant *reply = NULL;
    GError *error = NULL;

    if (operation_run(operation, server->session, arguments, &reply, &error)) {
        channel_send(&server->channel, FRAME_REPLY, stream, g_variant_new(WIRE_REPLY, reply));
        g_variant_unref(reply);
    } else {
        refuse(server, stream, error);
    }
}

static void
request_in(Server *server, const Frame *frame, size_t length)
{
    g_autoptr(GVariant) request =
        message_unpack(frame->payload, length, WIRE_REQUEST, &server->over);
    g_autoptr(GVariant) arguments = NULL;
    const char *name;
    GError *error = NULL;

    if (!request)
        return;
    g_variant_get(request, "(&sv)", &name, &arguments);
    const Operation *operation = operation_find(name);
    if (!operation)
        set_error(&error, ONEVOL_ERROR_UNSUPPORTED, "there is no request '%s'", name);
    else if (!g_variant_is_of_type(arguments, G_VARIANT_TYPE(operation->arguments)))
        set_error(&error, ONEVOL_ERROR_USAGE, "request '%s' has wrong arguments", name);
    else if (server->workers->len >= WORKERS)
        set_error(&error, ONEVOL_ERROR_BUSY, "more than %u requests at once", WORKERS);
    else if (operation->inside)
        run_inside(server, frame->stream, operation, arguments);
    else {
        Worker *worker = worker_start(server->session, frame->stream, operation, arguments,
                                      server->log[1], &error);
        if (worker)
            g_ptr_array_add(server->workers, worker);
    }
    if (error)
        refuse(server, frame->stream, error);
}

static void
cancel_in(Server *server, guint32 stream)
{
    for (guint i = 0; i < server->workers->len; i++) {
        Worker *worker = g_ptr_array_index(server->workers, i);
        if (stream == 0 || worker->stream == stream)
            worker_cancel(worker);
    }
}

static void
frame_in(Server *server, const Frame *frame, size_t length)
{
    if (!server->greeted && frame->type != FRAME_HELLO) {
        end_session(server, ONEVOL_ERROR_CORRUPT, "the first word must be a hello");
        return;
    }
    switch ((int)frame->type) {
    case FRAME_HELLO:
        hello_in(server, frame, length);
        break;
    case FRAME_REQUEST:
        request_in(server, frame, length);
        break;
    case FRAME_CANCEL:
        cancel_in(server, frame->stream);
        break;
    case FRAME_HEARTBEAT:
        break;
    default:
        end_session(server, ONEVOL_ERROR_CORRUPT, "a frame that belongs elsewhere");
    }
}

static void
frames_in(Server *server)
{
    Frame frame;
    size_t length;

    while (!server->over && channel_next(&server->channel, &frame, &length, &server->over) == 1)
        frame_in(server, &frame, length);
}

/* Lines of workers: "SEVERITY: subject: text". */
static void
log_in(Server *server)
{
    char buffer[4096];
    ssize_t got = read(server->log[0], buffer, sizeof buffer);
    char *end;

    if (got > 0)
        g_string_append_len(server->log_text, buffer, got);
    while ((end = strchr(server->log_text->str, '\n'))) {
        *end = '\0';
        g_autofree char *line = one_line(server->log_text->str, 1000);
        g_string_erase(server->log_text, 0, end + 1 - server->log_text->str);
        LogLevel level = g_str_has_prefix(line, "DEBUG")  ? LOG_DEBUG
                         : g_str_has_prefix(line, "WARN") ? LOG_WARN
                                                          : LOG_INFO;
        const char *text = strstr(line, ": ");
        text = text ? strstr(text + 2, ": ") : NULL;
        channel_send(&server->channel, FRAME_LOG, 0,
                     g_variant_new(WIRE_LOG, level, text ? text + 2 : line));
    }
}

static void
tell_answer(Server *server, Worker *worker)
{
    g_autofree char *what = worker_text(worker);
    GError *error = NULL;

    if (worker->state == WORKER_ANSWERED) {
        if (worker->type == FRAME_REPLY)
            session_note(server->session, worker->operation, worker->arguments);
        if (worker->kept_fd >= 0)
            session_keep(server->session, worker->operation, worker->arguments, worker->kept_fd);
        worker->kept_fd = -1;
        send_bytes(server, worker->type, worker->stream, worker->answer->data, worker->answer->len);
    } else if (worker->state == WORKER_STUCK) {
        set_error(&error, ONEVOL_ERROR_TIMEOUT, "still busy: %s, pid %d (it cannot be killed)",
                  what, (int)worker->pid);
    } else if (worker->hung) {
        set_error(&error, ONEVOL_ERROR_TIMEOUT, "%s showed no sign of life and was ended", what);
    } else if (worker->term_at && !worker->felled) {
        set_error(&error, ONEVOL_ERROR_CANCELLED, "%s was stopped", what);
    } else {
        set_error(&error, ONEVOL_ERROR_FAILED, "the process of %s died", what);
    }
    if (error)
        refuse(server, worker->stream, error);
    worker->told = true;
}

static void
tell_progress(Server *server, Worker *worker)
{
    ProgressCounter progress;

    if (!worker->told && !server->channel.ended && !channel_has_output(&server->channel) &&
        worker_progress(worker, &progress))
        channel_send(&server->channel, FRAME_PROGRESS, worker->stream,
                     g_variant_new(WIRE_PROGRESS, progress.done, progress.total));
}

static void
look_at_workers(Server *server)
{
    for (guint i = 0; i < server->workers->len;) {
        Worker *worker = g_ptr_array_index(server->workers, i);
        worker_look(worker, server->limit_ms);
        if (worker->state != WORKER_RUNS && !worker->told)
            tell_answer(server, worker);
        tell_progress(server, worker);
        if (worker_is_gone(worker))
            g_ptr_array_remove_index_fast(server->workers, i);
        else
            i++;
    }
}

static void
wait_for_something(Server *server)
{
    guint count = server->workers->len, n = 3;
    struct pollfd polls[3 + WORKERS];
    struct timespec limit = {.tv_nsec = LOOK_MS * 1000000};
    sigset_t none;

    channel_poll(&server->channel, polls);
    polls[2] = (struct pollfd){.fd = server->log[0], .events = POLLIN};
    for (guint i = 0; i < count; i++, n++)
        polls[n] = (struct pollfd){.fd = ((Worker *)g_ptr_array_index(server->workers, i))->fd,
                                   .events = POLLIN};
    sigemptyset(&none);
    if (ppoll(polls, n, &limit, &none) <= 0)
        return;

    if (polls[0].revents && !channel_read(&server->channel, &server->over))
        return;
    if (polls[1].revents)
        channel_write(&server->channel, &server->over);
    if (polls[2].revents)
        log_in(server);
    for (guint i = 0; i < count; i++)
        if (polls[3 + i].revents)
            worker_read(g_ptr_array_index(server->workers, i));
}

static void
look_at_front_end(Server *server)
{
    if (cancel_requested())
        end_session(server, ONEVOL_ERROR_CANCELLED, "the session was ended on its host");
    else if (server->channel.ended)
        end_session(server, ONEVOL_ERROR_CANCELLED, "the front-end has left");
    else if (channel_silence(&server->channel) > (gint64)server->silence_ms)
        end_session(server, ONEVOL_ERROR_UNREACHABLE, "the front-end is silent");
    channel_beat(&server->channel, server->beat_ms);
}

static bool
all_told(const Server *server)
{
    for (guint i = 0; i < server->workers->len; i++)
        if (!((Worker *)g_ptr_array_index(server->workers, i))->told)
            return false;
    return true;
}

/* Ends the workers, as far as they can be. */
static void
end_workers(Server *server)
{
    gint64 deadline = g_get_monotonic_time() + END_MS * 1000;

    cancel_in(server, 0);
    server->channel.ended = true; /* nothing more is read */
    while (!all_told(server) && g_get_monotonic_time() < deadline) {
        g_clear_error(&server->over);
        wait_for_something(server);
        look_at_workers(server);
    }
    /* who has answered needs a moment to leave */
    for (guint i = 0; i < 20 && server->workers->len > 0; i++) {
        g_usleep(10000);
        for (guint j = 0; j < server->workers->len; j++)
            worker_read(g_ptr_array_index(server->workers, j));
        look_at_workers(server);
    }
    g_clear_error(&server->over);
}

/* In a process of its own: the storage may hang, and then that process keeps the locks. */
static bool
drop_builds(Server *server)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        session_abandon_builds(server->session);
        _exit(0);
    }
    return pid < 0 || command_reap(pid, &status, DROP_MS);
}

static void
say_goodbye(Server *server, const GError *why)
{
    gint64 deadline = g_get_monotonic_time() + G_USEC_PER_SEC;

    channel_send_error(&server->channel, 0, why);
    while (channel_has_output(&server->channel) && g_get_monotonic_time() < deadline) {
        struct pollfd look = {.fd = server->channel.out, .events = POLLOUT};
        if (poll(&look, 1, 100) > 0 && !channel_write(&server->channel, NULL))
            return;
    }
}

static void
finish(Server *server)
{
    g_autoptr(GError) why = g_steal_pointer(&server->over);
    bool busy = false;

    session_let_go_on(server->session); /* before anything that takes time */
    end_workers(server);
    for (guint i = 0; i < server->workers->len; i++) {
        Worker *worker = g_ptr_array_index(server->workers, i);
        g_autofree char *what = worker_text(worker);
        log_warn("left behind, it cannot be killed: %s, pid %d", what, (int)worker->pid);
        session_mark_locks(server->session, worker->pid, what);
        busy = true;
    }
    if (!drop_builds(server)) {
        session_mark_locks(server->session, getpid(), "dropping an incomplete build");
        busy = true;
    }
    if (busy)
        session_keep_locks(server->session);
    say_goodbye(server, why);
    session_free(server->session);
}

/* Signals are taken only while waiting, so that none is missed between a look and a wait. */
static void
block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

int
agent_serve(const char *build)
{
    Server server = {.build = build, .beat_ms = 5000, .silence_ms = 30000};

    cancel_install();
    block_signals();
    if (pipe2(server.log, O_CLOEXEC | O_NONBLOCK))
        return 1;
    server.session = session_new();
    server.workers = g_ptr_array_new_with_free_func(worker_free);
    server.log_text = g_string_new(NULL);
    channel_init(&server.channel, STDIN_FILENO, STDOUT_FILENO, false);
    hello_out(&server);
    while (!server.over) {
        wait_for_something(&server);
        frames_in(&server);
        look_at_workers(&server);
        look_at_front_end(&server);
    }
    finish(&server);
    g_ptr_array_unref(server.workers);
    g_string_free(server.log_text, TRUE);
    channel_clear(&server.channel);
    return 0;
}
