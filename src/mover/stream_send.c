// SPDX-License-Identifier: Apache-2.0
/*
 * Two threads besides the reader's own: one packs what comes from it into frames, the caller's
 * writes them to the connection, at the pace that is allowed.
 */
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "mover/link.h"
#include "mover/pace.h"
#include "mover/pack.h"
#include "mover/queue.h"
#include "mover/reader.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 200
#define MODE_OF_BYTES (S_IFREG | 0644)

typedef struct Sender {
    const StreamSource *source;
    Queue *queue;
    Packer *packer;
    Digest *total; /* over the digests of the files */
    StreamResult *result;
    GError *error; /* of the thread that packs */
    bool done;
} Sender;

/* False once the one who writes has had enough; that is for him to explain. */
static bool
queue_frame(Sender *sender, FrameType type, unsigned flags, const void *bytes, size_t length)
{
    Piece *piece = piece_new(FRAME_HEADER + length);

    frame_header(piece->bytes, type, flags, 0, (guint32)length);
    memcpy(piece->bytes + FRAME_HEADER, bytes, length);
    piece->length = FRAME_HEADER + length;
    return queue_push(sender->queue, piece);
}

static bool
send_entry(Sender *sender, const char *path, guint32 mode, guint64 size, const char *link)
{
    g_autoptr(GBytes) bytes = message_pack(g_variant_new("(^ayut^ay)", path, mode, size, link));

    if (g_bytes_get_size(bytes) > FRAME_LIMIT)
        return set_error(&sender->error, ONEVOL_ERROR_UNSUPPORTED, "the name '%s' is too long",
                         path);
    return queue_frame(sender, FRAME_ENTRY, 0, g_bytes_get_data(bytes, NULL),
                       g_bytes_get_size(bytes));
}

static bool
send_chunk(Sender *sender, const Chunk *chunk)
{
    gint64 full, empty;
    Piece *piece = packer_chunk(sender->packer, chunk->bytes, chunk->length, chunk->offset);

    sender->result->data += piece->content;
    piece->content = chunk->length;
    if (!queue_push(sender->queue, piece))
        return false;
    queue_waits(sender->queue, &full, &empty);
    packer_adapt(sender->packer, full, empty, g_get_monotonic_time());
    return true;
}

static bool
send_end(Sender *sender, Digest *digest, guint64 size)
{
    guint8 payload[STREAM_END_LENGTH];
    guint64 number = GUINT64_TO_LE(size);

    digest_end(digest, size, payload);
    memcpy(payload + DIGEST_LENGTH, &number, sizeof number);
    digest_chunk(sender->total, payload, DIGEST_LENGTH);
    sender->result->size += size;
    return queue_frame(sender, FRAME_END, 0, payload, sizeof payload);
}

static bool
send_content(Sender *sender, Reader *reader)
{
    g_autoptr(Digest) digest = digest_new();
    guint64 size = 0;
    Chunk chunk;

    for (;;) {
        if (!reader_next(reader, &chunk, &sender->error))
            return false;
        if (chunk.length == 0)
            break;
        size = chunk.offset + chunk.length;
        if (!chunk.bytes) {
            digest_zeros(digest, (chunk.length + DIGEST_CHUNK - 1) / DIGEST_CHUNK);
            progress_add(chunk.length);
            continue;
        }
        if (!send_chunk(sender, &chunk))
            return false;
        digest_chunk(digest, chunk.bytes, chunk.length);
    }
    return reader_unchanged(reader, &sender->error) && send_end(sender, digest, size);
}

/* `name` is relative to what was asked for, "" for itself. */
static bool
send_file(Sender *sender, const char *path, const char *name)
{
    g_autoptr(Reader) reader = reader_open(path, &sender->error);

    if (!reader || !reader_limit(reader, sender->source->length, &sender->error))
        return false;
    guint64 size = reader_size(reader);
    progress_expect(size);
    if (send_entry(sender, name, S_IFREG | (reader_mode(reader) & 07777), size, "") &&
        send_content(sender, reader))
        return true;
    if (sender->error)
        g_prefix_error(&sender->error, "cannot send '%s': ", path);
    return false;
}

static bool
send_bytes(Sender *sender, const ByteSource *source)
{
    g_autoptr(Reader) reader = reader_of_bytes(source);

    progress_expect(source->size);
    return send_entry(sender, "", MODE_OF_BYTES, STREAM_SIZE_UNKNOWN, "") &&
           send_content(sender, reader);
}

/* nftw() has no argument for its function; one tree at a time. */
static _Thread_local Sender *walker;

static int
walk(const char *path, const struct stat *info, G_GNUC_UNUSED int type,
     G_GNUC_UNUSED struct FTW *place)
{
    const char *name = path + strlen(walker->source->path);
    char target[PATH_MAX] = "";

    name += strspn(name, "/");
    if (!cancel_check(&walker->error))
        return 1;
    if (S_ISREG(info->st_mode))
        return !send_file(walker, path, name);
    if (!S_ISDIR(info->st_mode) && !S_ISLNK(info->st_mode))
        return 0; /* sockets and pipes belong to processes that are gone */
    if (S_ISLNK(info->st_mode)) {
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0)
            return !set_error_errno(&walker->error, errno, "cannot read link '%s'", path);
        target[length] = '\0';
    }
    return !send_entry(walker, name, info->st_mode, 0, target);
}

static bool
send_tree(Sender *sender)
{
    int failed;

    walker = sender;
    errno = 0;
    failed = nftw(sender->source->path, walk, 16, FTW_PHYS | FTW_MOUNT);
    if (failed < 0 && !sender->error)
        set_error_errno(&sender->error, errno, "cannot walk '%s'", sender->source->path);
    return failed == 0;
}

static gpointer
pack_all(gpointer data)
{
    Sender *sender = data;
    const StreamSource *source = sender->source;

    sender->done = source->bytes  ? send_bytes(sender, source->bytes)
                   : source->tree ? send_tree(sender)
                                  : send_file(sender, source->path, "");
    queue_end(sender->queue);
    return NULL;
}

/* Waiting is no sign of life: cancel_check() is asked only when it has something to say. */
static bool
is_wanted(const StreamLink *link, GError **error)
{
    if (cancel_requested())
        return cancel_check(error);
    return !link->stop || link->stop(link->data, error);
}

static bool
rest(const StreamLink *link, gint64 wait, GError **error)
{
    for (; wait > 0; wait -= LOOK_MS * 1000) {
        if (!cancel_check(error) || !is_wanted(link, error))
            return false;
        g_usleep((gulong)MIN(wait, LOOK_MS * 1000));
    }
    return true;
}

static bool
write_piece(const StreamLink *out, Pace *pace, Piece *piece, GError **error)
{
    for (size_t written = 0; written < piece->length;) {
        size_t slice = pace_slice(pace, piece->length - written);
        struct iovec bytes = {piece->bytes + written, slice};
        if (!rest(out, pace_take(pace, slice, g_get_monotonic_time()), error) ||
            !link_write(out, &bytes, 1, error))
            return false;
        written += slice;
    }
    progress_add(piece->content);
    return cancel_check(error);
}

/* Until the packer is done. What it has to say comes before what the connection says. */
static bool
write_all(Sender *sender, const StreamLink *out, GError **error)
{
    Pace pace = {.rate = sender->source->rate};
    Piece *piece;

    for (;;) {
        switch (queue_pop(sender->queue, LOOK_MS, &piece)) {
        case QUEUE_ENDED:
            return true;
        case QUEUE_EMPTY:
            if (!is_wanted(out, error))
                return false;
            break;
        case QUEUE_PIECE:
            sender->result->sent += piece->length;
            bool done = write_piece(out, &pace, piece, error);
            g_free(piece);
            if (!done)
                return false;
            break;
        }
    }
}

bool
stream_send(const StreamLink *out, const StreamSource *source, StreamResult *result, GError **error)
{
    g_autoptr(Queue) queue = queue_new(STREAM_QUEUE);
    g_autoptr(Packer) packer = packer_new();
    g_autoptr(Digest) total = digest_new();
    Sender sender = {
        .source = source, .queue = queue, .packer = packer, .total = total, .result = result};

    *result = (StreamResult){0};
    link_widen(out);
    GThread *thread = g_thread_new("packer", pack_all, &sender);
    bool written = write_all(&sender, out, error);
    queue_stop(queue);
    g_thread_join(thread);
    if (written && !sender.done) {
        g_propagate_error(error, g_steal_pointer(&sender.error));
        return false;
    }
    g_clear_error(&sender.error);
    if (!written)
        return false;
    log_debug("packed at zstd level %d at last", packer_level(packer));
    digest_end(total, result->size, result->digest);
    return link_send_frame(out, FRAME_END, FRAME_LAST, result->digest, DIGEST_LENGTH, NULL, 0,
                           error);
}
