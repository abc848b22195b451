// SPDX-License-Identifier: Apache-2.0
/* Resources: a definition on a node. */
#include "backends/linstor/build.h"
#include "base/error.h"

#include <string.h>

#define RD "resource-definitions"

static void *
parse_resource(const json_t *json, GError **error)
{
    return linstor_resource_parse(json, error);
}

GPtrArray *
linstor_resources(LinstorClient *client, const char *name, GError **error)
{
    g_autofree char *path = linstor_path(RD, name, "resources", NULL);
    g_autofree char *what = g_strdup_printf("list the nodes of '%s'", name);

    return linstor_get_list(client, path, name, what, parse_resource,
                            (GDestroyNotify)linstor_resource_free, error);
}

LinstorResource *
linstor_resource(LinstorClient *client, const char *name, const char *node, GError **error)
{
    g_autofree char *path = linstor_path(RD, name, "resources", node, NULL);
    g_autofree char *what = g_strdup_printf("look at '%s' on node '%s'", name, node);
    g_autoptr(json_t) answer = linstor_get(client, path, name, what, error);

    return answer ? linstor_resource_parse(answer, error) : NULL;
}

typedef struct Seeing {
    LinstorSeeResource see;
    void *user;
} Seeing;

static bool
see_resource(const json_t *element, void *user, GError **error)
{
    Seeing *seeing = user;
    g_autoptr(LinstorResource) resource = linstor_resource_parse(element, error);

    return resource && seeing->see(resource, seeing->user, error);
}

bool
linstor_view(LinstorClient *client, const char *name, LinstorSeeResource see, void *user,
             GError **error)
{
    g_autoptr(GString) path = g_string_new("view/resources");
    g_autofree char *object = name ? linstor_object(name) : g_strdup("/linstor");
    g_autofree char *what =
        name ? g_strdup_printf("look at the replicas of '%s'", name) : g_strdup("list resources");
    Seeing seeing = {see, user};
    LinstorCall call = {.kind = STEP_READ,
                        .method = "GET",
                        .object = object,
                        .what = what,
                        .visit = see_resource,
                        .user = &seeing};

    if (name) {
        g_string_append(path, "?resources=");
        g_string_append_uri_escaped(path, name, NULL, FALSE);
    }
    call.path = path->str;
    return linstor_call(client, &call, NULL, error) == LINSTOR_DONE;
}

/* Create */

static json_t *
create_body(const char *const *nodes, const char *pool)
{
    json_t *body = json_array();

    for (const char *const *p = nodes; *p; p++)
        json_array_append_new(body, json_pack("{s:{s:s, s:{s:s}}}", "resource", "node_name", *p,
                                              "props", "StorPoolName", pool));
    return body;
}

bool
linstor_resource_create(LinstorClient *client, const char *name, const char *const *nodes,
                        const char *pool, GError **error)
{
    g_autofree char *path = linstor_path(RD, name, "resources", NULL);
    g_autofree char *where = g_strjoinv(" ", (char **)nodes);
    g_autofree char *what = g_strdup_printf("place '%s' on %s", name, where);
    g_autoptr(json_t) answer = NULL;
    LinstorChange change = {.method = "POST",
                            .path = path,
                            .name = name,
                            .what = what,
                            .body = create_body(nodes, pool)};

    LinstorResult result = linstor_change(client, &change, &answer, error);
    if (linstor_answer_has(answer, LINSTOR_INFO, LINSTOR_INFO_RSC_EXISTS))
        return set_error(
            error, ONEVOL_ERROR_REFUSED,
            "cannot %s: LINSTOR did nothing, because one of them has a replica already", what);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

static json_t *
autoplace_body(const LinstorPlace *place)
{
    LinstorPlace filter = *place;
    json_t *body = json_object();

    if (place->layers && *place->layers) /* LINSTOR reads them here, not in the filter */
        json_object_set_new(body, "layer_list", linstor_list(place->layers));
    filter.layers = NULL;
    json_object_set_new(body, "select_filter", linstor_filter(&filter));
    return body;
}

bool
linstor_autoplace(LinstorClient *client, const char *name, const LinstorPlace *place,
                  LinstorPlaced *placed, GError **error)
{
    g_autoptr(json_t) answer = NULL;
    g_autofree char *path = linstor_path(RD, name, "autoplace", NULL);
    g_autofree char *what = g_strdup_printf("place '%s'", name);
    LinstorChange change = {.method = "POST",
                            .path = path,
                            .name = name,
                            .what = what,
                            .body = autoplace_body(place),
                            /* the count is a total, unless so many more were asked for */
                            .repeatable = place->additional == 0};

    LinstorResult result = linstor_change(client, &change, &answer, error);
    if (placed)
        linstor_take_placed(answer, placed);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

bool
linstor_make_available(LinstorClient *client, const char *name, const char *node, bool diskful,
                       GError **error)
{
    g_autofree char *path = linstor_path(RD, name, "resources", node, "make-available", NULL);
    g_autofree char *what = g_strdup_printf("attach '%s' to node '%s'", name, node);
    LinstorChange change = {.method = "POST",
                            .path = path,
                            .name = name,
                            .what = what,
                            .body = json_pack("{s:b}", "diskful", diskful),
                            .repeatable = true};

    LinstorResult result = linstor_change(client, &change, NULL, error);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

bool
linstor_attach_diskless(LinstorClient *client, const char *name, const char *node, const char *pool,
                        GError **error)
{
    g_autofree char *path = linstor_path(RD, name, "resources", NULL);
    g_autofree char *what =
        g_strdup_printf("attach '%s' to node '%s' in pool '%s'", name, node, pool);
    LinstorChange change = {.method = "POST",
                            .path = path,
                            .name = name,
                            .what = what,
                            .body = json_pack("[{s:{s:s, s:[s], s:{s:s}}}]", "resource",
                                              "node_name", node, "flags", "DRBD_DISKLESS", "props",
                                              "StorPoolName", pool),
                            /* what is there already is as it was asked for */
                            .repeatable = true};

    LinstorResult result = linstor_change(client, &change, NULL, error);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

bool
linstor_resource_delete(LinstorClient *client, const char *name, const char *node, bool *stays,
                        GError **error)
{
    g_autofree char *plain = linstor_path(RD, name, "resources", node, NULL);
    g_autofree char *path = g_strconcat(plain, "?keep_tiebreaker=true", NULL);
    g_autofree char *what = g_strdup_printf("detach '%s' from node '%s'", name, node);
    g_autoptr(json_t) answer = NULL;
    LinstorChange change = {
        .method = "DELETE", .path = path, .name = name, .what = what, .repeatable = true};

    if (!linstor_delete_when_closed(client, &change, &answer, error))
        return false;
    if (stays)
        *stays = linstor_answer_has(answer, LINSTOR_INFO, LINSTOR_INFO_TAKEOVER);
    return true;
}
