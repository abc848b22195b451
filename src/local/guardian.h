// SPDX-License-Identifier: Apache-2.0
/*
 * A process outside of our session and group that undoes what must not stay, if this process, its
 * agent, the connection or the front-end dies in between, or does not come back in time.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct Guardian {
    pid_t pid;  /* 0: not a child of this process */
    int socket; /* from it: it is ready, and its last word; to it: all is well; its end: nobody is
                   left */
} Guardian;

/* What guardian_dismiss() answers. */
enum {
    GUARDIAN_LATE = 1,    /* it was not told anything in time, and acted */
    GUARDIAN_IN_VAIN = 2, /* it acted, and could not; or is still at it */
};

/* Runs in the guardian, which holds `lock` and no other descriptor of ours. False: in vain. */
typedef bool (*GuardianAct)(const void *data);

/* On return it is out of reach of what ends us. It acts by itself after `timeout_ms`; -1: never.
 */
bool guardian_start(Guardian *guardian, GuardianAct act, const void *data, int timeout_ms, int lock,
                    GError **error);

/* `well` false: it acts now. Waits at most `wait_ms` for it. */
int guardian_dismiss(Guardian *guardian, bool well, unsigned wait_ms);

/* It has acted, or died, and nobody has asked. */
bool guardian_is_gone(const Guardian *guardian);

/* Sleeps, in a guardian. */
void guardian_pause(unsigned ms);
