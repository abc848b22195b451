// SPDX-License-Identifier: Apache-2.0
/* Packed content from anywhere, at most 16 MiB of what comes out; and the names it comes under. */
#include "fetch/decode.h"
#include "fetch/url.h"
#include "fuzz.h"

#include <string.h>

typedef struct Memory {
    Bytes bytes;
    const uint8_t *data;
    size_t left;
} Memory;

static bool
memory_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    Memory *self = (Memory *)bytes;

    (void)error;
    *got = MIN(length, self->left);
    memcpy(buffer, self->data, *got);
    self->data += *got;
    self->left -= *got;
    return true;
}

static void
memory_free(Bytes *bytes)
{
    g_free(bytes);
}

static void
unpack(const uint8_t *data, size_t size)
{
    Memory *memory = g_new0(Memory, 1);
    GError *error = NULL;
    static uint8_t buffer[65536];
    size_t got = 1, all = 0;

    *memory = (Memory){
        .bytes = {.read = memory_read, .free = memory_free},
          .data = data, .left = size
    };
    g_autoptr(Bytes) bytes = decode_all(bytes_peekable(&memory->bytes), "x", NULL, &error);
    g_assert((bytes == NULL) == (error != NULL));
    for (; bytes && got > 0 && all < 16u << 20; all += got)
        if (!bytes_read(bytes, buffer, sizeof buffer, &got, &error)) {
            g_assert(error);
            break;
        }
    g_clear_error(&error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(SourceUrl) url = {0};
    GError *error = NULL;
    guint64 found, need;

    g_assert(source_url_parse(text, &url, &error) == (error == NULL));
    g_clear_error(&error);
    (void)decode_xz_size(data, size, size, &found, &need);
    g_assert(need <= size + (8u << 20) + 100);
    (void)decode_frame_size(CODE_ZSTD, data, size, &found);
    (void)decode_frame_size(CODE_LZ4, data, size, &found);
    unpack(data, size);
    return 0;
}
