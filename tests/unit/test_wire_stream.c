// SPDX-License-Identifier: Apache-2.0
/* mover/stream_*.c and digest.c: content through a pipe, and what a broken stream must not do. */
#include "mover/link.h"
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Sending {
    int fd;
    const char *path;
    bool tree;
    StreamResult result;
    GError *error;
    bool done;
} Sending;

static gpointer
send_in_thread(gpointer data)
{
    Sending *sending = data;
    StreamLink link = {.fd = sending->fd};

    sending->done =
        stream_send(&link, sending->path, sending->tree, &sending->result, &sending->error);
    close(sending->fd);
    return NULL;
}

/* Copies and returns the receiver's result. */
static StreamResult
copy(const char *from, const char *to, bool tree)
{
    int fds[2];
    GError *error = NULL;
    StreamResult result;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    Sending sending = {.fd = fds[1], .path = from, .tree = tree};
    GThread *thread = g_thread_new("send", send_in_thread, &sending);
    StreamLink in = {.fd = fds[0]};
    StreamTarget target = {.path = to, .zeroed = true, .tree = tree};
    stream_receive(&in, &target, &result, &error);
    g_thread_join(thread);
    close(fds[0]);
    assert_no_error(sending.error);
    assert_no_error(error);
    assert_memory_equal(result.digest, sending.result.digest, DIGEST_LENGTH);
    return result;
}

static void
assert_same(const char *a, const char *b)
{
    g_autofree char *left = NULL;
    g_autofree char *right = NULL;
    gsize left_length, right_length;

    assert_true(g_file_get_contents(a, &left, &left_length, NULL));
    assert_true(g_file_get_contents(b, &right, &right_length, NULL));
    assert_int_equal(left_length, right_length);
    assert_memory_equal(left, right, left_length);
}

/* A file of `size` with a few bytes at each offset. */
static void
make_file(const char *path, gsize size, const gsize *offsets, guint count)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    for (guint i = 0; i < count; i++)
        assert_int_equal(pwrite(fd, "data", MIN(4, size - offsets[i]), (off_t)offsets[i]),
                         MIN(4, size - offsets[i]));
    close(fd);
}

static void
files_of_all_lengths_arrive(void **state)
{
    (void)state;
    static const gsize sizes[] = {
        0, 1, 4096, DIGEST_CHUNK - 1, DIGEST_CHUNK, DIGEST_CHUNK + 1, 5 * DIGEST_CHUNK + 7};
    g_autofree char *from = test_path("from");
    g_autofree char *to = test_path("to");

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        gsize offsets[] = {0, sizes[i] / 2, sizes[i] > 4 ? sizes[i] - 4 : 0};
        make_file(from, sizes[i], offsets, sizes[i] ? 3 : 0);
        StreamResult result = copy(from, to, false);
        assert_int_equal(result.size, sizes[i]);
        assert_same(from, to);
    }
}

static void
holes_are_not_sent(void **state)
{
    (void)state;
    static const gsize offsets[] = {DIGEST_CHUNK - 2, 30 * DIGEST_CHUNK};
    g_autofree char *from = test_path("sparse");
    g_autofree char *to = test_path("sparse-copy");
    struct stat info;

    make_file(from, 64 * DIGEST_CHUNK, offsets, 2);
    StreamResult result = copy(from, to, false);
    assert_same(from, to);
    assert_true(result.data <= 4 * 4096);
    assert_int_equal(stat(to, &info), 0);
    assert_true(info.st_blocks * 512 <= 1 << 20);
}

static void
old_content_of_the_target_is_gone(void **state)
{
    (void)state;
    static const gsize offsets[] = {8192};
    g_autofree char *from = test_path("small");
    g_autofree char *to = test_path("was-there");
    g_autofree char *old = g_strnfill(100000, 'x');

    make_file(from, 20000, offsets, 1);
    test_write(to, old);
    copy(from, to, false);
    assert_same(from, to);
}

static void
trees_arrive_with_links_and_modes(void **state)
{
    (void)state;
    g_autofree char *from = test_directory("tree");
    g_autofree char *to = test_path("tree-copy");
    g_autofree char *sub = g_build_filename(from, "sub", NULL);
    g_autofree char *file = g_build_filename(sub, "file", NULL);
    g_autofree char *link = g_build_filename(from, "link", NULL);
    g_autofree char *copied = g_build_filename(to, "sub", "file", NULL);
    g_autofree char *copied_link = g_build_filename(to, "link", NULL);
    struct stat info;

    g_mkdir_with_parents(sub, 0755);
    test_write(file, "text");
    chmod(file, 0640);
    assert_int_equal(symlink("/no/where", link), 0);
    test_remove_tree(to);
    copy(from, to, true);
    g_autofree char *a = test_tree(from);
    g_autofree char *b = test_tree(to);
    assert_string_equal(a, b);
    assert_same(file, copied);
    assert_int_equal(stat(copied, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
    g_autofree char *target = g_file_read_link(copied_link, NULL);
    assert_string_equal(target, "/no/where");
}

static void
the_digest_knows_zeros_and_sizes(void **state)
{
    (void)state;
    g_autofree guint8 *zeros = g_malloc0(DIGEST_CHUNK);
    guint8 a[DIGEST_LENGTH], b[DIGEST_LENGTH], c[DIGEST_LENGTH];
    g_autoptr(Digest) hashed = digest_new();
    g_autoptr(Digest) skipped = digest_new();
    g_autoptr(Digest) shorter = digest_new();

    digest_chunk(hashed, zeros, DIGEST_CHUNK);
    digest_chunk(hashed, "x", 1);
    digest_zeros(skipped, 1);
    digest_chunk(skipped, "x", 1);
    digest_zeros(shorter, 1);
    digest_end(hashed, DIGEST_CHUNK + 1, a);
    digest_end(skipped, DIGEST_CHUNK + 1, b);
    digest_end(shorter, DIGEST_CHUNK + 1, c);
    assert_memory_equal(a, b, DIGEST_LENGTH);
    assert_memory_not_equal(a, c, DIGEST_LENGTH);
    g_autofree char *text = digest_text(a);
    assert_string_equal(
        text,
        "77c964159d112371decd6b949f6928f7"); /* stays the same between releases and machines */
}

/* Receives what lies in `bytes`. */
static bool
receive_bytes(const GByteArray *bytes, const char *to, bool tree, GError **error)
{
    g_autofree char *raw = test_path("raw-stream");
    StreamResult result;

    test_write_bytes(raw, bytes->data, bytes->len);
    int fd = open(raw, O_RDONLY | O_CLOEXEC);
    StreamLink in = {.fd = fd};
    StreamTarget target = {.path = to, .zeroed = true, .tree = tree};
    bool done = stream_receive(&in, &target, &result, error);
    close(fd);
    return done;
}

static void
add_entry(GByteArray *bytes, const char *name, guint32 mode, guint64 size, const char *link)
{
    frame_append_message(bytes, FRAME_ENTRY, 0,
                         g_variant_new("(^ayut^ay)", name, mode, size, link));
}

static void
add_data(GByteArray *bytes, guint64 offset, const char *text)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();

    offset = GUINT64_TO_LE(offset);
    g_byte_array_append(payload, (const guint8 *)&offset, sizeof offset);
    g_byte_array_append(payload, (const guint8 *)text, (guint)strlen(text));
    frame_append(bytes, FRAME_DATA, 0, payload->data, payload->len);
}

static void
names_cannot_leave_the_target(void **state)
{
    (void)state;
    static const char *const names[] = {"../x", "/x", "a/../../x", ".", "a//x", "link/x"};
    g_autofree char *outside = test_directory("outside");
    g_autofree char *to = test_path("hostile-tree");
    GError *error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        test_remove_tree(to);
        add_entry(bytes, "", S_IFDIR | 0755, 0, "");
        add_entry(bytes, "link", S_IFLNK | 0777, 0, outside);
        add_entry(bytes, names[i], S_IFREG | 0644, 0, "");
        assert_false(receive_bytes(bytes, to, true, &error));
        assert_non_null(error);
        g_clear_error(&error);
    }
    g_autofree char *left = test_tree(outside);
    assert_string_equal(left, "");
}

static void
data_stays_inside_the_announced_size(void **state)
{
    (void)state;
    static const guint64 offsets[] = {97, 100, G_MAXUINT64 - 2, 1ull << 40};
    g_autofree char *to = test_path("hostile-file");
    GError *error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(offsets); i++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        add_entry(bytes, "", S_IFREG | 0644, 100, "");
        add_data(bytes, offsets[i], "data");
        assert_false(receive_bytes(bytes, to, false, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "data where none belongs");
    }
    g_autoptr(GByteArray) twice = g_byte_array_new();
    add_entry(twice, "", S_IFREG | 0644, 100, "");
    add_data(twice, 10, "data");
    add_data(twice, 12, "data");
    assert_false(receive_bytes(twice, to, false, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "data where none belongs");
}

static void
changed_or_cut_data_is_noticed(void **state)
{
    (void)state;
    g_autofree char *to = test_path("changed");
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    guint8 digest[DIGEST_LENGTH] = {1};
    GError *error = NULL;

    add_entry(bytes, "", S_IFREG | 0644, 100, "");
    add_data(bytes, 10, "data");
    assert_false(receive_bytes(bytes, to, false, &error));
    assert_failed(error, ONEVOL_ERROR_UNREACHABLE, "ended too early");
    frame_append(bytes, FRAME_END, 0, digest, sizeof digest);
    assert_false(receive_bytes(bytes, to, false, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "the data changed on its way");
}

static void
a_tree_is_refused_where_a_file_was_asked_for(void **state)
{
    (void)state;
    g_autofree char *to = test_path("not-a-tree");
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    GError *error = NULL;

    add_entry(bytes, "", S_IFDIR | 0755, 0, "");
    assert_false(receive_bytes(bytes, to, false, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "a tree where a file");
    assert_false(test_exists(to));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(files_of_all_lengths_arrive),
    cmocka_unit_test(holes_are_not_sent),
    cmocka_unit_test(old_content_of_the_target_is_gone),
    cmocka_unit_test(trees_arrive_with_links_and_modes),
    cmocka_unit_test(the_digest_knows_zeros_and_sizes),
    cmocka_unit_test(names_cannot_leave_the_target),
    cmocka_unit_test(data_stays_inside_the_announced_size),
    cmocka_unit_test(changed_or_cut_data_is_noticed),
    cmocka_unit_test(a_tree_is_refused_where_a_file_was_asked_for),
};
TEST_MAIN(tests)
