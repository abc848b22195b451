// SPDX-License-Identifier: Apache-2.0
#include "mover/reader.h"

#include "base/command.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 4u /* chunks read ahead: what a reader costs in MiB */
#define LOOK_US 200000

typedef struct Slot {
    guint8 *bytes;
    Chunk chunk;
} Slot;

struct Reader {
    const ByteSource *source; /* or */
    int fd;
    struct stat info;
    bool is_device;
    guint64 size;
    guint64 device_size; /* may be more */
    bool use_fiemap;     /* SEEK_DATA knows no holes here, yet there are some */

    /* A ring of slots between the thread that fills them and the caller, who holds one. */
    GThread *thread;
    GMutex mutex;
    GCond changed;
    Slot slots[DEPTH];
    guint filled;    /* slots ready or held */
    guint next;      /* the one to take */
    bool held;       /* slots[next - 1] is the caller's */
    bool stop, done; /* by the caller; by the thread */
    GError *error;   /* of the thread */
};

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

static Reader *
reader_new(void)
{
    Reader *reader = g_new0(Reader, 1);

    reader->fd = -1;
    g_mutex_init(&reader->mutex);
    g_cond_init(&reader->changed);
    return reader;
}

/* Buffers are aligned as O_DIRECT wants it. */
static bool
open_device(Reader *reader, const char *path)
{
    int direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

    if (direct >= 0) {
        close(reader->fd);
        reader->fd = direct;
    }
    off_t size = lseek(reader->fd, 0, SEEK_END);
    reader->is_device = true;
    reader->size = reader->device_size = (guint64)size;
    return size >= 0;
}

/* A file system that knows no SEEK_DATA calls everything data. */
static bool
hides_holes(const Reader *reader)
{
    return (guint64)reader->info.st_blocks * 512 < reader->size &&
           lseek(reader->fd, 0, SEEK_HOLE) >= (off_t)reader->size;
}

Reader *
reader_open(const char *path, GError **error)
{
    g_autoptr(Reader) reader = reader_new();

    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0 || fstat(reader->fd, &reader->info)) {
        set_error_errno(error, errno, "cannot open '%s'", path);
        return NULL;
    }
    if (S_ISREG(reader->info.st_mode)) {
        reader->size = (guint64)reader->info.st_size;
        reader->use_fiemap = hides_holes(reader);
        posix_fadvise(reader->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    } else if (!S_ISBLK(reader->info.st_mode)) {
        set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is neither a regular file nor a block device",
                  path);
        return NULL;
    } else if (!open_device(reader, path)) {
        set_error_errno(error, errno, "cannot find the size of '%s'", path);
        return NULL;
    }
    return g_steal_pointer(&reader);
}

bool
reader_limit(Reader *reader, guint64 length, GError **error)
{
    if (length > reader->size)
        return set_error(error, ONEVOL_ERROR_CORRUPT,
                         "the source has only %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes",
                         reader->size, length);
    if (length > 0)
        reader->size = length;
    return true;
}

Reader *
reader_of_bytes(const ByteSource *source)
{
    Reader *reader = reader_new();

    reader->source = source;
    reader->size = source->size;
    return reader;
}

void
reader_free(Reader *reader)
{
    if (!reader)
        return;
    if (reader->thread) {
        g_mutex_lock(&reader->mutex);
        reader->stop = true;
        g_cond_broadcast(&reader->changed);
        g_mutex_unlock(&reader->mutex);
        g_thread_join(reader->thread);
    }
    for (guint i = 0; i < DEPTH; i++)
        free(reader->slots[i].bytes);
    if (reader->fd >= 0)
        close(reader->fd);
    g_clear_error(&reader->error);
    g_mutex_clear(&reader->mutex);
    g_cond_clear(&reader->changed);
    g_free(reader);
}

int
reader_fd(const Reader *reader)
{
    return reader->fd;
}

guint32
reader_mode(const Reader *reader)
{
    return reader->info.st_mode;
}

guint64
reader_size(const Reader *reader)
{
    return reader->size;
}

bool
reader_is_device(const Reader *reader)
{
    return reader->is_device;
}

/* The next extent that the file system's own map names. */
static bool
mapped_extent(const Reader *reader, guint64 position, guint64 *start, guint64 *end)
{
    union {
        struct fiemap map;
        guint8 bytes[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
    } request = {
        .map = {.fm_start = position,
                .fm_length = reader->size - position,
                .fm_flags = FIEMAP_FLAG_SYNC,
                .fm_extent_count = 1}
    };

    if (ioctl(reader->fd, FS_IOC_FIEMAP, &request.map))
        return false;
    if (request.map.fm_mapped_extents == 0) {
        *start = *end = reader->size;
        return true;
    }
    const struct fiemap_extent *extent = request.map.fm_extents;
    *start = MAX(extent->fe_logical, position);
    *end = MIN(extent->fe_logical + extent->fe_length, reader->size);
    return *start < *end;
}

void
reader_extent(Reader *reader, guint64 position, guint64 *start, guint64 *end)
{
    *start = position;
    *end = reader->size;
    if (reader->is_device || position >= reader->size)
        return;
    if (reader->use_fiemap) {
        reader->use_fiemap = mapped_extent(reader, position, start, end);
        if (!reader->use_fiemap) {
            *start = position;
            *end = reader->size;
        }
        return;
    }
    off_t data = lseek(reader->fd, (off_t)position, SEEK_DATA);
    if (data < 0) {
        if (errno == ENXIO) /* only a hole is left; else no SEEK_DATA here: all is data */
            *start = reader->size;
        return;
    }
    off_t hole = lseek(reader->fd, data, SEEK_HOLE);
    *start = MIN((guint64)data, reader->size);
    *end = hole < 0 ? reader->size : MIN((guint64)hole, reader->size);
}

static bool
read_at(const Reader *reader, guint8 *bytes, size_t length, guint64 offset, GError **error)
{
    for (size_t got = 0; got < length;) {
        ssize_t some = pread(reader->fd, bytes + got, length - got, (off_t)(offset + got));
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return set_error_errno(error, errno, "cannot read at offset %" G_GUINT64_FORMAT,
                                   offset + got);
        if (some == 0)
            return set_error(error, ONEVOL_ERROR_CORRUPT, "the source shrank while it was read");
        got += (size_t)some;
    }
    return true;
}

/* O_DIRECT takes whole blocks only, which the content may not end with. */
static size_t
length_to_read(const Reader *reader, const Chunk *chunk)
{
    guint64 end = (chunk->offset + chunk->length + 4095) / 4096 * 4096;

    return reader->is_device && chunk->length > 0
               ? (size_t)(MIN(end, reader->device_size) - chunk->offset)
               : (size_t)chunk->length;
}

/* From a file: the chunk that `position` is in, or the hole up to the chunk with the next data. */
static bool
fill_from_file(Reader *reader, guint64 position, guint64 *data_end, Slot *slot, GError **error)
{
    Chunk *chunk = &slot->chunk;

    *chunk = (Chunk){.offset = position};
    if (position >= *data_end && position < reader->size) {
        guint64 start;
        reader_extent(reader, position, &start, data_end);
        if (start < reader->size)
            start = start / CHUNK_SIZE * CHUNK_SIZE;
        if (start > position) {
            chunk->length = start - position;
            return true;
        }
    }
    chunk->length = MIN(CHUNK_SIZE, reader->size - position);
    chunk->bytes = slot->bytes;
    return read_at(reader, slot->bytes, length_to_read(reader, chunk), position, error);
}

static bool
fill_from_bytes(const ByteSource *source, guint64 position, Slot *slot, GError **error)
{
    size_t length = 0, got = 1;

    while (length < CHUNK_SIZE && got > 0) {
        if (!source->read(source->data, slot->bytes + length, CHUNK_SIZE - length, &got, error))
            return false;
        length += got;
        if (source->limit && position + length > source->limit)
            return set_error(error, ONEVOL_ERROR_REFUSED,
                             "the content has more than the %" G_GUINT64_FORMAT " bytes announced",
                             source->limit);
    }
    slot->chunk = (Chunk){.offset = position, .length = length, .bytes = slot->bytes};
    return true;
}

static bool
fill(Reader *reader, guint64 position, guint64 *data_end, Slot *slot, GError **error)
{
    if (!slot->bytes)
        slot->bytes = aligned_alloc(4096, CHUNK_SIZE);
    if (!(reader->source ? fill_from_bytes(reader->source, position, slot, error)
                         : fill_from_file(reader, position, data_end, slot, error)))
        return false;
    if (slot->chunk.bytes && is_zero(slot->bytes, slot->chunk.length))
        slot->chunk.bytes = NULL;
    return true;
}

/* Waits for a slot that nobody has. NULL: the caller has had enough. */
static Slot *
free_slot(Reader *reader, guint number)
{
    g_mutex_lock(&reader->mutex);
    while (reader->filled == DEPTH && !reader->stop)
        g_cond_wait(&reader->changed, &reader->mutex);
    bool stop = reader->stop;
    g_mutex_unlock(&reader->mutex);
    return stop ? NULL : &reader->slots[number % DEPTH];
}

static gpointer
read_ahead(gpointer data)
{
    Reader *reader = data;
    guint64 position = 0, data_end = 0;
    GError *error = NULL;

    for (guint number = 0;; number++) {
        Slot *slot = free_slot(reader, number);
        if (!slot)
            return NULL;
        bool more = fill(reader, position, &data_end, slot, &error);
        guint64 length = slot->chunk.length;
        g_mutex_lock(&reader->mutex);
        if (more)
            reader->filled++;
        else
            reader->error = error;
        reader->done = !more || length == 0;
        g_cond_broadcast(&reader->changed);
        g_mutex_unlock(&reader->mutex);
        if (reader->done)
            return NULL;
        position += length;
    }
}

/* A wait is no sign of life (cancel_check() would be one): whoever hangs in a read must show. */
static void
wait_for_chunk(Reader *reader)
{
    while (reader->filled == 0 && !reader->done && !cancel_requested()) {
        gint64 until = g_get_monotonic_time() + LOOK_US;
        g_cond_wait_until(&reader->changed, &reader->mutex, until);
    }
}

bool
reader_next(Reader *reader, Chunk *chunk, GError **error)
{
    if (!reader->thread)
        reader->thread = g_thread_new("reader", read_ahead, reader);

    g_mutex_lock(&reader->mutex);
    if (reader->held) {
        reader->filled--;
        reader->held = false;
        g_cond_broadcast(&reader->changed);
    }
    wait_for_chunk(reader);
    bool ready = reader->filled > 0, failed = !ready && reader->error;
    if (ready) {
        *chunk = reader->slots[reader->next++ % DEPTH].chunk;
        reader->held = true;
    }
    g_mutex_unlock(&reader->mutex);
    if (failed)
        g_propagate_error(error, g_steal_pointer(&reader->error));
    return !failed && cancel_check(error);
}

bool
reader_unchanged(const Reader *reader, GError **error)
{
    struct stat now;

    if (reader->source || reader->is_device)
        return true;
    if (fstat(reader->fd, &now) == 0 && now.st_size == reader->info.st_size &&
        now.st_mtim.tv_sec == reader->info.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == reader->info.st_mtim.tv_nsec)
        return true;
    return set_error(error, ONEVOL_ERROR_CORRUPT, "the source changed while it was read");
}
