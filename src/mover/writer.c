// SPDX-License-Identifier: Apache-2.0
#include "mover/writer.h"

#include "base/command.h"
#include "base/error.h"
#include "mover/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096u           /* the grain in which zeros are looked for */
#define FLUSH (32u << 20)     /* written data is sent to the disk in such steps */
#define ZERO_STEP (64u << 20) /* at most this much between two looks at a cancel */

/* From the cheapest to the one that always works. */
typedef enum { ZERO_PUNCH, ZERO_RANGE, ZERO_DEVICE, ZERO_WRITE } ZeroMethod;

struct Writer {
    int fd;
    char *name;
    bool is_device, direct, zeroed;
    guint32 sector;
    guint64 room; /* of a device */
    ZeroMethod zero_method;
    guint64 position; /* all before it is settled */
    guint64 flushed, written;
    guint8 *bounce; /* CHUNK_SIZE aligned bytes, made on first use */
};

static bool
open_device(Writer *writer, GError **error)
{
    int direct = open(writer->name, O_RDWR | O_DIRECT | O_CLOEXEC);
    int sector = 512;

    if (direct >= 0) {
        close(writer->fd);
        writer->fd = direct;
    }
    writer->direct = direct >= 0;
    writer->is_device = true;
    ioctl(writer->fd, BLKSSZGET, &sector);
    writer->sector = (guint32)sector;
    off_t room = lseek(writer->fd, 0, SEEK_END);
    writer->room = (guint64)room;
    return room >= 0 || set_error_errno(error, errno, "cannot find the size of '%s'", writer->name);
}

/* A regular file below /dev would lie in memory, and no guest would ever see it. */
static int
open_target(const char *path, struct stat *info)
{
    bool device = g_str_has_prefix(path, "/dev/") && !g_str_has_prefix(path, "/dev/shm/");
    int fd = open(path, O_RDWR | O_CLOEXEC | (device ? 0 : O_CREAT | O_NOFOLLOW), 0666);

    if (fd >= 0 && fstat(fd, info) == 0 && (S_ISBLK(info->st_mode) || !device))
        return fd;
    if (fd >= 0) {
        close(fd);
        errno = ENODEV;
    }
    return -1;
}

Writer *
writer_open(const char *path, const MoveOptions *options, GError **error)
{
    g_autoptr(Writer) writer = g_new0(Writer, 1);
    struct stat info;

    writer->name = g_strdup(path);
    writer->zeroed = !options || !options->dirty;
    writer->sector = 1;
    writer->fd = open_target(path, &info);
    if (writer->fd < 0) {
        set_error_errno(error, errno, "cannot open '%s' to write", path);
        return NULL;
    }
    if (S_ISBLK(info.st_mode))
        return open_device(writer, error) ? g_steal_pointer(&writer) : NULL;
    if (!S_ISREG(info.st_mode)) {
        set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is neither a regular file nor a block device",
                  path);
        return NULL;
    }
    if (ftruncate(writer->fd, 0)) {
        set_error_errno(error, errno, "cannot empty '%s'", path);
        return NULL;
    }
    writer->zeroed = true;
    return g_steal_pointer(&writer);
}

Writer *
writer_of_file(int fd, const char *name)
{
    Writer *writer = g_new0(Writer, 1);

    writer->fd = fd;
    writer->name = g_strdup(name);
    writer->zeroed = true;
    writer->sector = 1;
    return writer;
}

void
writer_free(Writer *writer)
{
    if (!writer)
        return;
    if (writer->fd >= 0)
        close(writer->fd);
    free(writer->bounce);
    g_free(writer->name);
    g_free(writer);
}

int
writer_fd(const Writer *writer)
{
    return writer->fd;
}

bool
writer_is_device(const Writer *writer)
{
    return writer->is_device;
}

guint64
writer_written(const Writer *writer)
{
    return writer->written;
}

bool
writer_expect(Writer *writer, guint64 size, GError **error)
{
    if (writer->is_device && size > writer->room)
        return set_error(error, ONEVOL_ERROR_NO_SPACE,
                         "'%s' has %" G_GUINT64_FORMAT " bytes, the content %" G_GUINT64_FORMAT,
                         writer->name, writer->room, size);
    if (!writer->is_device && ftruncate(writer->fd, (off_t)size))
        return set_error_errno(error, errno, "cannot set the size of '%s'", writer->name);
    return true;
}

/* Whoever brings what O_DIRECT does not take goes through the page cache from there on. */
static bool
leave_direct(Writer *writer, GError **error)
{
    int flags = fcntl(writer->fd, F_GETFL);

    if (flags < 0 || fcntl(writer->fd, F_SETFL, flags & ~O_DIRECT))
        return set_error_errno(error, errno, "cannot write to '%s' by the page cache",
                               writer->name);
    writer->direct = false;
    return true;
}

static bool
write_all(const Writer *writer, const guint8 *bytes, size_t length, guint64 offset, GError **error)
{
    while (length > 0) {
        ssize_t wrote = pwrite(writer->fd, bytes, length, (off_t)offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return set_error_errno(error, errno, "cannot write at offset %" G_GUINT64_FORMAT,
                                   offset);
        bytes += wrote;
        length -= (size_t)wrote;
        offset += (guint64)wrote;
    }
    return true;
}

static bool
is_aligned(guint64 number, guint32 to)
{
    return number % to == 0;
}

/* Aligned memory, and the last sector filled up with zeros: behind the content of a device there
 * is nothing, or zeros. */
static bool
write_direct(Writer *writer, const guint8 *bytes, size_t length, guint64 offset, GError **error)
{
    if (is_aligned((guintptr)bytes, BLOCK) && is_aligned(length, writer->sector))
        return write_all(writer, bytes, length, offset, error);
    if (!writer->bounce)
        writer->bounce = aligned_alloc(BLOCK, CHUNK_SIZE);
    while (length > 0) {
        size_t piece = MIN(length, CHUNK_SIZE);
        size_t whole = (piece + writer->sector - 1) / writer->sector * writer->sector;
        memcpy(writer->bounce, bytes, piece);
        memset(writer->bounce + piece, 0, whole - piece);
        if (!write_all(writer, writer->bounce, whole, offset, error))
            return false;
        bytes += piece;
        length -= piece;
        offset += piece;
    }
    return true;
}

static bool
write_piece(Writer *writer, const guint8 *bytes, size_t length, guint64 offset, GError **error)
{
    if (writer->direct && !is_aligned(offset, writer->sector) && !leave_direct(writer, error))
        return false;
    writer->written += length;
    return writer->direct ? write_direct(writer, bytes, length, offset, error)
                          : write_all(writer, bytes, length, offset, error);
}

static bool
write_zeros(Writer *writer, guint64 from, guint64 to, GError **error)
{
    static const guint8 zeros[64u << 10] __attribute__((aligned(BLOCK)));

    for (; from < to; from += MIN(sizeof zeros, to - from))
        if (!cancel_check(error) ||
            !write_piece(writer, zeros, (size_t)MIN(sizeof zeros, to - from), from, error))
            return false;
    return true;
}

/* True if that method did it. */
static bool
zero_by_device(const Writer *writer, guint64 from, guint64 to)
{
    guint64 range[2] = {from, to - from};

    switch (writer->zero_method) {
    case ZERO_PUNCH: /* the kernel promises zeros, or fails (block/fops.c, blkdev_fallocate) */
        return fallocate(writer->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                         (off_t)(to - from)) == 0;
    case ZERO_RANGE:
        return fallocate(writer->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                         (off_t)(to - from)) == 0;
    case ZERO_DEVICE:
        return ioctl(writer->fd, BLKZEROOUT, range) == 0;
    case ZERO_WRITE:
        return false;
    }
    return false;
}

/* Whole sectors of a device that may hold old data. */
static bool
zero_sectors(Writer *writer, guint64 from, guint64 to, GError **error)
{
    while (from < to) {
        guint64 end = MIN(to, from + ZERO_STEP);
        if (!cancel_check(error))
            return false;
        while (writer->zero_method != ZERO_WRITE && !zero_by_device(writer, from, end))
            writer->zero_method++;
        if (writer->zero_method == ZERO_WRITE && !write_zeros(writer, from, end, error))
            return false;
        from = end;
    }
    return true;
}

/* Nothing comes between what was written last and `to`. */
static bool
leave_out(Writer *writer, guint64 to, GError **error)
{
    guint64 from = writer->position;

    if (writer->zeroed || from >= to)
        return true;
    guint64 first = MIN((from + writer->sector - 1) / writer->sector * writer->sector, to);
    guint64 last = MAX(to / writer->sector * writer->sector, first);
    return write_zeros(writer, from, first, error) && zero_sectors(writer, first, last, error) &&
           write_zeros(writer, last, to, error);
}

/* The blocks that are not zero, neighbours together. */
static bool
write_blocks(Writer *writer, const guint8 *bytes, size_t length, guint64 offset, GError **error)
{
    size_t start = 0;

    for (size_t position = 0; position < length; position += BLOCK) {
        size_t block = MIN(BLOCK, length - position);
        if (!is_zero(bytes + position, block))
            continue;
        if (start < position &&
            !write_piece(writer, bytes + start, position - start, offset + start, error))
            return false;
        start = position + block;
    }
    return start >= length ||
           write_piece(writer, bytes + start, length - start, offset + start, error);
}

/* Else the last flush takes minutes. */
static void
start_flush(Writer *writer)
{
    if (writer->direct || writer->position - writer->flushed < FLUSH)
        return;
    sync_file_range(writer->fd, (off_t)writer->flushed, (off_t)(writer->position - writer->flushed),
                    SYNC_FILE_RANGE_WRITE);
    writer->flushed = writer->position;
}

bool
writer_data(Writer *writer, const void *bytes, size_t length, guint64 offset, GError **error)
{
    if (writer->is_device && (offset > writer->room || length > writer->room - offset))
        return set_error(error, ONEVOL_ERROR_NO_SPACE,
                         "'%s' ends at %" G_GUINT64_FORMAT " bytes, the content goes on",
                         writer->name, writer->room);
    g_assert(offset >= writer->position);
    if (!leave_out(writer, offset, error) ||
        !(writer->zeroed ? write_blocks(writer, bytes, length, offset, error)
                         : write_piece(writer, bytes, length, offset, error)))
        return false;
    writer->position = offset + length;
    start_flush(writer);
    return true;
}

bool
writer_end(Writer *writer, guint64 size, GError **error)
{
    if (!writer_expect(writer, size, error) ||
        !leave_out(writer, writer->is_device ? writer->room : size, error))
        return false;
    if (fsync(writer->fd))
        return set_error_errno(error, errno, "cannot flush '%s'", writer->name);
    return true;
}
