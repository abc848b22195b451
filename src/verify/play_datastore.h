// SPDX-License-Identifier: Apache-2.0
/*
 * Datastore actions as one_datastore sends them (src/datastore_mad/one_datastore.rb). Each function
 * plays one action, judges the answer, and settles; NULL or false means that it failed or was
 * wrong.
 */
#pragma once

#include "verify/play.h"

/* Sends a document as the release does: the line and stdin of the call. */
Row *datastore_call(Player *player, const Call *call, const char *document, int id,
                    PlayAnswer *answer);
/* The action's file, or the name it should have: a missing one then fails as it does under oned. */
char *datastore_program(const Player *player, const char *plane, const char *action);

bool datastore_stat(Player *player, const char *path, Datastore *datastore, guint64 expected_mb,
                    const char *what);

typedef struct Import {
    ImageType type;
    Datastore *datastore;
    const char *source;        /* a file's name in the sources, or a path: the content */
    const char *path;          /* PATH, if it is something else than that */
    const char *source_format; /* raw or qcow2 */
    const char *format;        /* of the image that has to come out */
    const char *checksum_name, *checksum;
    bool persistent, shareable;
    guint64 size_mb; /* what a refused one was registered with, 0: enough */
    const char *what;
} Import;

Image *datastore_cp(Player *player, const Import *import);
/* The same import must be refused and leave nothing. */
bool datastore_cp_refused(Player *player, const Import *import);

Image *datastore_mkfs(Player *player, Datastore *datastore, const char *format,
                      const char *file_system, guint64 size_mb, bool persistent);
/* As DISK_SAVEAS does before CPDS. */
Image *datastore_mkfs_save_as(Player *player, const Vm *vm, const Disk *disk, guint64 size_mb);
Image *datastore_clone(Player *player, Image *original);
/* Removes it for good: with twice, a second time too. */
bool datastore_rm(Player *player, Image *image);
bool datastore_monitor(Player *player, Datastore *datastore, bool vm_disks);
/* What the host's probe runs for a datastore of its own; nothing where no driver file is for it. */
bool host_monitor(Player *player, const Host *host, Datastore *datastore);
/* snap_delete, snap_revert, snap_flatten */
bool datastore_snapshot(Player *player, const char *action, Image *image, int snapshot);
bool datastore_export(Player *player, Image *image);
