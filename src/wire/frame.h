// SPDX-License-Identifier: Apache-2.0
/*
 * Frames: what the front-end and an agent say to each other. Pure functions, no I/O.
 *
 *   front-end                              agent
 *             ◀── preamble, HELLO ──────
 *       ────── HELLO ──────────────────▶     both compare the build's hash
 *       ────── REQUEST stream 1 ───────▶
 *             ◀── LOG, REPLY stream 1 ──     or ERROR
 *       ◀───── HEARTBEAT, both ways ───▶     when nothing else was said for a while
 *       ────── CANCEL stream 1 ────────▶     answered by that stream's REPLY or ERROR
 *
 * A frame is a header of 12 bytes and its payload:
 *
 *   0  u32  length of the payload, at most FRAME_LIMIT
 *   4  u8   type
 *   5  u8   flags
 *   6  u16  0
 *   8  u32  stream; 0 is control
 *
 * Numbers are little endian. Payloads are GVariants in normal form (message_*), but DATA, which is
 * an offset (u64) and bytes, and PACKED. Messages above FRAME_LIMIT are cut, all but the last with
 * FRAME_MORE.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define FRAME_HEADER 12u
#define FRAME_LIMIT (1u << 20)
#define MESSAGE_LIMIT (80u << 20) /* of a message put together again */

/* Comes first from an agent: what a login script prints before it is no part of the talk. */
#define WIRE_PREAMBLE "onevol-agent talks\n"

/* What follows the preamble of a connection that may lead straight to another host. */
#define DIRECT_YES 'd'
#define DIRECT_NO 'r'

typedef enum {
    FRAME_HELLO = 1, /* control: WIRE_HELLO */
    FRAME_REQUEST,   /* WIRE_REQUEST */
    FRAME_REPLY,     /* WIRE_REPLY */
    FRAME_ERROR,     /* WIRE_ERROR */
    FRAME_HEARTBEAT, /* control: empty */
    FRAME_CANCEL,    /* empty; of stream 0: everything */
    FRAME_LOG,       /* control: WIRE_LOG */
    FRAME_DATA,      /* bulk: u64 offset, then bytes */
    FRAME_CREDIT,    /* bulk: u32, bytes more that may come */
    FRAME_ENTRY,     /* bulk: a file, link or directory begins (mover/stream.h) */
    FRAME_END,       /* bulk: its end */
    FRAME_PACKED,    /* bulk: u64 offset, u32 length, then so many bytes compressed by zstd */
    FRAME_PROGRESS,  /* WIRE_PROGRESS of a request at work */
} FrameType;

enum {
    FRAME_MORE = 1 << 0, /* the message goes on in the next frame of this stream */
    FRAME_LAST = 1 << 1, /* END: of the whole stream */
};

/* build, heartbeat ms, silence ms, shorter idle limit for requests in ms or 0, verbose log */
#define WIRE_HELLO "(suuub)"
#define WIRE_REQUEST "(sv)"  /* operation, its arguments */
#define WIRE_REPLY "(v)"     /* as the operation says */
#define WIRE_ERROR "(us)"    /* OnevolError, text */
#define WIRE_LOG "(us)"      /* LogLevel, text */
#define WIRE_PROGRESS "(tt)" /* bytes done, bytes in all or 0 */

typedef struct Frame {
    FrameType type;
    guint8 flags;
    guint32 stream;
    guint32 length;
    const guint8 *payload; /* inside the reader, until its next use */
} Frame;

/* The header's bytes. */
void frame_header(guint8 header[FRAME_HEADER], FrameType type, unsigned flags, guint32 stream,
                  guint32 length);
/* Fills all but the payload. CORRUPT for lengths above the limit, unknown types and flags, and
 * types on a stream where they have no business. */
bool frame_parse(const guint8 header[FRAME_HEADER], Frame *frame, GError **error);

/* Appends a whole message to `queue`, cut into frames. */
void frame_append(GByteArray *queue, FrameType type, guint32 stream, const void *bytes,
                  size_t length);

/* Bytes in, frames out. */
typedef struct FrameReader FrameReader;

FrameReader *frame_reader_new(bool preamble); /* true: skips what comes before the preamble */
void frame_reader_free(FrameReader *reader);
void frame_reader_feed(FrameReader *reader, const void *bytes, size_t length);
/* 1: *frame is the next whole one; 0: more bytes are needed; -1: broken, error set. */
int frame_reader_next(FrameReader *reader, Frame *frame, GError **error);
/* What came before the preamble, so far; for error texts. */
const char *frame_reader_noise(FrameReader *reader);

/* A message's GVariant as bytes, in normal form. Consumes a floating `value`. */
GBytes *message_pack(GVariant *value);
/* The GVariant of such bytes: CORRUPT unless they are of `type` and in normal form. A full
 * reference. */
GVariant *message_unpack(const void *bytes, size_t length, const char *type, GError **error);

void frame_append_message(GByteArray *queue, FrameType type, guint32 stream, GVariant *value);
