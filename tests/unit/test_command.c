// SPDX-License-Identifier: Apache-2.0
/* base/command.c, with real children. */
#include "base/command.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A shell is the easiest child to script; production code never starts one. */
static bool
run_script(const char *script, const CommandOptions *options, CommandResult *result, GError **error)
{
    g_autoptr(Argv) argv = argv_new("/bin/sh", "-c", script);

    return command_run(argv, options, result, error);
}

static void
both_outputs_are_kept_and_the_status_told(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = SECONDS(10)};

    assert_true(run_script("echo out; echo err >&2; exit 7", &options, &result, NULL));
    assert_int_equal(result.status, 7);
    assert_string_equal(result.out, "out\n");
    assert_string_equal(result.err, "err\n");
    assert_int_equal(result.out_length, 4);
}

static void
large_outputs_on_both_pipes_do_not_block(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = SECONDS(30)};

    assert_true(run_script("head -c 300000 /dev/zero >&2; head -c 500000 /dev/zero; "
                           "head -c 300000 /dev/zero >&2",
                           &options, &result, NULL));
    assert_int_equal(result.out_length, 500000);
}

static void
output_past_the_limit_ends_the_child(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = SECONDS(60)};
    GError *error = NULL;

    assert_false(run_script("exec cat /dev/zero", &options, &result, &error));
    assert_failed(error, ONEVOL_ERROR_FAILED, "printed more than 64 MiB");
}

static void
stdin_is_fed_to_its_end(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    g_autofree char *input = g_strnfill(1 << 20, 'i');
    CommandOptions options = {
        .timeout_ms = SECONDS(30), .input = input, .input_length = strlen(input)};

    assert_true(run_script("cat", &options, &result, NULL));
    assert_int_equal(result.out_length, 1 << 20);
    assert_memory_equal(result.out, input, 1 << 20);
}

static void
stdin_that_nobody_reads_is_no_error(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    g_autofree char *input = g_strnfill(1 << 20, 'i');
    CommandOptions options = {
        .timeout_ms = SECONDS(30), .input = input, .input_length = strlen(input)};

    signal(SIGPIPE, SIG_IGN); /* as cancel_install() does in the program */
    assert_true(run_script("exit 3", &options, &result, NULL));
    assert_int_equal(result.status, 3);
}

static void
stdin_is_empty_without_input(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = SECONDS(10)};

    assert_true(run_script("cat; echo end", &options, &result, NULL));
    assert_string_equal(result.out, "end\n");
}

static void
a_signal_is_told_as_128_and_its_number(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = SECONDS(10)};

    assert_true(run_script("kill -KILL $$", &options, &result, NULL));
    assert_int_equal(result.status, 128 + SIGKILL);
}

static void
a_program_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    g_autoptr(Argv) argv = argv_new("/nowhere/no-such-program");
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = SECONDS(10)};
    GError *error = NULL;

    assert_false(command_run(argv, &options, &result, &error));
    assert_failed(error, ONEVOL_ERROR_NOT_FOUND, "cannot run '/nowhere/no-such-program'");
}

static void
a_directory_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = SECONDS(10), .directory = "/nowhere"};
    GError *error = NULL;

    assert_false(run_script("true", &options, &result, &error));
    assert_failed(error, ONEVOL_ERROR_NOT_FOUND, "cannot run");
}

/* True once no process holds the write end any more. */
static bool
family_ends(int pipe_end)
{
    char byte;

    fcntl(pipe_end, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 100; i++) {
        if (read(pipe_end, &byte, 1) == 0)
            return true;
        g_usleep(50000);
    }
    return false;
}

static void
the_deadline_ends_the_child_and_its_family(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = 500};
    GError *error = NULL;
    g_autofree char *fifo = test_path("alive");
    g_autofree char *script =
        g_strdup_printf("exec 7>'%s'; (trap '' HUP; sleep 300) & sleep 300; wait", fifo);
    gint64 start = g_get_monotonic_time();

    g_autofree char *make = g_strdup_printf("mkfifo '%s'", fifo);
    CommandOptions soon = {.timeout_ms = SECONDS(10)};
    assert_true(run_script(make, &soon, &result, NULL));
    command_result_clear(&result);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);

    assert_false(run_script(script, &options, &result, &error));
    assert_failed(error, ONEVOL_ERROR_TIMEOUT, "did not end within");
    assert_true(g_get_monotonic_time() - start < 10 * G_USEC_PER_SEC);
    assert_true(family_ends(reader)); /* the grandchild held it too */
    close(reader);
}

static void
a_child_that_ignores_term_is_killed(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = 300};
    GError *error = NULL;

    assert_false(run_script("trap '' TERM; while :; do sleep 1; done", &options, &result, &error));
    assert_failed(error, ONEVOL_ERROR_TIMEOUT, "did not end");
}

/* Stopped past its deadline, as by a debugger or a host that pauses: the child was in time. */
static void
what_was_said_in_time_counts_after_a_stop(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = 1000};
    GError *error = NULL;

    assert_true(run_script("(sleep 2; kill -CONT $PPID) >&- 2>&- & echo said; kill -STOP $PPID",
                           &options, &result, &error));
    assert_string_equal(result.out, "said\n");
}

static void
the_locale_is_c_unless_kept(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    g_auto(CommandResult) kept = {0};
    CommandOptions options = {.timeout_ms = SECONDS(10)};
    CommandOptions keep = {.timeout_ms = SECONDS(10), .keep_locale = true};

    setenv("LC_ALL", "xx_YY.UTF-8", 1);
    assert_true(run_script("echo $LC_ALL", &options, &result, NULL));
    assert_true(run_script("echo $LC_ALL", &keep, &kept, NULL));
    unsetenv("LC_ALL");
    assert_string_equal(result.out, "C\n");
    assert_string_equal(kept.out, "xx_YY.UTF-8\n");
}

static void
environment_is_added_and_keeps_equals_signs(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    const char *const set[] = {"A=1=2", "B=", NULL};
    CommandOptions options = {.timeout_ms = SECONDS(10), .set = set};

    assert_true(run_script("echo \"$A|$B|${PATH:+path}\"", &options, &result, NULL));
    assert_string_equal(result.out, "1=2||path\n");
}

static void
no_stray_descriptors_reach_the_child(void **state)
{
    (void)state;
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = SECONDS(10)};
    int stray = dup2(STDOUT_FILENO, 77); /* no close-on-exec */

    assert_true(run_script("ls /proc/self/fd", &options, &result, NULL));
    close(stray);
    assert_null(strstr(result.out, "77"));
    assert_string_equal(result.out, "0\n1\n2\n3\n"); /* 3: the directory that ls reads */
}

static void
a_child_dies_with_its_parent(void **state)
{
    (void)state;
    g_autofree char *fifo = test_path("parent");
    g_auto(CommandResult) result = {0};
    CommandOptions options = {.timeout_ms = SECONDS(10)};
    g_autofree char *make = g_strdup_printf("mkfifo '%s'", fifo);
    g_autofree char *script = g_strdup_printf("exec sleep 300 7>'%s'", fifo);

    assert_true(run_script(make, &options, &result, NULL));
    int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    pid_t parent = fork();
    if (parent == 0) {
        CommandOptions long_run = {.timeout_ms = SECONDS(300)};
        g_auto(CommandResult) ignored = {0};
        run_script(script, &long_run, &ignored, NULL);
        _exit(0);
    }
    g_usleep(300000);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    assert_true(family_ends(reader));
    close(reader);
}

static void
check_names_program_status_and_what_it_said(void **state)
{
    (void)state;
    g_autoptr(Argv) argv = argv_new("/bin/sh", "-c", "echo 'first\nsecond' >&2; exit 5");
    CommandOptions options = {.timeout_ms = SECONDS(10)};
    GError *error = NULL;

    assert_false(command_check(argv, &options, NULL, &error));
    assert_failed(error, ONEVOL_ERROR_FAILED, "/bin/sh exited 5: first second");
}

static void
check_knows_a_full_disk(void **state)
{
    (void)state;
    g_autoptr(Argv) argv =
        argv_new("/bin/sh", "-c", "echo 'write: No space left on device' >&2; exit 1");
    CommandOptions options = {.timeout_ms = SECONDS(10)};
    GError *error = NULL;

    assert_false(command_check(argv, &options, NULL, &error));
    assert_failed(error, ONEVOL_ERROR_NO_SPACE, "No space left");
}

static void
check_gives_the_output(void **state)
{
    (void)state;
    g_autoptr(Argv) argv = argv_new("/bin/echo", "hello $(id)");
    CommandOptions options = {.timeout_ms = SECONDS(10)};
    g_autofree char *out = NULL;

    assert_true(command_check(argv, &options, &out, NULL));
    assert_string_equal(out, "hello $(id)\n");
}

/* A cancel lasts for the rest of a process, so it is tried in one of its own. */
static void
a_cancel_ends_the_child(void **state)
{
    (void)state;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        g_auto(CommandResult) result = {0};
        CommandOptions options = {.timeout_ms = SECONDS(60)};
        GError *error = NULL;
        cancel_install();
        if (fork() == 0) {
            g_usleep(300000);
            kill(getppid(), SIGTERM);
            _exit(0);
        }
        bool ran = run_script("sleep 60", &options, &result, &error);
        bool right = !ran && g_error_matches(error, ONEVOL_ERROR, ONEVOL_ERROR_CANCELLED) &&
                     cancel_requested() && !cancel_check(NULL) &&
                     strstr(error->message, "stopped by signal 15");
        _exit(right ? 0 : 1);
    }
    gint64 start = g_get_monotonic_time();
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_true(g_get_monotonic_time() - start < 10 * G_USEC_PER_SEC);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(both_outputs_are_kept_and_the_status_told),
    cmocka_unit_test(large_outputs_on_both_pipes_do_not_block),
    cmocka_unit_test(output_past_the_limit_ends_the_child),
    cmocka_unit_test(stdin_is_fed_to_its_end),
    cmocka_unit_test(stdin_that_nobody_reads_is_no_error),
    cmocka_unit_test(stdin_is_empty_without_input),
    cmocka_unit_test(a_signal_is_told_as_128_and_its_number),
    cmocka_unit_test(a_program_that_is_not_there_is_an_error),
    cmocka_unit_test(a_directory_that_is_not_there_is_an_error),
    cmocka_unit_test(the_deadline_ends_the_child_and_its_family),
    cmocka_unit_test(a_child_that_ignores_term_is_killed),
    cmocka_unit_test(what_was_said_in_time_counts_after_a_stop),
    cmocka_unit_test(the_locale_is_c_unless_kept),
    cmocka_unit_test(environment_is_added_and_keeps_equals_signs),
    cmocka_unit_test(no_stray_descriptors_reach_the_child),
    cmocka_unit_test(a_child_dies_with_its_parent),
    cmocka_unit_test(check_names_program_status_and_what_it_said),
    cmocka_unit_test(check_knows_a_full_disk),
    cmocka_unit_test(check_gives_the_output),
    cmocka_unit_test(a_cancel_ends_the_child),
};
TEST_MAIN(tests)
