// SPDX-License-Identifier: Apache-2.0
/* base/error.c: texts that fit into one line of oned's log, codes that follow from errno. */
#include "test.h"

#include <errno.h>
#include <string.h>

static void
one_line_joins_lines_and_trims(void **state)
{
    (void)state;
    g_autofree char *line = one_line("  first\n\tsecond \r\n\n third  ", 100);
    assert_string_equal(line, "first second third");
}

static void
one_line_replaces_control_bytes(void **state)
{
    (void)state;
    g_autofree char *line = one_line("a\x1b[31mb\x07\x7f"
                                     "c",
                                     100);
    for (const char *p = line; *p; p++)
        assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
    assert_has(line, "[31mb");
}

static void
one_line_replaces_what_is_not_utf8(void **state)
{
    (void)state;
    g_autofree char *line = one_line("caf\xe9 \xff\xfe", 100);
    assert_true(g_utf8_validate(line, -1, NULL));
    assert_has(line, "caf");
}

static void
one_line_is_cut_at_the_limit(void **state)
{
    (void)state;
    g_autofree char *text = g_strnfill(5000, 'x');
    g_autofree char *line = one_line(text, 200);
    assert_true(strlen(line) <= 200 + strlen("…"));
    assert_true(g_str_has_suffix(line, "…"));
}

static void
one_line_never_cuts_inside_a_character(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new(NULL);

    for (int i = 0; i < 100; i++)
        g_string_append(text, "ä€");
    for (size_t limit = 1; limit < 20; limit++) {
        g_autofree char *line = one_line(text->str, limit);
        assert_true(g_utf8_validate(line, -1, NULL));
    }
}

static void
one_line_of_nothing_is_empty(void **state)
{
    (void)state;
    g_autofree char *empty = one_line("", 10);
    g_autofree char *blank = one_line(" \n\t ", 10);
    assert_string_equal(empty, "");
    assert_string_equal(blank, "");
}

static void
errno_decides_the_code(void **state)
{
    (void)state;
    static const struct {
        int number;
        OnevolError code;
    } rows[] = {
        {ENOENT,     ONEVOL_ERROR_NOT_FOUND  },
        {ENOSPC,     ONEVOL_ERROR_NO_SPACE   },
        {EDQUOT,     ONEVOL_ERROR_NO_SPACE   },
        {EROFS,      ONEVOL_ERROR_DENIED     },
        {EACCES,     ONEVOL_ERROR_DENIED     },
        {EBUSY,      ONEVOL_ERROR_BUSY       },
        {EOPNOTSUPP, ONEVOL_ERROR_UNSUPPORTED},
        {ETIMEDOUT,  ONEVOL_ERROR_TIMEOUT    },
        {EIO,        ONEVOL_ERROR_FAILED     },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        assert_false(set_error_errno(&error, rows[i].number, "cannot do '%s'", "it"));
        assert_failed(error, rows[i].code, "cannot do 'it': ");
    }
}

static void
errors_may_be_ignored_by_the_caller(void **state)
{
    (void)state;
    assert_false(set_error(NULL, ONEVOL_ERROR_BUSY, "nobody reads this"));
    assert_false(set_error_errno(NULL, EIO, "nor this"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_line_joins_lines_and_trims),
    cmocka_unit_test(one_line_replaces_control_bytes),
    cmocka_unit_test(one_line_replaces_what_is_not_utf8),
    cmocka_unit_test(one_line_is_cut_at_the_limit),
    cmocka_unit_test(one_line_never_cuts_inside_a_character),
    cmocka_unit_test(one_line_of_nothing_is_empty),
    cmocka_unit_test(errno_decides_the_code),
    cmocka_unit_test(errors_may_be_ignored_by_the_caller),
};
TEST_MAIN(tests)
