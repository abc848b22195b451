// SPDX-License-Identifier: Apache-2.0
/*
 * The receiver trusts nothing in the stream: names stay below the target, offsets inside the
 * announced size and in order, and links that came are never followed.
 *
 * The caller's thread reads frames; another unpacks, hashes and writes them, so that the
 * connection goes on while the storage works.
 */
#include "base/command.h"
#include "base/error.h"
#include "base/progress.h"
#include "mover/link.h"
#include "mover/pack.h"
#include "mover/queue.h"
#include "mover/reader.h"
#include "mover/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_LIMIT (1ull << 50) /* of one file: more is a wrong number */

typedef struct Receiver {
    const StreamTarget *target;
    Queue *queue;
    int root; /* of a tree, else -1 */
    Digest *total;
    Unpacker *unpacker;
    StreamResult *result;
    GError *error;
    bool done; /* the end came and was right */

    /* the file at work */
    Writer *writer;
    guint64 size, position; /* all before `position` came */
    guint8 *chunk;          /* CHUNK_SIZE aligned bytes of the chunk `index` */
    guint64 index;
    bool filled; /* something of it came */
    Digest *digest;
} Receiver;

static bool
broken(Receiver *receiver, const char *what)
{
    return set_error(&receiver->error, ONEVOL_ERROR_CORRUPT, "the stream is broken: %s", what);
}

static guint64
chunks(guint64 bytes)
{
    return (bytes + CHUNK_SIZE - 1) / CHUNK_SIZE;
}

/* Writes and hashes the chunk at work, and hashes what was left out from there to chunk `next`. */
static bool
finish_chunks(Receiver *receiver, guint64 next)
{
    if (receiver->filled) {
        guint64 base = receiver->index * CHUNK_SIZE;
        size_t length = (size_t)MIN(CHUNK_SIZE, receiver->size - base);
        digest_chunk(receiver->digest, receiver->chunk, length);
        if (!writer_data(receiver->writer, receiver->chunk, length, base, &receiver->error))
            return false;
        progress_add(length);
        receiver->index++;
        receiver->filled = false;
    }
    if (next > receiver->index) {
        digest_zeros(receiver->digest, next - receiver->index);
        progress_add((next - receiver->index) * CHUNK_SIZE);
    }
    receiver->index = next;
    return true;
}

static bool
take_into_chunk(Receiver *receiver, const guint8 *bytes, size_t length, guint64 offset)
{
    guint64 index = offset / CHUNK_SIZE;

    if (!receiver->filled || index != receiver->index) {
        if (!finish_chunks(receiver, index))
            return false;
        if (length < CHUNK_SIZE)
            memset(receiver->chunk, 0, CHUNK_SIZE);
        receiver->filled = true;
    }
    memcpy(receiver->chunk + offset % CHUNK_SIZE, bytes, length);
    return true;
}

static guint64
count_data(const guint8 *bytes, size_t length)
{
    const size_t block = 4096;
    guint64 data = 0;

    for (size_t at = 0; at < length; at += block)
        if (!is_zero(bytes + at, MIN(block, length - at)))
            data += MIN(block, length - at);
    return data;
}

static bool
receive_data(Receiver *receiver, const Piece *piece)
{
    guint64 offset, limit = MIN(receiver->size, SIZE_LIMIT);
    const guint8 *bytes;
    size_t length;

    if (!unpack(receiver->unpacker, (FrameType)piece->type, piece->bytes, piece->length, &offset,
                &bytes, &length, &receiver->error))
        return false;
    if (!receiver->writer || offset < receiver->position || offset > limit ||
        length > limit - offset || offset / CHUNK_SIZE != (offset + length - 1) / CHUNK_SIZE)
        return broken(receiver, "data where none belongs");

    receiver->position = offset + length;
    receiver->result->data += count_data(bytes, length);
    return take_into_chunk(receiver, bytes, length, offset);
}

static void
close_file(Receiver *receiver)
{
    g_clear_pointer(&receiver->writer, writer_free);
    g_clear_pointer(&receiver->digest, digest_free);
}

/* VERIFY=readback: what the medium says. Names may have changed, descriptors have not. */
static bool
read_back(Receiver *receiver, const guint8 digest[DIGEST_LENGTH])
{
    guint8 again[DIGEST_LENGTH];

    if (!receiver->target->options || !receiver->target->options->readback)
        return true;
    return digest_readback(writer_fd(receiver->writer), receiver->size, again, &receiver->error) &&
           digest_compare(again, digest, "the storage gives back other data than was written",
                          &receiver->error);
}

static bool
end_file(Receiver *receiver, const Piece *piece)
{
    guint8 digest[DIGEST_LENGTH];
    guint64 size;

    if (!receiver->writer || piece->length != STREAM_END_LENGTH)
        return broken(receiver, "an end without a file");
    memcpy(&size, piece->bytes + DIGEST_LENGTH, sizeof size);
    size = GUINT64_FROM_LE(size);
    if (size > SIZE_LIMIT || size < receiver->position ||
        (receiver->size != STREAM_SIZE_UNKNOWN && receiver->size != size))
        return broken(receiver, "a size that cannot be");
    receiver->size = size;
    if (!finish_chunks(receiver, chunks(size)))
        return false;
    digest_end(receiver->digest, size, digest);
    if (!digest_compare(digest, piece->bytes, "the data changed on its way", &receiver->error) ||
        !writer_end(receiver->writer, size, &receiver->error) || !read_back(receiver, digest))
        return false;
    digest_chunk(receiver->total, digest, sizeof digest);
    receiver->result->size += size;
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
        set_error_errno(&receiver->error, errno, "cannot open the directory of '%s'", name);
    return at;
}

static bool
begin_content(Receiver *receiver, Writer *writer, guint64 size)
{
    receiver->writer = writer;
    if (!writer)
        return false;
    receiver->size = size;
    receiver->position = receiver->index = 0;
    receiver->filled = false;
    receiver->digest = digest_new();
    if (size == STREAM_SIZE_UNKNOWN)
        return true;
    progress_expect(size);
    return writer_expect(writer, size, &receiver->error);
}

/* The thing itself: a file or device at the target's path, or the directory of a tree. */
static bool
begin_root(Receiver *receiver, guint32 mode, guint64 size)
{
    const char *path = receiver->target->path;

    if (S_ISREG(mode))
        return begin_content(receiver,
                             writer_open(path, receiver->target->options, &receiver->error), size);
    if (!S_ISDIR(mode) || !receiver->target->tree)
        return broken(receiver, "a tree where a file was asked for");
    if (mkdir(path, (mode & 07777) | 0700))
        return set_error_errno(&receiver->error, errno, "cannot make directory '%s'", path);
    receiver->root = open(path, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (receiver->root < 0 || fchmod(receiver->root, (mode & 07777) | 0700))
        return set_error_errno(&receiver->error, errno, "cannot open directory '%s'", path);
    return true;
}

static bool
begin_file_below(Receiver *receiver, int parent, const char *last, const char *name, guint32 mode,
                 guint64 size)
{
    int fd = openat(parent, last, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return set_error_errno(&receiver->error, errno, "cannot make '%s'", name);
    return begin_content(receiver, writer_of_file(fd, name), size) &&
           (fchmod(fd, mode & 07777) == 0 ||
            set_error_errno(&receiver->error, errno, "cannot set the mode of '%s'", name));
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
    if (S_ISREG(mode))
        done = begin_file_below(receiver, parent, last, name, mode, size);
    else if (S_ISLNK(mode) ? symlinkat(link, parent, last)
                           : mkdirat(parent, last, (mode & 07777) | 0700))
        done = set_error_errno(&receiver->error, errno, "cannot make '%s'", name);
    close(parent);
    return done;
}

static bool
begin_entry(Receiver *receiver, const Piece *piece)
{
    g_autoptr(GVariant) entry =
        message_unpack(piece->bytes, piece->length, "(ayutay)", &receiver->error);
    const char *name, *link;
    guint32 mode;
    guint64 size;

    if (!entry)
        return false;
    g_variant_get(entry, "(^&ayut^&ay)", &name, &mode, &size, &link);
    if (receiver->writer || (size > SIZE_LIMIT && size != STREAM_SIZE_UNKNOWN) ||
        !(S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)))
        return broken(receiver, "an entry that cannot be");
    return *name ? begin_below(receiver, name, mode, size, link) : begin_root(receiver, mode, size);
}

static bool
end_stream(Receiver *receiver, const Piece *piece)
{
    if (receiver->writer || piece->length != DIGEST_LENGTH)
        return broken(receiver, "it ended inside a file");
    digest_end(receiver->total, receiver->result->size, receiver->result->digest);
    if (memcmp(receiver->result->digest, piece->bytes, DIGEST_LENGTH))
        return broken(receiver, "its last digest differs");
    if (receiver->root >= 0 && fsync(receiver->root) && errno != EINVAL)
        return set_error_errno(&receiver->error, errno, "cannot flush '%s'",
                               receiver->target->path);
    receiver->done = true;
    return true;
}

static bool
is_last(const Piece *piece)
{
    return piece->type == FRAME_END && piece->flags & FRAME_LAST;
}

static bool
apply(Receiver *receiver, const Piece *piece)
{
    if (!cancel_check(&receiver->error))
        return false;
    switch ((int)piece->type) {
    case FRAME_ENTRY:
        return begin_entry(receiver, piece);
    case FRAME_DATA:
    case FRAME_PACKED:
        return receive_data(receiver, piece);
    case FRAME_END:
        return is_last(piece) ? end_stream(receiver, piece) : end_file(receiver, piece);
    default:
        return broken(receiver, "a frame of another kind");
    }
}

static gpointer
apply_all(gpointer data)
{
    Receiver *receiver = data;
    QueueState state;
    Piece *piece;

    do {
        bool good = true;
        state = queue_pop(receiver->queue, 1000, &piece);
        if (state == QUEUE_PIECE)
            good = apply(receiver, piece);
        g_free(piece);
        if (!good)
            break;
    } while (state != QUEUE_ENDED);
    queue_stop(receiver->queue);
    return NULL;
}

/* Until the stream's end, or until who writes has failed. False: reading did. */
static bool
read_all(Receiver *receiver, const StreamLink *in, GError **error)
{
    g_autoptr(LinkReader) reader = link_reader_new(in);
    bool last = false, done = true;

    while (!last && done) {
        Piece *piece = link_next_frame(reader, error);
        if (!piece) {
            done = false;
            break;
        }
        receiver->result->sent += FRAME_HEADER + piece->length;
        last = is_last(piece);
        if (!queue_push(receiver->queue, piece))
            break;
    }
    queue_end(receiver->queue);
    return done;
}

static bool
run(Receiver *receiver, const StreamLink *in, GError **error)
{
    g_autoptr(GError) local = NULL;
    GThread *thread = g_thread_new("writer", apply_all, receiver);
    bool read = read_all(receiver, in, &local);

    g_thread_join(thread);
    if (read && receiver->done)
        return true;
    /* what came before the connection broke may have been wrong already */
    GError **cause = receiver->error ? &receiver->error : &local;
    g_propagate_error(error, g_steal_pointer(cause));
    g_clear_error(&receiver->error);
    g_prefix_error(error, "cannot receive '%s': ", receiver->target->path);
    return false;
}

bool
stream_receive(const StreamLink *in, const StreamTarget *target, StreamResult *result,
               GError **error)
{
    g_autoptr(Queue) queue = queue_new(STREAM_QUEUE);
    g_autoptr(Digest) total = digest_new();
    g_autoptr(Unpacker) unpacker = unpacker_new();
    Receiver receiver = {.target = target,
                         .queue = queue,
                         .root = -1,
                         .total = total,
                         .unpacker = unpacker,
                         .result = result,
                         .chunk = aligned_alloc(4096, CHUNK_SIZE)};

    *result = (StreamResult){0};
    bool done = run(&receiver, in, error);
    close_file(&receiver);
    if (receiver.root >= 0)
        close(receiver.root);
    free(receiver.chunk);
    return done;
}
