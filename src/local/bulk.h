// SPDX-License-Identifier: Apache-2.0
/*
 * Bulk connections: their two descriptors come from another process of this user, `agent bulk
 * TICKET`, which a second ssh has started; the session's worker takes them over, so that whoever
 * reads and writes the storage is under the session's locks, limits and cancel.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Listens for the connection of a new ticket; the caller frees the ticket. -1 on failure. */
int bulk_listen(char **ticket, GError **error);
/* Waits for it and takes the descriptors over: fds[0] to read, fds[1] to write. */
bool bulk_accept(int listener, int fds[2], GError **error);
/* The other side: hands both over and waits until the session lets go of them. */
bool bulk_hand_over(const char *ticket, int in, int out, GError **error);
