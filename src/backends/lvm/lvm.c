// SPDX-License-Identifier: Apache-2.0
#include "backends/lvm/lvm.h"

#include "backends/lvm/cow.h"
#include "backends/lvm/lists.h"
#include "backends/lvm/media.h"
#include "backends/lvm/snapshots.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"

#include <jansson.h>
#include <string.h>

static bool
lvm_probe(Datastore *datastore, unsigned *caps, GError **error)
{
    g_auto(Group) group = {0};

    if (!group_of(datastore, &group, error))
        return false;
    if (group.mode == LVM_THICK)
        *caps &= ~(unsigned)CAP_SNAPSHOT;
    else
        *caps &= ~(unsigned)CAP_ATTACH_MANY;
    return true;
}

static bool
lvm_choose_worker(Volume *volume, Host **host, GError **error)
{
    g_auto(Group) group = {0};

    if (!group_of(volume->datastore, &group, error))
        return false;
    if (!group.bridge)
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "BRIDGE_LIST of datastore %" G_GINT64_FORMAT
                         " names no host that sees volume group '%s'",
                         volume->datastore->id, group.name);
    *host = group.bridge;
    return true;
}

static char *
bytes_tag(guint64 bytes)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
    return lvm_tag("size", text);
}

/* Who makes it, from the mark: host, process and start, for people and gc. */
static char *
maker_tag(const Mark *mark)
{
    json_t *object = json_loads(mark->text, 0, NULL);
    const char *host = json_string_value(json_object_get(object, "host"));
    const char *started = json_string_value(json_object_get(object, "started"));
    g_autofree char *text =
        g_strdup_printf("%s/%" JSON_INTEGER_FORMAT "/%s", host ? host : "",
                        json_integer_value(json_object_get(object, "pid")), started ? started : "");

    json_decref(object);
    return lvm_tag("maker", text);
}

static char *
user_tag(const VolumeUser *user)
{
    g_autofree char *text =
        g_strdup_printf("%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT, user->vm_id,
                        user->disk_id, user->datastore_id);
    return lvm_tag("user", text);
}

static GPtrArray *
creation_tags(const Volume *volume, const Group *group, Host *host)
{
    GPtrArray *tags = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(tags, lvm_tag("instance", group->instance));
    g_ptr_array_add(tags, lvm_tag("owner", volume->owner));
    g_ptr_array_add(tags, bytes_tag(volume->virtual_size));
    g_ptr_array_add(tags, lvm_tag("token", volume->mark->token));
    g_ptr_array_add(tags, maker_tag(volume->mark));
    g_ptr_array_add(tags, lvm_tag("at", host_name(host)));
    g_ptr_array_add(tags, NULL);
    return tags;
}

/* Its own pool, NULL without one: made for it, and it lies there or was to. */
static const Lv *
own_pool(const Volume *volume, const Found *found)
{
    g_autofree char *name = g_strconcat(volume->name, ".pool", NULL);
    const Lv *pool = lvm_report_find(&found->report, name);

    return !pool || (found->lv && strcmp(found->lv->pool, name) != 0) ? NULL : pool;
}

/* What LVM removes together with it is ours too: an admin's snapshot is not. */
static bool
check_dependents(const Volume *volume, const Found *found, const Lv *removed, GError **error)
{
    g_autofree char *prefix = g_strconcat(volume->name, ".", NULL);

    for (guint i = 0; i < found->report.volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(found->report.volumes, i);
        bool depends = !strcmp(lv->pool, removed->name) ||
                       (lv_is_cow(lv) && !strcmp(lv->origin, removed->name));
        if (depends && strcmp(lv->name, volume->name) != 0 && !g_str_has_prefix(lv->name, prefix))
            return set_error(error, ONEVOL_ERROR_REFUSED,
                             "'%s/%s' is not removed, since '%s', which is not ours, would go with "
                             "it",
                             found->group.name, volume->name, lv->name);
    }
    return true;
}

/* Inactive everywhere first: a device that stays where its volume is gone would be writing into
 * somebody else's. */
static bool
release_all(const Volume *volume, Found *found, GError **error)
{
    g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);

    return found_release(found, NULL, gone, error) &&
           (lv_has_tag(found->lv, "at", host_name(volume->host)) ||
            lv_has_tag(found->lv, "on", host_name(volume->host)) ||
            found_switch_off(found, volume->host, error));
}

/* A pool takes all in it along, an origin its snapshots. A COW clone goes where it is active. */
static bool
remove_found(Volume *volume, Found *found, GError **error)
{
    const Lv *pool = own_pool(volume, found);
    const Lv *removed = pool ? pool : found->lv;
    bool cow = found->lv && lv_is_cow(found->lv);

    /* a pool alone is ours by its tag only: no record names it */
    if (!removed || (!found->lv && !lv_tag(pool, "instance")))
        return true;
    if (!check_dependents(volume, found, removed, error) ||
        (found->lv && !cow && !release_all(volume, found, error)))
        return false;
    Host *worker =
        cow ? found_host(found, volume->host, error) : group_worker(&found->group, volume->host);
    if (!worker)
        return false;
    const char *const names[] = {removed->name, NULL};
    g_autoptr(Argv) argv = lvm_remove(found->group.name, names);
    return lvm_do(&found->group, worker, volume->name, argv, error);
}

/* Others name volumes as we do (OpenNebula's fs_lvm, cxm): only a tag tells that one is ours. */
static bool
check_is_leftover(const Volume *volume, const Found *found, const Lv *lv, const char *tag,
                  GError **error)
{
    if (!lv || lv_tag(lv, tag))
        return true;
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "'%s/%s' is in the way of %s and has no tag that says whose it is: if oned "
                     "knows no volume of that name remove it by 'lvremove %s/%s', else rename it",
                     found->group.name, lv->name, volume->owner, found->group.name, lv->name);
}

/* A leftover of that name goes; the image of somebody else does not. */
static bool
make_room(Volume *volume, Found *found, GError **error)
{
    if (!found_check_instance(volume, found, error) ||
        !check_is_leftover(volume, found, found->lv, "owner", error) ||
        !check_is_leftover(volume, found, own_pool(volume, found), "instance", error))
        return false;
    if (found->lv && volume->kind == VOLUME_IMAGE && !lv_tag(found->lv, "token"))
        return set_error(error, ONEVOL_ERROR_REFUSED, "'%s/%s' is there already", found->group.name,
                         volume->name);
    return remove_found(volume, found, error);
}

/* To be removed: whoever has it must give it up. */
static bool
lock_to_remove(Volume *volume, Found *found, GError **error)
{
    return found_lock(volume, found, error) && found_meet(volume, found, NULL, error);
}

/* The pool is made inactive: one that a run leaves without its volume is active nowhere. */
static bool
create_thin(const Volume *volume, const Found *found, const char *const *tags, GError **error)
{
    const Group *group = &found->group;
    g_autofree char *instance = lvm_tag("instance", group->instance);
    const char *const own[] = {instance, NULL};
    guint64 bytes = MAX(volume->virtual_size / 100 * group->pool_percent, MIB);
    g_autofree char *pool = g_strconcat(volume->name, ".pool", NULL);
    g_autoptr(Argv) first = lvm_create_pool(group->name, pool, bytes, own);
    g_autoptr(Argv) second =
        lvm_create_thin(group->name, volume->name, pool, volume->virtual_size, tags);

    if (!group_lock(group, error))
        return false;
    bool done = lvm_change(group, volume->host, volume->name, first, error) &&
                lvm_change(group, volume->host, volume->name, second, error);
    group_unlock(group);
    return done;
}

/* A VM's disk stays as it was activated: an exclusive lock cannot become a shared one while it
 * runs.
 */
static LvmActivation
first_activation(const Volume *volume, const Group *group)
{
    if (!group->shared)
        return LVM_ON;
    return volume->kind == VOLUME_DISK && group->activate_shared ? LVM_SHARED : LVM_EXCLUSIVE;
}

/* On the bridge, inactive, unless the volume is worked with there. */
static bool
create_thick(const Volume *volume, Found *found, const char *const *tags, GError **error)
{
    const Group *group = &found->group;
    LvmActivation on = first_activation(volume, group);
    Host *worker = group_worker(group, volume->host);
    bool here = worker == volume->host;
    g_autoptr(Argv) argv =
        lvm_create(group->name, volume->name, volume->virtual_size, here ? on : LVM_OFF, tags);

    if (!lvm_do(group, worker, volume->name, argv, error))
        return false;
    found_unlock(found);
    return here || lvm_switch_on(group, volume->host, volume->name, on, error);
}

/* Active on the volume's host; what a thick one held before is still there. */
static bool
make(Volume *volume, guint64 bytes, Found *found, GError **error)
{
    if (!volume_use_worker(volume, error) || !lock_to_remove(volume, found, error) ||
        !make_room(volume, found, error))
        return false;
    volume->virtual_size = MAX(volume->virtual_size, bytes);
    if (volume->virtual_size == 0)
        return set_error(error, ONEVOL_ERROR_USAGE, "the size of %s is not known", volume->owner);
    g_free(volume->format);
    volume->format = g_strdup("raw");

    g_autoptr(GPtrArray) tags = creation_tags(volume, &found->group, volume->host);
    const char *const *words = (const char *const *)tags->pdata;
    bool done = found->group.mode == LVM_THIN ? create_thin(volume, found, words, error)
                                              : create_thick(volume, found, words, error);
    found_unlock(found);
    return done && lvm_wait(&found->group, volume->host, volume->name, error);
}

/* oned would give an empty raw volume to a VM as qcow2. A volatile disk's driver is in TM_MAD_CONF.
 */
static bool
check_format(const Volume *volume, GError **error)
{
    if (volume->kind != VOLUME_IMAGE || !volume->format || !strcmp(volume->format, "raw"))
        return true;
    return set_error(
        error, ONEVOL_ERROR_UNSUPPORTED,
        "logical volumes hold raw content, so %s cannot be made as %s: set FORMAT of the "
        "image, and DRIVER of the datastore, to raw",
        volume->owner, volume->format);
}

static bool
lvm_volume_create(Volume *volume, guint64 bytes, GError **error)
{
    g_auto(Found) found = {0};

    if (!check_format(volume, error))
        return false;
    if (!make(volume, bytes, &found, error))
        return false;
    return found.group.mode == LVM_THIN ||
           lvm_zero_new(&found.group, volume->host, volume->name, volume->virtual_size, error);
}

/* False and LOST if another run has taken it over. */
static bool
check_token(const Volume *volume, const Found *found, GError **error)
{
    if (found->lv && lv_has_tag(found->lv, "token", volume->mark->token))
        return true;
    return set_error(error, ONEVOL_ERROR_LOST, "another run has taken '%s/%s' over",
                     found->group.name, volume->name);
}

static void
swap_tag(GPtrArray *without, GPtrArray *with, const Lv *lv, const char *key, char *tag)
{
    const char *old = lv_tag(lv, key);
    g_autofree char *present = old ? lvm_tag(key, old) : NULL;

    if (present && tag && !strcmp(present, tag)) {
        g_free(tag);
        return;
    }
    if (present)
        g_ptr_array_add(without, g_steal_pointer(&present));
    if (tag)
        g_ptr_array_add(with, tag);
}

/* One change of tags: complete from there on. The lock is held. */
static bool
complete(Volume *volume, Found *found, bool keep_active, GError **error)
{
    g_autoptr(GPtrArray) without = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) with = g_ptr_array_new_with_free_func(g_free);
    const Lv *lv = found->lv;

    swap_tag(without, with, lv, "token", NULL);
    swap_tag(without, with, lv, "maker", NULL);
    swap_tag(without, with, lv, "growing", NULL);
    swap_tag(without, with, lv, "size", bytes_tag(volume->virtual_size));
    if (volume->user.vm_id >= 0)
        swap_tag(without, with, lv, "user", user_tag(&volume->user));
    if (!keep_active)
        swap_tag(without, with, lv, "at", NULL);
    g_ptr_array_add(without, NULL);
    g_ptr_array_add(with, NULL);
    g_autoptr(Argv) argv =
        lvm_retag(found->group.name, volume->name, (const char *const *)without->pdata,
                  (const char *const *)with->pdata);
    return lvm_change(&found->group, group_worker(&found->group, volume->host), volume->name, argv,
                      error);
}

/* A VM's disk stays active where it was made: there it is attached next. */
static bool
lvm_commit(Volume *volume, GError **error)
{
    bool keep = volume->kind == VOLUME_DISK;
    g_auto(Found) found = {0};

    return found_lock(volume, &found, error) && check_token(volume, &found, error) &&
           (keep || found_switch_off(&found, volume->host, error)) &&
           complete(volume, &found, keep, error);
}

static bool
lvm_abandon(Volume *volume, GError **error)
{
    g_auto(Found) found = {0};

    if (!lock_to_remove(volume, &found, error))
        return false;
    if (found.lv && !check_token(volume, &found, error))
        return false;
    return remove_found(volume, &found, error);
}

static bool
lvm_volume_remove(Volume *volume, GError **error)
{
    g_auto(Found) found = {0};

    if (media_is(volume))
        return media_remove(volume);
    return volume_use_worker(volume, error) && lock_to_remove(volume, &found, error) &&
           found_check_instance(volume, &found, error) && remove_found(volume, &found, error);
}

static bool
lvm_stat(Volume *volume, bool *exists, GError **error)
{
    g_auto(Found) found = {0};

    if (media_is(volume))
        return media_stat(volume, exists, error);
    if (!volume_use_worker(volume, error) || !found_of(volume, &found, error) ||
        !found_check_instance(volume, &found, error))
        return false;
    *exists = found.lv && (!lv_tag(found.lv, "token") || volume->mark);
    if (!*exists)
        return true;
    /* it has the size that it will have when it is opened */
    if (!volume->mark && lv_tag(found.lv, "growing") && !found_settle(volume, &found, error))
        return false;
    g_free(volume->format);
    volume->format = g_strdup("raw");
    volume->virtual_size = lv_virtual_size(found.lv, found.report.extent);
    volume->allocated_size = lv_allocated_size(found.lv);
    return !lv_is_cow(found.lv) || cow_size(volume, &found, &volume->virtual_size, error);
}

/* What is being made is active already, and reads as zeros where nobody wrote. */
static bool
lvm_open(Volume *volume, Endpoint *endpoint, GError **error)
{
    g_auto(Found) found = {0};
    g_auto(Group) group = {0};

    if (media_is(volume))
        return media_open(volume, endpoint, error);
    if (volume->mark) {
        if (!group_of(volume->datastore, &group, error))
            return false;
        *endpoint = (Endpoint){.host = volume->host,
                               .path = lvm_device(&group, volume->name),
                               .block = true,
                               .zeroed = true,
                               .size = volume->virtual_size};
        return true;
    }
    if (!volume_use_worker(volume, error) || !found_lock(volume, &found, error) ||
        !found_require(volume, &found, error) || !found_check_instance(volume, &found, error) ||
        !found_settle(volume, &found, error))
        return false;
    Host *host = found_is_single(&found) ? found_host(&found, volume->host, error) : volume->host;
    if (!host || !cow_check_readable(&found, host, error) ||
        (lv_is_cow(found.lv) && !cow_take_origin(volume, &found, host, error)) ||
        !found_take(volume, &found, host, ATTACH_READ_ONLY, error))
        return false;
    *endpoint = (Endpoint){.host = host,
                           .path = lvm_device(&found.group, volume->name),
                           .block = true,
                           .size = lv_virtual_size(found.lv, found.report.extent)};
    return !lv_is_cow(found.lv) || cow_size(volume, &found, &endpoint->size, error);
}

/* It stays active to read, and its tag says so: the next copy needs no activation, and two at once
 * do not take it from each other. Who writes to it or removes it ends that. */
static bool
lvm_close(G_GNUC_UNUSED Volume *volume, Endpoint *endpoint, G_GNUC_UNUSED GError **error)
{
    endpoint_clear(endpoint);
    return true;
}

static bool
copy(Volume *target, const Endpoint *from, bool dirty, char **how, GError **error)
{
    g_auto(Group) group = {0};
    MoveOptions options;

    if (!group_of(target->datastore, &group, error) ||
        !datastore_move_options(target->datastore, &options, error))
        return false;
    g_autofree char *device = lvm_device(&group, target->name);
    options.dirty = dirty;
    options.length = from->size;
    return host_transfer(from->host, from->path, target->host, device, &options, how, error);
}

static bool
copy_of_instant(Volume *source, Volume *target, bool dirty, char **how, GError **error)
{
    g_auto(Found) found = {0};
    g_autofree char *name = NULL;

    if (!found_lock(source, &found, error) || !found_require(source, &found, error) ||
        !found_settle(source, &found, error) || !lvm_instant(source, &found, &name, error))
        return false;
    found_unlock(&found);
    g_auto(Endpoint) from = {.host = source->freeze->host,
                             .path = lvm_device(&found.group, name),
                             .block = true,
                             .size = lv_virtual_size(found.lv, found.report.extent)};
    bool done = copy(target, &from, dirty, how, error);
    return lvm_drop(source, name, done ? error : NULL) && done;
}

/* One pass: a thick target is not zeroed first, since the copy writes zeros too. */
static bool
lvm_clone(Volume *source, Volume *target, char **how, GError **error)
{
    g_auto(Found) made = {0};
    g_auto(Endpoint) from = {0};

    if (!make(target, source->virtual_size, &made, error))
        return false;
    bool dirty = made.group.mode != LVM_THIN;
    if (source->freeze)
        return copy_of_instant(source, target, dirty, how, error);
    if (!volume_open(source, &from, error))
        return false;
    bool done = copy(target, &from, dirty, how, error);
    return volume_close(source, &from, done ? error : NULL) && done;
}

/* Where it is active the kernel learns of the new size; an old reader need not. */
static bool
refresh(const Found *found, GError **error)
{
    static const char *const keys[] = {"at", "on"};
    g_autoptr(Argv) argv = lvm_refresh(found->group.name, found->lv->name);

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autoptr(GPtrArray) names = lv_tags(found->lv, keys[i]);
        for (guint j = 0; j < names->len; j++) {
            g_autoptr(GError) local = NULL;
            Host *host = host_named(g_ptr_array_index(names, j), &local);
            bool active = false;
            if (host && lvm_is_active(&found->group, host, found->lv->name, &active, &local) &&
                (!active || lvm_change(&found->group, host, found->lv->name, argv, &local)))
                continue;
            if (i == 0) {
                g_propagate_error(error, g_steal_pointer(&local));
                return false;
            }
            log_warn("%s", local->message);
        }
    }
    return true;
}

static bool
grow_thick(Volume *volume, Found *found, Host *host, guint64 bytes, GError **error)
{
    g_autofree char *growing = lvm_tag("growing", "1");
    g_autoptr(GPtrArray) with = g_ptr_array_new();
    g_autoptr(GPtrArray) writers = lv_tags(found->lv, "at");
    guint64 old = lv_virtual_size(found->lv, found->report.extent);
    bool complete = !lv_tag(found->lv, "token");
    bool migrating = writers->len > 1; /* both ends keep it */

    if (lv_is_cow(found->lv))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "%s is a copy-on-write clone, which cannot grow: save it as an image",
                         volume->owner);
    if (found_has_snapshots(found))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "%s has snapshots, whose stores would not grow: remove them first",
                         volume->owner);
    /* before anything is noted; LVM itself has the last word */
    if (bytes > found->lv->size && bytes - found->lv->size > found->report.group_free)
        return set_error(error, ONEVOL_ERROR_NO_SPACE,
                         "volume group '%s' has insufficient free space: %" G_GUINT64_FORMAT
                         " bytes are free, %s needs %" G_GUINT64_FORMAT " more",
                         found->group.name, found->report.group_free, volume->owner,
                         bytes - found->lv->size);
    g_ptr_array_add(with, growing);
    if (complete && !lv_tag(found->lv, "growing") && !found_retag(found, host, NULL, with, error))
        return false;
    if (complete && !migrating && !found_take(volume, found, host, ATTACH_WRITE, error))
        return false;
    if (found->lv->size < bytes) {
        g_autoptr(Argv) argv =
            lvm_extend(found->group.name, volume->name, bytes, found_is_shared(found));
        Host *worker = group_worker(&found->group, host);
        if (!lvm_do(&found->group, worker, volume->name, argv, error))
            return false;
    }
    found_unlock(found);
    return found_again(volume, found, error) && refresh(found, error) &&
           lvm_zero_rest(found, host, old, error);
}

static bool
grow_thin(Volume *volume, Found *found, Host *host, guint64 bytes, GError **error)
{
    if (!lvm_fit_pool(found, host, bytes, found_snapshots(found), error))
        return false;
    if (found->lv->size >= bytes)
        return true;
    g_autoptr(Argv) argv = lvm_extend(found->group.name, volume->name, bytes, false);
    return lvm_do(&found->group, host, volume->name, argv, error) &&
           found_again(volume, found, error);
}

static bool
lvm_resize(Volume *volume, guint64 bytes, GError **error)
{
    g_autoptr(GPtrArray) without = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) with = g_ptr_array_new_with_free_func(g_free);
    g_auto(Found) found = {0};
    bool idle = false;

    if (!volume_use_worker(volume, error) || !found_lock(volume, &found, error) ||
        (!volume->mark && !found_require(volume, &found, error)) ||
        (volume->mark && !check_token(volume, &found, error)) ||
        !found_check_instance(volume, &found, error) ||
        (!volume->mark && !found_drop_leftovers(volume, &found, volume->host, error)))
        return false;
    Host *host = found_host(&found, volume->host, error);
    if (!host || (!volume->mark && !found_is_idle(&found, host, &idle, error)))
        return false;
    if (!(lv_is_thin(found.lv) ? grow_thin(volume, &found, host, bytes, error)
                               : grow_thick(volume, &found, host, bytes, error)))
        return false;
    if (volume->mark)
        return true; /* commit() says so */
    swap_tag(without, with, found.lv, "growing", NULL);
    swap_tag(without, with, found.lv, "size", bytes_tag(bytes));
    return found_retag(&found, host, without, with, error) &&
           (!idle || found_give_back(volume, &found, host, error));
}

static bool
lvm_assign(Volume *volume, const VolumeUser *user, bool uses, GError **error)
{
    g_autoptr(GPtrArray) without = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) with = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *tag = user_tag(user);
    g_auto(Found) found = {0};

    if (media_is(volume))
        return true;
    if (!volume_use_worker(volume, error) || !found_lock(volume, &found, error) ||
        !found_require(volume, &found, error) || !found_check_instance(volume, &found, error))
        return false;
    const char *old = lv_tag(found.lv, "user");
    g_autofree char *present = old ? lvm_tag("user", old) : NULL;
    if (!uses) {
        g_autofree char *vm = g_strdup_printf("%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT "/",
                                              user->vm_id, user->disk_id);
        if (old && g_str_has_prefix(old, vm))
            g_ptr_array_add(without, g_steal_pointer(&present));
    } else {
        swap_tag(without, with, found.lv, "user", g_steal_pointer(&tag));
    }
    return found_retag(&found, volume->host, without, with, error);
}

const Backend lvm_backend = {
    .name = "lvm",
    .tools = (const ToolNeed[]){{"lvs", "LVM on hosts and bridge"},
                                {"blkdiscard", "new volumes read as zeros"},
                                {NULL, NULL}},
    .caps = CAP_CLONE | CAP_RESIZE | CAP_SNAPSHOT | CAP_ATTACH_MANY,
    .probe = lvm_probe,
    .create = lvm_volume_create,
    .commit = lvm_commit,
    .abandon = lvm_abandon,
    .remove = lvm_volume_remove,
    .stat = lvm_stat,
    .attach = lvm_attach,
    .detach = lvm_detach,
    .open = lvm_open,
    .close = lvm_close,
    .list = lvm_list,
    .space = lvm_space,
    .choose_worker = lvm_choose_worker,
    .assign = lvm_assign,
    .usage = lvm_usage,
    .diagnose = lvm_diagnose,
    .reattach = lvm_reattach,
    .clone = lvm_clone,
    .resize = lvm_resize,
    .snapshot_create = lvm_snapshot_create,
    .snapshot_remove = lvm_snapshot_remove,
    .snapshot_revert = lvm_snapshot_revert,
    .snapshot_flatten = lvm_snapshot_flatten,
    .snapshot_open = lvm_snapshot_open,
    .snapshot_close = lvm_snapshot_close,
};
