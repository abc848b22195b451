// SPDX-License-Identifier: Apache-2.0
/*
 * The agent on a host: where it lies, how it is started, how it gets there.
 *
 * It lies in /var/tmp/onevol-agent-<uid>/, outside the tree that `onehost sync` overwrites, under a
 * name with the build's hash, so that two releases share a host during an upgrade.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The hash of this program's agent. */
const char *deploy_build(void);

/* Scripts for ssh_start(); the caller frees them. Exit 127 and DEPLOY_MISSING on stderr: the agent
 * is not there. */
#define DEPLOY_MISSING "onevol-agent is not there, machine "
char *deploy_serve_script(void);
/* `mode` is bulk or direct. */
char *deploy_bulk_script(const char *mode, const char *ticket);

/* The agent for machines of the kind `machine` (as `uname -m` says), from beside this program or
 * where it was installed. The caller frees both. */
bool deploy_read_agent(const char *machine, char **path, char **content, gsize *length,
                       GError **error);

/* Copies the agent for `machine` (as `uname -m` says) there and lets it say its build once. */
bool deploy_push(const char *host, const char *machine, GError **error);
