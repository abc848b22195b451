// SPDX-License-Identifier: Apache-2.0
/*
 * The calls that a storage driver makes: one function, one call, unless it says otherwise.
 *
 * A change is true only if it took place: what LINSTOR answers with "nothing done" under HTTP 200
 * is an error where a change was asked for, and success where the state is the one that was asked
 * for (deleting what is gone). In a dry run changes are skipped and succeed.
 *
 * An answer that was lost is looked up where the object tells whether it was made by this call:
 * definitions by the properties they were given, volumes by their size, snapshots and clones by
 * their name. Everything else fails with UNREACHABLE or TIMEOUT, and its state is not known.
 *
 * Errors carry LINSTOR's own sentence. linstor_failure() has the code where a caller decides by it.
 */
#pragma once

#include "backends/linstor/client.h"
#include "backends/linstor/model.h"

/* Properties of a definition; "Aux/…" are free. LINSTOR sets first and removes then: a key that is
 * set must not be among what is removed (USAGE). */
typedef struct LinstorProps {
    const char *const *set;               /* key, value, key, value …, NULL; or NULL */
    const char *const *remove;            /* keys, or NULL */
    const char *const *remove_namespaces; /* as "Aux/one", or NULL */
} LinstorProps;

/* Where replicas may go. NULL and 0: what the group says. */
typedef struct LinstorPlace {
    unsigned count;      /* replicas in all */
    unsigned additional; /* or so many more */
    const char *const *nodes, *const *pools, *const *providers, *const *layers;
    const char *const *same, *const
                                 *different; /* of nodes' properties; "Aux/" is put before them */
    const char *const *not_with;             /* definitions */
    const char *not_with_regex;
} LinstorPlace;

/* The site. Lists are GPtrArray of the struct, freed with it. */
GPtrArray *linstor_nodes(LinstorClient *client, GError **error);
/* `names`: NULL-terminated, or NULL for all. What LINSTOR knows from its last look: it does not
 * wait for satellites. */
GPtrArray *linstor_pools(LinstorClient *client, const char *const *names, GError **error);
LinstorGroup *linstor_group(LinstorClient *client, const char *name, GError **error);
/* Divided by the replicas, as OpenNebula wants it. UNSUPPORTED before LINSTOR_QUERY_SIZE. */
bool linstor_query_size(LinstorClient *client, const char *group, LinstorSpace *space,
                        GError **error);
/* "unset", "locked" or "unlocked"; the caller frees it. UNSUPPORTED before
 * LINSTOR_PASSPHRASE_STATUS. */
char *linstor_passphrase_status(LinstorClient *client, GError **error);
/* The text of an error report, bounded; the caller frees it. */
char *linstor_error_report(LinstorClient *client, const char *id, GError **error);

/* Definitions. NULL with NOT_FOUND where there is none. */
LinstorDefinition *linstor_definition(LinstorClient *client, const char *name, GError **error);
/* Those whose property `key` has `value` (NULL: has any value); all without a key. With their
 * volumes' size. */
typedef bool (*LinstorSeeDefinition)(LinstorDefinition *definition, void *user, GError **error);
bool linstor_definitions(LinstorClient *client, const char *key, const char *value,
                         LinstorSeeDefinition see, void *user, GError **error);

typedef struct LinstorNew {
    const char *name;
    const char *group;         /* or NULL */
    const char *const *layers; /* or NULL: the group's */
    const char *const *set;    /* properties, or NULL */
} LinstorNew;

/* Where replicas went, as far as LINSTOR tells with the call: LINSTOR_PLACED_NODES. */
typedef struct LinstorPlaced {
    char *node;         /* one that holds a replica, or NULL; the caller frees it */
    LinstorTruth zeros; /* all pools read as zeros where nothing was written */
} LinstorPlaced;
/* Do volumes of that kind of pool? Thick LVM shows what was there before. */
bool linstor_provider_reads_zeros(const char *provider);

bool linstor_definition_create(LinstorClient *client, const LinstorNew *new, GError **error);
/* Definition, one volume and replicas, all or nothing. `placed` may be NULL. A second call sets the
 * properties before LINSTOR_SPAWN_PROPS. `place` may be NULL, which alone keeps the group's list of
 * nodes. */
bool linstor_spawn(LinstorClient *client, const LinstorNew *new, guint64 bytes,
                   const LinstorPlace *place, bool definitions_only, LinstorPlaced *placed,
                   GError **error);
bool linstor_definition_modify(LinstorClient *client, const char *name, const LinstorProps *props,
                               GError **error);
bool linstor_definition_regroup(LinstorClient *client, const char *name, const char *group,
                                GError **error);
/* With all replicas. REFUSED while it has snapshots, BUSY while it is open somewhere (after the
 * client's patience). `*pending` (may be NULL): a node is away, it stays marked until that returns.
 */
bool linstor_definition_delete(LinstorClient *client, const char *name, bool *pending,
                               GError **error);
bool linstor_in_sync(LinstorClient *client, const char *name, bool *in_sync, GError **error);
/* Asks until all replicas are in sync; TIMEOUT. */
bool linstor_wait_for_sync(LinstorClient *client, const char *name, unsigned timeout_ms,
                           GError **error);

/* Volumes; OpenNebula's have the number 0. Sizes are rounded up to KiB. */
bool linstor_volume_create(LinstorClient *client, const char *name, guint64 bytes, bool encrypted,
                           GError **error);
bool linstor_volume(LinstorClient *client, const char *name, LinstorVolume *volume, GError **error);
/* Grows. Waits out replicas that are not in sync. Where LINSTOR says that the size is this already,
 * a second call looks whether the devices are: a resize that failed leaves the new size behind. */
bool linstor_volume_resize(LinstorClient *client, const char *name, guint64 bytes, GError **error);

/* Clones, by LINSTOR. */
typedef enum { LINSTOR_CLONE_RUNS, LINSTOR_CLONE_COMPLETE, LINSTOR_CLONE_FAILED } LinstorCloneState;

typedef struct LinstorCloneOptions {
    bool dependent;     /* ZFS: the clone may need its source for ever */
    const char *group;  /* another group, LINSTOR_CLONE_GROUP; or NULL */
    LinstorProps props; /* one more call before LINSTOR_CLONE_PROPS, in linstor_clone_wait() */
} LinstorCloneOptions;

bool linstor_clone_start(LinstorClient *client, const char *source, const char *target,
                         const LinstorCloneOptions *options, GError **error);
/* NOT_FOUND: there is no such clone. */
bool linstor_clone_state(LinstorClient *client, const char *source, const char *target,
                         LinstorCloneState *state, GError **error);
/* FAILED when LINSTOR says so, TIMEOUT. Then applies the properties where linstor_clone_start()
 * could not. */
bool linstor_clone_wait(LinstorClient *client, const char *source, const char *target,
                        const LinstorCloneOptions *options, unsigned timeout_ms, GError **error);

/* Resources. */
GPtrArray *linstor_resources(LinstorClient *client, const char *name, GError **error);
/* On one node. NULL with NOT_FOUND. */
LinstorResource *linstor_resource(LinstorClient *client, const char *name, const char *node,
                                  GError **error);
/* With volumes: allocation and state. Of `name`, or of all (NULL); LINSTOR asks its satellites. */
typedef bool (*LinstorSeeResource)(LinstorResource *resource, void *user, GError **error);
bool linstor_view(LinstorClient *client, const char *name, LinstorSeeResource see, void *user,
                  GError **error);
/* A replica in `pool` on each of the nodes. REFUSED where a node has one already. */
bool linstor_resource_create(LinstorClient *client, const char *name, const char *const *nodes,
                             const char *pool, GError **error);
/* Adds what is missing. True too where nothing is. `placed` may be NULL. */
bool linstor_autoplace(LinstorClient *client, const char *name, const LinstorPlace *place,
                       LinstorPlaced *placed, GError **error);
/* The device is on the node afterwards; a replica where `diskful`. NOT_FOUND with the failure
 * LINSTOR_FAIL_NO_POOL where the node has no pool for it. Without DRBD LINSTOR would place a new,
 * empty volume: look at LinstorResource.drbd of another node before. */
bool linstor_make_available(LinstorClient *client, const char *name, const char *node, bool diskful,
                            GError **error);
/* The same without a replica, in a diskless pool that the caller names. */
bool linstor_attach_diskless(LinstorClient *client, const char *name, const char *node,
                             const char *pool, GError **error);
/* True where there is none. BUSY while it is open there (after the client's patience). Never for a
 * tie-breaker: look at it before. `*stays` (may be NULL): as tie-breaker. */
bool linstor_resource_delete(LinstorClient *client, const char *name, const char *node, bool *stays,
                             GError **error);

/* Snapshots. */
/* The definition, of all, that has a snapshot of this name; NULL with NOT_FOUND. The caller frees
 * it. */
char *linstor_find_snapshot(LinstorClient *client, const char *snapshot, GError **error);
/* Of one definition, oldest first. */
GPtrArray *linstor_snapshots(LinstorClient *client, const char *name, GError **error);
/* A snapshot that a satellite failed to take is deleted again. */
bool linstor_snapshot_create(LinstorClient *client, const char *name, const char *snapshot,
                             GError **error);
/* The same instant of several definitions: LINSTOR_MULTI_SNAPSHOT. */
bool linstor_snapshot_create_many(LinstorClient *client, const char *const *names,
                                  const char *snapshot, GError **error);
bool linstor_snapshot_delete(LinstorClient *client, const char *name, const char *snapshot,
                             GError **error);
/* The definition's properties are those of the snapshot's time afterwards: set one's own again. */
bool linstor_snapshot_rollback(LinstorClient *client, const char *name, const char *snapshot,
                               GError **error);
/* The two halves of a restore, into a definition without resources. Its properties are the source's
 * afterwards: set one's own then. */
bool linstor_restore_volumes(LinstorClient *client, const char *name, const char *snapshot,
                             const char *target, GError **error);
bool linstor_restore_resources(LinstorClient *client, const char *name, const char *snapshot,
                               const char *target, const char *const *nodes, GError **error);
