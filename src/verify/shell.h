// SPDX-License-Identifier: Apache-2.0
/*
 * A shell on another machine, behind one ssh connection.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Shell Shell;

Shell *shell_start(const char *host, GError **error);
void shell_end(Shell *shell);

/* Runs the script in a shell below it: its output with stderr, and its status. False only if the
 * connection is of no use any more. */
bool shell_run(Shell *shell, const char *script, GBytes **output, int *status, GError **error);
/* Lets the shell itself do it, for what has to stay. The script must not fail or print. */
bool shell_do(Shell *shell, const char *script, GError **error);
