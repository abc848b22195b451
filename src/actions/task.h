// SPDX-License-Identifier: Apache-2.0
/*
 * One action at work: what was asked, by whom, and what OpenNebula says of it. Facts are asked for
 * when they are needed, at most once.
 */
#pragma once

#include "core/driver.h"
#include "one/installation.h"
#include "one/request.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Task {
    const Request *request;
    const Installation *installation;
    const Driver *driver;

    /* Of the driver's message; datastore plane and monitor only. */
    gint64 id;       /* the number that came with the message */
    OneImage *image; /* NULL where the message has none */
    Datastore *datastore;
    XmlDocument *message;
    char *message_text; /* the same as it came; VMM plane only */

    int status; /* of a program that answered in our place */

    OneVm *vm;             /* once asked for */
    GPtrArray *datastores; /* asked for by id */
} Task;

typedef struct Action {
    const char *name;
    const char *arguments; /* synopsis: one word each; "file..." one or more, "[x]" optional */
    bool (*run)(Task *task, char **arguments, GError **error);
    unsigned flags;
} Action;

enum { TAKES_MESSAGE = 1 << 0 }; /* "ID" and stdin, or "MESSAGE ID": see one/request.h */

/* End with a NULL name. */
extern const Action tm_actions[];
extern const Action datastore_actions[];
extern const Action vmm_actions[]; /* also called save_NAME */

/* NULL if the plane has none of this name. */
const Action *action_find(Plane plane, const char *name);

/* Runs it and prints its answer. *status is that of a program that answered in our place. */
bool task_run(const Request *request, const Installation *installation, int *status,
              GError **error);

/* The VM's facts, from oned. Owned by the task. */
const OneVm *task_vm(Task *task, gint64 vm_id, GError **error);
/* The datastore with this id, of this task's driver. Owned by the task. */
Datastore *task_datastore(Task *task, gint64 id);

/* Where an image waits for its conversion: STAGING_DIR of the datastore, else of the file of
 * settings that the driver's predecessor had, else /var/tmp. Normalised; caller frees. */
char *task_staging(Task *task, GError **error);

/* "clone one:/a one:/b 7 100": what the lock and the mark are given. Caller frees. */
char *task_text(const Task *task);
