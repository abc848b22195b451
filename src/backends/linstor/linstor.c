// SPDX-License-Identifier: Apache-2.0
/*
 * The table of the LINSTOR backend. What works on a pool is not asked before: LINSTOR says it with
 * the call that needs it, and each has a sentence for that.
 */
#include "backends/linstor/linstor.h"

#include "backends/linstor/clone.h"
#include "backends/linstor/devices.h"
#include "backends/linstor/diagnose.h"
#include "backends/linstor/growing.h"
#include "backends/linstor/history.h"
#include "backends/linstor/life.h"
#include "backends/linstor/monitor.h"
#include "backends/linstor/nodes.h"
#include "core/backend.h"

static bool
probe(G_GNUC_UNUSED Datastore *datastore, G_GNUC_UNUSED unsigned *caps,
      G_GNUC_UNUSED GError **error)
{
    return true;
}

static const ToolNeed tools[] = {
    {"qemu-img", "conversions, and qcow2 on devices"},
    {NULL,       NULL                               },
};

const Backend linstor_backend = {
    .name = "linstor",
    .tools = tools,
    .caps = CAP_CLONE | CAP_RESIZE | CAP_SNAPSHOT | CAP_ATTACH_MANY,
    .probe = probe,
    .create = linstor_create,
    .commit = linstor_commit,
    .abandon = linstor_abandon,
    .remove = linstor_remove,
    .stat = linstor_stat,
    .attach = linstor_attach,
    .detach = linstor_detach,
    .open = linstor_open,
    .close = linstor_close,
    .list = linstor_list_volumes,
    .space = linstor_space,
    .choose_worker = linstor_choose_worker,
    .assign = linstor_assign,
    .remove_any = linstor_remove_any,
    .usage = linstor_usage,
    .diagnose = linstor_diagnose,
    .clone = linstor_clone,
    .resize = linstor_resize,
    .snapshot_create = linstor_history_create,
    .snapshot_remove = linstor_history_remove,
    .snapshot_revert = linstor_history_revert,
    .snapshot_flatten = linstor_history_flatten,
    .snapshot_open = linstor_history_open,
    .snapshot_close = linstor_history_close,
};
