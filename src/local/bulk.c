// SPDX-License-Identifier: Apache-2.0
#include "local/bulk.h"

#include "base/command.h"
#include "base/error.h"
#include "base/progress.h"
#include "local/handlers.h"
#include "local/session.h"
#include "mover/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_MS 60000 /* a way that fails comes before the one that works */

/* A name that goes with its socket, in no directory. */
static socklen_t
address_of(const char *ticket, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length =
        g_snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "onevol-bulk-%s", ticket);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

int
bulk_listen(char **ticket, GError **error)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address;

    *ticket = g_uuid_string_random();
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, address_of(*ticket, &address)) == 0 &&
        listen(fd, 4) == 0)
        return fd;
    set_error_errno(error, errno, "cannot listen for a bulk connection");
    if (fd >= 0)
        close(fd);
    g_clear_pointer(ticket, g_free);
    return -1;
}

static bool
peer_is_ours(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == getuid();
}

/* The message of bulk_hand_over(): one byte and two descriptors. */
static bool
take_descriptors(int fd, int fds[2])
{
    char byte;
    struct iovec piece = {&byte, 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};

    if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != 1)
        return false;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(2 * sizeof(int)))
        return false;
    memcpy(fds, CMSG_DATA(header), 2 * sizeof(int));
    return true;
}

bool
bulk_accept(int listener, int fds[2], GError **error)
{
    gint64 deadline = g_get_monotonic_time() + CONNECT_MS * 1000;

    while (g_get_monotonic_time() < deadline) {
        struct pollfd look = {.fd = listener, .events = POLLIN};
        if (!cancel_check(error))
            return false;
        if (poll(&look, 1, 200) <= 0)
            continue;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        /* the connection stays open as long as this process lives: the other side waits for its
         * end */
        if (fd >= 0 && peer_is_ours(fd) && take_descriptors(fd, fds))
            return true;
        if (fd >= 0)
            close(fd);
    }
    return set_error(error, ONEVOL_ERROR_TIMEOUT, "the bulk connection did not come within %d s",
                     CONNECT_MS / 1000);
}

static bool
send_descriptors(int fd, int in, int out)
{
    int fds[2] = {in, out};
    struct iovec piece = {(char[1]){'b'}, 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(header), fds, sizeof fds);
    return sendmsg(fd, &message, MSG_NOSIGNAL) == 1;
}

bool
bulk_hand_over(const char *ticket, int in, int out, GError **error)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;
    char byte;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, address_of(ticket, &address)))
        return set_error_errno(error, errno, "the session of this bulk connection is gone");
    if (!peer_is_ours(fd)) {
        close(fd);
        return set_error(error, ONEVOL_ERROR_DENIED, "somebody else listens for it");
    }
    if (!send_descriptors(fd, in, out))
        return set_error_errno(error, errno, "cannot hand the bulk connection over");
    /* our copies would keep its ends open */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, in);
    dup2(null, out);
    while (read(fd, &byte, 1) < 0 && errno == EINTR && !cancel_requested()) {
    }
    close(fd);
    return true;
}

bool
local_bulk_open(Session *session, G_GNUC_UNUSED GVariant *arguments, GVariant **reply,
                GError **error)
{
    char *ticket;
    int fd = bulk_listen(&ticket, error);

    if (fd < 0)
        return false;
    *reply = g_variant_new("(s)", ticket);
    g_hash_table_insert(session->bulks, ticket, GINT_TO_POINTER(fd));
    return true;
}

static bool
connection_of(Session *session, const char *ticket, int fds[2], GError **error)
{
    gpointer listener;

    if (!g_hash_table_lookup_extended(session->bulks, ticket, NULL, &listener))
        return set_error(error, ONEVOL_ERROR_USAGE, "nobody has asked for bulk connection '%s'",
                         ticket);
    return bulk_accept(GPOINTER_TO_INT(listener), fds, error);
}

static GVariant *
result_variant(const StreamResult *result)
{
    return g_variant_new(
        "(ttt@ay)", result->size, result->data, result->sent,
        g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, result->digest, DIGEST_LENGTH, 1));
}

bool
local_send(Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    StreamSource source = {0};
    const char *ticket;
    gboolean tree;
    int fds[2];
    StreamResult result;

    g_variant_get(arguments, "(&s&sbtt)", &ticket, &source.path, &tree, &source.rate,
                  &source.length);
    source.tree = tree;
    if (!connection_of(session, ticket, fds, error))
        return false;
    StreamLink out = {.fd = fds[1]};
    progress_begin(source.path);
    bool done = stream_send(&out, &source, &result, error);
    progress_end();
    close(fds[0]);
    close(fds[1]);
    if (done)
        *reply = result_variant(&result);
    return done;
}

bool
local_receive(Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *ticket, *path;
    gboolean tree, dirty, readback;
    int fds[2];
    StreamResult result;

    g_variant_get(arguments, "(&s&sbbb)", &ticket, &path, &tree, &dirty, &readback);
    if (!connection_of(session, ticket, fds, error))
        return false;
    StreamLink in = {.fd = fds[0]};
    MoveOptions options = {.dirty = dirty, .readback = readback};
    StreamTarget target = {.path = path, .tree = tree, .options = &options};
    progress_begin(path);
    bool done = stream_receive(&in, &target, &result, error);
    progress_end();
    close(fds[0]);
    close(fds[1]);
    if (done)
        *reply = result_variant(&result);
    return done;
}
