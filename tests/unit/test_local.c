// SPDX-License-Identifier: Apache-2.0
/* local/: the operations of one machine, called as a host is called: by name, with a tuple. */
#include "base/step.h"
#include "local/operation.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const names[] = {
    "stat",           "list",     "read",   "resolve",     "space",       "digest",
    "make-directory", "link",     "remove", "remove-tree", "rename",      "write",
    "allocate",       "reserve",  "copy",   "copy-tree",   "build-begin", "build-commit",
    "build-abandon",  "lock",     "unlock", "run",         "flush",       "find-above",
    "find-program",   "find-link"};

static Session *session;

/* Calls; the reply (NULL on failure) is the caller's. Consumes floating arguments. */
static GVariant *
call(const char *name, GVariant *arguments, GError **error)
{
    const Operation *operation = operation_find(name);
    GVariant *reply = NULL;

    assert_non_null(operation);
    if (!session)
        session = session_new();
    if (!operation_run(operation, session, arguments, &reply, error))
        return NULL;
    assert_true(g_variant_is_of_type(reply, G_VARIANT_TYPE(operation->reply)));
    return reply;
}

static void
done(const char *name, GVariant *arguments)
{
    GError *error = NULL;
    g_autoptr(GVariant) reply = call(name, arguments, &error);

    assert_no_error(error);
    assert_non_null(reply);
}

#define failed(name, arguments, code, part)                                                        \
    do {                                                                                           \
        GError *said = NULL;                                                                       \
        assert_null(call(name, arguments, &said));                                                 \
        assert_failed(said, code, part);                                                           \
    } while (0)

static void
every_operation_checks_the_type_of_its_arguments(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        failed(names[i], g_variant_new("(d)", 1.0), ONEVOL_ERROR_USAGE, "of a wrong type");
        failed(names[i], g_variant_new_string("x"), ONEVOL_ERROR_USAGE, names[i]);
    }
    assert_null(operation_find("format-disk"));
    assert_null(operation_find(""));
}

static void
stat_tells_what_is_there(void **state)
{
    (void)state;
    g_autofree char *path = test_path("file");
    g_autofree char *link = test_path("link");
    g_autofree char *target = NULL;
    guint32 mode;
    guint64 size, skip;

    test_write(path, "12345");
    unlink(link);
    assert_int_equal(symlink(path, link), 0);
    g_autoptr(GVariant) file = call("stat", g_variant_new("(sb)", path, FALSE), NULL);
    g_variant_get(file, "(uttttts)", &mode, &size, &skip, &skip, &skip, &skip, NULL);
    assert_true(S_ISREG(mode) && size == 5);

    g_autoptr(GVariant) itself = call("stat", g_variant_new("(sb)", link, FALSE), NULL);
    g_variant_get(itself, "(uttttts)", &mode, NULL, NULL, NULL, NULL, NULL, &target);
    assert_true(S_ISLNK(mode));
    assert_string_equal(target, path);
    g_autoptr(GVariant) through = call("stat", g_variant_new("(sb)", link, TRUE), NULL);
    g_variant_get(through, "(uttttts)", &mode, NULL, NULL, NULL, NULL, NULL, NULL);
    assert_true(S_ISREG(mode));

    g_autoptr(GVariant) missing = call("stat", g_variant_new("(sb)", "/nowhere/x", FALSE), NULL);
    g_variant_get(missing, "(uttttts)", &mode, NULL, NULL, NULL, NULL, NULL, NULL);
    assert_int_equal(mode, 0);
}

static void
list_of_a_missing_directory_is_empty(void **state)
{
    (void)state;
    g_autofree char *directory = test_directory("listed");
    g_autofree char *inside = g_build_filename(directory, "$(a) b 'c'", NULL);

    test_write(inside, "x");
    g_autoptr(GVariant) missing = call("list", g_variant_new("(s)", "/nowhere"), NULL);
    g_autoptr(GVariant) entries = call("list", g_variant_new("(s)", directory), NULL);
    g_autofree char *text = g_variant_print(entries, FALSE);
    g_autoptr(GVariant) array = g_variant_get_child_value(missing, 0);
    assert_int_equal(g_variant_n_children(array), 0);
    assert_has(text, "$(a) b");
    failed("list", g_variant_new("(s)", inside), ONEVOL_ERROR_NOT_FOUND, "cannot list");
}

static void
read_is_bounded_and_stops_at_the_end(void **state)
{
    (void)state;
    g_autofree char *path = test_path("read");
    gsize length;

    test_write(path, "0123456789");
    g_autoptr(GVariant) reply =
        call("read", g_variant_new("(stt)", path, (guint64)8, (guint64)100), NULL);
    g_autoptr(GVariant) bytes = g_variant_get_child_value(reply, 0);
    assert_memory_equal(g_variant_get_fixed_array(bytes, &length, 1), "89", 2);
    assert_int_equal(length, 2);
    failed("read", g_variant_new("(stt)", path, (guint64)0, (guint64)1 << 40), ONEVOL_ERROR_USAGE,
           "too much");
    failed("read", g_variant_new("(stt)", "/nowhere", (guint64)0, (guint64)1),
           ONEVOL_ERROR_NOT_FOUND, "cannot open");
}

static void
resolve_follows_links(void **state)
{
    (void)state;
    g_autofree char *directory = test_directory("resolved");
    g_autofree char *link = g_build_filename(directory, "link", NULL);
    const char *found;

    assert_int_equal(symlink("/usr/../etc/passwd", link), 0);
    g_autoptr(GVariant) reply = call("resolve", g_variant_new("(s)", link), NULL);
    g_variant_get(reply, "(&s)", &found);
    assert_string_equal(found, "/etc/passwd");
    failed("resolve", g_variant_new("(s)", "/nowhere/x"), ONEVOL_ERROR_NOT_FOUND, "cannot resolve");
}

static void
space_is_never_reported_as_nothing(void **state)
{
    (void)state;
    guint64 total, used, free_bytes;
    g_autofree char *here = test_path(NULL);
    g_autoptr(GVariant) reply = call("space", g_variant_new("(s)", here), NULL);

    g_variant_get(reply, "(ttt)", &total, &used, &free_bytes);
    assert_true(total > 0 && used <= total && free_bytes <= total);
    failed("space", g_variant_new("(s)", "/nowhere"), ONEVOL_ERROR_NOT_FOUND, "space");
    failed("space", g_variant_new("(s)", "/proc"), ONEVOL_ERROR_FAILED, "no space at all");
}

static void
digests_are_those_of_the_tools(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"md5",    "900150983cd24fb0d6963f7d28e17f72"                                },
        {"sha1",   "a9993e364706816aba3e25717850c26c9cd0d89d"                        },
        {"sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    };
    g_autofree char *path = test_path("digested");

    test_write(path, "abc");
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *sum;
        g_autoptr(GVariant) reply =
            call("digest", g_variant_new("(sst)", path, rows[i][0], (guint64)0), NULL);
        g_variant_get(reply, "(&s)", &sum);
        assert_string_equal(sum, rows[i][1]);
    }
}

static void
a_directory_is_made_with_those_above_and_again(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("made");
    g_autofree char *path = g_build_filename(root, "a/b/c", NULL);
    g_autofree char *file = g_build_filename(root, "file", NULL);

    done("make-directory", g_variant_new("(s)", path));
    done("make-directory", g_variant_new("(s)", path));
    assert_true(test_exists(path));
    test_write(file, "");
    failed("make-directory", g_variant_new("(s)", file), ONEVOL_ERROR_NOT_FOUND, "cannot make");
}

static void
a_link_replaces_what_is_there_but_no_directory(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("links");
    g_autofree char *path = g_build_filename(root, "link", NULL);
    g_autofree char *directory = g_build_filename(root, "directory", NULL);

    test_write(path, "a file");
    done("link", g_variant_new("(ss)", "../some where/$(x)", path));
    done("link", g_variant_new("(ss)", "other", path));
    g_autofree char *text = g_file_read_link(path, NULL);
    assert_string_equal(text, "other");
    assert_int_equal(mkdir(directory, 0755), 0);
    failed("link", g_variant_new("(ss)", "other", directory), ONEVOL_ERROR_FAILED, "in place");
    g_autofree char *tree = test_tree(root);
    assert_string_equal(tree, "directory\nlink\n"); /* no helper name is left */
}

static void
remove_tells_whether_something_was_there(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("removed");
    g_autofree char *path = g_build_filename(root, "file", NULL);
    gboolean was_there;

    test_write(path, "");
    for (int i = 1; i >= 0; i--) {
        g_autoptr(GVariant) reply = call("remove", g_variant_new("(s)", path), NULL);
        g_variant_get(reply, "(b)", &was_there);
        assert_int_equal(was_there, i);
    }
    GError *error = NULL;
    assert_null(call("remove", g_variant_new("(s)", root), &error));
    assert_non_null(error);
    g_error_free(error);
    assert_true(test_exists(root));
}

static void
remove_tree_stays_inside(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("tree");
    g_autofree char *inside = g_build_filename(root, "in/a/b", NULL);
    g_autofree char *outside = g_build_filename(root, "out", NULL);
    g_autofree char *victim = g_build_filename(outside, "victim", NULL);
    g_autofree char *link = g_build_filename(root, "in/a/link", NULL);
    g_autofree char *top = g_build_filename(root, "in", NULL);
    g_autofree char *odd = g_build_filename(root, "in/-rf *\n'", NULL);

    done("make-directory", g_variant_new("(s)", inside));
    done("make-directory", g_variant_new("(s)", outside));
    test_write(victim, "x");
    test_write(odd, "x");
    assert_int_equal(symlink(outside, link), 0);
    done("remove-tree", g_variant_new("(s)", top));
    done("remove-tree", g_variant_new("(s)", top));
    g_autofree char *left = test_tree(root);
    assert_string_equal(left, "out\nout/victim\n");
}

static void
remove_tree_of_a_link_removes_the_link(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("tree");
    g_autofree char *victim = g_build_filename(root, "victim", NULL);
    g_autofree char *link = g_build_filename(root, "link", NULL);

    test_write(victim, "x");
    assert_int_equal(symlink(root, link), 0);
    done("remove-tree", g_variant_new("(s)", link));
    g_autofree char *left = test_tree(root);
    assert_string_equal(left, "victim\n");
}

static void
write_replaces_in_one_step(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("written");
    g_autofree char *path = g_build_filename(root, "file", NULL);
    struct stat info;

    for (int i = 0; i < 2; i++) {
        GVariant *bytes = g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, "a\0b", 3, 1);
        done("write", g_variant_new("(s@ayu)", path, bytes, (guint32)0640));
    }
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 3);
    assert_int_equal(info.st_mode & 0777, 0640);
    g_autofree char *tree = test_tree(root);
    assert_string_equal(tree, "file\n");
}

static void
allocate_makes_holes_and_only_grows(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("allocated");
    g_autofree char *path = g_build_filename(root, "disk", NULL);
    guint64 before;
    struct stat info;

    done("allocate", g_variant_new("(stb)", path, (guint64)1 << 40, TRUE));
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size == (off_t)1 << 40 && info.st_blocks < 100);
    GError *error = NULL;
    assert_null(call("allocate", g_variant_new("(stb)", path, (guint64)1 << 41, TRUE), &error));
    assert_non_null(error); /* exists already */
    g_clear_error(&error);
    g_autoptr(GVariant) reply =
        call("allocate", g_variant_new("(stb)", path, (guint64)1 << 41, FALSE), NULL);
    g_variant_get(reply, "(t)", &before);
    assert_true(before == (guint64)1 << 40);
    failed("allocate", g_variant_new("(stb)", path, (guint64)4096, FALSE), ONEVOL_ERROR_REFUSED,
           "is not cut");
    failed("allocate", g_variant_new("(stb)", "/nowhere/x", (guint64)1, FALSE),
           ONEVOL_ERROR_NOT_FOUND, "cannot open");
}

static void
reserve_fills_the_holes(void **state)
{
    (void)state;
    g_autofree char *path = test_path("reserved");
    gboolean possible;
    struct stat info;

    unlink(path);
    done("allocate", g_variant_new("(stb)", path, (guint64)8 << 20, TRUE));
    g_autoptr(GVariant) reply = call("reserve", g_variant_new("(s)", path), NULL);
    g_variant_get(reply, "(b)", &possible);
    if (!possible)
        skip_because("no fallocate on this file system");
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size == 8 << 20 && (guint64)info.st_blocks * 512 >= 8 << 20);
}

static void
copy_tree_keeps_links_modes_and_holes(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("trees");
    g_autofree char *from = g_build_filename(root, "from", NULL);
    g_autofree char *deep = g_build_filename(from, "a/b", NULL);
    g_autofree char *file = g_build_filename(deep, "disk.0", NULL);
    g_autofree char *link = g_build_filename(from, "disk.1", NULL);
    g_autofree char *to = g_build_filename(root, "to", NULL);
    g_autofree char *copied = g_build_filename(to, "a/b/disk.0", NULL);
    g_autofree char *copied_link = g_build_filename(to, "disk.1", NULL);
    struct stat info;

    done("make-directory", g_variant_new("(s)", deep));
    done("allocate", g_variant_new("(stb)", file, (guint64)64 << 20, TRUE));
    assert_int_equal(chmod(file, 0600), 0);
    assert_int_equal(symlink("/nowhere/image", link), 0);
    done("copy-tree", g_variant_new("(ss)", from, to));
    g_autofree char *text = g_file_read_link(copied_link, NULL);
    assert_string_equal(text, "/nowhere/image");
    assert_int_equal(stat(copied, &info), 0);
    assert_true(info.st_size == 64 << 20 && info.st_blocks < 100);
    assert_int_equal(info.st_mode & 0777, 0600);
    failed("copy-tree", g_variant_new("(ss)", "/nowhere", to), ONEVOL_ERROR_NOT_FOUND, "walk");
}

static void
run_gives_status_and_both_outputs(void **state)
{
    (void)state;
    const char *const words[] = {"/bin/sh", "-c", "cat; echo err >&2; exit 3", NULL};
    gint32 status;
    g_autoptr(GVariant) out = NULL;
    g_autoptr(GVariant) err = NULL;
    GVariant *input = g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, "in\n", 3, 1);
    g_autoptr(GVariant) reply =
        call("run", g_variant_new("(^as@ayu)", words, input, (guint32)10000), NULL);

    g_variant_get(reply, "(i@ay@ay)", &status, &out, &err);
    assert_int_equal(status, 3);
    assert_memory_equal(g_variant_get_data(out), "in\n", 3);
    assert_string_equal(g_variant_get_bytestring(err), "err\n");
}

/* builds */

static char *
begin(const char *path, const char *token)
{
    const char *content;
    g_autofree char *mark = g_strdup_printf("{\"token\":\"%s\"}", token);
    g_autoptr(GVariant) reply = call("build-begin", g_variant_new("(ss)", path, mark), NULL);

    assert_non_null(reply);
    g_variant_get(reply, "(&s)", &content);
    return g_strdup(content);
}

static void
a_build_appears_in_one_step(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("built");
    g_autofree char *path = g_build_filename(root, "image", NULL);
    g_autofree char *content = begin(path, "token-1");

    test_write(content, "new");
    assert_false(test_exists(path));
    done("build-commit", g_variant_new("(ss)", path, "token-1"));
    g_autofree char *text = test_read(path);
    g_autofree char *tree = test_tree(root);
    assert_string_equal(text, "new");
    assert_string_equal(tree, "image\n");
}

static void
a_build_replaces_what_stood_there(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("built");
    g_autofree char *path = g_build_filename(root, "image", NULL);

    test_write(path, "old");
    g_autofree char *content = begin(path, "token-1");
    test_write(content, "new");
    g_autofree char *before = test_read(path);
    assert_string_equal(before, "old");
    done("build-commit", g_variant_new("(ss)", path, "token-1"));
    g_autofree char *after = test_read(path);
    assert_string_equal(after, "new");
}

static void
an_abandoned_build_leaves_nothing(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("built");
    g_autofree char *path = g_build_filename(root, "image", NULL);
    g_autofree char *content = begin(path, "token-1");

    test_write(content, "new");
    done("build-abandon", g_variant_new("(ss)", path, "token-1"));
    g_autofree char *tree = test_tree(root);
    assert_string_equal(tree, "");
}

static void
a_build_that_was_taken_over_is_lost_to_the_first(void **state)
{
    (void)state;
    g_autofree char *root = test_directory("built");
    g_autofree char *path = g_build_filename(root, "image", NULL);
    g_autofree char *first = begin(path, "token-1");

    test_write(first, "half");
    g_autofree char *second = begin(path, "token-2");
    assert_string_equal(first, second);
    assert_false(test_exists(second)); /* begins empty */
    test_write(second, "whole");
    failed("build-commit", g_variant_new("(ss)", path, "token-1"), ONEVOL_ERROR_LOST, "taken");
    failed("build-abandon", g_variant_new("(ss)", path, "token-1"), ONEVOL_ERROR_LOST, "taken");
    done("build-commit", g_variant_new("(ss)", path, "token-2"));
    g_autofree char *text = test_read(path);
    assert_string_equal(text, "whole");
    failed("build-commit", g_variant_new("(ss)", path, "token-2"), ONEVOL_ERROR_LOST, "taken");
}

static void
a_build_cannot_begin_where_there_is_no_directory(void **state)
{
    (void)state;
    failed("build-begin", g_variant_new("(ss)", "/nowhere/image", "{}"), ONEVOL_ERROR_NOT_FOUND,
           "cannot make");
}

/* locks: the holder is a child process */

typedef struct Holder {
    pid_t pid;
    int ready, end;
} Holder;

static Holder
hold(const char *key, const char *text)
{
    int ready[2], end[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    Holder holder = {.pid = fork(), .ready = ready[0], .end = end[1]};
    if (holder.pid == 0) {
        Session *own = session_new();
        GVariant *reply = NULL;
        close(end[1]);
        bool got = operation_run(operation_find("lock"), own,
                                 g_variant_new("(ssu)", key, text, (guint32)5000), &reply, NULL);
        (void)!write(ready[1], got ? "y" : "n", 1);
        (void)!read(end[0], &byte, 1);
        session_free(own);
        _exit(0);
    }
    close(ready[1]);
    close(end[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    return holder;
}

/* How it ended: 0, or its signal. */
static int
let_go(Holder *holder)
{
    int status;

    close(holder->end);
    close(holder->ready);
    waitpid(holder->pid, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
a_lock_is_kept_until_the_session_ends(void **state)
{
    (void)state;
    Holder holder = hold("/ds/1/disk.0", "clone a b");

    failed("lock", g_variant_new("(ssu)", "/ds/1/disk.0", "clone a b", (guint32)200),
           ONEVOL_ERROR_BUSY, "still works on it");
    done("lock", g_variant_new("(ssu)", "/ds/1/disk.1", "clone a b", (guint32)200));
    assert_int_equal(let_go(&holder), 0);
    done("lock", g_variant_new("(ssu)", "/ds/1/disk.0", "clone a b", (guint32)200));
    done("lock", g_variant_new("(ssu)", "/ds/1/disk.0", "clone a b", (guint32)200)); /* ours */
    g_clear_pointer(&session, session_free);
}

static void
the_same_call_again_waits_for_the_first(void **state)
{
    (void)state;
    Holder holder = hold("/ds/1/disk.0", "clone a b");
    gint64 start = g_get_monotonic_time();

    if (fork() == 0) {
        g_usleep(400000);
        (void)!write(holder.end, "x", 1);
        _exit(0);
    }
    done("lock", g_variant_new("(ssu)", "/ds/1/disk.0", "clone a b", (guint32)10000));
    assert_true(g_get_monotonic_time() - start > 300000);
    assert_int_equal(let_go(&holder), 0);
    wait(NULL);
    g_clear_pointer(&session, session_free);
}

static void
a_delete_ends_the_holder(void **state)
{
    (void)state;
    Holder holder = hold("/ds/1/disk.0", "clone a b");

    done("lock", g_variant_new("(ssu)", "/ds/1/disk.0", "delete b", (guint32)10000));
    assert_int_equal(let_go(&holder), SIGTERM);
    g_clear_pointer(&session, session_free);
}

static void
a_new_builder_ends_another_builder(void **state)
{
    (void)state;
    Holder holder = hold("/ds/1/disk.0", "clone old b");

    done("lock", g_variant_new("(ssu)", "/ds/1/disk.0", "clone new b", (guint32)10000));
    assert_int_equal(let_go(&holder), SIGTERM);
    g_clear_pointer(&session, session_free);
}

static void
nobody_ends_a_delete(void **state)
{
    (void)state;
    Holder holder = hold("/ds/1/disk.0", "delete b");

    failed("lock", g_variant_new("(ssu)", "/ds/1/disk.0", "clone a b", (guint32)300),
           ONEVOL_ERROR_BUSY, "delete b");
    failed("lock", g_variant_new("(ssu)", "/ds/1/disk.0", "delete b", (guint32)300),
           ONEVOL_ERROR_BUSY, "delete b");
    assert_int_equal(let_go(&holder), 0);
}

static void
other_actions_wait_and_end_nobody(void **state)
{
    (void)state;
    Holder holder = hold("/ds/1/disk.0", "clone a b");

    failed("lock", g_variant_new("(ssu)", "/ds/1/disk.0", "mvds a b", (guint32)300),
           ONEVOL_ERROR_BUSY, "clone a b");
    assert_int_equal(let_go(&holder), 0);
}

static void
unlock_lets_others_in(void **state)
{
    (void)state;
    done("lock", g_variant_new("(ssu)", "/ds/1/disk.0", "mv a b", (guint32)300));
    done("unlock", g_variant_new("(s)", "/ds/1/disk.0"));
    done("unlock", g_variant_new("(s)", "/ds/1/never"));
    Holder holder = hold("/ds/1/disk.0", "mv a b");
    assert_int_equal(let_go(&holder), 0);
}

static void
a_lock_directory_of_others_is_refused(void **state)
{
    (void)state;
    g_autofree char *open_to_all = test_directory("open");
    g_autofree char *before = g_strdup(g_getenv("ONEVOL_STATE_DIR"));

    assert_int_equal(chmod(open_to_all, 0777), 0);
    setenv("ONEVOL_STATE_DIR", open_to_all, 1);
    failed("lock", g_variant_new("(ssu)", "/x", "mv a", (guint32)300), ONEVOL_ERROR_DENIED,
           "no other can write to");
    setenv("ONEVOL_STATE_DIR", before, 1);
}

static void
the_nearest_directory_with_a_marker_is_found(void **state)
{
    (void)state;
    g_autofree char *top = test_directory("marked");
    g_autofree char *inner = test_directory("marked/a/b");
    g_autofree char *missing = g_build_filename(inner, "not", "there", NULL);
    g_autofree char *marker = g_build_filename(top, ".marker", NULL);
    g_autofree char *nearer = g_build_filename(inner, ".marker", NULL);
    const char *found;
    GError *error = NULL;

    g_autoptr(GVariant) none =
        call("find-above", g_variant_new("(ss)", missing, ".no-such-marker"), &error);
    assert_no_error(error);
    g_variant_get(none, "(&s)", &found);
    assert_string_equal(found, "");

    test_write(marker, "");
    g_autofree char *real = realpath(top, NULL);
    g_autoptr(GVariant) above =
        call("find-above", g_variant_new("(ss)", missing, ".marker"), &error);
    g_variant_get(above, "(&s)", &found);
    assert_string_equal(found, real);

    test_write(nearer, "");
    g_autoptr(GVariant) here =
        call("find-above", g_variant_new("(ss)", missing, ".marker"), &error);
    g_variant_get(here, "(&s)", &found);
    assert_true(g_str_has_suffix(found, "/marked/a/b"));
}

/* DATASTORES/0/7/disk.0 and others; one of them under the device's other name. */
static void
links_of_other_disks_are_found(void **state)
{
    (void)state;
    g_autofree char *top = test_path("links");
    g_autofree char *device = g_build_filename(top, "device", NULL);
    g_autofree char *name = g_build_filename(top, "name", NULL);
    g_autofree char *own = g_build_filename(top, "0/7/disk.0", NULL);
    g_autofree char *other = g_build_filename(top, "1/12/disk.3", NULL);
    g_autofree char *beside = g_build_filename(top, "1/12/other", NULL);
    g_autofree char *moving = g_build_filename(top, "1/7/disk.0", NULL); /* the same disk */
    g_autofree char *elsewhere = g_build_filename(top, "x/1/disk.0", NULL);
    const char *paths[] = {own, beside, moving, elsewhere};
    const char *found;

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *directory = g_path_get_dirname(paths[i]);
        assert_int_equal(g_mkdir_with_parents(directory, 0755), 0);
        assert_int_equal(symlink(name, paths[i]), 0);
    }
    test_write(device, "");
    assert_int_equal(symlink(device, name), 0);
    g_autoptr(GVariant) nobody = call("find-link", g_variant_new("(sss)", top, name, own), NULL);
    g_variant_get(nobody, "(&s)", &found);
    assert_string_equal(found, "");

    assert_int_equal(symlink(device, other), 0);
    g_autoptr(GVariant) somebody = call("find-link", g_variant_new("(sss)", top, name, own), NULL);
    g_variant_get(somebody, "(&s)", &found);
    assert_string_equal(found, other);

    /* a device that is not there has only its name */
    unlink(device);
    g_autoptr(GVariant) text = call("find-link", g_variant_new("(sss)", top, device, own), NULL);
    g_variant_get(text, "(&s)", &found);
    assert_string_equal(found, other);
}

static void
the_first_program_that_is_there_is_found(void **state)
{
    (void)state;
    const char *const some[] = {"no-such-program", "sh", "cat", NULL};
    const char *const none[] = {"no-such-program", NULL};
    const char *found;

    g_autoptr(GVariant) reply = call("find-program", g_variant_new("(^as)", some), NULL);
    g_variant_get(reply, "(&s)", &found);
    assert_string_equal(found, "sh");
    g_autoptr(GVariant) nothing = call("find-program", g_variant_new("(^as)", none), NULL);
    g_variant_get(nothing, "(&s)", &found);
    assert_string_equal(found, "");
}

static void
a_flush_needs_the_file_and_leaves_it(void **state)
{
    (void)state;
    g_autofree char *path = test_path("to-flush");

    failed("flush", g_variant_new("(s)", path), ONEVOL_ERROR_NOT_FOUND, "cannot flush");
    test_write(path, "content");
    done("flush", g_variant_new("(s)", path));
    assert_int_equal(chmod(path, 0400), 0);
    done("flush", g_variant_new("(s)", path)); /* an image may be read-only */
    g_autofree char *text = test_read(path);
    assert_string_equal(text, "content");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_nearest_directory_with_a_marker_is_found),
    cmocka_unit_test(links_of_other_disks_are_found),
    cmocka_unit_test(the_first_program_that_is_there_is_found),
    cmocka_unit_test(a_flush_needs_the_file_and_leaves_it),
    cmocka_unit_test(every_operation_checks_the_type_of_its_arguments),
    cmocka_unit_test(stat_tells_what_is_there),
    cmocka_unit_test(list_of_a_missing_directory_is_empty),
    cmocka_unit_test(read_is_bounded_and_stops_at_the_end),
    cmocka_unit_test(resolve_follows_links),
    cmocka_unit_test(space_is_never_reported_as_nothing),
    cmocka_unit_test(digests_are_those_of_the_tools),
    cmocka_unit_test(a_directory_is_made_with_those_above_and_again),
    cmocka_unit_test(a_link_replaces_what_is_there_but_no_directory),
    cmocka_unit_test(remove_tells_whether_something_was_there),
    cmocka_unit_test(remove_tree_stays_inside),
    cmocka_unit_test(remove_tree_of_a_link_removes_the_link),
    cmocka_unit_test(write_replaces_in_one_step),
    cmocka_unit_test(allocate_makes_holes_and_only_grows),
    cmocka_unit_test(reserve_fills_the_holes),
    cmocka_unit_test(copy_tree_keeps_links_modes_and_holes),
    cmocka_unit_test(run_gives_status_and_both_outputs),
    cmocka_unit_test(a_build_appears_in_one_step),
    cmocka_unit_test(a_build_replaces_what_stood_there),
    cmocka_unit_test(an_abandoned_build_leaves_nothing),
    cmocka_unit_test(a_build_that_was_taken_over_is_lost_to_the_first),
    cmocka_unit_test(a_build_cannot_begin_where_there_is_no_directory),
    cmocka_unit_test(a_lock_is_kept_until_the_session_ends),
    cmocka_unit_test(the_same_call_again_waits_for_the_first),
    cmocka_unit_test(a_delete_ends_the_holder),
    cmocka_unit_test(a_new_builder_ends_another_builder),
    cmocka_unit_test(nobody_ends_a_delete),
    cmocka_unit_test(other_actions_wait_and_end_nobody),
    cmocka_unit_test(unlock_lets_others_in),
    cmocka_unit_test(a_lock_directory_of_others_is_refused),
};
TEST_MAIN(tests)
