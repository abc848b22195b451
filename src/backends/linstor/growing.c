// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/growing.h"

#include "backends/linstor/devices.h"
#include "backends/linstor/life.h"
#include "backends/linstor/rollback.h"
#include "base/error.h"
#include "base/log.h"
#include "core/qemu_img.h"

#include <string.h>

/* A new replica in a thick pool is copied block by block first. */
#define SYNC_MS SECONDS(1200)

bool
linstor_grow_device(LinstorStore *store, const char *name, guint64 bytes, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (linstor_volume_resize(store->client, name, bytes, &why)) {
        linstor_known(store, name)->size = linstor_kib(bytes) * 1024;
        return true;
    }
    if (linstor_failure(store->client) != LINSTOR_FAIL_NOT_ALL_UPTODATE) {
        g_propagate_error(error, g_steal_pointer(&why));
        return linstor_advise(store, error);
    }
    log_info("'%s' is resized once its replicas are in sync", name);
    if (!linstor_wait_for_sync(store->client, name, SYNC_MS, error) ||
        !linstor_volume_resize(store->client, name, bytes, error))
        return false;
    linstor_known(store, name)->size = linstor_kib(bytes) * 1024;
    return true;
}

bool
linstor_is_open(LinstorStore *store, const char *name, bool *open, GError **error)
{
    g_autoptr(GPtrArray) found = linstor_resources(store->client, name, error);

    *open = false;
    for (guint i = 0; found && i < found->len; i++)
        *open |= ((LinstorResource *)g_ptr_array_index(found, i))->in_use == LINSTOR_YES;
    return found != NULL;
}

static bool
resize_content(Volume *volume, guint64 bytes, GError **error)
{
    g_auto(Endpoint) endpoint = {0};

    if (!linstor_open(volume, &endpoint, error))
        return false;
    bool done = qemu_img_resize(endpoint.host, endpoint.path, bytes, error);
    return linstor_close(volume, &endpoint, done ? error : NULL) && done;
}

bool
linstor_grow_qcow2(LinstorStore *store, Volume *volume, guint64 bytes, GError **error)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
    const char *const set[] = {LINSTOR_FORMAT, "qcow2", LINSTOR_CONTENT, text, NULL};
    const LinstorProps props = {.set = set};
    bool open = false;

    if (!volume->mark && !linstor_is_open(store, volume->name, &open, error))
        return false;
    if (!open && !resize_content(volume, bytes, error))
        return false;
    return volume->mark || /* told when it is complete */
           linstor_definition_modify(store->client, volume->name, &props, error);
}

bool
linstor_resize(Volume *volume, guint64 bytes, GError **error)
{
    LinstorStore *store = linstor_store_of(volume, error);
    bool qcow2 = volume->format && !strcmp(volume->format, "qcow2");
    guint64 device = linstor_device_bytes(volume->format, bytes);

    if (!store || !linstor_settle(store, volume, error))
        return false;
    if (linstor_known(store, volume->name)->size < device &&
        !linstor_grow_device(store, volume->name, device, error))
        return false;
    return !qcow2 || linstor_grow_qcow2(store, volume, bytes, error);
}
