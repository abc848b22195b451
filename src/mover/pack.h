// SPDX-License-Identifier: Apache-2.0
/*
 * Data on its way between machines: what of a chunk is not zero, as frames, compressed by zstd
 * where that pays.
 *
 * The level follows the connection: while it is the bottleneck the next level is tried and kept if
 * more content gets through; while packing is the bottleneck it goes down, at last to none at all.
 * Content that does not shrink is sent as it is, and looked at again now and then.
 */
#pragma once

#include "mover/queue.h"
#include "wire/frame.h"

typedef struct Packer Packer;

Packer *packer_new(void);
void packer_free(Packer *packer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Packer, packer_free)

/* The frames of a chunk that is not all zeros; piece->content counts its blocks that are not. */
Piece *packer_chunk(Packer *packer, const guint8 *bytes, size_t length, guint64 offset);

/* Now and then: how long, µs, the packer has waited for the connection since the beginning, and the
 * connection for the packer. `now` is monotonic time. */
void packer_adapt(Packer *packer, gint64 link_busy, gint64 link_idle, gint64 now);

/* zstd's level, 0 for none. */
int packer_level(const Packer *packer);

typedef struct Unpacker Unpacker;

Unpacker *unpacker_new(void);
void unpacker_free(Unpacker *unpacker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Unpacker, unpacker_free)

/* The bytes of a DATA or PACKED frame, valid until the next call: never more than a chunk, whatever
 * the frame says. */
bool unpack(Unpacker *unpacker, FrameType type, const guint8 *payload, size_t payload_length,
            guint64 *offset, const guint8 **bytes, size_t *length, GError **error);
