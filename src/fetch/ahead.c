// SPDX-License-Identifier: Apache-2.0
/*
 * A ring of buffers between a thread that reads and whoever wants the bytes.
 */
#include "fetch/bytes.h"

#include "base/error.h"

#include <string.h>

#define SLOTS 8
#define SLOT_SIZE (512u << 10)

typedef struct Slot {
    guint8 *data;
    gsize length; /* 0: the end, or the error */
} Slot;

typedef struct AheadBytes {
    Bytes bytes;
    Bytes *below;
    guint64 rate;
    GThread *thread;
    GMutex lock;
    GCond moved;
    Slot slots[SLOTS];
    guint64 filled, emptied; /* slots so far */
    gsize taken;             /* of the slot that is being emptied */
    GError *error;
} AheadBytes;

/* Sleeps until `done` bytes are due since `start`. False once it shall stop. */
static bool
keep_rate(AheadBytes *self, guint64 done, gint64 start)
{
    while (self->rate > 0) {
        gint64 due = start + (gint64)((double)done / (double)self->rate * 1e6);
        gint64 left = due - g_get_monotonic_time();
        if (left <= 0)
            break;
        if (g_atomic_int_get(&self->below->stop))
            return false;
        g_usleep((gulong)MIN(left, 100000));
    }
    return true;
}

static gpointer
read_ahead(gpointer data)
{
    AheadBytes *self = data;
    gint64 start = g_get_monotonic_time();
    guint64 done = 0;
    /* small portions keep a slow rate smooth */
    gsize portion = self->rate ? CLAMP(self->rate / 4, 4096, SLOT_SIZE) : SLOT_SIZE;

    for (bool more = true; more;) {
        g_mutex_lock(&self->lock);
        while (self->filled - self->emptied == SLOTS && !g_atomic_int_get(&self->below->stop))
            g_cond_wait(&self->moved, &self->lock);
        g_mutex_unlock(&self->lock);
        if (g_atomic_int_get(&self->below->stop))
            break;
        Slot *slot = &self->slots[self->filled % SLOTS];
        if (!slot->data)
            slot->data = g_malloc(SLOT_SIZE);
        slot->length = 0;
        if (!bytes_read(self->below, slot->data, portion, &slot->length, &self->error))
            slot->length = 0;
        done += slot->length;
        more = slot->length > 0 && keep_rate(self, done, start);
        g_mutex_lock(&self->lock);
        self->filled++;
        g_cond_signal(&self->moved);
        g_mutex_unlock(&self->lock);
    }
    return NULL;
}

static bool
ahead_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    AheadBytes *self = (AheadBytes *)bytes;

    g_mutex_lock(&self->lock);
    while (self->filled == self->emptied)
        g_cond_wait(&self->moved, &self->lock);
    g_mutex_unlock(&self->lock);

    Slot *slot = &self->slots[self->emptied % SLOTS];
    if (slot->length == 0) { /* stays there: so will the next one be told */
        *got = 0;
        if (!self->error)
            return true;
        g_propagate_error(error, g_error_copy(self->error));
        return false;
    }
    *got = MIN(length, slot->length - self->taken);
    memcpy(buffer, slot->data + self->taken, *got);
    self->taken += *got;
    if (self->taken == slot->length) {
        self->taken = 0;
        g_mutex_lock(&self->lock);
        self->emptied++;
        g_cond_signal(&self->moved);
        g_mutex_unlock(&self->lock);
    }
    return true;
}

static void
ahead_free(Bytes *bytes)
{
    AheadBytes *self = (AheadBytes *)bytes;

    g_atomic_int_set(&self->below->stop, 1);
    g_mutex_lock(&self->lock);
    g_cond_broadcast(&self->moved);
    g_mutex_unlock(&self->lock);
    g_thread_join(self->thread);
    bytes_free(self->below);
    for (guint i = 0; i < SLOTS; i++)
        g_free(self->slots[i].data);
    g_clear_error(&self->error);
    g_mutex_clear(&self->lock);
    g_cond_clear(&self->moved);
    g_free(self);
}

Bytes *
bytes_ahead(Bytes *below, guint64 rate)
{
    AheadBytes *self = g_new0(AheadBytes, 1);

    self->bytes = (Bytes){
        .read = ahead_read, .free = ahead_free, .size = below->size, .has_size = below->has_size};
    self->below = below;
    self->rate = rate;
    g_mutex_init(&self->lock);
    g_cond_init(&self->moved);
    self->thread = g_thread_new("fetch", read_ahead, self);
    return &self->bytes;
}
