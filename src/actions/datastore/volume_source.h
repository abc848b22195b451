// SPDX-License-Identifier: Apache-2.0
/*
 * Images made of what is there already: vol://IMAGE_ID and lvm://VM_ID/DISK_ID.
 *
 * Who asks is the owner of the new image (UID in the message of cp); stat is not told, and answers
 * with the size that oned itself shows.
 */
#pragma once

#include "actions/datastore/source.h"

/* Fills image, an incomplete volume from then on, in `format` (NULL: as it is). DENIED unless the
 * user may use it; REFUSED if it is being written to and cannot be copied at one instant. */
bool volume_source_import(Task *task, const SourceUrl *url, const char *format, Volume *image,
                          GError **error);

/* MD5, SHA1 and SHA256 of the image, should somebody give them, are those of `content`. */
bool volume_check_sums(const Task *task, const char *shown, const Endpoint *content,
                       GError **error);

/* The size in MiB. */
bool volume_source_size(const SourceUrl *url, guint64 *mib, GError **error);
