// SPDX-License-Identifier: Apache-2.0
/*
 * The source's end of a copy straight from host to host: starts the ssh that leads to the target
 * and gives its pipes to the session that reads the source.
 *
 * It runs in an ssh connection of its own, the only one to which the front-end forwards its ssh
 * agent. The command comes on stdin, since only the front-end quotes for shells: a length (u32)
 * and a GVariant of type "as".
 */
#pragma once

#define DIRECT_LIMIT 65536u

/* Writes the preamble and then DIRECT_YES to stdout once the target's agent has answered; else
 * DIRECT_NO, the reason to stderr, and the session gets this connection. An exit status. */
int agent_direct(const char *ticket);
