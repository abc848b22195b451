// SPDX-License-Identifier: Apache-2.0
/*
 * A running guest's disk, copied by its own qemu as a job of libvirt: for file systems that cannot
 * share blocks. The copy is of one instant, for which alone the guest may have to be stopped.
 *
 * Backup (libvirt 7.2, and 6.0 with switches): the instant is the job's begin. Mirror (virsh
 * blockcopy, all releases): the instant is its end, once it has caught up. A job that nobody waits
 * for any more is ended by block_job_abort(), which is meant for a guardian.
 */
#pragma once

#include "local/guest.h"

typedef enum { BLOCK_JOB_BACKUP, BLOCK_JOB_MIRROR } BlockJobKind;

typedef struct BlockJob {
    const Guest *guest;
    BlockJobKind kind;
    const GuestDisk *disk;
    const char *target; /* a file that is not there yet, in the format of the disk */
    bool begun;         /* there may be a job */
    bool taken;         /* libvirt has agreed to it */
} BlockJob;

/* The instant of a backup. */
bool block_job_begin(BlockJob *job, unsigned timeout_ms, GError **error);
/* A backup's end, or a mirror that has caught up. As long as the job moves on, this waits. */
bool block_job_wait(BlockJob *job, GError **error);
/* The instant of a mirror. */
bool block_job_finish(BlockJob *job, unsigned timeout_ms, GError **error);
/* Flushes what a job has made, and gives back the space of zeros. */
bool block_job_settle(const BlockJob *job, GError **error);

/* Ends the BlockJob `data` if it is there, and whatever order to begin it is still on its way. */
bool block_job_abort(const void *data);
