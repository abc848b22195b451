// SPDX-License-Identifier: Apache-2.0
#include "verify/content.h"

#include "base/command.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHUNK 65536u
#define TOOL_TIMEOUT SECONDS(60)
/* A file system's clock ticks every few ms: a file this young may still change unseen. */
#define SETTLED_NS 40000000ll

typedef struct Known {
    Content content;
    struct stat info; /* of a file here */
    char *stamp;      /* of one elsewhere */
} Known;

static const char *scratch = "/tmp";
static GHashTable *known; /* "host format path" → Known: unchanged files are not read again */

static void
digest_finish(XXH3_state_t *state, guint64 bytes, Content *content)
{
    XXH128_hash_t hash = XXH3_128bits_digest(state);

    g_snprintf(content->digest, sizeof content->digest,
               "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", (guint64)hash.high64,
               (guint64)hash.low64);
    content->bytes = bytes;
}

Content
content_empty(guint64 bytes)
{
    XXH3_state_t *state = XXH3_createState();
    Content content;

    XXH3_128bits_reset(state);
    digest_finish(state, bytes, &content);
    XXH3_freeState(state);
    return content;
}

bool
content_equal(const Content *a, const Content *b)
{
    return a->bytes == b->bytes && strcmp(a->digest, b->digest) == 0;
}

char *
content_text(const Content *content)
{
    return g_strdup_printf("%" G_GUINT64_FORMAT " bytes, digest %.12s", content->bytes,
                           content->digest);
}

static bool
is_zero(const char *buffer, size_t length)
{
    return length == 0 || (!buffer[0] && memcmp(buffer, buffer + 1, length - 1) == 0);
}

/* Adds one chunk that lies at a multiple of CHUNK. The last one counts as if padded with zeros, so
 * that growing a disk does not change its digest. */
static bool
digest_chunk(XXH3_state_t *state, int fd, char *buffer, off_t offset)
{
    size_t have = 0;

    while (have < CHUNK) {
        ssize_t got = pread(fd, buffer + have, CHUNK - have, offset + (off_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    memset(buffer + have, 0, CHUNK - have);
    if (!is_zero(buffer, CHUNK)) {
        guint64 where = (guint64)offset;
        XXH3_128bits_update(state, &where, sizeof where);
        XXH3_128bits_update(state, buffer, CHUNK);
    }
    return true;
}

static bool
digest_raw(int fd, Content *content)
{
    off_t size = lseek(fd, 0, SEEK_END);
    off_t data = 0, next = 0;
    bool done = size >= 0;
    g_autofree char *buffer = g_malloc(CHUNK);
    XXH3_state_t *state = XXH3_createState();

    XXH3_128bits_reset(state);
    while (done && next < size) {
        data = lseek(fd, next, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break;
        off_t hole = data < 0 ? size : lseek(fd, data, SEEK_HOLE);
        if (data < 0)
            data = next; /* this storage does not know holes */
        data -= data % CHUNK;
        for (next = MAX(data, next); done && next < MAX(hole, data + 1) && next < size;
             next += CHUNK)
            done = digest_chunk(state, fd, buffer, next);
    }
    if (done)
        digest_finish(state, (guint64)size, content);
    XXH3_freeState(state);
    return done;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           memcmp(&a->st_ctim, &b->st_ctim, sizeof a->st_ctim) == 0 &&
           memcmp(&a->st_mtim, &b->st_mtim, sizeof a->st_mtim) == 0;
}

static void
known_free(gpointer data)
{
    g_free(((Known *)data)->stamp);
    g_free(data);
}

static void
remember(const char *key, const struct stat *info, const Content *content)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    gint64 age =
        (now.tv_sec - info->st_ctim.tv_sec) * 1000000000ll + (now.tv_nsec - info->st_ctim.tv_nsec);
    /* LizardFS and its like count whole seconds, and their clients tell of a write a second late */
    if (age < SETTLED_NS || info->st_ctim.tv_nsec == 0)
        return;
    Known *entry = g_new(Known, 1);
    *entry = (Known){.content = *content, .info = *info};
    g_hash_table_replace(known, g_strdup(key), entry);
}

void
content_set_scratch(const char *directory)
{
    scratch = directory;
}

const char *
content_scratch(void)
{
    return scratch;
}

void
content_forget_all(void)
{
    g_clear_pointer(&known, g_hash_table_unref);
}

static bool
read_raw(const char *path, Content *content, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return set_error_errno(error, errno, "cannot open '%s'", path);
    bool done = digest_raw(fd, content);
    int number = errno;
    close(fd);
    return done || set_error_errno(error, number, "cannot read '%s'", path);
}

static bool
peek_file(const char *path, guint64 offset, void *buffer, size_t length, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return set_error_errno(error, errno, "cannot open '%s'", path);
    ssize_t got = pread(fd, buffer, length, (off_t)offset);
    close(fd);
    return got == (ssize_t)length ||
           set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' ends before byte %" G_GUINT64_FORMAT, path,
                     offset + length);
}

/* The header names another file at the offset in bytes 8 to 15, if it leans on one. */
static bool
stands_alone(const char *path, GError **error)
{
    char header[16];

    if (!peek_file(path, 0, header, sizeof header, error))
        return false;
    return memcmp(header, "QFI\xfb", 4) != 0 || is_zero(header + 8, 8) ||
           set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' has a backing file", path);
}

/* Through a sparse raw copy: slow, but it is another program's view of the format. */
static bool
read_converted(const char *path, const char *format, Content *content, GError **error)
{
    g_autofree char *name = g_build_filename(scratch, "converted-XXXXXX", NULL);
    if (!stands_alone(path, error))
        return false;
    int fd = g_mkstemp(name);
    if (fd < 0)
        return set_error_errno(error, errno, "cannot make '%s'", name);
    close(fd);

    g_autoptr(Argv) argv =
        argv_new("qemu-img", "convert", "-U", "-f", format, "-O", "raw", path, name);
    const CommandOptions options = {.timeout_ms = TOOL_TIMEOUT};
    bool done = command_check(argv, &options, NULL, error) && read_raw(name, content, error);
    unlink(name);
    return done;
}

static bool
read_file(const char *path, const char *format, Content *content, GError **error)
{
    return strcmp(format, "raw") == 0 ? read_raw(path, content, error)
                                      : read_converted(path, format, content, error);
}

static bool
read_here(const char *key, const char *path, const char *format, Content *content, GError **error)
{
    const Known *entry = g_hash_table_lookup(known, key);
    struct stat info;

    if (stat(path, &info) != 0)
        return set_error_errno(error, errno, "cannot read '%s'", path);
    if (entry && same_file(&entry->info, &info)) {
        *content = entry->content;
        return true;
    }
    bool done = read_file(path, format, content, error);
    if (done)
        remember(key, &info, content);
    return done;
}

static bool
read_elsewhere(const Host *host, const char *key, const char *path, const char *format,
               Content *content, GError **error)
{
    const Known *entry = g_hash_table_lookup(known, key);
    g_autofree char *stamp = host_stamp(host, path);

    if (entry && stamp && g_strcmp0(entry->stamp, stamp) == 0) {
        *content = entry->content;
        return true;
    }
    char *copy = host_copy(host, path, scratch, error);
    bool done = copy && read_file(copy, format, content, error);
    host_uncopy(host, copy);
    if (!done || !stamp || strstr(stamp, ".0000000000")) /* whole seconds, as above */
        return done;
    Known *fresh = g_new(Known, 1);
    *fresh = (Known){.content = *content, .stamp = g_steal_pointer(&stamp)};
    g_hash_table_replace(known, g_strdup(key), fresh);
    return true;
}

bool
content_read(const Host *host, const char *path, const char *format, Content *content,
             GError **error)
{
    g_autofree char *key = g_strjoin(" ", host->local ? "" : host->name, format, path, NULL);

    if (!known)
        known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, known_free);
    return host->local ? read_here(key, path, format, content, error)
                       : read_elsewhere(host, key, path, format, content, error);
}

static bool
write_all(int fd, const char *data, size_t length, guint64 offset)
{
    while (length > 0) {
        ssize_t wrote = pwrite(fd, data, length, (off_t)offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        data += wrote;
        offset += (guint64)wrote;
        length -= (size_t)wrote;
    }
    return true;
}

/* qemu-io of that host for qcow2, as its hypervisor would. */
static bool
write_elsewhere(const Host *host, const char *path, const char *format, guint64 offset,
                guint64 length, unsigned byte, GError **error)
{
    g_autofree char *quoted = g_shell_quote(path);

    hosts_touch();
    if (strcmp(format, "raw") == 0)
        return host_sh(host, NULL, error,
                       "[ -f %s -o -b %s ] && head -c %" G_GUINT64_FORMAT
                       " /dev/zero | tr '\\0' '\\%o' | "
                       "dd of=%s bs=65536 iflag=fullblock oflag=seek_bytes seek=%" G_GUINT64_FORMAT
                       " conv=notrunc,fsync status=none",
                       quoted, quoted, length, byte, quoted, offset);
    return host_sh(host, NULL, error,
                   "qemu-io -f %s -c 'write -P %u %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "' %s",
                   format, byte, offset, length, quoted);
}

bool
content_write(const Host *host, const char *path, const char *format, guint64 offset,
              guint64 length, unsigned seed, GError **error)
{
    if (!host->local)
        return write_elsewhere(host, path, format, offset, length, seed % 255 + 1, error);
    if (strcmp(format, "raw") != 0) {
        g_autoptr(Argv) argv = argv_new("qemu-io", "-f", format, "-c");
        argv_addf(argv, "write -P %u %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, seed % 255 + 1,
                  offset, length);
        argv_add(argv, path);
        const CommandOptions options = {.timeout_ms = TOOL_TIMEOUT};
        return command_check(argv, &options, NULL, error);
    }

    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return set_error_errno(error, errno, "cannot write to '%s'", path);
    g_autofree char *data = g_malloc(length);
    memset(data, (int)(seed % 255 + 1), length);
    bool done = write_all(fd, data, length, offset);
    int number = errno;
    close(fd);
    return done || set_error_errno(error, number, "cannot write to '%s'", path);
}

bool
content_peek(const Host *host, const char *path, guint64 offset, void *buffer, size_t length,
             GError **error)
{
    char *copy = host_copy(host, path, scratch, error);
    bool done = copy && peek_file(copy, offset, buffer, length, error);

    host_uncopy(host, copy);
    return done;
}

/* A few MiB at odd places: the first sector, runs that cross chunk borders, the very last bytes. */
bool
content_make_raw(const char *path, guint64 bytes, guint64 data_bytes, unsigned seed, GError **error)
{
    enum { RUNS = 12 };
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return set_error_errno(error, errno, "cannot make '%s'", path);

    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    size_t run = (size_t)MIN(data_bytes / RUNS, bytes / RUNS) & ~(size_t)3;
    g_autofree guint32 *data = g_malloc(MAX(run, 4));
    bool done = ftruncate(fd, (off_t)bytes) == 0;
    for (unsigned i = 0; done && i < RUNS; i++) {
        for (size_t word = 0; word < run / 4; word++)
            data[word] = g_rand_int(random);
        guint64 place = i + 1 == RUNS ? bytes - run : bytes / RUNS * i + (i ? 517 * i : 0);
        done = write_all(fd, (const char *)data, run, place);
    }
    int number = errno;
    close(fd);
    return done || set_error_errno(error, number, "cannot fill '%s'", path);
}

bool
content_make_qcow2(const char *path, const char *raw, GError **error)
{
    g_autoptr(Argv) argv = argv_new("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path);
    const CommandOptions options = {.timeout_ms = TOOL_TIMEOUT};

    return command_check(argv, &options, NULL, error);
}
