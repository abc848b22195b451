// SPDX-License-Identifier: Apache-2.0
/* admin/conf_text.c: what oned.conf gets; the sections of every driver are golden files. */
#include "admin/conf_text.h"
#include "test.h"

#include <string.h>

static void
sections_of_every_driver_are_as_recorded(void **state)
{
    (void)state;
    guint count = 0;

    for (const Driver *const *driver = drivers; *driver; driver++, count++) {
        g_autofree char *text = conf_sections(*driver, (*driver)->name);
        g_autofree char *file = g_strdup_printf("oned_conf-%s.txt", (*driver)->name);
        assert_golden(file, text);
    }
    assert_true(count > 0);
}

static void
a_driver_under_another_name_only_changes_its_name(void **state)
{
    (void)state;
    g_autofree char *text = conf_sections(drivers[0], "fast");

    assert_has(text, "TM_MAD_CONF = [\n    NAME = \"fast\"");
    assert_has(text, "DS_MAD_CONF = [\n    NAME = \"fast\"");
}

/* Every row that oned reads at registration must be there: conf-rows of the design. */
static void
every_driver_says_what_oned_needs(void **state)
{
    (void)state;
    static const char *const needed[] = {"LN_TARGET",  "CLONE_TARGET",  "SHARED",
                                         "DS_MIGRATE", "ALLOW_ORPHANS", "DISK_TYPE"};

    for (const Driver *const *driver = drivers; *driver; driver++) {
        g_autofree char *text = conf_sections(*driver, (*driver)->name);
        for (guint i = 0; i < G_N_ELEMENTS(needed); i++) {
            g_autofree char *line = g_strdup_printf("\n    %s = \"", needed[i]);
            assert_has(text, line);
        }
        assert_has(text, "REQUIRED_ATTRS");
        for (const ConfRow *row = (*driver)->tm_conf; row->name; row++)
            assert_true(!strpbrk(row->value, "\"[]\n"));
    }
}

#define CONF(section, arguments)                                                                   \
    "# TM_MAD = [ not this ]\n"                                                                    \
    "OTHER = [\n    ARGUMENTS = \"-x\" ]\n" section                                                \
    " = [\n    EXECUTABLE = \"one_tm\",\n    ARGUMENTS = \"" arguments "\"\n]\n"

static char *
with(const char *arguments, const char *first, const char *second)
{
    const char *const options[] = {first, second, NULL};
    g_autofree char *conf = g_strdup_printf(CONF("TM_MAD", "%s"), arguments);

    return conf_arguments_with(conf, "TM_MAD", options, "reflink");
}

static void
assert_arguments(const char *before, const char *first, const char *second, const char *after)
{
    g_autofree char *now = with(before, first, second);
    g_autofree char *again = with(now, first, second);

    assert_string_equal(now, after);
    assert_string_equal(again, after); /* nothing is added twice */
}

static void
a_name_is_added_to_the_lists(void **state)
{
    (void)state;
    assert_arguments("-t 15 -d dummy,shared", "-d", NULL, "-t 15 -d dummy,shared,reflink");
    assert_arguments("-t 15 -d dummy,fs -s shared,ssh -w 600", "-d", "-s",
                     "-t 15 -d dummy,fs,reflink -s shared,ssh,reflink -w 600");
}

static void
a_name_that_is_there_is_not_added(void **state)
{
    (void)state;
    assert_arguments("-d reflink,shared", "-d", NULL, "-d reflink,shared");
    assert_arguments("-d shared,reflink_local", "-d", NULL, "-d shared,reflink_local,reflink");
    assert_arguments("-d reflink", "-d", NULL, "-d reflink");
}

static void
a_missing_option_is_added(void **state)
{
    (void)state;
    assert_arguments("-t 15", "-d", NULL, "-t 15 -d reflink");
    assert_arguments("-t 15 -d a", "-d", "-s", "-t 15 -d a,reflink -s reflink");
}

/* one_tm takes the last -s: a name that only the first holds is not there. */
static void
of_an_option_given_twice_the_last_counts(void **state)
{
    (void)state;
    g_autofree char *now = with("-d a -s b -s c", "-s", NULL);
    g_auto(GStrv) words = g_strsplit(now, " ", -1);
    const char *last = NULL;

    for (char **word = words; *word; word++)
        if (!strcmp(*word, "-s"))
            last = word[1];
    assert_has(last, "reflink");
}

static void
only_the_right_section_is_read(void **state)
{
    (void)state;
    const char *const options[] = {"-d", NULL};
    const char *conf = "TM_MAD_CONF = [ NAME = \"x\", ARGUMENTS = \"-d wrong\" ]\n"
                       "#TM_MAD = [ ARGUMENTS = \"-d comment\" ]\n"
                       "  TM_MAD=[EXECUTABLE=\"a\",ARGUMENTS=\"-d right\"]\n"
                       "DATASTORE_MAD = [ ARGUMENTS = \"-d other\" ]\n";
    g_autofree char *tm = conf_arguments_with(conf, "TM_MAD", options, "n");
    g_autofree char *store = conf_arguments_with(conf, "DATASTORE_MAD", options, "n");

    assert_string_equal(tm, "-d right,n");
    assert_string_equal(store, "-d other,n");
    assert_null(conf_arguments_with(conf, "VM_MAD", options, "n"));
    assert_null(conf_arguments_with("", "TM_MAD", options, "n"));
}

static void
live_snapshots_gain_pairs_once(void **state)
{
    (void)state;
    g_autofree char *none = conf_live_snapshots(drivers[0], "reflink", NULL);
    g_autofree char *some = conf_live_snapshots(
        drivers[0], "reflink", "A=1\nLIVE_DISK_SNAPSHOTS=\"kvm-qcow2 kvm-ceph\"\n");
    g_autofree char *text = g_strdup_printf("LIVE_DISK_SNAPSHOTS=\"%s\"\n", some);
    g_autofree char *again = conf_live_snapshots(drivers[0], "reflink", text);

    if (drivers[0]->live_snapshots[0])
        assert_has(none, "-reflink");
    assert_true(g_str_has_prefix(some, "kvm-qcow2 kvm-ceph"));
    assert_string_equal(some, again);
}

static void
assert_vm_mads(const char *arguments, const char *expected)
{
    g_autofree char *conf = g_strdup_printf(
        "# VM_MAD = [ NAME = \"not this\" ]\nVM_MAD = [\n    NAME = \"lxc\",\n    ARGUMENTS = "
        "\"-t 15 lxc\"\n]\n  VM_MAD = [\n    SUNSTONE_NAME = \"KVM\",\n    NAME = \"kvm\",\n"
        "    ARGUMENTS = \"%s\",\n    TYPE = \"kvm\" ]\nVM_MAD = [\n    NAME = \"qemu\",\n"
        "    ARGUMENTS = \"-r 0 kvm\" ]\n",
        arguments);
    g_autofree char *text = conf_vm_mads(conf, "x");
    g_autofree char *whole = g_strconcat(
        "    kvm: ARGUMENTS = ", expected,
        "\n    qemu: ARGUMENTS = \"-r 0 kvm -l save=save_x,restore=restore_x\"\n", NULL);

    assert_string_equal(text, whole);
}

static void
every_vm_mad_of_kvm_gets_save_and_restore(void **state)
{
    (void)state;
    g_autofree char *none = conf_vm_mads("", "x");

    assert_string_equal(none, "");
    assert_vm_mads("-t 15 -r 0 kvm -p", "\"-t 15 -r 0 kvm -p -l save=save_x,restore=restore_x\"");
    assert_vm_mads("-l migrate=migrate_local kvm",
                   "\"-l migrate=migrate_local,save=save_x,restore=restore_x kvm\"");
    assert_vm_mads("-l save=save_x,restore=restore_x kvm",
                   "\"-l save=save_x,restore=restore_x kvm\"");
    assert_vm_mads("-l autosave=a kvm", "\"-l autosave=a,save=save_x,restore=restore_x kvm\"");
    assert_vm_mads(
        "-l deploy,save=save_sp kvm",
        "\"-l deploy,save=save_sp,restore=restore_x kvm\" (another save or restore stands "
        "there: only one can)");
    assert_vm_mads("-l save kvm",
                   "\"-l save,restore=restore_x kvm\" (another save or restore stands "
                   "there: only one can)");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_vm_mad_of_kvm_gets_save_and_restore),
    cmocka_unit_test(sections_of_every_driver_are_as_recorded),
    cmocka_unit_test(a_driver_under_another_name_only_changes_its_name),
    cmocka_unit_test(every_driver_says_what_oned_needs),
    cmocka_unit_test(a_name_is_added_to_the_lists),
    cmocka_unit_test(a_name_that_is_there_is_not_added),
    cmocka_unit_test(a_missing_option_is_added),
    cmocka_unit_test(of_an_option_given_twice_the_last_counts),
    cmocka_unit_test(only_the_right_section_is_read),
    cmocka_unit_test(live_snapshots_gain_pairs_once),
};
TEST_MAIN(tests)
