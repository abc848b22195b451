// SPDX-License-Identifier: Apache-2.0
/*
 * Compressed content and archives with one file: gzip, bzip2, xz, zstd, lz4, tar, zip, two of them
 * one in the other at most.
 *
 * gzip, xz and zstd by their own libraries, which check what libarchive leaves out (gzip's sum) and
 * take a limit for memory (xz); the others by libarchive. A cut or damaged stream is CORRUPT at the
 * latest where its end is read.
 */
#pragma once

#include "fetch/bytes.h"

/* Dictionaries and windows beyond that are refused. */
#define DECODE_MEMORY (256u << 20)
/* Enough of the start to know what it is. */
#define DECODE_HEAD 512u

typedef enum {
    CODE_NONE,
    CODE_GZIP,
    CODE_BZIP2,
    CODE_XZ,
    CODE_ZSTD,
    CODE_LZ4,
    CODE_TAR,
    CODE_ZIP,
} Code;

Code decode_detect(const guint8 *head, gsize length);
const char *decode_name(Code code);

/* What the content is when it is unpacked; peekable. Takes `peekable` over, also on failure.
 * `layers` (may be NULL) tells how many there were. */
Bytes *decode_all(Bytes *peekable, const char *name, guint *layers, GError **error);

/* Sizes that need no decoding. */

/* Of xz data, from its last bytes; `length` of them are `tail`, the whole has `file_size`. False if
 * more of the tail is needed (*need) or it cannot be told (*need is 0). */
bool decode_xz_size(const guint8 *tail, gsize length, guint64 file_size, guint64 *size,
                    guint64 *need);
/* Of one zstd or lz4 frame, where its header says so. */
bool decode_frame_size(Code code, const guint8 *head, gsize length, guint64 *size);

/* The layers, one a file each. They take `below` over. */
Bytes *decode_gzip(Bytes *below, const char *name);
Bytes *decode_xz(Bytes *below, const char *name, GError **error);
Bytes *decode_zstd(Bytes *below, const char *name, GError **error);
Bytes *decode_archive(Bytes *below, Code code, const char *name, GError **error);
