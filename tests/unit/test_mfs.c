// SPDX-License-Identifier: Apache-2.0
/* backends/mfs: the command lines of three products, and what their programs print about space. */
#include "backends/mfs/mfs.h"
#include "backends/mfs/output.h"
#include "backends/mfs/product.h"
#include "core/file_volume.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child, since what a host has is found out once a process: PATH holds only `programs`. */
static char *
commands(const char *driver, const char *programs)
{
    static const char *const tools[MFS_TOOLS] = {"snapshot", "set goal", "get goal", "trash time",
                                                 "quotas",   "quota",    "info"};
    g_autofree char *bin = test_directory("bin");
    g_autofree char *report = test_path("report");
    g_auto(GStrv) names = g_strsplit(programs, " ", -1);

    for (char **name = names; *name; name++) {
        g_autofree char *path = g_build_filename(bin, *name, NULL);
        test_write(path, "#!/bin/sh\n");
        assert_int_equal(chmod(path, 0755), 0);
    }
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *path = g_strdup(g_getenv("PATH"));
    setenv("PATH", bin, 1);
    pid_t child = fork();
    if (child == 0) {
        for (MfsTool tool = 0; tool < MFS_TOOLS; tool++) {
            g_autoptr(Argv) argv = NULL;
            g_autoptr(GError) error = NULL;
            if (!mfs_command(host_frontend(), driver, tool, &argv, &error)) {
                g_string_append_printf(text, "%s\n", strstr(error->message, "has none"));
                break;
            }
            g_autofree char *words = argv ? argv_text(argv) : g_strdup("(none)");
            g_string_append_printf(text, "%s: %s\n", tools[tool], words);
        }
        test_write(report, text->str);
        _exit(0);
    }
    setenv("PATH", path, 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return test_read(report);
}

#define ALL                                                                                        \
    "lizardfs mfsmakesnapshot mfssetsclass mfssetgoal mfsgetsclass mfsgetgoal "                    \
    "mfssettrashtime mfsgetquota mfsdirinfo saunafs"

static void
each_driver_prefers_its_own_product(void **state)
{
    (void)state;
    static const char *const names[] = {"lizardfs", "moosefs", "saunafs"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *text = commands(names[i], ALL);
        g_autofree char *file = g_strdup_printf("mfs-%s.argv", names[i]);
        assert_golden(file, text);
    }
}

static void
a_host_with_another_product_is_served(void **state)
{
    (void)state;
    g_autofree char *sauna = commands("lizardfs", "saunafs");
    g_autofree char *lizard = commands("moosefs", "lizardfs saunafs");

    assert_has(sauna, "snapshot: saunafs makesnapshot -o\n");
    assert_has(lizard, "snapshot: lizardfs makesnapshot -o\n");
}

static void
old_names_are_used_where_the_new_are_missing(void **state)
{
    (void)state;
    g_autofree char *text = commands("lizardfs", "mfsmakesnapshot mfssetgoal mfsgetgoal");

    assert_has(text, "snapshot: mfsmakesnapshot -o\n");
    assert_has(text, "set goal: mfssetgoal\n");
    assert_has(text, "get goal: mfsgetgoal\n");
}

static void
a_host_with_no_product_is_named(void **state)
{
    (void)state;
    g_autofree char *text = commands("lizardfs", "ls");
    assert_has(text, "has none of the programs lizardfs, mfsmakesnapshot and saunafs in PATH");
}

#define HEAD "/d: (current values | soft quota | hard quota) ; soft quota grace period: default\n"
#define ROW(name, used, soft, hard) " " name " | " used " | " soft " | " hard " |\n"

static void
quotas_narrow_the_space(void **state)
{
    (void)state;
    GError *error = NULL;
    MfsSpace space = {1000, 400, 600};

    assert_true(mfs_apply_quota(HEAD ROW("inodes", "2", "1", "1") ROW("length", "0", "-", "-")
                                    ROW("size", "0", "-", "-") ROW("realsize", "0", "-", "-"),
                                1, &space, &error));
    assert_int_equal(space.total, 1000);
    assert_int_equal(space.available, 600);

    assert_true(mfs_apply_quota(HEAD ROW("inodes", "2", "-", "-") ROW("length", "100", "900", "300")
                                    ROW("size", "0", "-", "-") ROW("realsize", "0", "-", "-"),
                                1, &space, &error));
    assert_int_equal(space.total, 300); /* the hard one */
    assert_int_equal(space.used, 100);
    assert_int_equal(space.available, 200);

    space = (MfsSpace){1000, 400, 600};
    assert_true(mfs_apply_quota(HEAD ROW("inodes", "2", "-", "-") ROW("length", "0", "-", "-")
                                    ROW("size", "0", "-", "-") ROW("realsize", "300", "600", "-"),
                                3, &space, &error));
    assert_int_equal(space.total, 200); /* three copies of each byte */
    assert_int_equal(space.used, 100);
    assert_int_equal(space.available, 100);

    space = (MfsSpace){1000, 400, 600};
    assert_true(mfs_apply_quota(HEAD ROW("inodes", "2", "-", "-") ROW("length", "900", "-", "800")
                                    ROW("size", "0", "-", "-") ROW("realsize", "0", "-", "-"),
                                1, &space, &error));
    assert_int_equal(space.available, 0); /* past it */
    assert_int_equal(space.used, 800);
}

static void
the_tightest_of_nested_quotas_counts(void **state)
{
    (void)state;
    GError *error = NULL;
    MfsSpace space = {1000, 400, 600};
    static const char *const text = HEAD ROW("inodes", "2", "-", "-") ROW("length", "0", "-", "-")
        ROW("size", "10", "-", "500") ROW("realsize", "0", "-", "-")
            HEAD ROW("inodes", "2", "-", "-") ROW("length", "0", "-", "-")
                ROW("size", "450", "-", "700") ROW("realsize", "0", "-", "-");

    assert_true(mfs_apply_quota(text, 1, &space, &error));
    assert_int_equal(space.total, 500);
    assert_int_equal(space.available, 250);
}

#define REPORT                                                                                     \
    "# User/Group ID/Directory; Bytes: current usage, soft limit, hard limit; Inodes: current "    \
    "usage, soft limit, hard limit;\n"

static void
the_report_of_lizardfs_is_read_from_its_end(void **state)
{
    (void)state;
    GError *error = NULL;
    MfsSpace space = {1000, 400, 600};

    assert_true(mfs_apply_repquota(REPORT, &space, &error));
    assert_int_equal(space.total, 1000);
    assert_true(
        mfs_apply_repquota(REPORT "Directory /a b/1 2 -- 100 0 250 3 0 0 \n", &space, &error));
    assert_int_equal(space.total, 250);
    assert_int_equal(space.used, 100);
    assert_int_equal(space.available, 150);
}

static void
what_is_not_understood_is_no_capacity(void **state)
{
    (void)state;
    static const char *const quotas[] = {"",
                                         "not MFS object\n",
                                         HEAD,
                                         HEAD ROW("length", "x", "-", "-"),
                                         HEAD ROW("length", "1", "-", "-5"),
                                         HEAD " length | 1 | 2 |\n",
                                         HEAD ROW("weight", "1", "-", "-")};
    static const char *const reports[] = {"",
                                          "error\n",
                                          REPORT "Directory /d -- 1 2 3 4 5\n",
                                          REPORT "Directory /d 1 2 3 4 5 6\n",
                                          REPORT "Directory /d -- 1 2 -3 4 5 6\n",
                                          REPORT "surprise\n"};
    MfsSpace space = {1000, 400, 600};
    double copies;
    GError *error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(quotas); i++) {
        assert_false(mfs_apply_quota(quotas[i], 1, &space, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "cannot understand");
    }
    for (guint i = 0; i < G_N_ELEMENTS(reports); i++) {
        assert_false(mfs_apply_repquota(reports[i], &space, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "cannot understand");
    }
    assert_false(mfs_parse_copies("q:\n size: 1\n", &copies, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "cannot understand");
    assert_null(mfs_parse_goal("no colon", &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "cannot understand");
}

static void
goals_and_copies_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *goal;
    } said[] = {
        {"/a: b: 2\n",                   "2"     },
        {"q: storage class: 'fast_2'\n", "fast_2"},
        {"/d: ec32\n",                   "ec32"  },
    };
    double copies;

    for (guint i = 0; i < G_N_ELEMENTS(said); i++) {
        g_autofree char *goal = mfs_parse_goal(said[i].text, NULL);
        assert_string_equal(goal, said[i].goal);
    }
    assert_true(mfs_parse_copies("q:\n inodes: 1\n size:   200\n realsize: 300\n", &copies, NULL));
    assert_true(copies > 1.49 && copies < 1.51);
    assert_true(mfs_parse_copies("q:\n size:   0\n realsize: 0\n", &copies, NULL));
    assert_true(copies < 0.5);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_driver_prefers_its_own_product),
    cmocka_unit_test(a_host_with_another_product_is_served),
    cmocka_unit_test(old_names_are_used_where_the_new_are_missing),
    cmocka_unit_test(a_host_with_no_product_is_named),
    cmocka_unit_test(quotas_narrow_the_space),
    cmocka_unit_test(the_tightest_of_nested_quotas_counts),
    cmocka_unit_test(the_report_of_lizardfs_is_read_from_its_end),
    cmocka_unit_test(what_is_not_understood_is_no_capacity),
    cmocka_unit_test(goals_and_copies_are_read),
};
TEST_MAIN(tests)
