// SPDX-License-Identifier: Apache-2.0
/*
 * Content from one machine to another, over ssh connections of its own.
 *
 * Both control sessions stay open: reading and writing are requests of theirs, under their locks
 * and limits. Between two hosts the front-end passes the bytes on.
 */
#pragma once

#include "mover/stream.h"
#include "remote/session.h"

typedef struct TransferEnd {
    RemoteSession *session; /* NULL: this machine */
    const char *path;
} TransferEnd;

/* A file, or with `tree` a directory, to a path where nothing is yet. *result is what the receiver
 * has written and flushed; its digest was compared with the sender's. What is incomplete after a
 * failure stays there. */
bool transfer_run(const TransferEnd *from, const TransferEnd *to, bool tree, StreamResult *result,
                  GError **error);
