// SPDX-License-Identifier: Apache-2.0
#include "fetch/bytes.h"

#include "base/error.h"

#include <openssl/evp.h>
#include <string.h>

enum { SUM_MD5, SUM_SHA1, SUM_SHA256, SUM_COUNT };

static const struct {
    const char *attribute;
    const char *algorithm;
    gsize digits;
} kinds[SUM_COUNT] = {
    [SUM_MD5] = {"MD5",    "MD5",    32},
    [SUM_SHA1] = {"SHA1",   "SHA1",   40},
    [SUM_SHA256] = {"SHA256", "SHA256", 64},
};

typedef struct CheckedBytes {
    Bytes bytes;
    Bytes *below;
    char *name;
    char *wanted[SUM_COUNT];
    EVP_MD_CTX *sums[SUM_COUNT];
    bool compared;
} CheckedBytes;

static bool
compare(CheckedBytes *self, guint kind, GError **error)
{
    guint8 digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    g_autoptr(GString) text = g_string_new(NULL);

    EVP_DigestFinal_ex(self->sums[kind], digest, &length);
    for (unsigned i = 0; i < length; i++)
        g_string_append_printf(text, "%02x", digest[i]);
    if (!g_ascii_strcasecmp(text->str, self->wanted[kind]))
        return true;
    return set_error(error, ONEVOL_ERROR_CORRUPT, "%s of '%s' is %s, not %s", kinds[kind].attribute,
                     self->name, text->str, self->wanted[kind]);
}

static bool
checked_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    CheckedBytes *self = (CheckedBytes *)bytes;

    if (!bytes_read(self->below, buffer, length, got, error))
        return false;
    for (guint kind = 0; kind < SUM_COUNT; kind++)
        if (self->sums[kind] && *got > 0)
            EVP_DigestUpdate(self->sums[kind], buffer, *got);
    if (*got > 0 || self->compared)
        return true;
    self->compared = true;
    for (guint kind = 0; kind < SUM_COUNT; kind++)
        if (self->sums[kind] && !compare(self, kind, error))
            return false;
    return true;
}

static void
checked_free(Bytes *bytes)
{
    CheckedBytes *self = (CheckedBytes *)bytes;

    bytes_free(self->below);
    for (guint kind = 0; kind < SUM_COUNT; kind++) {
        EVP_MD_CTX_free(self->sums[kind]);
        g_free(self->wanted[kind]);
    }
    g_free(self->name);
    g_free(self);
}

static bool
is_hex(const char *text, gsize digits)
{
    gsize length = 0;

    while (g_ascii_isxdigit(text[length]))
        length++;
    return text[length] == '\0' && length == digits;
}

static bool
begin(CheckedBytes *self, guint kind, const char *wanted, GError **error)
{
    if (!is_hex(wanted, kinds[kind].digits)) {
        g_autofree char *shown = one_line(wanted, 80);
        return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is no %s", shown, kinds[kind].attribute);
    }
    const EVP_MD *algorithm = EVP_get_digestbyname(kinds[kind].algorithm);
    self->wanted[kind] = g_strdup(wanted);
    self->sums[kind] = EVP_MD_CTX_new();
    if (algorithm && EVP_DigestInit_ex(self->sums[kind], algorithm, NULL) == 1)
        return true;
    return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "this machine's OpenSSL does not compute %s",
                     kinds[kind].attribute);
}

Bytes *
bytes_checked(Bytes *below, const Sums *sums, const char *name, GError **error)
{
    const char *const wanted[SUM_COUNT] = {sums->md5, sums->sha1, sums->sha256};

    if (!sums->md5 && !sums->sha1 && !sums->sha256)
        return below;
    CheckedBytes *self = g_new0(CheckedBytes, 1);
    self->bytes = (Bytes){.read = checked_read,
                          .free = checked_free,
                          .size = below->size,
                          .has_size = below->has_size};
    self->below = below;
    self->name = g_strdup(name);
    for (guint kind = 0; kind < SUM_COUNT; kind++)
        if (wanted[kind] && !begin(self, kind, wanted[kind], error)) {
            bytes_free(&self->bytes);
            return NULL;
        }
    return &self->bytes;
}
