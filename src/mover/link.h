// SPDX-License-Identifier: Apache-2.0
/*
 * Reading and writing one end of a bulk connection: whole pieces, never without a limit.
 */
#pragma once

#include "mover/queue.h"
#include "mover/stream.h"
#include "wire/frame.h"

#include <sys/uio.h>

/* No byte moved for this long: the other side hangs. */
#define LINK_STALL_MS 60000

typedef enum { LINK_DONE, LINK_END, LINK_FAILED } LinkState;

/* All of it. LINK_END if the other side was at its end before the first byte; in the middle that
 * is an error. */
LinkState link_read(const StreamLink *link, void *bytes, size_t length, GError **error);
/* As much as there is, at least one byte; *got 0 at the end. */
bool link_read_some(const StreamLink *link, void *bytes, size_t length, size_t *got,
                    GError **error);
bool link_write(const StreamLink *link, struct iovec *pieces, int count, GError **error);

bool link_send_frame(const StreamLink *link, FrameType type, unsigned flags, const void *first,
                     size_t first_length, const void *second, size_t second_length, GError **error);
/* A pipe holds as much as the system allows, so that both sides wake up more rarely. */
void link_widen(const StreamLink *link);

/* Frames from a link, with few system calls also where they are small. It may read beyond what it
 * gives: nothing else reads there any more. */
typedef struct LinkReader LinkReader;

LinkReader *link_reader_new(const StreamLink *link);
void link_reader_free(LinkReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinkReader, link_reader_free)

/* The next frame's payload, as a piece with its type and flags; NULL on failure. */
Piece *link_next_frame(LinkReader *reader, GError **error);
