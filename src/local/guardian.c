// SPDX-License-Identifier: Apache-2.0
#include "local/guardian.h"

#include "base/command.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS SECONDS(3)
#define GONE_MS SECONDS(1) /* after its last word */

void
guardian_pause(unsigned ms)
{
    while (poll(NULL, 0, (int)ms) < 0 && errno == EINTR) {
    }
}

/* Keeps `socket` and `lock` only: no connection, no lock of the action and no child's pipe may
 * stay open because of us. */
static void
leave_the_family(int socket, int lock)
{
    int null = open("/dev/null", O_RDWR);
    const int keep[] = {null, null, null, socket, lock};
    const int count = G_N_ELEMENTS(keep);
    int high[G_N_ELEMENTS(keep)];

    setsid();
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    g_setenv("LC_ALL", "C", TRUE);
    for (int fd = 0; fd < count; fd++)
        high[fd] = fcntl(keep[fd], F_DUPFD, count);
    for (int fd = 0; fd < count; fd++)
        dup3(high[fd], fd, fd < 3 ? 0 : O_CLOEXEC);
    if (syscall(SYS_close_range, (unsigned)count, ~0u, 0u))
        for (int fd = count; fd < 4096; fd++) /* kernels before 5.9 */
            close(fd);
}

G_GNUC_NORETURN static void
guard(int socket, int lock, GuardianAct act, const void *data, int timeout_ms)
{
    struct pollfd wait = {.fd = 3, .events = POLLIN};
    int ready, status = 0;
    char byte;

    leave_the_family(socket, lock);
    cancel_forget();
    if (write(3, "", 1) != 1)
        _exit(0); /* dead already, so nothing was begun */
    while ((ready = poll(&wait, 1, timeout_ms)) < 0 && errno == EINTR) {
    }
    bool well = ready > 0 && read(3, &byte, 1) == 1;
    if (ready == 0)
        status |= GUARDIAN_LATE;
    if (!well && !act(data))
        status |= GUARDIAN_IN_VAIN;
    byte = (char)status;
    (void)!send(3, &byte, 1, MSG_NOSIGNAL);
    _exit(0);
}

bool
guardian_start(Guardian *guardian, GuardianAct act, const void *data, int timeout_ms, int lock,
               GError **error)
{
    int ends[2];
    char byte;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return set_error_errno(error, errno, "cannot make a socket");
    guardian->pid = fork();
    if (guardian->pid == 0) {
        close(ends[0]);
        guard(ends[1], lock, act, data, timeout_ms);
    }
    int number = errno;
    close(ends[1]);
    guardian->socket = ends[0];
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    if (guardian->pid > 0 && poll(&wait, 1, (int)READY_MS) > 0 && read(ends[0], &byte, 1) == 1)
        return true;
    close(guardian->socket);
    return set_error_errno(error, guardian->pid < 0 ? number : ETIME, "cannot start the guardian");
}

/* Its last word; -1 without one. */
static int
last_word(int socket, unsigned wait_ms)
{
    struct pollfd look = {.fd = socket, .events = POLLIN};
    gint64 end = g_get_monotonic_time() / 1000 + wait_ms;
    int ready;
    char byte;

    do {
        gint64 left = end - g_get_monotonic_time() / 1000;
        ready = poll(&look, 1, (int)MAX(left, 0));
    } while (ready < 0 && errno == EINTR);
    return ready > 0 && read(socket, &byte, 1) == 1 ? byte : -1;
}

int
guardian_dismiss(Guardian *guardian, bool well, unsigned wait_ms)
{
    int status;

    if (well)
        (void)!send(guardian->socket, "", 1, MSG_NOSIGNAL);
    shutdown(guardian->socket, SHUT_WR); /* other processes may have it open too */
    int word = last_word(guardian->socket, wait_ms);
    close(guardian->socket);
    guardian->socket = -1;
    if (word < 0) /* it tries on, or somebody has killed it */
        return GUARDIAN_IN_VAIN;
    if (guardian->pid > 0)
        command_reap(guardian->pid, &status, GONE_MS);
    return word;
}

bool
guardian_is_gone(const Guardian *guardian)
{
    struct pollfd look = {.fd = guardian->socket};

    return guardian->socket < 0 || (poll(&look, 1, 0) > 0 && (look.revents & POLLHUP));
}
