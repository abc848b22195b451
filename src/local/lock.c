// SPDX-License-Identifier: Apache-2.0
/*
 * Locks of this machine: flock on files of one private directory.
 *
 * They lie outside the datastores, because flock on a network or FUSE file system means different
 * things on different ones; whoever writes to a volume takes its lock on the machine that writes.
 * The file holds who has the lock, so that a stronger action can end the holder (design: DELETE
 * meets a running CLONE). Files are never removed: removing one that is locked would let two in.
 */
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "local/handlers.h"
#include "local/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLL_US 20000

/* /var/tmp survives a reboot and is writable for everybody; the directory must be ours alone. */
static char *
lock_directory(GError **error)
{
    const char *base = g_getenv("ONEVOL_STATE_DIR");
    g_autofree char *directory =
        base ? g_strdup(base) : g_strdup_printf("/var/tmp/onevol-%u", (unsigned)getuid());
    struct stat info;

    if (mkdir(directory, 0700) && errno != EEXIST) {
        set_error_errno(error, errno, "cannot make '%s'", directory);
        return NULL;
    }
    if (lstat(directory, &info) || !S_ISDIR(info.st_mode) || info.st_uid != getuid() ||
        (info.st_mode & 022)) {
        set_error(error, ONEVOL_ERROR_DENIED,
                  "'%s' must be a directory of this user that no other can write to", directory);
        return NULL;
    }
    return g_steal_pointer(&directory);
}

static int
lock_file_open(const char *key, GError **error)
{
    g_autofree char *directory = lock_directory(error);
    if (!directory)
        return -1;

    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA1, key, -1);
    g_autofree char *path = g_strconcat(directory, "/lock-", hash, NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        set_error_errno(error, errno, "cannot open the lock '%s'", path);
    return fd;
}

static bool
lock_wait(int fd, int kind, gint64 deadline, GError **error)
{
    while (flock(fd, kind | LOCK_NB)) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return set_error_errno(error, errno, "cannot lock");
        if (!cancel_check(error))
            return false;
        if (g_get_monotonic_time() > deadline)
            return set_error(error, ONEVOL_ERROR_BUSY, "still locked");
        g_usleep(POLL_US);
    }
    return true;
}

int
machine_lock(const char *key, GError **error)
{
    /* not the file of the action's own lock on the same volume */
    g_autofree char *own = g_strconcat("build ", key, NULL);
    int fd = lock_file_open(own, error);

    if (fd >= 0 && !lock_wait(fd, LOCK_EX, g_get_monotonic_time() + 10 * G_USEC_PER_SEC, error)) {
        g_prefix_error(error, "cannot lock '%s': ", key);
        close(fd);
        return -1;
    }
    return fd;
}

/* Who holds it: "PID ACTION TEXT". The action is what a second run compares with its own. */
typedef struct Holder {
    int pid;
    char *action;
    char *text;
} Holder;

static void
holder_clear(Holder *holder)
{
    g_clear_pointer(&holder->action, g_free);
    g_clear_pointer(&holder->text, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Holder, holder_clear)

static void
holder_read(int fd, Holder *holder)
{
    char line[1024];
    ssize_t got = pread(fd, line, sizeof line - 1, 0);

    line[got > 0 ? got : 0] = '\0';
    g_auto(GStrv) words = g_strsplit(line, " ", 3);
    bool whole = g_strv_length(words) == 3;
    *holder = (Holder){
        .pid = whole ? (int)g_ascii_strtoll(words[0], NULL, 10) : 0,
        .action = g_strdup(whole ? words[1] : ""),
        .text = one_line(whole ? words[2] : "another process", 300),
    };
}

/* The builders of a disk: the second of them for one disk is a machine made anew, unless it is
 * the very same call again. */
static bool
is_builder(const char *action)
{
    static const char *const builders[] = {"clone", "ln", "mkimage", "mkswap", NULL};
    return g_strv_contains(builders, action);
}

/*
 * Design 4.6: DELETE and a re-created builder end the holder and wait 30 s; the same call again
 * waits 60 s for the first; nobody ends a DELETE.
 */
static bool
ends_holder(const char *action, const char *text, const Holder *holder)
{
    if (!strcmp(holder->action, "delete") || !strcmp(holder->action, "warden"))
        return false;
    if (!strcmp(action, "delete"))
        return true;
    return is_builder(action) && strcmp(text, holder->text) != 0;
}

static bool
lock_from_holder(int fd, const char *action, const char *text, unsigned timeout_ms, GError **error)
{
    g_auto(Holder) holder = {0};
    gint64 wait_ms = MIN(timeout_ms, SECONDS(60));

    g_usleep(2 * POLL_US); /* a holder that has just got it has not written its name yet */
    holder_read(fd, &holder);
    if (holder.pid > 1 && ends_holder(action, text, &holder)) {
        log_info("ending '%s' (process %d) first", holder.text, holder.pid);
        kill(holder.pid, SIGTERM);
        wait_ms = MIN(timeout_ms, SECONDS(30));
    }
    if (!strcmp(holder.action, "warden"))
        wait_ms = MIN(timeout_ms, SECONDS(5)); /* nobody knows when its storage answers */
    if (lock_wait(fd, LOCK_EX, g_get_monotonic_time() + wait_ms * 1000, error))
        return true;
    if (g_error_matches(*error, ONEVOL_ERROR, ONEVOL_ERROR_BUSY)) {
        g_clear_error(error);
        set_error(error, ONEVOL_ERROR_BUSY, "'%s' (process %d) still works on it", holder.text,
                  holder.pid);
    }
    return false;
}

bool
local_lock(Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *key, *action, *text;
    guint32 timeout_ms;
    GError *local = NULL;

    g_variant_get(arguments, "(&s&su)", &key, &text, &timeout_ms);
    g_auto(GStrv) words = g_strsplit(text, " ", 2);
    action = words[0] ? words[0] : "";
    *reply = g_variant_new("()");
    if (g_hash_table_contains(session->locks, key))
        return true; /* one action, one volume, two steps */

    int fd = lock_file_open(key, error);
    if (fd < 0)
        return false;
    if (flock(fd, LOCK_EX | LOCK_NB) && !lock_from_holder(fd, action, text, timeout_ms, &local)) {
        close(fd);
        g_propagate_error(error, local);
        return false;
    }
    g_autofree char *line = g_strdup_printf("%d %s %s", (int)session->pid, action, text);
    if (ftruncate(fd, 0) || pwrite(fd, line, strlen(line), 0) < 0)
        log_debug("cannot write the holder of lock '%s'", key);
    session_add_lock(session, key, fd);
    return true;
}

bool
local_share(Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *key;
    guint32 timeout_ms;

    g_variant_get(arguments, "(&su)", &key, &timeout_ms);
    *reply = g_variant_new("()");
    if (g_hash_table_contains(session->locks, key))
        return true;
    int fd = lock_file_open(key, error);
    if (fd < 0)
        return false;
    if (!lock_wait(fd, LOCK_SH, g_get_monotonic_time() + (gint64)timeout_ms * 1000, error)) {
        g_prefix_error(error, "'%s': ", key);
        close(fd);
        return false;
    }
    session_add_lock(session, key, fd);
    return true;
}

bool
local_unshare(Session *session, GVariant *arguments, GVariant **reply, G_GNUC_UNUSED GError **error)
{
    const char *key;

    g_variant_get(arguments, "(&s)", &key);
    int fd = session_lock_fd(session, key);
    bool last = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!last)
        g_hash_table_remove(session->locks, key);
    *reply = g_variant_new("(b)", last);
    return true;
}

bool
local_unlock(Session *session, GVariant *arguments, GVariant **reply, G_GNUC_UNUSED GError **error)
{
    const char *key;

    g_variant_get(arguments, "(&s)", &key);
    g_hash_table_remove(session->locks, key);
    *reply = g_variant_new("()");
    return true;
}
