// SPDX-License-Identifier: Apache-2.0
#include "actions/datastore/volume_source.h"

#include "actions/tm/tm.h"
#include "base/error.h"
#include "core/import.h"
#include "one/access.h"
#include "one/xmlrpc.h"

#include <string.h>

/* include/Image.h ImageState, include/VirtualMachine.h VmState and LcmState of 5.4-7.4 */
enum { IMAGE_READY = 1, IMAGE_USED = 2, IMAGE_CLONE = 6 };

static XmlDocument *
ask(const SourceUrl *url, GError **error)
{
    XmlrpcValue id = {.type = XMLRPC_INT, .number = url->id};

    return xmlrpc_document(url->scheme == SCHEME_IMAGE ? "one.image.info" : "one.vm.info", &id, 1,
                           error);
}

static bool
check_access(const Task *task, const SourceUrl *url, xmlNode *object, GError **error)
{
    gint64 user = xml_number(task->image->node, "UID", -1);

    if (access_check(user, url->scheme == SCHEME_IMAGE ? ACCESS_IMAGE : ACCESS_VM, object, error))
        return true;
    g_prefix_error(error, "'%s': ", url->shown);
    return false;
}

bool
volume_check_sums(const Task *task, const char *shown, const Endpoint *content, GError **error)
{
    static const struct {
        const char *attribute, *algorithm;
    } sums[] = {
        {"MD5",    "md5"   },
        {"SHA1",   "sha1"  },
        {"SHA256", "sha256"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(sums); i++) {
        g_autofree char *wanted = one_image_attribute(task->image, sums[i].attribute);
        if (!wanted)
            continue;
        g_autofree char *found =
            host_digest(content->host, content->path, sums[i].algorithm, content->size, error);
        if (!found)
            return false;
        if (g_ascii_strcasecmp(wanted, found) != 0)
            return set_error(error, ONEVOL_ERROR_CORRUPT, "%s of '%s' is %s, not %s",
                             sums[i].attribute, shown, found, wanted);
    }
    return true;
}

static bool
has_sums(const Task *task)
{
    return xml_find(task->image->node, "TEMPLATE/MD5") ||
           xml_find(task->image->node, "TEMPLATE/SHA1") ||
           xml_find(task->image->node, "TEMPLATE/SHA256");
}

/* By the driver itself where both are its own and nothing is to be changed, else by a copy. */
static bool
take(Task *task, const SourceUrl *url, Volume *from, const char *format, Volume *image,
     GError **error)
{
    g_auto(Endpoint) content = {0};

    if (!volume_require(from, error))
        return false;
    if (task->image->size > 0 && from->virtual_size > task->image->size)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' has grown to %" G_GUINT64_FORMAT " MiB since it was registered",
                         url->shown, (from->virtual_size + MIB - 1) / MIB);
    bool same = from->datastore->driver == image->datastore->driver &&
                (!format || !strcmp(format, from->format));
    if (same && !has_sums(task))
        return volume_clone(from, image, error);
    if (from->freeze)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "'%s' is in use: power the VM off to import it with a conversion or a "
                         "checksum",
                         url->shown);
    if (!volume_open(from, &content, error))
        return false;
    const ImportContent import = {.host = content.host,
                                  .path = content.path,
                                  .format = from->format,
                                  .virtual_size = from->virtual_size,
                                  .length = content.size,
                                  .ours = true};
    bool done = volume_check_sums(task, url->shown, &content, error) &&
                volume_import_content(image, &import, error);
    if (!volume_close(from, &content, done ? error : NULL) && done) {
        volume_abandon(image);
        return false;
    }
    return done;
}

/* OpenNebula's own drivers that keep images as plain files; their datastores are read as ours. */
static const Driver *
driver_of(const Task *task, const OneDatastore *facts, GError **error)
{
    static const char *const files[] = {"shared", "ssh",        "local", "qcow2",
                                        "fs_lvm", "fs_lvm_ssh", NULL};
    const Driver *driver = NULL;

    if (facts->tm_mad && facts->ds_mad && !strcmp(facts->ds_mad, "fs") &&
        g_strv_contains(files, facts->tm_mad))
        driver = driver_find("reflink");
    else
        driver = driver_named(task->installation, facts->tm_mad);
    if (!driver)
        set_error(error, ONEVOL_ERROR_UNSUPPORTED, "images of driver '%s' cannot be read from here",
                  facts->tm_mad);
    return driver;
}

static Datastore *
datastore_of_image(Task *task, gint64 id, GError **error)
{
    XmlrpcValue value = {.type = XMLRPC_INT, .number = id};

    if (id == task->datastore->id)
        return task->datastore;
    g_autoptr(XmlDocument) document = xmlrpc_document("one.datastore.info", &value, 1, error);
    g_autoptr(OneDatastore) facts =
        document ? one_datastore_new(document, xml_root(document), error) : NULL;
    const Driver *driver = facts ? driver_of(task, facts, error) : NULL;
    if (!driver)
        return NULL;
    Datastore *datastore = datastore_new(driver, id, g_steal_pointer(&facts));
    g_ptr_array_add(task->datastores, datastore);
    if (driver == task->driver && driver->placement == PLACEMENT_EVERYWHERE) {
        datastore->host = task->datastore->host; /* which sees it too */
        return datastore;
    }
    return datastore_use_bridge(datastore, (guint64)task->id, error) ? datastore : NULL;
}

static bool
import_image(Task *task, const SourceUrl *url, const char *format, Volume *image, GError **error)
{
    g_autoptr(XmlDocument) document = ask(url, error);
    if (!document || !check_access(task, url, xml_root(document), error))
        return false;

    g_autoptr(OneImage) facts = one_image_new(document, xml_root(document));
    gint64 state = xml_number(facts->node, "STATE", -1);
    if ((state != IMAGE_READY && state != IMAGE_USED && state != IMAGE_CLONE) ||
        (facts->persistent && state == IMAGE_USED) || !facts->source)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' is in state %" G_GINT64_FORMAT
                         ": only an image that nobody writes to can be copied",
                         url->shown, state);
    Datastore *datastore =
        datastore_of_image(task, xml_number(facts->node, "DATASTORE_ID", -1), error);
    g_autofree char *name =
        datastore ? datastore->driver->naming->image_of_source(datastore, facts->source, error)
                  : NULL;
    if (!name)
        return false;
    g_autofree char *owner = g_strdup_printf("image %" G_GINT64_FORMAT, url->id);
    g_autoptr(Volume) from =
        volume_new(datastore, VOLUME_IMAGE, datastore->host, name, owner, facts->format);
    g_autofree char *text = task_text(task);
    return volume_lock(from, text, error) && take(task, url, from, format, image, error);
}

/* Where the VM is, or was last. */
static bool
vm_place(const Task *task, const OneVm *vm, gint64 disk_id, char **location, char **datastore,
         GError **error)
{
    xmlNode *last = NULL;

    for (xmlNode *at = xml_find(vm->node, "HISTORY_RECORDS/HISTORY"); at; at = xml_next(at))
        last = at;
    g_autofree char *host = last ? xml_text(last, "HOSTNAME") : NULL;
    *datastore = last ? xml_text(last, "DS_ID") : NULL;
    if (!host || !*datastore)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "VM %" G_GINT64_FORMAT " has never been on a host", vm->id);
    *location = g_strdup_printf("%s:%s/%s/%" G_GINT64_FORMAT "/disk.%" G_GINT64_FORMAT, host,
                                task->installation->datastores, *datastore, vm->id, disk_id);
    return true;
}

static bool
is_off(const OneVm *vm)
{
    return vm->state == VM_STOPPED || vm->state == VM_SUSPENDED || vm->state == VM_POWEROFF ||
           vm->state == VM_UNDEPLOYED;
}

static bool
check_vm(const Task *task, const SourceUrl *url, const OneVm *vm, const OneDisk *disk,
         GError **error)
{
    if (!disk)
        return set_error(error, ONEVOL_ERROR_NOT_FOUND,
                         "VM %" G_GINT64_FORMAT " has no disk %" G_GINT64_FORMAT, vm->id,
                         url->disk);
    if (g_strcmp0(disk->tm_mad, task->request->directory) != 0)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "'%s' is of driver '%s': import it into a datastore of that driver",
                         url->shown, disk->tm_mad ? disk->tm_mad : "");
    if (!is_off(vm) && !(vm->state == VM_ACTIVE && vm->lcm_state == LCM_RUNNING))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s': VM %" G_GINT64_FORMAT " is in state %" G_GINT64_FORMAT
                         "/%" G_GINT64_FORMAT ", in which its disks may be written to",
                         url->shown, vm->id, vm->state, vm->lcm_state);
    return true;
}

static bool
import_disk(Task *task, const SourceUrl *url, const char *format, Volume *image, GError **error)
{
    g_auto(Disk) disk = {0};
    g_auto(Freeze) freeze = {0};
    g_autofree char *location = NULL;
    g_autofree char *system = NULL;
    g_autofree char *vm_text = g_strdup_printf("%" G_GINT64_FORMAT, url->id);

    const OneVm *vm = task_vm(task, url->id, error);
    if (!vm || !check_access(task, url, vm->node, error))
        return false;
    const OneDisk *facts = one_vm_disk(vm, url->disk);
    if (!check_vm(task, url, vm, facts, error) ||
        !vm_place(task, vm, url->disk, &location, &system, error) ||
        !tm_disk(task, location, vm_text, &disk, error))
        return false;
    g_autofree char *datastore = facts->datastore_id >= 0
                                     ? g_strdup_printf("%" G_GINT64_FORMAT, facts->datastore_id)
                                     : g_strdup(system);
    g_autoptr(Volume) from = tm_backing(task, &disk, datastore, error);
    if (!from)
        return false;
    if (!is_off(vm) && !tm_freeze(task, vm, &disk, from, &freeze, error)) {
        g_prefix_error(error, "'%s' is in use: ", url->shown);
        return false;
    }
    return take(task, url, from, format, image, error);
}

bool
volume_source_import(Task *task, const SourceUrl *url, const char *format, Volume *image,
                     GError **error)
{
    return url->scheme == SCHEME_IMAGE ? import_image(task, url, format, image, error)
                                       : import_disk(task, url, format, image, error);
}

bool
volume_source_size(const SourceUrl *url, guint64 *mib, GError **error)
{
    g_autoptr(XmlDocument) document = ask(url, error);
    xmlNode *object = document ? xml_root(document) : NULL;
    gint64 size = -1;

    if (!document)
        return false;
    if (url->scheme == SCHEME_IMAGE) {
        size = xml_number(object, "SIZE", -1);
    } else {
        g_autoptr(OneVm) vm = one_vm_new(document, object);
        const OneDisk *disk = one_vm_disk(vm, url->disk);
        size = disk ? (gint64)(disk->size / MIB) : -1;
    }
    if (size <= 0)
        return set_error(error, ONEVOL_ERROR_NOT_FOUND, "oned does not know the size of '%s'",
                         url->shown);
    *mib = (guint64)size;
    return true;
}
