// SPDX-License-Identifier: Apache-2.0
#include "one/facts.h"

#include "base/error.h"
#include "base/path.h"

static bool
flag(xmlNode *node, const char *path)
{
    return xml_text_is(node, path, "YES") || xml_text_is(node, path, "1");
}

OneDatastore *
one_datastore_new(XmlDocument *document, xmlNode *node, GError **error)
{
    g_autoptr(OneDatastore) datastore = g_new0(OneDatastore, 1);

    datastore->document = xml_ref(document);
    datastore->node = node;
    datastore->id = xml_number(node, "ID", -1);
    datastore->type = (OneDatastoreType)xml_number(node, "TYPE", DATASTORE_IMAGE);
    datastore->name = xml_text(node, "NAME");
    datastore->ds_mad = xml_text(node, "DS_MAD");
    datastore->tm_mad = xml_text(node, "TM_MAD");

    g_autofree char *base = xml_text(node, "BASE_PATH");
    if (datastore->id < 0 || !base) {
        set_error(error, ONEVOL_ERROR_USAGE, "the datastore's document has no ID or BASE_PATH");
        return NULL;
    }
    datastore->base_path = path_normal(base, error);
    return datastore->base_path ? g_steal_pointer(&datastore) : NULL;
}

void
one_datastore_free(OneDatastore *datastore)
{
    if (!datastore)
        return;
    xml_unref(datastore->document);
    g_free(datastore->name);
    g_free(datastore->ds_mad);
    g_free(datastore->tm_mad);
    g_free(datastore->base_path);
    g_free(datastore);
}

char *
one_datastore_attribute(const OneDatastore *datastore, const char *name)
{
    g_autofree char *path = g_strconcat("TEMPLATE/", name, NULL);
    return xml_text(datastore->node, path);
}

bool
one_datastore_flag(const OneDatastore *datastore, const char *name, bool otherwise)
{
    g_autofree char *value = one_datastore_attribute(datastore, name);

    if (value && !g_ascii_strcasecmp(value, "YES"))
        return true;
    if (value && !g_ascii_strcasecmp(value, "NO"))
        return false;
    return otherwise;
}

bool
one_datastore_rate(const OneDatastore *datastore, guint64 *rate, GError **error)
{
    static const char units[] = "KMG";
    g_autofree char *text = one_datastore_attribute(datastore, "LIMIT_TRANSFER_BW");

    *rate = 0;
    if (!text)
        return true;
    gsize digits = strspn(text, "0123456789");
    const char *unit = text[digits] ? strchr(units, g_ascii_toupper(text[digits])) : NULL;
    g_autofree char *number = g_strndup(text, digits);
    if (parse_number(number, G_MAXUINT32, rate) && *rate > 0 &&
        (!text[digits] || (unit && !text[digits + 1]))) {
        *rate <<= unit ? 10 * (unit - units + 1) : 0;
        return true;
    }
    g_autofree char *shown = one_line(text, 40);
    return set_error(error, ONEVOL_ERROR_USAGE,
                     "LIMIT_TRANSFER_BW '%s' is no number of bytes with K, M or G", shown);
}

OneImage *
one_image_new(XmlDocument *document, xmlNode *node)
{
    OneImage *image = g_new0(OneImage, 1);

    image->document = xml_ref(document);
    image->node = node;
    image->id = xml_number(node, "ID", -1);
    image->type = (OneImageType)xml_number(node, "TYPE", IMAGE_OS);
    image->persistent = flag(node, "PERSISTENT");
    image->says_format = xml_find(node, "FORMAT") != NULL;
    image->name = xml_text(node, "NAME");
    image->source = xml_text(node, "SOURCE");
    image->path = xml_text(node, "PATH");
    image->format = xml_text(node, image->says_format ? "FORMAT" : "FSTYPE");
    image->fs = xml_text(node, "FS");
    image->size = (guint64)MAX(xml_number(node, "SIZE", 0), 0) * MIB;
    image->target_snapshot = xml_number(node, "TARGET_SNAPSHOT", -1);
    return image;
}

void
one_image_free(OneImage *image)
{
    if (!image)
        return;
    xml_unref(image->document);
    g_free(image->name);
    g_free(image->source);
    g_free(image->path);
    g_free(image->format);
    g_free(image->fs);
    g_free(image);
}

char *
one_image_attribute(const OneImage *image, const char *name)
{
    g_autofree char *path = g_strconcat("TEMPLATE/", name, NULL);
    return xml_text(image->node, path);
}

static OneDisk *
disk_new(xmlNode *node)
{
    OneDisk *disk = g_new0(OneDisk, 1);

    disk->node = node;
    disk->id = xml_number(node, "DISK_ID", -1);
    disk->image_id = xml_number(node, "IMAGE_ID", -1);
    disk->datastore_id = xml_number(node, "DATASTORE_ID", -1);
    disk->source = xml_text(node, "SOURCE");
    disk->format = xml_text(node, "FORMAT");
    if (!disk->format)
        disk->format = xml_text(node, "DRIVER");
    disk->fs = xml_text(node, "FS");
    disk->type = xml_text(node, "TYPE");
    disk->tm_mad = xml_text(node, "TM_MAD");
    disk->ln_target = xml_text(node, "LN_TARGET");
    disk->clone_target = xml_text(node, "CLONE_TARGET");
    disk->size = (guint64)MAX(xml_number(node, "SIZE", 0), 0) * MIB;
    disk->original_size = (guint64)MAX(xml_number(node, "ORIGINAL_SIZE", 0), 0) * MIB;
    disk->clone = flag(node, "CLONE");
    disk->save = flag(node, "SAVE");
    disk->readonly = flag(node, "READONLY");
    disk->persistent = flag(node, "PERSISTENT");
    disk->sparse = !xml_text_is(node, "SPARSE", "NO");
    disk->shareable = flag(node, "SHAREABLE");
    return disk;
}

static void
disk_free(gpointer data)
{
    OneDisk *disk = data;

    g_free(disk->source);
    g_free(disk->format);
    g_free(disk->fs);
    g_free(disk->type);
    g_free(disk->tm_mad);
    g_free(disk->ln_target);
    g_free(disk->clone_target);
    g_free(disk);
}

/* Of the last history record: where the VM is now, or goes. */
static char *
last_system_driver(xmlNode *vm)
{
    xmlNode *last = NULL;

    for (xmlNode *at = xml_find(vm, "HISTORY_RECORDS/HISTORY"); at; at = xml_next(at))
        last = at;
    return last ? xml_text(last, "TM_MAD") : NULL;
}

OneVm *
one_vm_new(XmlDocument *document, xmlNode *node)
{
    OneVm *vm = g_new0(OneVm, 1);

    vm->document = xml_ref(document);
    vm->node = node;
    vm->id = xml_number(node, "ID", -1);
    vm->state = xml_number(node, "STATE", -1);
    vm->lcm_state = xml_number(node, "LCM_STATE", -1);
    vm->deploy_id = xml_text(node, "DEPLOY_ID");
    vm->context_disk = xml_number(node, "TEMPLATE/CONTEXT/DISK_ID", -1);
    vm->system_tm_mad = last_system_driver(node);
    vm->disks = g_ptr_array_new_with_free_func(disk_free);
    for (xmlNode *disk = xml_find(node, "TEMPLATE/DISK"); disk; disk = xml_next(disk))
        g_ptr_array_add(vm->disks, disk_new(disk));
    return vm;
}

void
one_vm_free(OneVm *vm)
{
    if (!vm)
        return;
    xml_unref(vm->document);
    g_free(vm->deploy_id);
    g_free(vm->system_tm_mad);
    g_ptr_array_unref(vm->disks);
    g_free(vm);
}

const OneDisk *
one_vm_disk(const OneVm *vm, gint64 disk_id)
{
    for (guint i = 0; i < vm->disks->len; i++) {
        const OneDisk *disk = g_ptr_array_index(vm->disks, i);
        if (disk->id == disk_id)
            return disk;
    }
    return NULL;
}

bool
one_host_is_usable(xmlNode *host)
{
    gint64 state = xml_number(host, "STATE", 0);

    return state != HOST_ERROR && state != HOST_DISABLED && state != HOST_MONITORING_ERROR &&
           state != HOST_OFFLINE;
}
