// SPDX-License-Identifier: Apache-2.0
/*
 * Transfer Manager actions: scripts as oned writes them and one_tm reads them, and the single lines
 * that one_vmm_exec runs (src/tm/TransferManager.cc, src/tm_mad/one_tm.rb,
 * src/vmm_mad/exec/one_vmm_exec.rb).
 */
#pragma once

#include "verify/play.h"

typedef enum {
    EFFECT_NONE,
    EFFECT_MADE,     /* the disk is there */
    EFFECT_RELEASED, /* mvds: its data is the image's now */
    EFFECT_DELETED,
    EFFECT_DIRECTORY_DELETED,
    EFFECT_DIRECTORY_MOVED,
    EFFECT_KERNEL,
    EFFECT_RAMDISK,
    EFFECT_RESIZED,
    EFFECT_SNAPSHOT_MADE,
    EFFECT_SNAPSHOT_DELETED,
    EFFECT_SNAPSHOT_REVERTED,
    EFFECT_SAVED, /* cpds */
} Effect;

typedef struct Step {
    char *line; /* as oned writes it */
    char *what;
    Effect effect;
    Disk *disk;
    Place place; /* that the line names; of MV the destination */
    int snapshot;
    guint64 size_mb;
    Image *target; /* of cpds */
} Step;

/* Lists of Step. */
GPtrArray *steps_new(void);
void steps_prolog(const Player *player, const Vm *vm, GPtrArray *steps);
void steps_prolog_disk(const Player *player, const Vm *vm, Disk *disk, GPtrArray *steps);
/* The end of a VM's use of its disks, then its directory. `host`: NULL, or the front-end for
 * stopped ones. */
void steps_epilog(const Player *player, const Vm *vm, const Host *host, GPtrArray *steps);
void steps_epilog_disk(const Player *player, const Vm *vm, Disk *disk, const Host *host,
                       GPtrArray *steps);
/* DELETE for every disk, as recover does, in the place that this record of its history names. */
void steps_delete(const Player *player, const Vm *vm, const History *record, GPtrArray *steps);
void steps_move(const Player *player, Vm *vm, const Host *from, Datastore *from_datastore,
                const Host *to, Datastore *to_datastore, GPtrArray *steps);
void steps_resize(const Player *player, const Vm *vm, Disk *disk, guint64 size_mb,
                  GPtrArray *steps);
/* "snap_create", "snap_create_live", "snap_delete", "snap_revert" */
void steps_snapshot(const Player *player, const Vm *vm, const char *action, Disk *disk, int id,
                    GPtrArray *steps);
void steps_save(const Player *player, const Vm *vm, const Host *host, Disk *disk, int snapshot,
                Image *target, GPtrArray *steps);

/*
 * Writes the script to vms/ID/transfer.SEQ.NAME, reads it back as one_tm does and runs its lines.
 * After the first that fails no other one runs. With `name` NULL it is a line of one_vmm_exec and
 * no file is written. Takes the steps over.
 */
bool transfer_play(Player *player, Vm *vm, const char *name, GPtrArray *steps);
/* The one line of `steps` has to be refused, or may be. */
bool transfer_refused(Player *player, Vm *vm, const char *name, GPtrArray *steps,
                      Expectation expectation);

/* The whole script is to end with a refusal of its last line, or before. */
void transfer_refused_in_the_end(Player *player, Vm *vm, const char *name, GPtrArray *steps);

/* One line of any form; for refusals. */
Row *transfer_line(Player *player, const char *line, const char *what, Expectation expectation,
                   PlayAnswer *answer);
/* The same with more input than an empty stdin. */
Row *transfer_line_input(Player *player, const char *line, const char *input, const char *what,
                         Expectation expectation, PlayAnswer *answer);
