// SPDX-License-Identifier: Apache-2.0
/*
 * xz by liblzma, which takes a limit for the dictionary; libarchive allows 1 GiB.
 */
#include "fetch/decode.h"

#include "base/error.h"

#include <lzma.h>

#define INPUT (256u << 10)

typedef struct XzBytes {
    Bytes bytes;
    Bytes *below;
    char *name;
    lzma_stream lzma;
    guint8 *input;
    lzma_action action;
    bool finished;
} XzBytes;

static bool
explain(const XzBytes *self, lzma_ret code, GError **error)
{
    switch ((int)code) {
    case LZMA_MEMLIMIT_ERROR:
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' needs %" G_GUINT64_FORMAT " MiB of memory to unpack, more than %u",
                         self->name, (guint64)lzma_memusage(&self->lzma) >> 20,
                         DECODE_MEMORY >> 20);
    case LZMA_BUF_ERROR:
        return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' is a damaged xz file: it is cut",
                         self->name);
    case LZMA_OPTIONS_ERROR:
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "'%s' is of a later kind of xz",
                         self->name);
    case LZMA_MEM_ERROR:
        g_error("out of memory");
    default:
        return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' is a damaged xz file", self->name);
    }
}

static bool
xz_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    XzBytes *self = (XzBytes *)bytes;

    self->lzma.next_out = buffer;
    self->lzma.avail_out = length;
    while (self->lzma.avail_out == length && !self->finished) {
        if (self->lzma.avail_in == 0 && self->action == LZMA_RUN) {
            size_t part;
            if (!bytes_read(self->below, self->input, INPUT, &part, error))
                return false;
            self->lzma.next_in = self->input;
            self->lzma.avail_in = part;
            if (part == 0)
                self->action = LZMA_FINISH;
        }
        lzma_ret code = lzma_code(&self->lzma, self->action);
        if (code == LZMA_STREAM_END)
            self->finished = true;
        else if (code != LZMA_OK)
            return explain(self, code, error);
    }
    *got = length - self->lzma.avail_out;
    return true;
}

static void
xz_free(Bytes *bytes)
{
    XzBytes *self = (XzBytes *)bytes;

    lzma_end(&self->lzma);
    bytes_free(self->below);
    g_free(self->input);
    g_free(self->name);
    g_free(self);
}

Bytes *
decode_xz(Bytes *below, const char *name, GError **error)
{
    XzBytes *self = g_new0(XzBytes, 1);

    self->bytes = (Bytes){.read = xz_read, .free = xz_free};
    self->below = below;
    self->name = g_strdup(name);
    self->input = g_malloc(INPUT);
    self->action = LZMA_RUN;
    lzma_ret code = lzma_stream_decoder(&self->lzma, DECODE_MEMORY, LZMA_CONCATENATED);
    if (code == LZMA_OK)
        return &self->bytes;
    set_error(error, ONEVOL_ERROR_FAILED, "liblzma does not start (%d)", (int)code);
    xz_free(&self->bytes);
    return NULL;
}

bool
decode_xz_size(const guint8 *tail, gsize length, guint64 file_size, guint64 *size, guint64 *need)
{
    lzma_stream_flags flags;
    lzma_index *index = NULL;
    uint64_t memory = 16u << 20;
    size_t position = 0;

    *need = 0;
    if (length < LZMA_STREAM_HEADER_SIZE ||
        lzma_stream_footer_decode(&flags, tail + length - LZMA_STREAM_HEADER_SIZE) != LZMA_OK ||
        flags.backward_size > 8u << 20)
        return false;
    guint64 end = flags.backward_size + LZMA_STREAM_HEADER_SIZE;
    if (end > length) {
        *need = end <= file_size ? end : 0;
        return false;
    }
    if (lzma_index_buffer_decode(&index, &memory, NULL, tail + length - end, &position,
                                 (size_t)flags.backward_size) != LZMA_OK)
        return false;
    /* more streams before this one, or padding: the index is not all */
    bool whole = lzma_index_stream_size(index) == file_size;
    *size = lzma_index_uncompressed_size(index);
    lzma_index_end(index, NULL);
    return whole;
}
