// SPDX-License-Identifier: Apache-2.0
/*
 * A storage whose volumes are devices, as a program tells of it that has nothing to do with the
 * tested ones (--storage). It is called as
 *
 *   PROGRAM list              a line for each volume: NAME DEVICE HOSTS TWO STAMP
 *                             and one for each snapshot: NAME@SNAPSHOT
 *   PROGRAM read NAME FILE    its content becomes that file's, with holes where it can
 *
 * DEVICE is the path by which hosts open it. HOSTS are those that it is attached to, with commas,
 * or
 * "-": not those that can read it anyway because they hold its data. TWO is "two" while two hosts
 * may write, else "-". STAMP changes with the content; "-" where nobody knows.
 */
#pragma once

#include "verify/content.h"

typedef struct Storage Storage;

typedef struct Stored {
    char *name, *device, *stamp;
    char **hosts;
    bool two;
    guint snapshots;
} Stored;

/* `program` is kept by reference. */
Storage *storage_new(const char *program);
void storage_free(Storage *storage);

/* Asks what there is now: what was found before is not valid any more. */
bool storage_look(Storage *storage, GError **error);
/* Of Stored, by name. */
const GPtrArray *storage_all(const Storage *storage);
/* By its name or its device; NULL if it is not there. */
const Stored *storage_find(const Storage *storage, const char *text);

/* What it holds, as the storage says. A raw one that is larger than `bytes` is taken as that large
 * (it was rounded up), if it is empty behind; 0: all of it. */
bool storage_read(Storage *storage, const Stored *stored, const char *format, guint64 bytes,
                  Content *content, GError **error);
/* The same through a link on a host. */
bool storage_read_link(Storage *storage, const Stored *stored, const Host *host, const char *path,
                       const char *format, guint64 bytes, Content *content, GError **error);
/* Its format by its first bytes: raw or qcow2. */
const char *storage_format(Storage *storage, const Stored *stored, GError **error);
