// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/build.h"

#include "base/error.h"
#include "base/path.h"

#include <stdarg.h>
#include <string.h>

char *
linstor_path(const char *first, ...)
{
    GString *path = g_string_new(NULL);
    va_list parts;

    va_start(parts, first);
    for (const char *part = first; part; part = va_arg(parts, const char *)) {
        if (path->len > 0)
            g_string_append_c(path, '/');
        g_string_append_uri_escaped(path, part, NULL, FALSE);
    }
    va_end(parts);
    return g_string_free(path, FALSE);
}

json_t *
linstor_list(const char *const *items)
{
    json_t *list = json_array();

    for (const char *const *p = items; p && *p; p++)
        json_array_append_new(list, json_string(*p));
    return list;
}

json_t *
linstor_map(const char *const *pairs)
{
    json_t *map = json_object();

    for (const char *const *p = pairs; p && p[0] && p[1]; p += 2)
        json_object_set_new(map, p[0], json_string(p[1]));
    return map;
}

bool
linstor_props_are_empty(const LinstorProps *props)
{
    return !(props->set && *props->set) && !(props->remove && *props->remove) &&
           !(props->remove_namespaces && *props->remove_namespaces);
}

static bool
is_removed(const LinstorProps *props, const char *key)
{
    for (const char *const *p = props->remove; p && *p; p++)
        if (!strcmp(*p, key))
            return true;
    for (const char *const *p = props->remove_namespaces; p && *p; p++)
        if (!strcmp(*p, key) || path_is_below(key, *p))
            return true;
    return false;
}

bool
linstor_props_check(const LinstorProps *props, GError **error)
{
    for (const char *const *p = props->set; p && p[0] && p[1]; p += 2)
        if (is_removed(props, p[0]))
            return set_error(error, ONEVOL_ERROR_USAGE,
                             "property '%s' cannot be set and removed at once", p[0]);
    return true;
}

void
linstor_add_props(json_t *body, const LinstorProps *props)
{
    if (props->set && *props->set)
        json_object_set_new(body, "override_props", linstor_map(props->set));
    if (props->remove && *props->remove)
        json_object_set_new(body, "delete_props", linstor_list(props->remove));
    if (props->remove_namespaces && *props->remove_namespaces)
        json_object_set_new(body, "delete_namespaces", linstor_list(props->remove_namespaces));
}

/* REST wants the whole key of a node's property; drivers' attributes leave "Aux/" out. */
static json_t *
aux_list(const char *const *keys)
{
    json_t *list = json_array();

    for (const char *const *p = keys; p && *p; p++) {
        g_autofree char *key =
            g_str_has_prefix(*p, "Aux/") ? g_strdup(*p) : g_strconcat("Aux/", *p, NULL);
        json_array_append_new(list, json_string(key));
    }
    return list;
}

static void
add_list(json_t *filter, const char *key, const char *const *items)
{
    if (items && *items)
        json_object_set_new(filter, key, linstor_list(items));
}

json_t *
linstor_filter(const LinstorPlace *place)
{
    json_t *filter = json_object();

    if (place->count)
        json_object_set_new(filter, "place_count", json_integer(place->count));
    if (place->additional)
        json_object_set_new(filter, "additional_place_count", json_integer(place->additional));
    add_list(filter, "node_name_list", place->nodes);
    add_list(filter, "storage_pool_list", place->pools);
    add_list(filter, "provider_list", place->providers);
    add_list(filter, "layer_stack", place->layers);
    add_list(filter, "not_place_with_rsc", place->not_with);
    if (place->same && *place->same)
        json_object_set_new(filter, "replicas_on_same", aux_list(place->same));
    if (place->different && *place->different)
        json_object_set_new(filter, "replicas_on_different", aux_list(place->different));
    if (place->not_with_regex)
        json_object_set_new(filter, "not_place_with_rsc_regex", json_string(place->not_with_regex));
    return filter;
}

char *
linstor_object(const char *name)
{
    return g_strconcat("/linstor/", name, NULL);
}

LinstorResult
linstor_change(LinstorClient *client, const LinstorChange *change, json_t **answer, GError **error)
{
    g_autofree char *object = change->name ? linstor_object(change->name) : g_strdup("/linstor");
    g_autoptr(json_t) body = change->body;
    LinstorCall call = {
        .kind = STEP_WRITE,
        .method = change->method,
        .path = change->path,
        .object = object,
        .what = change->what,
        .body = body,
        .repeatable = change->repeatable,
    };

    return linstor_call(client, &call, answer, error);
}

bool
linstor_provider_reads_zeros(const char *provider)
{
    return provider && (g_str_has_suffix(provider, "_THIN") || !strcmp(provider, "ZFS") ||
                        !strcmp(provider, "FILE"));
}

/* "StoragePool/1/0" is the pool of the second replica, as "NAME,KIND". */
void
linstor_take_placed(const json_t *answer, LinstorPlaced *placed)
{
    *placed = (LinstorPlaced){.node = g_strdup(linstor_answer_reference(answer, "Node/0"))};
    for (unsigned i = 0;; i++) {
        g_autofree char *key = g_strdup_printf("StoragePool/%u/0", i);
        const char *pool = linstor_answer_reference(answer, key);
        const char *kind = pool ? strrchr(pool, ',') : NULL;
        if (!kind)
            return;
        if (!linstor_provider_reads_zeros(kind + 1))
            placed->zeros = LINSTOR_NO;
        else if (placed->zeros == LINSTOR_UNKNOWN)
            placed->zeros = LINSTOR_YES;
    }
}

json_t *
linstor_get(LinstorClient *client, const char *path, const char *name, const char *what,
            GError **error)
{
    g_autofree char *object = name ? linstor_object(name) : g_strdup("/linstor-site");
    LinstorCall call = {
        .kind = STEP_READ, .method = "GET", .path = path, .object = object, .what = what};
    json_t *answer = NULL;

    return linstor_call(client, &call, &answer, error) == LINSTOR_DONE ? answer : NULL;
}

typedef struct Collecting {
    GPtrArray *found;
    void *(*parse)(const json_t *, GError **);
} Collecting;

static bool
collect(const json_t *element, void *user, GError **error)
{
    Collecting *collecting = user;
    void *made = collecting->parse(element, error);

    if (made)
        g_ptr_array_add(collecting->found, made);
    return made != NULL;
}

GPtrArray *
linstor_get_list(LinstorClient *client, const char *path, const char *name, const char *what,
                 void *(*parse)(const json_t *, GError **), GDestroyNotify release, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(release);
    g_autofree char *object = name ? linstor_object(name) : g_strdup("/linstor-site");
    Collecting collecting = {found, parse};
    LinstorCall call = {.kind = STEP_READ,
                        .method = "GET",
                        .path = path,
                        .object = object,
                        .what = what,
                        .visit = collect,
                        .user = &collecting};

    if (linstor_call(client, &call, NULL, error) != LINSTOR_DONE)
        return NULL;
    return g_steal_pointer(&found);
}

LinstorPause
linstor_pause_for(unsigned timeout_ms)
{
    return (LinstorPause){.end = g_get_monotonic_time() + (gint64)timeout_ms * 1000, .ms = 100};
}

bool
linstor_pause(LinstorPause *pause, GError **error)
{
    gint64 left = (pause->end - g_get_monotonic_time()) / 1000;

    if (left <= 0)
        return set_error(error, ONEVOL_ERROR_TIMEOUT, "no end in time");
    if (!linstor_wait((unsigned)MIN(left, pause->ms), error))
        return false;
    pause->ms = MIN(pause->ms * 3 / 2, 2000);
    return true;
}

bool
linstor_delete_when_closed(LinstorClient *client, const LinstorChange *change, json_t **answer,
                           GError **error)
{
    LinstorPause pause = linstor_pause_for(linstor_patience_ms(client));

    for (;;) {
        GError *why = NULL;
        LinstorResult result = linstor_change(client, change, answer, &why);
        if (result == LINSTOR_DONE || result == LINSTOR_SKIPPED)
            return true;
        if (linstor_failure(client) != LINSTOR_FAIL_IN_USE || !linstor_pause(&pause, NULL)) {
            g_propagate_error(error, why);
            return false;
        }
        g_error_free(why);
    }
}
