// SPDX-License-Identifier: Apache-2.0
#include "verify/documents.h"

#include <string.h>

#define STARTED 1700000000 /* a time stamp that is the same in every run */

static void
number(GString *xml, const char *name, gint64 value)
{
    g_string_append_printf(xml, "<%s>%" G_GINT64_FORMAT "</%s>", name, value, name);
}

/* oned splits a CDATA section around its own end mark. */
static void
text(GString *xml, const char *name, const char *value)
{
    g_autofree char *safe = NULL;

    if (value && strstr(value, "]]>")) {
        g_auto(GStrv) parts = g_strsplit(value, "]]>", -1);
        safe = g_strjoinv("]]]]><![CDATA[>", parts);
    }
    g_string_append_printf(xml, "<%s><![CDATA[%s]]></%s>", name,
                           safe    ? safe
                           : value ? value
                                   : "",
                           name);
}

static void
plain(GString *xml, const char *name, const char *value)
{
    g_autofree char *escaped = g_markup_escape_text(value, -1);
    g_string_append_printf(xml, "<%s>%s</%s>", name, escaped, name);
}

static void
value_int(GString *xml, const char *name, gint64 value)
{
    g_autofree char *digits = g_strdup_printf("%" G_GINT64_FORMAT, value);
    text(xml, name, digits);
}

static void
owner(GString *xml)
{
    g_string_append(xml, "<UID>0</UID><GID>0</GID><UNAME>oneadmin</UNAME><GNAME>oneadmin</GNAME>");
}

static void
permissions(GString *xml)
{
    g_string_append(xml, "<PERMISSIONS><OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A>"
                         "<GROUP_U>0</GROUP_U><GROUP_M>0</GROUP_M><GROUP_A>0</GROUP_A>"
                         "<OTHER_U>0</OTHER_U><OTHER_M>0</OTHER_M><OTHER_A>0</OTHER_A>"
                         "</PERMISSIONS>");
}

/* Attributes of a list, which replace what is there. */
static void
more(GString *xml, char **list)
{
    for (char **item = list; item && *item; item++) {
        g_autofree char *name = g_strndup(*item, strcspn(*item, "="));
        g_autofree char *start = g_strdup_printf("<%s>", name);
        g_autofree char *end = g_strdup_printf("</%s>", name);
        const char *old = strstr(xml->str, start), *behind = old ? strstr(old, end) : NULL;
        if (behind)
            g_string_erase(xml, old - xml->str, behind + (gssize)strlen(end) - old);
        text(xml, name, strchr(*item, '=') + 1);
    }
}

static void
append_more(GString *xml, const World *world, const Datastore *datastore)
{
    more(xml, world->attributes);
    more(xml,
         datastore->type == DATASTORE_SYSTEM ? world->system_attributes : world->image_attributes);
}

static void
append_host_more(GString *xml, const World *world, const Host *host)
{
    const char *name = host == world->dead ? "dead" : host->name;

    for (char **item = world->host_attributes; item && *item; item++)
        if (g_str_has_prefix(*item, name) && (*item)[strlen(name)] == ':') {
            char *own[] = {*item + strlen(name) + 1, NULL};
            more(xml, own);
        }
}

static void
datastore_template(GString *outer, const World *world, const Datastore *datastore)
{
    g_autoptr(GString) xml = g_string_new(NULL);
    static const char *const types[] = {"IMAGE_DS", "SYSTEM_DS", "FILE_DS"};
    bool system = datastore->type == DATASTORE_SYSTEM;

    text(xml, "ALLOW_ORPHANS", "YES");
    if (!system)
        text(xml, "CLONE_TARGET", world->clone_target);
    if (datastore->keep_format)
        text(xml, "CONVERT", "no");
    text(xml, "DISK_TYPE", world->storage ? "BLOCK" : "FILE");
    text(xml, "LIVE_COPY", "SUSPEND"); /* the stand-in for a hypervisor obeys everywhere */
    if (datastore->driver)
        text(xml, "DRIVER", datastore->driver);
    if (system && release_from(world->release, RELEASE(7, 2, 0))) {
        text(xml, "DS_LIVE_MIGRATE", "NO");
        text(xml, "DS_MIGRATE_SNAP", "NO");
    }
    if (system)
        text(xml, "DS_MIGRATE", "YES");
    else {
        text(xml, "DS_MAD", world->driver);
        text(xml, "LN_TARGET", world->ln_target);
    }
    if (release_from(world->release, RELEASE(7, 0, 0)))
        text(xml, "PERSISTENT_SNAPSHOTS", "YES");
    text(xml, "RESTRICTED_DIRS", "/");
    text(xml, "SAFE_DIRS", system ? "/var/tmp" : world->sources);
    if (system)
        text(xml, "SHARED", world->shared ? "YES" : "NO");
    text(xml, "TM_MAD", world->driver);
    text(xml, "TYPE", types[datastore->type]);
    append_more(xml, world, datastore);
    g_string_append_printf(outer, "<TEMPLATE>%s</TEMPLATE>", xml->str);
}

static void
append_datastore(GString *xml, const World *world, const Datastore *datastore)
{
    g_string_append(xml, "<DATASTORE>");
    number(xml, "ID", datastore->id);
    owner(xml);
    plain(xml, "NAME", datastore->name);
    permissions(xml);
    text(xml, "DS_MAD", datastore->type == DATASTORE_SYSTEM ? "-" : world->driver);
    text(xml, "TM_MAD", world->driver);
    g_string_append_printf(xml, "<BASE_PATH><![CDATA[%s/%d]]></BASE_PATH>", world->store_text,
                           datastore->id);
    number(xml, "TYPE", datastore->type);
    number(xml, "DISK_TYPE", world->storage ? 1 : 0);
    g_string_append(xml, "<STATE>0</STATE><CLUSTERS><ID>0</ID></CLUSTERS>"
                         "<TOTAL_MB>258020</TOTAL_MB><FREE_MB>74878</FREE_MB>"
                         "<USED_MB>23109</USED_MB><IMAGES>");
    for (guint i = 0; i < world->images->len; i++) {
        const Image *image = world->images->pdata[i];
        if (image->datastore == datastore)
            number(xml, "ID", image->id);
    }
    g_string_append(xml, "</IMAGES>");
    datastore_template(xml, world, datastore);
    g_string_append(xml, "</DATASTORE>");
}

static void
append_snapshots(GString *xml, GPtrArray *snapshots, int next, int disk_id)
{
    g_string_append(xml, "<SNAPSHOTS>");
    text(xml, "ALLOW_ORPHANS", "YES");
    value_int(xml, "CURRENT_BASE", -1);
    if (disk_id >= 0)
        value_int(xml, "DISK_ID", disk_id);
    value_int(xml, "NEXT_SNAPSHOT", next);
    for (guint i = 0; i < snapshots->len; i++) {
        const Snapshot *snapshot = snapshots->pdata[i];
        g_autofree char *name = g_strdup_printf("s%d", snapshot->id);
        g_string_append(xml, "<SNAPSHOT>");
        value_int(xml, "DATE", STARTED + snapshot->id);
        value_int(xml, "ID", snapshot->id);
        text(xml, "NAME", name);
        value_int(xml, "PARENT", -1);
        value_int(xml, "SIZE", (gint64)snapshot->size_mb);
        g_string_append(xml, "</SNAPSHOT>");
    }
    g_string_append(xml, "</SNAPSHOTS>");
}

static void
image_template(GString *xml, const Image *image)
{
    g_string_append(xml, "<TEMPLATE>");
    text(xml, "DEV_PREFIX", image->type == IMAGE_CDROM ? "hd" : "vd");
    if (image->checksum)
        text(xml, image->checksum_name, image->checksum);
    if (image->saved_vm >= 0) {
        value_int(xml, "SAVED_DISK_ID", image->saved_disk);
        value_int(xml, "SAVED_VM_ID", image->saved_vm);
        text(xml, "SAVE_AS_HOT", "YES");
    }
    g_string_append(xml, "</TEMPLATE>");
}

static void
append_image(GString *xml, const World *world, const Image *image)
{
    g_string_append(xml, "<IMAGE>");
    number(xml, "ID", image->id);
    owner(xml);
    plain(xml, "NAME", image->name);
    permissions(xml);
    number(xml, "TYPE", image->type);
    number(xml, "DISK_TYPE", world->storage ? 1 : 0);
    number(xml, "PERSISTENT", image->persistent);
    number(xml, "REGTIME", STARTED + image->id);
    if (release_from(world->release, RELEASE(6, 8, 0)))
        number(xml, "MODTIME", STARTED + image->id);
    text(xml, "SOURCE", image->source);
    text(xml, "PATH", image->path);
    if (release_from(world->release, RELEASE(6, 0, 0))) {
        text(xml, "FORMAT", image->format);
        text(xml, "FS", image->file_system);
    } else {
        text(xml, "FSTYPE", image->source ? NULL : image->format);
    }
    number(xml, "SIZE", (gint64)image->size_mb);
    number(xml, "STATE", image->state);
    if (release_from(world->release, RELEASE(6, 0, 0)))
        number(xml, "PREV_STATE", image->source ? IMAGE_READY : 0);
    number(xml, "RUNNING_VMS", image->state == IMAGE_USED || image->state == IMAGE_USED_PERS);
    number(xml, "CLONING_OPS", 0);
    number(xml, "CLONING_ID", image->cloning_id);
    number(xml, "TARGET_SNAPSHOT", image->target_snapshot);
    number(xml, "DATASTORE_ID", image->datastore->id);
    plain(xml, "DATASTORE", image->datastore->name);
    g_string_append(xml, "<VMS></VMS><CLONES></CLONES><APP_CLONES></APP_CLONES>");
    image_template(xml, image);
    append_snapshots(xml, image->snapshots, image->next_snapshot, -1);
    if (release_from(world->release, RELEASE(6, 6, 0)))
        g_string_append(xml, "<BACKUP_INCREMENTS></BACKUP_INCREMENTS>");
    if (release_from(world->release, RELEASE(7, 4, 0)))
        g_string_append(xml, "<BACKUP_DISK_IDS></BACKUP_DISK_IDS>");
    g_string_append(xml, "</IMAGE>");
}

char *
document_datastore(const World *world, const Datastore *datastore)
{
    GString *xml = g_string_new(NULL);

    append_datastore(xml, world, datastore);
    return g_string_free(xml, FALSE);
}

char *
document_image(const World *world, const Image *image)
{
    GString *xml = g_string_new(NULL);

    append_image(xml, world, image);
    return g_string_free(xml, FALSE);
}

char *
document_action(const World *world, const Image *image, const Datastore *datastore,
                const char *extra)
{
    GString *xml = g_string_new("<DS_DRIVER_ACTION_DATA>");

    if (image)
        append_image(xml, world, image);
    append_datastore(xml, world, datastore);
    g_string_append(xml, extra ? extra : "");
    g_string_append(xml, "</DS_DRIVER_ACTION_DATA>");
    return g_string_free(xml, FALSE);
}

char *
document_stat(const World *world, const char *path, const Datastore *datastore)
{
    GString *xml = g_string_new("<DS_DRIVER_ACTION_DATA><IMAGE>");

    plain(xml, "PATH", path);
    if (release_from(world->release, RELEASE(6, 0, 0)))
        g_string_append(xml, "<SIZE></SIZE>");
    g_string_append(xml, "</IMAGE>");
    append_datastore(xml, world, datastore);
    g_string_append(xml, "</DS_DRIVER_ACTION_DATA>");
    return g_string_free(xml, FALSE);
}

char *
document_host(const World *world, const Host *host)
{
    GString *xml = g_string_new("<HOST>");
    g_autoptr(GString) template = g_string_new(NULL);

    number(xml, "ID", host->id);
    plain(xml, "NAME", host->name);
    number(xml, "STATE", host == world->dead ? 3 : 2); /* ERROR, MONITORED */
    g_string_append(xml, "<PREV_STATE>2</PREV_STATE><IM_MAD><![CDATA[kvm]]></IM_MAD>"
                         "<VM_MAD><![CDATA[kvm]]></VM_MAD><CLUSTER_ID>0</CLUSTER_ID>"
                         "<CLUSTER>default</CLUSTER>");
    append_host_more(template, world, host);
    g_string_append_printf(xml, "<TEMPLATE>%s</TEMPLATE></HOST>", template->str);
    return g_string_free(xml, FALSE);
}

char *
document_config(const World *world)
{
    GString *xml = g_string_new("<OPENNEBULA_CONFIGURATION>");

    text(xml, "DATASTORE_LOCATION", world->store_text);
    g_string_append(xml, "<TM_MAD_CONF>");
    text(xml, "NAME", world->driver);
    text(xml, "LN_TARGET", world->ln_target);
    text(xml, "CLONE_TARGET", world->clone_target);
    text(xml, "SHARED", world->shared ? "YES" : "NO");
    text(xml, "ALLOW_ORPHANS", "YES");
    g_string_append(xml, "</TM_MAD_CONF></OPENNEBULA_CONFIGURATION>");
    return g_string_free(xml, FALSE);
}
