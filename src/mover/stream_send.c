// SPDX-License-Identifier: Apache-2.0
#include "base/command.h"
#include "base/error.h"
#include "base/fd.h"
#include "mover/copy.h"
#include "mover/link.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096u
#define RUN (FRAME_LIMIT / 2) /* longest piece in one frame */

typedef struct Sender {
    const StreamLink *out;
    const char *root;
    guint8 *chunk; /* DIGEST_CHUNK bytes */
    Digest *total; /* over the digests of the files */
    StreamResult *result;
    GError **error;
} Sender;

static bool
send_entry(Sender *sender, const char *path, guint32 mode, guint64 size, const char *link)
{
    g_autoptr(GBytes) bytes = message_pack(g_variant_new("(^ayut^ay)", path, mode, size, link));

    if (g_bytes_get_size(bytes) > FRAME_LIMIT)
        return set_error(sender->error, ONEVOL_ERROR_UNSUPPORTED, "the name '%s' is too long",
                         path);
    return link_send_frame(sender->out, FRAME_ENTRY, 0, g_bytes_get_data(bytes, NULL),
                           g_bytes_get_size(bytes), NULL, 0, sender->error);
}

static bool
send_run(Sender *sender, guint64 base, size_t start, size_t end)
{
    while (start < end) {
        size_t length = MIN(end - start, RUN);
        guint64 offset = GUINT64_TO_LE(base + start);

        if (!link_send_frame(sender->out, FRAME_DATA, 0, &offset, sizeof offset,
                             sender->chunk + start, length, sender->error))
            return false;
        sender->result->data += length;
        start += length;
    }
    return true;
}

/* What is not zero in the chunk, neighbours together. */
static bool
send_chunk(Sender *sender, guint64 base, size_t length)
{
    size_t start = 0;

    for (size_t position = 0; position < length; position += BLOCK) {
        size_t block = MIN(BLOCK, length - position);
        if (!is_zero(sender->chunk + position, block))
            continue;
        if (!send_run(sender, base, start, position))
            return false;
        start = position + block;
    }
    return start >= length || send_run(sender, base, start, length);
}

static bool
read_chunk(Sender *sender, int fd, guint64 base, size_t length)
{
    for (size_t got = 0; got < length;) {
        ssize_t some = pread(fd, sender->chunk + got, length - got, (off_t)(base + got));
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return set_error_errno(sender->error, errno, "cannot read at offset %" G_GUINT64_FORMAT,
                                   base + got);
        if (some == 0)
            return set_error(sender->error, ONEVOL_ERROR_CORRUPT,
                             "the source shrank while it was read");
        got += (size_t)some;
    }
    return true;
}

/* The chunk in which data goes on at or behind `base`; `size` if only holes are left. */
static guint64
next_chunk(int fd, guint64 base, guint64 size)
{
    off_t data = lseek(fd, (off_t)base, SEEK_DATA);

    if (data < 0)
        return errno == ENXIO ? size : base; /* EINVAL: no holes known here, all is data */
    return (guint64)data / DIGEST_CHUNK * DIGEST_CHUNK;
}

static bool
send_content(Sender *sender, int fd, guint64 size)
{
    g_autoptr(Digest) digest = digest_new();
    guint8 result[DIGEST_LENGTH];

    for (guint64 base = 0; base < size;) {
        guint64 next = next_chunk(fd, base, size);
        digest_zeros(digest, (next - base + DIGEST_CHUNK - 1) / DIGEST_CHUNK);
        base = next;
        if (base >= size)
            break;
        size_t length = (size_t)MIN(DIGEST_CHUNK, size - base);
        if (!cancel_check(sender->error) || !read_chunk(sender, fd, base, length) ||
            !send_chunk(sender, base, length))
            return false;
        digest_chunk(digest, sender->chunk, length);
        base += length;
    }
    digest_end(digest, size, result);
    digest_chunk(sender->total, result, sizeof result);
    sender->result->size += size;
    return link_send_frame(sender->out, FRAME_END, 0, result, sizeof result, NULL, 0,
                           sender->error);
}

/* `name` is relative to what was asked for, "" for itself. */
static bool
send_file(Sender *sender, const char *path, const char *name)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat before, after;

    if (fd < 0 || fstat(fd, &before))
        return set_error_errno(sender->error, errno, "cannot open '%s'", path);
    if (!S_ISREG(before.st_mode) && !S_ISBLK(before.st_mode))
        return set_error(sender->error, ONEVOL_ERROR_REFUSED,
                         "'%s' is neither a file nor a block device", path);
    off_t size = lseek(fd, 0, SEEK_END); /* a device's too */
    if (size < 0)
        return set_error_errno(sender->error, errno, "cannot find the size of '%s'", path);

    if (!send_entry(sender, name, S_IFREG | (before.st_mode & 07777), (guint64)size, "") ||
        !send_content(sender, fd, (guint64)size)) {
        g_prefix_error(sender->error, "cannot send '%s': ", path);
        return false;
    }
    if (fstat(fd, &after) || after.st_size != before.st_size)
        return set_error(sender->error, ONEVOL_ERROR_CORRUPT,
                         "'%s' changed its size while it was sent", path);
    return true;
}

/* nftw() has no argument for its function; one tree at a time. */
static _Thread_local Sender *walker;

static int
walk(const char *path, const struct stat *info, G_GNUC_UNUSED int type,
     G_GNUC_UNUSED struct FTW *place)
{
    const char *name = path + strlen(walker->root);
    char target[PATH_MAX] = "";

    name += strspn(name, "/");
    if (!cancel_check(walker->error))
        return 1;
    if (S_ISREG(info->st_mode))
        return !send_file(walker, path, name);
    if (!S_ISDIR(info->st_mode) && !S_ISLNK(info->st_mode))
        return 0; /* sockets and pipes belong to processes that are gone */
    if (S_ISLNK(info->st_mode)) {
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0)
            return !set_error_errno(walker->error, errno, "cannot read link '%s'", path);
        target[length] = '\0';
    }
    return !send_entry(walker, name, info->st_mode, 0, target);
}

static bool
send_tree(Sender *sender)
{
    walker = sender;
    if (nftw(sender->root, walk, 16, FTW_PHYS | FTW_MOUNT) == 0)
        return true;
    return sender->error && *sender->error
               ? false
               : set_error_errno(sender->error, errno, "cannot walk '%s'", sender->root);
}

bool
stream_send(const StreamLink *out, const char *path, bool tree, StreamResult *result,
            GError **error)
{
    g_autoptr(Digest) total = digest_new();
    g_autofree guint8 *chunk = g_malloc(DIGEST_CHUNK);
    Sender sender = {
        .out = out, .root = path, .chunk = chunk, .total = total, .result = result, .error = error};

    *result = (StreamResult){0};
    if (!(tree ? send_tree(&sender) : send_file(&sender, path, "")))
        return false;
    digest_end(total, result->size, result->digest);
    return link_send_frame(out, FRAME_END, FRAME_LAST, result->digest, DIGEST_LENGTH, NULL, 0,
                           error);
}
