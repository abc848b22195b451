// SPDX-License-Identifier: Apache-2.0
#include "local/guest.h"
#include "local/operation.h"
#include "test.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As libvirt 9.0 prints it, shortened; %s: the wanted file, and what stands within its disk. */
#define DOMAIN                                                                                     \
    "<domain type='kvm' id='1'><name>one-7</name><devices>"                                        \
    "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='hda'/></disk>"  \
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>"              \
    "<source file='%s' index='1'/><backingStore type='file'><format type='raw'/>"                  \
    "<source file='/dev/null'/></backingStore>%s<target dev='vda' bus='virtio'/></disk>"           \
    "<disk type='block' device='disk'><driver name='qemu' type='raw'/>"                            \
    "<source dev='/dev/null'/><target dev='vdb'/></disk></devices></domain>"

static char *
file_named(const char *name)
{
    char *path = test_path(name);

    test_write(path, "x");
    return path;
}

static void
a_disk_is_found_by_what_it_is(void **state)
{
    (void)state;
    g_autofree char *path = file_named("a&'b");
    g_autofree char *other = test_path("link");
    g_autofree char *text = g_markup_escape_text(path, -1);
    g_autofree char *xml = g_strdup_printf(DOMAIN, text, "");
    g_auto(GuestDisk) disk = {0};
    g_autoptr(GError) error = NULL;

    assert_int_equal(symlink(path, other), 0);
    assert_true(guest_disk_parse(xml, other, &disk, &error));
    assert_string_equal(disk.device, "vda");
    assert_string_equal(disk.format, "qcow2");
    assert_string_equal(disk.path, other);
    assert_string_equal(disk.others, "hda vdb");
    assert_null(disk.mirror);
    assert_false(disk.ready);
}

static void
a_mirror_is_seen(void **state)
{
    (void)state;
    static const char *const said[] = {"", " ready='yes'"};
    g_autofree char *path = file_named("disk.0");

    for (int i = 0; i < 2; i++) {
        g_autofree char *mirror =
            g_strdup_printf("<mirror type='file' file='/a/copy' job='copy'%s><format type='raw'/>"
                            "<source file='/a/copy'/></mirror>",
                            said[i]);
        g_autofree char *xml = g_strdup_printf(DOMAIN, path, mirror);
        g_auto(GuestDisk) disk = {0};
        g_autoptr(GError) error = NULL;

        assert_true(guest_disk_parse(xml, path, &disk, &error));
        assert_string_equal(disk.mirror, "/a/copy");
        assert_int_equal(disk.ready, i);
    }
}

static void
what_is_no_disk_of_it_is_refused(void **state)
{
    (void)state;
    g_autofree char *path = file_named("disk.1"), *other = file_named("disk.2");
    g_autofree char *xml = g_strdup_printf(DOMAIN, path, "");
    g_autofree char *cut = g_strndup(xml, strlen(xml) - 20);
    const char *const texts[] = {xml, cut, "", "no XML", "<domain/>"};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_auto(GuestDisk) disk = {0};
        g_autoptr(GError) error = NULL;

        assert_false(guest_disk_parse(texts[i], texts[i] == cut ? path : other, &disk, &error));
        assert_non_null(strstr(error->message, "does not show"));
        assert_null(disk.device);
    }
}

static void
answers_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(answer_of("error: Domain is already running"), DONE);
    assert_int_equal(answer_of("error: Requested operation is not valid: no job is active on the "
                               "domain"),
                     DONE);
    assert_int_equal(answer_of("error: failed to connect to the hypervisor"), NO_ANSWER);
    assert_int_equal(answer_of("error: cannot acquire state change lock"), NO_ANSWER);
    assert_int_equal(answer_of("error: failed to get domain 'one-7'"), REFUSED);
}

/* A virsh that writes down what it is asked; its guest runs. */
static void
play_hypervisor(void)
{
    g_autofree char *directory = test_directory("bin");
    g_autofree char *virsh = test_path("bin/virsh"), *asked = test_path("asked");
    g_autofree char *state = test_directory("state");
    g_autofree char *path = g_strdup_printf("%s:/usr/bin:/bin", directory);
    g_autofree char *text = g_strdup_printf("#!/bin/sh\necho $4 >>%s\n"
                                            "[ $4 = domstate ] && echo running\nexit 0\n",
                                            asked);

    test_write(asked, "");
    test_write(virsh, text);
    assert_int_equal(chmod(virsh, 0755), 0);
    g_setenv("PATH", path, TRUE);
    g_setenv("ONEVOL_STATE_DIR", state, TRUE);
}

/* The operation with that command; what virsh was asked in *asked. */
static GVariant *
frozen_copy(const char *const *command, const char *source, const char *target, char **asked,
            GError **error)
{
    g_autoptr(Session) session = session_new();
    g_autofree char *log = test_path("asked");
    GVariant *reply = NULL;

    bool done = operation_run(
        operation_find("frozen-copy"), session,
        g_variant_new("(ssb^asss)", "test:///", "one-7", FALSE, command, source, target), &reply,
        error);
    *asked = test_read(log);
    return done ? reply : NULL;
}

static void
a_command_makes_the_copy_while_the_guest_is_frozen(void **state)
{
    (void)state;
    g_autofree char *source = file_named("disk.0"), *target = test_path("copy");
    g_autofree char *log = test_path("asked"), *asked = NULL, *content = NULL;
    /* it adds its own line between freeze and thaw */
    g_autofree char *script = g_strdup_printf("cat %s >%s; echo copied >>%s", source, target, log);
    const char *const command[] = {"sh", "-c", script, NULL};
    g_autoptr(GError) error = NULL;

    play_hypervisor();
    g_autoptr(GVariant) reply = frozen_copy(command, source, target, &asked, &error);
    assert_no_error(error);
    assert_string_equal(asked, "domstate\ndomfsfreeze\ncopied\ndomfsthaw\n");
    g_variant_get(reply, "(s)", &content);
    assert_string_equal(content, "snapshot, guest file systems frozen");
    assert_true(test_exists(target));
}

static void
a_command_that_fails_leaves_no_copy_and_a_guest_that_goes_on(void **state)
{
    (void)state;
    g_autofree char *source = file_named("disk.0"), *target = test_path("copy");
    const struct {
        const char *const command[4];
        const char *said;
    } cases[] = {
        {{"false", NULL},       "false exited 1"    },
        {{"true", NULL},        "true made no '"    },
        {{"sleep", "60", NULL}, "did not end within"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *asked = NULL;
        g_autoptr(GError) error = NULL;
        gint64 start = g_get_monotonic_time();

        play_hypervisor();
        unlink(target);
        assert_null(frozen_copy(cases[i].command, source, target, &asked, &error));
        assert_has(error->message, cases[i].said);
        assert_has(asked, "domfsthaw");
        assert_true(g_get_monotonic_time() - start < 9 * G_USEC_PER_SEC);
        assert_false(test_exists(target));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_disk_is_found_by_what_it_is),
    cmocka_unit_test(a_mirror_is_seen),
    cmocka_unit_test(what_is_no_disk_of_it_is_refused),
    cmocka_unit_test(answers_are_told_apart),
    cmocka_unit_test(a_command_makes_the_copy_while_the_guest_is_frozen),
    cmocka_unit_test(a_command_that_fails_leaves_no_copy_and_a_guest_that_goes_on),
};
TEST_MAIN(tests)
