// SPDX-License-Identifier: Apache-2.0
/*
 * LINBIT's names: SOURCE is the bare name of the image's definition, and a disk's name begins with
 * it.
 */
#include "backends/linstor/linstor.h"
#include "backends/linstor/naming.h"
#include "base/error.h"

#define IMAGE "OpenNebula-Image-"
#define DISK "-vm#-disk#"

static LinstorNameKind
parse(const char *name, LinstorName *parsed)
{
    gint64 again;

    *parsed = (LinstorName){.image_id = -1, .vm_id = -1, .disk_id = -1};
    if (linstor_name_match(name, IMAGE "#", &parsed->image_id))
        parsed->kind = LINSTOR_NAME_IMAGE;
    else if (linstor_name_match(name, IMAGE "#" DISK, &parsed->image_id, &parsed->vm_id,
                                &parsed->disk_id) ||
             linstor_name_match(name, "OpenNebula-Volatile" DISK, &parsed->vm_id, &parsed->disk_id))
        parsed->kind = LINSTOR_NAME_DISK;
    else if (linstor_name_match(name, "OpenNebula-vm-context" DISK, &parsed->vm_id,
                                &parsed->disk_id) ||
             linstor_name_match(name, "OpenNebula-vm-context" DISK "-#", &parsed->vm_id,
                                &parsed->disk_id, &again))
        parsed->kind = LINSTOR_NAME_CONTEXT;
    return parsed->kind;
}

static char *
new_image(G_GNUC_UNUSED Datastore *datastore, gint64 image_id, G_GNUC_UNUSED GError **error)
{
    return g_strdup_printf(IMAGE "%" G_GINT64_FORMAT, image_id);
}

static char *
source_of_image(G_GNUC_UNUSED const OneDatastore *facts, const char *name)
{
    return g_strdup(name);
}

static char *
image_of_source(Datastore *datastore, const char *source, GError **error)
{
    LinstorName parsed;

    if (parse(source, &parsed) == LINSTOR_NAME_IMAGE)
        return g_strdup(source);
    g_autofree char *shown = one_line(source, 100);
    set_error(error, ONEVOL_ERROR_REFUSED,
              "'%s' is not an image of datastore %" G_GINT64_FORMAT ": its SOURCE would be '" IMAGE
              "' and the image's id",
              shown, datastore->id);
    return NULL;
}

static char *
disk(G_GNUC_UNUSED const char *path, gint64 vm_id, gint64 disk_id, const char *source)
{
    return g_strdup_printf("%s-vm%" G_GINT64_FORMAT "-disk%" G_GINT64_FORMAT,
                           source ? source : "OpenNebula-Volatile", vm_id, disk_id);
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
    LinstorNameKind kind = parse(name, &parsed);

    return (kind == LINSTOR_NAME_DISK || kind == LINSTOR_NAME_CONTEXT) && parsed.vm_id == vm_id &&
           parsed.disk_id == disk_id;
}

/* Release 2 numbered them from 1, and mostly had one. */
static GStrv
old_contexts(gint64 vm_id, gint64 disk_id)
{
    GPtrArray *names = g_ptr_array_new();
    g_autofree char *plain = g_strdup_printf(
        "OpenNebula-vm-context-vm%" G_GINT64_FORMAT "-disk%" G_GINT64_FORMAT, vm_id, disk_id);

    g_ptr_array_add(names, g_strdup(plain));
    for (int number = 0; number < 16; number++)
        g_ptr_array_add(names, g_strdup_printf("%s-%d", plain, number));
    g_ptr_array_add(names, NULL);
    return (GStrv)g_ptr_array_free(names, FALSE);
}

const LinstorNames linstor_names = {
    .naming = &linstor_naming,
    .parse = parse,
    .snapshot = "OpenNebula-Snap-",
};

const Naming linstor_naming = {
    .name = "OpenNebula-Image-ID",
    .new_image = new_image,
    .source_of_image = source_of_image,
    .image_of_source = image_of_source,
    .disk = disk,
    .of_device = of_device,
    .is_disk_of = is_disk_of,
    .old_contexts = old_contexts,
};
