// SPDX-License-Identifier: Apache-2.0
/*
 * The <VM> document: the longest one, and the one that changed most between releases.
 */
#include "verify/documents.h"

#define STARTED 1700000000

static void
text(GString *xml, const char *name, const char *value)
{
    g_string_append_printf(xml, "<%s><![CDATA[%s]]></%s>", name, value, name);
}

static void
value_int(GString *xml, const char *name, gint64 value)
{
    g_string_append_printf(xml, "<%s><![CDATA[%" G_GINT64_FORMAT "]]></%s>", name, value, name);
}

static void
number(GString *xml, const char *name, gint64 value)
{
    g_string_append_printf(xml, "<%s>%" G_GINT64_FORMAT "</%s>", name, value, name);
}

static void
marks(GString *xml, const Disk *disk)
{
    if (disk->attaching)
        text(xml, "ATTACH", "YES");
    if (disk->resizing)
        text(xml, "RESIZE", "YES");
    if (disk->saving)
        text(xml, "HOTPLUG_SAVE_AS_ACTIVE", "YES");
    if (disk->snapshot_in_progress >= 0) {
        text(xml, "DISK_SNAPSHOT_ACTIVE", "YES");
        value_int(xml, "DISK_SNAPSHOT_ID", disk->snapshot_in_progress);
    }
}

static void
target(GString *xml, const Disk *disk)
{
    g_string_append_printf(xml, "<TARGET><![CDATA[vd%c]]></TARGET>", 'a' + disk->id % 26);
}

static void
image_disk(GString *xml, const World *world, const Disk *disk)
{
    const Image *image = disk->image;
    guint64 snapshots = 0;
    GPtrArray *list = !disk->own ? image->snapshots : disk->snapshots;

    for (guint i = 0; i < list->len; i++)
        snapshots += ((Snapshot *)list->pdata[i])->size_mb;
    text(xml, "CLONE", disk->role == ROLE_PRIVATE ? "YES" : "NO");
    text(xml, "CLONE_TARGET", world->clone_target);
    text(xml, "DATASTORE", image->datastore->name);
    value_int(xml, "DATASTORE_ID", image->datastore->id);
    value_int(xml, "DISK_SNAPSHOT_TOTAL_SIZE", (gint64)snapshots);
    if (release_from(world->release, RELEASE(6, 0, 0))) {
        text(xml, "DRIVER", image->format);
        text(xml, "FORMAT", image->format);
    } else if (image->datastore->driver) {
        text(xml, "DRIVER", image->datastore->driver);
    }
    text(xml, "IMAGE", image->name);
    value_int(xml, "IMAGE_ID", image->id);
    value_int(xml, "IMAGE_STATE", image->state);
    text(xml, "LN_TARGET", world->ln_target);
    value_int(xml, "ORIGINAL_SIZE", (gint64)image->size_mb);
    if (disk_saves(disk))
        text(xml, "PERSISTENT", "YES");
    text(xml, "READONLY", disk->role == ROLE_CDROM ? "YES" : "NO");
    text(xml, "SAVE", disk_saves(disk) ? "YES" : "NO");
    if (disk->role == ROLE_SHAREABLE)
        text(xml, "SHAREABLE", "YES");
    value_int(xml, "SIZE", (gint64)disk->size_mb);
    text(xml, "SOURCE", image->source ? image->source : "");
    text(xml, "TYPE", disk->role == ROLE_CDROM ? "CDROM" : world->storage ? "BLOCK" : "FILE");
}

static void
volatile_disk(GString *xml, const World *world, const Vm *vm, const Disk *disk)
{
    const Datastore *system = vm_last(vm)->datastore;
    bool recent = release_from(world->release, RELEASE(6, 0, 0));

    text(xml, "DATASTORE", system->name);
    value_int(xml, "DATASTORE_ID", system->id);
    if (recent)
        text(xml, "DRIVER", disk->format);
    if (recent || disk->role != ROLE_SWAP)
        text(xml, "FORMAT", disk->format);
    if (disk->file_system)
        text(xml, "FS", disk->file_system);
    value_int(xml, "SIZE", (gint64)disk->size_mb);
    text(xml, "TYPE", disk->role == ROLE_SWAP ? "swap" : "fs");
}

static void
append_disk(GString *xml, const World *world, const Vm *vm, const Disk *disk)
{
    g_string_append(xml, "<DISK>");
    text(xml, "ALLOW_ORPHANS", disk->orphans ? disk->orphans : "YES");
    value_int(xml, "CLUSTER_ID", 0);
    value_int(xml, "DISK_ID", disk->id);
    text(xml, "DISK_TYPE", world->storage ? "BLOCK" : "FILE");
    marks(xml, disk);
    if (release_from(world->release, RELEASE(7, 0, 0)))
        text(xml, "PERSISTENT_SNAPSHOTS", disk->forgets ? "NO" : "YES");
    target(xml, disk);
    text(xml, "TM_MAD", world->driver);
    if (disk->suffix)
        text(xml, "TM_MAD_SYSTEM", disk->suffix);
    if (disk->image)
        image_disk(xml, world, disk);
    else
        volatile_disk(xml, world, vm, disk);
    g_string_append(xml, "</DISK>");
}

static void
append_template(GString *xml, const World *world, const Vm *vm)
{
    g_string_append(xml, "<TEMPLATE>");
    if (vm->context_id >= 0) {
        g_string_append(xml, "<CONTEXT>");
        value_int(xml, "DISK_ID", vm->context_id);
        text(xml, "NETWORK", "NO");
        text(xml, "TARGET", "hda");
        g_string_append(xml, "</CONTEXT>");
    }
    text(xml, "CPU", "0.1");
    for (guint i = 0; i < vm->disks->len; i++)
        append_disk(xml, world, vm, vm->disks->pdata[i]);
    text(xml, "MEMORY", "64");
    g_string_append(xml, "<OS>");
    if (vm->kernel) {
        text(xml, "KERNEL_DS", vm->kernel->name);
        text(xml, "KERNEL_DS_SOURCE", vm->kernel->source);
        value_int(xml, "KERNEL_DS_DSID", vm->kernel->datastore->id);
    }
    if (vm->ramdisk)
        text(xml, "INITRD_DS", vm->ramdisk->name);
    g_string_append(xml, "</OS>");
    value_int(xml, "VMID", vm->id);
    g_string_append(xml, "</TEMPLATE>");
}

static void
append_history(GString *xml, const World *world, const Vm *vm, guint sequence)
{
    const History *record = vm->history->pdata[sequence];
    bool last = sequence + 1 == vm->history->len;

    g_string_append(xml, "<HISTORY>");
    number(xml, "OID", vm->id);
    number(xml, "SEQ", sequence);
    g_string_append_printf(xml, "<HOSTNAME>%s</HOSTNAME>", record->host->name);
    number(xml, "HID", record->host->id);
    number(xml, "CID", 0);
    number(xml, "STIME", STARTED + sequence);
    number(xml, "ETIME", last ? 0 : STARTED + sequence + 1);
    text(xml, "VM_MAD", vm->hypervisor ? vm->hypervisor : "kvm");
    text(xml, "TM_MAD", world->driver);
    number(xml, "DS_ID", record->datastore->id);
    if (release_from(world->release, RELEASE(7, 0, 0)))
        g_string_append(xml, "<PLAN_ID>-1</PLAN_ID><ACTION_ID>0</ACTION_ID>");
    number(xml, "PSTIME", STARTED + sequence);
    g_string_append(xml, "<PETIME>0</PETIME><RSTIME>0</RSTIME><RETIME>0</RETIME><ESTIME>0</ESTIME>"
                         "<EETIME>0</EETIME>");
    number(xml, "ACTION", record->action);
    g_string_append(xml, "<UID>-1</UID><GID>-1</GID><REQUEST_ID>-1</REQUEST_ID></HISTORY>");
}

static void
append_disk_snapshots(GString *xml, const Disk *disk)
{
    GPtrArray *list = !disk->own ? disk->image->snapshots : disk->snapshots;
    int next = !disk->own ? disk->image->next_snapshot : disk->next_snapshot;

    if (list->len == 0)
        return;
    g_string_append(xml, "<SNAPSHOTS>");
    text(xml, "ALLOW_ORPHANS", disk->orphans ? disk->orphans : "YES");
    value_int(xml, "CURRENT_BASE", -1);
    value_int(xml, "DISK_ID", disk->id);
    value_int(xml, "NEXT_SNAPSHOT", next);
    for (guint i = 0; i < list->len; i++) {
        const Snapshot *snapshot = list->pdata[i];
        g_string_append(xml, "<SNAPSHOT>");
        value_int(xml, "DATE", STARTED);
        value_int(xml, "ID", snapshot->id);
        g_string_append_printf(xml, "<NAME><![CDATA[s%d]]></NAME>", snapshot->id);
        value_int(xml, "PARENT", -1);
        value_int(xml, "SIZE", (gint64)snapshot->size_mb);
        g_string_append(xml, "</SNAPSHOT>");
    }
    g_string_append(xml, "</SNAPSHOTS>");
}

static void
append_head(GString *xml, const Vm *vm)
{
    g_autofree char *name = g_markup_escape_text(vm->name, -1);

    number(xml, "ID", vm->id);
    g_string_append_printf(xml,
                           "<UID>0</UID><GID>0</GID><UNAME>oneadmin</UNAME><GNAME>oneadmin</GNAME>"
                           "<NAME>%s</NAME><PERMISSIONS><OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M>"
                           "<OWNER_A>0</OWNER_A></PERMISSIONS><LAST_POLL>0</LAST_POLL>",
                           name);
    number(xml, "STATE", vm->state);
    number(xml, "LCM_STATE", vm->lcm_state);
    number(xml, "PREV_STATE", vm->previous_state);
    number(xml, "PREV_LCM_STATE", vm->previous_lcm_state);
    number(xml, "RESCHED", 0);
    number(xml, "STIME", STARTED);
    number(xml, "ETIME", vm->state == 6 ? STARTED + 100 : 0);
    if (vm->booted)
        g_string_append_printf(xml, "<DEPLOY_ID>one-%d</DEPLOY_ID>", vm->id);
    else
        g_string_append(xml, "<DEPLOY_ID></DEPLOY_ID>");
    g_string_append(xml, "<MONITORING></MONITORING>");
}

char *
document_vm(const World *world, const Vm *vm, bool current_only)
{
    GString *xml = g_string_new("<VM>");

    append_head(xml, vm);
    if (release_from(world->release, RELEASE(7, 0, 0)))
        g_string_append(xml, "<SCHED_ACTIONS></SCHED_ACTIONS>");
    append_template(xml, world, vm);
    g_string_append(xml, "<USER_TEMPLATE></USER_TEMPLATE><HISTORY_RECORDS>");
    for (guint i = 0; i < vm->history->len; i++)
        if (!current_only || i + 1 == vm->history->len)
            append_history(xml, world, vm, i);
    g_string_append(xml, "</HISTORY_RECORDS>");
    for (guint i = 0; i < vm->disks->len; i++)
        append_disk_snapshots(xml, vm->disks->pdata[i]);
    if (release_from(world->release, RELEASE(6, 6, 0)))
        g_string_append(xml, "<BACKUPS><BACKUP_CONFIG/><BACKUP_IDS></BACKUP_IDS></BACKUPS>");
    g_string_append(xml, "</VM>");
    return g_string_free(xml, FALSE);
}
