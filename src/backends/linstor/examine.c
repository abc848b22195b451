// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/examine.h"

#include "base/error.h"

#include <string.h>

/* "kvm1: Outdated, kvm2: away" */
static char *
states_of(GPtrArray *replicas)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < replicas->len; i++) {
        const LinstorResource *one = g_ptr_array_index(replicas, i);
        if (!one->diskless)
            g_string_append_printf(text, "%s%s: %s", text->len > 0 ? ", " : "", one->node,
                                   one->disk_state ? one->disk_state : "away");
    }
    return g_strdup(text->str);
}

static bool
judge_content(GPtrArray *replicas, const char *name, GError **error)
{
    for (guint i = 0; i < replicas->len; i++) {
        const LinstorResource *one = g_ptr_array_index(replicas, i);
        if (!one->drbd || one->disk == LINSTOR_DISK_UP_TO_DATE)
            return true;
    }
    g_autofree char *states = states_of(replicas);
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "'%s' has no replica that is up to date (%s): stale data is not read", name,
                     *states ? states : "there is none");
}

static bool
judge_split(GPtrArray *replicas, const char *name, GError **error)
{
    for (guint i = 0; i < replicas->len; i++) {
        const LinstorResource *one = g_ptr_array_index(replicas, i);
        if (one->alone)
            return set_error(error, ONEVOL_ERROR_REFUSED,
                             "'%s' is in split brain: nodes '%s' and '%s' have changes that the "
                             "other has not, and somebody must decide which ones to discard",
                             name, one->node, one->alone);
    }
    return true;
}

static bool
judge_node(GPtrArray *replicas, const char *name, const char *node, GError **error)
{
    const LinstorResource *here = NULL, *user = NULL;

    for (guint i = 0; i < replicas->len; i++) {
        const LinstorResource *one = g_ptr_array_index(replicas, i);
        if (!g_ascii_strcasecmp(one->node, node))
            here = one;
        else if (one->in_use == LINSTOR_YES)
            user = one;
    }
    if (!here || !here->drbd || here->may_promote != LINSTOR_NO)
        return true;
    if (user)
        return set_error(error, ONEVOL_ERROR_BUSY, "'%s' is open on node '%s'", name, user->node);
    if (here->cut_off)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' has no quorum: node '%s' does not reach enough of the others", name,
                         node);
    return true;
}

bool
linstor_judge_replicas(GPtrArray *replicas, const char *name, const char *node, GError **error)
{
    return judge_split(replicas, name, error) && judge_content(replicas, name, error) &&
           judge_node(replicas, name, node, error);
}

static bool
judge_passphrase(LinstorStore *store, GPtrArray *replicas, const char *name, GError **error)
{
    bool encrypted = false;

    for (guint i = 0; i < replicas->len; i++)
        encrypted |= ((LinstorResource *)g_ptr_array_index(replicas, i))->encrypted;
    if (!encrypted || !linstor_has(store->client, LINSTOR_PASSPHRASE_STATUS))
        return true;
    g_autofree char *status = linstor_passphrase_status(store->client, NULL);
    if (g_strcmp0(status, "locked") != 0)
        return true;
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "'%s' is encrypted, and LINSTOR's passphrase is locked: enter it with "
                     "'linstor encryption enter-passphrase'",
                     name);
}

static bool
collect(LinstorResource *resource, void *user, G_GNUC_UNUSED GError **error)
{
    LinstorResource *copy = g_new0(LinstorResource, 1);

    *copy = *resource; /* its texts move over */
    memset(resource, 0, sizeof *resource);
    g_ptr_array_add(user, copy);
    return true;
}

GPtrArray *
linstor_replicas(LinstorStore *store, const char *name, GError **error)
{
    g_autoptr(GPtrArray) replicas =
        g_ptr_array_new_with_free_func((GDestroyNotify)linstor_resource_free);

    return linstor_view(store->client, name, collect, replicas, error) ? g_steal_pointer(&replicas)
                                                                       : NULL;
}

bool
linstor_examine(LinstorStore *store, const char *name, const char *node, GError **error)
{
    g_autoptr(GPtrArray) replicas = linstor_replicas(store, name, error);

    return replicas && judge_passphrase(store, replicas, name, error) &&
           linstor_judge_replicas(replicas, name, node, error);
}
