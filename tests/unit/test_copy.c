// SPDX-License-Identifier: Apache-2.0
/* mover/copy.c on the file system of the test directory, and on a tiny one where mounts work. */
#include "base/command.h"
#include "mover/copy.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEGABYTE (1u << 20)

static guint64
allocated(const char *path)
{
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    return (guint64)info.st_blocks * 512;
}

/* `size` bytes of holes with `length` bytes of data at each of the offsets. */
static void
make_sparse(const char *path, guint64 size, guint length, const guint64 *offsets, guint count)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    g_autofree guint8 *data = g_malloc(length);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    for (guint i = 0; i < count; i++) {
        memset(data, (int)(i + 1), length);
        assert_int_equal(pwrite(fd, data, length, (off_t)offsets[i]), length);
    }
    assert_int_equal(fsync(fd), 0);
    close(fd);
}

static void
assert_same(const char *a, const char *b)
{
    g_autoptr(Argv) argv = argv_new("cmp", a, b);
    CommandOptions options = {.timeout_ms = SECONDS(60)};
    GError *error = NULL;

    command_check(argv, &options, NULL, &error);
    assert_no_error(error);
}

static const guint64 offsets[] = {0, 3 * MEGABYTE, 20 * MEGABYTE + 4096};

static void
a_copy_has_the_same_bytes_and_holes(void **state)
{
    (void)state;
    for (int share = 0; share <= 1; share++) {
        g_autofree char *from = test_path("from");
        g_autofree char *to = test_path("to");
        CopyResult result;
        make_sparse(from, 64 * MEGABYTE + 123, 64 * 1024, offsets, 3);
        assert_true(copy_file(from, to, share, NULL, &result, NULL));
        assert_same(from, to);
        assert_true(result.size == 64 * MEGABYTE + 123);
        assert_true(allocated(to) <= allocated(from) + MEGABYTE);
        if (!share) {
            assert_int_equal(result.method, COPY_SPARSE);
            assert_true(result.data >= 3 * 64 * 1024 && result.data <= MEGABYTE);
        }
    }
}

static void
shared_blocks_are_used_where_possible(void **state)
{
    (void)state;
    g_autofree char *from = test_path("from");
    g_autofree char *to = test_path("to");
    const char *kind = g_getenv("TEST_FILE_SYSTEM"); /* set by on_filesystem.py */
    bool reflink = kind && (!strcmp(kind, "xfs") || !strcmp(kind, "btrfs"));
    CopyResult result;

    make_sparse(from, 8 * MEGABYTE, MEGABYTE, offsets, 2);
    assert_true(copy_file(from, to, true, NULL, &result, NULL));
    assert_same(from, to);
    if (reflink)
        assert_int_equal(result.method, COPY_REFLINK);
    assert_true((result.method == COPY_REFLINK) == (result.data == 0));
    assert_non_null(copy_method_name(result.method));
}

static void
a_copy_does_not_change_with_its_source(void **state)
{
    (void)state;
    g_autofree char *from = test_path("from");
    g_autofree char *to = test_path("to");
    g_autofree char *kept = test_path("kept");
    CopyResult result;

    make_sparse(from, 8 * MEGABYTE, MEGABYTE, offsets, 2);
    make_sparse(kept, 8 * MEGABYTE, MEGABYTE, offsets, 2);
    assert_true(copy_file(from, to, true, NULL, &result, NULL));
    int fd = open(from, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "changed", 7, 0), 7);
    close(fd);
    assert_same(kept, to);
}

static void
written_zeros_take_no_space_in_a_copy_by_hand(void **state)
{
    (void)state;
    g_autofree char *from = test_path("from");
    g_autofree char *to = test_path("to");
    g_autofree char *zeros = g_malloc0(8 * MEGABYTE);
    CopyResult result;

    zeros[5 * MEGABYTE] = 'x';
    zeros[8 * MEGABYTE - 1] = 'y';
    test_write_bytes(from, zeros, 8 * MEGABYTE);
    assert_true(copy_file(from, to, false, NULL, &result, NULL));
    assert_same(from, to);
    assert_true(allocated(to) <= 256 * 1024);
}

static void
an_empty_file_and_an_odd_size_are_copied(void **state)
{
    (void)state;
    g_autofree char *from = test_path("from");
    g_autofree char *to = test_path("to");
    CopyResult result;

    for (gsize length = 0; length < 3; length++) {
        test_write_bytes(from, "abc", length);
        for (int share = 0; share <= 1; share++) {
            assert_true(copy_file(from, to, share, NULL, &result, NULL));
            assert_same(from, to);
        }
    }
}

static void
the_target_is_emptied_first(void **state)
{
    (void)state;
    g_autofree char *from = test_path("from");
    g_autofree char *to = test_path("to");
    g_autofree char *old = g_strnfill(4 * MEGABYTE, 'o');
    CopyResult result;

    make_sparse(from, MEGABYTE, 4096, offsets, 1);
    for (int share = 0; share <= 1; share++) {
        test_write_bytes(to, old, 4 * MEGABYTE);
        assert_true(copy_file(from, to, share, NULL, &result, NULL));
        assert_same(from, to);
    }
}

static void
what_is_no_file_is_refused(void **state)
{
    (void)state;
    g_autofree char *directory = test_directory("directory");
    g_autofree char *to = test_path("new");
    CopyResult result;
    GError *error = NULL;

    assert_false(copy_file(directory, to, true, NULL, &result, &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "neither a regular file");
    assert_false(copy_file("/nowhere", to, true, NULL, &result, &error));
    assert_failed(error, ONEVOL_ERROR_NOT_FOUND, "'/nowhere'");
    assert_false(test_exists(to));
}

static void
a_link_at_the_target_is_not_followed(void **state)
{
    (void)state;
    g_autofree char *from = test_path("from");
    g_autofree char *victim = test_path("victim");
    g_autofree char *link = test_path("link");
    CopyResult result;
    GError *error = NULL;

    test_write(from, "new");
    test_write(victim, "old");
    assert_int_equal(symlink(victim, link), 0);
    assert_false(copy_file(from, link, true, NULL, &result, &error));
    assert_failed(error, ONEVOL_ERROR_FAILED, "to write");
    g_autofree char *text = test_read(victim);
    assert_string_equal(text, "old");
    unlink(link);
}

/* A child cuts the source while it is copied. */
static void
a_source_that_shrinks_is_noticed(void **state)
{
    (void)state;
    g_autofree char *from = test_path("shrinking");
    g_autofree char *to = test_path("to");
    guint64 size = 1024ull * MEGABYTE;
    CopyResult result;
    GError *error = NULL;

    unlink(to);
    make_sparse(from, size, 4096, offsets, 1);
    int fd = open(from, O_WRONLY | O_CLOEXEC);
    g_autofree char *block = g_strnfill(MEGABYTE, 'b');
    for (guint i = 0; i < 192; i++)
        assert_int_equal(pwrite(fd, block, MEGABYTE, (off_t)i * MEGABYTE), MEGABYTE);
    pid_t pid = fork();
    if (pid == 0) {
        while (access(to, F_OK))
            g_usleep(100);
        _exit(ftruncate(fd, 5 * MEGABYTE) != 0);
    }
    bool done = copy_file(from, to, false, NULL, &result, &error);
    waitpid(pid, NULL, 0);
    close(fd);
    assert_false(done);
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "shr");
    assert_false(test_exists(to));
}

/* In a mount namespace of its own, so that nothing stays mounted; the exit status of `run`. */
static int
on_tiny_tmpfs(int (*run)(const char *mount))
{
    g_autofree char *mount_point = test_directory("tiny");
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount("none", mount_point, "tmpfs", 0, "size=1m"))
            _exit(77);
        _exit(run(mount_point));
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int
fill_it(const char *directory)
{
    g_autofree char *from = test_path("large");
    g_autofree char *to = g_build_filename(directory, "to", NULL);

    for (int share = 0; share <= 1; share++) {
        CopyResult result;
        GError *error = NULL;
        if (copy_file(from, to, share, NULL, &result, &error))
            return 1;
        if (!g_error_matches(error, ONEVOL_ERROR, ONEVOL_ERROR_NO_SPACE))
            return 2;
        if (test_exists(to))
            return 3;
        g_clear_error(&error);
    }
    return 0;
}

static void
a_full_disk_leaves_nothing(void **state)
{
    (void)state;
    g_autofree char *from = test_path("large");
    g_autofree char *block = g_strnfill(4 * MEGABYTE, 'b');

    test_write_bytes(from, block, 4 * MEGABYTE);
    int status = on_tiny_tmpfs(fill_it);
    if (status == 77)
        skip_because("mounting needs root");
    assert_int_equal(status, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_copy_has_the_same_bytes_and_holes),
    cmocka_unit_test(shared_blocks_are_used_where_possible),
    cmocka_unit_test(a_copy_does_not_change_with_its_source),
    cmocka_unit_test(written_zeros_take_no_space_in_a_copy_by_hand),
    cmocka_unit_test(an_empty_file_and_an_odd_size_are_copied),
    cmocka_unit_test(the_target_is_emptied_first),
    cmocka_unit_test(what_is_no_file_is_refused),
    cmocka_unit_test(a_link_at_the_target_is_not_followed),
    cmocka_unit_test(a_source_that_shrinks_is_noticed),
    cmocka_unit_test(a_full_disk_leaves_nothing),
};
TEST_MAIN(tests)
