// SPDX-License-Identifier: Apache-2.0
#include "wire/frame.h"

#include "base/error.h"

#include <string.h>

#define NOISE_LIMIT 65536u

/* GVariants travel as they lie in memory. */
G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN);

static void
put_u32(guint8 *to, guint32 number)
{
    number = GUINT32_TO_LE(number);
    memcpy(to, &number, sizeof number);
}

static guint32
get_u32(const guint8 *from)
{
    guint32 number;

    memcpy(&number, from, sizeof number);
    return GUINT32_FROM_LE(number);
}

void
frame_header(guint8 header[FRAME_HEADER], FrameType type, unsigned flags, guint32 stream,
             guint32 length)
{
    g_assert(length <= FRAME_LIMIT);
    put_u32(header, length);
    header[4] = (guint8)type;
    header[5] = (guint8)flags;
    header[6] = header[7] = 0;
    put_u32(header + 8, stream);
}

/* Which streams a type may be on, and whether it may be cut. */
static bool
frame_is_sensible(const Frame *frame)
{
    switch (frame->type) {
    case FRAME_HELLO:
    case FRAME_LOG:
        return frame->stream == 0 && frame->flags == 0;
    case FRAME_HEARTBEAT:
        return frame->stream == 0 && frame->flags == 0 && frame->length == 0;
    case FRAME_CANCEL:
        return frame->flags == 0 && frame->length == 0;
    case FRAME_REQUEST:
    case FRAME_REPLY:
        return frame->stream != 0 && (frame->flags & ~FRAME_MORE) == 0;
    case FRAME_ERROR:
        return (frame->flags & ~FRAME_MORE) == 0;
    case FRAME_DATA:
        return frame->flags == 0 && frame->length > 8;
    case FRAME_PACKED:
        return frame->flags == 0 && frame->length > 12;
    case FRAME_PROGRESS:
        return frame->stream != 0 && frame->flags == 0;
    case FRAME_CREDIT:
        return frame->flags == 0 && frame->length == 4;
    case FRAME_ENTRY:
        return frame->flags == 0;
    case FRAME_END:
        return (frame->flags & ~FRAME_LAST) == 0;
    default:
        return false;
    }
}

bool
frame_parse(const guint8 header[FRAME_HEADER], Frame *frame, GError **error)
{
    *frame = (Frame){
        .length = get_u32(header),
        .type = (FrameType)header[4],
        .flags = header[5],
        .stream = get_u32(header + 8),
    };
    if (frame->length > FRAME_LIMIT)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "a frame of %u bytes is too long",
                         frame->length);
    if (header[6] || header[7] || frame->stream == G_MAXUINT32 || !frame_is_sensible(frame))
        return set_error(error, ONEVOL_ERROR_CORRUPT,
                         "a frame of type %u, flags %u on stream %u makes no sense",
                         (unsigned)header[4], (unsigned)frame->flags, frame->stream);
    return true;
}

void
frame_append(GByteArray *queue, FrameType type, guint32 stream, const void *bytes, size_t length)
{
    const guint8 *from = bytes;
    guint8 header[FRAME_HEADER];

    do {
        guint32 part = (guint32)MIN(length, FRAME_LIMIT);
        frame_header(header, type, part < length ? FRAME_MORE : 0, stream, part);
        g_byte_array_append(queue, header, FRAME_HEADER);
        if (part > 0)
            g_byte_array_append(queue, from, part);
        from += part;
        length -= part;
    } while (length > 0);
}

struct FrameReader {
    GByteArray *bytes;
    size_t used; /* of them, by frames handed out */
    bool preamble;
    GString *noise;
};

FrameReader *
frame_reader_new(bool preamble)
{
    FrameReader *reader = g_new0(FrameReader, 1);

    reader->bytes = g_byte_array_new();
    reader->noise = g_string_new(NULL);
    reader->preamble = preamble;
    return reader;
}

void
frame_reader_free(FrameReader *reader)
{
    if (!reader)
        return;
    g_byte_array_unref(reader->bytes);
    g_string_free(reader->noise, TRUE);
    g_free(reader);
}

void
frame_reader_feed(FrameReader *reader, const void *bytes, size_t length)
{
    if (reader->used > 0) {
        g_byte_array_remove_range(reader->bytes, 0, (guint)reader->used);
        reader->used = 0;
    }
    g_byte_array_append(reader->bytes, bytes, (guint)length);
}

/* True once the preamble was seen. Keeps the last bytes, which may be its beginning. */
static bool
skip_preamble(FrameReader *reader)
{
    const size_t length = strlen(WIRE_PREAMBLE);
    GByteArray *bytes = reader->bytes;
    const guint8 *found = memmem(bytes->data, bytes->len, WIRE_PREAMBLE, length);
    size_t noise = found                 ? (size_t)(found - bytes->data)
                   : bytes->len < length ? 0
                                         : bytes->len - length + 1;

    if (noise > 0)
        g_string_append_len(reader->noise, (const char *)bytes->data, (gssize)noise);
    if (noise > 0 || found)
        g_byte_array_remove_range(bytes, 0, (guint)(noise + (found ? length : 0)));
    reader->preamble = found == NULL;
    return found != NULL;
}

int
frame_reader_next(FrameReader *reader, Frame *frame, GError **error)
{
    if (reader->preamble && !skip_preamble(reader)) {
        if (reader->noise->len <= NOISE_LIMIT)
            return 0;
        set_error(error, ONEVOL_ERROR_CORRUPT, "something else than an agent talks there");
        return -1;
    }
    const guint8 *at = reader->bytes->data + reader->used;
    size_t left = reader->bytes->len - reader->used;

    if (left < FRAME_HEADER)
        return 0;
    if (!frame_parse(at, frame, error))
        return -1;
    if (left - FRAME_HEADER < frame->length)
        return 0;
    frame->payload = at + FRAME_HEADER;
    reader->used += FRAME_HEADER + frame->length;
    return 1;
}

const char *
frame_reader_noise(FrameReader *reader)
{
    return reader->noise->str;
}

GBytes *
message_pack(GVariant *value)
{
    g_autoptr(GVariant) held = g_variant_ref_sink(value);
    g_autoptr(GVariant) normal = g_variant_get_normal_form(held);

    return g_variant_get_data_as_bytes(normal);
}

GVariant *
message_unpack(const void *bytes, size_t length, const char *type, GError **error)
{
    /* a copy of its own is aligned for any type, and outlives the frame */
    g_autoptr(GBytes) copy = g_bytes_new(bytes, length);
    g_autoptr(GVariant) value =
        g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(type), copy, FALSE));

    if (g_variant_is_normal_form(value))
        return g_steal_pointer(&value);
    set_error(error, ONEVOL_ERROR_CORRUPT, "a message of %" G_GSIZE_FORMAT " bytes is no %s",
              length, type);
    return NULL;
}

void
frame_append_message(GByteArray *queue, FrameType type, guint32 stream, GVariant *value)
{
    g_autoptr(GBytes) bytes = message_pack(value);

    frame_append(queue, type, stream, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}
