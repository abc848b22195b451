// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/life.h"

#include "backends/linstor/build.h"
#include "backends/linstor/devices.h"
#include "backends/linstor/placement.h"
#include "backends/linstor/rollback.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "core/qemu_img.h"

#include <string.h>

static bool
is_qcow2(const char *format)
{
    return format && !strcmp(format, "qcow2");
}

/* A cluster of 64 KiB takes 8 bytes of its table and 2 of the counts of uses. */
guint64
linstor_device_bytes(const char *format, guint64 bytes)
{
    return is_qcow2(format) ? bytes + bytes / 4096 + 4 * MIB : bytes;
}

/* Create */

static bool
make_blank(LinstorStore *store, const Volume *volume, void *data, GError **error)
{
    g_auto(GStrv) props = linstor_first_props(volume, NULL);

    return linstor_place_new(store, volume, *(const guint64 *)data, (const char *const *)props,
                             error);
}

bool
linstor_create_device(Volume *volume, guint64 bytes, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);
    guint64 size = linstor_kib(bytes) * 1024;

    if (!store)
        return false;
    linstor_forget(store, volume->name);
    if (!linstor_make_fresh(store, volume, make_blank, &size, error))
        return false;
    LinstorKnown *known = linstor_known(store, volume->name);
    known->blank = true;
    known->size = size;
    return true;
}

static bool
write_qcow2(Volume *volume, guint64 bytes, GError **error)
{
    g_auto(Endpoint) endpoint = {0};

    if (!linstor_open(volume, &endpoint, error))
        return false;
    bool done = qemu_img_create(endpoint.host, endpoint.path, bytes, error);
    return linstor_close(volume, &endpoint, done ? error : NULL) && done;
}

/* A volume whose guest's size is known already gets content, with a header of its own. */
bool
linstor_create(Volume *volume, guint64 bytes, GError **error)
{
    bool empty = volume->virtual_size == 0 || volume->virtual_size == bytes;

    if (volume->virtual_size == 0)
        volume->virtual_size = bytes;
    if (volume->virtual_size == 0)
        return set_error(error, ONEVOL_ERROR_USAGE, "the size of '%s' is not known", volume->name);
    guint64 device = linstor_device_bytes(volume->format, volume->virtual_size);
    return linstor_create_device(volume, MAX(device, bytes), error) &&
           (!empty || !is_qcow2(volume->format) ||
            write_qcow2(volume, volume->virtual_size, error));
}

/* Commit */

/* The properties that say who uses a definition, after Volume.user and what is there. */
typedef struct Users {
    GPtrArray *set, *remove;
} Users;

static void
set_number(Users *users, const char *key, gint64 number)
{
    g_ptr_array_add(users->set, g_strdup(key));
    g_ptr_array_add(users->set, g_strdup_printf("%" G_GINT64_FORMAT, number));
}

static Users
users_of(const LinstorStore *store, const VolumeUser *user)
{
    static const char *const keys[] = {LINSTOR_VM_ID, LINSTOR_DS_ID, LINSTOR_DISK_ID, NULL};
    Users users = {g_ptr_array_new_with_free_func(g_free), g_ptr_array_new_with_free_func(g_free)};
    bool nobody = user->vm_id < 0;

    if (!store->names->tells_users)
        return users;
    for (const char *const *key = keys; nobody && *key; key++)
        g_ptr_array_add(users.remove, g_strdup(*key));
    g_ptr_array_add(users.remove, g_strdup(LINSTOR_OLD_VM_ID));
    if (!nobody) {
        set_number(&users, LINSTOR_VM_ID, user->vm_id);
        set_number(&users, LINSTOR_DS_ID, user->datastore_id);
        set_number(&users, LINSTOR_DISK_ID, user->disk_id);
    }
    return users;
}

static void
remove_if_there(Users *users, const LinstorDefinition *definition, const char *key)
{
    if (g_hash_table_contains(definition->props, key))
        g_ptr_array_add(users->remove, g_strdup(key));
}

/* A restore brings the source's properties: its snapshots' sizes, and what we keep of it. */
static void
set_inherited(Users *users, const LinstorDefinition *definition, const char *origin,
              const char *maker, bool has_format)
{
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, definition->props);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        if (g_str_has_prefix(key, "Aux/one/SNAPSHOT_"))
            g_ptr_array_add(users->remove, g_strdup(key));
    if (origin) {
        g_ptr_array_add(users->set, g_strdup(LINSTOR_ORIGIN));
        g_ptr_array_add(users->set, g_strdup(origin));
    } else {
        remove_if_there(users, definition, LINSTOR_ORIGIN);
    }
    if (!maker)
        remove_if_there(users, definition, LINSTOR_MADE);
    if (!has_format) {
        remove_if_there(users, definition, LINSTOR_FORMAT);
        remove_if_there(users, definition, LINSTOR_CONTENT);
    }
}

static bool
change_users(LinstorStore *store, const char *name, Users *users, GError **error)
{
    g_ptr_array_add(users->set, NULL);
    g_ptr_array_add(users->remove, NULL);
    LinstorProps props = {.set = (const char *const *)users->set->pdata,
                          .remove = (const char *const *)users->remove->pdata};
    bool done = linstor_props_are_empty(&props) ||
                linstor_definition_modify(store->client, name, &props, error);

    g_ptr_array_unref(users->set);
    g_ptr_array_unref(users->remove);
    return done;
}

static bool
require_mark(const Volume *volume, const LinstorLook *look, GError **error)
{
    if (look->it && linstor_mark_is(look->it, volume->mark))
        return true;
    return set_error(error, ONEVOL_ERROR_LOST, "another action took '%s' over", volume->name);
}

static bool
finish(LinstorStore *store, const Volume *volume, const LinstorDefinition *it, GError **error)
{
    static const VolumeUser nobody = {.vm_id = -1};
    bool raw = !is_qcow2(volume->format);
    Users users = users_of(store, volume->kind == VOLUME_CHECKPOINT ? &nobody : &volume->user);

    g_autofree char *maker = volume->kind != VOLUME_CHECKPOINT ? linstor_maker(volume) : NULL;
    set_inherited(&users, it, linstor_known(store, volume->name)->origin, maker, !raw);
    if (maker) {
        g_ptr_array_add(users.set, g_strdup(LINSTOR_MADE));
        g_ptr_array_add(users.set, g_strdup(maker));
    }
    if (!raw) {
        g_ptr_array_add(users.set, g_strdup(LINSTOR_FORMAT));
        g_ptr_array_add(users.set, g_strdup(volume->format));
        set_number(&users, LINSTOR_CONTENT, (gint64)volume->virtual_size);
    }
    g_ptr_array_add(users.remove, g_strdup(LINSTOR_MARK));
    return change_users(store, volume->name, &users, error);
}

/* Opening a blank volume makes it read as zeros. */
static bool
hide_old_data(Volume *volume, const LinstorKnown *known, GError **error)
{
    g_auto(Endpoint) endpoint = {0};

    if (!known->blank || known->zeros == LINSTOR_YES || step_is_dry_run())
        return true;
    return linstor_open(volume, &endpoint, error) && linstor_close(volume, &endpoint, error);
}

bool
linstor_commit(Volume *volume, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);
    g_auto(LinstorLook) look = {0};

    if (!store)
        return false;
    bool blank = linstor_known(store, volume->name)->blank;
    if (!hide_old_data(volume, linstor_known(store, volume->name), error) ||
        !linstor_look(store, volume->name, &look, error) || !require_mark(volume, &look, error) ||
        !finish(store, volume, look.it, error))
        return false;
    LinstorKnown *known = linstor_known(store, volume->name);
    g_clear_pointer(&known->props, g_hash_table_unref); /* they have changed */
    known->blank = blank;
    return true;
}

/* Remove */

bool
linstor_drop_one(LinstorStore *store, const char *name, GError **error)
{
    bool pending = false;
    g_autoptr(GError) why = NULL;

    if (!linstor_definition_delete(store->client, name, &pending, &why)) {
        if (linstor_failure(store->client) != LINSTOR_FAIL_EXISTS_SNAPSHOT) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
        g_autoptr(GPtrArray) snapshots = linstor_snapshots(store->client, name, error);
        if (!snapshots)
            return false;
        for (guint i = snapshots->len; i > 0; i--) { /* ZFS wants the newest to go first */
            const LinstorSnapshot *one = g_ptr_array_index(snapshots, i - 1);
            if (!linstor_snapshot_delete(store->client, name, one->name, error))
                return false;
        }
        if (!linstor_definition_delete(store->client, name, &pending, error))
            return false;
    }
    linstor_forget(store, name);
    if (pending)
        log_info("a node of '%s' is away: LINSTOR removes it there when that is back", name);
    return true;
}

/* Of the image that a disk was restored from, where nothing of the disk's own tells it. */
static char *
search_origin(LinstorStore *store, const char *name)
{
    g_autofree char *found = NULL;
    LinstorName parsed;

    if (!store->names->origin_snapshots || store->at.clone_mode != LINSTOR_BY_SNAPSHOT ||
        store->names->parse(name, &parsed) != LINSTOR_NAME_DISK)
        return NULL;
    found = linstor_find_snapshot(store->client, name, NULL);
    return found && store->names->parse(found, &parsed) == LINSTOR_NAME_IMAGE
               ? g_steal_pointer(&found)
               : NULL;
}

/* linstor_un itself did not record it. What we have made tells it; a restore by linstor_un has
 * brought the image's text. */
static bool
tells_origin(LinstorStore *store, const char *name, const LinstorDefinition *it)
{
    const char *maker = g_hash_table_lookup(it->props, LINSTOR_MADE);
    LinstorName parsed;

    if (linstor_mark_of(it))
        return true;
    if (!maker || store->names->parse(name, &parsed) != LINSTOR_NAME_DISK)
        return false;
    g_autofree char *owner =
        g_strdup_printf(" of disk %" G_GINT64_FORMAT " of VM %" G_GINT64_FORMAT " on ",
                        parsed.disk_id, parsed.vm_id);
    return strstr(maker, owner) != NULL;
}

static char *
origin_of(LinstorStore *store, const char *name, const LinstorDefinition *it)
{
    const char *made = linstor_known(store, name)->origin;
    const char *told = made ? made : g_hash_table_lookup(it->props, LINSTOR_ORIGIN);

    return told                            ? g_strdup(told)
           : tells_origin(store, name, it) ? NULL
                                           : search_origin(store, name);
}

/* The snapshot goes last, since a clone on ZFS needs it; a kill before leaves it alone. */
bool
linstor_drop(LinstorStore *store, const char *name, const LinstorLook *look, GError **error)
{
    g_autofree char *beside = linstor_beside(name);
    bool there = look->it && !look->it->deleting;

    if (look->beside && !look->beside->deleting && !linstor_drop_one(store, beside, error))
        return false;
    g_autofree char *origin = there ? origin_of(store, name, look->it) : search_origin(store, name);
    if (there && !linstor_drop_one(store, name, error))
        return false;
    return !origin || linstor_snapshot_delete(store->client, origin, name, error);
}

bool
linstor_remove(Volume *volume, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);
    g_auto(LinstorLook) look = {0};

    return store && linstor_look(store, volume->name, &look, error) &&
           linstor_drop(store, volume->name, &look, error);
}

static bool
note_name(const json_t *element, void *user, GError **error)
{
    g_autoptr(LinstorDefinition) definition = linstor_definition_parse(element, error);

    if (definition && !definition->deleting)
        g_ptr_array_add(user, g_strdup(definition->name));
    return definition != NULL;
}

/* One call where there is none of them. */
bool
linstor_remove_any(Datastore *datastore, const char *const *names, GError **error)
{
    LinstorStore *store = linstor_store(datastore, error);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) path = g_string_new("resource-definitions");

    if (!store)
        return false;
    for (const char *const *name = names; *name; name++)
        g_string_append_printf(path, "%cresource_definitions=%s", name == names ? '?' : '&', *name);
    LinstorCall call = {.kind = STEP_READ,
                        .method = "GET",
                        .path = path->str,
                        .object = "/linstor-site",
                        .what = "look for what earlier releases left",
                        .visit = note_name,
                        .user = found};
    if (linstor_call(store->client, &call, NULL, error) != LINSTOR_DONE)
        return false;
    for (guint i = 0; i < found->len; i++) {
        const char *name = g_ptr_array_index(found, i);
        if (g_strv_contains(names, name) && !linstor_drop_one(store, name, error))
            return false;
    }
    return true;
}

bool
linstor_abandon(Volume *volume, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);
    g_auto(LinstorLook) look = {0};

    if (!store || !linstor_look(store, volume->name, &look, error))
        return false;
    if (!look.it || look.it->deleting)
        return true;
    /* LINSTOR before 1.32 gives a clone its mark only once it is complete */
    bool unmarked_clone = !linstor_mark_of(look.it) && (look.it->cloning || look.it->failed);
    return (unmarked_clone || require_mark(volume, &look, error)) &&
           linstor_drop(store, volume->name, &look, error);
}

/* Look */

static void
take_format(Volume *volume, const LinstorDefinition *it)
{
    const char *format = g_hash_table_lookup(it->props, LINSTOR_FORMAT);
    const char *content = g_hash_table_lookup(it->props, LINSTOR_CONTENT);
    guint64 bytes;

    if (!volume->format)
        volume->format = g_strdup(is_qcow2(format) ? "qcow2" : "raw");
    volume->virtual_size = volume->allocated_size = it->size;
    if (is_qcow2(volume->format) && parse_number(content, G_MAXINT64, &bytes))
        volume->virtual_size = MIN(bytes, it->size);
}

/* A definition that LINSTOR still deletes, or clones, is none; nor is one whose builder is another.
 */
bool
linstor_stat(Volume *volume, bool *exists, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);
    g_auto(LinstorLook) look = {0};

    *exists = false;
    if (!store || !linstor_look(store, volume->name, &look, error))
        return false;
    const LinstorDefinition *it = look.it;
    if (!it || it->deleting || it->failed || !it->sized)
        return true;
    *exists =
        volume->mark ? linstor_mark_is(it, volume->mark) : !linstor_mark_of(it) && !it->cloning;
    if (*exists)
        take_format(volume, it);
    return true;
}

/* Users */

static bool
is_of(GHashTable *props, const VolumeUser *user)
{
    const char *vm = g_hash_table_lookup(props, LINSTOR_VM_ID);
    const char *disk = g_hash_table_lookup(props, LINSTOR_DISK_ID);
    guint64 vm_id, disk_id;

    if (!vm)
        vm = g_hash_table_lookup(props, LINSTOR_OLD_VM_ID);
    return !vm || (parse_number(vm, G_MAXINT64, &vm_id) && (gint64)vm_id == user->vm_id &&
                   (!disk || (parse_number(disk, G_MAXINT64, &disk_id) &&
                              (gint64)disk_id == user->disk_id)));
}

static bool
has_number(GHashTable *props, const char *key, gint64 number)
{
    const char *text = g_hash_table_lookup(props, key);
    guint64 found;

    return text && parse_number(text, G_MAXINT64, &found) && (gint64)found == number;
}

static bool
is_told(GHashTable *props, const VolumeUser *user)
{
    return has_number(props, LINSTOR_VM_ID, user->vm_id) &&
           has_number(props, LINSTOR_DISK_ID, user->disk_id) &&
           has_number(props, LINSTOR_DS_ID, user->datastore_id) &&
           !g_hash_table_contains(props, LINSTOR_OLD_VM_ID);
}

/* The definition's group follows the datastore that the volume is in now. */
static bool
regroup(LinstorStore *store, const char *name, const char *known, GError **error)
{
    const char *group = store->at.rule == LINSTOR_RULE_GROUP ? store->at.group : NULL;

    return !group || !g_ascii_strcasecmp(group, known ? known : "") ||
           linstor_definition_regroup(store->client, name, group, error);
}

/* What this action has looked at already, it does not look at again. */
static bool
see_props(LinstorStore *store, Volume *volume, bool *there, GError **error)
{
    g_auto(LinstorLook) look = {0};

    *there = linstor_known(store, volume->name)->props != NULL;
    if (*there)
        return true;
    if (!linstor_look(store, volume->name, &look, error))
        return false;
    *there = look.it && !look.it->deleting;
    return true;
}

bool
linstor_assign(Volume *volume, const VolumeUser *user, bool uses, GError **error)
{
    static const VolumeUser nobody = {.vm_id = -1};
    LinstorStore *store = linstor_store_of(volume, error);
    bool there;

    if (!store || !see_props(store, volume, &there, error))
        return false;
    if (!there)
        return true;
    if (!linstor_settle(store, volume, error))
        return false;
    LinstorKnown *known = linstor_known(store, volume->name);
    if (!uses && (!store->names->tells_users || !is_of(known->props, user)))
        return true;
    if (uses && is_told(known->props, user))
        return regroup(store, volume->name, known->group, error);
    Users users = users_of(store, uses ? user : &nobody);
    if (!change_users(store, volume->name, &users, error))
        return false;
    g_clear_pointer(&known->props, g_hash_table_unref); /* they have changed */
    return !uses || regroup(store, volume->name, known->group, error);
}
