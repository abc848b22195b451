// SPDX-License-Identifier: Apache-2.0
/*
 * The functions behind the table of operations. Each takes the tuple that operation.c names for
 * it; all paths are absolute and normalised by the caller.
 */
#pragma once

#include "local/operation.h"

#define HANDLER(name)                                                                              \
    bool name(Session *session, GVariant *arguments, GVariant **reply, GError **error)

/* files.c */
HANDLER(local_stat);
HANDLER(local_list);
HANDLER(local_read);
HANDLER(local_resolve);
HANDLER(local_space);
HANDLER(local_digest);
HANDLER(local_make_directory);
HANDLER(local_link);
HANDLER(local_remove);
HANDLER(local_remove_tree);
HANDLER(local_rename);
HANDLER(local_write);
HANDLER(local_allocate);
HANDLER(local_reserve);
HANDLER(local_copy);
HANDLER(local_copy_tree);

/* build.c */
HANDLER(local_build_begin);
HANDLER(local_build_commit);
HANDLER(local_build_abandon);

/* look.c */
HANDLER(local_flush);
HANDLER(local_find_above);
HANDLER(local_find_link);
HANDLER(local_find_program);
/* What this machine has written to `path`, by whatever process, is with the storage's servers. */
bool flush_file(const char *path, GError **error);

/* lock.c */
HANDLER(local_lock);
HANDLER(local_unlock);
HANDLER(local_share);
HANDLER(local_unshare);

/* freeze.c */
HANDLER(local_frozen_copy);
HANDLER(local_freeze);
HANDLER(local_thaw);

/* checkpoint.c */
HANDLER(local_guest_save);
HANDLER(local_guest_restore);

/* run.c */
HANDLER(local_run);

/* bulk.c */
HANDLER(local_bulk_open);
HANDLER(local_send);
HANDLER(local_receive);
