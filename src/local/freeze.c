// SPDX-License-Identifier: Apache-2.0
/*
 * A copy of a running guest's disk, in one request: freeze, share the blocks, thaw.
 *
 * A guardian process outside of our session and group thaws if this process, its agent, the
 * connection or the front-end dies in between, or does not come back in time: the guest runs again
 * within ten seconds, whatever happens here.
 */
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "local/handlers.h"
#include "mover/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FREEZE_MS SECONDS(4)  /* for the guest to freeze its file systems */
#define INSTANT_MS SECONDS(6) /* after that the guardian thaws by itself */
#define THAW_MS SECONDS(3)

typedef struct Guest {
    const char *uri, *domain;
} Guest;

/* Runs `virsh -c URI COMMAND DOMAIN`; `out` may be NULL. */
static bool
virsh(const Guest *guest, const char *command, unsigned timeout_ms, char **out, GError **error)
{
    g_autoptr(Argv) argv = argv_new("virsh", "-q", "-c", guest->uri, command, guest->domain);
    CommandOptions options = {.timeout_ms = timeout_ms};

    return command_check(argv, &options, out, error);
}

typedef struct Guardian {
    pid_t pid;
    int pipe; /* a byte: all is well; its end: nobody is left to thaw */
} Guardian;

/* In the guardian: a child of its own runs virsh, since command_run() may be what died. */
static void
guard(int pipe, const Guest *guest, const char *undo, int timeout_ms)
{
    struct pollfd wait = {.fd = pipe, .events = POLLIN};
    char byte;

    setsid();
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) /* the connection must not stay open because of us */
        dup2(null, fd);
    for (int fd = 3; fd < 1024; fd++)
        if (fd != pipe)
            close(fd);

    while (poll(&wait, 1, timeout_ms) < 0 && errno == EINTR) {
    }
    if ((wait.revents & POLLIN) && read(pipe, &byte, 1) == 1)
        _exit(0);
    for (int try = 0; try < 3; try++) {
        pid_t child = fork();
        int status;
        if (child == 0) {
            alarm(THAW_MS / 1000);
            execlp("virsh", "virsh", "-q", "-c", guest->uri, undo, guest->domain, NULL);
            _exit(127);
        }
        if (waitpid(child, &status, 0) == child && status == 0)
            break;
    }
    _exit(1);
}

static bool
guardian_start(const Guest *guest, const char *undo, int timeout_ms, Guardian *guardian,
               GError **error)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC))
        return set_error_errno(error, errno, "cannot make a pipe");
    guardian->pid = fork();
    if (guardian->pid == 0) {
        close(ends[1]);
        guard(ends[0], guest, undo, timeout_ms);
    }
    close(ends[0]);
    guardian->pipe = ends[1];
    if (guardian->pid > 0)
        return true;
    close(guardian->pipe);
    return set_error_errno(error, errno, "cannot start the guardian");
}

/* `well` false: the guardian does it now. */
static bool
guardian_dismiss(Guardian *guardian, bool well)
{
    int status = 0;

    if (well)
        (void)!write(guardian->pipe, "", 1);
    close(guardian->pipe);
    while (waitpid(guardian->pid, &status, 0) < 0 && errno == EINTR) {
    }
    return well;
}

typedef bool (*CopyStep)(const char *source, const char *target, GError **error);

/* Between `stop` and `go` of the guest. */
static bool
copy_stopped(const Guest *guest, const char *stop, const char *go, int timeout_ms, CopyStep copy,
             const char *source, const char *target, GError **error)
{
    Guardian guardian;
    GError *undone = NULL;

    if (!guardian_start(guest, go, timeout_ms, &guardian, error))
        return false;
    bool stopped = virsh(guest, stop, FREEZE_MS, NULL, error);
    bool done = stopped && copy(source, target, error);
    /* also after a freeze that failed: it may have frozen some */
    bool running = virsh(guest, go, THAW_MS, NULL, &undone);
    if (stopped && !running) {
        log_warn("the guardian lets '%s' go on: %s", guest->domain, undone->message);
        guardian_dismiss(&guardian, false);
    } else {
        guardian_dismiss(&guardian, true);
    }
    g_clear_error(&undone);
    return done;
}

static bool
share(const char *source, const char *target, GError **error)
{
    return copy_reflink(source, target, error);
}

static bool
copy_any(const char *source, const char *target, GError **error)
{
    CopyResult result;
    return copy_file(source, target, true, &result, error);
}

static bool
is_running(const Guest *guest, bool *running, GError **error)
{
    g_autofree char *state = NULL;

    if (!virsh(guest, "domstate", SECONDS(10), &state, error))
        return false;
    *running = !strcmp(g_strstrip(state), "running");
    return true;
}

static bool
copy_of_running(const Guest *guest, bool may_suspend, const char *source, const char *target,
                const char **how, GError **error)
{
    g_autoptr(GError) unfrozen = NULL;
    /* found out before the guest is touched; what this shares is replaced */
    bool instant = copy_reflink(source, target, NULL);

    *how = "reflink, guest file systems frozen";
    if (instant && copy_stopped(guest, "domfsfreeze", "domfsthaw", INSTANT_MS, share, source,
                                target, &unfrozen))
        return true;
    if (may_suspend) {
        *how = instant ? "reflink, guest suspended" : "copy, guest suspended";
        return copy_stopped(guest, "suspend", "resume", instant ? (int)INSTANT_MS : -1,
                            instant ? share : copy_any, source, target, error);
    }
    if (!instant)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the file system of '%s' cannot share blocks, so '%s' would have to stand "
                         "still for a whole copy (LIVE_COPY=SUSPEND allows it)",
                         source, guest->domain);
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "the guest's file systems cannot be frozen (LIVE_COPY=SUSPEND allows to "
                     "suspend it instead): %s",
                     unfrozen->message);
}

bool
local_frozen_copy(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                  GError **error)
{
    const char *source, *target, *how = "copy, guest not running";
    Guest guest;
    gboolean may_suspend;
    bool running;

    g_variant_get(arguments, "(&s&sb&s&s)", &guest.uri, &guest.domain, &may_suspend, &source,
                  &target);
    if (!is_running(&guest, &running, error))
        return false;
    bool done = running ? copy_of_running(&guest, may_suspend, source, target, &how, error)
                        : copy_any(source, target, error);
    if (!done) {
        unlink(target);
        return false;
    }
    *reply = g_variant_new("(s)", how);
    return true;
}
