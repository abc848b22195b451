// SPDX-License-Identifier: Apache-2.0
#include "backends/lvm/lists.h"

#include "backends/lvm/activate.h"
#include "base/log.h"
#include "base/path.h"

#include <string.h>

/* Not those that belong to a volume: NAME.snap.ID, NAME.pool … */
static bool
is_ours(const Datastore *datastore, const Group *group, const Lv *lv)
{
    g_autofree char *device = lvm_device(group, lv->name);
    g_autofree char *name = datastore->driver->naming->of_device(device);

    return name && (!lv_tag(lv, "instance") || lv_has_tag(lv, "instance", group->instance));
}

bool
lvm_list(Datastore *datastore, GPtrArray *volumes, GError **error)
{
    g_auto(Group) group = {0};
    g_auto(LvmReport) report = {0};

    if (!group_of(datastore, &group, error) ||
        !lvm_ask(&group, datastore->host, NULL, &report, error))
        return false;
    for (guint i = 0; i < report.volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(report.volumes, i);
        const char *owner = lv_tag(lv, "owner");
        if (!is_ours(datastore, &group, lv))
            continue;
        Volume *volume = volume_new(datastore, VOLUME_IMAGE, datastore->host, lv->name,
                                    owner ? owner : lv->name, "raw");
        volume->virtual_size = lv_virtual_size(lv, report.extent);
        volume->allocated_size = lv_allocated_size(lv);
        if (lv_tag(lv, "token"))
            volume->mark = mark_new("unknown", volume->owner);
        g_ptr_array_add(volumes, volume);
    }
    return true;
}

/* Whoever has to know before it is too late reads the log of the monitor. */
static void
warn_of_pools(const Group *group, const LvmReport *report)
{
    for (guint i = 0; i < report->volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(report->volumes, i);
        if (*lv->attributes == 't' && (lv->data_percent > 85 || lv->metadata_percent > 85))
            log_warn("pool '%s/%s' is %.0f%% full (metadata %.0f%%)", group->name, lv->name,
                     lv->data_percent, lv->metadata_percent);
        else if (*lv->origin && !lv_is_thin(lv) && lv->data_percent > 85)
            log_warn("snapshot '%s/%s' is %.0f%% full and is lost when it has no room left",
                     group->name, lv->name, lv->data_percent);
    }
}

bool
lvm_space(Datastore *datastore, guint64 *total, guint64 *used, guint64 *available, GError **error)
{
    g_auto(Group) group = {0};
    g_auto(LvmReport) report = {0};

    if (!group_of(datastore, &group, error) ||
        !lvm_ask(&group, datastore->host, NULL, &report, error))
        return false;
    warn_of_pools(&group, &report);
    *total = report.group_size;
    *available = report.group_free;
    *used = report.group_size - MIN(report.group_free, report.group_size);
    return true;
}

static bool
parse_user(const char *text, VolumeUser *user)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", -1);
    guint64 vm, disk, datastore;

    if (g_strv_length(parts) != 3 || !parse_number(parts[0], G_MAXINT32, &vm) ||
        !parse_number(parts[1], G_MAXINT32, &disk) ||
        !parse_number(parts[2], G_MAXINT32, &datastore))
        return false;
    *user = (VolumeUser){(gint64)vm, (gint64)disk, (gint64)datastore};
    return true;
}

static void
note_snapshots(const LvmReport *report, const Lv *disk, const VolumeUser *user, UsageNote note,
               gpointer data)
{
    g_autofree char *prefix = g_strconcat(disk->name, ".snap.", NULL);
    guint64 id;

    for (guint i = 0; i < report->volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(report->volumes, i);
        if (g_str_has_prefix(lv->name, prefix) &&
            parse_number(lv->name + strlen(prefix), G_MAXINT32, &id))
            note(data, user->vm_id, user->disk_id, (gint64)id, lv_allocated_size(lv));
    }
}

bool
lvm_usage(Datastore *datastore, UsageNote note, gpointer data, GError **error)
{
    g_auto(Group) group = {0};
    g_auto(LvmReport) report = {0};
    VolumeUser user;

    if (!group_of(datastore, &group, error) ||
        !lvm_ask(&group, datastore->host, NULL, &report, error))
        return false;
    for (guint i = 0; i < report.volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(report.volumes, i);
        const char *text = lv_tag(lv, "user");
        if (!text || !parse_user(text, &user) || user.datastore_id != datastore->id)
            continue;
        note(data, user.vm_id, user.disk_id, -1, lv_allocated_size(lv));
        note_snapshots(&report, lv, &user, note, data);
    }
    return true;
}

void
lvm_diagnose(Datastore *datastore, Host *host, CheckNote note, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_auto(Group) group = {0};
    g_auto(LvmReport) report = {0};
    g_autofree char *what = NULL;

    bool known = group_of(datastore, &group, &error);
    what = g_strdup_printf("volume group '%s'", known ? group.name : "");
    if (known)
        (void)lvm_ask(&group, host, NULL, &report, &error);
    note(data, what, error);
}
