// SPDX-License-Identifier: Apache-2.0
/*
 * The digest of content on its way: XXH3-128 over the hashes of its 1 MiB chunks, which lie at
 * absolute offsets. A run of chunks of zeros counts as a constant with its length, so that holes
 * cost nothing and two ends agree however differently they cut the data. Against accidents, not
 * attackers.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define DIGEST_CHUNK (1u << 20)
#define DIGEST_LENGTH 16u

typedef struct Digest Digest;

Digest *digest_new(void);
void digest_free(Digest *digest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Digest, digest_free)

/* Chunks in order, each of DIGEST_CHUNK bytes but the last. */
void digest_chunk(Digest *digest, const void *bytes, size_t length);
/* `count` whole or partial chunks that are all zeros. */
void digest_zeros(Digest *digest, guint64 count);

/* Of what was added so far and the content's size. */
void digest_end(Digest *digest, guint64 size, guint8 result[DIGEST_LENGTH]);

/* CORRUPT, "WHAT: its digest is …", if `is` differs from `expected`. */
bool digest_compare(const guint8 *is, const guint8 *expected, const char *what, GError **error);

/* In hex; the caller frees it. */
char *digest_text(const guint8 bytes[DIGEST_LENGTH]);

/* Of the content behind a path or descriptor, as its medium has it: past the page cache, which
 * must hold nothing unwritten any more. `size` as for digest_end(); a device may go on behind it.
 */
bool digest_readback_path(const char *path, guint64 size, guint8 result[DIGEST_LENGTH],
                          GError **error);
bool digest_readback(int fd, guint64 size, guint8 result[DIGEST_LENGTH], GError **error);
