// SPDX-License-Identifier: Apache-2.0
#include "wire/channel.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void
parts_free(gpointer bytes)
{
    g_byte_array_unref(bytes);
}

void
channel_init(Channel *channel, int in, int out, bool preamble)
{
    *channel = (Channel){.in = in, .out = out, .heard = g_get_monotonic_time()};
    channel->spoke = channel->heard;
    channel->reader = frame_reader_new(preamble);
    channel->queue = g_byte_array_new();
    channel->parts = g_hash_table_new_full(NULL, NULL, NULL, parts_free);
    fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
    fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
}

void
channel_clear(Channel *channel)
{
    g_clear_pointer(&channel->reader, frame_reader_free);
    g_clear_pointer(&channel->queue, g_byte_array_unref);
    g_clear_pointer(&channel->parts, g_hash_table_unref);
}

bool
channel_has_output(const Channel *channel)
{
    return channel->written < channel->queue->len;
}

void
channel_poll(const Channel *channel, struct pollfd polls[2])
{
    polls[0] = (struct pollfd){.fd = channel->ended ? -1 : channel->in, .events = POLLIN};
    polls[1] =
        (struct pollfd){.fd = channel_has_output(channel) ? channel->out : -1, .events = POLLOUT};
}

bool
channel_read(Channel *channel, GError **error)
{
    guint8 buffer[65536];
    ssize_t got = read(channel->in, buffer, sizeof buffer);

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (got < 0)
        return set_error_errno(error, errno, "cannot read");
    channel->ended = got == 0;
    if (got > 0) {
        channel->heard = g_get_monotonic_time();
        frame_reader_feed(channel->reader, buffer, (size_t)got);
    }
    return true;
}

bool
channel_write(Channel *channel, GError **error)
{
    GByteArray *queue = channel->queue;

    while (channel_has_output(channel)) {
        ssize_t wrote =
            write(channel->out, queue->data + channel->written, queue->len - channel->written);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && errno == EAGAIN)
            return true;
        if (wrote < 0)
            return set_error_errno(error, errno, "cannot write");
        channel->written += (size_t)wrote;
    }
    g_byte_array_set_size(queue, 0);
    channel->written = 0;
    return true;
}

void
channel_send(Channel *channel, FrameType type, guint32 stream, GVariant *message)
{
    frame_append_message(channel->queue, type, stream, message);
    channel->spoke = g_get_monotonic_time();
}

void
channel_send_empty(Channel *channel, FrameType type, guint32 stream)
{
    frame_append(channel->queue, type, stream, NULL, 0);
    channel->spoke = g_get_monotonic_time();
}

void
channel_send_error(Channel *channel, guint32 stream, const GError *error)
{
    guint32 code = error->domain == ONEVOL_ERROR ? (guint32)error->code : ONEVOL_ERROR_FAILED;
    g_autofree char *text = g_utf8_make_valid(error->message, -1);

    channel_send(channel, FRAME_ERROR, stream, g_variant_new(WIRE_ERROR, code, text));
}

void
channel_beat(Channel *channel, unsigned interval_ms)
{
    /* nothing is queued behind what the other side does not take */
    if (!channel_has_output(channel) &&
        g_get_monotonic_time() - channel->spoke >= (gint64)interval_ms * 1000)
        channel_send_empty(channel, FRAME_HEARTBEAT, 0);
}

gint64
channel_silence(const Channel *channel)
{
    return (g_get_monotonic_time() - channel->heard) / 1000;
}

int
channel_next(Channel *channel, Frame *frame, size_t *length, GError **error)
{
    int got;

    while ((got = frame_reader_next(channel->reader, frame, error)) == 1) {
        gpointer key = GUINT_TO_POINTER(frame->stream);
        GByteArray *part = g_hash_table_lookup(channel->parts, key);

        *length = frame->length;
        if (!part && !(frame->flags & FRAME_MORE))
            return 1;
        if (!part) {
            part = g_byte_array_new();
            g_hash_table_insert(channel->parts, key, part);
        }
        if (part->len + frame->length > MESSAGE_LIMIT) {
            set_error(error, ONEVOL_ERROR_CORRUPT, "a message is too long");
            return -1;
        }
        g_byte_array_append(part, frame->payload, frame->length);
        if (frame->flags & FRAME_MORE)
            continue;
        g_hash_table_steal(channel->parts, key);
        /* kept under a number that no stream has, until the next one ends */
        g_hash_table_replace(channel->parts, GUINT_TO_POINTER(G_MAXUINT32), part);
        frame->payload = part->data;
        *length = part->len;
        return 1;
    }
    return got;
}
