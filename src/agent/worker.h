// SPDX-License-Identifier: Apache-2.0
/*
 * One request at work: a forked process, so that a hung one can be left alone.
 *
 * It has the descriptors of the session's locks. Should it, or a child of it, be stuck in the
 * kernel or run as root, it cannot be ended; it then is the locks' *warden*: they stay taken until
 * it is gone, whatever becomes of the session.
 */
#pragma once

#include "base/progress.h"
#include "local/operation.h"

#include <glib.h>
#include <stdbool.h>

typedef enum {
    WORKER_RUNS,
    WORKER_ANSWERED, /* type and answer are valid; the process may still be there, as a warden */
    WORKER_DIED,     /* without an answer */
    WORKER_STUCK,    /* cannot be ended */
} WorkerState;

typedef struct WorkerSigns {
    guint64 life; /* counts signs of life */
    ProgressCounter progress;
} WorkerSigns;

typedef struct Worker {
    guint32 stream;
    const Operation *operation;
    GVariant *arguments;
    pid_t pid; /* 0 once it is reaped */
    int fd;
    WorkerState state;
    guint8 type; /* FRAME_REPLY or FRAME_ERROR */
    GByteArray *answer;
    int kept_fd; /* what a request that succeeded leaves with the session, else -1 */

    WorkerSigns *signs; /* shared with it */
    guint64 signs_seen;
    guint64 progress_told; /* bytes */
    gint64 progress_told_at;
    gint64 alive_at;
    gint64 term_at, kill_at; /* when it was told to end; 0: not yet */
    bool felled;             /* by another hand, even if it was told to end by then */
    bool hung;               /* ended for showing no sign of life */
    bool told;               /* the front-end has its answer */
} Worker;

/* `log_fd` becomes its stderr. NULL on failure. */
Worker *worker_start(Session *session, guint32 stream, const Operation *operation,
                     GVariant *arguments, int log_fd, GError **error);
void worker_free(gpointer worker);

/* Its descriptor has something. */
void worker_read(Worker *worker);

/* Looks at the clock: ends a hung one, first kindly, then not. `limit_ms` shortens the operation's
 * own limit unless it is 0. */
void worker_look(Worker *worker, unsigned limit_ms);

/* True, at most once a second, if it has got further: *progress says how far. */
bool worker_progress(Worker *worker, ProgressCounter *progress);

/* Tells it to end. */
void worker_cancel(Worker *worker);

/* True once its process is gone. */
bool worker_is_gone(const Worker *worker);

/* What it does, for messages: "copy '/a/b'". The caller frees it. */
char *worker_text(const Worker *worker);
