// SPDX-License-Identifier: Apache-2.0
/*
 * Children: argv, a deadline, the C locale, no stray descriptors, both outputs kept.
 *
 * A child gets a process group of its own, so that its whole family can be ended, and dies with
 * this process. What it prints is bounded: past COMMAND_OUTPUT_LIMIT it is ended as an error.
 */
#pragma once

#include "base/argv.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define COMMAND_OUTPUT_LIMIT (64u << 20)
#define SECONDS(n) ((unsigned)(n)*1000u)

typedef struct CommandResult {
    int status; /* the exit code; 128 + N for signal N */
    char *out;  /* never NULL, NUL behind its end */
    size_t out_length;
    char *err; /* never NULL */
} CommandResult;

typedef struct CommandOptions {
    unsigned timeout_ms; /* required: a child without a deadline is a bug */
    const void *input;   /* for its stdin, or NULL for an empty one */
    size_t input_length;
    const char *const *set; /* "NAME=value" on top of our environment, or NULL */
    const char *directory;  /* to start in, or NULL */
    bool keep_locale;       /* LC_ALL is left as it is */
} CommandOptions;

/* Runs a child to its end. True if it ran, whatever its exit status: see result->status. False if
 * it could not be started, did not end in time (ended by then: TIMEOUT) or was cancelled. */
bool command_run(const Argv *argv, const CommandOptions *options, CommandResult *result,
                 GError **error);

/* The same, but an exit status other than 0 is an error too, whose text names the program, its
 * status and what it said on stderr. `out` may be NULL. */
bool command_check(const Argv *argv, const CommandOptions *options, char **out, GError **error);

/* The error that an exit status other than 0 makes: program, status, and what it said on stderr, or
 * on stdout if it said nothing there. Returns false. */
bool command_judge(const Argv *argv, int status, const char *err, const char *out, GError **error);

/* A child that goes on beside us: ssh. It dies with the thread that started it. */
typedef struct CommandChild {
    pid_t pid;
    int in, out, err; /* our ends, -1 when closed */
} CommandChild;

/* Starts a child with pipes to it; only `set`, `directory` and `keep_locale` of the options count.
 * The caller closes the ends and reaps it. */
bool command_start(const Argv *argv, const CommandOptions *options, CommandChild *child,
                   GError **error);

/* Waits at most that long for a child to end; *status is as waitpid() gives it. */
bool command_reap(pid_t pid, int *status, unsigned timeout_ms);

/* The last child of command_run() that could not be killed: it waits for its storage, or runs as
 * root. 0 if there is none. Whoever holds locks for it must keep them until it is gone. */
pid_t command_left_behind(void);

void command_result_clear(CommandResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CommandResult, command_result_clear)

/* Appends the sbin directories to PATH where they are missing: mkfs and mkswap live there, and an
 * unprivileged user's PATH may not have them. Once, at the start of a program. */
void command_extend_path(void);

/* After cancel_requested() children are ended and command_run() fails with CANCELLED. Set by the
 * handlers of SIGTERM, SIGINT and SIGHUP that cancel_install() puts in place. */
void cancel_install(void);
bool cancel_requested(void);
/* False and CANCELLED if somebody asked this process to stop. */
bool cancel_check(GError **error);
/* Forgets a signal, for what must still be undone after it. */
void cancel_forget(void);
/* cancel_check() adds one there each time: how another process sees that work goes on. */
void cancel_count_checks(guint64 *counter);
