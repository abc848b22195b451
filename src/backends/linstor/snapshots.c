// SPDX-License-Identifier: Apache-2.0
/* Snapshots of definitions. */
#include "backends/linstor/build.h"
#include "base/error.h"

#include <string.h>

#define RD "resource-definitions"

static void *
parse_snapshot(const json_t *json, GError **error)
{
    return linstor_snapshot_parse(json, error);
}

/* LINSTOR sorts by name, where snapshot-10 comes before snapshot-9. */
static int
by_age(const void *a, const void *b)
{
    const LinstorSnapshot *one = *(const LinstorSnapshot *const *)a;
    const LinstorSnapshot *other = *(const LinstorSnapshot *const *)b;

    if (one->sequence != other->sequence)
        return one->sequence < other->sequence ? -1 : 1;
    return (one->created_ms > other->created_ms) - (one->created_ms < other->created_ms);
}

GPtrArray *
linstor_snapshots(LinstorClient *client, const char *name, GError **error)
{
    g_autofree char *path = linstor_path(RD, name, "snapshots", NULL);
    g_autofree char *what = g_strdup_printf("list the snapshots of '%s'", name);
    GPtrArray *found = linstor_get_list(client, path, name, what, parse_snapshot,
                                        (GDestroyNotify)linstor_snapshot_free, error);

    if (found)
        g_ptr_array_sort(found, by_age);
    return found;
}

typedef struct Finding {
    const char *snapshot;
    char *definition;
} Finding;

static bool
see_snapshot(const json_t *element, void *user, GError **error)
{
    Finding *finding = user;
    g_autoptr(LinstorSnapshot) snapshot = linstor_snapshot_parse(element, error);

    if (snapshot && !finding->definition && !snapshot->deleting &&
        !g_ascii_strcasecmp(snapshot->name, finding->snapshot))
        finding->definition = g_strdup(snapshot->definition);
    return snapshot != NULL;
}

char *
linstor_find_snapshot(LinstorClient *client, const char *snapshot, GError **error)
{
    g_autofree char *what = g_strdup_printf("look for snapshot '%s'", snapshot);
    Finding finding = {.snapshot = snapshot};
    LinstorCall call = {.kind = STEP_READ,
                        .method = "GET",
                        .path = "view/snapshots",
                        .object = "/linstor-site",
                        .what = what,
                        .visit = see_snapshot,
                        .user = &finding};

    if (linstor_call(client, &call, NULL, error) != LINSTOR_DONE)
        g_clear_pointer(&finding.definition, g_free);
    else if (!finding.definition)
        set_error(error, ONEVOL_ERROR_NOT_FOUND, "no resource has a snapshot '%s'", snapshot);
    return finding.definition;
}

typedef enum { ABSENT, GOOD, BROKEN } Found;

/* After an answer that was lost, or a failure. */
static Found
look_for(LinstorClient *client, const char *name, const char *snapshot)
{
    g_autoptr(GPtrArray) found = linstor_snapshots(client, name, NULL);

    for (guint i = 0; found && i < found->len; i++) {
        const LinstorSnapshot *one = g_ptr_array_index(found, i);
        if (!g_ascii_strcasecmp(one->name, snapshot))
            return one->successful && !one->deleting ? GOOD : one->failed ? BROKEN : ABSENT;
    }
    return ABSENT;
}

/* A satellite that fails leaves a failed snapshot behind, whose name is then taken. */
static void
drop_broken(LinstorClient *client, const char *name, const char *snapshot)
{
    if (look_for(client, name, snapshot) == BROKEN)
        (void)linstor_snapshot_delete(client, name, snapshot, NULL);
}

bool
linstor_snapshot_create(LinstorClient *client, const char *name, const char *snapshot,
                        GError **error)
{
    g_autofree char *path = linstor_path(RD, name, "snapshots", NULL);
    g_autofree char *what = g_strdup_printf("take snapshot '%s' of '%s'", snapshot, name);
    GError *why = NULL;
    LinstorChange change = {.method = "POST",
                            .path = path,
                            .name = name,
                            .what = what,
                            .body = json_pack("{s:s}", "name", snapshot)};

    LinstorResult result = linstor_change(client, &change, NULL, &why);
    int failure = linstor_failure(client);
    if (result == LINSTOR_LOST && look_for(client, name, snapshot) == GOOD) {
        g_clear_error(&why);
        return true;
    }
    if (result == LINSTOR_FAILED && failure >= LINSTOR_FAIL_NOT_CONNECTED)
        drop_broken(client, name, snapshot);
    if (why)
        g_propagate_error(error, why);
    linstor_set_failure(client, failure);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

bool
linstor_snapshot_create_many(LinstorClient *client, const char *const *names, const char *snapshot,
                             GError **error)
{
    g_autofree char *what = g_strdup_printf("take snapshot '%s' of several at once", snapshot);
    json_t *list = json_array();

    if (!linstor_has(client, LINSTOR_MULTI_SNAPSHOT)) {
        json_decref(list);
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "cannot %s: LINSTOR %s is older than 1.22", what, linstor_release(client));
    }
    for (const char *const *p = names; *p; p++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "resource_name", *p, "name", snapshot));
    LinstorChange change = {.method = "POST",
                            .path = "actions/snapshot/multi",
                            .what = what,
                            .body = json_pack("{s:o}", "snapshots", list)};
    LinstorResult result = linstor_change(client, &change, NULL, error);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

bool
linstor_snapshot_delete(LinstorClient *client, const char *name, const char *snapshot,
                        GError **error)
{
    g_autofree char *path = linstor_path(RD, name, "snapshots", snapshot, NULL);
    g_autofree char *what = g_strdup_printf("delete snapshot '%s' of '%s'", snapshot, name);
    LinstorChange change = {
        .method = "DELETE", .path = path, .name = name, .what = what, .repeatable = true};

    LinstorResult result = linstor_change(client, &change, NULL, error);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

bool
linstor_snapshot_rollback(LinstorClient *client, const char *name, const char *snapshot,
                          GError **error)
{
    g_autofree char *path = linstor_path(RD, name, "snapshot-rollback", snapshot, NULL);
    g_autofree char *what = g_strdup_printf("roll '%s' back to snapshot '%s'", name, snapshot);
    LinstorChange change = {
        .method = "POST", .path = path, .name = name, .what = what, .body = json_object()};

    LinstorResult result = linstor_change(client, &change, NULL, error);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

/* LINSTOR 1.33.3 restores nothing into a definition without volumes, and says so in a warning under
 * HTTP 200. */
static bool
restore(LinstorClient *client, const char *part, const char *name, const char *snapshot,
        const char *target, json_t *body, GError **error)
{
    g_autofree char *path = linstor_path(RD, name, part, snapshot, NULL);
    g_autofree char *what =
        g_strdup_printf("restore snapshot '%s' of '%s' to '%s'", snapshot, name, target);
    g_autoptr(json_t) answer = NULL;
    LinstorChange change = {
        .method = "POST", .path = path, .name = target, .what = what, .body = body};

    LinstorResult result = linstor_change(client, &change, &answer, error);
    if (linstor_answer_has(answer, LINSTOR_WARNING, LINSTOR_WARN_NOT_FOUND))
        return set_error(error, ONEVOL_ERROR_FAILED,
                         "cannot %s: LINSTOR did nothing, because '%s' has no volume", what,
                         target);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

bool
linstor_restore_volumes(LinstorClient *client, const char *name, const char *snapshot,
                        const char *target, GError **error)
{
    return restore(client, "snapshot-restore-volume-definition", name, snapshot, target,
                   json_pack("{s:s}", "to_resource", target), error);
}

bool
linstor_restore_resources(LinstorClient *client, const char *name, const char *snapshot,
                          const char *target, const char *const *nodes, GError **error)
{
    json_t *body = json_pack("{s:s}", "to_resource", target);

    if (nodes && *nodes)
        json_object_set_new(body, "nodes", linstor_list(nodes));
    return restore(client, "snapshot-restore-resource", name, snapshot, target, body, error);
}
