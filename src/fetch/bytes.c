// SPDX-License-Identifier: Apache-2.0
#include "fetch/bytes.h"

#include "base/command.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool
bytes_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    return bytes->read(bytes, buffer, length, got, error);
}

bool
bytes_read_full(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    size_t part;

    for (*got = 0; *got < length; *got += part) {
        if (!bytes->read(bytes, (guint8 *)buffer + *got, length - *got, &part, error))
            return false;
        if (part == 0)
            break;
    }
    return true;
}

void
bytes_free(Bytes *bytes)
{
    if (bytes)
        bytes->free(bytes);
}

static bool
source_read(gpointer data, void *buffer, size_t length, size_t *got, GError **error)
{
    return bytes_read(data, buffer, length, got, error);
}

ByteSource
bytes_source(Bytes *bytes, guint64 limit)
{
    return (ByteSource){
        .read = source_read,
        .data = bytes,
        .size = bytes->has_size ? bytes->size : 0,
        .limit = limit,
    };
}

typedef struct FdBytes {
    Bytes bytes;
    int fd;
    guint64 offset;
    char *name;
} FdBytes;

static bool
fd_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    FdBytes *self = (FdBytes *)bytes;
    ssize_t count;

    if (!cancel_check(error))
        return false;
    do {
        count = pread(self->fd, buffer, length, (off_t)self->offset);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return set_error_errno(error, errno, "cannot read '%s'", self->name);
    *got = (size_t)count;
    self->offset += (guint64)count;
    if (count == 0 && self->offset != bytes->size)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' changed while it was read", self->name);
    return true;
}

static void
fd_free(Bytes *bytes)
{
    FdBytes *self = (FdBytes *)bytes;

    fd_close(&self->fd);
    g_free(self->name);
    g_free(self);
}

Bytes *
bytes_of_fd(int fd, guint64 size, const char *name)
{
    FdBytes *self = g_new0(FdBytes, 1);

    self->bytes = (Bytes){.read = fd_read, .free = fd_free, .size = size, .has_size = true};
    self->fd = fd;
    self->name = g_strdup(name);
    return &self->bytes;
}

typedef struct PeekBytes {
    Bytes bytes;
    Bytes *below;
    GByteArray *head;
    gsize taken;
    bool at_end;
} PeekBytes;

static bool
peek_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    PeekBytes *self = (PeekBytes *)bytes;
    gsize left = self->head->len - self->taken;

    if (left == 0)
        return bytes_read(self->below, buffer, length, got, error);
    *got = MIN(length, left);
    memcpy(buffer, self->head->data + self->taken, *got);
    self->taken += *got;
    if (self->taken == self->head->len) {
        g_byte_array_set_size(self->head, 0);
        self->taken = 0;
    }
    return true;
}

static void
peek_free(Bytes *bytes)
{
    PeekBytes *self = (PeekBytes *)bytes;

    bytes_free(self->below);
    g_byte_array_unref(self->head);
    g_free(self);
}

Bytes *
bytes_peekable(Bytes *below)
{
    PeekBytes *self = g_new0(PeekBytes, 1);

    self->bytes = (Bytes){
        .read = peek_read, .free = peek_free, .size = below->size, .has_size = below->has_size};
    self->below = below;
    self->head = g_byte_array_new();
    return &self->bytes;
}

bool
bytes_peek(Bytes *peekable, gsize length, const guint8 **head, gsize *got, GError **error)
{
    PeekBytes *self = (PeekBytes *)peekable;

    while (self->head->len < length && !self->at_end) {
        guint8 buffer[16384];
        size_t part;
        if (!bytes_read(self->below, buffer, MIN(sizeof buffer, length - self->head->len), &part,
                        error))
            return false;
        self->at_end = part == 0;
        g_byte_array_append(self->head, buffer, (guint)part);
    }
    *head = self->head->data;
    *got = self->head->len;
    return true;
}
