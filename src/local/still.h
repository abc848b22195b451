// SPDX-License-Identifier: Apache-2.0
/*
 * A guest that stands still for an instant: frozen, or suspended. A guardian lets it go on whoever
 * dies, within ten seconds. Who comes next for the same guest waits for that guardian, which would
 * let it go on in the middle of the other's work.
 */
#pragma once

#include "local/guardian.h"
#include "local/guest.h"

#define STILL_LIMIT_MS 7000u /* after that the guardian acts by itself */

typedef struct Way {
    const char *stop, *go, *what; /* commands of virsh, and words for people */
} Way;

extern const Way way_freeze, way_suspend;

typedef struct Still {
    Guest guest;
    const Way *way;
    Guardian guardian;
    bool stopped; /* the order to stop was obeyed: another way is of no use */
    int limit_ms; /* of the guardian; -1: none */
} Still;

/* The lock of a guest on this machine; -1 on failure. */
int still_lock(const Guest *guest, GError **error);

/* `lock` is the guest's. False: it does not stand still, but still_end() must follow all the same,
 * unless no guardian could be started (guardian.pid is 0 then). */
bool still_begin(Still *still, int lock, GError **error);

/* It goes on. `failed` is what went wrong meanwhile or before, or NULL. False: it may still stand
 * still; or nothing had failed, but the guardian let it go on before us, so that what was done in
 * between is not of one instant. */
bool still_end(Still *still, const GError *failed, GError **error);

/* What libvirt says; NOT_FOUND if it knows no such guest. */
bool guest_is_running(const Guest *guest, bool *running, GError **error);
