// SPDX-License-Identifier: Apache-2.0
#include "fetch/decode.h"

#include "base/error.h"

#include <string.h>

#define LAYERS 2

/* A disk's boot code may hold these letters too, but hardly with the right sum around them. */
static bool
is_tar(const guint8 *head, gsize length)
{
    guint sum = 0;
    g_autofree char *digits = NULL;

    if (length < 512 || memcmp(head + 257, "ustar", 5) != 0)
        return false;
    for (guint i = 0; i < 512; i++)
        sum += i >= 148 && i < 156 ? ' ' : head[i];
    digits = g_strndup((const char *)head + 148, 8);
    return g_ascii_strtoull(g_strstrip(digits), NULL, 8) == sum;
}

Code
decode_detect(const guint8 *head, gsize length)
{
    static const struct {
        Code code;
        const char *magic;
        gsize length;
    } magics[] = {
        {CODE_GZIP, "\x1f\x8b\x08",     3},
        {CODE_XZ,
         "\xfd"
         "7zXZ\0",                      6},
        {CODE_ZSTD, "\x28\xb5\x2f\xfd", 4},
        {CODE_LZ4,  "\x04\x22\x4d\x18", 4},
        {CODE_LZ4,  "\x02\x21\x4c\x18", 4},
        {CODE_ZIP,  "PK\x03\x04",       4},
    };

    for (guint i = 0; i < G_N_ELEMENTS(magics); i++)
        if (length >= magics[i].length && !memcmp(head, magics[i].magic, magics[i].length))
            return magics[i].code;
    /* "BZh", the block size, and the first block's or the end's own magic */
    if (length >= 10 && !memcmp(head, "BZh", 3) && head[3] >= '1' && head[3] <= '9' &&
        (!memcmp(head + 4, "1AY&SY", 6) || !memcmp(head + 4, "\x17\x72\x45\x38\x50\x90", 6)))
        return CODE_BZIP2;
    /* a skippable frame, as pzstd writes first */
    if (length >= 4 && (head[0] & 0xf0) == 0x50 && !memcmp(head + 1, "\x2a\x4d\x18", 3))
        return CODE_ZSTD;
    return is_tar(head, length) ? CODE_TAR : CODE_NONE;
}

const char *
decode_name(Code code)
{
    static const char *const names[] = {
        [CODE_NONE] = "plain", [CODE_GZIP] = "gzip", [CODE_BZIP2] = "bzip2", [CODE_XZ] = "xz",
        [CODE_ZSTD] = "zstd",  [CODE_LZ4] = "lz4",   [CODE_TAR] = "tar",     [CODE_ZIP] = "zip",
    };
    return names[code];
}

static Bytes *
decode_one(Bytes *below, Code code, const char *name, GError **error)
{
    switch (code) {
    case CODE_GZIP:
        return decode_gzip(below, name);
    case CODE_XZ:
        return decode_xz(below, name, error);
    case CODE_ZSTD:
        return decode_zstd(below, name, error);
    case CODE_BZIP2:
    case CODE_LZ4:
    case CODE_TAR:
    case CODE_ZIP:
        return decode_archive(below, code, name, error);
    case CODE_NONE:
        break;
    }
    return below;
}

Bytes *
decode_all(Bytes *peekable, const char *name, guint *layers, GError **error)
{
    g_autoptr(Bytes) bytes = peekable;

    for (guint layer = 0;; layer++) {
        const guint8 *head;
        gsize length;
        if (layers)
            *layers = layer;
        if (!bytes_peek(bytes, DECODE_HEAD, &head, &length, error))
            return NULL;
        Code code = decode_detect(head, length);
        if (code == CODE_NONE)
            return g_steal_pointer(&bytes);
        if (layer == LAYERS) {
            set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is packed more than twice", name);
            return NULL;
        }
        Bytes *unpacked = decode_one(g_steal_pointer(&bytes), code, name, error);
        if (!unpacked)
            return NULL;
        bytes = bytes_peekable(unpacked);
    }
}
