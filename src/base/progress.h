// SPDX-License-Identifier: Apache-2.0
/*
 * How far a long work is: a bar where somebody watches (stderr is a terminal), else a log line now
 * and then. A process that works for another counts into memory that both see, and prints nothing.
 *
 *   progress_begin("copying image 7");
 *   progress_expect(size);               as soon as it is known; may grow
 *   progress_add(length);                as it goes on
 *   progress_end();
 *
 * Begins may nest: the outermost names the work, the others only count. What takes less than a
 * second is not shown, and without a terminal what takes less than 10 s.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct ProgressCounter {
    guint64 done, total; /* bytes; total 0: not known */
} ProgressCounter;

/* From here on this process counts there. */
void progress_share(ProgressCounter *shared);

void progress_begin(const char *what);
void progress_expect(guint64 bytes);
void progress_add(guint64 bytes);
/* What another process has counted of the same work. */
void progress_set(guint64 done, guint64 total);
void progress_end(void);

/* Before anything else is written to stderr: takes the bar away. */
void progress_hide(void);

/* One line for a person: what, bytes, percent, rate, time left. The caller frees it. */
char *progress_text(const char *what, guint64 done, guint64 total, double seconds);

/* Whether a log line is due, `now` and `last` in seconds since the beginning: 10 s after the one
 * before if a tenth more is done, at the latest after a minute. */
bool progress_line_is_due(double now, double last, guint64 done, guint64 last_done, guint64 total);
