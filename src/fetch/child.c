// SPDX-License-Identifier: Apache-2.0
#include "fetch/child.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_LIMIT 4000u
#define POLL_MS 200

typedef struct ChildBytes {
    Bytes bytes;
    CommandChild child;
    char *program, *name;
    GString *said; /* on stderr */
    unsigned silence_ms;
    guint64 position;
    bool ended;
} ChildBytes;

static void
listen_to_stderr(ChildBytes *self)
{
    char buffer[1024];
    ssize_t got = read(self->child.err, buffer, sizeof buffer);

    if (got > 0 && self->said->len < SAID_LIMIT)
        g_string_append_len(self->said, buffer, got);
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
        fd_close(&self->child.err);
}

static bool
stopped(const ChildBytes *self, GError **error)
{
    if (!cancel_check(error))
        return true;
    return g_atomic_int_get(&self->bytes.stop) &&
           !set_error(error, ONEVOL_ERROR_CANCELLED, "reading '%s' was stopped", self->name);
}

/* Until there is something on stdout, or its end. */
static bool
wait_for_output(ChildBytes *self, GError **error)
{
    gint64 start = g_get_monotonic_time();

    for (;;) {
        struct pollfd fds[] = {
            {.fd = self->child.out, .events = POLLIN},
            {.fd = self->child.err, .events = POLLIN}, /* a closed one is -1, and ignored */
        };
        if (stopped(self, error))
            return false;
        if (poll(fds, G_N_ELEMENTS(fds), POLL_MS) < 0 && errno != EINTR)
            return set_error_errno(error, errno, "cannot wait for %s", self->program);
        if (fds[1].revents)
            listen_to_stderr(self);
        if (fds[0].revents)
            return true;
        if (g_get_monotonic_time() - start > (gint64)self->silence_ms * 1000)
            return set_error(error, ONEVOL_ERROR_TIMEOUT, "%s sends nothing of '%s' for %u s",
                             self->program, self->name, self->silence_ms / 1000);
    }
}

/* Its exit status tells whether that was all. */
static bool
judge_end(ChildBytes *self, GError **error)
{
    int status = 0;

    self->ended = true;
    fd_close(&self->child.out);
    fd_close(&self->child.in);
    if (!command_reap(self->child.pid, &status, 10000))
        return set_error(error, ONEVOL_ERROR_TIMEOUT, "%s does not end", self->program);
    self->child.pid = 0;
    for (struct pollfd fd = {.fd = self->child.err, .events = POLLIN};
         self->child.err >= 0 && poll(&fd, 1, 0) > 0;) /* a shared connection may keep it open */
        listen_to_stderr(self);
    if (status != 0) {
        g_autofree char *said = one_line(self->said->str, 300);
        OnevolError code = strstr(said, "No such file")       ? ONEVOL_ERROR_NOT_FOUND
                           : strstr(said, "ermission denied") ? ONEVOL_ERROR_DENIED
                           : WIFEXITED(status) && WEXITSTATUS(status) == 255
                               ? ONEVOL_ERROR_UNREACHABLE
                               : ONEVOL_ERROR_FAILED;
        g_autofree char *how = WIFEXITED(status)
                                   ? g_strdup_printf("exited %d", WEXITSTATUS(status))
                                   : g_strdup_printf("died of signal %d", WTERMSIG(status));
        return set_error(error, code, "cannot read '%s': %s %s%s%s", self->name, self->program, how,
                         *said ? ": " : "", said);
    }
    if (self->bytes.has_size && self->position != self->bytes.size)
        return set_error(error, ONEVOL_ERROR_CORRUPT,
                         "'%s' has %" G_GUINT64_FORMAT " bytes, and %" G_GUINT64_FORMAT " came",
                         self->name, self->bytes.size, self->position);
    return true;
}

static bool
child_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    ChildBytes *self = (ChildBytes *)bytes;
    ssize_t count;

    *got = 0;
    if (self->ended)
        return true;
    do {
        if (!wait_for_output(self, error))
            return false;
        count = read(self->child.out, buffer, length);
    } while (count < 0 && (errno == EINTR || errno == EAGAIN));
    if (count < 0)
        return set_error_errno(error, errno, "cannot read '%s'", self->name);
    if (count == 0)
        return judge_end(self, error);
    self->position += (guint64)count;
    if (bytes->has_size && self->position > bytes->size)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' changed while it was read", self->name);
    *got = (size_t)count;
    return true;
}

static void
child_free(Bytes *bytes)
{
    ChildBytes *self = (ChildBytes *)bytes;
    int status;

    fd_close(&self->child.in);
    fd_close(&self->child.out);
    if (self->child.pid > 0) { /* with what it has started */
        kill(-self->child.pid, SIGTERM);
        if (!command_reap(self->child.pid, &status, 500)) {
            kill(-self->child.pid, SIGKILL);
            command_reap(self->child.pid, &status, 500);
        }
    }
    fd_close(&self->child.err);
    g_string_free(self->said, TRUE);
    g_free(self->program);
    g_free(self->name);
    g_free(self);
}

Bytes *
bytes_of_child(const CommandChild *child, const char *program, const char *name,
               unsigned silence_ms)
{
    ChildBytes *self = g_new0(ChildBytes, 1);

    self->bytes = (Bytes){.read = child_read, .free = child_free};
    self->child = *child;
    fd_close(&self->child.in);
    self->program = g_strdup(program);
    self->name = g_strdup(name);
    self->silence_ms = silence_ms;
    self->said = g_string_new(NULL);
    return &self->bytes;
}

char *
child_line(Bytes *child, GError **error)
{
    g_autoptr(GString) line = g_string_new(NULL);

    while (line->len < 8192) {
        char c;
        size_t got;
        if (!bytes_read(child, &c, 1, &got, error))
            return NULL;
        if (got == 0 || c == '\n')
            break;
        g_string_append_c(line, c);
    }
    return g_string_free(g_steal_pointer(&line), FALSE);
}

void
child_expect(Bytes *child, guint64 size)
{
    ChildBytes *self = (ChildBytes *)child;

    self->position = 0;
    child->size = size;
    child->has_size = true;
}
