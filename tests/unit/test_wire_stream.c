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
    const ByteSource *bytes;
    bool tree;
    guint64 rate;
    StreamResult result;
    GError *error;
    bool done;
} Sending;

static gpointer
send_in_thread(gpointer data)
{
    Sending *sending = data;
    StreamLink link = {.fd = sending->fd};
    StreamSource source = {.path = sending->path,
                           .bytes = sending->bytes,
                           .tree = sending->tree,
                           .rate = sending->rate};

    sending->done = stream_send(&link, &source, &sending->result, &sending->error);
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
    StreamTarget target = {.path = to, .tree = tree};
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
        "296c97fc5f16fa235269013f4561be6a"); /* stays the same between releases and machines */
}

static void
a_run_of_zeros_is_one_however_it_is_cut(void **state)
{
    (void)state;
    static const guint64 runs[] = {3, 1, 2, (guint64)1 << 44};
    g_autofree guint8 *zeros = g_malloc0(DIGEST_CHUNK);
    guint8 results[5][DIGEST_LENGTH];

    for (guint i = 0; i < 4; i++) {
        g_autoptr(Digest) digest = digest_new();
        digest_zeros(digest, runs[i]);
        for (guint64 left = runs[i]; left < 3; left++)
            digest_chunk(digest, zeros, left == 2 ? 100 : DIGEST_CHUNK);
        digest_chunk(digest, "x", 1);
        digest_end(digest, 1, results[i]);
    }
    g_autoptr(Digest) other = digest_new(); /* as many, but not together */
    digest_zeros(other, 2);
    digest_chunk(other, "x", 1);
    digest_zeros(other, 1);
    digest_end(other, 1, results[4]);
    assert_memory_equal(results[0], results[1], DIGEST_LENGTH);
    assert_memory_equal(results[0], results[2], DIGEST_LENGTH);
    assert_memory_not_equal(results[0], results[3], DIGEST_LENGTH);
    assert_memory_not_equal(results[0], results[4], DIGEST_LENGTH);
}

typedef struct Receiving {
    int fd;
    StreamTarget target;
    GError *error;
    bool done;
} Receiving;

static gpointer
receive_in_thread(gpointer data)
{
    Receiving *receiving = data;
    StreamLink in = {.fd = receiving->fd};
    StreamResult result;

    receiving->done = stream_receive(&in, &receiving->target, &result, &receiving->error);
    return NULL;
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
    StreamTarget target = {.path = to, .tree = tree};
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
    guint8 end[STREAM_END_LENGTH] = {1, [DIGEST_LENGTH] = 100};
    GError *error = NULL;

    add_entry(bytes, "", S_IFREG | 0644, 100, "");
    add_data(bytes, 10, "data");
    assert_false(receive_bytes(bytes, to, false, &error));
    assert_failed(error, ONEVOL_ERROR_UNREACHABLE, "ended too early");
    frame_append(bytes, FRAME_END, 0, end, sizeof end);
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

/* Random patterns of noise, text and holes, with old data and in any length. */
static void
make_pattern(const char *path, guint32 seed)
{
    g_autoptr(GRand) chance = g_rand_new_with_seed(seed);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    gsize size = (gsize)g_rand_int_range(chance, 0, 6 * DIGEST_CHUNK);

    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    for (guint i = 0; size > 0 && i < 12; i++) {
        gsize start = (gsize)g_rand_int_range(chance, 0, (gint32)size);
        gsize length = MIN(size - start, (gsize)1 << g_rand_int_range(chance, 0, 20));
        g_autofree guint8 *bytes = g_malloc0(length);
        for (gsize j = 0; i % 3 && j < length; j++)
            bytes[j] = i % 3 == 1 ? (guint8)g_rand_int(chance) : (guint8)('a' + j % 20);
        if (start % 2)
            start = MIN(start / 4096 * 4096, size - length);
        assert_int_equal(pwrite(fd, bytes, length, (off_t)start), length);
    }
    close(fd);
}

static void
every_byte_of_any_pattern_arrives(void **state)
{
    (void)state;
    g_autofree char *from = test_path("pattern");
    g_autofree char *to = test_path("pattern-copy");

    for (guint32 seed = 1; seed <= 60; seed++) {
        g_autofree char *old = g_strnfill(seed * 50000, 'o');
        make_pattern(from, seed);
        test_write(to, old);
        copy(from, to, false);
        assert_same(from, to);
    }
}

typedef struct Maker {
    guint64 size, made;
    gsize piece;
} Maker;

static bool
make_bytes(gpointer data, void *bytes, size_t length, size_t *got, GError **error)
{
    Maker *maker = data;

    (void)error;
    *got = (size_t)MIN(MIN(length, maker->piece), maker->size - maker->made);
    for (size_t i = 0; i < *got; i++)
        ((guint8 *)bytes)[i] =
            (guint8)((maker->made + i) / 70000 % 3 ? (maker->made + i) % 251 : 0);
    maker->made += *got;
    return true;
}

/* False with the sender's or the receiver's error. */
static bool
copy_made(Maker *maker, guint64 limit, const char *to, const MoveOptions *options, GError **error)
{
    int fds[2];
    g_autoptr(GError) local = NULL;
    ByteSource bytes = {.read = make_bytes, .data = maker, .limit = limit};
    StreamResult result;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    Sending sending = {.fd = fds[1], .bytes = &bytes};
    GThread *thread = g_thread_new("send", send_in_thread, &sending);
    StreamLink in = {.fd = fds[0]};
    StreamTarget target = {.path = to, .options = options};
    bool done = stream_receive(&in, &target, &result, &local);
    g_thread_join(thread);
    close(fds[0]);
    if (sending.error)
        g_propagate_error(error, sending.error);
    else if (local)
        g_propagate_error(error, g_steal_pointer(&local));
    if (done)
        assert_int_equal(result.size, maker->size);
    return done && sending.done;
}

static void
content_of_unknown_size_arrives(void **state)
{
    (void)state;
    static const guint64 sizes[] = {0, 1, DIGEST_CHUNK, 3 * DIGEST_CHUNK + 5};
    const MoveOptions careful = {.readback = true};
    g_autofree char *to = test_path("made");
    GError *error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Maker maker = {.size = sizes[i], .piece = 77777}, again = {.size = sizes[i]};
        g_autofree guint8 *expected = g_malloc(sizes[i] + 1);
        g_autofree char *is = NULL;
        gsize length, got;
        assert_true(copy_made(&maker, sizes[i], to, &careful, &error));
        again.piece = sizes[i];
        make_bytes(&again, expected, sizes[i], &got, NULL);
        assert_true(g_file_get_contents(to, &is, &length, NULL));
        assert_int_equal(length, sizes[i]);
        assert_memory_equal(is, expected, length);
    }
    Maker more = {.size = DIGEST_CHUNK, .piece = 5000};
    assert_false(copy_made(&more, DIGEST_CHUNK - 1, to, NULL, &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "more than");
}

static void
a_limited_copy_takes_its_time(void **state)
{
    (void)state;
    g_autofree char *from = test_path("limited");
    g_autofree char *to = test_path("limited-copy");
    g_autofree guint8 *noise = g_malloc(1 << 20);
    g_autoptr(GRand) chance = g_rand_new_with_seed(3);
    GError *error = NULL;
    StreamResult result;
    int fds[2];

    for (guint i = 0; i < 1 << 20; i++)
        noise[i] = (guint8)g_rand_int(chance);
    test_write_bytes(from, noise, 1 << 20);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    Sending sending = {.fd = fds[1], .path = from, .rate = 1 << 20};
    gint64 start = g_get_monotonic_time();
    GThread *thread = g_thread_new("send", send_in_thread, &sending);
    StreamLink in = {.fd = fds[0]};
    StreamTarget target = {.path = to};
    assert_true(stream_receive(&in, &target, &result, &error));
    g_thread_join(thread);
    close(fds[0]);
    assert_in_range(g_get_monotonic_time() - start, 700000, 3000000);
    assert_same(from, to);
}

/* The size that comes at the end must fit what came before. */
static void
a_size_that_lies_is_refused(void **state)
{
    (void)state;
    static const guint64 announced[] = {100, 100, STREAM_SIZE_UNKNOWN, STREAM_SIZE_UNKNOWN};
    static const guint64 at_the_end[] = {99, 101, 5, G_MAXUINT64};
    g_autofree char *to = test_path("lies");
    GError *error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(announced); i++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        guint8 end[STREAM_END_LENGTH] = {0};
        memcpy(end + DIGEST_LENGTH, &at_the_end[i], 8);
        add_entry(bytes, "", S_IFREG | 0644, announced[i], "");
        add_data(bytes, 10, "data");
        frame_append(bytes, FRAME_END, 0, end, sizeof end);
        assert_false(receive_bytes(bytes, to, false, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "a size that cannot be");
    }
    g_autoptr(GByteArray) far = g_byte_array_new();
    add_entry(far, "", S_IFREG | 0644, STREAM_SIZE_UNKNOWN, "");
    add_data(far, (guint64)1 << 60, "data");
    assert_false(receive_bytes(far, to, false, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "data where none belongs");
}

static void
grow_source(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_int_equal(write(fd, "more", 4), 4);
    close(fd);
}

/* Nobody reads at first, so the sender waits with its source open. */
static void
a_source_that_changes_is_noticed(void **state)
{
    (void)state;
    g_autofree char *from = test_path("changes");
    g_autofree guint8 *noise = g_malloc(24 << 20);
    g_autoptr(GRand) chance = g_rand_new_with_seed(5);
    GError *error = NULL;
    StreamResult result;
    int fds[2];

    for (guint i = 0; i < 24 << 20; i++)
        noise[i] = (guint8)g_rand_int(chance);
    test_write_bytes(from, noise, 24 << 20);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    Sending sending = {.fd = fds[1], .path = from};
    GThread *thread = g_thread_new("send", send_in_thread, &sending);
    g_usleep(200000);
    grow_source(from);
    g_autofree char *to = test_path("changes-copy");
    StreamLink in = {.fd = fds[0]};
    StreamTarget target = {.path = to};
    assert_false(stream_receive(&in, &target, &result, &error));
    g_clear_error(&error);
    close(fds[0]);
    g_thread_join(thread);
    assert_false(sending.done);
    assert_failed(sending.error, ONEVOL_ERROR_CORRUPT, "the source changed while it was read");
}

static void
readback_sees_other_data(void **state)
{
    (void)state;
    g_autofree char *path = test_path("readback");
    guint8 before[DIGEST_LENGTH], after[DIGEST_LENGTH];
    GError *error = NULL;

    make_pattern(path, 4);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_true(digest_readback_path(path, (guint64)info.st_size, before, &error));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\1\2\3", 3, info.st_size / 2), 3);
    assert_true(digest_readback(fd, (guint64)info.st_size, after, &error));
    close(fd);
    assert_false(digest_compare(after, before, "changed", &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "changed: its digest is");
    assert_false(digest_readback_path(path, (guint64)info.st_size + 1, after, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "ends after");
}

/* The disk changes what was written to it before the stream ends. */
static bool
receive_on_a_bad_disk(bool readback, GError **error)
{
    g_autofree char *to = test_path("bad-disk");
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(Digest) digest = digest_new();
    g_autoptr(Digest) total = digest_new();
    g_autofree guint8 *chunk = (guint8 *)g_strnfill(DIGEST_CHUNK, 'd');
    guint8 end[STREAM_END_LENGTH] = {0}, last[DIGEST_LENGTH];
    const guint64 size = 2 * DIGEST_CHUNK;
    MoveOptions options = {.readback = readback};
    int fds[2];

    unlink(to);
    add_entry(bytes, "", S_IFREG | 0644, size, "");
    for (guint64 offset = 0; offset < size; offset += DIGEST_CHUNK) {
        g_autofree char *text = g_strnfill(4096, 'd');
        digest_chunk(digest, chunk, DIGEST_CHUNK);
        for (guint i = 0; i < DIGEST_CHUNK / 4096; i++)
            add_data(bytes, offset + i * 4096, text);
    }
    digest_end(digest, size, end);
    memcpy(end + DIGEST_LENGTH, &size, sizeof size);
    digest_chunk(total, end, DIGEST_LENGTH);
    digest_end(total, size, last);

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    Receiving receiving = {
        .fd = fds[0], .target = {.path = to, .options = &options}
    };
    GThread *thread = g_thread_new("receive", receive_in_thread, &receiving);
    assert_int_equal(write(fds[1], bytes->data, bytes->len), bytes->len);
    struct stat info = {0};
    for (guint i = 0; i < 500 && info.st_blocks * 512 < DIGEST_CHUNK; i++) {
        g_usleep(10000); /* until the first chunk is written */
        stat(to, &info);
    }
    int fd = open(to, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, 5000), 1);
    assert_int_equal(fsync(fd), 0);
    close(fd);
    g_byte_array_set_size(bytes, 0);
    frame_append(bytes, FRAME_END, 0, end, sizeof end);
    guint8 header[FRAME_HEADER];
    frame_header(header, FRAME_END, FRAME_LAST, 0, sizeof last);
    g_byte_array_append(bytes, header, sizeof header);
    g_byte_array_append(bytes, last, sizeof last);
    assert_int_equal(write(fds[1], bytes->data, bytes->len), bytes->len);
    close(fds[1]);
    g_thread_join(thread);
    close(fds[0]);
    if (receiving.error)
        g_propagate_error(error, receiving.error);
    return receiving.done;
}

static void
only_readback_finds_a_bad_disk(void **state)
{
    (void)state;
    GError *error = NULL;

    assert_true(receive_on_a_bad_disk(false, &error));
    assert_no_error(error);
    assert_false(receive_on_a_bad_disk(true, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "gives back other data");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(files_of_all_lengths_arrive),
    cmocka_unit_test(holes_are_not_sent),
    cmocka_unit_test(old_content_of_the_target_is_gone),
    cmocka_unit_test(trees_arrive_with_links_and_modes),
    cmocka_unit_test(the_digest_knows_zeros_and_sizes),
    cmocka_unit_test(a_run_of_zeros_is_one_however_it_is_cut),
    cmocka_unit_test(names_cannot_leave_the_target),
    cmocka_unit_test(data_stays_inside_the_announced_size),
    cmocka_unit_test(changed_or_cut_data_is_noticed),
    cmocka_unit_test(a_tree_is_refused_where_a_file_was_asked_for),
    cmocka_unit_test(every_byte_of_any_pattern_arrives),
    cmocka_unit_test(content_of_unknown_size_arrives),
    cmocka_unit_test(a_limited_copy_takes_its_time),
    cmocka_unit_test(a_size_that_lies_is_refused),
    cmocka_unit_test(a_source_that_changes_is_noticed),
    cmocka_unit_test(readback_sees_other_data),
    cmocka_unit_test(only_readback_finds_a_bad_disk),
};
TEST_MAIN(tests)
