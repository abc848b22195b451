// SPDX-License-Identifier: Apache-2.0
/*
 * A copy of a running guest's disk, in one request: freeze, share the blocks or run the storage's
 * own command for a snapshot, thaw. Where neither is to be had libvirt copies (blockjob.h), of the
 * instant for which it is frozen.
 *
 * A guardian (still.h) lets the guest go on whoever dies; another ends a job that nobody waits for,
 * and holds the guest's lock too. A guest that cannot be frozen is suspended for the instant, if
 * LIVE_COPY=SUSPEND allows that: the rule is one for all ways to copy.
 */
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "local/blockjob.h"
#include "local/guardian.h"
#include "local/handlers.h"
#include "local/session.h"
#include "local/still.h"
#include "mover/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS SECONDS(5)
#define COMMAND_MS SECONDS(5) /* for the command that makes an instant copy, and a flush before */
#define SHUT_MS SECONDS(60)   /* for the same while no guest waits */
#define ABORT_MS SECONDS(20)  /* for the guardian that ends a job */

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
    Still still = {
        .guest = copy->guest, .way = way, .limit_ms = act == take_whole ? -1 : (int)STILL_LIMIT_MS};

    bool begun = still_begin(&still, copy->lock, &local);
    *stopped = still.stopped;
    bool done = begun && act(copy, &local);
    if (still.guardian.pid > 0) {
        GError *worse = NULL;
        if (!still_end(&still, local, &worse)) {
            g_clear_error(&local);
            local = worse;
            done = false;
        }
    }
    if (local)
        g_propagate_error(error, local);
    return done;
}

static bool
refuse_to_suspend(const Guest *guest, const GError *refused, GError **error)
{
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "the file systems of guest '%s' cannot be frozen (LIVE_COPY=SUSPEND allows to "
                     "suspend it instead): %s",
                     guest->domain, refused->message);
}

/* Frozen, or suspended where that fails and is allowed. */
static bool
act_at_an_instant(const Copy *copy, Act act, bool may_suspend, const Way **way, GError **error)
{
    g_autoptr(GError) refused = NULL;
    bool stopped = false;

    *way = &way_freeze;
    if (act_stopped(copy, *way, act, &stopped, &refused))
        return true;
    if (!stopped && may_suspend && !cancel_requested()) {
        log_info("not frozen but suspended: %s", refused->message);
        *way = &way_suspend;
        return act_stopped(copy, *way, act, &stopped, error);
    }
    if (!stopped && !may_suspend && is_answer(refused))
        return refuse_to_suspend(&copy->guest, refused, error);
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
    GError *local = NULL;

    if (guest_is_running(&copy->guest, running, &local))
        return true;
    if (!g_error_matches(local, ONEVOL_ERROR, ONEVOL_ERROR_NOT_FOUND)) {
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

    bool done = copy->snapshot ? run_snapshot(copy, SHUT_MS, error)
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
    g_autoptr(GError) refused = NULL;

    return may_suspend || order(copy, "domfsinfo", LOOK_MS, NULL, &refused) ||
           refuse_to_suspend(&copy->guest, refused, error);
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
    *how = g_strdup_printf("copy, %s", way_suspend.what);
    return act_stopped(copy, &way_suspend, take_whole, &stopped, error);
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
    copy.lock = still_lock(&copy.guest, error);
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

/*
 * The same instant for a snapshot that is no command on this machine: between `freeze` and `thaw`
 * the front-end asks the storage for it. The session holds the guardian, so that it acts when the
 * session, the agent or the front-end is gone.
 */

static bool
stop_by(Session *session, Still *still, int lock, GError **error)
{
    GError *refused = NULL;

    if (still_begin(still, lock, &refused)) {
        session->guardian = still->guardian;
        return true;
    }
    if (still->guardian.pid > 0) {
        GError *worse = NULL;
        if (!still_end(still, refused, &worse)) {
            g_clear_error(&refused);
            refused = worse;
        }
    }
    g_propagate_error(error, refused);
    return false;
}

static bool
stop_guest(Session *session, Still *still, bool may_suspend, int lock, GError **error)
{
    g_autoptr(GError) refused = NULL;

    still->way = &way_freeze;
    if (stop_by(session, still, lock, &refused))
        return true;
    if (still->stopped || !is_answer(refused) || cancel_requested()) {
        g_propagate_error(error, g_steal_pointer(&refused));
        return false;
    }
    if (!may_suspend)
        return refuse_to_suspend(&still->guest, refused, error);
    log_info("not frozen but suspended: %s", refused->message);
    still->way = &way_suspend;
    return stop_by(session, still, lock, error);
}

bool
local_freeze(Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    Still still = {.guardian = {.socket = -1}};
    gboolean may_suspend;
    guint32 limit_ms;
    bool running;

    g_variant_get(arguments, "(&s&sbu)", &still.guest.uri, &still.guest.domain, &may_suspend,
                  &limit_ms);
    still.limit_ms = (int)MIN(limit_ms, STILL_LIMIT_MS);
    if (!guardian_is_gone(&session->guardian))
        return set_error(error, ONEVOL_ERROR_BUSY, "another guest stands still");
    session_let_go_on(session); /* of one that has acted */
    int lock = still_lock(&still.guest, error);
    if (lock < 0)
        return false;
    bool done = guest_is_running(&still.guest, &running, error) &&
                (!running || stop_guest(session, &still, may_suspend, lock, error));
    close(lock); /* the guardian keeps it */
    if (done)
        *reply = g_variant_new("(s)", running ? still.way->what : "guest not running");
    return done;
}

bool
local_thaw(Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    Still still = {.guardian = session->guardian, .stopped = true};
    const char *how;
    guint32 limit_ms;
    bool running;

    g_variant_get(arguments, "(&s&s&su)", &still.guest.uri, &still.guest.domain, &how, &limit_ms);
    still.limit_ms = (int)MIN(limit_ms, STILL_LIMIT_MS);
    still.way = !strcmp(how, way_freeze.what)    ? &way_freeze
                : !strcmp(how, way_suspend.what) ? &way_suspend
                                                 : NULL;
    if (still.way) {
        if (still.guardian.socket < 0)
            return set_error(error, ONEVOL_ERROR_USAGE, "no guest stands still");
        session->guardian = (Guardian){.socket = -1};
        if (!still_end(&still, NULL, error))
            return false;
    } else {
        if (!guest_is_running(&still.guest, &running, error))
            return false;
        if (running)
            return set_error(error, ONEVOL_ERROR_BUSY,
                             "guest '%s' went on while its snapshot was made", still.guest.domain);
    }
    *reply = g_variant_new("()");
    return true;
}
