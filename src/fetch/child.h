// SPDX-License-Identifier: Apache-2.0
/*
 * What a child prints, as bytes: ssh, downloader.sh.
 */
#pragma once

#include "base/command.h"
#include "fetch/bytes.h"

/* Takes the child over. `name` is what is read, `program` who reads it, for messages. */
Bytes *bytes_of_child(const CommandChild *child, const char *program, const char *name,
                      unsigned silence_ms);

/* A line of what it prints, without the newline, at most 8 KiB; before the first read. The caller
 * frees it. */
char *child_line(Bytes *child, GError **error);

/* From here on exactly so many bytes must come. */
void child_expect(Bytes *child, guint64 size);
