// SPDX-License-Identifier: Apache-2.0
#include "mover/link.h"

#include "base/command.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 500
#define PIPE_BYTES (1 << 20)
#define BUFFER (64u << 10)

static bool
link_wait(const StreamLink *link, short events, GError **error)
{
    for (int waited = 0; waited < LINK_STALL_MS; waited += LOOK_MS) {
        struct pollfd look = {.fd = link->fd, .events = events};
        int ready = poll(&look, 1, LOOK_MS);

        if (!cancel_check(error) || (link->stop && !link->stop(link->data, error)))
            return false;
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return set_error_errno(error, errno, "cannot wait for the bulk connection");
    }
    return set_error(error, ONEVOL_ERROR_TIMEOUT, "no data moved for %d s", LINK_STALL_MS / 1000);
}

static void
no_blocking(const StreamLink *link)
{
    int flags = fcntl(link->fd, F_GETFL);

    if (!(flags & O_NONBLOCK))
        fcntl(link->fd, F_SETFL, flags | O_NONBLOCK);
}

bool
link_read_some(const StreamLink *link, void *bytes, size_t length, size_t *got, GError **error)
{
    no_blocking(link);
    for (;;) {
        ssize_t some = read(link->fd, bytes, length);
        if (some >= 0) {
            *got = (size_t)some;
            return true;
        }
        if (errno != EINTR && errno != EAGAIN)
            return set_error_errno(error, errno, "cannot read from the bulk connection");
        if (errno == EAGAIN && !link_wait(link, POLLIN, error))
            return false;
    }
}

LinkState
link_read(const StreamLink *link, void *bytes, size_t length, GError **error)
{
    guint8 *to = bytes;
    size_t left = length, got;

    while (left > 0) {
        if (!link_read_some(link, to, left, &got, error))
            return LINK_FAILED;
        if (got == 0 && left == length)
            return LINK_END;
        if (got == 0) {
            set_error(error, ONEVOL_ERROR_UNREACHABLE, "the bulk connection ended too early");
            return LINK_FAILED;
        }
        to += got;
        left -= got;
    }
    return LINK_DONE;
}

bool
link_write(const StreamLink *link, struct iovec *pieces, int count, GError **error)
{
    no_blocking(link);
    while (count > 0) {
        ssize_t wrote = writev(link->fd, pieces, count);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && errno == EAGAIN) {
            if (!link_wait(link, POLLOUT, error))
                return false;
            continue;
        }
        if (wrote < 0)
            return set_error(error, ONEVOL_ERROR_UNREACHABLE, "the bulk connection broke: %s",
                             g_strerror(errno));
        size_t left = (size_t)wrote;
        for (; count > 0 && left >= pieces->iov_len; count--)
            left -= pieces++->iov_len;
        if (count > 0) {
            pieces->iov_base = (char *)pieces->iov_base + left;
            pieces->iov_len -= left;
        }
    }
    return true;
}

bool
link_send_frame(const StreamLink *link, FrameType type, unsigned flags, const void *first,
                size_t first_length, const void *second, size_t second_length, GError **error)
{
    guint8 header[FRAME_HEADER];
    struct iovec pieces[3] = {
        {header,         sizeof header},
        {(void *)first,  first_length },
        {(void *)second, second_length},
    };

    frame_header(header, type, flags, 0, (guint32)(first_length + second_length));
    return link_write(link, pieces, 3, error);
}

void
link_widen(const StreamLink *link)
{
    fcntl(link->fd, F_SETPIPE_SZ, PIPE_BYTES); /* no pipe, or not allowed: it works as it is */
}

struct LinkReader {
    const StreamLink *link;
    size_t start, end; /* of what is there */
    guint8 bytes[BUFFER];
};

LinkReader *
link_reader_new(const StreamLink *link)
{
    LinkReader *reader = g_malloc(sizeof *reader);

    reader->link = link;
    reader->start = reader->end = 0;
    link_widen(link);
    return reader;
}

void
link_reader_free(LinkReader *reader)
{
    g_free(reader);
}

static size_t
take(LinkReader *reader, guint8 *bytes, size_t length)
{
    size_t some = MIN(length, reader->end - reader->start);

    memcpy(bytes, reader->bytes + reader->start, some);
    reader->start += some;
    return some;
}

static bool
read_exactly(LinkReader *reader, guint8 *bytes, size_t length, GError **error)
{
    for (size_t got = take(reader, bytes, length); got < length;) {
        size_t some;
        bool direct = length - got >= BUFFER;
        if (!(direct ? link_read_some(reader->link, bytes + got, length - got, &some, error)
                     : link_read_some(reader->link, reader->bytes, BUFFER, &some, error)))
            return false;
        if (some == 0)
            return set_error(error, ONEVOL_ERROR_UNREACHABLE,
                             "the bulk connection ended too early");
        if (!direct) {
            reader->start = 0;
            reader->end = some;
            some = take(reader, bytes + got, length - got);
        }
        got += some;
    }
    return true;
}

Piece *
link_next_frame(LinkReader *reader, GError **error)
{
    guint8 header[FRAME_HEADER];
    Frame frame;

    if (!read_exactly(reader, header, sizeof header, error) || !frame_parse(header, &frame, error))
        return NULL;
    g_autofree Piece *piece = piece_new(frame.length);
    piece->type = (guint8)frame.type;
    piece->flags = frame.flags;
    piece->length = frame.length;
    return read_exactly(reader, piece->bytes, frame.length, error) ? g_steal_pointer(&piece) : NULL;
}

/* Also while nothing has to be waited for. */
static bool
look(const StreamLink *link, gint64 *last, GError **error)
{
    gint64 now = g_get_monotonic_time();

    if (!link->stop || now - *last < LOOK_MS * 1000)
        return true;
    *last = now;
    return link->stop(link->data, error);
}

bool
stream_relay(const StreamLink *in, const StreamLink *out, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(FRAME_LIMIT);
    gint64 looked = 0;
    size_t got;

    link_widen(in);
    link_widen(out);
    for (;;) {
        if (!link_read_some(in, buffer, FRAME_LIMIT, &got, error))
            return false;
        if (got == 0)
            return true;
        struct iovec piece = {buffer, got};
        if (!cancel_check(error) || !link_write(out, &piece, 1, error) || !look(in, &looked, error))
            return false;
    }
}

bool
stream_skip_preamble(const StreamLink *in, GError **error)
{
    const size_t length = strlen(WIRE_PREAMBLE);
    char seen[sizeof WIRE_PREAMBLE] = "";

    /* byte by byte: what follows belongs to another reader */
    for (guint noise = 0; noise < 65536; noise++) {
        memmove(seen, seen + 1, length - 1);
        LinkState state = link_read(in, seen + length - 1, 1, error);
        if (state == LINK_END)
            return set_error(error, ONEVOL_ERROR_UNREACHABLE,
                             "the bulk connection ended before it began");
        if (state == LINK_FAILED)
            return false;
        if (!memcmp(seen, WIRE_PREAMBLE, length))
            return true;
    }
    return set_error(error, ONEVOL_ERROR_CORRUPT, "something else than an agent talks there");
}
