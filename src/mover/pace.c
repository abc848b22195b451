// SPDX-License-Identifier: Apache-2.0
#include "mover/pace.h"

#define SLICES 20u                 /* a second's bytes go in so many writes, or more */
#define BURST (G_USEC_PER_SEC / 4) /* what a pause gives back at most */

size_t
pace_slice(const Pace *pace, size_t length)
{
    return pace->rate ? (size_t)MIN(length, MAX(pace->rate / SLICES, 1)) : length;
}

gint64
pace_take(Pace *pace, size_t length, gint64 now)
{
    if (!pace->rate)
        return 0;
    pace->next = MAX(pace->next, now - BURST);
    gint64 wait = MAX(pace->next - now, 0);
    pace->next += (gint64)((double)length * G_USEC_PER_SEC / (double)pace->rate);
    return wait;
}
