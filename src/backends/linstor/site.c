// SPDX-License-Identifier: Apache-2.0
/* The site: nodes, pools, groups, space, passphrase, error reports. */
#include "backends/linstor/build.h"
#include "base/error.h"

#include <string.h>

#define REPORT_LIMIT 4000

static void *
parse_node(const json_t *json, GError **error)
{
    return linstor_node_parse(json, error);
}

GPtrArray *
linstor_nodes(LinstorClient *client, GError **error)
{
    return linstor_get_list(client, "nodes", NULL, "list nodes", parse_node,
                            (GDestroyNotify)linstor_node_free, error);
}

static void *
parse_pool(const json_t *json, GError **error)
{
    return linstor_pool_parse(json, error);
}

GPtrArray *
linstor_pools(LinstorClient *client, const char *const *names, GError **error)
{
    g_autoptr(GString) path = g_string_new("view/storage-pools");
    char before = '?';

    if (linstor_has(client, LINSTOR_ZFS_CLONE)) {
        g_string_append(path, "?cached=true");
        before = '&';
    }
    for (const char *const *p = names; p && *p; p++) {
        g_string_append_printf(path, "%cstorage_pools=", before);
        g_string_append_uri_escaped(path, *p, NULL, FALSE);
        before = '&';
    }
    return linstor_get_list(client, path->str, NULL, "list storage pools", parse_pool,
                            (GDestroyNotify)linstor_pool_free, error);
}

LinstorGroup *
linstor_group(LinstorClient *client, const char *name, GError **error)
{
    g_autofree char *path = linstor_path("resource-groups", name, NULL);
    g_autofree char *what = g_strdup_printf("look at resource group '%s'", name);
    g_autoptr(json_t) answer = linstor_get(client, path, NULL, what, error);

    return answer ? linstor_group_parse(answer, error) : NULL;
}

bool
linstor_query_size(LinstorClient *client, const char *group, LinstorSpace *space, GError **error)
{
    g_autofree char *path = linstor_path("resource-groups", group, "query-size-info", NULL);
    g_autofree char *what = g_strdup_printf("ask for the space of resource group '%s'", group);
    g_autoptr(json_t) body = json_object();
    json_t *answer = NULL;
    LinstorCall call = {.kind = STEP_READ, /* a POST that changes nothing */
                        .method = "POST",
                        .path = path,
                        .object = "/linstor-space",
                        .what = what,
                        .body = body};

    if (!linstor_has(client, LINSTOR_QUERY_SIZE))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "cannot %s: LINSTOR %s is older than 1.21", what, linstor_release(client));
    if (linstor_call(client, &call, &answer, error) != LINSTOR_DONE)
        return false;
    bool done = linstor_space_parse(answer, space, error);
    json_decref(answer);
    return done;
}

char *
linstor_passphrase_status(LinstorClient *client, GError **error)
{
    const char *what = "ask for the state of the passphrase";

    if (!linstor_has(client, LINSTOR_PASSPHRASE_STATUS)) {
        set_error(error, ONEVOL_ERROR_UNSUPPORTED, "cannot %s: LINSTOR %s is older than 1.31", what,
                  linstor_release(client));
        return NULL;
    }
    g_autoptr(json_t) answer = linstor_get(client, "encryption/passphrase", NULL, what, error);
    const char *status = json_string_value(json_object_get(answer, "status"));
    if (answer && !status)
        set_error(error, ONEVOL_ERROR_CORRUPT, "cannot %s: LINSTOR does not tell", what);
    return g_strdup(status);
}

char *
linstor_error_report(LinstorClient *client, const char *id, GError **error)
{
    g_autofree char *path = linstor_path("error-reports", id, NULL);
    g_autofree char *what = g_strdup_printf("read error report '%s'", id);
    g_autoptr(json_t) answer = linstor_get(client, path, NULL, what, error);
    const char *text = json_string_value(json_object_get(json_array_get(answer, 0), "text"));

    if (answer && !text)
        set_error(error, ONEVOL_ERROR_NOT_FOUND, "LINSTOR has no error report '%s'", id);
    return text ? g_strndup(text, REPORT_LIMIT) : NULL;
}
