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

/* What a session holds on its machine between two requests: its locks. */
typedef struct Session Session;

Session *session_new(void);
/* Releases every lock that is still held. */
void session_free(Session *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Session, session_free)

typedef struct Operation {
    const char *name;
    StepKind kind;         /* `run` may be either: the caller says */
    const char *arguments; /* GVariant type of the request */
    const char *reply;     /* and of the answer */
    /* *reply is a new (floating or full) reference on success. */
    bool (*run)(Session *session, GVariant *arguments, GVariant **reply, GError **error);
} Operation;

/* NULL if there is none of this name. */
const Operation *operation_find(const char *name);

/* Checks the type of `arguments` before it calls. */
bool operation_run(const Operation *operation, Session *session, GVariant *arguments,
                   GVariant **reply, GError **error);
