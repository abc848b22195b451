// SPDX-License-Identifier: Apache-2.0
#include "mover/queue.h"

struct Queue {
    GMutex lock;
    GCond changed;
    GQueue pieces;
    size_t used, limit;
    bool ended, stopped;
    gint64 full, empty;
};

Piece *
piece_new(size_t room)
{
    Piece *piece = g_malloc(sizeof *piece + room);

    *piece = (Piece){0};
    return piece;
}

Queue *
queue_new(size_t bytes)
{
    Queue *queue = g_new0(Queue, 1);

    g_mutex_init(&queue->lock);
    g_cond_init(&queue->changed);
    g_queue_init(&queue->pieces);
    queue->limit = bytes;
    return queue;
}

void
queue_free(Queue *queue)
{
    if (!queue)
        return;
    g_queue_clear_full(&queue->pieces, g_free);
    g_mutex_clear(&queue->lock);
    g_cond_clear(&queue->changed);
    g_free(queue);
}

/* One piece may always lie there, however big. */
static bool
is_full(const Queue *queue, const Piece *piece)
{
    return queue->used > 0 && queue->used + piece->length > queue->limit;
}

bool
queue_push(Queue *queue, Piece *piece)
{
    g_mutex_lock(&queue->lock);
    gint64 start = is_full(queue, piece) ? g_get_monotonic_time() : 0;
    while (is_full(queue, piece) && !queue->stopped)
        g_cond_wait(&queue->changed, &queue->lock);
    if (start)
        queue->full += g_get_monotonic_time() - start;
    bool wanted = !queue->stopped;
    if (wanted) {
        queue->used += piece->length;
        g_queue_push_tail(&queue->pieces, piece);
        g_cond_broadcast(&queue->changed);
    }
    g_mutex_unlock(&queue->lock);
    if (!wanted)
        g_free(piece);
    return wanted;
}

void
queue_end(Queue *queue)
{
    g_mutex_lock(&queue->lock);
    queue->ended = true;
    g_cond_broadcast(&queue->changed);
    g_mutex_unlock(&queue->lock);
}

QueueState
queue_pop(Queue *queue, unsigned timeout_ms, Piece **piece)
{
    gint64 start = g_get_monotonic_time();

    g_mutex_lock(&queue->lock);
    while (g_queue_is_empty(&queue->pieces) && !queue->ended)
        if (!g_cond_wait_until(&queue->changed, &queue->lock, start + (gint64)timeout_ms * 1000))
            break;
    queue->empty += g_get_monotonic_time() - start;
    *piece = g_queue_pop_head(&queue->pieces);
    bool ended = queue->ended;
    if (*piece) {
        queue->used -= (*piece)->length;
        g_cond_broadcast(&queue->changed);
    }
    g_mutex_unlock(&queue->lock);
    return *piece ? QUEUE_PIECE : ended ? QUEUE_ENDED : QUEUE_EMPTY;
}

void
queue_stop(Queue *queue)
{
    g_mutex_lock(&queue->lock);
    queue->stopped = true;
    g_cond_broadcast(&queue->changed);
    g_mutex_unlock(&queue->lock);
}

void
queue_waits(Queue *queue, gint64 *full, gint64 *empty)
{
    g_mutex_lock(&queue->lock);
    *full = queue->full;
    *empty = queue->empty;
    g_mutex_unlock(&queue->lock);
}
