// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/rollback.h"

#include "backends/linstor/growing.h"
#include "backends/linstor/history.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"

#include <string.h>

/* The note: each property below this key, in place of "Aux/", and the size of the device. */
#define NOTE "Aux/onevol/after/"

static bool
is_ours(const char *key)
{
    return (g_str_has_prefix(key, "Aux/one/") || g_str_has_prefix(key, "Aux/onevol/")) &&
           !g_str_has_prefix(key, NOTE) && strcmp(key, LINSTOR_MARK) != 0;
}

static bool
lacks_any(GHashTable *wanted, GHashTable *found)
{
    GHashTableIter iter;
    gpointer key, value;

    g_hash_table_iter_init(&iter, wanted);
    while (g_hash_table_iter_next(&iter, &key, &value))
        if (is_ours(key) && g_strcmp0(value, g_hash_table_lookup(found, key)) != 0)
            return true;
    return false;
}

bool
linstor_rollback_loses(GHashTable *now, GHashTable *then)
{
    return lacks_any(now, then) || lacks_any(then, now);
}

/* What is to be */

typedef struct Wanted {
    GHashTable *props;
    guint64 size; /* of the device */
} Wanted;

static void
add_differences(const Wanted *wanted, GHashTable *found, GPtrArray *set, GPtrArray *remove)
{
    GHashTableIter iter;
    gpointer key, value;

    /* the size of a qcow2 is told by whoever has made it so large */
    g_hash_table_iter_init(&iter, wanted->props);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        if (is_ours(key) && strcmp(key, LINSTOR_CONTENT) != 0 &&
            g_strcmp0(value, g_hash_table_lookup(found, key)) != 0) {
            g_ptr_array_add(set, key);
            g_ptr_array_add(set, value);
        }
    }
    g_hash_table_iter_init(&iter, found);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        if (is_ours(key) && !g_hash_table_contains(wanted->props, key))
            g_ptr_array_add(remove, key);
    g_ptr_array_add(set, NULL);
    g_ptr_array_add(remove, NULL);
}

static bool
put_props_right(LinstorStore *store, const char *name, const Wanted *wanted, GHashTable *found,
                GError **error)
{
    g_autoptr(GPtrArray) set = g_ptr_array_new();
    g_autoptr(GPtrArray) remove = g_ptr_array_new();

    add_differences(wanted, found, set, remove);
    const LinstorProps props = {.set = (const char *const *)set->pdata,
                                .remove = (const char *const *)remove->pdata};
    return (set->len == 1 && remove->len == 1) ||
           linstor_definition_modify(store->client, name, &props, error);
}

/* The tables of a qcow2 have the size of that time too. */
static bool
put_content_right(LinstorStore *store, Volume *volume, const Wanted *wanted, GHashTable *found,
                  bool grown, GError **error)
{
    const char *content = g_hash_table_lookup(wanted->props, LINSTOR_CONTENT);
    guint64 bytes;

    volume->virtual_size = wanted->size;
    if (!volume->format || strcmp(volume->format, "qcow2") != 0)
        return true;
    if (parse_number(content, G_MAXINT64, &bytes))
        volume->virtual_size = MIN(bytes, wanted->size);
    return (!grown && !g_strcmp0(content, g_hash_table_lookup(found, LINSTOR_CONTENT))) ||
           linstor_grow_qcow2(store, volume, volume->virtual_size, error);
}

static bool
put_right(LinstorStore *store, Volume *volume, const Wanted *wanted, GHashTable *found,
          guint64 size, bool grown, GError **error)
{
    LinstorKnown *known = linstor_known(store, volume->name);

    known->size = size;
    if (!put_props_right(store, volume->name, wanted, found, error) ||
        (size < wanted->size && !linstor_grow_device(store, volume->name, wanted->size, error)) ||
        !put_content_right(store, volume, wanted, found, grown || size < wanted->size, error))
        return false;
    known->size = wanted->size;
    if (known->props != wanted->props) {
        g_clear_pointer(&known->props, g_hash_table_unref);
        known->props = g_hash_table_ref(wanted->props);
    }
    return true;
}

/* The note */

static bool
write_note(LinstorStore *store, const Volume *volume, const Wanted *wanted, GError **error)
{
    g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer key, value;

    g_hash_table_iter_init(&iter, wanted->props);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        if (!is_ours(key))
            continue;
        g_ptr_array_add(pairs, g_strconcat(NOTE, (const char *)key + strlen("Aux/"), NULL));
        g_ptr_array_add(pairs, g_strdup(value));
    }
    g_ptr_array_add(pairs, g_strdup(LINSTOR_NOTED_SIZE));
    g_ptr_array_add(pairs, g_strdup_printf("%" G_GUINT64_FORMAT, wanted->size));
    g_ptr_array_add(pairs, NULL);
    return linstor_define_beside(store, volume, (const char *const *)pairs->pdata, error);
}

static Wanted
read_note(GHashTable *note)
{
    Wanted wanted = {g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free), 0};
    GHashTableIter iter;
    gpointer key, value;

    g_hash_table_iter_init(&iter, note);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        g_autofree char *plain = g_str_has_prefix(key, NOTE)
                                     ? g_strconcat("Aux/", (const char *)key + strlen(NOTE), NULL)
                                     : NULL;
        if (plain && is_ours(plain))
            g_hash_table_insert(wanted.props, g_steal_pointer(&plain), g_strdup(value));
    }
    parse_number(g_hash_table_lookup(note, LINSTOR_NOTED_SIZE), G_MAXINT64, &wanted.size);
    return wanted;
}

bool
linstor_settle(LinstorStore *store, Volume *volume, GError **error)
{
    LinstorKnown *known = linstor_known(store, volume->name);

    if (!known->note || !known->props || step_is_dry_run())
        return true;
    log_info("a rollback of '%s' was cut short, it is completed first", volume->name);
    g_autoptr(GHashTable) note = g_steal_pointer(&known->note);
    g_autoptr(GHashTable) found = g_hash_table_ref(known->props);
    Wanted wanted = read_note(note);
    /* it may have ended between the device and the content */
    bool done = put_right(store, volume, &wanted, found, known->size, true, error) &&
                linstor_drop_beside(store, volume, error);
    g_hash_table_unref(wanted.props);
    return done;
}

/* The rollback */

static bool
refused(LinstorStore *store, const Volume *volume, bool noted, GError **error)
{
    int failure = linstor_failure(store->client);

    if (failure == LINSTOR_FAIL_IN_USE)
        g_prefix_error(error, "a running VM uses it: ");
    if (failure == LINSTOR_FAIL_NOT_CONNECTED)
        g_prefix_error(error, "a rollback needs all nodes of '%s': ", volume->name);
    if (failure != 0 && noted) /* else it may have been done */
        (void)linstor_drop_beside(store, volume, NULL);
    linstor_set_failure(store->client, failure);
    return linstor_advise(store, error);
}

bool
linstor_roll_back(LinstorStore *store, Volume *volume, const LinstorSnapshot *snapshot,
                  GError **error)
{
    const LinstorKnown *known = linstor_known(store, volume->name);
    g_autoptr(GHashTable) props =
        known->props ? g_hash_table_ref(known->props) : g_hash_table_new(g_str_hash, g_str_equal);
    const Wanted wanted = {props, known->size};
    bool noted = snapshot->size < wanted.size || linstor_rollback_loses(props, snapshot->props);

    if (noted && !write_note(store, volume, &wanted, error))
        return false;
    if (!linstor_snapshot_rollback(store->client, volume->name, snapshot->name, error))
        return refused(store, volume, noted, error);
    if (!noted || step_is_dry_run())
        return true;
    return put_right(store, volume, &wanted, snapshot->props, MIN(snapshot->size, wanted.size),
                     false, error) &&
           linstor_drop_beside(store, volume, error);
}
