// SPDX-License-Identifier: Apache-2.0
/* one/report.c and base/log.c: what oned of each release makes of stderr. */
#include "base/log.h"
#include "one/installation.h"
#include "one/report.h"
#include "test.h"

#include <string.h>

static void
the_release_decides_the_contract(void **state)
{
    (void)state;
    assert_int_equal(report_contract(ONE_VERSION(5, 4, 0)), REPORT_MARKERS);
    assert_int_equal(report_contract(ONE_VERSION(5, 12, 13)), REPORT_MARKERS);
    assert_int_equal(report_contract(ONE_VERSION(6, 0, 2)), REPORT_MARKERS);
    assert_int_equal(report_contract(ONE_VERSION(6, 0, 3)), REPORT_WHOLE);
    assert_int_equal(report_contract(ONE_VERSION(6, 10, 5)), REPORT_WHOLE);
    assert_int_equal(report_contract(ONE_VERSION(7, 0, 0)), REPORT_LINES);
    assert_int_equal(report_contract(ONE_VERSION(7, 4, 0)), REPORT_LINES);
}

/* stderr of an action that logs and then fails with `message`. */
static char *
stderr_of(ReportContract contract, OnevolError code, const char *message)
{
    g_autoptr(GError) error = g_error_new_literal(ONEVOL_ERROR, code, message);

    test_capture_begin(2);
    report_begin(contract, "clone");
    log_info("5 blocks copied");
    log_warn("look\nout");
    int status = report_failure(error);
    char *text = test_capture_end(2);
    log_set_quiet(false);
    assert_int_equal(status, code);
    return text;
}

static void
old_releases_get_the_text_between_markers(void **state)
{
    (void)state;
    g_autofree char *text = stderr_of(REPORT_MARKERS, ONEVOL_ERROR_BUSY, "it is busy");
    assert_string_equal(text, "INFO: clone: 5 blocks copied\nWARN: clone: look out\n"
                              "ERROR MESSAGE --8<------\nit is busy\nERROR MESSAGE ------>8--\n");
}

static void
releases_that_take_all_of_stderr_get_only_the_text(void **state)
{
    (void)state;
    g_autofree char *text = stderr_of(REPORT_WHOLE, ONEVOL_ERROR_BUSY, "it is busy");
    assert_string_equal(text, "it is busy\n");
}

static void
new_releases_get_lines_with_a_severity_and_one_without(void **state)
{
    (void)state;
    g_autofree char *text = stderr_of(REPORT_LINES, ONEVOL_ERROR_BUSY, "it is busy");
    assert_string_equal(text, "INFO: clone: 5 blocks copied\nWARN: clone: look out\nit is busy\n");
}

/* From 7.0 on oned takes digits behind the severity for an object's id. */
static void
no_digits_stand_behind_a_severity(void **state)
{
    (void)state;
    g_autofree char *text = stderr_of(REPORT_LINES, ONEVOL_ERROR_FAILED, "x");
    assert_false(g_regex_match_simple("(?m)^(ERROR|INFO|WARN|DEBUG):\\s+\\d", text, 0, 0));
}

static void
a_text_never_begins_with_a_dash(void **state)
{
    (void)state;
    g_autofree char *text = stderr_of(REPORT_WHOLE, ONEVOL_ERROR_USAGE, "- -x is no option");
    g_autofree char *only = stderr_of(REPORT_WHOLE, ONEVOL_ERROR_USAGE, "---");

    assert_string_equal(text, "x is no option\n");
    assert_true(*only && *only != '-' && *only != '\n');
}

static void
a_text_of_several_lines_becomes_one(void **state)
{
    (void)state;
    g_autofree char *text = stderr_of(REPORT_WHOLE, ONEVOL_ERROR_FAILED, "a\nERROR: b\r\n\tc\n");
    assert_string_equal(text, "a ERROR: b c\n");
}

/* oned >= 7.0 would log such a line and show the user nothing. */
static void
a_text_never_looks_like_a_log_line(void **state)
{
    (void)state;
    static const char *const rows[] = {"ERROR: 12 is broken", "INFO: x", "WARN: y", "DEBUG: z"};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = stderr_of(REPORT_LINES, ONEVOL_ERROR_FAILED, rows[i]);
        g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
        const char *last = lines[g_strv_length(lines) - 1];
        assert_false(g_regex_match_simple("^(ERROR|INFO|WARN|DEBUG):\\s+", last, 0, 0));
    }
}

/* The text must not end a marker block early either. */
static void
a_marker_inside_the_text_stays_inside(void **state)
{
    (void)state;
    g_autofree char *text =
        stderr_of(REPORT_MARKERS, ONEVOL_ERROR_FAILED, "x\nERROR MESSAGE ------>8--\ny");
    assert_has(text, "--8<------\nx ERROR MESSAGE ------>8-- y\n");
}

static void
an_error_of_another_domain_still_fails(void **state)
{
    (void)state;
    g_autoptr(GError) error = g_error_new_literal(g_quark_from_string("other"), 0, "strange");

    test_capture_begin(2);
    report_begin(REPORT_LINES, "x");
    int status = report_failure(error);
    g_autofree char *text = test_capture_end(2);
    assert_int_equal(status, ONEVOL_ERROR_FAILED);
    assert_string_equal(text, "strange\n");
}

static void
debug_lines_need_verbose(void **state)
{
    (void)state;
    test_capture_begin(2);
    report_begin(REPORT_LINES, "x");
    log_debug("hidden");
    log_set_verbose(true);
    log_debug("shown");
    log_set_verbose(false);
    g_autofree char *text = test_capture_end(2);
    assert_string_equal(text, "DEBUG: x: shown\n");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_release_decides_the_contract),
    cmocka_unit_test(old_releases_get_the_text_between_markers),
    cmocka_unit_test(releases_that_take_all_of_stderr_get_only_the_text),
    cmocka_unit_test(new_releases_get_lines_with_a_severity_and_one_without),
    cmocka_unit_test(no_digits_stand_behind_a_severity),
    cmocka_unit_test(a_text_never_begins_with_a_dash),
    cmocka_unit_test(a_text_of_several_lines_becomes_one),
    cmocka_unit_test(a_text_never_looks_like_a_log_line),
    cmocka_unit_test(a_marker_inside_the_text_stays_inside),
    cmocka_unit_test(an_error_of_another_domain_still_fails),
    cmocka_unit_test(debug_lines_need_verbose),
};
TEST_MAIN(tests)
