// SPDX-License-Identifier: Apache-2.0
#include "mover/copy.h"

#include "base/command.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/progress.h"
#include "mover/digest.h"
#include "mover/reader.h"
#include "mover/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RANGE (32u << 20) /* at most this much between two looks at a cancel */

const char *
copy_method_name(CopyMethod method)
{
    static const char *const names[] = {"reflink", "copy_file_range", "sparse copy"};
    return names[method];
}

/* Only "this pair of files cannot" may fall back; a full disk or a bad medium may not. */
static bool
cannot_share(int number)
{
    return number == EOPNOTSUPP || number == EXDEV || number == EINVAL || number == ENOSYS ||
           number == ENOTTY || number == EPERM;
}

typedef enum { RANGE_DONE, RANGE_IMPOSSIBLE, RANGE_FAILED } RangeResult;

/* One extent, by the file system itself. */
static RangeResult
copy_extent(int from, int to, guint64 offset, guint64 end, CopyResult *result, GError **error)
{
    while (offset < end) {
        loff_t in = (loff_t)offset, out = (loff_t)offset;
        if (!cancel_check(error))
            return RANGE_FAILED;
        ssize_t got = copy_file_range(from, &in, to, &out, MIN(RANGE, end - offset), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && !cannot_share(errno)) {
            set_error_errno(error, errno, "cannot copy at offset %" G_GUINT64_FORMAT, offset);
            return RANGE_FAILED;
        }
        if (got <= 0) /* some file systems say 0 for "not between these two" */
            return RANGE_IMPOSSIBLE;
        offset += (guint64)got;
        result->data += (guint64)got;
        progress_add((guint64)got);
    }
    return RANGE_DONE;
}

static RangeResult
copy_extents(Reader *reader, Writer *writer, CopyResult *result, GError **error)
{
    guint64 start, end;

    for (guint64 position = 0; position < result->size; position = end) {
        reader_extent(reader, position, &start, &end);
        progress_add(MIN(start, result->size) - position);
        if (start >= result->size)
            break;
        RangeResult extent =
            copy_extent(reader_fd(reader), writer_fd(writer), start, end, result, error);
        if (extent != RANGE_DONE)
            return extent;
    }
    return RANGE_DONE;
}

static bool
copy_chunks(Reader *reader, Writer *writer, GError **error)
{
    Chunk chunk;

    for (;;) {
        if (!reader_next(reader, &chunk, error))
            return false;
        if (chunk.length == 0)
            return true;
        if (chunk.bytes && !writer_data(writer, chunk.bytes, chunk.length, chunk.offset, error))
            return false;
        progress_add(chunk.length);
    }
}

static bool
copy_content(Reader *reader, Writer *writer, bool share, CopyResult *result, GError **error)
{
    bool files = !reader_is_device(reader) && !writer_is_device(writer);

    if (share && files) {
        result->method = COPY_REFLINK;
        if (ioctl(writer_fd(writer), FICLONE, reader_fd(reader)) == 0)
            return true;
        if (!cannot_share(errno))
            return set_error_errno(error, errno, "cannot clone");
    }
    if (!writer_expect(writer, result->size, error))
        return false;
    if (share && files) {
        result->method = COPY_RANGE;
        RangeResult extents = copy_extents(reader, writer, result, error);
        if (extents != RANGE_IMPOSSIBLE)
            return extents == RANGE_DONE;
    }
    result->method = COPY_SPARSE;
    bool done = copy_chunks(reader, writer, error);
    result->data = writer_written(writer);
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

static bool
copy_opened(Reader *reader, Writer *writer, bool share, CopyResult *result, GError **error)
{
    *result = (CopyResult){.size = reader_size(reader)};
    progress_expect(result->size);
    return copy_content(reader, writer, share, result, error) &&
           writer_end(writer, result->size, error) &&
           (result->method == COPY_REFLINK || reader_unchanged(reader, error));
}

/* VERIFY=readback: source and target as their media have them. Shared blocks are the same. */
static bool
compare_media(const char *source, const Writer *writer, const CopyResult *result, GError **error)
{
    guint8 was[DIGEST_LENGTH], is[DIGEST_LENGTH];

    return result->method == COPY_REFLINK ||
           (digest_readback_path(source, result->size, was, error) &&
            digest_readback(writer_fd(writer), result->size, is, error) &&
            digest_compare(is, was, "the storage gives back other data than was written", error));
}

bool
copy_file(const char *source, const char *target, bool share, const MoveOptions *options,
          CopyResult *result, GError **error)
{
    g_autoptr(Reader) reader = reader_open(source, error);
    bool limited = reader && (!options || reader_limit(reader, options->length, error));
    g_autoptr(Writer) writer = limited ? writer_open(target, options, error) : NULL;

    share = share && !(options && options->length); /* blocks are shared whole */
    if (writer && copy_opened(reader, writer, share, result, error) &&
        (!options || !options->readback || compare_media(source, writer, result, error)))
        return true;
    if (writer && !writer_is_device(writer))
        unlink(target);
    g_prefix_error(error, "cannot copy '%s' to '%s': ", source, target);
    return false;
}
