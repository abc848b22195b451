// SPDX-License-Identifier: Apache-2.0
/*
 * What the attributes of a datastore ask for, under the names of both predecessors.
 */
#pragma once

#include "core/volume.h"

#include <glib.h>
#include <stdbool.h>

typedef enum {
    LINSTOR_BY_COPY,     /* our own, onto a new definition */
    LINSTOR_BY_SNAPSHOT, /* restored from a snapshot of the source */
    LINSTOR_BY_CLONE,    /* LINSTOR's own */
} LinstorCloneMode;

/* What decides where replicas go. */
typedef enum {
    LINSTOR_RULE_NONE, /* nothing does: nothing can be made */
    LINSTOR_RULE_GROUP,
    LINSTOR_RULE_NODES,
    LINSTOR_RULE_COUNT,
} LinstorRule;

typedef struct LinstorAttributes {
    char *controllers, *certificate, *key, *ca; /* NULL: LINSTOR's own defaults */
    LinstorCloneMode clone_mode;
    LinstorRule rule;
    char *group;         /* LINSTOR_RULE_GROUP */
    GStrv nodes;         /* LINSTOR_RULE_NODES */
    unsigned count;      /* LINSTOR_RULE_COUNT */
    unsigned checkpoint; /* replicas of a checkpoint; 0: as of disks */
    GStrv pools, layers, providers, same, different, not_with; /* NULL where not set */
    char *not_with_regex;
    char *diskless_pool; /* NULL: LINSTOR chooses */
    bool prefer_node, encryption;
} LinstorAttributes;

/* USAGE with the attribute's name for a value that means nothing. What must be there to make a
 * volume is only told by linstor_attributes_can_place(). */
bool linstor_attributes_read(const OneDatastore *facts, const Driver *driver,
                             LinstorAttributes *attributes, GError **error);
void linstor_attributes_clear(LinstorAttributes *attributes);

/* USAGE, in a sentence, where they do not say where replicas go. */
bool linstor_attributes_can_place(const LinstorAttributes *attributes, const OneDatastore *facts,
                                  const Driver *driver, GError **error);
