// SPDX-License-Identifier: Apache-2.0
/* The one way to a machine, for the files that make up host.h. */
#pragma once

#include "local/operation.h"
#include "remote/host.h"
#include "remote/session.h"

struct Host {
    char *name;
    Session *session;      /* of the front-end: served in this process */
    RemoteSession *remote; /* of another machine, once something was asked of it */
    RemoteSession *begun;  /* will be that */
    GError *failed;        /* why there is none: asked once an action */
    GVariant *frozen;      /* arguments of `thaw`, while a guest stands still */
};

/* Its session, opened when first needed. */
bool host_connect(Host *host, GError **error);

/* `name` is of the table in local/operation.c; `arguments` is consumed. *reply stays NULL when a
 * dry run skips the step; the caller owns it. */
bool host_call(Host *host, const char *name, StepKind kind, const char *object, GVariant *arguments,
               GVariant **reply, GError **error);
/* For the many that only read or write one path and answer nothing of interest. */
bool host_order(Host *host, const char *name, const char *object, GVariant *arguments,
                GError **error);
/* For those that answer: NULL where a dry run skips it, or with an error. */
GVariant *host_ask(Host *host, const char *name, const char *object, GVariant *arguments,
                   GError **error);
