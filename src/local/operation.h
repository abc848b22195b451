// SPDX-License-Identifier: Apache-2.0
/*
 * What one machine can be asked to do: files, links, locks, commands, builds.
 *
 * One table serves the front-end, which calls it in its own process for itself, and the agent,
 * which serves it to the front-end on hosts. Arguments and replies are GVariants of the types in
 * the table, so that a request travels as it stands.
 */
#pragma once

#include "base/step.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* What a session holds on its machine between two requests: its locks and unfinished builds. */
typedef struct Session Session;

Session *session_new(void);
/* Drops builds that are not complete and releases every lock, but those that a child needs which
 * cannot be killed: a process stays behind with them until it is gone. */
void session_free(Session *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Session, session_free)

typedef struct Operation {
    const char *name;
    StepKind kind;         /* `run` may be either: the caller says */
    const char *arguments; /* GVariant type of the request */
    const char *reply;     /* and of the answer */
    /* *reply is a new (floating or full) reference on success. */
    bool (*run)(Session *session, GVariant *arguments, GVariant **reply, GError **error);
    unsigned idle_s; /* no sign of life for so long: it hangs */
    bool inside;     /* quick, and runs in the session's own process */
} Operation;

/* NULL if there is none of this name. */
const Operation *operation_find(const char *name);

/* Checks the type of `arguments` before it calls, and notes what the session now holds. */
bool operation_run(const Operation *operation, Session *session, GVariant *arguments,
                   GVariant **reply, GError **error);

/* For an agent, whose requests run in processes of their own. */

/* Notes in `session` what a request that succeeded elsewhere has left to undo. */
void session_note(Session *session, const Operation *operation, GVariant *arguments);
/* The descriptor that a request which succeeded leaves with the session: a lock's, a guardian's;
 * -1: none. */
int session_kept(const Session *session, const Operation *operation, GVariant *arguments);
/* Takes it over in the session's own process. */
void session_keep(Session *session, const Operation *operation, GVariant *arguments, int fd);
/* A guest that stands still is let go on by its guardian. */
void session_let_go_on(Session *session);
/* Takes a locked descriptor over. */
void session_add_lock(Session *session, const char *key, int fd);
/* The descriptor of a lock, or -1. */
int session_lock_fd(const Session *session, const char *key);
/* Drops the builds that nobody finished. */
void session_abandon_builds(Session *session);
/* Writes into all locks that process `pid` keeps them, busy with `what`. */
void session_mark_locks(Session *session, pid_t pid, const char *what);
/* Forgets all locks without releasing those that another process has open too. */
void session_keep_locks(Session *session);
