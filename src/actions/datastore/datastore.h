// SPDX-License-Identifier: Apache-2.0
/*
 * The datastore actions (called by src/datastore_mad/one_datastore.rb), one a file, and what
 * several of them share.
 *
 * stdout is oned's: exactly one line (none from rm).
 */
#pragma once

#include "actions/task.h"

bool datastore_export(Task *task, char **arguments, GError **error);
bool datastore_snap_delete(Task *task, char **arguments, GError **error);
bool datastore_snap_revert(Task *task, char **arguments, GError **error);
bool datastore_snap_flatten(Task *task, char **arguments, GError **error);
bool datastore_clone(Task *task, char **arguments, GError **error);
bool datastore_cp(Task *task, char **arguments, GError **error);
bool datastore_mkfs(Task *task, char **arguments, GError **error);
bool datastore_rm(Task *task, char **arguments, GError **error);
bool datastore_stat(Task *task, char **arguments, GError **error);

/* The message's IMAGE, or USAGE. */
bool datastore_require_image(Task *task, GError **error);

/* The volume that the message's image has: its SOURCE. */
Volume *datastore_image(Task *task, GError **error);

/* A new image volume for the message's image. `format` may be NULL. */
Volume *datastore_new_image(Task *task, const char *format, GError **error);

/* Does the message's PATH name install media, which stay files? */
bool datastore_is_media(const Task *task);
/* Its volume, found and allowed. */
Volume *datastore_media(Task *task, GError **error);
bool datastore_cp_media(Task *task, GError **error);

/* The answer of cp and clone: "SOURCE FORMAT", up to 5.12 "SOURCE". */
void datastore_print_source(Task *task, const Volume *volume, bool with_format);
