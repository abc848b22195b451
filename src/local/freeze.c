// SPDX-License-Identifier: Apache-2.0
/*
 * A copy of a running guest's disk, in one request: freeze, share the blocks or run the storage's
 * own command for a snapshot, thaw. Where neither is to be had libvirt copies (blockjob.h), of the
 * instant for which it is frozen.
 *
 * A guardian lets the guest go on whoever dies, within ten seconds; another ends a job that nobody
 * waits for. Who comes next for the same guest waits for both, which would let the guest go on in
 * the middle of the other's copy. A guest that cannot be frozen is suspended for the instant, if
 * LIVE_COPY=SUSPEND allows that: the rule is one for all ways to copy.
 */
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "local/blockjob.h"
#include "local/guardian.h"
#include "local/handlers.h"
#include "local/session.h"
#include "mover/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS SECONDS(5)
#define STOP_MS SECONDS(6)     /* libvirt gives an agent that does not answer up after 5 */
#define INSTANT_MS SECONDS(7)  /* after that the guardian thaws by itself */
#define COMMAND_MS SECONDS(5)  /* for the command that makes an instant copy, and a flush before */
#define STILL_MS SECONDS(60)   /* for the same while no guest waits */
#define GO_MS SECONDS(3)       /* for one try to thaw */
#define GUARDIAN_MS SECONDS(8) /* at most this long we wait for the guardian */
#define ABORT_MS SECONDS(20)   /* for the one that ends a job */
#define TRIES 30u     /* of the guardian, while libvirt does not answer: it may be restarting */
#define REFUSALS 3u   /* after so many it believes its no */
#define PAUSE_MS 200u /* after the first try; doubles up to eight times that */

typedef struct Way {
    const char *stop, *go, *what;
} Way;

static const Way freeze = {"domfsfreeze", "domfsthaw", "guest file systems frozen"};
static const Way suspend = {"suspend", "resume", "guest suspended"};

typedef struct Copy {
    Guest guest;
    const char *source, *target;
    const Argv *snapshot; /* makes the copy in no time; NULL: blocks are shared by the kernel */
    bool instant;         /* one of both works here */
    BlockJob *job;        /* while libvirt copies */
    int lock;             /* of the guest, which guardians keep */
} Copy;

static bool
order(const Copy *copy, const char *command, unsigned timeout_ms, char **out, GError **error)
{
    return guest_virsh(&copy->guest, WORDS(command), NULL, timeout_ms, out, error);
}

static void
become_virsh(const Copy *copy, const char *go, int output)
{
    setpgid(0, 0);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execlp("virsh", "virsh", "-q", "-c", copy->guest.uri, go, copy->guest.domain, NULL);
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
            guardian_pause(10);
        }
    }
    if (child > 0)
        kill(-child, SIGKILL);
    close(ends[0]);
    close(ends[1]);
    return answer;
}

/* What a guardian of a guest that stands still is given. */
typedef struct Stop {
    const Copy *copy;
    const Way *way;
} Stop;

static bool
let_go_on(const void *data)
{
    const Stop *stop = data;
    unsigned refusals = 0;

    for (unsigned try = 0; try < TRIES && refusals < REFUSALS; try++) {
        Answer answer = try_to_go(stop->copy, stop->way->go);
        guardian_pause(PAUSE_MS << MIN(try, 3));
        if (answer == DONE) {
            /* an order to stop may have been on its way when its sender died */
            try_to_go(stop->copy, stop->way->go);
            return true;
        }
        refusals += answer == REFUSED;
    }
    return false;
}

/* The guest goes on. Not even a signal to us stops that; it counts afterwards. */
static int
go_on(const Copy *copy, const Way *way, Guardian *guardian, bool stopped, const GError *refused)
{
    g_autoptr(GError) error = NULL;
    bool cancelled = cancel_requested();

    cancel_forget();
    bool never = !stopped && is_answer(refused);
    bool running = order(copy, way->go, GO_MS, NULL, &error) || answer_of(error->message) == DONE;
    if (stopped && !running)
        log_warn("the guardian lets '%s' go on: %s", copy->guest.domain, error->message);
    int acted = guardian_dismiss(guardian, running || never, GUARDIAN_MS);
    if (cancelled)
        raise(SIGTERM);
    return acted;
}

static bool
run_snapshot(const Copy *copy, unsigned timeout_ms, GError **error)
{
    gint64 end = g_get_monotonic_time() / 1000 + timeout_ms;

    if (!flush_file(copy->source, error))
        return false;
    gint64 left = end - g_get_monotonic_time() / 1000;
    if (left <= 0)
        return set_error(error, ONEVOL_ERROR_TIMEOUT, "flushing '%s' took more than %u s",
                         copy->source, timeout_ms / 1000);
    CommandOptions options = {.timeout_ms = (unsigned)left};
    if (!command_check(copy->snapshot, &options, NULL, error))
        return false;
    if (access(copy->target, F_OK) == 0)
        return true;
    return set_error(error, ONEVOL_ERROR_FAILED, "%s made no '%s'", argv_words(copy->snapshot)[0],
                     copy->target);
}

/* What is done while the guest stands still. */
typedef bool (*Act)(const Copy *copy, GError **error);

static bool
take(const Copy *copy, GError **error)
{
    return copy->snapshot ? run_snapshot(copy, COMMAND_MS, error)
                          : copy_reflink(copy->source, copy->target, error);
}

static bool
take_whole(const Copy *copy, GError **error)
{
    CopyResult result;

    return copy_file(copy->source, copy->target, true, NULL, &result, error);
}

static bool
begin_job(const Copy *copy, GError **error)
{
    return block_job_begin(copy->job, COMMAND_MS, error);
}

static bool
finish_job(const Copy *copy, GError **error)
{
    return block_job_finish(copy->job, COMMAND_MS, error);
}

/* `act` between stop and go. *stopped: that did work, so it is no use to try another way. */
static bool
act_stopped(const Copy *copy, const Way *way, Act act, bool *stopped, GError **error)
{
    GError *local = NULL;
    Guardian guardian = {.socket = -1};
    const Stop stop = {copy, way};
    int limit = act == take_whole ? -1 : (int)INSTANT_MS;

    *stopped = false;
    if (!guardian_start(&guardian, let_go_on, &stop, limit, copy->lock, error))
        return false;
    *stopped = order(copy, way->stop, STOP_MS, NULL, &local);
    bool done = *stopped && act(copy, &local);
    int acted = go_on(copy, way, &guardian, *stopped, local);
    if (acted & GUARDIAN_IN_VAIN) {
        g_clear_error(&local);
        done = set_error(&local, ONEVOL_ERROR_TIMEOUT,
                         "guest '%s' may still stand still: `virsh -c %s %s %s` does not work",
                         copy->guest.domain, copy->guest.uri, way->go, copy->guest.domain);
    } else if (done && (acted & GUARDIAN_LATE)) {
        done = set_error(&local, ONEVOL_ERROR_TIMEOUT,
                         "the copy took more than %u s, in which guest '%s' was let go on",
                         INSTANT_MS / 1000, copy->guest.domain);
    }
    if (local)
        g_propagate_error(error, local);
    return done;
}

/* Frozen, or suspended where that fails and is allowed. */
static bool
act_at_an_instant(const Copy *copy, Act act, bool may_suspend, const Way **way, GError **error)
{
    g_autoptr(GError) refused = NULL;
    bool stopped = false;

    *way = &freeze;
    if (act_stopped(copy, *way, act, &stopped, &refused))
        return true;
    if (!stopped && may_suspend && !cancel_requested()) {
        log_info("not frozen but suspended: %s", refused->message);
        *way = &suspend;
        return act_stopped(copy, *way, act, &stopped, error);
    }
    if (!stopped && !may_suspend && is_answer(refused))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the file systems of guest '%s' cannot be frozen (LIVE_COPY=SUSPEND "
                         "allows to suspend it instead): %s",
                         copy->guest.domain, refused->message);
    g_propagate_error(error, g_steal_pointer(&refused));
    return false;
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
                              copy->guest.uri, copy->guest.domain, copy->source);
}

static bool
is_running(const Copy *copy, bool *running, GError **error)
{
    static const char *const still[] = {"paused", "shut off", "crashed", "pmsuspended", NULL};
    g_autofree char *state = NULL;
    GError *local = NULL;

    if (order(copy, "domstate", LOOK_MS, &state, &local)) {
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

    bool done = copy->snapshot ? run_snapshot(copy, STILL_MS, error)
                               : copy_file(copy->source, copy->target, true, NULL, &result, error);
    if (!done || !is_running(copy, &running, error))
        return false;
    return !running ||
           set_error(error, ONEVOL_ERROR_BUSY, "guest '%s' went on while its disk was copied",
                     copy->guest.domain);
}

/* Found out before the guest is touched; what is shared by then is replaced, and what is flushed
 * does not keep it waiting. */
static bool
find_method(Copy *copy, GError **error)
{
    g_autoptr(GError) refused = NULL;

    copy->instant = copy->snapshot ? flush_file(copy->source, &refused)
                                   : copy_reflink(copy->source, copy->target, &refused);
    if (copy->instant || g_error_matches(refused, ONEVOL_ERROR, ONEVOL_ERROR_UNSUPPORTED))
        return true;
    g_propagate_error(error, g_steal_pointer(&refused));
    return false;
}

/* Before a mirror, whose instant comes after all has been copied. */
static bool
can_be_stopped(const Copy *copy, bool may_suspend, GError **error)
{
    GError *refused = NULL;

    if (may_suspend || order(copy, "domfsinfo", LOOK_MS, NULL, &refused))
        return true;
    set_error(
        error, ONEVOL_ERROR_REFUSED,
        "the file systems of guest '%s' cannot be frozen (LIVE_COPY=SUSPEND allows to suspend "
        "it instead): %s",
        copy->guest.domain, refused->message);
    g_error_free(refused);
    return false;
}

static bool
run_job(const Copy *copy, bool may_suspend, const Way **way, GError **error)
{
    BlockJob *job = copy->job;

    if (job->kind == BLOCK_JOB_BACKUP)
        return act_at_an_instant(copy, begin_job, may_suspend, way, error) &&
               block_job_wait(job, error);
    return can_be_stopped(copy, may_suspend, error) && block_job_begin(job, COMMAND_MS, error) &&
           block_job_wait(job, error) &&
           act_at_an_instant(copy, finish_job, may_suspend, way, error);
}

/* *taken: libvirt had agreed to copy, so that another way is of no use. */
static bool
copy_by_job(Copy *copy, const GuestDisk *disk, BlockJobKind kind, bool may_suspend, bool *taken,
            char **how, GError **error)
{
    BlockJob job = {&copy->guest, kind, disk, copy->target, false, false};
    Guardian guardian;
    const Way *way = NULL;

    *taken = false;
    if (!guardian_start(&guardian, block_job_abort, &job, -1, copy->lock, error))
        return false;
    copy->job = &job;
    bool done = run_job(copy, may_suspend, &way, error);
    copy->job = NULL;
    *taken = job.taken;
    if (guardian_dismiss(&guardian, !job.begun, ABORT_MS))
        log_warn("libvirt may still be at a copy of a disk of guest '%s'", copy->guest.domain);
    *how = g_strdup_printf("%s, %s", kind == BLOCK_JOB_BACKUP ? "libvirt backup" : "libvirt mirror",
                           way ? way->what : "");
    return done && block_job_settle(&job, error);
}

/* No other way to copy would help: a guest that cannot be stopped, or nobody knows what happened.
 */
static bool
is_final(const GError *refused)
{
    return !is_answer(refused) || refused->code == ONEVOL_ERROR_REFUSED || cancel_requested();
}

/* The file system cannot share blocks. */
static bool
copy_by_libvirt(Copy *copy, bool may_suspend, bool *taken, char **how, GError **error)
{
    g_auto(GuestDisk) disk = {0};
    g_autoptr(GError) refused = NULL;

    *taken = false;
    unlink(copy->target); /* libvirt wants to make it itself */
    if (!guest_disk_find(&copy->guest, copy->source, &disk, error))
        return false;
    if (copy_by_job(copy, &disk, BLOCK_JOB_BACKUP, may_suspend, taken, how, &refused))
        return true;
    if (*taken || is_final(refused)) {
        g_propagate_error(error, g_steal_pointer(&refused));
        return false;
    }
    log_info("no backup but a mirror: %s", refused->message);
    g_clear_pointer(how, g_free);
    unlink(copy->target);
    return copy_by_job(copy, &disk, BLOCK_JOB_MIRROR, may_suspend, taken, how, error);
}

static bool
copy_slowly(Copy *copy, bool may_suspend, char **how, GError **error)
{
    g_autoptr(GError) refused = NULL;
    bool taken, stopped;

    if (copy_by_libvirt(copy, may_suspend, &taken, how, &refused))
        return true;
    if (taken || is_final(refused)) {
        g_propagate_error(error, g_steal_pointer(&refused));
        return false;
    }
    if (!may_suspend)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the file system of '%s' cannot share blocks, and libvirt cannot copy it "
                         "for the running guest '%s' (LIVE_COPY=SUSPEND allows to suspend it): %s",
                         copy->source, copy->guest.domain, refused->message);
    log_info("copied by hand: %s", refused->message);
    g_clear_pointer(how, g_free);
    *how = g_strdup_printf("copy, %s", suspend.what);
    return act_stopped(copy, &suspend, take_whole, &stopped, error);
}

static bool
copy_of_running(Copy *copy, bool may_suspend, char **how, GError **error)
{
    const Way *way;

    if (!find_method(copy, error))
        return false;
    if (!copy->instant)
        return copy_slowly(copy, may_suspend, how, error);
    bool done = act_at_an_instant(copy, take, may_suspend, &way, error);
    *how = g_strdup_printf("%s, %s", copy->snapshot ? "snapshot" : "reflink", way->what);
    return done;
}

bool
local_frozen_copy(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                  GError **error)
{
    g_autofree char *how = NULL;
    g_autofree const char **words = NULL;
    Copy copy = {0};
    gboolean may_suspend;
    bool running;

    g_variant_get(arguments, "(&s&sb^a&s&s&s)", &copy.guest.uri, &copy.guest.domain, &may_suspend,
                  &words, &copy.source, &copy.target);
    g_autoptr(Argv) snapshot = words[0] ? argv_new_strv(words) : NULL;
    copy.snapshot = snapshot;
    g_autofree char *guest = g_strdup_printf("guest %s of %s", copy.guest.domain, copy.guest.uri);
    copy.lock = machine_lock(guest, error);
    if (copy.lock < 0)
        return false;
    bool done =
        is_running(&copy, &running, error) &&
        (running ? copy_of_running(&copy, may_suspend, &how, error) : copy_of_still(&copy, error));
    close(copy.lock);
    if (!done) {
        unlink(copy.target);
        return false;
    }
    *reply = g_variant_new("(s)", how ? how : "copy, guest not running");
    return true;
}
