// SPDX-License-Identifier: Apache-2.0
/*
 * A datastore's side of a LINSTOR cluster: its controller, its attributes, its names; and the look
 * at one definition that most work begins with.
 *
 * Clients are shared by all datastores with the same connection: an action opens one.
 */
#pragma once

#include "backends/linstor/attributes.h"
#include "backends/linstor/calls.h"
#include "backends/linstor/naming.h"

/* Ours on a definition. The mark and what else is ours alone lies below onevol/, the rest is what
 * linstor_un writes. */
#define LINSTOR_MARK "Aux/onevol/state"
#define LINSTOR_ORIGIN "Aux/onevol/origin"           /* whose snapshot it was restored from */
#define LINSTOR_FORMAT "Aux/onevol/format"           /* of what is no raw volume */
#define LINSTOR_CONTENT "Aux/onevol/size"            /* as a guest sees it, where that is another */
#define LINSTOR_MADE "Aux/onevol/made"               /* by which action, for what */
#define LINSTOR_NOTED_SIZE "Aux/onevol/after/device" /* of a note beside a volume: rollback.h */
#define LINSTOR_VM_ID "Aux/one/VM_ID"
#define LINSTOR_DS_ID "Aux/one/DS_ID"
#define LINSTOR_DISK_ID "Aux/one/DISK_ID"
#define LINSTOR_OLD_VM_ID "Aux/one/VMID" /* linstor_un 0.7 and 0.8 */
#define LINSTOR_TWO_PRIMARIES "DrbdOptions/Net/allow-two-primaries"

typedef struct LinstorStore {
    LinstorClient *client; /* not owned */
    LinstorAttributes at;
    const LinstorNames *names;
    const Driver *driver;
    gint64 id;
    const OneDatastore *facts; /* not owned */
} LinstorStore;

/* Owned by the module; made once for each datastore. */
LinstorStore *linstor_store(Datastore *datastore, GError **error);
/* The same for a volume, whose name is checked against LINSTOR's rules: REFUSED. */
LinstorStore *linstor_store_of(const Volume *volume, GError **error);

/* One call: the definition, and the temporary one beside it. NULL where there is none. */
typedef struct LinstorLook {
    LinstorDefinition *it, *beside;
} LinstorLook;
bool linstor_look(LinstorStore *store, const char *name, LinstorLook *look, GError **error);
void linstor_look_clear(LinstorLook *look);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LinstorLook, linstor_look_clear)

/* "NAME-tmp", linstor_un's. */
char *linstor_beside(const char *name);
/* Of a definition: not NULL while it is incomplete. Borrowed. */
const char *linstor_mark_of(const LinstorDefinition *definition);
bool linstor_mark_is(const LinstorDefinition *definition, const Mark *mark);

/* What this process knows of a definition without asking again. */
typedef struct LinstorKnown {
    LinstorTruth drbd;
    LinstorTruth zeros;  /* nothing that was not written shows, where it is blank */
    guint64 size;        /* of its volume; 0: not known */
    bool blank;          /* made by this process, nothing was written to it yet */
    GHashTable *props;   /* as of the last look; or NULL */
    GHashTable *note;    /* the same of what a rollback has noted beside it; or NULL */
    char *group;         /* as of the last look; or NULL */
    GPtrArray *replicas; /* of LinstorResource, for the next who opens it; or NULL */
    char *origin;        /* this process restored it from a snapshot of that definition */
} LinstorKnown;
LinstorKnown *linstor_known(const LinstorStore *store, const char *name);
void linstor_forget(const LinstorStore *store, const char *name);

/* Adds what an admin can do about it, where a code of the last failure tells. Returns false. */
bool linstor_advise(LinstorStore *store, GError **error);
