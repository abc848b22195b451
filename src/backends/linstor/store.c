// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/store.h"

#include "backends/linstor/build.h"
#include "backends/linstor/controllers.h"
#include "base/error.h"

#include <string.h>

static void
store_free(LinstorStore *store)
{
    linstor_attributes_clear(&store->at);
    g_free(store);
}

/* Connections: what a datastore says, else LINSTOR's own files. */

static LinstorClient *
open_client(const LinstorAttributes *at, GError **error)
{
    g_auto(LinstorDefaults) defaults = {0};
    LinstorSettings settings = {.controllers = at->controllers,
                                .certificate = at->certificate,
                                .key = at->key,
                                .ca = at->ca};

    if (!at->controllers) {
        linstor_defaults_read(&defaults, NULL, NULL);
        settings.controllers = defaults.controllers ? defaults.controllers : "linstor://localhost";
    }
    if (!at->controllers && !at->certificate && !at->ca) {
        settings.certificate = defaults.certificate;
        settings.key = defaults.key;
        settings.ca = defaults.ca;
    }
    return linstor_client_open(&settings, error);
}

static LinstorClient *
client_for(const LinstorAttributes *at, GError **error)
{
    static GHashTable *clients;
    const char *parts[] = {at->controllers, at->certificate, at->key, at->ca};
    g_autoptr(GString) key = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
        g_string_append_printf(key, "%s\n", parts[i] ? parts[i] : "");
    if (!clients)
        clients = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                        (GDestroyNotify)linstor_client_free);
    LinstorClient *client = g_hash_table_lookup(clients, key->str);
    if (!client && (client = open_client(at, error)))
        g_hash_table_insert(clients, g_strdup(key->str), client);
    return client;
}

static LinstorStore *
make_store(const Datastore *datastore, const OneDatastore *facts, GError **error)
{
    g_autofree LinstorStore *store = g_new0(LinstorStore, 1);

    if (!linstor_attributes_read(facts, datastore->driver, &store->at, error))
        return NULL;
    store->client = client_for(&store->at, error);
    if (!store->client) {
        linstor_attributes_clear(&store->at);
        return NULL;
    }
    store->names = linstor_names_of(datastore->driver);
    store->driver = datastore->driver;
    store->id = datastore->id;
    store->facts = facts;
    return g_steal_pointer(&store);
}

LinstorStore *
linstor_store(Datastore *datastore, GError **error)
{
    static GPtrArray *stores;
    const OneDatastore *facts = datastore_facts(datastore, error);

    if (!facts)
        return NULL;
    if (!stores)
        stores = g_ptr_array_new_with_free_func((GDestroyNotify)store_free);
    for (guint i = 0; i < stores->len; i++) {
        LinstorStore *store = g_ptr_array_index(stores, i);
        if (store->id == datastore->id && store->driver == datastore->driver &&
            store->facts == facts)
            return store;
    }
    LinstorStore *store = make_store(datastore, facts, error);
    if (store)
        g_ptr_array_add(stores, store);
    return store;
}

LinstorStore *
linstor_store_of(const Volume *volume, GError **error)
{
    if (!linstor_name_is_valid(volume->name)) {
        g_autofree char *shown = one_line(volume->name, 80);
        set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is no name of a LINSTOR resource", shown);
        return NULL;
    }
    return linstor_store(volume->datastore, error);
}

/* What is known */

static void
known_free(LinstorKnown *known)
{
    g_clear_pointer(&known->props, g_hash_table_unref);
    g_clear_pointer(&known->note, g_hash_table_unref);
    g_clear_pointer(&known->replicas, g_ptr_array_unref);
    g_free(known->group);
    g_free(known->origin);
    g_free(known);
}

static GHashTable *known_table;

static char *
known_key(const LinstorStore *store, const char *name)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);

    return g_strdup_printf("%p/%s", (const void *)store->client, lower);
}

LinstorKnown *
linstor_known(const LinstorStore *store, const char *name)
{
    g_autofree char *key = known_key(store, name);

    if (!known_table)
        known_table =
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)known_free);
    LinstorKnown *known = g_hash_table_lookup(known_table, key);
    if (!known) {
        known = g_new0(LinstorKnown, 1);
        g_hash_table_insert(known_table, g_steal_pointer(&key), known);
    }
    return known;
}

void
linstor_forget(const LinstorStore *store, const char *name)
{
    g_autofree char *key = known_key(store, name);

    if (known_table)
        g_hash_table_remove(known_table, key);
}

/* A restored definition tells no layers. */
static void
learn(const LinstorStore *store, const LinstorLook *look)
{
    const LinstorDefinition *definition = look->it, *beside = look->beside;
    LinstorKnown *known = linstor_known(store, definition->name);

    if (*definition->layers)
        known->drbd = g_strv_contains((const char *const *)definition->layers, "DRBD") ? LINSTOR_YES
                                                                                       : LINSTOR_NO;
    known->size = definition->size;
    g_clear_pointer(&known->props, g_hash_table_unref);
    known->props = definition->deleting ? NULL : g_hash_table_ref(definition->props);
    g_free(known->group);
    known->group = g_strdup(definition->group);
    g_clear_pointer(&known->note, g_hash_table_unref);
    if (beside && !beside->deleting && g_hash_table_contains(beside->props, LINSTOR_NOTED_SIZE))
        known->note = g_hash_table_ref(beside->props);
}

/* Looking */

char *
linstor_beside(const char *name)
{
    return g_strconcat(name, "-tmp", NULL);
}

typedef struct Looking {
    const char *name, *beside;
    LinstorLook *look;
} Looking;

static bool
see(const json_t *element, void *user, GError **error)
{
    Looking *looking = user;
    LinstorDefinition *definition = linstor_definition_parse(element, error);

    if (!definition)
        return false;
    LinstorDefinition **place =
        !g_ascii_strcasecmp(definition->name, looking->name)     ? &looking->look->it
        : !g_ascii_strcasecmp(definition->name, looking->beside) ? &looking->look->beside
                                                                 : NULL;
    if (place && !*place)
        *place = definition;
    else
        linstor_definition_free(definition);
    return true;
}

bool
linstor_look(LinstorStore *store, const char *name, LinstorLook *look, GError **error)
{
    g_autofree char *beside = linstor_beside(name);
    bool both = linstor_name_is_valid(beside);
    g_autofree char *object = linstor_object(name);
    g_autofree char *what = g_strdup_printf("look at '%s'", name);
    g_autofree char *path = g_strdup_printf(
        "resource-definitions?with_volume_definitions=true&resource_definitions=%s%s%s", name,
        both ? "&resource_definitions=" : "", both ? beside : "");
    Looking looking = {name, beside, look};
    LinstorCall call = {.kind = STEP_READ,
                        .method = "GET",
                        .path = path,
                        .object = object,
                        .what = what,
                        .visit = see,
                        .user = &looking};

    *look = (LinstorLook){0};
    if (linstor_call(store->client, &call, NULL, error) != LINSTOR_DONE) {
        linstor_look_clear(look);
        return false;
    }
    if (look->it)
        learn(store, look);
    else
        linstor_forget(store, name);
    return true;
}

void
linstor_look_clear(LinstorLook *look)
{
    g_clear_pointer(&look->it, linstor_definition_free);
    g_clear_pointer(&look->beside, linstor_definition_free);
}

const char *
linstor_mark_of(const LinstorDefinition *definition)
{
    return g_hash_table_lookup(definition->props, LINSTOR_MARK);
}

bool
linstor_mark_is(const LinstorDefinition *definition, const Mark *mark)
{
    const char *text = linstor_mark_of(definition);
    json_t *read = text ? json_loads(text, 0, NULL) : NULL;
    const char *token = json_string_value(json_object_get(read, "token"));
    bool same = token && !strcmp(token, mark->token);

    json_decref(read);
    return same;
}

bool
linstor_advise(LinstorStore *store, GError **error)
{
    int failure = linstor_failure(store->client);

    if (failure == LINSTOR_FAIL_NO_CRYPT_KEY)
        g_prefix_error(error, "LINSTOR's passphrase is locked or not set, enter it with 'linstor "
                              "encryption enter-passphrase': ");
    if (failure == LINSTOR_FAIL_NO_SNAPSHOTS && error && *error)
        (*error)->code = ONEVOL_ERROR_UNSUPPORTED;
    return false;
}
