// SPDX-License-Identifier: Apache-2.0
#include "local/watch.h"

#include "base/command.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOW_MS 200   /* how often it is looked at */
#define QUICK_MS 5    /* where its end does not wake us */
#define KIND_MS 6000  /* from TERM to KILL: a command has that long to end its own child */
#define KILL_MS 1500  /* from KILL to "it cannot be ended" */
#define TEXT_SIZE 500 /* of what it does */

typedef struct Watch {
    guint64 signs;   /* cancel_check() and each request count here */
    guint32 idle_ms; /* 0: it is not in a request */
    char doing[TEXT_SIZE];
} Watch;

static Watch *mine; /* shared with the parent; NULL where nobody watches */

void
watch_note(const Operation *operation, const char *object)
{
    if (!mine)
        return;
    __atomic_store_n(&mine->idle_ms, 0, __ATOMIC_SEQ_CST);
    if (!operation)
        return;
    g_snprintf(mine->doing, sizeof mine->doing, "%s '%s'", operation->name, object);
    __atomic_add_fetch(&mine->signs, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&mine->idle_ms, operation->idle_s * 1000, __ATOMIC_SEQ_CST);
}

static guint32
limit_ms(void)
{
    guint32 limit = __atomic_load_n(&mine->idle_ms, __ATOMIC_SEQ_CST);
    const char *said = g_getenv("ONEVOL_IDLE_MS"); /* for tests, as in an agent's session */
    guint32 shorter = said ? (guint32)strtoul(said, NULL, 10) : 0;

    return limit && shorter ? shorter : limit;
}

/* What the child prints goes through us: who waits for the end of our output must not wait for a
 * child that nobody can end. */
typedef struct Child {
    pid_t pid;
    int output[2]; /* its stdout and stderr, not blocking */
} Child;

static void
pass_on(const Child *child)
{
    char bytes[65536];

    for (int i = 0; i < 2; i++)
        for (ssize_t got; (got = read(child->output[i], bytes, sizeof bytes)) > 0;)
            for (ssize_t sent = 0, wrote; sent < got; sent += wrote) {
                wrote = write(STDOUT_FILENO + i, bytes + sent, (size_t)(got - sent));
                if (wrote < 0 && errno != EINTR)
                    break;
                wrote = MAX(wrote, 0);
            }
}

static bool
ended(const Child *child, int *status, unsigned timeout_ms)
{
    bool done = command_reap(child->pid, status, timeout_ms);

    pass_on(child);
    return done;
}

/* False: it cannot be ended, and goes on alone. */
static bool
end_child(const Child *child, int *status)
{
    kill(child->pid, SIGTERM);
    if (ended(child, status, KIND_MS))
        return true;
    kill(child->pid, SIGKILL);
    return ended(child, status, KILL_MS);
}

/* Until it ends, or shows no sign of life; passes a signal to stop on. */
static bool
wait_for(const Child *child, int *status)
{
    guint64 seen = 0;
    gint64 since = g_get_monotonic_time();
    int end = (int)syscall(SYS_pidfd_open, child->pid, 0); /* -1 before Linux 5.3: it ticks */
    struct pollfd wait[] = {
        {.fd = end,              .events = POLLIN},
        {.fd = child->output[0], .events = POLLIN},
        {.fd = child->output[1], .events = POLLIN},
    };

    while (!ended(child, status, 0)) {
        guint64 now = __atomic_load_n(&mine->signs, __ATOMIC_SEQ_CST);
        guint32 limit = limit_ms();
        if (cancel_requested()) {
            cancel_forget();
            kill(child->pid, SIGTERM);
        }
        if (now != seen || !limit) {
            seen = now;
            since = g_get_monotonic_time();
        } else if (g_get_monotonic_time() - since > (gint64)limit * 1000) {
            return end_child(child, status);
        }
        poll(wait, G_N_ELEMENTS(wait), end >= 0 ? SLOW_MS : QUICK_MS);
        for (guint i = 1; i < G_N_ELEMENTS(wait); i++)
            if (wait[i].revents & POLLHUP) /* closed by it; the rest is read after its end */
                wait[i].fd = -1;
    }
    return true;
}

static void
become_child(pid_t parent, int out[2], int err[2])
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    cancel_count_checks(&mine->signs);
}

bool
watch_begin(GError **error)
{
    void *shared =
        mmap(NULL, sizeof(Watch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t parent = getpid();
    int out[2], err[2], status;

    if (shared == MAP_FAILED || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
        return set_error_errno(error, errno, "cannot watch over the action");
    mine = shared;
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        return set_error_errno(error, errno, "cannot watch over the action");
    if (pid == 0) {
        become_child(parent, out, err);
        return true;
    }
    const Child child = {
        .pid = pid, .output = {out[0], err[0]}
    };
    close(out[1]);
    close(err[1]);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    if (!wait_for(&child, &status))
        return set_error(error, ONEVOL_ERROR_TIMEOUT,
                         "still busy: %s, pid %d (it cannot be killed)", mine->doing, (int)pid);
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        kill(parent, WTERMSIG(status));
    }
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}
