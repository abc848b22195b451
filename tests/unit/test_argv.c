// SPDX-License-Identifier: Apache-2.0
/* base/argv.c: words stay words. */
#include "base/argv.h"
#include "test.h"

#include <string.h>

static void
words_are_copied_and_end_with_null(void **state)
{
    (void)state;
    char word[] = "lvcreate";
    g_autoptr(Argv) argv = argv_new(word, "--yes");

    word[0] = 'X';
    argv_addf(argv, "--size=%ub", 512u);
    argv_add(argv, "--", "name");
    assert_int_equal(argv_length(argv), 5);
    assert_string_equal(argv_words(argv)[0], "lvcreate");
    assert_string_equal(argv_words(argv)[2], "--size=512b");
    assert_string_equal(argv_words(argv)[4], "name");
    assert_null(argv_words(argv)[5]);
}

static void
a_vector_comes_from_a_list(void **state)
{
    (void)state;
    const char *const words[] = {"a", "", "b c", NULL};
    g_autoptr(Argv) argv = argv_new_strv(words);

    argv_add_strv(argv, words);
    assert_int_equal(argv_length(argv), 6);
    assert_string_equal(argv_words(argv)[1], "");
    assert_string_equal(argv_words(argv)[5], "b c");
}

static void
text_quotes_only_what_needs_it(void **state)
{
    (void)state;
    g_autoptr(Argv) argv = argv_new("mv", "--", "/plain/path", "with blank", "", "it's");
    g_autofree char *text = argv_text(argv);

    assert_string_equal(text, "mv -- /plain/path 'with blank' '' 'it'\\''s'");
}

/* A line of the log can be pasted into a shell and means the same. */
static void
text_reads_back_as_the_same_words(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "$(reboot)", "`id`",  "a;b", "a\nb", "\"",   "'", "\\", "*", "?", "~root", "#x",
        "a&b",       "{a,b}", "!!",  "<in",  ">out", "|", "",   " ", "ä", "-",     "--help"};
    g_autoptr(Argv) argv = argv_new("x");
    g_auto(GStrv) back = NULL;
    int count;

    for (guint i = 0; i < G_N_ELEMENTS(hostile); i++)
        argv_add(argv, hostile[i]);
    g_autofree char *text = argv_text(argv);
    assert_true(g_shell_parse_argv(text, &count, &back, NULL));
    assert_int_equal(count, G_N_ELEMENTS(hostile) + 1);
    for (guint i = 0; i < G_N_ELEMENTS(hostile); i++)
        assert_string_equal(back[i + 1], hostile[i]);
}

static void
freeing_nothing_is_allowed(void **state)
{
    (void)state;
    argv_free(NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(words_are_copied_and_end_with_null),
    cmocka_unit_test(a_vector_comes_from_a_list),
    cmocka_unit_test(text_quotes_only_what_needs_it),
    cmocka_unit_test(text_reads_back_as_the_same_words),
    cmocka_unit_test(freeing_nothing_is_allowed),
};
TEST_MAIN(tests)
