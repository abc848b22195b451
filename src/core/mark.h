// SPDX-License-Identifier: Apache-2.0
/*
 * The mark of a volume that is not complete yet: who builds it, and a random token.
 *
 * A mark lives with the volume (a file beside it, an LVM tag, a LINSTOR property), never in a
 * database on the front-end. No mark means complete: volumes of predecessors have none. Whoever
 * takes a leftover over writes its own token; finalising or undoing checks the token first.
 */
#pragma once

#include <glib.h>

typedef struct Mark {
    char *token;
    char *text; /* JSON, one line: version, token, action, owner, host, pid, started */
} Mark;

/* `action` with its arguments; `owner` is what the volume belongs to ("image 12", "VM 7 disk 0").
 */
Mark *mark_new(const char *action, const char *owner);
void mark_free(Mark *mark);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Mark, mark_free)
