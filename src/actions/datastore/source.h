// SPDX-License-Identifier: Apache-2.0
/*
 * Where cp and stat take an image from: a local file, for now. It is looked at before anything is
 * made: allowed, regular, of a format that cannot lead elsewhere.
 */
#pragma once

#include "actions/task.h"
#include "core/format.h"

typedef struct Source {
    Host *host;
    char *path; /* without links */
    ImageFormat format;
    FileInfo info;
} Source;

bool source_open(Task *task, const char *path, Source *source, GError **error);
void source_clear(Source *source);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Source, source_clear)

/* MD5 and SHA1 of the image's template, if it has them. */
bool source_verify(Task *task, const Source *source, GError **error);

/* Fails if the file is another one, or has changed, since source_open(). */
bool source_unchanged(const Source *source, GError **error);
