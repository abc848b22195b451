// SPDX-License-Identifier: Apache-2.0
#include "backends/lvm/cow.h"

#include "base/error.h"

#include <string.h>

/* NAME.snap.ID and the like belong to the volume and go with it. */
static bool
is_part_of(const char *name, const char *volume)
{
    size_t length = strlen(volume);

    return !strncmp(name, volume, length) && name[length] == '.';
}

/* One of `origin` other than `not`, which may be NULL; NULL if there is none. */
static const char *
find_clone(const LvmReport *report, const char *origin, const char * not )
{
    for (guint i = 0; i < report->volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(report->volumes, i);
        if (lv_is_cow(lv) && !strcmp(lv->origin, origin) && g_strcmp0(lv->name, not ) != 0 &&
            !is_part_of(lv->name, origin))
            return lv->name;
    }
    return NULL;
}

bool
cow_check_alone(const Found *found, Host *host, GError **error)
{
    const Lv *lv = found->lv;
    Group group = found->group; /* its texts stay the other's */
    g_auto(LvmReport) report = {0};

    if (!lvm_ask(&group, host, lv->origin, &report, error))
        return false;
    const char *sibling = find_clone(&report, lv->origin, lv->name);
    return !sibling ||
           set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                     "'%s/%s' is a copy-on-write clone of '%s' as '%s' is, with which it has to "
                     "stay on its host until one of them ends",
                     found->group.name, lv->name, lv->origin, sibling);
}

static Volume *
origin_of(const Volume *volume, const Found *found)
{
    return volume_new(volume->datastore, VOLUME_IMAGE, volume->host, found->lv->origin,
                      volume->owner, NULL);
}

bool
cow_take_origin(Volume *volume, const Found *found, Host *host, GError **error)
{
    g_autoptr(Volume) image = origin_of(volume, found);
    g_auto(Found) origin = {0};
    bool active;

    return lvm_is_active(&found->group, host, found->lv->name, &active, error) &&
           (active || cow_check_alone(found, host, error)) && found_lock(image, &origin, error) &&
           found_require(image, &origin, error) &&
           found_take(image, &origin, host, ATTACH_WRITE, error);
}

bool
cow_size(const Volume *volume, const Found *found, guint64 *size, GError **error)
{
    g_autoptr(Volume) image = origin_of(volume, found);
    g_auto(Found) origin = {0};

    if (!found_of(image, &origin, error) || !found_require(image, &origin, error))
        return false;
    *size = lv_virtual_size(origin.lv, origin.report.extent);
    return true;
}

bool
cow_check_readable(const Found *found, Host *host, GError **error)
{
    const char *group = found->group.name, *name = found->lv->name;
    const char *clone = find_clone(&found->report, name, NULL);
    bool active;

    if (!clone || lv_tag(found->lv, "at"))
        return true;
    return lvm_is_active(&found->group, host, name, &active, error) &&
           (active ||
            set_error(error, ONEVOL_ERROR_REFUSED,
                      "'%s/%s' can be read only where its copy-on-write clone '%s' is active, and "
                      "that is not host '%s': 'lvchange --addtag onevol.at=HOST %s/%s' says where",
                      group, name, clone, host_name(host), group, name));
}
