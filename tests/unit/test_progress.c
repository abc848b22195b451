// SPDX-License-Identifier: Apache-2.0
/* base/progress.c, and local/ciphers.c. */
#include "base/progress.h"

#include "local/ciphers.h"
#include "test.h"

#include <string.h>

#define MIB ((guint64)1 << 20)

static void
a_line_says_how_far_and_how_long(void **state)
{
    (void)state;
    g_autofree char *middle = progress_text("copying", 512 * MIB, 2048 * MIB, 4);
    g_autofree char *hours = progress_text("copying", 1 * MIB, 3601 * MIB, 1);
    g_autofree char *unknown = progress_text("copying", 512 * MIB, 0, 4);
    g_autofree char *nothing = progress_text("copying", 0, 2048 * MIB, 4);

    assert_string_equal(middle, "copying: 512.0 MiB of 2.0 GiB (25 %), 128.0 MiB/s, 0:12 left");
    assert_non_null(strstr(hours, "1:00:00 left"));
    assert_string_equal(unknown, "copying: 512.0 MiB, 128.0 MiB/s");
    assert_string_equal(nothing, "copying: 0 bytes of 2.0 GiB (0 %)");
}

static void
lines_come_every_ten_seconds_or_tenths(void **state)
{
    (void)state;
    assert_false(progress_line_is_due(9, 0, 90, 0, 100));
    assert_true(progress_line_is_due(10, 0, 10, 0, 100));
    assert_false(progress_line_is_due(30, 10, 15, 10, 100));
    assert_true(progress_line_is_due(70, 10, 15, 10, 100));
    assert_true(progress_line_is_due(20, 10, 15, 10, 0));
}

static void
another_process_sees_the_counter(void **state)
{
    (void)state;
    ProgressCounter shared = {0};

    progress_share(&shared);
    progress_begin("outer");
    progress_begin("inner");
    progress_expect(100);
    progress_add(30);
    progress_end();
    progress_expect(50);
    progress_add(5);
    assert_int_equal(shared.done, 35);
    assert_int_equal(shared.total, 150);
    progress_end();
    progress_share(NULL);
}

static void
aes_comes_first_where_it_is_allowed(void **state)
{
    (void)state;
    g_autofree char *moved = ciphers_ordered("user root\nciphers chacha20-poly1305@openssh.com,"
                                             "aes128-ctr,aes128-gcm@openssh.com\nmacs x\n");
    g_autofree char *forbidden =
        ciphers_ordered("ciphers chacha20-poly1305@openssh.com,aes128-ctr\n");
    g_autofree char *silent = ciphers_ordered("usage: ssh\n");

    assert_string_equal(moved,
                        "Ciphers=aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr");
    assert_null(forbidden);
    assert_null(silent);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_line_says_how_far_and_how_long),
    cmocka_unit_test(lines_come_every_ten_seconds_or_tenths),
    cmocka_unit_test(another_process_sees_the_counter),
    cmocka_unit_test(aes_comes_first_where_it_is_allowed),
};
TEST_MAIN(tests)
