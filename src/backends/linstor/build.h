// SPDX-License-Identifier: Apache-2.0
/*
 * What the calls of this folder share: paths, bodies, and the way a call is made.
 */
#pragma once

#include "backends/linstor/calls.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* "a/B/c" from its parts, each escaped; NULL at the end. The caller frees it. */
char *linstor_path(const char *first, ...) G_GNUC_NULL_TERMINATED;

/* A list of strings, an object of properties. New. */
json_t *linstor_list(const char *const *items);
json_t *linstor_map(const char *const *pairs);

/* The three fields of LinstorProps into a body. */
void linstor_add_props(json_t *body, const LinstorProps *props);
bool linstor_props_are_empty(const LinstorProps *props);
/* False with USAGE where something is both set and removed. */
bool linstor_props_check(const LinstorProps *props, GError **error);
/* The fields of a place: a select_filter. New. */
json_t *linstor_filter(const LinstorPlace *place);

/* "/linstor/NAME", the object of steps on a definition. The caller frees it. */
char *linstor_object(const char *name);

/* A change of the definition `name`. `what` has its verb: "cannot WHAT: …". Steals `body`. */
typedef struct LinstorChange {
    const char *method, *path, *name, *what;
    json_t *body;
    bool repeatable;
} LinstorChange;
LinstorResult linstor_change(LinstorClient *client, const LinstorChange *change, json_t **answer,
                             GError **error);

/* From the answer to a call that places replicas. */
void linstor_take_placed(const json_t *answer, LinstorPlaced *placed);

/* One object. `name`: the definition that it is about, or NULL. NULL with error. New. */
json_t *linstor_get(LinstorClient *client, const char *path, const char *name, const char *what,
                    GError **error);

/* A list, each element through `parse` into a new array with `release`. */
GPtrArray *linstor_get_list(LinstorClient *client, const char *path, const char *name,
                            const char *what, void *(*parse)(const json_t *, GError **),
                            GDestroyNotify release, GError **error);

/* The seconds between looks: 100 ms, then longer, up to 2 s. Waits; false with `what` and TIMEOUT
 * after `end` (monotonic), or CANCELLED. */
typedef struct LinstorPause {
    gint64 end;
    unsigned ms;
} LinstorPause;
LinstorPause linstor_pause_for(unsigned timeout_ms);
bool linstor_pause(LinstorPause *pause, GError **error);

/* A DELETE without body. The kernel closes a device a moment after the process that had it ended,
 * so "in use" passes by itself: it is asked again for the client's patience. */
bool linstor_delete_when_closed(LinstorClient *client, const LinstorChange *change, json_t **answer,
                                GError **error);
