// SPDX-License-Identifier: Apache-2.0
/*
 * A backend to copy: it builds, is listed nowhere, and says UNSUPPORTED to everything. Replace
 * "skeleton" by the storage's name, fill the required slots, leave the optional ones out until the
 * storage does them natively.
 */
#include "backends/skeleton/skeleton.h"

#include "base/error.h"

static bool
unsupported(const char *what, GError **error)
{
    return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "the skeleton backend cannot %s", what);
}

static bool
skeleton_probe(G_GNUC_UNUSED Datastore *datastore, unsigned *caps, GError **error)
{
    *caps = 0;
    return unsupported("serve a datastore", error);
}

static bool
skeleton_create(G_GNUC_UNUSED Volume *volume, G_GNUC_UNUSED guint64 bytes, GError **error)
{
    return unsupported("create volumes", error);
}

static bool
skeleton_commit(G_GNUC_UNUSED Volume *volume, GError **error)
{
    return unsupported("complete volumes", error);
}

static bool
skeleton_abandon(G_GNUC_UNUSED Volume *volume, GError **error)
{
    return unsupported("undo volumes", error);
}

static bool
skeleton_remove(G_GNUC_UNUSED Volume *volume, GError **error)
{
    return unsupported("remove volumes", error);
}

static bool
skeleton_stat(G_GNUC_UNUSED Volume *volume, bool *exists, GError **error)
{
    *exists = false;
    return unsupported("look at volumes", error);
}

static bool
skeleton_attach(G_GNUC_UNUSED Volume *volume, G_GNUC_UNUSED Host *host,
                G_GNUC_UNUSED AttachMode mode, G_GNUC_UNUSED char **device, GError **error)
{
    return unsupported("attach volumes", error);
}

static bool
skeleton_detach(G_GNUC_UNUSED Volume *volume, G_GNUC_UNUSED Host *host,
                G_GNUC_UNUSED AttachMode mode, GError **error)
{
    return unsupported("detach volumes", error);
}

static bool
skeleton_open(G_GNUC_UNUSED Volume *volume, G_GNUC_UNUSED Endpoint *endpoint, GError **error)
{
    return unsupported("open volumes", error);
}

static bool
skeleton_close(G_GNUC_UNUSED Volume *volume, G_GNUC_UNUSED Endpoint *endpoint, GError **error)
{
    return unsupported("close volumes", error);
}

static bool
skeleton_list(G_GNUC_UNUSED Datastore *datastore, G_GNUC_UNUSED GPtrArray *volumes, GError **error)
{
    return unsupported("list volumes", error);
}

static bool
skeleton_space(G_GNUC_UNUSED Datastore *datastore, G_GNUC_UNUSED guint64 *total,
               G_GNUC_UNUSED guint64 *used, G_GNUC_UNUSED guint64 *available, GError **error)
{
    return unsupported("report space", error);
}

const Backend skeleton_backend = {
    .name = "skeleton",
    .tools = (const ToolNeed[]){{NULL, NULL}},
    .caps = 0,
    .probe = skeleton_probe,
    .create = skeleton_create,
    .commit = skeleton_commit,
    .abandon = skeleton_abandon,
    .remove = skeleton_remove,
    .stat = skeleton_stat,
    .attach = skeleton_attach,
    .detach = skeleton_detach,
    .open = skeleton_open,
    .close = skeleton_close,
    .list = skeleton_list,
    .space = skeleton_space,
};
