// SPDX-License-Identifier: Apache-2.0
/*
 * Copy-on-write clones: gfs2clvm's second generation made a VM's disk as LVM's snapshot of its
 * image. We make none, but those that are there go on until their VM ends.
 *
 * LVM can activate an image with its clones only all together, and two hosts at once spoil them. So
 * they stay together: while one has siblings it leaves its host only by its removal, and the image
 * is read where they are.
 */
#pragma once

#include "backends/lvm/activate.h"

/* Before it is activated on `host`: its image has to be there, and its siblings already are. */
bool cow_take_origin(Volume *volume, const Found *found, Host *host, GError **error);
/* May it be switched off on `host`? UNSUPPORTED if that would take its siblings along. */
bool cow_check_alone(const Found *found, Host *host, GError **error);
/* As a guest sees it; LVM reports its store's. */
bool cow_size(const Volume *volume, const Found *found, guint64 *size, GError **error);
/* An image is read where its clones are. */
bool cow_check_readable(const Found *found, Host *host, GError **error);
