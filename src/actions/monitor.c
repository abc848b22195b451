// SPDX-License-Identifier: Apache-2.0
#include "actions/monitor.h"

#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "one/monitord.h"

#include <stdio.h>
#include <string.h>

static guint64
mib_up(guint64 bytes)
{
    return (bytes + MIB - 1) / MIB;
}

static void
append_size(GString *text, gint64 disk_id, gint64 snapshot, guint64 bytes)
{
    if (snapshot < 0)
        g_string_append_printf(text,
                               "DISK_SIZE=[ID=%" G_GINT64_FORMAT ",SIZE=%" G_GUINT64_FORMAT "] ",
                               disk_id, mib_up(bytes));
    else
        g_string_append_printf(text,
                               "SNAPSHOT_SIZE=[ID=%" G_GINT64_FORMAT ",DISK_ID=%" G_GINT64_FORMAT
                               ",SIZE=%" G_GUINT64_FORMAT "] ",
                               snapshot, disk_id, mib_up(bytes));
}

/* disk.N.snap/ID, also above 9 */
static bool
add_snapshots(Host *host, const char *directory, guint64 disk_id, GString *text, GError **error)
{
    g_autoptr(GPtrArray) entries = host_list(host, directory, error);

    for (guint i = 0; entries && i < entries->len; i++) {
        const DirectoryEntry *entry = g_ptr_array_index(entries, i);
        guint64 id;
        if (parse_number(entry->name, G_MAXINT32, &id))
            append_size(text, (gint64)disk_id, (gint64)id, entry->allocated);
    }
    return entries != NULL;
}

/* A link counts as what it leads to: the image, with its own snapshots. */
static bool
add_disk(Host *host, const char *directory, const DirectoryEntry *entry, GString *text,
         GError **error)
{
    g_autofree char *path = g_build_filename(directory, entry->name, NULL);
    gint64 id = disk_id_of_path(path);
    g_auto(FileInfo) info = {0};
    g_autofree char *target = NULL;

    if (id < 0)
        return true;
    if (!host_stat(host, path, true, &info, error))
        return false;
    if (!S_ISREG(info.mode))
        return true;
    if (S_ISLNK(entry->mode)) {
        target = host_resolve(host, path, error);
        if (!target)
            return false;
    }
    append_size(text, id, -1, info.allocated);
    g_autofree char *snapshots = g_strconcat(target ? target : path, ".snap", NULL);
    return add_snapshots(host, snapshots, (guint64)id, text, error);
}

/* VM id and text pairs of the system datastore's directory. */
static bool
each_vm(Host *host, const char *base, MonitorVms *vms, GError **error)
{
    g_autoptr(GPtrArray) entries = host_list(host, base, error);

    for (guint i = 0; entries && i < entries->len; i++) {
        const DirectoryEntry *vm = g_ptr_array_index(entries, i);
        guint64 id;
        if (!S_ISDIR(vm->mode) || !parse_number(vm->name, G_MAXINT32, &id))
            continue;
        g_autofree char *directory = g_build_filename(base, vm->name, NULL);
        g_autoptr(GPtrArray) files = host_list(host, directory, error);
        g_autoptr(GString) text = g_string_new(NULL);
        if (!files)
            return false;
        for (guint j = 0; j < files->len; j++)
            if (!add_disk(host, directory, g_ptr_array_index(files, j), text, error))
                return false;
        if (text->len > 0)
            monitor_vms_add(vms, (gint64)id, g_strchomp(text->str));
    }
    return entries != NULL;
}

/* VM id → GString of its sizes */
static void
note_usage(gpointer data, gint64 vm_id, gint64 disk_id, gint64 snapshot, guint64 bytes)
{
    GHashTable *texts = data;
    GString *text = g_hash_table_lookup(texts, &vm_id);

    if (!text) {
        text = g_string_new(NULL);
        g_hash_table_insert(texts, g_memdup2(&vm_id, sizeof vm_id), text);
    }
    append_size(text, disk_id, snapshot, bytes);
}

static void
free_text(gpointer data)
{
    g_string_free(data, TRUE);
}

/* As the storage tells it. */
static bool
each_used(Task *task, MonitorVms *vms, GError **error)
{
    g_autoptr(GHashTable) texts =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, free_text);
    GHashTableIter all;
    gpointer id, text;

    if (!task->driver->backend->usage(task->datastore, note_usage, texts, error))
        return false;
    g_hash_table_iter_init(&all, texts);
    while (g_hash_table_iter_next(&all, &id, &text))
        monitor_vms_add(vms, *(gint64 *)id, g_strchomp(((GString *)text)->str));
    return true;
}

/* Up to 5.8 always, since 5.10 when oned asks; on stdout until monitord came with 5.12. */
static bool
monitor_vms(Task *task, const OneDatastore *facts, GError **error)
{
    unsigned version = task->installation->version;
    xmlNode *asked = xml_find(xml_root(task->message), "MONITOR_VM_DISKS");
    bool wanted = asked ? xml_number(asked, "", 0) == 1 : version < ONE_VERSION(5, 10, 0);
    g_autoptr(MonitorVms) vms = monitor_vms_new();

    if (facts->type != DATASTORE_SYSTEM || !wanted)
        return true;
    bool done = task->driver->backend->usage
                    ? each_used(task, vms, error)
                    : each_vm(task->datastore->host, facts->base_path, vms, error);
    if (!done)
        return false;
    if (version < ONE_VERSION(5, 12, 0)) {
        monitor_vms_print(vms, stdout);
        return true;
    }
    /* the space is worth more than the sizes: their loss is a warning */
    g_autoptr(GError) unsent = NULL;
    if (!monitor_vms_send(vms, task->installation, &unsent))
        log_warn("sizes of VM disks are not sent: %s", unsent->message);
    return true;
}

bool
monitor_datastore(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    guint64 total, used, available;
    const OneDatastore *facts = datastore_facts(task->datastore, error);

    if (!facts ||
        !task->driver->backend->space(task->datastore, &total, &used, &available, error)) {
        g_prefix_error(error, "cannot monitor datastore %" G_GINT64_FORMAT ": ", task->id);
        return false;
    }
    printf("USED_MB=%" G_GUINT64_FORMAT "\nTOTAL_MB=%" G_GUINT64_FORMAT
           "\nFREE_MB=%" G_GUINT64_FORMAT "\n",
           used / MIB, total / MIB, available / MIB);
    return monitor_vms(task, facts, error);
}
