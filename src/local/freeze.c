// SPDX-License-Identifier: Apache-2.0
/*
 * A copy of a running guest's disk, in one request: freeze, share the blocks, thaw.
 *
 * A guardian process outside of our session and group thaws if this process, its agent, the
 * connection or the front-end dies in between, or does not come back in time: the guest runs again
 * within ten seconds, whatever happens here. Who comes next for the same guest waits for the
 * guardian, which would let the guest go on in the middle of the other's copy.
 */
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "local/handlers.h"
#include "local/session.h"
#include "mover/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS SECONDS(5)
#define STOP_MS SECONDS(6)     /* libvirt gives an agent that does not answer up after 5 */
#define INSTANT_MS SECONDS(7)  /* after that the guardian thaws by itself */
#define GO_MS SECONDS(3)       /* for one try to thaw */
#define GUARDIAN_MS SECONDS(8) /* at most this long we wait for the guardian */
#define TRIES 30u     /* of the guardian, while libvirt does not answer: it may be restarting */
#define REFUSALS 3u   /* after so many it believes its no */
#define PAUSE_MS 200u /* after the first try; doubles up to eight times that */

/* `virsh` may be one of an old host: its words are those that all releases know. */
typedef struct Way {
    const char *stop, *go, *what;
} Way;

static const Way freeze = {"domfsfreeze", "domfsthaw", "guest file systems frozen"};
static const Way suspend = {"suspend", "resume", "guest suspended"};

typedef struct Copy {
    const char *uri, *domain; /* the guest */
    const char *source, *target;
    bool instant; /* the file system shares blocks */
} Copy;

/* Runs `virsh -c URI COMMAND DOMAIN`; `out` may be NULL. */
static bool
virsh(const Copy *copy, const char *command, unsigned timeout_ms, char **out, GError **error)
{
    g_autoptr(Argv) argv = argv_new("virsh", "-q", "-c", copy->uri, command, copy->domain);
    CommandOptions options = {.timeout_ms = timeout_ms};

    if (command_check(argv, &options, out, error))
        return true;
    g_prefix_error(error, "%s: ", command);
    return false;
}

typedef struct Guardian {
    pid_t pid;
    int socket; /* from it: it is ready; to it: all is well; its end: nobody is left to thaw */
} Guardian;

/* What the guardian's exit status says. */
enum {
    GUARDIAN_LATE = 1,    /* it was not told anything in time, and acted */
    GUARDIAN_IN_VAIN = 2, /* it acted, and virsh failed each time */
};

static void
pause_ms(unsigned ms)
{
    while (poll(NULL, 0, (int)ms) < 0 && errno == EINTR) {
    }
}

typedef enum { NO_ANSWER, REFUSED, DONE } Answer;

/* What virsh's text means; the guest that was never stopped goes on, too. */
static Answer
answer_of(const char *text)
{
    if (strstr(text, "already running"))
        return DONE;
    if (strstr(text, "failed to connect") || strstr(text, "state change lock"))
        return NO_ANSWER;
    return REFUSED;
}

static void
become_virsh(const Copy *copy, const char *go, int output)
{
    setpgid(0, 0);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execlp("virsh", "virsh", "-q", "-c", copy->uri, go, copy->domain, NULL);
    _exit(127);
}

/* In the guardian: one try, in a child that cannot hold us up. */
static Answer
try_to_go(const Copy *copy, const char *go)
{
    int status, ends[2];
    char text[1000] = "";

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        return NO_ANSWER;
    pid_t child = fork();
    if (child == 0)
        become_virsh(copy, go, ends[1]);
    Answer answer = NO_ANSWER;
    for (unsigned waited = 0; child > 0 && waited < GO_MS; waited += 10) {
        if (waitpid(child, &status, WNOHANG) == child) {
            (void)!read(ends[0], text, sizeof text - 1);
            answer = status == 0 ? DONE : answer_of(text);
            child = 0;
        } else {
            pause_ms(10);
        }
    }
    if (child > 0)
        kill(-child, SIGKILL);
    close(ends[0]);
    close(ends[1]);
    return answer;
}

static bool
let_go_on(const Copy *copy, const char *go)
{
    unsigned refusals = 0;

    for (unsigned try = 0; try < TRIES && refusals < REFUSALS; try++) {
        Answer answer = try_to_go(copy, go);
        pause_ms(PAUSE_MS << MIN(try, 3));
        if (answer == DONE) {
            /* an order to stop may have been on its way when its sender died */
            try_to_go(copy, go);
            return true;
        }
        refusals += answer == REFUSED;
    }
    return false;
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
guard(int socket, int lock, const Copy *copy, const char *go, int timeout_ms)
{
    struct pollfd wait = {.fd = 3, .events = POLLIN};
    int ready, status = 0;
    char byte;

    leave_the_family(socket, lock);
    if (write(3, "", 1) != 1)
        _exit(0); /* dead already, so nothing was stopped */
    while ((ready = poll(&wait, 1, timeout_ms)) < 0 && errno == EINTR) {
    }
    if (ready > 0 && read(3, &byte, 1) == 1)
        _exit(0);
    if (ready == 0)
        status |= GUARDIAN_LATE;
    if (!let_go_on(copy, go))
        status |= GUARDIAN_IN_VAIN;
    _exit(status);
}

/* On return it is out of reach of what ends us. */
static bool
guardian_start(const Copy *copy, const char *go, int timeout_ms, int lock, Guardian *guardian,
               GError **error)
{
    int ends[2];
    char byte;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return set_error_errno(error, errno, "cannot make a socket");
    guardian->pid = fork();
    if (guardian->pid == 0) {
        close(ends[0]);
        guard(ends[1], lock, copy, go, timeout_ms);
    }
    int number = errno;
    close(ends[1]);
    guardian->socket = ends[0];
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    if (guardian->pid > 0 && poll(&wait, 1, (int)GO_MS) > 0 && read(ends[0], &byte, 1) == 1)
        return true;
    close(guardian->socket);
    return set_error_errno(error, guardian->pid < 0 ? number : ETIME, "cannot start the guardian");
}

/* `well` false: the guardian does it now. Returns what its exit status says. */
static int
guardian_dismiss(Guardian *guardian, bool well)
{
    int status;

    if (well)
        (void)!send(guardian->socket, "", 1, MSG_NOSIGNAL);
    close(guardian->socket);
    if (!command_reap(guardian->pid, &status, GUARDIAN_MS))
        return GUARDIAN_IN_VAIN; /* it tries on */
    return WIFEXITED(status) ? WEXITSTATUS(status) : GUARDIAN_IN_VAIN;
}

/* It said no: nothing is under way any more, and an agent undoes what it froze until then. */
static bool
is_answer(const GError *error)
{
    return error && error->code != ONEVOL_ERROR_TIMEOUT && error->code != ONEVOL_ERROR_CANCELLED;
}

/* The guest goes on. Not even a signal to us stops that; it counts afterwards. */
static int
go_on(const Copy *copy, const Way *way, Guardian *guardian, bool stopped, const GError *refused)
{
    g_autoptr(GError) error = NULL;
    bool cancelled = cancel_requested();

    cancel_forget();
    bool never = !stopped && is_answer(refused);
    bool running = virsh(copy, way->go, GO_MS, NULL, &error) || answer_of(error->message) == DONE;
    if (stopped && !running)
        log_warn("the guardian lets '%s' go on: %s", copy->domain, error->message);
    int acted = guardian_dismiss(guardian, running || never);
    if (cancelled)
        raise(SIGTERM);
    return acted;
}

static bool
take(const Copy *copy, GError **error)
{
    CopyResult result;

    return copy->instant ? copy_reflink(copy->source, copy->target, error)
                         : copy_file(copy->source, copy->target, true, &result, error);
}

/* The copy between stop and go. *stopped: that did work, so it is no use to try another way. */
static bool
copy_stopped(const Copy *copy, const Way *way, int lock, bool *stopped, GError **error)
{
    GError *local = NULL;
    Guardian guardian = {.socket = -1};

    *stopped = false;
    if (!guardian_start(copy, way->go, copy->instant ? (int)INSTANT_MS : -1, lock, &guardian,
                        error))
        return false;
    *stopped = virsh(copy, way->stop, STOP_MS, NULL, &local);
    bool done = *stopped && take(copy, &local);
    int acted = go_on(copy, way, &guardian, *stopped, local);
    if (acted & GUARDIAN_IN_VAIN) {
        g_clear_error(&local);
        done = set_error(&local, ONEVOL_ERROR_TIMEOUT,
                         "guest '%s' may still stand still: `virsh -c %s %s %s` does not work",
                         copy->domain, copy->uri, way->go, copy->domain);
    } else if (done && (acted & GUARDIAN_LATE)) {
        done = set_error(&local, ONEVOL_ERROR_TIMEOUT,
                         "the copy took more than %u s, in which guest '%s' was let go on",
                         INSTANT_MS / 1000, copy->domain);
    }
    if (local)
        g_propagate_error(error, local);
    return done;
}

/* qemu holds locks on what it has open; a wrong LIBVIRT_URI must not make a guest look absent. */
static bool
nobody_has_it_open(const Copy *copy, GError **error)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(copy->source, O_RDWR | O_CLOEXEC);

    bool held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return !held || set_error(error, ONEVOL_ERROR_REFUSED,
                              "libvirt at '%s' knows no guest '%s', but a process uses '%s'",
                              copy->uri, copy->domain, copy->source);
}

static bool
is_running(const Copy *copy, bool *running, GError **error)
{
    static const char *const still[] = {"paused", "shut off", "crashed", "pmsuspended", NULL};
    g_autofree char *state = NULL;
    GError *local = NULL;

    if (virsh(copy, "domstate", LOOK_MS, &state, &local)) {
        *running = !g_strv_contains(still, g_strstrip(state));
        return true;
    }
    if (!strstr(local->message, "failed to get domain")) {
        g_propagate_error(error, local);
        return false;
    }
    g_clear_error(&local);
    *running = false;
    return nobody_has_it_open(copy, error);
}

static bool
copy_of_still(const Copy *copy, GError **error)
{
    CopyResult result;
    bool running;

    if (!copy_file(copy->source, copy->target, true, &result, error) ||
        !is_running(copy, &running, error))
        return false;
    return !running || set_error(error, ONEVOL_ERROR_BUSY,
                                 "guest '%s' went on while its disk was copied", copy->domain);
}

static bool
copy_of_running(Copy *copy, bool may_suspend, int lock, char **how, GError **error)
{
    g_autoptr(GError) refused = NULL;
    const Way *way = &freeze;
    bool stopped = false;

    /* found out before the guest is touched; what this shares is replaced */
    copy->instant = copy_reflink(copy->source, copy->target, &refused);
    if (!copy->instant && !g_error_matches(refused, ONEVOL_ERROR, ONEVOL_ERROR_UNSUPPORTED)) {
        g_propagate_error(error, g_steal_pointer(&refused));
        return false;
    }
    if (!copy->instant && !may_suspend)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the file system of '%s' cannot share blocks, so guest '%s' would have to "
                         "stand still for a whole copy (LIVE_COPY=SUSPEND allows it)",
                         copy->source, copy->domain);
    bool done = copy->instant && copy_stopped(copy, way, lock, &stopped, &refused);
    if (!done && !stopped && may_suspend && !cancel_requested()) {
        if (refused)
            log_info("not frozen but suspended: %s", refused->message);
        g_clear_error(&refused);
        way = &suspend;
        done = copy_stopped(copy, way, lock, &stopped, &refused);
    }
    *how = g_strdup_printf("%s, %s", copy->instant ? "reflink" : "copy", way->what);
    if (!done && !stopped && !may_suspend && is_answer(refused))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the file systems of guest '%s' cannot be frozen (LIVE_COPY=SUSPEND "
                         "allows to suspend it instead): %s",
                         copy->domain, refused->message);
    if (!done)
        g_propagate_error(error, g_steal_pointer(&refused));
    return done;
}

bool
local_frozen_copy(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                  GError **error)
{
    g_autofree char *how = NULL;
    Copy copy = {0};
    gboolean may_suspend;
    bool running;

    g_variant_get(arguments, "(&s&sb&s&s)", &copy.uri, &copy.domain, &may_suspend, &copy.source,
                  &copy.target);
    g_autofree char *guest = g_strdup_printf("guest %s of %s", copy.domain, copy.uri);
    int lock = machine_lock(guest, error);
    if (lock < 0)
        return false;
    bool done = is_running(&copy, &running, error) &&
                (running ? copy_of_running(&copy, may_suspend, lock, &how, error)
                         : copy_of_still(&copy, error));
    close(lock);
    if (!done) {
        unlink(copy.target);
        return false;
    }
    *reply = g_variant_new("(s)", how ? how : "copy, guest not running");
    return true;
}
