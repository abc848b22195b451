// SPDX-License-Identifier: Apache-2.0
/* onevol-image-ID-RANDOM, onevol-vm-VM-DISK; SOURCE is VG/NAME. */
#include "backends/lvm/lvm.h"

#include "backends/lvm/naming.h"
#include "base/error.h"

#include <string.h>

#define IMAGE "onevol-image-"
#define DISK "onevol-vm-"
enum { RANDOM_DIGITS = 8 };

/* The random part keeps a database that starts again at image 0 from meeting old volumes. */
static char *
new_image(G_GNUC_UNUSED Datastore *datastore, gint64 image_id, G_GNUC_UNUSED GError **error)
{
    return g_strdup_printf(IMAGE "%" G_GINT64_FORMAT "-%08x", image_id, g_random_int());
}

static bool
is_image(const char *name)
{
    const char *dash = strrchr(name, '-');
    gint64 id;

    if (!dash || strlen(dash + 1) != RANDOM_DIGITS ||
        strspn(dash + 1, "0123456789abcdef") != RANDOM_DIGITS)
        return false;
    g_autofree char *front = g_strndup(name, (gsize)(dash - name));
    return lvm_numbers(front, IMAGE, &id, 1);
}

static char *
source_of_image(const OneDatastore *facts, const char *name)
{
    g_autofree char *group = one_datastore_attribute(facts, "VG_NAME");
    return group ? g_strdup_printf("%s/%s", group, name) : g_strdup(name);
}

static char *
image_of_source(Datastore *datastore, const char *source, GError **error)
{
    const OneDatastore *facts = datastore_facts(datastore, error);
    if (!facts)
        return NULL;
    g_autofree char *group = one_datastore_attribute(facts, "VG_NAME");
    g_auto(GStrv) parts = g_strsplit(source, "/", -1);
    guint count = g_strv_length(parts);

    if (count >= 1 && count <= 2 && is_image(parts[count - 1]) &&
        (count == 1 || !g_strcmp0(parts[0], group)))
        return g_strdup(parts[count - 1]);
    g_autofree char *shown = one_line(source, 120);
    set_error(error, ONEVOL_ERROR_REFUSED,
              "'%s' is not an image of datastore %" G_GINT64_FORMAT " in volume group '%s'", shown,
              facts->id, group ? group : "");
    return NULL;
}

static char *
disk(G_GNUC_UNUSED const char *path, gint64 vm_id, gint64 disk_id, G_GNUC_UNUSED const char *source)
{
    return g_strdup_printf(DISK "%" G_GINT64_FORMAT "-%" G_GINT64_FORMAT, vm_id, disk_id);
}

static bool
is_disk_of(const char *name, gint64 vm_id, gint64 disk_id)
{
    gint64 numbers[2];

    return lvm_numbers(name, DISK, numbers, 2) && numbers[0] == vm_id && numbers[1] == disk_id;
}

static char *
of_device(const char *device)
{
    g_autofree char *name = lvm_of_device(device, NULL);
    gint64 numbers[2];

    if (!name || (!is_image(name) && !lvm_numbers(name, DISK, numbers, 2)))
        return NULL;
    return g_steal_pointer(&name);
}

const Naming lvm_clvm_naming = {
    .name = "onevol-image-ID, onevol-vm-VM-DISK",
    .new_image = new_image,
    .source_of_image = source_of_image,
    .image_of_source = image_of_source,
    .disk = disk,
    .of_device = of_device,
    .is_disk_of = is_disk_of,
};
