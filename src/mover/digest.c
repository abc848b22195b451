// SPDX-License-Identifier: Apache-2.0
#include "mover/digest.h"

#include "base/error.h"
#include "mover/reader.h"

#include <fcntl.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct Digest {
    XXH3_state_t *state;
    guint64 zeros; /* chunks of zeros since the last one with data */
};

Digest *
digest_new(void)
{
    Digest *digest = g_new0(Digest, 1);

    digest->state = XXH3_createState();
    g_assert(digest->state);
    XXH3_128bits_reset(digest->state);
    return digest;
}

void
digest_free(Digest *digest)
{
    if (!digest)
        return;
    XXH3_freeState(digest->state);
    g_free(digest);
}

void
digest_zeros(Digest *digest, guint64 count)
{
    digest->zeros += count;
}

/* Zeros where a chunk's hash would be, and how many such chunks there were. */
static void
end_zeros(Digest *digest)
{
    guint8 constant[DIGEST_LENGTH] = {0};
    guint64 count = GUINT64_TO_LE(digest->zeros);

    if (digest->zeros == 0)
        return;
    XXH3_128bits_update(digest->state, constant, sizeof constant);
    XXH3_128bits_update(digest->state, &count, sizeof count);
    digest->zeros = 0;
}

static void
canonical(XXH128_hash_t hash, guint8 result[DIGEST_LENGTH])
{
    XXH128_canonical_t bytes;

    XXH128_canonicalFromHash(&bytes, hash);
    memcpy(result, bytes.digest, DIGEST_LENGTH);
}

void
digest_chunk(Digest *digest, const void *bytes, size_t length)
{
    guint8 hash[DIGEST_LENGTH];

    g_assert(length <= DIGEST_CHUNK);
    if (is_zero(bytes, length)) {
        digest_zeros(digest, 1);
        return;
    }
    end_zeros(digest);
    canonical(XXH3_128bits(bytes, length), hash);
    XXH3_128bits_update(digest->state, hash, sizeof hash);
}

void
digest_end(Digest *digest, guint64 size, guint8 result[DIGEST_LENGTH])
{
    guint64 number = GUINT64_TO_LE(size);

    end_zeros(digest);
    XXH3_128bits_update(digest->state, &number, sizeof number);
    canonical(XXH3_128bits_digest(digest->state), result);
}

char *
digest_text(const guint8 bytes[DIGEST_LENGTH])
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < DIGEST_LENGTH; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
    return g_string_free(text, FALSE);
}

bool
digest_compare(const guint8 *is, const guint8 *expected, const char *what, GError **error)
{
    if (!memcmp(is, expected, DIGEST_LENGTH))
        return true;
    g_autofree char *is_text = digest_text(is);
    g_autofree char *expected_text = digest_text(expected);
    return set_error(error, ONEVOL_ERROR_CORRUPT, "%s: its digest is %s, not %s", what, is_text,
                     expected_text);
}

bool
digest_readback_path(const char *path, guint64 size, guint8 result[DIGEST_LENGTH], GError **error)
{
    g_autoptr(Digest) digest = digest_new();
    g_autoptr(Reader) reader = reader_open(path, error);
    guint64 position = 0;
    Chunk chunk;

    if (!reader)
        return false;
    /* a device is read past the cache anyway; what of a file is in the cache goes, if it is clean
     */
    posix_fadvise(reader_fd(reader), 0, 0, POSIX_FADV_DONTNEED);
    while (position < size) {
        if (!reader_next(reader, &chunk, error))
            return false;
        if (chunk.length == 0)
            return set_error(error, ONEVOL_ERROR_CORRUPT,
                             "'%s' ends after %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes",
                             path, position, size);
        guint64 length = MIN(chunk.length, size - position);
        if (chunk.bytes)
            digest_chunk(digest, chunk.bytes, (size_t)length);
        else
            digest_zeros(digest, (length + DIGEST_CHUNK - 1) / DIGEST_CHUNK);
        position += length;
    }
    digest_end(digest, size, result);
    return true;
}

bool
digest_readback(int fd, guint64 size, guint8 result[DIGEST_LENGTH], GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);

    return digest_readback_path(path, size, result, error);
}
