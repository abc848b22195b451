// SPDX-License-Identifier: Apache-2.0
/*
 * Where cp and stat take an image from: a file, a download, or a volume that is there already
 * (docs/design/sources.md). It is looked at before anything is made: allowed, unpacked as far as
 * its header, of a format that cannot lead elsewhere.
 */
#pragma once

#include "actions/task.h"
#include "core/format.h"
#include "fetch/fetch.h"

typedef enum {
    SOURCE_WHOLE,  /* to be imported: MD5, SHA1, SHA256 of the image are checked at its end */
    SOURCE_HEADER, /* only its size is asked for: as little as possible is read */
} SourcePurpose;

typedef struct Source {
    SourceUrl url;
    Fetch *fetch;
    Bytes *bytes;        /* unpacked; peekable */
    guint layers;        /* of packing */
    bool checked;        /* sums are computed on the way */
    ImageFormat format;  /* of raw, virtual_size 0: not known */
    guint64 packed_size; /* what its packing says that it unpacks to, if has_packed_size */
    bool has_packed_size;
} Source;

/* For vol:// and lvm:// only `url` is filled: see volume_source.h. */
bool source_open(Task *task, SourcePurpose purpose, Source *source, GError **error);
void source_clear(Source *source);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Source, source_clear)

bool source_is_volume(const Source *source);

/* SAFE_DIRS and RESTRICTED_DIRS of the datastore, for a file of `host`, which is not the front-end:
 * its path without links, if it may be used. The caller frees it. */
char *source_allowed_there(Task *task, Host *host, const char *path, GError **error);

/* Fills image, an incomplete volume from then on. REFUSED if the source has more than the SIZE that
 * oned was told. */
bool source_import(Task *task, Source *source, Volume *image, GError **error);

/* The virtual size; reads on as far as that takes, at most until `deadline` (monotonic, us). */
bool source_size(Source *source, gint64 deadline, guint64 *size, GError **error);
