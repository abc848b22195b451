// SPDX-License-Identifier: Apache-2.0
#include "agent/worker.h"

#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "wire/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIND_MS 6000 /* from TERM to KILL: a command has that long to end its own child */
#define KILL_MS 1500 /* from KILL to "it cannot be ended" */

/* An answer: type (1 byte), length (4 bytes), payload; the first byte may carry a descriptor. */
static void
write_answer(int fd, guint8 type, GBytes *payload, int kept_fd)
{
    gsize length;
    const char *bytes = g_bytes_get_data(payload, &length);
    guint32 size = (guint32)length;
    struct iovec head[2] = {
        {&type, sizeof type},
        {&size, sizeof size},
    };
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = head, .msg_iovlen = 2};

    if (kept_fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof kept_fd);
        memcpy(CMSG_DATA(header), &kept_fd, sizeof kept_fd);
    }
    if (sendmsg(fd, &message, MSG_NOSIGNAL) != sizeof type + sizeof size)
        _exit(1);
    while (length > 0) {
        ssize_t wrote = send(fd, bytes, length, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            _exit(1);
        bytes += wrote;
        length -= (size_t)wrote;
    }
}

/* The child that could not be killed is the only one left. */
static void
wait_as_warden(void)
{
    if (command_left_behind() == 0)
        return;
    signal(SIGTERM, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, 0);
    while (waitpid(command_left_behind(), NULL, 0) < 0 && errno == EINTR) {
    }
}

G_GNUC_NORETURN static void
work(Session *session, const Operation *operation, GVariant *arguments, int fd)
{
    GVariant *reply = NULL;
    GError *error = NULL;
    bool done = operation_run(operation, session, arguments, &reply, &error);

    GVariant *message = done ? g_variant_new(WIRE_REPLY, reply)
                             : g_variant_new(WIRE_ERROR, error->code, error->message);
    int kept_fd = done ? session_kept(session, operation, arguments) : -1;
    g_autoptr(GBytes) payload = message_pack(message);
    if (g_bytes_get_size(payload) > MESSAGE_LIMIT) {
        g_bytes_unref(payload);
        payload = message_pack(
            g_variant_new(WIRE_ERROR, ONEVOL_ERROR_FAILED, "the answer is too long to be sent"));
        done = false;
    }
    write_answer(fd, done ? FRAME_REPLY : FRAME_ERROR, payload, kept_fd);
    wait_as_warden();
    _exit(0);
}

/* Nothing of the session's connection may stay open in a process that nobody can end. */
static void
become_worker(pid_t parent, int log_fd, WorkerSigns *signs)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    cancel_forget();
    cancel_count_checks(&signs->life);
    progress_share(&signs->progress);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static Worker *
worker_new(guint32 stream, const Operation *operation, GVariant *arguments)
{
    Worker *worker = g_new0(Worker, 1);

    worker->stream = stream;
    worker->operation = operation;
    worker->arguments = g_variant_ref(arguments);
    worker->answer = g_byte_array_new();
    worker->fd = -1;
    worker->kept_fd = -1;
    worker->alive_at = g_get_monotonic_time();
    worker->signs = mmap(NULL, sizeof *worker->signs, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (worker->signs == MAP_FAILED)
        worker->signs = NULL;
    return worker;
}

Worker *
worker_start(Session *session, guint32 stream, const Operation *operation, GVariant *arguments,
             int log_fd, GError **error)
{
    Worker *worker = worker_new(stream, operation, arguments);
    pid_t parent = getpid();
    int pair[2];

    if (!worker->signs || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        set_error_errno(error, errno, "cannot start a worker");
        worker_free(worker);
        return NULL;
    }
    worker->fd = pair[0];
    worker->pid = fork();
    if (worker->pid == 0) {
        become_worker(parent, log_fd, worker->signs);
        work(session, operation, arguments, pair[1]);
    }
    int number = errno;
    close(pair[1]);
    if (worker->pid < 0) {
        worker->pid = 0;
        set_error_errno(error, number, "cannot start a worker");
        worker_free(worker);
        return NULL;
    }
    fcntl(worker->fd, F_SETFL, O_NONBLOCK);
    return worker;
}

void
worker_free(gpointer data)
{
    Worker *worker = data;

    if (worker->fd >= 0)
        close(worker->fd);
    if (worker->kept_fd >= 0)
        close(worker->kept_fd);
    if (worker->signs)
        munmap(worker->signs, sizeof *worker->signs);
    g_byte_array_unref(worker->answer);
    g_variant_unref(worker->arguments);
    g_free(worker);
}

/* One read, with the descriptor that may come along. 0 at the end, -1 for "later". */
static ssize_t
receive(Worker *worker)
{
    guint8 buffer[65536];
    struct iovec piece = {buffer, sizeof buffer};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};

    ssize_t got = recvmsg(worker->fd, &message, MSG_CMSG_CLOEXEC);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(&worker->kept_fd, CMSG_DATA(header), sizeof(int));
    g_byte_array_append(worker->answer, buffer, (guint)got);
    return got;
}

static void
look_for_answer(Worker *worker)
{
    const size_t head = 1 + sizeof(guint32);
    guint32 size;

    if (worker->state == WORKER_ANSWERED || worker->answer->len < head)
        return;
    memcpy(&size, worker->answer->data + 1, sizeof size);
    if (worker->answer->len < head + size)
        return;
    worker->type = worker->answer->data[0];
    g_byte_array_remove_range(worker->answer, 0, (guint)head);
    worker->state = WORKER_ANSWERED;
}

static void
reap(Worker *worker)
{
    int status;

    if (worker->pid > 0 && waitpid(worker->pid, &status, WNOHANG) == worker->pid) {
        worker->pid = 0;
        worker->felled = WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM && !worker->kill_at;
        if (worker->state != WORKER_ANSWERED)
            worker->state = WORKER_DIED;
    }
}

void
worker_read(Worker *worker)
{
    ssize_t got;

    if (worker->fd < 0)
        return;
    while ((got = receive(worker)) > 0)
        worker->alive_at = g_get_monotonic_time();
    look_for_answer(worker);
    if (got == 0) {
        close(worker->fd);
        worker->fd = -1;
        reap(worker);
    }
}

static gint64
passed_ms(gint64 since)
{
    return (g_get_monotonic_time() - since) / 1000;
}

void
worker_cancel(Worker *worker)
{
    if (worker->pid > 0 && worker->term_at == 0) {
        kill(worker->pid, SIGTERM);
        worker->term_at = g_get_monotonic_time();
    }
}

void
worker_look(Worker *worker, unsigned limit_ms)
{
    gint64 limit = (gint64)worker->operation->idle_s * 1000;
    guint64 signs = __atomic_load_n(&worker->signs->life, __ATOMIC_RELAXED);

    if (worker->fd < 0)
        reap(worker);
    if (worker->pid == 0 || worker->state == WORKER_ANSWERED)
        return;
    if (signs != worker->signs_seen)
        worker->alive_at = g_get_monotonic_time();
    worker->signs_seen = signs;
    if (limit_ms > 0)
        limit = MIN(limit, limit_ms);

    if (worker->kill_at) {
        if (passed_ms(worker->kill_at) > KILL_MS)
            worker->state = WORKER_STUCK;
    } else if (worker->term_at) {
        if (passed_ms(worker->term_at) > KIND_MS) {
            kill(worker->pid, SIGKILL);
            worker->kill_at = g_get_monotonic_time();
        }
    } else if (passed_ms(worker->alive_at) > limit) {
        worker->hung = true;
        worker_cancel(worker);
    }
}

bool
worker_progress(Worker *worker, ProgressCounter *progress)
{
    progress->done = __atomic_load_n(&worker->signs->progress.done, __ATOMIC_RELAXED);
    progress->total = __atomic_load_n(&worker->signs->progress.total, __ATOMIC_RELAXED);
    if (progress->done == worker->progress_told || passed_ms(worker->progress_told_at) < 1000)
        return false;
    worker->progress_told = progress->done;
    worker->progress_told_at = g_get_monotonic_time();
    return true;
}

bool
worker_is_gone(const Worker *worker)
{
    return worker->pid == 0;
}

char *
worker_text(const Worker *worker)
{
    g_autoptr(GVariant) first = g_variant_n_children(worker->arguments) > 0
                                    ? g_variant_get_child_value(worker->arguments, 0)
                                    : NULL;

    if (first && g_variant_is_of_type(first, G_VARIANT_TYPE_STRING))
        return g_strdup_printf("%s '%s'", worker->operation->name,
                               g_variant_get_string(first, NULL));
    return g_strdup(worker->operation->name);
}
