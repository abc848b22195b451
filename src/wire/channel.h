// SPDX-License-Identifier: Apache-2.0
/*
 * Frames over two descriptors that never block, with the time of the last word in each direction.
 *
 * Serves both ends. The owner polls channel_poll() and calls channel_read() and channel_write();
 * nothing here waits.
 */
#pragma once

#include "wire/frame.h"

#include <glib.h>
#include <poll.h>
#include <stdbool.h>

typedef struct Channel {
    int in, out; /* not owned */
    FrameReader *reader;
    GByteArray *queue; /* to be written */
    size_t written;    /* of it */
    gint64 heard;      /* monotonic time of the last byte in */
    gint64 spoke;      /* and of the last frame put into the queue */
    bool ended;        /* the other side will say no more */
    GHashTable *parts; /* stream → bytes of a cut message */
} Channel;

/* Makes both descriptors non-blocking. */
void channel_init(Channel *channel, int in, int out, bool preamble);
void channel_clear(Channel *channel);

/* Fills two entries of poll(). */
void channel_poll(const Channel *channel, struct pollfd polls[2]);

/* Reads once what is there. False if reading is broken. */
bool channel_read(Channel *channel, GError **error);
/* Writes as much as goes. False if nobody reads any more. */
bool channel_write(Channel *channel, GError **error);
bool channel_has_output(const Channel *channel);

void channel_send(Channel *channel, FrameType type, guint32 stream, GVariant *message);
void channel_send_empty(Channel *channel, FrameType type, guint32 stream);
void channel_send_error(Channel *channel, guint32 stream, const GError *error);
/* A heartbeat, if nothing was said for `interval_ms`. */
void channel_beat(Channel *channel, unsigned interval_ms);
/* Milliseconds since the other side was heard. */
gint64 channel_silence(const Channel *channel);

/* The next whole message: cut ones are put together. 1, 0 or -1 as frame_reader_next();
 * frame->payload and *length are its bytes until the next call. */
int channel_next(Channel *channel, Frame *frame, size_t *length, GError **error);
