// SPDX-License-Identifier: Apache-2.0
/*
 * The ssh program, found by PATH: OpenNebula's wrapper of that name, if it comes first, adds
 * multiplexing. It gets our whole environment (SSH_AUTH_SOCK, SSH_OPT_CONTROL_MASTER, ONE_*).
 *
 * The remote command is the one string in onevol that a shell reads: sshd gives it to the user's
 * login shell, whichever that is. It is made here and nowhere else.
 */
#pragma once

#include "base/argv.h"
#include "base/command.h"

#include <glib.h>
#include <stdbool.h>

enum {
    SSH_OWN_CONNECTION = 1 << 0, /* not through the site's shared one: it blocks under bulk data */
    SSH_NO_MASTER = 1 << 1,      /* may use the shared one, never becomes it */
    SSH_FORWARD_AGENT = 1 << 2,  /* the host may log in elsewhere with our keys meanwhile */
    SSH_HURRY = 1 << 3,          /* 5 s to connect: there is another way */
};

/* False and USAGE for what ssh could take for an option or a command. */
bool ssh_host_check(const char *host, GError **error);

/* `script` is for a POSIX shell and holds no single quotes. For another machine to run: the choice
 * of ciphers (local/ciphers.h) is that one's. */
Argv *ssh_argv(const char *host, const char *script, unsigned flags);

/* Starts it, with pipes. The caller closes and reaps. */
bool ssh_start(const char *host, const char *script, unsigned flags, CommandChild *child,
               GError **error);

/* Closes its pipes, ends and reaps it, unless its pid is 0. `kindly`: it gets a second to end by
 * itself first. *status as waitpid(). */
void ssh_end(CommandChild *child, bool kindly, int *status);

/* What an exit of ssh before anything was said means, as an error. Always false. */
bool ssh_explain(int status, const char *said, GError **error);

/* Starts ssh that prints three lines, "onevol-source MODE SIZE" (st_mode in hex), the login's home
 * directory and the file's name without links, and then the file. `host` may begin with "user@";
 * port 0 is the usual one. `path` holds no control characters. */
bool ssh_read_file(const char *host, guint port, const char *path, CommandChild *child,
                   GError **error);
