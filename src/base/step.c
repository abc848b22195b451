// SPDX-License-Identifier: Apache-2.0
#include "base/step.h"

#include "base/error.h"
#include "base/log.h"
#include "base/path.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static bool dry_run;
static unsigned steps;
static GPtrArray *skipped; /* objects of WRITE steps that a dry run did not do */

void
step_set_dry_run(bool on)
{
    dry_run = on;
}

bool
step_is_dry_run(void)
{
    return dry_run;
}

unsigned
step_count(void)
{
    return steps;
}

static bool
fault_is(const char *name)
{
    const char *fault = getenv("ONEVOL_FAULT");
    size_t length = strlen(name);

    return fault && !strncmp(fault, name, length) && fault[length] == ':' &&
           (unsigned)atol(fault + length + 1) == steps;
}

static const char *
skipped_before(const char *object)
{
    for (guint i = 0; skipped && i < skipped->len; i++) {
        const char *other = g_ptr_array_index(skipped, i);
        if (!strcmp(object, other) || path_is_below(object, other) || path_is_below(other, object))
            return other;
    }
    return NULL;
}

StepVerdict
step_begin(StepKind kind, const char *what, const char *object, GError **error)
{
    steps++;
    log_debug("step %u %s: %s", steps, kind == STEP_WRITE ? "WRITE" : "READ", what);

    if (fault_is("kill-before"))
        raise(SIGKILL);
    if (fault_is("fail")) {
        set_error(error, ONEVOL_ERROR_FAILED, "step %u fails on purpose: %s", steps, what);
        return STEP_STOP;
    }
    if (!dry_run)
        return STEP_DO;

    if (kind == STEP_WRITE) {
        log_info("would do step %u: %s", steps, what);
        if (!skipped)
            skipped = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(skipped, g_strdup(object));
        return STEP_SKIP;
    }
    const char *other = skipped_before(object);
    if (!other)
        return STEP_DO;
    set_error(error, ONEVOL_ERROR_FAILED,
              "dry run ends before step %u (%s): it depends on '%s', which was not changed", steps,
              what, other);
    return STEP_STOP;
}

void
step_end(void)
{
    if (fault_is("kill-after"))
        raise(SIGKILL);
}
