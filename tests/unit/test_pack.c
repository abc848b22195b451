// SPDX-License-Identifier: Apache-2.0
/* mover/pack.c, pace.c, queue.c: what lies between two ends of a copy. */
#include "mover/pack.h"

#include "base/error.h"
#include "mover/pace.h"
#include "mover/reader.h"
#include "test.h"

#include <string.h>

#define BLOCK 4096u

/* Unpacks all frames of a piece over `to`; the number of frames. */
static guint
unpack_piece(const Piece *piece, guint8 *to, guint64 base)
{
    g_autoptr(Unpacker) unpacker = unpacker_new();
    const guint8 *at = piece->bytes;
    guint count = 0;

    while (at < piece->bytes + piece->length) {
        const guint8 *bytes;
        guint64 offset;
        size_t length;
        Frame frame;
        assert_true(frame_parse(at, &frame, NULL));
        assert_true(unpack(unpacker, frame.type, at + FRAME_HEADER, frame.length, &offset, &bytes,
                           &length, NULL));
        assert_true(offset >= base && offset + length <= base + CHUNK_SIZE);
        memcpy(to + (offset - base), bytes, length);
        at += FRAME_HEADER + frame.length;
        count++;
    }
    assert_ptr_equal(at, piece->bytes + piece->length);
    return count;
}

static guint8 *
random_blocks(GRand *chance, guint shape)
{
    guint8 *bytes = g_malloc0(CHUNK_SIZE);

    for (guint i = 0; i < CHUNK_SIZE / BLOCK; i++) {
        bool text = shape == 1 || (shape == 2 && g_rand_boolean(chance));
        if (shape == 2 && g_rand_boolean(chance))
            continue;
        for (guint j = 0; j < BLOCK; j++)
            bytes[i * BLOCK + j] =
                text ? (guint8) "some text "[j % 10] : (guint8)g_rand_int(chance);
    }
    return bytes;
}

static void
chunks_come_back_as_they_were(void **state)
{
    (void)state;
    g_autoptr(Packer) packer = packer_new();
    g_autoptr(GRand) chance = g_rand_new_with_seed(7);
    static const size_t lengths[] = {CHUNK_SIZE, CHUNK_SIZE - 1, BLOCK + 1, 1};

    for (guint round = 0; round < 24; round++) {
        g_autofree guint8 *bytes = random_blocks(chance, round % 3);
        g_autofree guint8 *back = g_malloc0(CHUNK_SIZE);
        size_t length = lengths[round / 3 % G_N_ELEMENTS(lengths)];
        guint64 base = (guint64)round << 40;
        bytes[0] = 1; /* all zeros are nobody's business here */
        g_autofree Piece *piece = packer_chunk(packer, bytes, length, base);
        unpack_piece(piece, back, base);
        assert_memory_equal(back, bytes, length);
    }
}

static void
text_shrinks_and_noise_does_not_grow(void **state)
{
    (void)state;
    g_autoptr(Packer) packer = packer_new();
    g_autoptr(GRand) chance = g_rand_new_with_seed(8);
    g_autofree guint8 *noise = random_blocks(chance, 0);
    g_autofree guint8 *text = random_blocks(chance, 1);
    guint packed = 0;

    for (guint i = 0; i < 64; i++) {
        g_autofree Piece *piece = packer_chunk(packer, noise, CHUNK_SIZE, 0);
        assert_true(piece->length <= CHUNK_SIZE + 2 * (FRAME_HEADER + 8));
    }
    for (guint i = 0; i < 64; i++) { /* it is looked at again, soon enough */
        g_autofree Piece *piece = packer_chunk(packer, text, CHUNK_SIZE, 0);
        packed += piece->length < CHUNK_SIZE / 20;
    }
    assert_true(packed >= 32);
}

static void
zero_blocks_are_left_out(void **state)
{
    (void)state;
    g_autoptr(Packer) packer = packer_new();
    g_autoptr(GRand) chance = g_rand_new_with_seed(9);
    g_autofree guint8 *bytes = random_blocks(chance, 0);

    memset(bytes + BLOCK, 0, CHUNK_SIZE - 2 * BLOCK);
    g_autofree Piece *piece = packer_chunk(packer, bytes, CHUNK_SIZE, 0);
    assert_int_equal(piece->content, 2 * BLOCK);
    assert_true(piece->length < 3 * BLOCK);
}

static bool
unpack_text(guint32 announced, const void *bytes, size_t length, GError **error)
{
    g_autoptr(Unpacker) unpacker = unpacker_new();
    g_autoptr(GByteArray) payload = g_byte_array_new();
    guint64 offset = 0;
    const guint8 *out;
    size_t out_length;

    g_byte_array_append(payload, (const guint8 *)&offset, sizeof offset);
    g_byte_array_append(payload, (const guint8 *)&announced, sizeof announced);
    g_byte_array_append(payload, bytes, (guint)length);
    return unpack(unpacker, FRAME_PACKED, payload->data, payload->len, &offset, &out, &out_length,
                  error);
}

/* The frame says one length, the packed data another; neither may pass a chunk. */
static void
packed_data_that_lies_is_refused(void **state)
{
    (void)state;
    g_autoptr(Packer) packer = packer_new();
    g_autofree guint8 *text = (guint8 *)g_strnfill(CHUNK_SIZE, 'x');
    g_autofree Piece *piece = packer_chunk(packer, text, CHUNK_SIZE, 0);
    const guint8 *packed = piece->bytes + FRAME_HEADER + 12;
    size_t length = piece->length - FRAME_HEADER - 12;
    static const guint32 lies[] = {0, 1, CHUNK_SIZE - 1, CHUNK_SIZE + 1, G_MAXUINT32};
    GError *error = NULL;

    assert_true(unpack_text(CHUNK_SIZE, packed, length, &error));
    for (guint i = 0; i < G_N_ELEMENTS(lies); i++) {
        assert_false(unpack_text(lies[i], packed, length, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "cannot be unpacked");
    }
    g_autofree Piece *little = packer_chunk(packer, text, 8192, 0);
    assert_false(unpack_text(9000, little->bytes + FRAME_HEADER + 12,
                             little->length - FRAME_HEADER - 12, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "cannot be unpacked");
    assert_false(unpack_text(10, "no zstd at all", 14, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "cannot be unpacked");
    assert_false(unpack_text(CHUNK_SIZE, packed, length - 3, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "cannot be unpacked");
}

/* Plays a connection on which `speed(level)` MiB/s of content get through: the level at the end,
 * and how many of the last 60 windows were at it. */
static int
settle(double (*speed)(int level), guint *there)
{
    g_autoptr(Packer) packer = packer_new();
    g_autofree guint8 *text = (guint8 *)g_strnfill(1 << 16, 'y');
    gint64 busy = 0, now = g_get_monotonic_time();
    GArray *seen = g_array_new(FALSE, FALSE, sizeof(int));
    int counts[32] = {0}, best = 0;

    for (guint window = 0; window < 160; window++) {
        int level = packer_level(packer);
        guint chunks = (guint)MAX(speed(level) * 0.3, 8);
        for (guint i = 0; i < chunks; i++)
            g_free(packer_chunk(packer, text, 1 << 16, 0));
        g_array_append_val(seen, level);
        busy += 270000;
        now += 300000;
        packer_adapt(packer, busy, 0, now);
    }
    for (guint i = seen->len - 60; i < seen->len; i++) {
        int at = g_array_index(seen, int, i) + 10;
        best = ++counts[at] > counts[best] ? at : best;
    }
    g_array_unref(seen);
    *there = (guint)counts[best];
    return best - 10;
}

static double
more_with_level(int level)
{
    return 100 + 10 * level;
}

static double
best_without(int level)
{
    return level == 0 ? 400 : 100 - level;
}

static double
best_at_two(int level)
{
    return 200 - 30 * ABS(level - 2);
}

static void
the_level_follows_the_connection(void **state)
{
    (void)state;
    guint there;

    assert_in_range(settle(more_with_level, &there), 6, 7);
    assert_int_equal(settle(best_without, &there), 0);
    assert_true(there >= 50); /* later tries are rare */
    assert_int_equal(settle(best_at_two, &there), 2);
    assert_true(there >= 50);
}

static void
a_pace_is_even_and_has_no_bursts(void **state)
{
    (void)state;
    Pace pace = {.rate = 1000000};
    gint64 now = 5 * G_USEC_PER_SEC;
    guint64 second = 0;

    assert_int_equal(pace_slice(&pace, 1 << 20), 50000);
    assert_int_equal(pace_take(&pace, 50000, now), 0);
    for (guint i = 0; i < 100; i++) {
        now += pace_take(&pace, 50000, now);
        second += now < 6 * G_USEC_PER_SEC ? 50000 : 0;
    }
    assert_in_range(second, 1000000, 1300000);
    assert_in_range(now, 9600000, 10000000); /* 5 MB at 1 MB/s */

    now += 100 * (gint64)G_USEC_PER_SEC; /* nothing came for long */
    guint64 burst = 0;
    while (pace_take(&pace, 50000, now) == 0)
        burst += 50000;
    assert_true(burst <= 350000);
    Pace slow = {.rate = 3};
    assert_int_equal(pace_slice(&slow, 100), 1);
    Pace none = {0};
    assert_int_equal(pace_slice(&none, 1 << 20), 1 << 20);
    assert_int_equal(pace_take(&none, 1 << 20, now), 0);
}

static gpointer
push_many(gpointer data)
{
    Queue *queue = data;

    for (guint i = 0; i < 100; i++) {
        Piece *piece = piece_new(100);
        piece->length = 100;
        piece->content = i;
        if (!queue_push(queue, piece))
            return GUINT_TO_POINTER(i);
    }
    queue_end(queue);
    return GUINT_TO_POINTER(100);
}

static void
a_queue_keeps_order_and_is_bounded(void **state)
{
    (void)state;
    g_autoptr(Queue) queue = queue_new(1000);
    GThread *thread = g_thread_new("push", push_many, queue);
    Piece *piece;

    for (guint i = 0; i < 100; i++) {
        assert_int_equal(queue_pop(queue, 5000, &piece), QUEUE_PIECE);
        assert_int_equal(piece->content, i);
        g_free(piece);
    }
    assert_int_equal(queue_pop(queue, 5000, &piece), QUEUE_ENDED);
    g_thread_join(thread);

    g_autoptr(Queue) stopped = queue_new(1000);
    thread = g_thread_new("push", push_many, stopped);
    assert_int_equal(queue_pop(stopped, 5000, &piece), QUEUE_PIECE);
    g_free(piece);
    g_usleep(50000);
    queue_stop(stopped);
    assert_true(GPOINTER_TO_UINT(g_thread_join(thread)) <= 11);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(chunks_come_back_as_they_were),
    cmocka_unit_test(text_shrinks_and_noise_does_not_grow),
    cmocka_unit_test(zero_blocks_are_left_out),
    cmocka_unit_test(packed_data_that_lies_is_refused),
    cmocka_unit_test(the_level_follows_the_connection),
    cmocka_unit_test(a_pace_is_even_and_has_no_bursts),
    cmocka_unit_test(a_queue_keeps_order_and_is_bounded),
};
TEST_MAIN(tests)
