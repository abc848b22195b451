// SPDX-License-Identifier: Apache-2.0
/*
 * linstor_un's names: SOURCE is the device of the image's definition, a disk's name does not tell
 * its image.
 */
#include "backends/linstor/linstor.h"
#include "backends/linstor/naming.h"
#include "base/error.h"

static LinstorNameKind
parse(const char *name, LinstorName *parsed)
{
    *parsed = (LinstorName){.image_id = -1, .vm_id = -1, .disk_id = -1};
    if (linstor_name_match(name, "one-image-#", &parsed->image_id))
        parsed->kind = LINSTOR_NAME_IMAGE;
    else if (linstor_name_match(name, "one-vm-#-disk-#", &parsed->vm_id, &parsed->disk_id))
        parsed->kind = LINSTOR_NAME_DISK;
    else if (linstor_name_match(name, "one-vm-#-checkpoint", &parsed->vm_id))
        parsed->kind = LINSTOR_NAME_CHECKPOINT;
    return parsed->kind;
}

static char *
new_image(G_GNUC_UNUSED Datastore *datastore, gint64 image_id, G_GNUC_UNUSED GError **error)
{
    return g_strdup_printf("one-image-%" G_GINT64_FORMAT, image_id);
}

static char *
source_of_image(G_GNUC_UNUSED const OneDatastore *facts, const char *name)
{
    return linstor_device_path(name);
}

static char *
image_of_source(Datastore *datastore, const char *source, GError **error)
{
    g_autofree char *name = linstor_name_in_device(source);
    LinstorName parsed;

    if (name && parse(name, &parsed) == LINSTOR_NAME_IMAGE)
        return g_steal_pointer(&name);
    g_autofree char *shown = one_line(source, 100);
    set_error(error, ONEVOL_ERROR_REFUSED,
              "'%s' is not an image of datastore %" G_GINT64_FORMAT
              ": its SOURCE would be '/dev/drbd/by-res/one-image-ID/0'",
              shown, datastore->id);
    return NULL;
}

static char *
disk(G_GNUC_UNUSED const char *path, gint64 vm_id, gint64 disk_id, G_GNUC_UNUSED const char *source)
{
    return g_strdup_printf("one-vm-%" G_GINT64_FORMAT "-disk-%" G_GINT64_FORMAT, vm_id, disk_id);
}

static char *
of_device(const char *device)
{
    g_autofree char *name = linstor_name_in_device(device);
    LinstorName parsed;

    return name && parse(name, &parsed) ? g_steal_pointer(&name) : NULL;
}

static bool
is_disk_of(const char *name, gint64 vm_id, gint64 disk_id)
{
    LinstorName parsed;

    return parse(name, &parsed) == LINSTOR_NAME_DISK && parsed.vm_id == vm_id &&
           parsed.disk_id == disk_id;
}

static char *
checkpoint(gint64 vm_id)
{
    return g_strdup_printf("one-vm-%" G_GINT64_FORMAT "-checkpoint", vm_id);
}

const LinstorNames linstor_un_names = {
    .naming = &linstor_un_naming,
    .parse = parse,
    .snapshot = "snapshot-",
    .tells_users = true,
    .origin_snapshots = true,
};

const Naming linstor_un_naming = {
    .name = "one-image-ID",
    .new_image = new_image,
    .source_of_image = source_of_image,
    .image_of_source = image_of_source,
    .disk = disk,
    .of_device = of_device,
    .is_disk_of = is_disk_of,
    .checkpoint = checkpoint,
};
