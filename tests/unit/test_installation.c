// SPDX-License-Identifier: Apache-2.0
/* one/installation.c: which OpenNebula this is, and its settings files. */
#include "one/installation.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
versions_become_comparable_numbers(void **state)
{
    (void)state;
    assert_int_equal(version_number("5.4.0"), ONE_VERSION(5, 4, 0));
    assert_int_equal(version_number("6.10.0-1"), ONE_VERSION(6, 10, 0));
    assert_int_equal(version_number("6.6.1.1\n"), ONE_VERSION(6, 6, 1));
    assert_int_equal(version_number("7.4"), ONE_VERSION(7, 4, 0));
    assert_true(version_number("5.12.13") > version_number("5.4.15"));
    assert_int_equal(version_number(""), 0);
    assert_int_equal(version_number("unknown"), 0);
    assert_int_equal(version_number("7"), 0);
}

/* A site below `root`, with remotes/VERSION of that text. */
static Installation *
site(const char *version, const char *config)
{
    g_autofree char *root = test_directory("site");
    g_autofree char *remotes = g_build_filename(root, "remotes", NULL);
    g_autofree char *version_file = g_build_filename(remotes, "VERSION", NULL);
    g_autofree char *config_file = g_build_filename(root, "config", NULL);

    g_mkdir_with_parents(remotes, 0755);
    if (version)
        test_write(version_file, version);
    if (config)
        test_write(config_file, config);
    return installation_find(remotes);
}

static void
the_release_is_read_from_remotes(void **state)
{
    (void)state;
    g_autoptr(Installation) old = site("5.12.0\n", NULL);
    assert_int_equal(old->version, ONE_VERSION(5, 12, 0));
}

static void
the_newest_known_release_is_assumed_without_version(void **state)
{
    (void)state;
    g_autoptr(Installation) missing = site(NULL, NULL);
    g_autoptr(Installation) garbage = site("latest\n", NULL);
    assert_int_equal(missing->version, ONE_VERSION(7, 4, 0));
    assert_int_equal(garbage->version, ONE_VERSION(7, 4, 0));
}

static void
datastore_location_comes_from_oneds_config(void **state)
{
    (void)state;
    g_autoptr(Installation) plain = site("7.4.0", NULL);
    g_autoptr(Installation) set =
        site("7.4.0", "AUTH_MAD=[ARGUMENTS=\"\"]\nDATASTORE_LOCATION=/srv//one/datastores/\n");
    g_autoptr(Installation) odd = site("7.4.0", "DATASTORE_LOCATION=relative\n");

    assert_string_equal(plain->datastores, "/var/lib/one/datastores");
    assert_string_equal(set->datastores, "/srv/one/datastores");
    assert_string_equal(odd->datastores, "/var/lib/one/datastores");
}

static void
var_lies_above_remotes(void **state)
{
    (void)state;
    g_autoptr(Installation) found = site("7.4.0", NULL);
    g_autofree char *root = test_path("site");
    assert_string_equal(found->var, root);
}

static void
one_location_moves_everything(void **state)
{
    (void)state;
    setenv("ONE_LOCATION", "/opt/one", 1);
    g_autoptr(Installation) found = installation_find(NULL);
    unsetenv("ONE_LOCATION");
    g_autoptr(Installation) usual = installation_find(NULL);

    assert_string_equal(found->remotes, "/opt/one/var/remotes");
    assert_string_equal(found->etc, "/opt/one/etc");
    assert_string_equal(found->datastores, "/opt/one/var/datastores");
    assert_string_equal(usual->remotes, "/var/lib/one/remotes");
    assert_string_equal(usual->etc, "/etc/one");
    assert_string_equal(usual->datastores, "/var/lib/one/datastores");
}

static void
a_relative_one_location_is_ignored(void **state)
{
    (void)state;
    setenv("ONE_LOCATION", "one", 1);
    g_autoptr(Installation) found = installation_find(NULL);
    unsetenv("ONE_LOCATION");
    assert_string_equal(found->remotes, "/var/lib/one/remotes");
}

static GHashTable *
settings_of(const char *text)
{
    g_autofree char *path = test_path("settings.conf");

    test_write(path, text);
    return settings_read(path);
}

static void
settings_follow_the_shells_rules_for_quotes(void **state)
{
    (void)state;
    g_autoptr(GHashTable) s = settings_of("# comment\n"
                                          "A=plain\n"
                                          "  B = spaced\n"
                                          "C=\"two words\"   # why\n"
                                          "D='it''s $HOME $(id)'\n"
                                          "E=\n"
                                          "F=a=b=c\n"
                                          "\n"
                                          "A=last wins\n"
                                          "G=\"open\n"
                                          "H=\"-o preallocation=metadata\"\n");

    assert_string_equal(g_hash_table_lookup(s, "A"), "last");
    assert_string_equal(g_hash_table_lookup(s, "C"), "two words");
    assert_string_equal(g_hash_table_lookup(s, "D"), "its $HOME $(id)");
    assert_string_equal(g_hash_table_lookup(s, "E"), "");
    assert_string_equal(g_hash_table_lookup(s, "F"), "a=b=c");
    assert_string_equal(g_hash_table_lookup(s, "H"), "-o preallocation=metadata");
    assert_null(g_hash_table_lookup(s, "G"));
    assert_null(g_hash_table_lookup(s, "B"));
}

static void
settings_of_hostile_bytes_do_no_harm(void **state)
{
    (void)state;
    g_autofree char *path = test_path("hostile.conf");
    static const char bytes[] = "A=1\n\0B=2\n\xff\xfe=x\n=\n==\n'='\n=a\nC='";

    test_write_bytes(path, bytes, sizeof bytes);
    g_autoptr(GHashTable) s = settings_read(path);
    assert_string_equal(g_hash_table_lookup(s, "A"), "1");
}

static void
a_missing_settings_file_is_empty(void **state)
{
    (void)state;
    g_autoptr(GHashTable) missing = settings_read("/nowhere/x.conf");
    g_autoptr(GHashTable) directory = settings_read("/");
    assert_int_equal(g_hash_table_size(missing), 0);
    assert_int_equal(g_hash_table_size(directory), 0);
}

static void
the_shipped_settings_file_sets_nothing(void **state)
{
    (void)state;
    g_autofree char *path = test_source("../remotes/etc/onevol/onevol.conf");

    assert_true(test_exists(path));
    g_autoptr(GHashTable) s = settings_read(path);
    assert_int_equal(g_hash_table_size(s), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(versions_become_comparable_numbers),
    cmocka_unit_test(the_release_is_read_from_remotes),
    cmocka_unit_test(the_newest_known_release_is_assumed_without_version),
    cmocka_unit_test(datastore_location_comes_from_oneds_config),
    cmocka_unit_test(var_lies_above_remotes),
    cmocka_unit_test(one_location_moves_everything),
    cmocka_unit_test(a_relative_one_location_is_ignored),
    cmocka_unit_test(settings_follow_the_shells_rules_for_quotes),
    cmocka_unit_test(settings_of_hostile_bytes_do_no_harm),
    cmocka_unit_test(a_missing_settings_file_is_empty),
    cmocka_unit_test(the_shipped_settings_file_sets_nothing),
};
TEST_MAIN(tests)
