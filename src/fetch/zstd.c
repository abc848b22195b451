// SPDX-License-Identifier: Apache-2.0
#include "fetch/decode.h"

#include "base/error.h"

#include <string.h>
#include <zstd.h>

#define WINDOW_LOG 27 /* 128 MiB, what zstd itself takes; its --long=28 and more are refused */

typedef struct ZstdBytes {
    Bytes bytes;
    Bytes *below;
    char *name;
    ZSTD_DCtx *zstd;
    ZSTD_inBuffer in;
    guint8 *input;
    size_t hint; /* 0: a frame is complete */
} ZstdBytes;

static bool
explain(const ZstdBytes *self, size_t code, GError **error)
{
    const char *text = ZSTD_getErrorName(code);

    if (strstr(text, "too much memory"))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' needs a window of more than %u MiB to unpack", self->name,
                         1u << (WINDOW_LOG - 20));
    return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' is a damaged zstd file: %s", self->name,
                     text);
}

static bool
zstd_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    ZstdBytes *self = (ZstdBytes *)bytes;
    ZSTD_outBuffer out = {.dst = buffer, .size = length};

    while (out.pos == 0) {
        if (self->in.pos == self->in.size) {
            self->in.pos = 0;
            if (!bytes_read(self->below, self->input, ZSTD_DStreamInSize(), &self->in.size, error))
                return false;
            if (self->in.size == 0) {
                size_t before = self->hint; /* what is left inside the decoder may still come */
                if (before != 0)
                    before = ZSTD_decompressStream(self->zstd, &out, &self->in);
                if (ZSTD_isError(before))
                    return explain(self, before, error);
                if (out.pos == 0 && before != 0)
                    return set_error(error, ONEVOL_ERROR_CORRUPT,
                                     "'%s' is a damaged zstd file: it is cut", self->name);
                self->hint = before;
                break;
            }
        }
        self->hint = ZSTD_decompressStream(self->zstd, &out, &self->in);
        if (ZSTD_isError(self->hint))
            return explain(self, self->hint, error);
    }
    *got = out.pos;
    return true;
}

static void
zstd_free(Bytes *bytes)
{
    ZstdBytes *self = (ZstdBytes *)bytes;

    ZSTD_freeDCtx(self->zstd);
    bytes_free(self->below);
    g_free(self->input);
    g_free(self->name);
    g_free(self);
}

Bytes *
decode_zstd(Bytes *below, const char *name, GError **error)
{
    ZstdBytes *self = g_new0(ZstdBytes, 1);

    self->bytes = (Bytes){.read = zstd_read, .free = zstd_free};
    self->below = below;
    self->name = g_strdup(name);
    self->input = g_malloc(ZSTD_DStreamInSize());
    self->in.src = self->input;
    self->zstd = ZSTD_createDCtx();
    if (self->zstd &&
        !ZSTD_isError(ZSTD_DCtx_setParameter(self->zstd, ZSTD_d_windowLogMax, WINDOW_LOG)))
        return &self->bytes;
    set_error(error, ONEVOL_ERROR_FAILED, "libzstd does not start");
    zstd_free(&self->bytes);
    return NULL;
}

static guint64
le64(const guint8 *p)
{
    guint64 number;

    memcpy(&number, p, sizeof number);
    return GUINT64_FROM_LE(number);
}

bool
decode_frame_size(Code code, const guint8 *head, gsize length, guint64 *size)
{
    if (code == CODE_ZSTD) {
        unsigned long long said = ZSTD_getFrameContentSize(head, length);
        *size = said;
        return said != ZSTD_CONTENTSIZE_UNKNOWN && said != ZSTD_CONTENTSIZE_ERROR;
    }
    /* lz4's frame: magic, flags with bit 3 for the size, block size, size */
    if (code != CODE_LZ4 || length < 14 || head[0] != 4 || !(head[4] & 8))
        return false;
    *size = le64(head + 6);
    return true;
}
