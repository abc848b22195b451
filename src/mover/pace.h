// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes per second on a connection: writes come evenly, and never more than a quarter of a second's
 * worth at once, also after a pause.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Pace {
    guint64 rate; /* bytes per second; 0: no limit */
    gint64 next;  /* monotonic µs: when all before is paid for */
} Pace;

/* How much may be written in one go, at least one byte. */
size_t pace_slice(const Pace *pace, size_t length);

/* `length` bytes go at `now`: the µs to wait before. */
gint64 pace_take(Pace *pace, size_t length, gint64 now);
