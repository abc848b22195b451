// SPDX-License-Identifier: Apache-2.0
#include "remote/session.h"

#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "base/progress.h"
#include "remote/deploy.h"
#include "remote/ssh.h"
#include "wire/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECT_MS 20000u
#define BEAT_MS 5000u
#define SILENCE_MS 30000u
#define CANCEL_MS 15000u /* for a cancelled request to answer */
#define CLOSE_MS 3000u
#define SAID_LIMIT 8192u

/* One request's answer. */
typedef struct Answer {
    bool done;
    GVariant *reply; /* or */
    GError *error;
    ProgressCounter progress;
} Answer;

struct RemoteSession {
    char *host;
    CommandChild ssh;
    GThread *keeper;
    int wake; /* an eventfd: the queue has something */
    unsigned beat_ms, silence_ms;

    GMutex lock; /* for all below */
    GCond changed;
    Channel channel;
    GHashTable *answers; /* number → Answer */
    guint32 last_request;
    GString *said; /* on stderr, the end of it */
    bool greeted;
    bool leaving; /* hung up by us */
    bool over;    /* the keeper has left */
    GError *lost;
};

static void
answer_free(gpointer data)
{
    Answer *answer = data;

    g_clear_pointer(&answer->reply, g_variant_unref);
    g_clear_error(&answer->error);
    g_free(answer);
}

static unsigned
limit_of(const char *name, unsigned otherwise)
{
    guint64 number;

    return parse_number(g_getenv(name), G_MAXINT32, &number) ? (unsigned)number : otherwise;
}

/* --- the keeper's side; the lock is held ----------------------------------------------------- */

static void
hello_in(RemoteSession *session, const Frame *frame, size_t length)
{
    g_autoptr(GVariant) hello = message_unpack(frame->payload, length, WIRE_HELLO, &session->lost);
    const char *build;

    if (!hello)
        return;
    g_variant_get_child(hello, 0, "&s", &build);
    if (strcmp(build, deploy_build()) != 0)
        set_error(&session->lost, ONEVOL_ERROR_UNSUPPORTED,
                  "the agent there is of another build (%s, ours is %s)", build, deploy_build());
    session->greeted = true;
}

static GError *
error_of(const Frame *frame, size_t length)
{
    GError *error = NULL;
    g_autoptr(GVariant) message = message_unpack(frame->payload, length, WIRE_ERROR, &error);
    const char *text;
    guint32 code;

    if (!message)
        return error;
    g_variant_get(message, "(u&s)", &code, &text);
    g_autofree char *line = one_line(text, 1000);
    set_error(&error,
              code >= 1 && code <= ONEVOL_ERROR_LOST ? (OnevolError)code : ONEVOL_ERROR_FAILED,
              "%s", line);
    return error;
}

static void
answer_in(RemoteSession *session, const Frame *frame, size_t length)
{
    Answer *answer = g_hash_table_lookup(session->answers, GUINT_TO_POINTER(frame->stream));

    if (frame->stream == 0) { /* of the whole session */
        session->lost = error_of(frame, length);
        return;
    }
    if (!answer || answer->done)
        return; /* nobody waits for it any more */
    if (frame->type == FRAME_ERROR) {
        answer->error = error_of(frame, length);
    } else {
        g_autoptr(GVariant) message =
            message_unpack(frame->payload, length, WIRE_REPLY, &answer->error);
        if (message)
            g_variant_get(message, WIRE_REPLY, &answer->reply);
    }
    answer->done = true;
}

static void
progress_in(RemoteSession *session, const Frame *frame, size_t length)
{
    Answer *answer = g_hash_table_lookup(session->answers, GUINT_TO_POINTER(frame->stream));
    g_autoptr(GVariant) message = message_unpack(frame->payload, length, WIRE_PROGRESS, NULL);

    if (answer && message)
        g_variant_get(message, WIRE_PROGRESS, &answer->progress.done, &answer->progress.total);
}

static void
log_in(RemoteSession *session, const Frame *frame, size_t length)
{
    g_autoptr(GVariant) message = message_unpack(frame->payload, length, WIRE_LOG, NULL);
    const char *text;
    guint32 level;

    if (!message)
        return;
    g_variant_get(message, "(u&s)", &level, &text);
    log_line((LogLevel)MIN(level, LOG_WARN), "host '%s': %s", session->host, text);
}

static void
frames_in(RemoteSession *session)
{
    Frame frame;
    size_t length;

    while (!session->lost &&
           channel_next(&session->channel, &frame, &length, &session->lost) == 1) {
        if (frame.type == FRAME_HELLO)
            hello_in(session, &frame, length);
        else if (frame.type == FRAME_REPLY || frame.type == FRAME_ERROR)
            answer_in(session, &frame, length);
        else if (frame.type == FRAME_LOG)
            log_in(session, &frame, length);
        else if (frame.type == FRAME_PROGRESS)
            progress_in(session, &frame, length);
    }
}

static void
stderr_in(RemoteSession *session)
{
    char buffer[4096];
    ssize_t got = read(session->ssh.err, buffer, sizeof buffer);

    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            close(session->ssh.err);
            session->ssh.err = -1;
        }
        return;
    }
    g_string_append_len(session->said, buffer, got);
    if (session->said->len > SAID_LIMIT)
        g_string_erase(session->said, 0, (gssize)(session->said->len - SAID_LIMIT));
    if (session->greeted) {
        g_autofree char *text = g_strndup(buffer, (gsize)got);
        log_debug("host '%s' says: %s", session->host, text);
    }
}

static void
look_at_clock(RemoteSession *session)
{
    if (session->lost)
        return;
    if (session->channel.ended)
        set_error(&session->lost, ONEVOL_ERROR_UNREACHABLE, "the connection ended");
    else if (session->greeted && channel_silence(&session->channel) > (gint64)session->silence_ms)
        set_error(&session->lost, ONEVOL_ERROR_UNREACHABLE, "it was silent for %u s",
                  session->silence_ms / 1000);
    else if (!session->leaving)
        channel_beat(&session->channel, session->beat_ms);
}

static void
close_ssh_input(RemoteSession *session)
{
    if (session->leaving && session->ssh.in >= 0 && !channel_has_output(&session->channel)) {
        close(session->ssh.in);
        session->ssh.in = session->channel.out = -1;
    }
}

static gpointer
keep(gpointer data)
{
    RemoteSession *session = data;

    g_mutex_lock(&session->lock);
    while (!session->lost) {
        struct pollfd polls[4];
        channel_poll(&session->channel, polls);
        polls[2] = (struct pollfd){.fd = session->ssh.err, .events = POLLIN};
        polls[3] = (struct pollfd){.fd = session->wake, .events = POLLIN};
        g_mutex_unlock(&session->lock);
        int ready = poll(polls, 4, (int)MIN(session->beat_ms / 2, 1000));
        g_mutex_lock(&session->lock);

        if (ready > 0 && polls[3].revents) {
            eventfd_t count;
            eventfd_read(session->wake, &count);
        }
        if (ready > 0 && polls[2].revents)
            stderr_in(session);
        if (ready > 0 && polls[0].revents)
            channel_read(&session->channel, &session->lost);
        if (!session->lost && channel_has_output(&session->channel) && session->ssh.in >= 0)
            channel_write(&session->channel, NULL); /* a broken pipe shows as the end of input */
        frames_in(session);
        look_at_clock(session);
        close_ssh_input(session);
        g_cond_broadcast(&session->changed);
    }
    session->over = true;
    g_cond_broadcast(&session->changed);
    g_mutex_unlock(&session->lock);
    return NULL;
}

/* --- the action's side ----------------------------------------------------------------------- */

/* Waits for a change, at most 100 ms, so that a signal is seen. The lock is held. */
static void
wait_for_change(RemoteSession *session)
{
    g_cond_wait_until(&session->changed, &session->lock,
                      g_get_monotonic_time() + 100 * G_TIME_SPAN_MILLISECOND);
}

static void
wake_keeper(RemoteSession *session)
{
    eventfd_write(session->wake, 1);
}

static bool
start_keeper(RemoteSession *session, GError **error)
{
    g_autofree char *script = deploy_serve_script();
    sigset_t all, before;

    if (!ssh_start(session->host, script, 0, &session->ssh, error))
        return false;
    session->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fcntl(session->ssh.err, F_SETFL, O_NONBLOCK);
    channel_init(&session->channel, session->ssh.out, session->ssh.in, true);
    channel_send(&session->channel, FRAME_HELLO, 0,
                 g_variant_new(WIRE_HELLO, deploy_build(), session->beat_ms, session->silence_ms,
                               limit_of("ONEVOL_IDLE_MS", 0), (gboolean)log_is_verbose()));
    sigfillset(&all); /* signals are for the action's thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    session->keeper = g_thread_new("session", keep, session);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return true;
}

static RemoteSession *
session_new_for(const char *host)
{
    RemoteSession *session = g_new0(RemoteSession, 1);

    session->host = g_strdup(host);
    session->ssh = (CommandChild){.in = -1, .out = -1, .err = -1};
    session->wake = -1;
    session->beat_ms = limit_of("ONEVOL_HEARTBEAT_MS", BEAT_MS);
    session->silence_ms = limit_of("ONEVOL_SILENCE_MS", SILENCE_MS);
    session->answers = g_hash_table_new_full(NULL, NULL, NULL, answer_free);
    session->said = g_string_new(NULL);
    g_mutex_init(&session->lock);
    g_cond_init(&session->changed);
    return session;
}

/* Stops keeper and ssh; *status is how ssh ended. */
static void
tear_down(RemoteSession *session, bool kindly, int *status)
{
    g_mutex_lock(&session->lock);
    if (!session->lost)
        set_error(&session->lost, ONEVOL_ERROR_UNREACHABLE, "the session was closed");
    g_mutex_unlock(&session->lock);
    if (session->keeper) {
        wake_keeper(session);
        g_thread_join(g_steal_pointer(&session->keeper));
        ssh_end(&session->ssh, kindly, status);
    }
}

static void
destroy(RemoteSession *session)
{
    int status;

    tear_down(session, false, &status);
    channel_clear(&session->channel);
    g_hash_table_unref(session->answers);
    g_string_free(session->said, TRUE);
    g_clear_error(&session->lost);
    if (session->wake >= 0)
        close(session->wake);
    g_mutex_clear(&session->lock);
    g_cond_clear(&session->changed);
    g_free(session->host);
    g_free(session);
}

/* ssh may have said more than the keeper read before the end. */
static void
read_last_words(RemoteSession *session)
{
    for (guint i = 0; i < 16 && session->ssh.err >= 0; i++) {
        gsize before = session->said->len;
        stderr_in(session);
        if (session->said->len == before)
            return;
    }
}

/* Why no agent answered. *machine is set if it is just not there. */
static void
explain_failure(RemoteSession *session, bool in_time, char **machine, GError **error)
{
    int status = 0;
    bool talked = session->greeted;

    if (in_time && command_reap(session->ssh.pid, &status, 1000))
        session->ssh.pid = 0;
    read_last_words(session);
    const char *missing = strstr(session->said->str, DEPLOY_MISSING);
    if (talked) {
        g_propagate_error(error, g_error_copy(session->lost));
    } else if (!in_time) {
        g_autofree char *said = one_line(session->said->str, 200);
        set_error(error, ONEVOL_ERROR_UNREACHABLE,
                  "no agent answered there within %u s; ssh hangs or the host does%s%s",
                  limit_of("ONEVOL_CONNECT_MS", CONNECT_MS) / 1000, *said ? ": " : "", said);
    } else if (missing && WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        const char *name = missing + strlen(DEPLOY_MISSING);
        *machine = g_strndup(name, strcspn(name, "\r\n "));
    } else {
        ssh_explain(status, session->said->str, error);
    }
}

RemoteSession *
remote_session_begin(const char *host, GError **error)
{
    if (!ssh_host_check(host, error))
        return NULL;
    RemoteSession *session = session_new_for(host);
    if (start_keeper(session, error))
        return session;
    destroy(session);
    return NULL;
}

/* One try; takes `session` over. NULL with *machine set: the agent must be copied there first. */
static RemoteSession *
try_open(RemoteSession *session, char **machine, GError **error)
{
    gint64 deadline =
        g_get_monotonic_time() + (gint64)limit_of("ONEVOL_CONNECT_MS", CONNECT_MS) * 1000;
    bool in_time = true, cancelled = false;

    if (!session)
        return NULL;
    g_mutex_lock(&session->lock);
    while (!session->greeted && !session->lost && in_time && !cancelled) {
        wait_for_change(session);
        in_time = g_get_monotonic_time() < deadline;
        cancelled = !cancel_check(error);
    }
    bool ended = session->lost != NULL;
    if (session->greeted && !ended) {
        g_mutex_unlock(&session->lock);
        return session;
    }
    if (!session->lost)
        set_error(&session->lost, ONEVOL_ERROR_UNREACHABLE, "no answer");
    g_mutex_unlock(&session->lock);
    wake_keeper(session);
    g_thread_join(g_steal_pointer(&session->keeper));
    if (!cancelled)
        explain_failure(session, ended, machine, error);
    int status;
    if (session->ssh.pid > 0)
        kill(-session->ssh.pid, SIGTERM); /* whatever ssh has started hangs with it */
    ssh_end(&session->ssh, false, &status);
    destroy(session);
    return NULL;
}

RemoteSession *
remote_session_open(const char *host, RemoteSession *begun, GError **error)
{
    g_autofree char *machine = NULL;
    gint64 start = g_get_monotonic_time();

    RemoteSession *session =
        try_open(begun ? begun : remote_session_begin(host, error), &machine, error);
    if (!session && machine && deploy_push(host, machine, error)) {
        g_autofree char *again = NULL;
        session = try_open(remote_session_begin(host, error), &again, error);
        if (!session && again)
            set_error(error, ONEVOL_ERROR_FAILED, "the agent vanished right after it was copied");
    }
    if (session)
        log_debug("session with host '%s' after %.0f ms", host,
                  (double)(g_get_monotonic_time() - start) / 1000.0);
    return session;
}

void
remote_session_hang_up(RemoteSession *session)
{
    g_mutex_lock(&session->lock);
    session->leaving = true;
    g_mutex_unlock(&session->lock);
    wake_keeper(session);
}

void
remote_session_free(RemoteSession *session)
{
    gint64 deadline = g_get_monotonic_time() + CLOSE_MS * 1000;
    int status;

    if (!session)
        return;
    remote_session_hang_up(session);
    g_mutex_lock(&session->lock);
    while (!session->over && g_get_monotonic_time() < deadline)
        wait_for_change(session);
    bool ended = session->over;
    g_mutex_unlock(&session->lock);
    tear_down(session, ended, &status);
    destroy(session);
}

const char *
remote_session_host(const RemoteSession *session)
{
    return session->host;
}

guint32
remote_session_start(RemoteSession *session, const char *name, GVariant *arguments)
{
    g_mutex_lock(&session->lock);
    guint32 request = ++session->last_request;
    g_hash_table_insert(session->answers, GUINT_TO_POINTER(request), g_new0(Answer, 1));
    if (session->lost)
        g_variant_unref(g_variant_ref_sink(arguments));
    else
        channel_send(&session->channel, FRAME_REQUEST, request,
                     g_variant_new(WIRE_REQUEST, name, arguments));
    g_mutex_unlock(&session->lock);
    wake_keeper(session);
    return request;
}

void
remote_session_cancel(RemoteSession *session, guint32 request)
{
    g_mutex_lock(&session->lock);
    if (!session->lost)
        channel_send_empty(&session->channel, FRAME_CANCEL, request);
    g_mutex_unlock(&session->lock);
    wake_keeper(session);
}

bool
remote_session_is_lost(RemoteSession *session)
{
    g_mutex_lock(&session->lock);
    bool lost = session->lost != NULL;
    g_mutex_unlock(&session->lock);
    return lost;
}

bool
remote_session_has_failed(RemoteSession *session, guint32 request)
{
    g_mutex_lock(&session->lock);
    const Answer *answer = g_hash_table_lookup(session->answers, GUINT_TO_POINTER(request));
    bool failed = session->lost || !answer || answer->error;
    g_mutex_unlock(&session->lock);
    return failed;
}

bool
remote_session_is_done(RemoteSession *session, guint32 request)
{
    g_mutex_lock(&session->lock);
    const Answer *answer = g_hash_table_lookup(session->answers, GUINT_TO_POINTER(request));
    bool done = session->lost || !answer || answer->done;
    g_mutex_unlock(&session->lock);
    return done;
}

static void
show_progress(const Answer *answer)
{
    if (answer->progress.done > 0)
        progress_set(answer->progress.done, answer->progress.total);
}

void
remote_session_show_progress(RemoteSession *session, guint32 request)
{
    g_mutex_lock(&session->lock);
    const Answer *answer = g_hash_table_lookup(session->answers, GUINT_TO_POINTER(request));
    if (answer)
        show_progress(answer);
    g_mutex_unlock(&session->lock);
}

/* After a signal the request is cancelled and gets a moment to answer. What is asked after a
 * signal is there to undo things, and is not cancelled. The lock is held. */
static void
wait_for_answer(RemoteSession *session, guint32 request, const Answer *answer)
{
    bool undoing = cancel_requested(), cancelled = false;
    gint64 deadline = undoing ? g_get_monotonic_time() + (gint64)CANCEL_MS * 1000 : G_MAXINT64;

    while (!answer->done && !session->lost && g_get_monotonic_time() < deadline) {
        wait_for_change(session);
        show_progress(answer);
        if (!undoing && !cancelled && cancel_requested()) {
            cancelled = true;
            deadline = g_get_monotonic_time() + (gint64)CANCEL_MS * 1000;
            channel_send_empty(&session->channel, FRAME_CANCEL, request);
            wake_keeper(session);
        }
    }
}

bool
remote_session_wait(RemoteSession *session, guint32 request, GVariant **reply, GError **error)
{
    gpointer key = GUINT_TO_POINTER(request);

    g_mutex_lock(&session->lock);
    Answer *answer = g_hash_table_lookup(session->answers, key);
    g_assert(answer);
    wait_for_answer(session, request, answer);
    *reply = g_steal_pointer(&answer->reply);
    GError *failed = g_steal_pointer(&answer->error);
    if (!*reply && !failed && session->lost) {
        failed = g_error_copy(session->lost);
        g_prefix_error(&failed, "the session is lost: ");
    } else if (!*reply && !failed) {
        set_error(&failed, ONEVOL_ERROR_CANCELLED, "stopped by a signal; the host is still at it");
    }
    g_hash_table_remove(session->answers, key);
    g_mutex_unlock(&session->lock);
    if (failed)
        g_propagate_error(error, failed);
    return *reply != NULL;
}

bool
remote_session_call(RemoteSession *session, const char *name, GVariant *arguments, GVariant **reply,
                    GError **error)
{
    return remote_session_wait(session, remote_session_start(session, name, arguments), reply,
                               error);
}
