// SPDX-License-Identifier: Apache-2.0
#include "mover/copy.h"

#include "base/command.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (1u << 20)
#define RANGE (32u << 20) /* at most this much between two looks at a cancel */
#define BLOCK 4096u

typedef struct Copy {
    int from, to;
    guint64 size;
    bool range_works;
    guint8 *buffer; /* CHUNK bytes, made on first use */
    CopyResult *result;
} Copy;

const char *
copy_method_name(CopyMethod method)
{
    static const char *const names[] = {"reflink", "copy_file_range", "sparse copy"};
    return names[method];
}

bool
is_zero(const void *bytes, size_t length)
{
    const guint8 *p = bytes;

    /* The first 16 bytes by hand, then the block against itself: memcmp is vectorised. */
    for (size_t i = 0; i < MIN(length, 16); i++)
        if (p[i])
            return false;
    return length <= 16 || memcmp(p, p + 16, length - 16) == 0;
}

/* Only "this pair of files cannot" may fall back; a full disk or a bad medium may not. */
static bool
cannot_share(int number)
{
    return number == EOPNOTSUPP || number == EXDEV || number == EINVAL || number == ENOSYS ||
           number == ENOTTY || number == EPERM;
}

static bool
write_all(int fd, const guint8 *bytes, size_t length, guint64 offset)
{
    while (length > 0) {
        ssize_t wrote = pwrite(fd, bytes, length, (off_t)offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return false;
        bytes += wrote;
        length -= (size_t)wrote;
        offset += (guint64)wrote;
    }
    return true;
}

/* Writes the blocks that are not zero, neighbours together. */
static bool
write_sparse(Copy *copy, size_t length, guint64 offset)
{
    size_t start = 0, position = 0;

    while (position < length) {
        size_t block = MIN(BLOCK, length - position);
        if (is_zero(copy->buffer + position, block)) {
            if (!write_all(copy->to, copy->buffer + start, position - start, offset + start))
                return false;
            start = position + block;
        }
        position += block;
    }
    return write_all(copy->to, copy->buffer + start, length - start, offset + start);
}

static bool
copy_by_hand(Copy *copy, guint64 offset, guint64 end, GError **error)
{
    if (!copy->buffer && offset < end)
        copy->buffer = g_malloc(CHUNK);

    while (offset < end) {
        copy->result->method = COPY_SPARSE;
        if (!cancel_check(error))
            return false;
        ssize_t got = pread(copy->from, copy->buffer, MIN(CHUNK, end - offset), (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return set_error_errno(error, errno, "cannot read at offset %" G_GUINT64_FORMAT,
                                   offset);
        if (got == 0)
            return set_error(error, ONEVOL_ERROR_CORRUPT, "the source shrank while it was read");
        if (!write_sparse(copy, (size_t)got, offset))
            return set_error_errno(error, errno, "cannot write at offset %" G_GUINT64_FORMAT,
                                   offset);
        offset += (guint64)got;
        copy->result->data += (guint64)got;
    }
    return true;
}

static bool
copy_extent(Copy *copy, guint64 offset, guint64 end, GError **error)
{
    while (copy->range_works && offset < end) {
        if (!cancel_check(error))
            return false;
        loff_t in = (loff_t)offset, out = (loff_t)offset;
        ssize_t got = copy_file_range(copy->from, &in, copy->to, &out, MIN(RANGE, end - offset), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && !cannot_share(errno))
            return set_error_errno(error, errno, "cannot copy at offset %" G_GUINT64_FORMAT,
                                   offset);
        if (got <= 0) { /* some file systems say 0 for "not between these two" */
            copy->range_works = false;
            break;
        }
        offset += (guint64)got;
        copy->result->data += (guint64)got;
    }
    return copy_by_hand(copy, offset, end, error);
}

static bool
copy_extents(Copy *copy, GError **error)
{
    guint64 position = 0;

    copy->result->method = COPY_RANGE;
    while (position < copy->size) {
        off_t data = lseek(copy->from, (off_t)position, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break; /* only a hole is left */
        if (data < 0)
            data = (off_t)position; /* no SEEK_DATA here: all is data */
        off_t hole = lseek(copy->from, data, SEEK_HOLE);
        guint64 end = hole < 0 ? copy->size : MIN((guint64)hole, copy->size);

        if (!copy_extent(copy, (guint64)data, end, error))
            return false;
        position = end;
    }
    return true;
}

static bool
copy_content(int from, int to, guint64 size, bool share, CopyResult *result, GError **error)
{
    if (share) {
        if (ioctl(to, FICLONE, from) == 0) {
            result->method = COPY_REFLINK;
            return true;
        }
        if (!cannot_share(errno))
            return set_error_errno(error, errno, "cannot clone");
    }
    if (ftruncate(to, (off_t)size))
        return set_error_errno(error, errno, "cannot set the size");

    Copy copy = {.from = from, .to = to, .size = size, .range_works = share, .result = result};
    bool done = copy_extents(&copy, error);
    g_free(copy.buffer);
    return done;
}

bool
copy_reflink(const char *source, const char *target, GError **error)
{
    AUTO_FD from = open(source, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return set_error_errno(error, errno, "cannot open '%s'", source);
    AUTO_FD to = open(target, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (to < 0)
        return set_error_errno(error, errno, "cannot make '%s'", target);
    if (ioctl(to, FICLONE, from) == 0)
        return true;
    if (cannot_share(errno))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "'%s' and '%s' cannot share blocks",
                         source, target);
    return set_error_errno(error, errno, "cannot clone '%s' to '%s'", source, target);
}

bool
copy_file(const char *source, const char *target, bool share, CopyResult *result, GError **error)
{
    AUTO_FD from = open(source, O_RDONLY | O_CLOEXEC);
    struct stat before, after;

    if (from < 0 || fstat(from, &before))
        return set_error_errno(error, errno, "cannot open '%s'", source);
    if (!S_ISREG(before.st_mode))
        return set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is not a regular file", source);

    AUTO_FD to = open(target, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (to < 0)
        return set_error_errno(error, errno, "cannot make '%s'", target);

    *result = (CopyResult){.size = (guint64)before.st_size};
    bool done = copy_content(from, to, result->size, share, result, error);
    if (done && fsync(to))
        done = set_error_errno(error, errno, "cannot flush '%s'", target);
    if (done && (fstat(from, &after) || after.st_size != before.st_size))
        done = set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' changed its size while it was copied",
                         source);
    if (!done) {
        unlink(target);
        g_prefix_error(error, "cannot copy '%s' to '%s': ", source, target);
    }
    return done;
}
