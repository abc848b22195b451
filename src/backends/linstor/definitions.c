// SPDX-License-Identifier: Apache-2.0
/* Resource and volume definitions. */
#include "backends/linstor/build.h"
#include "base/error.h"

#include <string.h>

#define RD "resource-definitions"

LinstorDefinition *
linstor_definition(LinstorClient *client, const char *name, GError **error)
{
    g_autofree char *path = linstor_path(RD, name, NULL);
    g_autofree char *what = g_strdup_printf("look at '%s'", name);
    g_autoptr(json_t) answer = linstor_get(client, path, name, what, error);

    return answer ? linstor_definition_parse(answer, error) : NULL;
}

typedef struct Seeing {
    LinstorSeeDefinition see;
    void *user;
} Seeing;

static bool
see_definition(const json_t *element, void *user, GError **error)
{
    Seeing *seeing = user;
    g_autoptr(LinstorDefinition) definition = linstor_definition_parse(element, error);

    return definition && seeing->see(definition, seeing->user, error);
}

bool
linstor_definitions(LinstorClient *client, const char *key, const char *value,
                    LinstorSeeDefinition see, void *user, GError **error)
{
    g_autoptr(GString) path = g_string_new(RD "?with_volume_definitions=true");
    Seeing seeing = {see, user};
    LinstorCall call = {.kind = STEP_READ,
                        .method = "GET",
                        .object = "/linstor",
                        .what = "list resource definitions",
                        .visit = see_definition,
                        .user = &seeing};

    if (key) {
        g_string_append(path, "&props=");
        g_string_append_uri_escaped(path, key, "/", FALSE);
        if (value) {
            g_string_append(path, "%3D");
            g_string_append_uri_escaped(path, value, NULL, FALSE);
        }
    }
    call.path = path->str;
    return linstor_call(client, &call, NULL, error) == LINSTOR_DONE;
}

/* Does the definition have what it was to be given? Without properties nobody can tell. */
static bool
has_props(const LinstorDefinition *definition, const char *const *set)
{
    if (!set || !*set || definition->deleting)
        return false;
    for (const char *const *p = set; p[0] && p[1]; p += 2)
        if (g_strcmp0(g_hash_table_lookup(definition->props, p[0]), p[1]) != 0)
            return false;
    return true;
}

/* The answer was lost: the definition tells by its properties whether it was made by this call. */
static bool
was_created(LinstorClient *client, const LinstorNew *new)
{
    g_autoptr(LinstorDefinition) found = linstor_definition(client, new->name, NULL);

    return found && has_props(found, new->set);
}

static bool
settle_creation(LinstorClient *client, LinstorResult result, const LinstorNew *new, GError *why,
                GError **error)
{
    if (result == LINSTOR_LOST && was_created(client, new)) {
        g_clear_error(&why);
        return true;
    }
    if (why)
        g_propagate_error(error, why);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

static json_t *
layer_data(const char *const *layers)
{
    json_t *list = json_array();

    for (const char *const *p = layers; p && *p; p++)
        json_array_append_new(list, json_pack("{s:s}", "type", *p));
    return list;
}

bool
linstor_definition_create(LinstorClient *client, const LinstorNew *new, GError **error)
{
    g_autofree char *what = g_strdup_printf("create '%s'", new->name);
    json_t *definition = json_pack("{s:s}", "name", new->name);
    GError *why = NULL;

    if (new->group)
        json_object_set_new(definition, "resource_group_name", json_string(new->group));
    if (new->set &&*new->set)
        json_object_set_new(definition, "props", linstor_map(new->set));
    if (new->layers &&*new->layers)
        json_object_set_new(definition, "layer_data", layer_data(new->layers));
    LinstorChange change = {.method = "POST",
                            .path = RD,
                            .name = new->name,
                            .what = what,
                            .body = json_pack("{s:o}", "resource_definition", definition)};
    LinstorResult result = linstor_change(client, &change, NULL, &why);
    return settle_creation(client, result, new, why, error);
}

static json_t *
spawn_body(LinstorClient *client, const LinstorNew *new, guint64 bytes, const LinstorPlace *place,
           bool definitions_only)
{
    json_t *body = json_pack("{s:s, s:[I]}", "resource_definition_name", new->name, "volume_sizes",
                             (json_int_t)linstor_kib(bytes));

    if (definitions_only)
        json_object_set_new(body, "definitions_only", json_true());
    if (place)
        json_object_set_new(body, "select_filter", linstor_filter(place));
    if (new->set &&*new->set && linstor_has(client, LINSTOR_SPAWN_PROPS))
        json_object_set_new(body, "resource_definition_props", linstor_map(new->set));
    return body;
}

bool
linstor_spawn(LinstorClient *client, const LinstorNew *new, guint64 bytes,
              const LinstorPlace *place, bool definitions_only, LinstorPlaced *placed,
              GError **error)
{
    g_autofree char *path = linstor_path("resource-groups", new->group, "spawn", NULL);
    g_autofree char *what =
        g_strdup_printf("create '%s' in resource group '%s'", new->name, new->group);
    g_autoptr(json_t) answer = NULL;
    GError *why = NULL;
    LinstorChange change = {.method = "POST",
                            .path = path,
                            .name = new->name,
                            .what = what,
                            .body = spawn_body(client, new, bytes, place, definitions_only)};

    if (placed)
        *placed = (LinstorPlaced){0};
    LinstorResult result = linstor_change(client, &change, &answer, &why);
    if (!settle_creation(client, result, new, why, error))
        return false;
    if (placed)
        linstor_take_placed(answer, placed);
    LinstorProps props = {.set = new->set};
    if (linstor_has(client, LINSTOR_SPAWN_PROPS) || linstor_props_are_empty(&props))
        return true;
    if (linstor_definition_modify(client, new->name, &props, error))
        return true;
    (void)linstor_definition_delete(client, new->name, NULL, NULL); /* all or nothing */
    return false;
}

static bool
modify(LinstorClient *client, const char *name, json_t *body, GError **error)
{
    g_autofree char *path = linstor_path(RD, name, NULL);
    g_autofree char *what = g_strdup_printf("change '%s'", name);
    LinstorChange change = {.method = "PUT",
                            .path = path,
                            .name = name,
                            .what = what,
                            .body = body,
                            .repeatable = true};

    LinstorResult result = linstor_change(client, &change, NULL, error);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

bool
linstor_definition_modify(LinstorClient *client, const char *name, const LinstorProps *props,
                          GError **error)
{
    if (!linstor_props_check(props, error))
        return false;
    json_t *body = json_object();
    linstor_add_props(body, props);
    return modify(client, name, body, error);
}

bool
linstor_definition_regroup(LinstorClient *client, const char *name, const char *group,
                           GError **error)
{
    return modify(client, name, json_pack("{s:s}", "resource_group", group), error);
}

bool
linstor_definition_delete(LinstorClient *client, const char *name, bool *pending, GError **error)
{
    g_autofree char *path = linstor_path(RD, name, NULL);
    g_autofree char *what = g_strdup_printf("delete '%s'", name);
    g_autoptr(json_t) answer = NULL;
    LinstorChange change = {
        .method = "DELETE", .path = path, .name = name, .what = what, .repeatable = true};

    if (!linstor_delete_when_closed(client, &change, &answer, error))
        return false;
    if (pending)
        *pending = linstor_answer_has(answer, LINSTOR_WARNING, LINSTOR_WARN_NOT_CONNECTED);
    return true;
}

/* Sync */

typedef struct Syncing {
    bool out_of_sync;
} Syncing;

static bool
see_sync(LinstorResource *resource, void *user, G_GNUC_UNUSED GError **error)
{
    Syncing *syncing = user;

    syncing->out_of_sync |=
        !resource->diskless && !resource->deleting && resource->disk == LINSTOR_DISK_OTHER;
    return true;
}

bool
linstor_in_sync(LinstorClient *client, const char *name, bool *in_sync, GError **error)
{
    if (!linstor_has(client, LINSTOR_ZFS_CLONE)) { /* no sync-status either */
        Syncing syncing = {false};
        if (!linstor_view(client, name, see_sync, &syncing, error))
            return false;
        *in_sync = !syncing.out_of_sync;
        return true;
    }
    g_autofree char *path = linstor_path(RD, name, "sync-status", NULL);
    g_autofree char *what = g_strdup_printf("ask whether '%s' is in sync", name);
    g_autoptr(json_t) answer = linstor_get(client, path, name, what, error);
    const json_t *found = json_object_get(answer, "synced_on_all");
    *in_sync = json_is_true(found);
    return answer &&
           (json_is_boolean(found) ||
            set_error(error, ONEVOL_ERROR_CORRUPT, "cannot %s: LINSTOR does not tell", what));
}

bool
linstor_wait_for_sync(LinstorClient *client, const char *name, unsigned timeout_ms, GError **error)
{
    LinstorPause pause = linstor_pause_for(timeout_ms);

    for (;;) {
        bool in_sync = false;
        if (!linstor_in_sync(client, name, &in_sync, error))
            return false;
        if (in_sync)
            return true;
        if (!linstor_pause(&pause, error)) {
            g_prefix_error(error, "'%s' is not in sync on all nodes: ", name);
            return false;
        }
    }
}

/* Volumes */

bool
linstor_volume(LinstorClient *client, const char *name, LinstorVolume *volume, GError **error)
{
    g_autofree char *path = linstor_path(RD, name, "volume-definitions", "0", NULL);
    g_autofree char *what = g_strdup_printf("look at the volume of '%s'", name);
    g_autoptr(json_t) answer = linstor_get(client, path, name, what, error);

    return answer && linstor_volume_parse(answer, volume, error);
}

bool
linstor_volume_create(LinstorClient *client, const char *name, guint64 bytes, bool encrypted,
                      GError **error)
{
    g_autofree char *path = linstor_path(RD, name, "volume-definitions", NULL);
    g_autofree char *what = g_strdup_printf("create the volume of '%s'", name);
    json_t *volume =
        json_pack("{s:i, s:I}", "volume_number", 0, "size_kib", (json_int_t)linstor_kib(bytes));
    GError *why = NULL;

    if (encrypted)
        json_object_set_new(volume, "flags", json_pack("[s]", "ENCRYPTED"));
    LinstorChange change = {.method = "POST",
                            .path = path,
                            .name = name,
                            .what = what,
                            .body = json_pack("{s:o}", "volume_definition", volume)};
    LinstorResult result = linstor_change(client, &change, NULL, &why);
    LinstorVolume found;
    if (result == LINSTOR_LOST && linstor_volume(client, name, &found, NULL) &&
        found.size == linstor_kib(bytes) * 1024) {
        g_clear_error(&why);
        return true;
    }
    if (why)
        g_propagate_error(error, why);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

/* Resize */

typedef struct Sizes {
    guint64 wanted;
    char *behind; /* the node whose device is too small */
} Sizes;

static bool
see_size(LinstorResource *resource, void *user, G_GNUC_UNUSED GError **error)
{
    Sizes *sizes = user;
    /* LINSTOR 1.33.3 tells what is allocated as the size of a restored volume in a FILE_THIN pool.
     */
    bool told =
        resource->drbd || !g_str_has_prefix(resource->provider ? resource->provider : "", "FILE");
    bool small = told && resource->device && resource->device_size < sizes->wanted;

    if (!sizes->behind && !resource->diskless && !resource->deleting &&
        (small || resource->resizing))
        sizes->behind = g_strdup(resource->node);
    return true;
}

/* The size is this already, or was set by a call whose answer is lost: have the devices got it? */
static bool
check_devices(LinstorClient *client, const char *name, guint64 kib, GError **error)
{
    Sizes sizes = {.wanted = kib * 1024};

    if (!linstor_view(client, name, see_size, &sizes, error))
        return false;
    g_autofree char *behind = sizes.behind;
    if (!behind)
        return true;
    return set_error(error, ONEVOL_ERROR_FAILED,
                     "cannot resize '%s' to %" G_GUINT64_FORMAT " KiB: LINSTOR has that size, but "
                     "the device on node '%s' does not, as a resize before failed",
                     name, kib, behind);
}

bool
linstor_volume_resize(LinstorClient *client, const char *name, guint64 bytes, GError **error)
{
    guint64 kib = linstor_kib(bytes);
    g_autofree char *path = linstor_path(RD, name, "volume-definitions", "0", NULL);
    g_autofree char *what = g_strdup_printf("resize '%s' to %" G_GUINT64_FORMAT " KiB", name, kib);
    LinstorPause pause = linstor_pause_for(linstor_patience_ms(client));

    for (;;) {
        GError *why = NULL;
        g_autoptr(json_t) answer = NULL;
        LinstorChange change = {.method = "PUT",
                                .path = path,
                                .name = name,
                                .what = what,
                                .body = json_pack("{s:I}", "size_kib", (json_int_t)kib)};
        LinstorResult result = linstor_change(client, &change, &answer, &why);
        if (result == LINSTOR_SKIPPED)
            return true;
        if (result == LINSTOR_DONE)
            return !linstor_answer_has(answer, LINSTOR_WARNING, LINSTOR_WARN_SAME_SIZE) ||
                   check_devices(client, name, kib, error);
        LinstorVolume found;
        if (result == LINSTOR_LOST && linstor_volume(client, name, &found, NULL) &&
            found.size == kib * 1024) {
            g_error_free(why);
            return check_devices(client, name, kib, error);
        }
        if (linstor_failure(client) != LINSTOR_FAIL_NOT_ALL_UPTODATE ||
            !linstor_pause(&pause, NULL)) {
            g_propagate_error(error, why);
            return false;
        }
        g_error_free(why);
    }
}

/* Clones */

static json_t *
clone_body(LinstorClient *client, const char *target, const LinstorCloneOptions *options)
{
    json_t *body = json_pack("{s:s}", "name", target);

    if (linstor_has(client, LINSTOR_ZFS_CLONE))
        json_object_set_new(body, "use_zfs_clone", json_boolean(options->dependent));
    if (options->group)
        json_object_set_new(body, "resource_group", json_string(options->group));
    if (linstor_has(client, LINSTOR_CLONE_PROPS))
        linstor_add_props(body, &options->props);
    return body;
}

bool
linstor_clone_start(LinstorClient *client, const char *source, const char *target,
                    const LinstorCloneOptions *options, GError **error)
{
    g_autofree char *path = linstor_path(RD, source, "clone", NULL);
    g_autofree char *what = g_strdup_printf("clone '%s' to '%s'", source, target);
    LinstorCloneState state;
    GError *why = NULL;

    if (!linstor_has(client, LINSTOR_CLONE) ||
        (options->group && !linstor_has(client, LINSTOR_CLONE_GROUP)))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "cannot %s: LINSTOR %s is older than %s",
                         what, linstor_release(client), options->group ? "1.30" : "1.15");
    if (!linstor_props_check(&options->props, error))
        return false;
    LinstorChange change = {.method = "POST",
                            .path = path,
                            .name = target,
                            .what = what,
                            .body = clone_body(client, target, options)};
    LinstorResult result = linstor_change(client, &change, NULL, &why);
    if (result == LINSTOR_LOST && linstor_clone_state(client, source, target, &state, NULL)) {
        g_clear_error(&why);
        return true;
    }
    if (why)
        g_propagate_error(error, why);
    return result == LINSTOR_DONE || result == LINSTOR_SKIPPED;
}

bool
linstor_clone_state(LinstorClient *client, const char *source, const char *target,
                    LinstorCloneState *state, GError **error)
{
    static const char *const words[] = {"CLONING", "COMPLETE", "FAILED"};
    g_autofree char *path = linstor_path(RD, source, "clone", target, NULL);
    g_autofree char *what = g_strdup_printf("look at clone '%s'", target);
    g_autoptr(json_t) answer = linstor_get(client, path, target, what, error);
    const char *word = json_string_value(json_object_get(answer, "status"));

    for (guint i = 0; word && i < G_N_ELEMENTS(words); i++) {
        if (!strcmp(word, words[i])) {
            *state = (LinstorCloneState)i;
            return true;
        }
    }
    if (answer)
        set_error(error, ONEVOL_ERROR_CORRUPT, "cannot %s: LINSTOR does not tell", what);
    return false;
}

static bool
wait_until_complete(LinstorClient *client, const char *source, const char *target,
                    unsigned timeout_ms, GError **error)
{
    LinstorPause pause = linstor_pause_for(timeout_ms);
    LinstorCloneState state;

    for (;;) {
        if (!linstor_clone_state(client, source, target, &state, error))
            return false;
        if (state == LINSTOR_CLONE_COMPLETE)
            return true;
        if (state == LINSTOR_CLONE_FAILED)
            return set_error(error, ONEVOL_ERROR_FAILED,
                             "cannot clone '%s' to '%s': LINSTOR says that the copy failed, or a "
                             "node of it is away",
                             source, target);
        if (!linstor_pause(&pause, error)) {
            g_prefix_error(error, "'%s' is not complete as a clone of '%s': ", target, source);
            return false;
        }
    }
}

bool
linstor_clone_wait(LinstorClient *client, const char *source, const char *target,
                   const LinstorCloneOptions *options, unsigned timeout_ms, GError **error)
{
    if (step_is_dry_run())
        return true;
    if (!wait_until_complete(client, source, target, timeout_ms, error))
        return false;
    if (linstor_has(client, LINSTOR_CLONE_PROPS) || linstor_props_are_empty(&options->props))
        return true;
    return linstor_definition_modify(client, target, &options->props, error);
}
