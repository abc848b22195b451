// SPDX-License-Identifier: Apache-2.0
/*
 * Pieces from the thread that makes them to the thread that uses them, so many bytes at most: what
 * lets reading, packing, sending, unpacking and writing go on at the same time in bounded memory.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Made by piece_new(), freed by g_free(). */
typedef struct Piece {
    size_t length;   /* of `bytes` in use */
    guint64 content; /* bytes of content that it stands for */
    guint8 type, flags;
    guint8 bytes[];
} Piece;

Piece *piece_new(size_t room);

typedef struct Queue Queue;

Queue *queue_new(size_t bytes);
void queue_free(Queue *queue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Queue, queue_free)

/* Waits for room and takes the piece over. False, and the piece is freed, once queue_stop() was
 * called. */
bool queue_push(Queue *queue, Piece *piece);
/* By the one who pushes: nothing more comes. */
void queue_end(Queue *queue);

typedef enum { QUEUE_PIECE, QUEUE_EMPTY, QUEUE_ENDED } QueueState;

/* Waits at most that long. */
QueueState queue_pop(Queue *queue, unsigned timeout_ms, Piece **piece);
/* By the one who pops: nothing more is wanted. */
void queue_stop(Queue *queue);

/* Time spent waiting so far, µs: with a full queue to push, with an empty one to pop. */
void queue_waits(Queue *queue, gint64 *full, gint64 *empty);
