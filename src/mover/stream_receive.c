// SPDX-License-Identifier: Apache-2.0
/*
 * The receiver trusts nothing in the stream: names stay below the target, offsets inside the
 * announced size and in order, and links that came are never followed.
 */
#include "base/command.h"
#include "base/error.h"
#include "mover/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_LIMIT (1ull << 50) /* of one file: a wrong number must not keep us hashing zeros */
#define FLUSH (32u << 20)       /* written data is sent to the disk in such steps */

typedef struct Receiver {
    const StreamLink *in;
    const StreamTarget *target;
    int root; /* of a tree, else -1 */
    Digest *total;
    guint8 *buffer; /* FRAME_LIMIT bytes */
    StreamResult *result;
    GError **error;

    /* the file at work */
    int fd;
    bool block, zeroed;
    guint64 size, position; /* all before `position` is written */
    guint64 flushed;
    guint8 *chunk; /* DIGEST_CHUNK bytes of the chunk `index` */
    guint64 index;
    bool filled; /* something of it came */
    Digest *digest;
} Receiver;

static bool
broken(Receiver *receiver, const char *what)
{
    return set_error(receiver->error, ONEVOL_ERROR_CORRUPT, "the stream is broken: %s", what);
}

static bool
write_at(Receiver *receiver, const guint8 *bytes, size_t length, guint64 offset)
{
    while (length > 0) {
        ssize_t wrote = pwrite(receiver->fd, bytes, length, (off_t)offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return set_error_errno(receiver->error, errno,
                                   "cannot write at offset %" G_GUINT64_FORMAT, offset);
        bytes += wrote;
        length -= (size_t)wrote;
        offset += (guint64)wrote;
    }
    return true;
}

/* A hole, on a target that may hold old data. */
static bool
write_zeros(Receiver *receiver, guint64 from, guint64 to)
{
    static const guint8 zeros[65536];
    guint64 range[2] = {from, to - from};

    if (receiver->zeroed || from >= to)
        return true;
    if (receiver->block && from % 512 == 0 && to % 512 == 0 &&
        ioctl(receiver->fd, BLKZEROOUT, range) == 0)
        return true;
    for (; from < to; from += MIN(sizeof zeros, to - from))
        if (!cancel_check(receiver->error) ||
            !write_at(receiver, zeros, (size_t)MIN(sizeof zeros, to - from), from))
            return false;
    return true;
}

static guint64
chunks(guint64 bytes)
{
    return (bytes + DIGEST_CHUNK - 1) / DIGEST_CHUNK;
}

/* Hashes the chunk at work and what was left out between it and chunk `next`. */
static void
finish_chunks(Receiver *receiver, guint64 next)
{
    if (receiver->filled) {
        guint64 base = receiver->index * DIGEST_CHUNK;
        digest_chunk(receiver->digest, receiver->chunk,
                     (size_t)MIN(DIGEST_CHUNK, receiver->size - base));
        receiver->index++;
        receiver->filled = false;
    }
    digest_zeros(receiver->digest, next - receiver->index);
    receiver->index = next;
}

static void
take_into_chunk(Receiver *receiver, const guint8 *bytes, size_t length, guint64 offset)
{
    guint64 index = offset / DIGEST_CHUNK;

    if (!receiver->filled || index != receiver->index) {
        finish_chunks(receiver, index);
        memset(receiver->chunk, 0, DIGEST_CHUNK);
        receiver->filled = true;
    }
    memcpy(receiver->chunk + offset % DIGEST_CHUNK, bytes, length);
}

static bool
receive_data(Receiver *receiver, const Frame *frame)
{
    guint64 offset;
    size_t length = frame->length - sizeof offset;
    const guint8 *bytes = frame->payload + sizeof offset;

    memcpy(&offset, frame->payload, sizeof offset);
    offset = GUINT64_FROM_LE(offset);
    if (receiver->fd < 0 || offset < receiver->position || offset > receiver->size ||
        length > receiver->size - offset ||
        offset / DIGEST_CHUNK != (offset + length - 1) / DIGEST_CHUNK)
        return broken(receiver, "data where none belongs");

    if (!write_zeros(receiver, receiver->position, offset) ||
        !write_at(receiver, bytes, length, offset))
        return false;
    take_into_chunk(receiver, bytes, length, offset);
    receiver->position = offset + length;
    receiver->result->data += length;
    if (receiver->position - receiver->flushed >= FLUSH) { /* else the last flush takes minutes */
        sync_file_range(receiver->fd, (off_t)receiver->flushed,
                        (off_t)(receiver->position - receiver->flushed), SYNC_FILE_RANGE_WRITE);
        receiver->flushed = receiver->position;
    }
    return true;
}

static void
close_file(Receiver *receiver)
{
    if (receiver->fd >= 0)
        close(receiver->fd);
    receiver->fd = -1;
    g_clear_pointer(&receiver->digest, digest_free);
}

static bool
end_file(Receiver *receiver, const Frame *frame)
{
    guint8 digest[DIGEST_LENGTH];

    if (receiver->fd < 0 || frame->length != DIGEST_LENGTH)
        return broken(receiver, "an end without a file");
    if (!write_zeros(receiver, receiver->position, receiver->size))
        return false;
    finish_chunks(receiver, chunks(receiver->size));
    digest_end(receiver->digest, receiver->size, digest);
    if (memcmp(digest, frame->payload, DIGEST_LENGTH)) {
        g_autofree char *was = digest_text(frame->payload);
        g_autofree char *is = digest_text(digest);
        return set_error(receiver->error, ONEVOL_ERROR_CORRUPT,
                         "the data changed on its way: its digest is %s, not %s", is, was);
    }
    if (fsync(receiver->fd))
        return set_error_errno(receiver->error, errno, "cannot flush '%s'", receiver->target->path);
    digest_chunk(receiver->total, digest, sizeof digest);
    receiver->result->size += receiver->size;
    close_file(receiver);
    return true;
}

static bool
is_entry_name(const char *name)
{
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);

    for (char **part = parts; *part; part++)
        if (!**part || !strcmp(*part, ".") || !strcmp(*part, ".."))
            return false;
    return *name != '\0';
}

/* The directory of an entry, step by step from the root and through no link; -1 on failure. */
static int
open_parent(Receiver *receiver, const char *name, const char **last)
{
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);
    int at = dup(receiver->root);

    for (char **part = parts; at >= 0 && part[1]; part++) {
        int next = openat(at, *part, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int number = errno;
        close(at);
        errno = number;
        at = next;
    }
    const char *slash = strrchr(name, '/');
    *last = slash ? slash + 1 : name;
    if (at < 0)
        set_error_errno(receiver->error, errno, "cannot open the directory of '%s'", name);
    return at;
}

static bool
begin_content(Receiver *receiver, int fd, guint64 size, const char *name)
{
    struct stat info;

    receiver->fd = fd;
    if (fd < 0 || fstat(fd, &info))
        return set_error_errno(receiver->error, errno, "cannot make '%s'",
                               *name ? name : receiver->target->path);
    receiver->block = S_ISBLK(info.st_mode);
    receiver->zeroed = !receiver->block || receiver->target->zeroed;
    receiver->size = size;
    receiver->position = receiver->flushed = receiver->index = 0;
    receiver->filled = false;
    receiver->digest = digest_new();
    if (receiver->block) {
        off_t room = lseek(fd, 0, SEEK_END);
        if (room < 0 || (guint64)room < size)
            return set_error(receiver->error, ONEVOL_ERROR_NO_SPACE,
                             "'%s' has %" G_GINT64_FORMAT " bytes, the content %" G_GUINT64_FORMAT,
                             receiver->target->path, (gint64)room, size);
        return true;
    }
    if (ftruncate(fd, 0) || ftruncate(fd, (off_t)size))
        return set_error_errno(receiver->error, errno, "cannot set the size of '%s'",
                               receiver->target->path);
    return true;
}

/* The thing itself: a file or device at the target's path, or the directory of a tree. */
static bool
begin_root(Receiver *receiver, guint32 mode, guint64 size)
{
    const char *path = receiver->target->path;

    if (S_ISREG(mode))
        return begin_content(receiver, open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666),
                             size, "");
    if (!S_ISDIR(mode) || !receiver->target->tree)
        return broken(receiver, "a tree where a file was asked for");
    if (mkdir(path, (mode & 07777) | 0700))
        return set_error_errno(receiver->error, errno, "cannot make directory '%s'", path);
    receiver->root = open(path, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (receiver->root < 0 || fchmod(receiver->root, (mode & 07777) | 0700))
        return set_error_errno(receiver->error, errno, "cannot open directory '%s'", path);
    return true;
}

static bool
begin_below(Receiver *receiver, const char *name, guint32 mode, guint64 size, const char *link)
{
    const char *last;

    if (receiver->root < 0 || !is_entry_name(name))
        return broken(receiver, "a name that leads elsewhere");
    int parent = open_parent(receiver, name, &last);
    if (parent < 0)
        return false;

    bool done = true;
    if (S_ISREG(mode)) {
        int fd = openat(parent, last, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        done = begin_content(receiver, fd, size, name) &&
               (fchmod(fd, mode & 07777) == 0 ||
                set_error_errno(receiver->error, errno, "cannot set the mode of '%s'", name));
    } else if (S_ISLNK(mode) ? symlinkat(link, parent, last)
                             : mkdirat(parent, last, (mode & 07777) | 0700)) {
        done = set_error_errno(receiver->error, errno, "cannot make '%s'", name);
    }
    close(parent);
    return done;
}

static bool
begin_entry(Receiver *receiver, const Frame *frame)
{
    g_autoptr(GVariant) entry =
        message_unpack(frame->payload, frame->length, "(ayutay)", receiver->error);
    const char *name, *link;
    guint32 mode;
    guint64 size;

    if (!entry)
        return false;
    g_variant_get(entry, "(^&ayut^&ay)", &name, &mode, &size, &link);
    if (receiver->fd >= 0 || size > SIZE_LIMIT ||
        !(S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)))
        return broken(receiver, "an entry that cannot be");
    return *name ? begin_below(receiver, name, mode, size, link) : begin_root(receiver, mode, size);
}

static bool
end_stream(Receiver *receiver, const Frame *frame)
{
    if (receiver->fd >= 0 || frame->length != DIGEST_LENGTH)
        return broken(receiver, "it ended inside a file");
    digest_end(receiver->total, receiver->result->size, receiver->result->digest);
    if (memcmp(receiver->result->digest, frame->payload, DIGEST_LENGTH))
        return broken(receiver, "its last digest differs");
    if (receiver->root >= 0 && fsync(receiver->root) && errno != EINVAL)
        return set_error_errno(receiver->error, errno, "cannot flush '%s'", receiver->target->path);
    return true;
}

static bool
receive_all(Receiver *receiver)
{
    Frame frame;

    for (;;) {
        if (!cancel_check(receiver->error) ||
            !link_read_frame(receiver->in, &frame, receiver->buffer, receiver->error))
            return false;
        if (frame.type == FRAME_END && frame.flags & FRAME_LAST)
            return end_stream(receiver, &frame);
        if (!(frame.type == FRAME_ENTRY  ? begin_entry(receiver, &frame)
              : frame.type == FRAME_DATA ? receive_data(receiver, &frame)
              : frame.type == FRAME_END  ? end_file(receiver, &frame)
                                         : broken(receiver, "a frame of another kind")))
            return false;
    }
}

bool
stream_receive(const StreamLink *in, const StreamTarget *target, StreamResult *result,
               GError **error)
{
    g_autoptr(Digest) total = digest_new();
    g_autofree guint8 *buffer = g_malloc(FRAME_LIMIT);
    g_autofree guint8 *chunk = g_malloc(DIGEST_CHUNK);
    Receiver receiver = {.in = in,
                         .target = target,
                         .root = -1,
                         .total = total,
                         .buffer = buffer,
                         .result = result,
                         .error = error,
                         .fd = -1,
                         .chunk = chunk};

    *result = (StreamResult){0};
    bool done = receive_all(&receiver);
    close_file(&receiver);
    if (receiver.root >= 0)
        close(receiver.root);
    if (!done)
        g_prefix_error(error, "cannot receive '%s': ", target->path);
    return done;
}
