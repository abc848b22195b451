// SPDX-License-Identifier: Apache-2.0
/* Which of oned's models of snapshots (ALLOW_ORPHANS) a flat set fulfils. */
#include "core/snapshot.h"
#include "one/xml.h"
#include "test.h"

#include <string.h>

static const char *const models[] = {"", "YES", "NO", "MIXED", "FORMAT", "yes", "something else"};

/* DISK or IMAGE with that model, and SNAPSHOTS 3 and 5 with that one; "" leaves it out. */
static bool
check(const char *element, const char *snapshots, gint64 id, bool revert, GError **error)
{
    g_autofree char *text = g_strdup_printf(
        "<V><DISK><ALLOW_ORPHANS>%s</ALLOW_ORPHANS></DISK><SNAPSHOTS><ALLOW_ORPHANS>%s"
        "</ALLOW_ORPHANS><SNAPSHOT><ID>3</ID></SNAPSHOT><SNAPSHOT><ID>5</ID></SNAPSHOT></SNAPSHOTS>"
        "</V>",
        element, snapshots);
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), NULL);
    xmlNode *root = xml_root(document);

    return snapshot_model_check(xml_find(root, "DISK"), xml_find(root, "SNAPSHOTS"), id, revert,
                                "mine", error);
}

static void
trees_are_fulfilled(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(models); i++)
        for (size_t j = 0; j < G_N_ELEMENTS(models); j++) {
            assert_true(check(models[i], models[j], 6, false, NULL));
            assert_true(check(models[i], models[j], 3, true, NULL));
        }
    assert_true(snapshot_model_check(NULL, NULL, 0, false, "mine", NULL));
}

static void
linear_is_refused_whoever_says_it(void **state)
{
    (void)state;
    GError *error = NULL;

    assert_false(check("LINEAR", "YES", 6, false, &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "TM_MAD_CONF of 'mine'");
    assert_false(check("YES", "linear", 6, false, &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "LINEAR");
    assert_false(check("Linear", "", 3, true, &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "LINEAR");
}

/* Nothing is forgotten then. */
static void
the_youngest_can_be_reverted_to(void **state)
{
    (void)state;
    assert_true(check("LINEAR", "LINEAR", 5, true, NULL));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(trees_are_fulfilled),
    cmocka_unit_test(linear_is_refused_whoever_says_it),
    cmocka_unit_test(the_youngest_can_be_reverted_to),
};
TEST_MAIN(tests)
