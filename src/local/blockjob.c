// SPDX-License-Identifier: Apache-2.0
#include "local/blockjob.h"

#include "base/command.h"
#include "base/error.h"
#include "base/fd.h"
#include "local/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_MS SECONDS(5)
#define ABORT_MS SECONDS(10)
#define STALL_MS SECONDS(60) /* without any progress */
#define LOOKS 40u            /* of a guardian at most, so many times QUIET_MS or a little more */
#define QUIET 4u             /* times that nothing is seen until a guardian believes it */
#define QUIET_MS 300u

/* Only this disk; releases differ in what they do with disks that are not named. */
static char *
backup_document(const BlockJob *job)
{
    g_autoptr(GString) xml = g_string_new("<domainbackup mode='push'><disks>");
    g_auto(GStrv) others = g_strsplit(job->disk->others, " ", -1);

    g_autofree char *disk = g_markup_printf_escaped(
        "<disk name='%s' backup='yes' type='file'><driver type='%s'/><target file='%s'/></disk>",
        job->disk->device, job->disk->format, job->target);
    g_string_append(xml, disk);
    for (char **other = others; *other; other++) {
        g_autofree char *no = g_markup_printf_escaped("<disk name='%s' backup='no'/>", *other);
        if (**other)
            g_string_append(xml, no);
    }
    g_string_append(xml, "</disks></domainbackup>");
    return g_string_free(g_steal_pointer(&xml), FALSE);
}

static bool
begin_backup(BlockJob *job, unsigned timeout_ms, GError **error)
{
    g_autofree char *xml = backup_document(job);

    return guest_virsh(job->guest, WORDS("backup-begin", "/dev/stdin"), xml, timeout_ms, NULL,
                       error);
}

static bool
begin_mirror(BlockJob *job, unsigned timeout_ms, GError **error)
{
    const char *device = job->disk->device, *format = job->disk->format;
    GError *local = NULL;

    if (guest_virsh(job->guest,
                    WORDS("blockcopy", device, "--dest", job->target, "--format", format), NULL,
                    timeout_ms, NULL, &local))
        return true;
    /* a domain that is also defined, unlike OpenNebula's */
    if (!is_answer(local) || !strstr(local->message, "transient")) {
        g_propagate_error(error, local);
        return false;
    }
    g_error_free(local);
    return guest_virsh(
        job->guest,
        WORDS("blockcopy", device, "--dest", job->target, "--format", format, "--transient-job"),
        NULL, timeout_ms, NULL, error);
}

bool
block_job_begin(BlockJob *job, unsigned timeout_ms, GError **error)
{
    GError *local = NULL;

    job->begun = true;
    if (job->kind == BLOCK_JOB_BACKUP ? begin_backup(job, timeout_ms, &local)
                                      : begin_mirror(job, timeout_ms, &local)) {
        job->taken = true;
        return true;
    }
    job->begun = !is_answer(local);
    g_propagate_error(error, local);
    return false;
}

typedef enum { JOB_RUNS, JOB_READY, JOB_GONE } JobState;

/* The lines of domjobinfo that begin with `name`, joined: how far it is. */
static char *
lines_of(const char *text, const char *name)
{
    g_autoptr(GString) found = g_string_new(NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line; line++)
        if (g_str_has_prefix(*line, name))
            g_string_append(found, g_strstrip(*line));
    return g_string_free(g_steal_pointer(&found), FALSE);
}

static bool
says(const char *text, const char *name, const char *value)
{
    g_autofree char *line = lines_of(text, name);

    return g_str_has_suffix(line, value);
}

/* domjobinfo has forgotten a job that is over; what became of it is told once. */
static bool
look_at_backup(const BlockJob *job, JobState *state, char **progress, GError **error)
{
    g_autofree char *now = NULL, *end = NULL;

    if (!guest_virsh(job->guest, WORDS("domjobinfo"), NULL, LOOK_MS, &now, error))
        return false;
    *progress = lines_of(now, "File ");
    *state = JOB_RUNS;
    if (!says(now, "Job type:", "None"))
        return true;
    if (!guest_virsh(job->guest, WORDS("domjobinfo", "--completed"), NULL, LOOK_MS, &end, error))
        return false;
    *state = says(end, "Job type:", "Completed") && says(end, "Operation:", "Backup") ? JOB_READY
                                                                                      : JOB_GONE;
    return true;
}

static bool
look_at_mirror(const BlockJob *job, JobState *state, char **progress, GError **error)
{
    g_auto(GuestDisk) disk = {0};

    if (!guest_virsh(job->guest, WORDS("blockjob", job->disk->device, "--info", "--raw"), NULL,
                     LOOK_MS, progress, error) ||
        !guest_disk_find(job->guest, job->disk->path, &disk, error))
        return false;
    bool ours = disk.mirror && !strcmp(disk.mirror, job->target);
    *state = !ours ? JOB_GONE : disk.ready ? JOB_READY : JOB_RUNS;
    return true;
}

bool
block_job_wait(BlockJob *job, GError **error)
{
    g_autofree char *before = NULL;
    gint64 moved = g_get_monotonic_time();

    for (unsigned pause = 20000;; pause = MIN(pause * 2, 500000)) {
        g_autofree char *progress = NULL;
        JobState state;
        bool seen = cancel_check(error) &&
                    (job->kind == BLOCK_JOB_BACKUP ? look_at_backup(job, &state, &progress, error)
                                                   : look_at_mirror(job, &state, &progress, error));
        if (!seen)
            return false;
        if (state == JOB_READY) {
            job->begun = job->kind == BLOCK_JOB_MIRROR;
            return true;
        }
        if (state == JOB_GONE)
            return set_error(error, ONEVOL_ERROR_FAILED,
                             "libvirt gave up copying disk '%s' of guest '%s'", job->disk->device,
                             job->guest->domain);
        if (g_strcmp0(progress, before) != 0)
            moved = g_get_monotonic_time();
        else if (g_get_monotonic_time() - moved > (gint64)STALL_MS * 1000)
            return set_error(error, ONEVOL_ERROR_TIMEOUT,
                             "libvirt has not moved on with disk '%s' of guest '%s' for %u s",
                             job->disk->device, job->guest->domain, STALL_MS / 1000);
        g_free(before);
        before = g_steal_pointer(&progress);
        g_usleep(pause);
    }
}

bool
block_job_finish(BlockJob *job, unsigned timeout_ms, GError **error)
{
    /* a mirror that has caught up is complete when it is given up */
    if (!guest_virsh(job->guest, WORDS("blockjob", job->disk->device, "--abort"), NULL, timeout_ms,
                     NULL, error))
        return false;
    job->begun = false;
    return true;
}

/* qemu writes zeros as blocks of zeros, which file systems then report as holes. */
static bool
give_back_holes(int fd, off_t size)
{
    off_t hole = 0, data = 0;

    while (data < size && (hole = lseek(fd, data, SEEK_HOLE)) >= 0 && hole < size) {
        data = lseek(fd, hole, SEEK_DATA);
        if (data < 0)
            data = size;
        if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, hole, data - hole))
            return errno == EOPNOTSUPP;
    }
    return true;
}

bool
block_job_settle(const BlockJob *job, GError **error)
{
    AUTO_FD fd = open(job->target, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat info;

    if (fd < 0 || fstat(fd, &info) || fsync(fd) || !give_back_holes(fd, info.st_size) || fsync(fd))
        return set_error_errno(error, errno, "cannot complete '%s', which libvirt has made",
                               job->target);
    return true;
}

typedef enum { SEEN, UNSEEN, UNKNOWN } Sight;

/* Is it this job that runs? Not somebody else's. */
static Sight
look_for(const BlockJob *job)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    g_auto(GuestDisk) disk = {0};

    if (job->kind == BLOCK_JOB_BACKUP) {
        g_autofree char *target = g_markup_escape_text(job->target, -1);
        if (guest_virsh(job->guest, WORDS("backup-dumpxml"), NULL, LOOK_MS, &text, &error))
            return strstr(text, target) ? SEEN : UNSEEN;
    } else if (guest_disk_find(job->guest, job->disk->path, &disk, &error)) {
        return disk.mirror && !strcmp(disk.mirror, job->target) ? SEEN : UNSEEN;
    }
    return is_answer(error) && answer_of(error->message) != NO_ANSWER ? UNSEEN : UNKNOWN;
}

bool
block_job_abort(const void *data)
{
    const BlockJob *job = data;
    unsigned quiet = 0;

    for (unsigned look = 0; look < LOOKS && quiet < QUIET; look++) {
        Sight sight = look_for(job);
        quiet = sight == UNSEEN ? quiet + 1 : 0;
        if (sight == SEEN && job->kind == BLOCK_JOB_BACKUP)
            guest_virsh(job->guest, WORDS("domjobabort"), NULL, ABORT_MS, NULL, NULL);
        else if (sight == SEEN)
            guest_virsh(job->guest, WORDS("blockjob", job->disk->device, "--abort"), NULL, ABORT_MS,
                        NULL, NULL);
        guardian_pause(QUIET_MS);
    }
    return quiet == QUIET;
}
