// SPDX-License-Identifier: Apache-2.0
/*
 * What a controller tells of its objects, as small structs. Sizes are bytes; LINSTOR's are KiB.
 *
 * Node and resource names are the same in any case: compare with g_ascii_strcasecmp().
 */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef enum { LINSTOR_UNKNOWN, LINSTOR_NO, LINSTOR_YES } LinstorTruth;

typedef struct LinstorNode {
    char *name, *uname, *type, *status;
    bool online;  /* and not being emptied: it takes new replicas */
    bool drbd;    /* its satellite can */
    bool storage; /* a satellite or combined node, which a host of VMs is */
    GHashTable *props;
} LinstorNode;

typedef struct LinstorPool {
    char *name, *node, *provider;
    bool known; /* the two sizes: they are missing while the node is away */
    guint64 free, total;
    bool diskless, thin, snapshots, clones;
} LinstorPool;

typedef struct LinstorGroup {
    char *name;
    unsigned place_count;
    GStrv pools, layers; /* never NULL */
    GHashTable *props;
} LinstorGroup;

typedef struct LinstorDefinition {
    char *name, *group;
    GHashTable *props; /* of strings, never NULL */
    GStrv layers;      /* never NULL; empty where nothing is placed yet, and after a restore */
    bool deleting, cloning, failed;
    bool sized; /* the list was asked for volumes */
    guint64 size;
    guint volumes;
} LinstorDefinition;

typedef struct LinstorVolume {
    unsigned number;
    guint64 size;
    bool resizing, encrypted, gross;
} LinstorVolume;

typedef enum {
    LINSTOR_DISK_UNKNOWN, /* node away, or no DRBD */
    LINSTOR_DISK_UP_TO_DATE,
    LINSTOR_DISK_DISKLESS,
    LINSTOR_DISK_OTHER, /* not to be read: Inconsistent, Outdated, Failed, Cloning … */
} LinstorDisk;

/* One definition on one node. */
typedef struct LinstorResource {
    char *definition, *node, *pool, *provider;
    bool diskless, tie_breaker, deleting, inactive, drbd;
    bool encrypted; /* its content passes LUKS */
    char *alone;    /* a node that it does not talk to on purpose: split brain; or NULL */
    bool cut_off;   /* at least one connection is down */
    bool resizing;  /* a resize that is not done there yet */
    LinstorTruth in_use, may_promote;
    char *device; /* of volume 0; NULL while it is not known */
    guint64 device_size;
    /* Only from linstor_view(): */
    guint64 allocated; /* of all volumes */
    LinstorDisk disk;
    char *disk_state; /* LINSTOR's word, or NULL */
} LinstorResource;

typedef struct LinstorSnapshot {
    char *definition, *name;
    GStrv nodes;
    bool successful, failed, deleting;
    guint64 sequence; /* higher is newer; 0: not told */
    gint64 created_ms;
    guint64 size; /* of volume 0 */
    GHashTable *props;
} LinstorSnapshot;

typedef struct LinstorSpace {
    guint64 total, free, largest;
} LinstorSpace;

void linstor_node_free(LinstorNode *node);
void linstor_pool_free(LinstorPool *pool);
void linstor_group_free(LinstorGroup *group);
void linstor_definition_free(LinstorDefinition *definition);
void linstor_resource_free(LinstorResource *resource);
void linstor_snapshot_free(LinstorSnapshot *snapshot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinstorGroup, linstor_group_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinstorDefinition, linstor_definition_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinstorResource, linstor_resource_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinstorSnapshot, linstor_snapshot_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinstorNode, linstor_node_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinstorPool, linstor_pool_free)

/* Each NULL with CORRUPT for what is not such an object. */
LinstorNode *linstor_node_parse(const json_t *json, GError **error);
LinstorPool *linstor_pool_parse(const json_t *json, GError **error);
LinstorGroup *linstor_group_parse(const json_t *json, GError **error);
LinstorDefinition *linstor_definition_parse(const json_t *json, GError **error);
bool linstor_volume_parse(const json_t *json, LinstorVolume *volume, GError **error);
LinstorResource *linstor_resource_parse(const json_t *json, GError **error);
LinstorSnapshot *linstor_snapshot_parse(const json_t *json, GError **error);
bool linstor_space_parse(const json_t *json, LinstorSpace *space, GError **error);

/* KiB that hold so many bytes. */
guint64 linstor_kib(guint64 bytes);

/* A name that LINSTOR takes for a definition, a group or a snapshot. */
bool linstor_name_is_valid(const char *name);
