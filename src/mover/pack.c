// SPDX-License-Identifier: Apache-2.0
#include "mover/pack.h"

#include "base/error.h"
#include "mover/reader.h"

#include <string.h>
#include <zstd.h>

#define BLOCK 4096u           /* the grain in which zeros are left out */
#define RUN (FRAME_LIMIT / 2) /* longest piece in one frame */
#define OFFSET 8u             /* in front of a run */
#define PACKED_HEAD (OFFSET + 4u)
#define MOST_SKIPPED 31u /* chunks between two looks at content that does not shrink */

/* Windows in which the level is judged. */
#define WINDOW_US (200 * G_TIME_SPAN_MILLISECOND)
#define WINDOW_CHUNKS 8u
#define LONGEST_HOLD 64u
#define BOTTLENECK 0.3 /* of the time waited for one of both */
#define WORTH 1.03     /* times the speed */

/* 0: nothing is compressed. Beyond 7 the tables outgrow what a transfer may use. */
static const int levels[] = {0, -7, -3, -1, 1, 2, 3, 4, 5, 6, 7};
#define FIRST_RUNG 1u

struct Packer {
    ZSTD_CCtx *context;
    guint8 *scratch; /* CHUNK_SIZE bytes */
    guint rung;
    guint skip, skipped; /* chunks of content that does not shrink: to skip, skipped so far */

    /* the window at work */
    gint64 begun, busy, idle, packing;
    guint chunks;
    guint64 content;
    /* what the windows before have shown */
    int way;        /* the next try goes up, 1, or down, -1 */
    bool trying;    /* the rung is new */
    double before;  /* content per µs on the rung before */
    guint hold;     /* windows until the next try */
    guint patience; /* what `hold` becomes after a try in vain */
};

Packer *
packer_new(void)
{
    Packer *packer = g_new0(Packer, 1);

    packer->context = ZSTD_createCCtx();
    g_assert(packer->context);
    packer->scratch = g_malloc(CHUNK_SIZE);
    packer->rung = FIRST_RUNG;
    packer->begun = g_get_monotonic_time();
    packer->way = 1;
    packer->patience = 1;
    return packer;
}

void
packer_free(Packer *packer)
{
    if (!packer)
        return;
    ZSTD_freeCCtx(packer->context);
    g_free(packer->scratch);
    g_free(packer);
}

int
packer_level(const Packer *packer)
{
    return levels[packer->rung];
}

/* The next run of blocks that are not zero at or behind `position`; false: none. */
static bool
next_run(const guint8 *bytes, size_t length, size_t position, size_t *start, size_t *end)
{
    bool found = false;

    for (; position < length; position += BLOCK) {
        bool zero = is_zero(bytes + position, MIN(BLOCK, length - position));
        if (found && zero)
            break;
        if (!zero && !found)
            *start = position;
        found = found || !zero;
    }
    *end = MIN(position, length);
    return found;
}

static guint8 *
put_head(guint8 *to, FrameType type, guint64 offset, size_t length)
{
    guint64 number = GUINT64_TO_LE(offset);

    frame_header(to, type, 0, 0, (guint32)length);
    memcpy(to + FRAME_HEADER, &number, sizeof number);
    return to + FRAME_HEADER + OFFSET;
}

static Piece *
pack_raw(const guint8 *bytes, size_t length, guint64 offset)
{
    size_t runs = length / (2 * BLOCK) + 4;
    Piece *piece = piece_new(length + runs * (FRAME_HEADER + OFFSET));
    guint8 *to = piece->bytes;
    size_t start = 0, end = 0;

    while (next_run(bytes, length, end, &start, &end))
        while (start < end) {
            size_t part = MIN(end - start, RUN);
            to = put_head(to, FRAME_DATA, offset + start, OFFSET + part);
            memcpy(to, bytes + start, part);
            to += part;
            start += part;
        }
    piece->length = (size_t)(to - piece->bytes);
    return piece;
}

/* From the first to the last block that is not zero, in one frame; NULL if that does not pay. */
static Piece *
pack_small(Packer *packer, const guint8 *bytes, size_t start, size_t end, size_t content,
           guint64 offset)
{
    size_t most = content - content / 16;
    size_t packed =
        ZSTD_compressCCtx(packer->context, packer->scratch, MIN(most, CHUNK_SIZE - PACKED_HEAD),
                          bytes + start, end - start, levels[packer->rung]);

    if (ZSTD_isError(packed)) /* there was no room */
        return NULL;
    Piece *piece = piece_new(FRAME_HEADER + PACKED_HEAD + packed);
    guint32 length = GUINT32_TO_LE((guint32)(end - start));
    guint8 *to = put_head(piece->bytes, FRAME_PACKED, offset + start, PACKED_HEAD + packed);
    memcpy(to, &length, sizeof length);
    memcpy(to + sizeof length, packer->scratch, packed);
    piece->length = FRAME_HEADER + PACKED_HEAD + packed;
    return piece;
}

/* Bytes of the blocks that are not zero; *first and *last lie around them. */
static size_t
measure(const guint8 *bytes, size_t length, size_t *first, size_t *last)
{
    size_t start = 0, end = 0, content = 0;

    *first = length;
    while (next_run(bytes, length, end, &start, &end)) {
        *first = MIN(*first, start);
        *last = end;
        content += end - start;
    }
    return content;
}

static Piece *
pack_if_it_pays(Packer *packer, const guint8 *bytes, size_t first, size_t last, size_t content,
                guint64 offset)
{
    if (levels[packer->rung] == 0 || content <= BLOCK / 8)
        return NULL;
    if (packer->skipped < packer->skip) {
        packer->skipped++;
        return NULL;
    }
    gint64 start = g_get_monotonic_time();
    Piece *piece = pack_small(packer, bytes, first, last, content, offset);
    packer->packing += g_get_monotonic_time() - start;
    packer->skip = piece ? 0 : MIN(2 * packer->skip + 1, MOST_SKIPPED);
    packer->skipped = 0;
    return piece;
}

Piece *
packer_chunk(Packer *packer, const guint8 *bytes, size_t length, guint64 offset)
{
    size_t first = 0, last = 0;
    size_t content = measure(bytes, length, &first, &last);
    Piece *piece = pack_if_it_pays(packer, bytes, first, last, content, offset);

    if (!piece)
        piece = pack_raw(bytes, length, offset);
    piece->content = content;
    packer->content += content;
    packer->chunks++;
    return piece;
}

static bool
step(Packer *packer, int way)
{
    if (packer->rung + (guint)way >= G_N_ELEMENTS(levels)) /* below 0 wraps around */
        return false;
    packer->rung += (guint)way;
    return true;
}

/* What was tried is kept if more content gets through. Else the other way is tried, later. */
static void
judge(Packer *packer, double speed)
{
    bool better = speed > packer->before * WORTH;

    packer->trying = false;
    if (better) {
        packer->patience = 1;
        return;
    }
    step(packer, -packer->way);
    packer->way = -packer->way;
    packer->hold = packer->patience;
    packer->patience = MIN(2 * packer->patience, LONGEST_HOLD);
}

/* One step up or down, or none. `full`, `idle` and `packing` are shares of the window. */
static void
choose_level(Packer *packer, double full, double idle, double packing, double speed)
{
    if (packer->trying)
        judge(packer, speed);
    if (idle > BOTTLENECK && packing > 0.5) {
        step(packer, -1);
        packer->hold = packer->patience;
    } else if (packer->hold > 0) {
        packer->hold--;
    } else if (full > BOTTLENECK && packer->skip == 0) {
        packer->before = speed;
        packer->trying = step(packer, packer->way);
        if (!packer->trying)
            packer->way = -packer->way;
    }
}

void
packer_adapt(Packer *packer, gint64 link_busy, gint64 link_idle, gint64 now)
{
    double length = (double)(now - packer->begun);

    if (packer->chunks < WINDOW_CHUNKS || length < WINDOW_US)
        return;
    choose_level(packer, (double)(link_busy - packer->busy) / length,
                 (double)(link_idle - packer->idle) / length, (double)packer->packing / length,
                 (double)packer->content / length);
    packer->begun = now;
    packer->busy = link_busy;
    packer->idle = link_idle;
    packer->packing = 0;
    packer->chunks = 0;
    packer->content = 0;
}

struct Unpacker {
    ZSTD_DCtx *context;
    guint8 *bytes; /* CHUNK_SIZE */
};

Unpacker *
unpacker_new(void)
{
    Unpacker *unpacker = g_new0(Unpacker, 1);

    unpacker->context = ZSTD_createDCtx();
    g_assert(unpacker->context);
    unpacker->bytes = g_malloc(CHUNK_SIZE);
    return unpacker;
}

void
unpacker_free(Unpacker *unpacker)
{
    if (!unpacker)
        return;
    ZSTD_freeDCtx(unpacker->context);
    g_free(unpacker->bytes);
    g_free(unpacker);
}

bool
unpack(Unpacker *unpacker, FrameType type, const guint8 *payload, size_t payload_length,
       guint64 *offset, const guint8 **bytes, size_t *length, GError **error)
{
    guint32 announced;

    memcpy(offset, payload, OFFSET); /* the frame's parser knows that there is so much */
    *offset = GUINT64_FROM_LE(*offset);
    if (type == FRAME_DATA) {
        *bytes = payload + OFFSET;
        *length = payload_length - OFFSET;
        return true;
    }
    memcpy(&announced, payload + OFFSET, sizeof announced);
    *length = GUINT32_FROM_LE(announced);
    *bytes = unpacker->bytes;
    /* all at once into a buffer of known size: zstd allocates nothing that the data asks for */
    if (*length > 0 && *length <= CHUNK_SIZE &&
        ZSTD_decompressDCtx(unpacker->context, unpacker->bytes, *length, payload + PACKED_HEAD,
                            payload_length - PACKED_HEAD) == *length)
        return true;
    return set_error(error, ONEVOL_ERROR_CORRUPT,
                     "the stream is broken: packed data that cannot be unpacked");
}
