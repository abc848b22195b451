// SPDX-License-Identifier: Apache-2.0
/* base/step.c: numbers, dry runs, faults. Its state lasts for a process, so each case forks. */
#include "base/log.h"
#include "base/step.h"
#include "test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The wait status of `run`, which returns whether all was right. */
static int
in_child(bool (*run)(void), const char *fault)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (fault)
            setenv("ONEVOL_FAULT", fault, 1);
        _exit(run() ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    return status;
}

static bool
three_steps(void)
{
    unsigned before = step_count();

    for (unsigned i = 1; i <= 3; i++) {
        if (step_begin(i == 2 ? STEP_READ : STEP_WRITE, "x", "/x", NULL) != STEP_DO ||
            step_count() != before + i)
            return false;
        step_end();
    }
    return true;
}

static void
steps_are_numbered_from_one(void **state)
{
    (void)state;
    assert_int_equal(step_count(), 0);
    assert_int_equal(in_child(three_steps, NULL), 0);
}

static bool
dry_run(void)
{
    GError *error = NULL;

    log_set_quiet(true);
    step_set_dry_run(true);
    bool right = step_is_dry_run() && step_begin(STEP_READ, "stat", "/ds/image", NULL) == STEP_DO &&
                 step_begin(STEP_WRITE, "make", "/ds/vm", NULL) == STEP_SKIP &&
                 step_begin(STEP_READ, "stat", "/ds/image", NULL) == STEP_DO &&
                 step_begin(STEP_READ, "stat", "/ds/vmx", NULL) == STEP_DO && /* beside */
                 step_begin(STEP_WRITE, "make", "/ds/vm/disk.0", NULL) == STEP_SKIP;
    return right && step_begin(STEP_READ, "stat", "/ds/vm/disk.1", &error) == STEP_STOP &&
           g_str_has_prefix(error->message, "dry run ends before step 6 (stat)") &&
           strstr(error->message, "'/ds/vm'");
}

static void
a_dry_run_skips_writes_and_stops_at_a_dependent_read(void **state)
{
    (void)state;
    assert_int_equal(in_child(dry_run, NULL), 0);
}

static bool
dry_run_above(void)
{
    log_set_quiet(true);
    step_set_dry_run(true);
    return step_begin(STEP_WRITE, "make", "/ds/vm/disk.0", NULL) == STEP_SKIP &&
           step_begin(STEP_READ, "list", "/ds/vm", NULL) == STEP_STOP;
}

static void
a_dry_run_stops_at_a_read_of_what_holds_the_change(void **state)
{
    (void)state;
    assert_int_equal(in_child(dry_run_above, NULL), 0);
}

static bool
second_fails(void)
{
    GError *error = NULL;

    return step_begin(STEP_WRITE, "a", "/a", NULL) == STEP_DO &&
           step_begin(STEP_WRITE, "b", "/b", &error) == STEP_STOP &&
           strstr(error->message, "step 2 fails on purpose: b") &&
           step_begin(STEP_WRITE, "c", "/c", NULL) == STEP_DO;
}

static void
a_fault_lets_exactly_its_step_fail(void **state)
{
    (void)state;
    assert_int_equal(in_child(second_fails, "fail:2"), 0);
}

static void
a_fault_kills_before_or_after_its_step(void **state)
{
    (void)state;
    int before = in_child(three_steps, "kill-before:3"),
        after = in_child(three_steps, "kill-after:1");

    assert_true(WIFSIGNALED(before) && WTERMSIG(before) == SIGKILL);
    assert_true(WIFSIGNALED(after) && WTERMSIG(after) == SIGKILL);
    assert_int_equal(in_child(three_steps, "kill-after:4"), 0);
    assert_int_equal(in_child(three_steps, "nonsense"), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(steps_are_numbered_from_one),
    cmocka_unit_test(a_dry_run_skips_writes_and_stops_at_a_dependent_read),
    cmocka_unit_test(a_dry_run_stops_at_a_read_of_what_holds_the_change),
    cmocka_unit_test(a_fault_lets_exactly_its_step_fail),
    cmocka_unit_test(a_fault_kills_before_or_after_its_step),
};
TEST_MAIN(tests)
