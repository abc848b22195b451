// SPDX-License-Identifier: Apache-2.0
/* mover/reader.c, writer.c and copy.c: every byte, for random content over dirty targets; on files,
 * and on loop devices where they can be made. */
#include "base/command.h"
#include "mover/copy.h"
#include "mover/reader.h"
#include "mover/writer.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEGABYTE (1u << 20)
#define ROUNDS 40

static guint64
allocated(const char *path)
{
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    return (guint64)info.st_blocks * 512;
}

static guint8 *
content_of(const char *path, gsize *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    gsize size = (gsize)lseek(fd, 0, SEEK_END);
    guint8 *bytes = g_malloc(size + 1);

    for (gsize got = 0; got < size;) {
        ssize_t some = pread(fd, bytes + got, size - got, (off_t)got);
        assert_true(some > 0);
        got += (gsize)some;
    }
    close(fd);
    *length = size;
    return bytes;
}

/* `size` bytes of holes, written zeros and data of random lengths; the same in `mirror`. */
static void
make_random(GRand *rand, const char *path, guint8 *mirror, gsize size)
{
    static const gsize longest[] = {5, 600, 9000, 300000, 3 * MEGABYTE};
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    memset(mirror, 0, size);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    for (gsize at = 0; at < size;) {
        gsize limit = longest[g_rand_int_range(rand, 0, G_N_ELEMENTS(longest))];
        gsize length = (gsize)g_rand_int_range(rand, 1, (gint32)limit);
        int kind = g_rand_int_range(rand, 0, 3);
        length = MIN(length, size - at);
        if (kind == 0)
            for (gsize i = 0; i < length; i++)
                mirror[at + i] = (guint8)g_rand_int(rand);
        if (kind != 2)
            assert_int_equal(pwrite(fd, mirror + at, length, (off_t)at), length);
        at += length;
    }
    assert_int_equal(fsync(fd), 0);
    close(fd);
}

static void
assert_content(const char *path, const guint8 *mirror, gsize size)
{
    gsize length;
    g_autofree guint8 *bytes = content_of(path, &length);

    assert_true(length >= size);
    for (gsize i = 0; i < size; i++)
        if (bytes[i] != mirror[i])
            fail_msg("byte %" G_GSIZE_FORMAT " is %u, not %u", i, bytes[i], mirror[i]);
    for (gsize i = size; i < length; i++) /* of a device that is larger */
        if (bytes[i])
            fail_msg("old data behind the content, at %zu, size %zu, length %zu", i, size, length);
}

static guint32
seed(void)
{
    const char *given = g_getenv("TEST_SEED");
    guint32 number = given ? (guint32)g_ascii_strtoull(given, NULL, 10) : g_random_int();

    print_message("# TEST_SEED=%u\n", number);
    return number;
}

static void
random_content_is_copied_to_the_byte(void **state)
{
    (void)state;
    g_autofree char *from = test_path("random-from");
    g_autofree char *to = test_path("random-to");
    g_autofree guint8 *mirror = g_malloc(8 * MEGABYTE);
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed());

    for (guint round = 0; round < ROUNDS; round++) {
        gsize size = (gsize)g_rand_int_range(rand, 0, 8 * MEGABYTE);
        CopyResult result;
        GError *error = NULL;
        make_random(rand, from, mirror, size);
        assert_true(copy_file(from, to, round % 2, NULL, &result, &error));
        assert_no_error(error);
        assert_content(to, mirror, size);
        assert_true(result.size == size && allocated(to) <= allocated(from) + MEGABYTE);
    }
}

/* Where the file system compresses, a file takes less than its size and yet has no holes. */
static void
compressed_files_are_copied(void **state)
{
    (void)state;
    g_autofree char *from = test_path("compressed");
    g_autofree char *to = test_path("compressed-copy");
    gsize size = 4 * MEGABYTE, length = 0;
    g_autofree guint8 *mirror = g_malloc(size);
    int fd = open(from, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), flags = 0;

    for (gsize i = 0; i < size; i++)
        mirror[i] = (guint8)(i / MEGABYTE == 1 ? 0 : i / 4096);
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_COMPR_FL;
        ioctl(fd, FS_IOC_SETFLAGS, &flags); /* btrfs does it, others do not know it */
    }
    for (; length < size; length += MEGABYTE)
        assert_int_equal(pwrite(fd, mirror + length, MEGABYTE, (off_t)length), MEGABYTE);
    close(fd);
    for (int flushed = 0; flushed <= 1; flushed++) {
        CopyResult result;
        assert_true(copy_file(from, to, false, NULL, &result, NULL));
        assert_content(to, mirror, size);
        sync();
    }
}

static void
chunks_have_no_gaps_and_holes_are_not_read(void **state)
{
    (void)state;
    g_autofree char *path = test_path("chunks");
    guint64 size = 40ull * 1024 * MEGABYTE + 77, expected = 0, data = 0;
    guint chunks = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    Chunk chunk;
    GError *error = NULL;

    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(pwrite(fd, "first", 5, 3), 5);
    assert_int_equal(pwrite(fd, "last", 4, (off_t)size - 4), 4);
    close(fd);
    g_autoptr(Reader) reader = reader_open(path, &error);
    assert_no_error(error);
    for (;; chunks++) {
        assert_true(reader_next(reader, &chunk, &error));
        assert_true(chunk.offset == expected);
        expected += chunk.length;
        if (chunk.length == 0)
            break;
        assert_true(chunk.offset % CHUNK_SIZE == 0);
        data += chunk.bytes ? chunk.length : 0;
    }
    assert_true(expected == size && reader_size(reader) == size);
    assert_true(data == MEGABYTE + 77 && chunks <= 4);
    assert_true(reader_unchanged(reader, &error));
    unlink(path);
}

static void
only_the_content_of_a_larger_source_is_read(void **state)
{
    (void)state;
    g_autofree char *from = test_path("larger");
    g_autofree char *to = test_path("cut");
    const MoveOptions options = {.length = 5 * MEGABYTE + 1000};
    CopyResult result;
    GError *error = NULL;
    struct stat info;

    int fd = open(from, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_int_equal(ftruncate(fd, 8 * MEGABYTE), 0);
    assert_int_equal(pwrite(fd, "inside", 6, 5 * MEGABYTE + 994), 6);
    assert_int_equal(pwrite(fd, "behind", 6, 5 * MEGABYTE + 1000), 6);
    close(fd);
    assert_true(copy_file(from, to, true, &options, &result, &error));
    assert_int_equal(stat(to, &info), 0);
    assert_int_equal(info.st_size, 5 * MEGABYTE + 1000);
    assert_true(result.size == options.length);

    const MoveOptions too_long = {.length = 8 * MEGABYTE + 1};
    assert_false(copy_file(from, to, true, &too_long, &result, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "has only 8388608 of 8388609 bytes");
    unlink(from);
}

/* Bytes in pieces of changing length: count of them in `left`, then an error or the end. */
typedef struct Drip {
    guint64 left;
    guint step;
    bool breaks;
} Drip;

static bool
drip(gpointer data, void *bytes, size_t length, size_t *got, GError **error)
{
    Drip *source = data;

    source->step = source->step % 70000 + 977;
    *got = MIN(MIN(length, source->step), source->left);
    memset(bytes, 'd', *got);
    source->left -= *got;
    if (*got == 0 && source->breaks)
        return set_error(error, ONEVOL_ERROR_UNREACHABLE, "the line is dead");
    return true;
}

static void
bytes_from_elsewhere_come_in_chunks(void **state)
{
    (void)state;
    Drip from = {.left = 5 * MEGABYTE + 11};
    ByteSource source = {.read = drip, .data = &from};
    g_autoptr(Reader) reader = reader_of_bytes(&source);
    guint64 total = 0;
    Chunk chunk;

    for (;;) {
        assert_true(reader_next(reader, &chunk, NULL));
        if (chunk.length == 0)
            break;
        assert_true(chunk.offset == total);
        assert_true(chunk.length == CHUNK_SIZE || chunk.length == 11);
        assert_true(chunk.bytes[0] == 'd' && chunk.bytes[chunk.length - 1] == 'd');
        total += chunk.length;
    }
    assert_true(total == 5 * MEGABYTE + 11);
}

static void
bytes_that_fail_or_are_too_many_are_an_error(void **state)
{
    (void)state;
    for (int breaks = 0; breaks <= 1; breaks++) {
        Drip from = {.left = 3 * MEGABYTE, .breaks = breaks};
        ByteSource source = {.read = drip, .data = &from, .limit = breaks ? 0 : 2 * MEGABYTE};
        g_autoptr(Reader) reader = reader_of_bytes(&source);
        GError *error = NULL;
        Chunk chunk = {.length = 1};
        while (chunk.length > 0 && reader_next(reader, &chunk, &error)) {
        }
        if (breaks)
            assert_failed(error, ONEVOL_ERROR_UNREACHABLE, "the line is dead");
        else
            assert_failed(error, ONEVOL_ERROR_REFUSED, "more than");
    }
}

static void
a_reader_may_be_left_in_the_middle(void **state)
{
    (void)state;
    Drip from = {.left = 100 * MEGABYTE};
    ByteSource source = {.read = drip, .data = &from};
    Reader *reader = reader_of_bytes(&source);
    Chunk chunk;

    assert_true(reader_next(reader, &chunk, NULL));
    reader_free(reader);
    assert_true(from.left >= 80 * MEGABYTE); /* memory is bounded: it did not run away */
}

static void
a_source_that_changes_is_noticed(void **state)
{
    (void)state;
    g_autofree char *path = test_path("changing");
    GError *error = NULL;
    Chunk chunk;

    test_write(path, "before");
    g_autoptr(Reader) reader = reader_open(path, NULL);
    assert_true(reader_next(reader, &chunk, NULL));
    g_usleep(20000);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "BEFORE", 6, 0), 6);
    close(fd);
    assert_false(reader_unchanged(reader, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "changed while it was read");
}

static void
nothing_is_made_below_dev(void **state)
{
    (void)state;
    g_autofree char *from = test_path("small");
    const char *to = "/dev/onevol-there-is-no-such-device";
    CopyResult result;
    GError *error = NULL;

    test_write(from, "text");
    assert_false(copy_file(from, to, true, NULL, &result, &error));
    assert_non_null(error);
    g_clear_error(&error);
    assert_false(test_exists(to));
}

static void
a_cancelled_copy_leaves_nothing(void **state)
{
    (void)state;
    g_autofree char *from = test_path("large");
    g_autofree char *to = test_path("cancelled");
    g_autofree char *block = g_strnfill(4 * MEGABYTE, 'b');
    CopyResult result;
    GError *error = NULL;

    test_write_bytes(from, block, 4 * MEGABYTE);
    cancel_install();
    raise(SIGTERM);
    assert_false(copy_file(from, to, false, NULL, &result, &error));
    cancel_forget();
    assert_failed(error, ONEVOL_ERROR_CANCELLED, "");
    assert_false(test_exists(to));
}

static int device_fd;

/* A free loop device of the file `backing`, open; -1 and errno when there is none. Another process
 * may take the free one first: then the next is asked for. */
static int
take_device(int control, int backing, char **device)
{
    struct loop_config config = {.fd = (guint32)backing, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};

    for (;;) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0)
            return -1;
        g_autofree char *path = g_strdup_printf("/dev/loop%d", number);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            return -1;
        if (ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
            *device = g_steal_pointer(&path);
            return fd;
        }
        int failed = errno;
        close(fd);
        errno = failed;
        if (errno != EBUSY)
            return -1;
    }
}

/* A loop device of `size` bytes over `path`, all of them `old`; the caller frees its path. NULL:
 * this machine or this user has none. */
static char *
make_device(const char *path, gsize size, guint8 old)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    g_autofree guint8 *bytes = g_malloc(size);
    char *device = NULL;

    if (control < 0)
        return NULL;
    memset(bytes, old, size);
    test_write_bytes(path, bytes, size);
    int backing = open(path, O_RDWR | O_CLOEXEC);
    device_fd = take_device(control, backing, &device); /* gone when nobody has it open */
    if (device_fd < 0 && errno != EPERM && errno != EACCES)
        fail_msg("no loop device over %s: %s", path, g_strerror(errno));
    close(backing);
    close(control);
    return device;
}

static void
drop_device(char *device)
{
    close(device_fd);
    g_free(device);
}

static void
a_dirty_device_gets_every_byte(void **state)
{
    (void)state;
    g_autofree char *from = test_path("random-from");
    g_autofree char *backing = test_path("dirty-device");
    g_autofree char *back = test_path("read-back");
    gsize room = 9 * MEGABYTE + 512;
    g_autofree guint8 *mirror = g_malloc0(room);
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed());
    MoveOptions dirty = {.dirty = true};

    for (guint round = 0; round < ROUNDS / 2; round++) {
        char *device = make_device(backing, room, 0xaa);
        gsize size = (gsize)g_rand_int_range(rand, 0, 9 * MEGABYTE);
        CopyResult result;
        GError *error = NULL;
        if (!device)
            skip_because("there are no loop devices");
        size = round % 2 ? size : size / 4096 * 4096;
        make_random(rand, from, mirror, size);
        assert_true(copy_file(from, device, true, &dirty, &result, &error));
        assert_no_error(error);
        assert_int_equal(result.method, COPY_SPARSE);
        assert_content(device, mirror, size);
        memset(mirror + size, 0, room - size);
        assert_true(copy_file(device, back, true, NULL, &result, &error));
        assert_content(back, mirror, room);
        drop_device(device);
    }
}

/* Not as a reader cuts them: what O_DIRECT does not take is written all the same. */
static void
pieces_of_any_kind_are_written_to_a_device(void **state)
{
    (void)state;
    g_autofree char *backing = test_path("dirty-device");
    gsize room = 4 * MEGABYTE;
    g_autofree guint8 *mirror = g_malloc(room);
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed());

    for (guint round = 0; round < ROUNDS; round++) {
        MoveOptions options = {.dirty = round % 3 > 0};
        char *device = make_device(backing, room, options.dirty ? 0xaa : 0);
        guint32 grain = round % 2 ? 1 : 512;
        gsize offset = 0;
        if (!device)
            skip_because("there are no loop devices");
        memset(mirror, 0, room);
        g_autoptr(Writer) writer = writer_open(device, &options, NULL);
        for (;;) {
            gsize gap = (gsize)g_rand_int_range(rand, 0, 70000) / grain * grain;
            gsize length = (gsize)g_rand_int_range(rand, 1, 200000) / grain * grain;
            bool last = offset + gap + length + 4096 > room;
            if (last)
                gap = 0, length = 777; /* no whole sector */
            offset += gap;
            for (gsize i = 0; i < length; i++)
                mirror[offset + i] = (guint8)g_rand_int(rand);
            assert_true(writer_data(writer, mirror + offset, length, offset, NULL));
            offset += length;
            if (last)
                break;
        }
        GError *error = NULL;
        writer_end(writer, offset, &error);
        assert_no_error(error);
        assert_content(device, mirror, room);
        drop_device(device);
    }
}

static void
zeros_are_left_out_on_a_fresh_device(void **state)
{
    (void)state;
    g_autofree char *from = test_path("sparse-from");
    g_autofree char *backing = test_path("fresh-device");
    gsize room = 64 * MEGABYTE;
    CopyResult result;
    GError *error = NULL;

    char *device = make_device(backing, room, 0);
    if (!device)
        skip_because("there are no loop devices");
    assert_int_equal(truncate(backing, 0), 0);
    assert_int_equal(truncate(backing, (off_t)room), 0);
    int fd = open(from, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_int_equal(ftruncate(fd, (off_t)room), 0);
    assert_int_equal(pwrite(fd, "data", 4, 20 * MEGABYTE), 4);
    close(fd);
    assert_true(copy_file(from, device, true, NULL, &result, &error));
    assert_no_error(error);
    assert_true(allocated(backing) <= MEGABYTE);
    drop_device(device);
}

static void
a_device_that_is_too_small_is_left_alone(void **state)
{
    (void)state;
    g_autofree char *from = test_path("too-large");
    g_autofree char *backing = test_path("small-device");
    g_autofree char *block = g_strnfill(2 * MEGABYTE, 'n');
    CopyResult result;
    GError *error = NULL;
    gsize length;

    char *device = make_device(backing, MEGABYTE, 'o');
    if (!device)
        skip_because("there are no loop devices");
    test_write_bytes(from, block, 2 * MEGABYTE);
    assert_false(copy_file(from, device, true, NULL, &result, &error));
    assert_failed(error, ONEVOL_ERROR_NO_SPACE, "has 1048576 bytes");
    g_autofree guint8 *bytes = content_of(device, &length);
    assert_true(bytes[0] == 'o' && bytes[MEGABYTE - 1] == 'o');
    drop_device(device);
}

static void
zeros_are_found(void **state)
{
    (void)state;
    guint8 bytes[300] = {0};

    for (gsize length = 0; length <= sizeof bytes; length++)
        assert_true(is_zero(bytes, length));
    for (gsize at = 0; at < sizeof bytes; at++) {
        bytes[at] = 1;
        assert_false(is_zero(bytes, sizeof bytes));
        assert_false(is_zero(bytes, at + 1));
        assert_true(is_zero(bytes, at));
        bytes[at] = 0;
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(random_content_is_copied_to_the_byte),
    cmocka_unit_test(compressed_files_are_copied),
    cmocka_unit_test(chunks_have_no_gaps_and_holes_are_not_read),
    cmocka_unit_test(bytes_from_elsewhere_come_in_chunks),
    cmocka_unit_test(bytes_that_fail_or_are_too_many_are_an_error),
    cmocka_unit_test(a_reader_may_be_left_in_the_middle),
    cmocka_unit_test(only_the_content_of_a_larger_source_is_read),
    cmocka_unit_test(a_source_that_changes_is_noticed),
    cmocka_unit_test(nothing_is_made_below_dev),
    cmocka_unit_test(a_cancelled_copy_leaves_nothing),
    cmocka_unit_test(a_dirty_device_gets_every_byte),
    cmocka_unit_test(pieces_of_any_kind_are_written_to_a_device),
    cmocka_unit_test(zeros_are_left_out_on_a_fresh_device),
    cmocka_unit_test(a_device_that_is_too_small_is_left_alone),
    cmocka_unit_test(zeros_are_found),
};

TEST_MAIN(tests)
