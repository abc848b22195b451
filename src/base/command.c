// SPDX-License-Identifier: Apache-2.0
#include "base/command.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t cancel_signal;
static guint64 *cancel_counter;
static pid_t left_behind;

static void
on_signal(int number)
{
    cancel_signal = number;
}

void
cancel_install(void)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: calls end with EINTR */

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void
command_extend_path(void)
{
    static const char *const wanted[] = {"/usr/local/sbin", "/usr/sbin", "/sbin", NULL};
    const char *now = g_getenv("PATH");
    g_autoptr(GString) path = g_string_new(now ? now : "/usr/bin:/bin");
    g_auto(GStrv) have = g_strsplit(path->str, ":", -1);

    for (const char *const *directory = wanted; *directory; directory++)
        if (!g_strv_contains((const char *const *)have, *directory))
            g_string_append_printf(path, ":%s", *directory);
    g_setenv("PATH", path->str, TRUE);
}

bool
cancel_requested(void)
{
    return cancel_signal != 0;
}

void
cancel_forget(void)
{
    cancel_signal = 0;
}

void
cancel_count_checks(guint64 *counter)
{
    cancel_counter = counter;
}

bool
cancel_check(GError **error)
{
    if (cancel_counter)
        __atomic_add_fetch(cancel_counter, 1, __ATOMIC_RELAXED);
    if (!cancel_requested())
        return true;
    return set_error(error, ONEVOL_ERROR_CANCELLED, "stopped by signal %d (%s)", (int)cancel_signal,
                     g_strsignal(cancel_signal));
}

void
command_result_clear(CommandResult *result)
{
    g_clear_pointer(&result->out, g_free);
    g_clear_pointer(&result->err, g_free);
}

/* Between fork and exec: only async-signal-safe calls. */
static void
child_exec(const char *const *words, char **environment, const char *directory, const int fds[3],
           int report, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    for (int i = 0; i < 3; i++)
        dup2(fds[i], i);
    /* the report pipe moves to 3, all above goes */
    if (report != 3) {
        dup2(report, 3);
        fcntl(3, F_SETFD, FD_CLOEXEC);
    }
    syscall(SYS_close_range, 4u, ~0u, 0u);

    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigaction(SIGPIPE, &normal, NULL);
    sigaction(SIGTERM, &normal, NULL);
    sigaction(SIGINT, &normal, NULL);
    sigaction(SIGHUP, &normal, NULL);

    if (!directory || chdir(directory) == 0)
        execvpe(words[0], (char *const *)words, environment);
    int number = errno;
    (void)!write(3, &number, sizeof number);
    _exit(127);
}

bool
command_start(const Argv *argv, const CommandOptions *options, CommandChild *child, GError **error)
{
    int in[2], out[2], err[2], report[2];
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) ||
        pipe2(report, O_CLOEXEC))
        return set_error_errno(error, errno, "cannot make pipes");

    g_auto(GStrv) environment = g_get_environ();
    if (!options->keep_locale)
        environment = g_environ_setenv(environment, "LC_ALL", "C", TRUE);
    for (const char *const *set = options->set; set && *set; set++) {
        g_auto(GStrv) pair = g_strsplit(*set, "=", 2);
        environment = g_environ_setenv(environment, pair[0], pair[1] ? pair[1] : "", TRUE);
    }

    const int fds[3] = {in[0], out[1], err[1]};
    pid_t parent = getpid();
    child->pid = fork();
    if (child->pid == 0)
        child_exec(argv_words(argv), environment, options->directory, fds, report[1], parent);

    close(in[0]);
    close(out[1]);
    close(err[1]);
    close(report[1]);
    child->in = in[1];
    child->out = out[0];
    child->err = err[0];

    int number = child->pid < 0 ? errno : 0;
    if (!number) {
        ssize_t got;
        do
            got = read(report[0], &number, sizeof number);
        while (got < 0 && errno == EINTR);
        if (got > 0) /* it never became the program */
            while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
            }
    }
    close(report[0]);
    if (number) {
        fd_close(&child->in);
        fd_close(&child->out);
        fd_close(&child->err);
        return set_error_errno(error, number, "cannot run '%s'", argv_words(argv)[0]);
    }
    return true;
}

/* Reads what is there. False at the end or past the limit. */
static bool
drain(int *fd, GByteArray *into)
{
    guint8 buffer[65536];
    ssize_t got = read(*fd, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (got <= 0) {
        fd_close(fd);
        return true;
    }
    g_byte_array_append(into, buffer, (guint)got);
    return into->len <= COMMAND_OUTPUT_LIMIT;
}

static void
feed(int *fd, const CommandOptions *options, size_t *sent)
{
    ssize_t wrote = write(*fd, (const char *)options->input + *sent, options->input_length - *sent);
    if (wrote > 0)
        *sent += (size_t)wrote;
    else if (errno != EINTR && errno != EAGAIN)
        fd_close(fd); /* the child does not want it: its exit status tells */
    if (*sent == options->input_length)
        fd_close(fd);
}

/* Moves data until the child has closed both outputs. Who was stopped himself past the deadline
 * still reads what the child had said by then. */
static bool
converse(const Argv *argv, const CommandOptions *options, CommandChild *child, GByteArray *out,
         GByteArray *err, gint64 deadline, GError **error)
{
    size_t sent = 0;

    if (!options->input_length)
        fd_close(&child->in);
    else
        fcntl(child->in, F_SETFL, O_NONBLOCK);

    while (child->out >= 0 || child->err >= 0) {
        gint64 left = MAX((deadline - g_get_monotonic_time()) / 1000, 0);
        if (!cancel_check(error))
            return false;

        struct pollfd polls[3] = {
            {.fd = child->in,  .events = POLLOUT},
            {.fd = child->out, .events = POLLIN },
            {.fd = child->err, .events = POLLIN },
        };
        int ready = poll(polls, 3, (int)MIN(left, 1000));
        if (left == 0 && !polls[1].revents && !polls[2].revents)
            return set_error(error, ONEVOL_ERROR_TIMEOUT, "'%s' did not end within %u s",
                             argv_words(argv)[0], options->timeout_ms / 1000);
        if (ready <= 0)
            continue;
        if (polls[0].revents)
            feed(&child->in, options, &sent);
        if ((polls[1].revents && !drain(&child->out, out)) ||
            (polls[2].revents && !drain(&child->err, err)))
            return set_error(error, ONEVOL_ERROR_FAILED, "'%s' printed more than %u MiB",
                             argv_words(argv)[0], COMMAND_OUTPUT_LIMIT >> 20);
    }
    return true;
}

static bool
reap(pid_t pid, int *status, gint64 deadline)
{
    for (unsigned pause = 200;; pause = MIN(pause * 2, 50000)) {
        if (waitpid(pid, status, WNOHANG) == pid)
            return true;
        if (cancel_counter)
            __atomic_add_fetch(cancel_counter, 1, __ATOMIC_RELAXED);
        if (g_get_monotonic_time() > deadline)
            return false;
        g_usleep(pause);
    }
}

bool
command_reap(pid_t pid, int *status, unsigned timeout_ms)
{
    return reap(pid, status, g_get_monotonic_time() + (gint64)timeout_ms * 1000);
}

pid_t
command_left_behind(void)
{
    return left_behind;
}

/* False if it cannot be ended. The error that is set by then becomes what the user must know. */
static bool
end_child(pid_t pid, const char *program, GError **error)
{
    int status;

    kill(-pid, SIGTERM);
    if (command_reap(pid, &status, SECONDS(2)))
        return true;
    kill(-pid, SIGKILL);
    if (command_reap(pid, &status, SECONDS(2)))
        return true;
    left_behind = pid;
    g_clear_error(error);
    return set_error(error, ONEVOL_ERROR_TIMEOUT, "still busy: %s, pid %d (it cannot be killed)",
                     program, (int)pid);
}

bool
command_run(const Argv *argv, const CommandOptions *options, CommandResult *result, GError **error)
{
    g_assert(options->timeout_ms > 0);
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autoptr(GByteArray) err = g_byte_array_new();
    gint64 start = g_get_monotonic_time();
    gint64 deadline = start + (gint64)options->timeout_ms * 1000;
    CommandChild child;

    *result = (CommandResult){0};
    if (!command_start(argv, options, &child, error))
        return false;

    bool done = converse(argv, options, &child, out, err, deadline, error);
    fd_close(&child.in);
    fd_close(&child.out);
    fd_close(&child.err);

    int status = 0;
    if (done && !reap(child.pid, &status, deadline))
        done = set_error(error, ONEVOL_ERROR_TIMEOUT, "'%s' did not end within %u s",
                         argv_words(argv)[0], options->timeout_ms / 1000);
    if (!done) {
        end_child(child.pid, argv_words(argv)[0], error);
        return false;
    }

    result->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result->out_length = out->len;
    g_byte_array_append(out, (const guint8 *)"", 1);
    g_byte_array_append(err, (const guint8 *)"", 1);
    result->out = (char *)g_byte_array_free(g_steal_pointer(&out), FALSE);
    result->err = (char *)g_byte_array_free(g_steal_pointer(&err), FALSE);

    g_autofree char *text = argv_text(argv);
    log_debug("ran %s: status %d, %.1f ms", text, result->status,
              (double)(g_get_monotonic_time() - start) / 1000.0);
    return true;
}

bool
command_judge(const Argv *argv, int status, const char *err, const char *out, GError **error)
{
    g_autofree char *said = one_line(*err ? err : out, 500);

    return set_error(error,
                     strstr(said, "No space left") || strstr(said, "uota exceeded")
                         ? ONEVOL_ERROR_NO_SPACE
                         : ONEVOL_ERROR_FAILED,
                     "%s exited %d%s%s", argv_words(argv)[0], status, *said ? ": " : "", said);
}

bool
command_check(const Argv *argv, const CommandOptions *options, char **out, GError **error)
{
    g_auto(CommandResult) result = {0};

    if (!command_run(argv, options, &result, error))
        return false;
    if (result.status != 0)
        return command_judge(argv, result.status, result.err, result.out, error);
    if (out)
        *out = g_steal_pointer(&result.out);
    return true;
}
