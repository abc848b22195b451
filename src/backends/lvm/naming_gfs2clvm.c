// SPDX-License-Identifier: Apache-2.0
/*
 * The names of gfs2clvm, both generations:
 *
 *                 OpenNebula 3.2, 3.4          3.6, 3.8
 *   image         lv-oneimg-MD5                lv-one-IMAGE
 *   its SOURCE    DIRECTORY/MD5                HOST:VG.lv-one-IMAGE
 *   disk          lv-one-VM-DISK               lv-one-IMAGE-VM-DISK
 *   volatile disk lv-one-VM-DISK               lv-one-VM-DISK
 *
 * and install media: a file NAME.isox that all hosts see, whose path is its SOURCE.
 *
 * Three kinds share a prefix and are told apart by the number of fields. New images are named as
 * those that the group holds, or as LV_NAMES says.
 */
#include "backends/lvm/lvm.h"

#include "backends/lvm/group.h"
#include "backends/lvm/naming.h"
#include "base/error.h"
#include "base/path.h"

#include <string.h>

#define PREFIX "lv-one-"
#define IMAGE_MD5 "lv-oneimg-"
enum { MD5_DIGITS = 32 };

static char *
group_of_facts(const OneDatastore *facts)
{
    char *group = one_datastore_attribute(facts, "VG_NAME");
    return group ? group : g_strdup("vg-one");
}

static bool
is_md5(const char *text)
{
    return strlen(text) == MD5_DIGITS && strspn(text, "0123456789abcdef") == MD5_DIGITS;
}

static bool
is_image(const char *name)
{
    gint64 id;

    return lvm_numbers(name, PREFIX, &id, 1) ||
           (g_str_has_prefix(name, IMAGE_MD5) && is_md5(name + strlen(IMAGE_MD5)));
}

static bool
is_media(const char *path)
{
    return *path == '/' && g_str_has_suffix(path, ".isox");
}

bool
lvm_holds_md5_names(const LvmReport *report)
{
    bool first = false;
    gint64 id;

    for (guint i = 0; i < report->volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(report->volumes, i);
        if (lvm_numbers(lv->name, PREFIX, &id, 1))
            return false;
        first = first || is_image(lv->name);
    }
    return first;
}

/* An admin's word, else what is there. */
static bool
names_are_md5(Datastore *datastore, bool *md5, GError **error)
{
    const OneDatastore *facts = datastore_facts(datastore, error);
    g_auto(Group) group = {0};
    g_auto(LvmReport) report = {0};

    if (!facts)
        return false;
    g_autofree char *names = one_datastore_attribute(facts, "LV_NAMES");
    if (!names) {
        if (!group_of(datastore, &group, error) ||
            !lvm_ask(&group, group.bridge ? group.bridge : datastore->host, NULL, &report, error))
            return false;
        *md5 = lvm_holds_md5_names(&report);
        return true;
    }
    *md5 = g_ascii_strcasecmp(names, "MD5") == 0;
    if (*md5 || g_ascii_strcasecmp(names, "ID") == 0)
        return true;
    g_autofree char *shown = one_line(names, 40);
    return set_error(error, ONEVOL_ERROR_USAGE, "LV_NAMES '%s' is none of ID, MD5", shown);
}

static char *
new_image(Datastore *datastore, gint64 image_id, GError **error)
{
    bool named_md5;

    if (!names_are_md5(datastore, &named_md5, error))
        return NULL;
    if (!named_md5)
        return g_strdup_printf(PREFIX "%" G_GINT64_FORMAT, image_id);
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT ":%u",
                                            g_get_real_time(), image_id, g_random_int());
    g_autofree char *md5 = g_compute_checksum_for_string(G_CHECKSUM_MD5, text, -1);
    return g_strconcat(IMAGE_MD5, md5, NULL);
}

static char *
host_of_facts(const OneDatastore *facts)
{
    char *host = one_datastore_attribute(facts, "HOST");

    if (host)
        return host;
    g_autofree char *list = one_datastore_attribute(facts, "BRIDGE_LIST");
    g_auto(GStrv) words = g_strsplit_set(list ? list : "", " \t", -1);
    for (char **word = words; *word; word++)
        if (**word)
            return g_strdup(*word);
    return g_strdup("localhost");
}

static char *
source_of_image(const OneDatastore *facts, const char *name)
{
    g_autofree char *group = group_of_facts(facts);
    g_autofree char *host = host_of_facts(facts);

    if (is_media(name))
        return g_strdup(name);
    if (g_str_has_prefix(name, IMAGE_MD5))
        return g_build_filename(facts->base_path, name + strlen(IMAGE_MD5), NULL);
    return g_strdup_printf("%s:%s.%s", host, group, name);
}

/* VG.lv-one-IMAGE, HOST: before it or not: hosts and groups may have dots of their own, so it is
 * cut at the first colon and at the name of the group. */
static char *
image_behind_group(const char *source, const char *group)
{
    const char *colon = strchr(source, ':');
    g_autofree char *front = g_strconcat(group, ".", NULL);
    const char *text = colon ? colon + 1 : source;
    gint64 id;

    if (!g_str_has_prefix(text, front) || !lvm_numbers(text + strlen(front), PREFIX, &id, 1))
        return NULL;
    return g_strdup(text + strlen(front));
}

/* A path that leads nowhere; only its last component counts. */
static char *
image_of_path(const char *source)
{
    const char *last = strrchr(source, '/');

    last = last ? last + 1 : source;
    if (is_md5(last))
        return g_strconcat(IMAGE_MD5, last, NULL);
    return is_image(last) ? g_strdup(last) : NULL;
}

static char *
image_of_source(Datastore *datastore, const char *source, GError **error)
{
    const OneDatastore *facts = datastore_facts(datastore, error);
    if (!facts)
        return NULL;
    if (is_media(source))
        return path_normal(source, error);
    g_autofree char *group = group_of_facts(facts);
    char *name = image_behind_group(source, group);

    if (!name)
        name = image_of_path(source);
    if (name)
        return name;
    g_autofree char *shown = one_line(source, 120);
    set_error(error, ONEVOL_ERROR_REFUSED,
              "'%s' is not an image of datastore %" G_GINT64_FORMAT " in volume group '%s'", shown,
              facts->id, group);
    return NULL;
}

/* IMAGE of HOST:VG.lv-one-IMAGE, whatever the group; -1 for a SOURCE of the first generation. */
static gint64
image_id_of_source(const char *source)
{
    const char *dot = strrchr(source, '.');
    gint64 id;

    return dot && lvm_numbers(dot + 1, PREFIX, &id, 1) ? id : -1;
}

static char *
disk(G_GNUC_UNUSED const char *path, gint64 vm_id, gint64 disk_id, const char *source)
{
    gint64 image = source ? image_id_of_source(source) : -1;

    if (image >= 0)
        return g_strdup_printf(PREFIX "%" G_GINT64_FORMAT "-%" G_GINT64_FORMAT "-%" G_GINT64_FORMAT,
                               image, vm_id, disk_id);
    return g_strdup_printf(PREFIX "%" G_GINT64_FORMAT "-%" G_GINT64_FORMAT, vm_id, disk_id);
}

static bool
is_disk_of(const char *name, gint64 vm_id, gint64 disk_id)
{
    gint64 n[3];

    if (lvm_numbers(name, PREFIX, n, 2))
        return n[0] == vm_id && n[1] == disk_id;
    return lvm_numbers(name, PREFIX, n, 3) && n[1] == vm_id && n[2] == disk_id;
}

static char *
of_device(const char *device)
{
    g_autofree char *name = lvm_of_device(device, NULL);
    gint64 n[3];

    if (!name ||
        (!is_image(name) && !lvm_numbers(name, PREFIX, n, 2) && !lvm_numbers(name, PREFIX, n, 3)))
        return NULL;
    return g_steal_pointer(&name);
}

const Naming lvm_gfs2clvm_naming = {
    .name = "lv-one-…, lv-oneimg-MD5",
    .new_image = new_image,
    .source_of_image = source_of_image,
    .image_of_source = image_of_source,
    .disk = disk,
    .of_device = of_device,
    .is_disk_of = is_disk_of,
    .is_media = is_media,
    .swap_was_file = true,
};
