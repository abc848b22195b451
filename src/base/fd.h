// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptors that are closed once.
 */
#pragma once

#include <unistd.h>

/* Closes if it is open, and marks it closed. */
static inline void
fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* AUTO_FD fd = open(…): closed where its scope ends. */
#define AUTO_FD __attribute__((cleanup(fd_close))) int
