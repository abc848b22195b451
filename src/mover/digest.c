// SPDX-License-Identifier: Apache-2.0
#include "mover/digest.h"

#include "mover/copy.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct Digest {
    XXH3_state_t *state;
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
    static const guint8 constant[DIGEST_LENGTH];

    for (; count > 0; count--)
        XXH3_128bits_update(digest->state, constant, sizeof constant);
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
    canonical(XXH3_128bits(bytes, length), hash);
    XXH3_128bits_update(digest->state, hash, sizeof hash);
}

void
digest_end(Digest *digest, guint64 size, guint8 result[DIGEST_LENGTH])
{
    guint64 number = GUINT64_TO_LE(size);

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
