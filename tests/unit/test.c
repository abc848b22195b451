// SPDX-License-Identifier: Apache-2.0
/*
 * cmocka 1.1.5 prints a skipped case as "not ok N # SKIP name", which every TAP reader takes for a
 * failure, and has no place for the reason. So its output passes through a filter process that
 * writes "ok N - name # SKIP reason".
 */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REASON "# reason: "

static char *scratch;
static pid_t owner;
static FILE *captured[3];
static int saved[3];

/* Runs in the child: from our pipe to the real stdout. */
static void
filter_tap(FILE *in, FILE *out)
{
    g_autofree char *reason = g_strdup("no reason given");
    char *line = NULL;
    size_t room = 0;
    unsigned number;

    setvbuf(out, NULL, _IOLBF, 0);
    while (getline(&line, &room, in) > 0) {
        int name = 0;
        if (g_str_has_prefix(line, REASON)) {
            g_free(reason);
            reason = g_strchomp(g_strdup(line + strlen(REASON)));
        } else if (sscanf(line, "not ok %u # SKIP %n", &number, &name) == 1 && name) {
            fprintf(out, "ok %u - %s # SKIP %s\n", number, g_strchomp(line + name), reason);
        } else {
            fputs(line, out);
        }
    }
    free(line);
    fflush(out);
}

static pid_t
start_filter(void)
{
    int ends[2];

    fflush(stdout);
    if (pipe(ends))
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        signal(SIGINT, SIG_IGN);
        filter_tap(fdopen(ends[0], "r"), stdout);
        _exit(0);
    }
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return pid;
}

static void
clean_up(void)
{
    if (scratch && getpid() == owner)
        test_remove_tree(scratch);
}

int
test_run(const struct CMUnitTest *tests, size_t count)
{
    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);
    pid_t filter = start_filter();

    owner = getpid();
    atexit(clean_up);
    g_autofree char *state = test_path("state");
    setenv("ONEVOL_STATE_DIR", state, 1); /* locks of tests are not those of a real site */
    int failed = _cmocka_run_group_tests("cases", tests, count, NULL, NULL);
    fflush(stdout);
    int null = dup(STDERR_FILENO);
    dup2(null, STDOUT_FILENO); /* the filter sees the end */
    close(null);
    while (waitpid(filter, NULL, 0) < 0 && errno == EINTR) {
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

void
test_skip_reason(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    printf(REASON "%s\n", text);
    fflush(stdout);
}

char *
test_path(const char *name)
{
    if (!scratch) {
        const char *base = g_getenv("TEST_DIRECTORY");
        scratch = g_strdup_printf("%s/onevol-test-XXXXXX", base ? base : "/var/tmp");
        if (!mkdtemp(scratch))
            abort();
        chmod(scratch, 0755);
    }
    return name ? g_build_filename(scratch, name, NULL) : g_strdup(scratch);
}

static int
remove_one(const char *path, G_GNUC_UNUSED const struct stat *info, G_GNUC_UNUSED int type,
           G_GNUC_UNUSED struct FTW *place)
{
    return remove(path);
}

void
test_remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

char *
test_directory(const char *name)
{
    char *path = test_path(name);

    test_remove_tree(path);
    assert_int_equal(g_mkdir_with_parents(path, 0755), 0);
    return path;
}

void
test_write_bytes(const char *path, const void *bytes, gsize length)
{
    assert_true(g_file_set_contents(path, bytes, (gssize)length, NULL));
}

void
test_write(const char *path, const char *text)
{
    test_write_bytes(path, text, strlen(text));
}

char *
test_read(const char *path)
{
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

bool
test_exists(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0;
}

static void
add_tree(const char *path, const char *prefix, GString *text)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        g_autofree char *inner = g_strconcat(prefix, name, "/", NULL);
        g_autofree char *child = g_build_filename(path, name, NULL);
        if (strcmp(name, ".") && strcmp(name, "..")) {
            g_string_append_printf(text, "%s%s\n", prefix, name);
            if (entries[i]->d_type == DT_DIR)
                add_tree(child, inner, text);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

char *
test_tree(const char *path)
{
    GString *text = g_string_new(NULL);

    add_tree(path, "", text);
    return g_string_free(text, FALSE);
}

void
test_capture_begin(int fd)
{
    fflush(stdout);
    fflush(stderr);
    saved[fd] = dup(fd);
    captured[fd] = tmpfile();
    assert_non_null(captured[fd]);
    dup2(fileno(captured[fd]), fd);
}

char *
test_capture_end(int fd)
{
    struct stat info;

    fflush(stdout);
    fflush(stderr);
    dup2(saved[fd], fd);
    close(saved[fd]);
    fstat(fileno(captured[fd]), &info);
    char *text = g_malloc0((gsize)info.st_size + 1);
    ssize_t got = pread(fileno(captured[fd]), text, (size_t)info.st_size, 0);
    fclose(captured[fd]);
    captured[fd] = NULL;
    assert_int_equal(got, info.st_size);
    return text;
}

char *
test_source(const char *path)
{
    const char *root = g_getenv("TEST_SOURCE");
    return g_build_filename(root ? root : "tests", path, NULL);
}

void
assert_golden(const char *name, const char *text)
{
    g_autofree char *directory = test_source("unit/golden");
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autofree char *wanted = NULL;

    if (g_getenv("UPDATE_GOLDEN"))
        test_write(path, text);
    if (!(wanted = test_read(path)))
        fail_msg("no golden file '%s' (UPDATE_GOLDEN=1 writes it)", path);
    assert_string_equal(text, wanted);
}

void
test_assert_failed(GError **error, int code, const char *part, const char *file, int line)
{
    _assert_true(*error != NULL, "failed with an error", file, line);
    _assert_string_equal(g_quark_to_string((*error)->domain), g_quark_to_string(ONEVOL_ERROR), file,
                         line);
    if ((*error)->code != code)
        print_error("the error is: %s\n", (*error)->message);
    _assert_int_equal((*error)->code, code, file, line);
    test_assert_has((*error)->message, part, file, line);
    if (strchr((*error)->message, '\n')) { /* base/error.h promises one line */
        print_error("more than one line: %s\n", (*error)->message);
        _fail(file, line);
    }
    g_clear_error(error);
}

void
test_assert_no_error(const GError *error, const char *file, int line)
{
    if (!error)
        return;
    print_error("unexpected error %d: %s\n", error->code, error->message);
    _fail(file, line);
}

void
test_assert_has(const char *text, const char *part, const char *file, int line)
{
    if (text && strstr(text, part))
        return;
    print_error("'%s' is not in: %s\n", part, text ? text : "(null)");
    _fail(file, line);
}
