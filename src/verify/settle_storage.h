// SPDX-License-Identifier: Apache-2.0
/*
 * What settle() looks at where volumes are devices, and reading of single ones.
 */
#pragma once

#include "verify/play.h"

void settle_storage(Player *player, Row *row);

/* The disk as its guest sees it, or as the storage has it while it is nowhere attached. `bytes`:
 * what it was made with, see storage_read(). Of files, too. */
bool settle_read_disk(const Player *player, const Vm *vm, const Disk *disk, guint64 bytes,
                      Content *content, GError **error);
bool settle_read_image(const Player *player, const Image *image, Content *content, GError **error);
/* NULL: nobody knows, or volumes are files. */
const char *settle_image_format(const Player *player, const char *source);
