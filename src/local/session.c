// SPDX-License-Identifier: Apache-2.0
/*
 * A session's end: builds that nobody finished go, locks are released, but not those of a child
 * that cannot be killed: a *warden* process keeps them until it is gone, so that nobody else
 * works on what that child may still write to.
 */
#include "local/session.h"

#include "base/command.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
close_lock(gpointer fd)
{
    (void)!ftruncate(GPOINTER_TO_INT(fd), 0);
    close(GPOINTER_TO_INT(fd));
}

static void
close_bulk(gpointer fd)
{
    close(GPOINTER_TO_INT(fd));
}

Session *
session_new(void)
{
    Session *session = g_new0(Session, 1);

    session->locks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_lock);
    session->builds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    session->bulks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_bulk);
    session->guardian.socket = -1;
    session->pid = getpid();
    return session;
}

void
session_add_lock(Session *session, const char *key, int fd)
{
    g_hash_table_replace(session->locks, g_strdup(key), GINT_TO_POINTER(fd));
}

int
session_kept(const Session *session, const Operation *operation, GVariant *arguments)
{
    const char *key;

    if (!strcmp(operation->name, "freeze"))
        return session->guardian.socket;
    if (strcmp(operation->name, "lock") != 0 && strcmp(operation->name, "share") != 0)
        return -1;
    g_variant_get_child(arguments, 0, "&s", &key);
    return session_lock_fd(session, key);
}

void
session_keep(Session *session, const Operation *operation, GVariant *arguments, int fd)
{
    const char *key;

    if (!strcmp(operation->name, "freeze")) {
        session_let_go_on(session);
        session->guardian.socket = fd;
    } else {
        g_variant_get_child(arguments, 0, "&s", &key);
        session_add_lock(session, key, fd);
    }
}

void
session_let_go_on(Session *session)
{
    if (session->guardian.socket >= 0)
        close(session->guardian.socket);
    session->guardian = (Guardian){.socket = -1};
}

int
session_lock_fd(const Session *session, const char *key)
{
    gpointer fd;

    return g_hash_table_lookup_extended(session->locks, key, NULL, &fd) ? GPOINTER_TO_INT(fd) : -1;
}

void
session_mark_locks(Session *session, pid_t pid, const char *what)
{
    g_autofree char *line = g_strdup_printf("%d warden still busy: %s", (int)pid, what);
    GHashTableIter locks;
    gpointer fd;

    g_hash_table_iter_init(&locks, session->locks);
    while (g_hash_table_iter_next(&locks, NULL, &fd))
        if (ftruncate(GPOINTER_TO_INT(fd), 0) ||
            pwrite(GPOINTER_TO_INT(fd), line, strlen(line), 0) < 0)
            log_debug("cannot write the holder of a lock");
}

void
session_keep_locks(Session *session)
{
    GHashTableIter locks;
    gpointer key, fd;

    g_hash_table_iter_init(&locks, session->locks);
    while (g_hash_table_iter_next(&locks, &key, &fd)) {
        close(GPOINTER_TO_INT(fd)); /* whoever else has it open keeps the lock */
        g_hash_table_iter_steal(&locks);
        g_free(key);
    }
}

void
session_note(Session *session, const Operation *operation, GVariant *arguments)
{
    const char *path, *text;

    if (!strcmp(operation->name, "build-begin")) {
        g_variant_get(arguments, "(&s&s)", &path, &text);
        g_hash_table_replace(session->builds, g_strdup(path), build_token(text));
    } else if (!strcmp(operation->name, "thaw")) {
        session_let_go_on(session);
    } else if (!strcmp(operation->name, "build-commit") ||
               !strcmp(operation->name, "build-abandon")) {
        g_variant_get(arguments, "(&s&s)", &path, &text);
        g_hash_table_remove(session->builds, path);
    }
}

void
session_abandon_builds(Session *session)
{
    const Operation *abandon = operation_find("build-abandon");
    GHashTableIter builds;
    gpointer path, token;

    g_hash_table_iter_init(&builds, session->builds);
    while (g_hash_table_iter_next(&builds, &path, &token)) {
        GVariant *reply = NULL;
        if (abandon->run(session, g_variant_ref_sink(g_variant_new("(ss)", path, token)), &reply,
                         NULL))
            log_info("dropped the incomplete '%s'", (const char *)path);
        g_hash_table_iter_remove(&builds);
    }
}

/* Lives until `pid` is gone, with all descriptors of the locks. */
static void
be_warden(pid_t pid)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    signal(SIGTERM, SIG_IGN); /* it holds what another must not get */
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    setsid();
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd gone = {.fd = handle, .events = POLLIN};
    if (handle >= 0)
        while (poll(&gone, 1, -1) < 0 && errno == EINTR) {
        }
    else if (errno == ENOSYS) /* kernels before 5.3 */
        while (kill(pid, 0) == 0 || errno == EPERM)
            g_usleep(G_USEC_PER_SEC);
    _exit(0);
}

void
session_free(Session *session)
{
    pid_t left = command_left_behind();

    if (!session)
        return;
    cancel_forget();
    session_let_go_on(session);
    session_abandon_builds(session);
    if (left > 0 && g_hash_table_size(session->locks) > 0) {
        g_autofree char *what = g_strdup_printf("pid %d", (int)left);
        pid_t warden = fork();
        if (warden == 0)
            be_warden(left);
        session_mark_locks(session, warden, what);
        session_keep_locks(session);
    }
    g_hash_table_unref(session->locks);
    g_hash_table_unref(session->builds);
    g_hash_table_unref(session->bulks);
    g_free(session);
}
