// SPDX-License-Identifier: Apache-2.0
/* wire/frame.c: the bytes of a session, and what is refused before anything is allocated. */
#include "test.h"
#include "wire/channel.h"

#include <string.h>
#include <unistd.h>

static char *
hex(const GByteArray *bytes)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < bytes->len; i++)
        g_string_append_printf(text, "%02x%s", bytes->data[i], i % 16 == 15 ? "\n" : " ");
    g_string_append_c(text, '\n');
    return g_string_free(text, FALSE);
}

static void
a_talk_has_these_bytes(void **state)
{
    (void)state;
    g_autoptr(GByteArray) talk = g_byte_array_new();
    static const guint8 preamble[] = WIRE_PREAMBLE;

    g_byte_array_append(talk, preamble, sizeof preamble - 1);
    frame_append_message(talk, FRAME_HELLO, 0,
                         g_variant_new(WIRE_HELLO, "0123456789abcdef", 5000, 30000, 0, FALSE));
    frame_append_message(talk, FRAME_REQUEST, 1,
                         g_variant_new(WIRE_REQUEST, "stat", g_variant_new("(sb)", "/a", TRUE)));
    frame_append_message(talk, FRAME_REPLY, 1,
                         g_variant_new(WIRE_REPLY, g_variant_new("(b)", TRUE)));
    frame_append_message(talk, FRAME_ERROR, 2, g_variant_new(WIRE_ERROR, 3, "no '/a'"));
    frame_append(talk, FRAME_HEARTBEAT, 0, NULL, 0);
    frame_append(talk, FRAME_CANCEL, 2, NULL, 0);
    g_autofree char *text = hex(talk);
    assert_golden("wire-talk.hex", text);
}

static void
what_goes_in_comes_out_whole_or_byte_by_byte(void **state)
{
    (void)state;
    g_autoptr(GByteArray) queue = g_byte_array_new();
    Frame frame;

    frame_append(queue, FRAME_REPLY, 7, "hello", 5);
    frame_append(queue, FRAME_HEARTBEAT, 0, NULL, 0);
    for (guint step = 1; step <= queue->len; step += queue->len - 1) {
        FrameReader *reader = frame_reader_new(false);
        guint found = 0;
        for (guint at = 0; at < queue->len; at += step) {
            frame_reader_feed(reader, queue->data + at, step);
            while (frame_reader_next(reader, &frame, NULL) == 1) {
                assert_int_equal(frame.type, found ? FRAME_HEARTBEAT : FRAME_REPLY);
                if (!found++) {
                    assert_int_equal(frame.stream, 7);
                    assert_memory_equal(frame.payload, "hello", 5);
                }
            }
        }
        assert_int_equal(found, 2);
        frame_reader_free(reader);
    }
}

static void
long_messages_are_cut(void **state)
{
    (void)state;
    g_autoptr(GByteArray) queue = g_byte_array_new();
    g_autofree char *long_text = g_strnfill(FRAME_LIMIT * 2 + 5, 'x');
    FrameReader *reader = frame_reader_new(false);
    Frame frame;

    frame_append(queue, FRAME_REPLY, 1, long_text, FRAME_LIMIT * 2 + 5);
    frame_reader_feed(reader, queue->data, queue->len);
    assert_int_equal(frame_reader_next(reader, &frame, NULL), 1);
    assert_int_equal(frame.flags, FRAME_MORE);
    assert_int_equal(frame_reader_next(reader, &frame, NULL), 1);
    assert_int_equal(frame.flags, FRAME_MORE);
    assert_int_equal(frame_reader_next(reader, &frame, NULL), 1);
    assert_int_equal(frame.flags, 0);
    assert_int_equal(frame.length, 5);
    frame_reader_free(reader);
}

/* Both ends of one pipe in one process: what does not fit waits in the queue. */
static void
a_channel_puts_cut_messages_together(void **state)
{
    (void)state;
    g_autofree char *text = g_strnfill(3 * FRAME_LIMIT, 'x');
    int fds[2];
    Channel from, to;
    Frame frame;
    size_t length;
    GError *error = NULL;

    assert_int_equal(pipe(fds), 0);
    channel_init(&from, fds[0], fds[1], false);
    channel_init(&to, fds[0], fds[1], false);
    channel_send(&from, FRAME_REQUEST, 5, g_variant_new("(s)", text));
    channel_send_empty(&from, FRAME_HEARTBEAT, 0);
    for (int got = 0; got == 0; got = channel_next(&to, &frame, &length, &error)) {
        assert_true(channel_write(&from, NULL));
        assert_true(channel_read(&to, NULL));
    }
    assert_no_error(error);
    assert_int_equal(frame.type, FRAME_REQUEST);
    assert_int_equal(frame.stream, 5);
    assert_int_equal(length, 3 * FRAME_LIMIT + 1);
    assert_memory_equal(frame.payload, text, 3 * FRAME_LIMIT);
    channel_write(&from, NULL);
    channel_read(&to, NULL);
    assert_int_equal(channel_next(&to, &frame, &length, &error), 1);
    assert_int_equal(frame.type, FRAME_HEARTBEAT);
    assert_int_equal(channel_next(&to, &frame, &length, &error), 0);
    assert_true(channel_read(&to, NULL));
    assert_false(to.ended);
    close(fds[1]);
    assert_true(channel_read(&to, NULL));
    assert_true(to.ended);
    channel_clear(&from);
    channel_clear(&to);
    close(fds[0]);
}

static void
senseless_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        guint8 bytes[FRAME_HEADER];
    } headers[] = {
        {"a byte too long",     {1, 0, 0x10, 0, FRAME_REPLY, 0, 0, 0, 1, 0, 0, 0}         },
        {"4 GiB",               {0xff, 0xff, 0xff, 0xff, FRAME_REPLY, 0, 0, 0, 1, 0, 0, 0}},
        {"type 0",              {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}                      },
        {"unknown type",        {0, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0}                     },
        {"unknown flag",        {0, 0, 0, 0, FRAME_REPLY, 8, 0, 0, 1, 0, 0, 0}            },
        {"not zero",            {0, 0, 0, 0, FRAME_REPLY, 0, 1, 0, 1, 0, 0, 0}            },
        {"hello on a stream",   {0, 0, 0, 0, FRAME_HELLO, 0, 0, 0, 1, 0, 0, 0}            },
        {"request on control",  {0, 0, 0, 0, FRAME_REQUEST, 0, 0, 0, 0, 0, 0, 0}          },
        {"beat with a payload", {1, 0, 0, 0, FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, 0}        },
        {"data with no bytes",  {8, 0, 0, 0, FRAME_DATA, 0, 0, 0, 0, 0, 0, 0}             },
        {"the last stream",     {0, 0, 0, 0, FRAME_REPLY, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}},
    };
    GError *error = NULL;
    Frame frame;

    for (guint i = 0; i < G_N_ELEMENTS(headers); i++) {
        if (frame_parse(headers[i].bytes, &frame, &error))
            fail_msg("%s was accepted", headers[i].why);
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "a frame");
    }
}

static void
a_login_script_may_print_first(void **state)
{
    (void)state;
    static const char talk[] = "Welcome!\nonevol-agent talk\n" WIRE_PREAMBLE;
    g_autoptr(GByteArray) frames = g_byte_array_new();
    Frame frame;

    frame_append(frames, FRAME_HEARTBEAT, 0, NULL, 0);
    for (gsize step = 1; step < sizeof talk; step++) {
        FrameReader *reader = frame_reader_new(true);
        for (gsize at = 0; at < sizeof talk - 1; at += step) {
            frame_reader_feed(reader, talk + at, MIN(step, sizeof talk - 1 - at));
            assert_int_equal(frame_reader_next(reader, &frame, NULL), 0);
        }
        frame_reader_feed(reader, frames->data, frames->len);
        assert_int_equal(frame_reader_next(reader, &frame, NULL), 1);
        assert_int_equal(frame.type, FRAME_HEARTBEAT);
        assert_string_equal(frame_reader_noise(reader), "Welcome!\nonevol-agent talk\n");
        frame_reader_free(reader);
    }
}

static void
endless_noise_is_no_agent(void **state)
{
    (void)state;
    FrameReader *reader = frame_reader_new(true);
    g_autofree char *noise = g_strnfill(1 << 20, 'x');
    GError *error = NULL;
    Frame frame;

    frame_reader_feed(reader, noise, 1 << 20);
    assert_int_equal(frame_reader_next(reader, &frame, &error), -1);
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "something else");
    frame_reader_free(reader);
}

static void
only_normal_messages_of_the_type_pass(void **state)
{
    (void)state;
    g_autoptr(GBytes) good = message_pack(g_variant_new(WIRE_ERROR, 3, "text"));
    g_autofree guint8 *bytes = g_memdup2(g_bytes_get_data(good, NULL), g_bytes_get_size(good));
    gsize length = g_bytes_get_size(good);
    GError *error = NULL;

    GVariant *value = message_unpack(bytes, length, WIRE_ERROR, &error);
    assert_no_error(error);
    g_variant_unref(value);
    assert_null(message_unpack(bytes, length - 1, WIRE_ERROR, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "is no (us)");
    bytes[length - 1] = 'x'; /* the text's end */
    assert_null(message_unpack(bytes, length, WIRE_ERROR, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "is no (us)");
    assert_null(message_unpack(NULL, 0, WIRE_HELLO, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "0 bytes");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_talk_has_these_bytes),
    cmocka_unit_test(what_goes_in_comes_out_whole_or_byte_by_byte),
    cmocka_unit_test(long_messages_are_cut),
    cmocka_unit_test(a_channel_puts_cut_messages_together),
    cmocka_unit_test(senseless_headers_are_refused),
    cmocka_unit_test(a_login_script_may_print_first),
    cmocka_unit_test(endless_noise_is_no_agent),
    cmocka_unit_test(only_normal_messages_of_the_type_pass),
};
TEST_MAIN(tests)
