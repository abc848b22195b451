// SPDX-License-Identifier: Apache-2.0
/*
 * gzip by zlib, which checks each member's sum and length; libarchive 3.6 does not.
 */
#include "fetch/decode.h"

#include "base/error.h"

#define Z_CONST z_const
#include <zlib.h>

#define INPUT (256u << 10)

typedef struct GzipBytes {
    Bytes bytes;
    Bytes *below;
    char *name;
    z_stream z;
    guint8 *input;
    bool between; /* a member has ended: another one, padding or the end may follow */
    bool at_end;  /* of the input */
} GzipBytes;

static bool
corrupt(const GzipBytes *self, const char *what, GError **error)
{
    return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' is a damaged gzip file: %s", self->name,
                     what);
}

static bool
refill(GzipBytes *self, GError **error)
{
    size_t got;

    if (self->z.avail_in > 0 || self->at_end)
        return true;
    if (!bytes_read(self->below, self->input, INPUT, &got, error))
        return false;
    self->z.next_in = self->input;
    self->z.avail_in = (uInt)got;
    self->at_end = got == 0;
    return true;
}

/* Zeros may follow the last member, as on tapes. */
static bool
skip_padding(GzipBytes *self, GError **error)
{
    do {
        while (self->z.avail_in > 0 && *self->z.next_in == 0) {
            self->z.next_in++;
            self->z.avail_in--;
        }
        if (!refill(self, error))
            return false;
    } while (self->z.avail_in > 0 && *self->z.next_in == 0);
    if (self->at_end)
        return true;
    if (*self->z.next_in != 0x1f)
        return corrupt(self, "something else follows its end", error);
    inflateReset(&self->z);
    self->between = false;
    return true;
}

static bool
gzip_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    GzipBytes *self = (GzipBytes *)bytes;
    uInt wanted = (uInt)MIN(length, 1u << 30);

    self->z.next_out = buffer;
    self->z.avail_out = wanted;
    while (self->z.avail_out == wanted) {
        if (self->between && !skip_padding(self, error))
            return false;
        if (!refill(self, error))
            return false;
        if (self->at_end && self->z.avail_in == 0) {
            if (!self->between)
                return corrupt(self, "it is cut", error);
            break;
        }
        int code = inflate(&self->z, Z_NO_FLUSH);
        if (code == Z_STREAM_END)
            self->between = true;
        else if (code == Z_MEM_ERROR)
            g_error("out of memory");
        else if (code != Z_OK && code != Z_BUF_ERROR)
            return corrupt(self, self->z.msg ? self->z.msg : "no gzip data", error);
    }
    *got = wanted - self->z.avail_out;
    return true;
}

static void
gzip_free(Bytes *bytes)
{
    GzipBytes *self = (GzipBytes *)bytes;

    inflateEnd(&self->z);
    bytes_free(self->below);
    g_free(self->input);
    g_free(self->name);
    g_free(self);
}

Bytes *
decode_gzip(Bytes *below, const char *name)
{
    GzipBytes *self = g_new0(GzipBytes, 1);

    self->bytes = (Bytes){.read = gzip_read, .free = gzip_free};
    self->below = below;
    self->name = g_strdup(name);
    self->input = g_malloc(INPUT);
    if (inflateInit2(&self->z, 15 + 16) != Z_OK) /* 16: gzip's own header */
        g_error("zlib does not start");
    return &self->bytes;
}
