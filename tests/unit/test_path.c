// SPDX-License-Identifier: Apache-2.0
/* base/path.c: text of paths, names and numbers. */
#include "base/path.h"
#include "test.h"

#include <string.h>

static void
paths_become_normal(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"/var/lib/one//datastores/102/1/disk.0", "/var/lib/one/datastores/102/1/disk.0"},
        {"/a/./b/../c/",                          "/a/c"                                },
        {"//a//b",                                "/a/b"                                },
        {"/",                                     "/"                                   },
        {"//",                                    "/"                                   },
        {"///",                                   "/"                                   },
        {"/../../etc",                            "/etc"                                },
        {"/a b/c'd/$(x)",                         "/a b/c'd/$(x)"                       },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *normal = path_normal(rows[i][0], NULL);
        assert_string_equal(normal, rows[i][1]);
    }
}

static void
relative_paths_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "a", "./a", "../a", "~/a", "-rf"};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        assert_null(path_normal(rows[i], &error));
        assert_failed(error, ONEVOL_ERROR_USAGE, "is not absolute");
    }
}

static void
control_characters_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"/a\nb", "/a\tb", "/a\x1b", "/\x7f", "/a\r"};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        assert_null(path_normal(rows[i], &error));
        assert_failed(error, ONEVOL_ERROR_USAGE, "control characters");
    }
}

static void
below_means_below_and_not_beside(void **state)
{
    (void)state;
    assert_true(path_is_below("/a/b", "/a"));
    assert_true(path_is_below("/a/b/c", "/a"));
    assert_true(path_is_below("/a/b", "/a/"));
    assert_true(path_is_below("/a", "/"));
    assert_false(path_is_below("/a", "/a"));
    assert_false(path_is_below("/ab", "/a"));
    assert_false(path_is_below("/a/", "/a"));
    assert_false(path_is_below("/", "/"));
    assert_false(path_is_below("/b/a", "/a"));
}

static void
safe_names_are_those_we_make(void **state)
{
    (void)state;
    static const char *const good[] = {"image-7-0123abcd",
                                       "disk.0",
                                       "a_b",
                                       "x@y",
                                       "a+b=c",
                                       "a:b",
                                       "0",
                                       "...",
                                       "bc8bc8f28548a1af244431541fe04d4c"};
    static const char *const bad[] = {"",         ".",    "..",   "-rf",  "a b", "a/b",  "a'b",
                                      "a\"b",     "a\nb", "$(x)", "a;b",  "a*b", "a\\b", "a|b",
                                      "\xc3\xa4", "a&b",  "`id`", "a\tb", "a~b", "a%b",  "a,b"};
    g_autofree char *long_name = g_strnfill(201, 'a');

    for (guint i = 0; i < G_N_ELEMENTS(good); i++)
        assert_true(name_is_safe(good[i]));
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_false(name_is_safe(bad[i]));
    assert_false(name_is_safe(long_name));
    assert_true(name_is_safe(long_name + 1));
}

static void
numbers_are_digits_in_range(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x10",
                                      "1e3",
                                      "one",
                                      "256",
                                      "99999999999999999999999",
                                      "1\n",
                                      "\xd9\xa1"};
    guint64 number = 7;

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_false(parse_number(bad[i], 255, &number));
    assert_false(parse_number(NULL, 255, &number));
    assert_true(parse_number("0", 255, &number) && number == 0);
    assert_true(parse_number("255", 255, &number) && number == 255);
    assert_true(parse_number("007", 255, &number) && number == 7);
    assert_true(parse_number("18446744073709551615", G_MAXUINT64, &number));
    assert_true(number == G_MAXUINT64);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(paths_become_normal),
    cmocka_unit_test(relative_paths_are_refused),
    cmocka_unit_test(control_characters_are_refused),
    cmocka_unit_test(below_means_below_and_not_beside),
    cmocka_unit_test(safe_names_are_those_we_make),
    cmocka_unit_test(numbers_are_digits_in_range),
};
TEST_MAIN(tests)
