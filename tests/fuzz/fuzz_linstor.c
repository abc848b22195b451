// SPDX-License-Identifier: Apache-2.0
/* What a LINSTOR controller, or whoever answers in its place, sends back. */
#include "backends/linstor/answer.h"
#include "backends/linstor/controllers.h"
#include "backends/linstor/elements.h"
#include "backends/linstor/model.h"
#include "fuzz.h"

#include <string.h>

static void
check(bool done, GError *error)
{
    g_assert(done == (error == NULL));
    g_assert(!error || g_utf8_validate(error->message, -1, NULL));
    g_assert(!error || !strchr(error->message, '\n'));
    g_clear_error(&error);
}

/* Every element as every kind of object. */
static bool
visit(const json_t *element, void *user, G_GNUC_UNUSED GError **error)
{
    GError *why = NULL;
    LinstorVolume volume;
    LinstorSpace space;
    g_autofree char *text = linstor_entry_text(element);

    (*(guint *)user)++;
    g_assert(!strchr(text, '\n'));
    g_autoptr(LinstorNode) node = linstor_node_parse(element, &why);
    check(node != NULL, g_steal_pointer(&why));
    g_autoptr(LinstorPool) pool = linstor_pool_parse(element, &why);
    check(pool != NULL, g_steal_pointer(&why));
    g_autoptr(LinstorGroup) group = linstor_group_parse(element, &why);
    check(group != NULL, g_steal_pointer(&why));
    g_autoptr(LinstorDefinition) definition = linstor_definition_parse(element, &why);
    check(definition != NULL, g_steal_pointer(&why));
    g_autoptr(LinstorResource) resource = linstor_resource_parse(element, &why);
    check(resource != NULL, g_steal_pointer(&why));
    g_autoptr(LinstorSnapshot) snapshot = linstor_snapshot_parse(element, &why);
    check(snapshot != NULL, g_steal_pointer(&why));
    bool done = linstor_volume_parse(element, &volume, &why);
    check(done, g_steal_pointer(&why));
    done = linstor_space_parse(element, &space, &why);
    check(done, g_steal_pointer(&why));
    return true;
}

static void
as_whole(const uint8_t *data, size_t size)
{
    json_t *answer = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
    guint seen = 0;

    if (!answer)
        return;
    (void)linstor_answer_is_valid(answer);
    (void)linstor_answer_has(answer, LINSTOR_ERROR, LINSTOR_FAIL_IN_USE);
    (void)linstor_answer_reference(answer, "Node/0");
    visit(answer, &seen, NULL);
    json_decref(answer);
}

/* The elements are the same whether they come in one piece or byte by byte. */
static void
as_list(const uint8_t *data, size_t size)
{
    guint whole = 0, pieces = 0;
    GError *error = NULL;
    g_autoptr(LinstorElements) one = linstor_elements_new(visit, &whole);
    g_autoptr(LinstorElements) many = linstor_elements_new(visit, &pieces);
    bool good = linstor_elements_feed(one, (const char *)data, size, &error) &&
                linstor_elements_end(one, &error);

    check(good, g_steal_pointer(&error));
    bool same = true;
    for (size_t i = 0; i < size && same; i++)
        same = linstor_elements_feed(many, (const char *)data + i, 1, &error);
    same = same && linstor_elements_end(many, &error);
    g_clear_error(&error);
    g_assert(good == same && whole == pieces);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GError *error = NULL;
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GPtrArray) controllers = linstor_controllers_parse(text, &error);

    check(controllers != NULL, error);
    as_whole(data, size);
    as_list(data, size);
    return 0;
}
