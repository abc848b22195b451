// SPDX-License-Identifier: Apache-2.0
/*
 * The one choke point: every request to a host, REST call and command passes step_begin(), which
 * numbers it, logs it, and knows whether it changes anything.
 *
 * `--dry-run` skips WRITE steps; a later READ of something that a skipped step would have changed
 * cannot be answered, so the run stops there and says so. Fault tests use the same numbers:
 * ONEVOL_FAULT=kill-before:N or kill-after:N ends the process with SIGKILL around step N,
 * ONEVOL_FAULT=fail:N makes it fail.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum { STEP_READ, STEP_WRITE } StepKind;

typedef enum {
    STEP_DO,   /* carry it out, then call step_end() */
    STEP_SKIP, /* dry run: report success without doing it */
    STEP_STOP, /* error is set */
} StepVerdict;

void step_set_dry_run(bool dry_run);
bool step_is_dry_run(void);

/* `object` is what the step reads or changes (a path, a volume, a resource); things below it, by
 * '/', belong to it. `what` is for people: "mkdir on host 'kvm3'". */
StepVerdict step_begin(StepKind kind, const char *what, const char *object, GError **error);
void step_end(void);

/* Steps so far, for tests and the summary of a dry run. */
unsigned step_count(void);
