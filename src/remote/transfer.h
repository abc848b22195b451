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
    RemoteSession *session;  /* NULL: this machine */
    const char *path;        /* a file or device */
    const ByteSource *bytes; /* instead of a path to read: what this process makes */
    bool tree;               /* a directory may come, at both ends */
} TransferEnd;

/* *result is what the receiver has written and flushed; its digest was compared with the sender's.
 * What is incomplete after a failure stays there. `options` may be NULL. */
bool transfer_run(const TransferEnd *from, const TransferEnd *to, const MoveOptions *options,
                  StreamResult *result, GError **error);

/* DIRECT=NO: no host connects to another. ONEVOL_DIRECT in the environment wins. */
void transfer_forbid_direct(void);
