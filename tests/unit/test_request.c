// SPDX-License-Identifier: Apache-2.0
/* one/request.c: what oned asks, in the forms of 5.4 to 7.4. */
#include "one/request.h"
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DOCUMENT                                                                                   \
    "<DS_DRIVER_ACTION_DATA><IMAGE><ID>7</ID></IMAGE><DATASTORE><ID>103</ID></DATASTORE>"          \
    "</DS_DRIVER_ACTION_DATA>"

static char *no_arguments[] = {NULL};

/* driver files */

static void
a_driver_file_names_plane_directory_and_action(void **state)
{
    (void)state;
    char *arguments[] = {(char *)"a", (char *)"b", NULL};
    g_autoptr(Request) request =
        request_of_file("/var/lib/one/remotes/tm/reflink/clone", NULL, arguments, NULL);

    assert_int_equal(request->plane, PLANE_TM);
    assert_string_equal(request->directory, "reflink");
    assert_string_equal(request->action, "clone");
    assert_string_equal(request->remotes, "/var/lib/one/remotes");
    assert_null(request->driver);
    assert_int_equal(g_strv_length(request->arguments), 2);
}

static void
a_driver_file_with_detours_is_understood(void **state)
{
    (void)state;
    g_autoptr(Request) request = request_of_file("/var/lib/one//remotes/tm/ssh/../reflink/./clone",
                                                 NULL, no_arguments, NULL);
    g_autoptr(Request) datastore =
        request_of_file("/var/lib/one/remotes/datastore/fast/cp", "reflink", no_arguments, NULL);
    g_autoptr(Request) vmm =
        request_of_file("/var/lib/one/remotes/vmm/kvm/save.reflink", NULL, no_arguments, NULL);

    assert_string_equal(request->directory, "reflink");
    assert_string_equal(request->remotes, "/var/lib/one/remotes");
    assert_int_equal(datastore->plane, PLANE_DATASTORE);
    assert_string_equal(datastore->directory, "fast");
    assert_string_equal(datastore->driver, "reflink");
    assert_int_equal(vmm->plane, PLANE_VMM);
    assert_string_equal(vmm->action, "save");
}

static void
a_relative_driver_file_starts_at_the_working_directory(void **state)
{
    (void)state;
    g_autofree char *here = g_get_current_dir();
    g_autofree char *remotes = g_build_filename(here, "remotes", NULL);
    g_autoptr(Request) request =
        request_of_file("remotes/tm/reflink/clone", NULL, no_arguments, NULL);

    assert_string_equal(request->remotes, remotes);
}

static void
a_suffix_of_the_action_is_dropped(void **state)
{
    (void)state;
    g_autoptr(Request) file = request_of_file("/r/tm/reflink/clone.ssh", NULL, no_arguments, NULL);
    g_autoptr(Request) hand = request_by_hand("tm", "reflink", "mv.qcow2", no_arguments, NULL);

    assert_string_equal(file->action, "clone");
    assert_string_equal(hand->action, "mv");
}

static void
files_elsewhere_are_no_driver_files(void **state)
{
    (void)state;
    static const char *const rows[] = {"/usr/bin/onevol", "/tm/x", "/clone",
                                       "/r/im/kvm/poll",  "/",     "/r/tm/reflink"};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        assert_null(request_of_file(rows[i], NULL, no_arguments, &error));
        assert_failed(error, ONEVOL_ERROR_USAGE, "is not a driver file");
    }
}

static void
hostile_names_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"a b", "-rf", "a\nb", "$(id)", "a'b", "", "..", "\xff"};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        assert_null(request_by_hand("tm", rows[i], "clone", no_arguments, &error));
        assert_failed(error, ONEVOL_ERROR_USAGE, "is no name of a driver");
        assert_null(request_by_hand("tm", "reflink", rows[i], no_arguments, &error));
        assert_failed(error, ONEVOL_ERROR_USAGE, "is no name of a driver");
    }
}

static void
a_plane_that_is_none_is_refused(void **state)
{
    (void)state;
    GError *error = NULL;

    assert_null(request_by_hand("market", "reflink", "clone", no_arguments, &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "none of tm, datastore, vmm");
    assert_string_equal(plane_name(PLANE_TM), "tm");
    assert_string_equal(plane_name(PLANE_VMM), "vmm");
}

/* messages */

static char *
wrapped(const char *text, gsize columns)
{
    g_autofree char *line = g_base64_encode((const guchar *)text, strlen(text));
    GString *lines = g_string_new(NULL);

    for (gsize i = 0; line[i]; i++) {
        g_string_append_c(lines, line[i]);
        if (i % columns == columns - 1)
            g_string_append_c(lines, '\n');
    }
    return g_string_free(lines, FALSE);
}

/* A pipe that holds `text` (short enough for it). */
static int
stdin_with(const char *text)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    return ends[0];
}

static XmlDocument *
document_of(const char *first, const char *second, const char *input, gint64 *id, GError **error)
{
    char *arguments[] = {(char *)first, (char *)second, NULL};
    g_autoptr(Request) request = request_by_hand("datastore", "reflink", "cp", arguments, NULL);
    int fd = stdin_with(input);
    XmlDocument *document = request_document(request, fd, id, error);

    close(fd);
    return document;
}

static void
two_arguments_are_the_message_and_the_id(void **state)
{
    (void)state;
    g_autofree char *message = wrapped(DOCUMENT, 100000);
    gint64 id = 0;
    g_autoptr(XmlDocument) document = document_of(message, "7", "", &id, NULL);

    assert_int_equal(id, 7);
    assert_int_equal(xml_number(xml_root(document), "DATASTORE/ID", -1), 103);
}

static void
one_argument_is_the_id_and_stdin_the_message(void **state)
{
    (void)state;
    g_autofree char *message = wrapped(DOCUMENT, 100000);
    gint64 id = 0;
    g_autoptr(XmlDocument) document = document_of("7", NULL, message, &id, NULL);

    assert_int_equal(id, 7);
    assert_int_equal(xml_number(xml_root(document), "IMAGE/ID", -1), 7);
}

static void
a_dash_and_an_id_mean_stdin(void **state)
{
    (void)state;
    g_autofree char *message = wrapped(DOCUMENT, 60);
    gint64 id = 0;
    g_autoptr(XmlDocument) document = document_of("-", "7", message, &id, NULL);

    assert_non_null(document);
    assert_int_equal(id, 7);
}

static void
base64_may_be_wrapped(void **state)
{
    (void)state;
    for (gsize columns = 1; columns < 80; columns += 7) {
        g_autofree char *message = wrapped(DOCUMENT, columns);
        g_autoptr(XmlDocument) document = document_decode(message, strlen(message), NULL);
        assert_non_null(document);
    }
}

static void
plain_xml_is_taken_too(void **state)
{
    (void)state;
    const char *text = " \n" DOCUMENT "\n";
    g_autoptr(XmlDocument) document = document_decode(text, strlen(text), NULL);
    assert_non_null(document);
}

static void
wrong_argument_counts_and_ids_are_usage(void **state)
{
    (void)state;
    static const char *const ids[] = {"", "x", "-1", "7 ", "1e9", "99999999999999999999"};
    char *three[] = {(char *)"a", (char *)"b", (char *)"c", NULL};
    g_autoptr(Request) none = request_by_hand("datastore", "reflink", "cp", no_arguments, NULL);
    g_autoptr(Request) many = request_by_hand("datastore", "reflink", "cp", three, NULL);
    GError *error = NULL;
    gint64 id;

    assert_null(request_document(none, -1, &id, &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "not 0 arguments");
    assert_null(request_document(many, -1, &id, &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "not 3 arguments");
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
        assert_null(document_of(ids[i], NULL, DOCUMENT, &id, &error));
        assert_failed(error, ONEVOL_ERROR_USAGE, "is not a number");
    }
}

static void
assert_no_message(const char *text, const char *part)
{
    GError *error = NULL;

    assert_null(document_decode(text, strlen(text), &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, part);
}

static void
missing_and_malformed_messages_are_refused(void **state)
{
    (void)state;
    g_autofree char *whole = wrapped(DOCUMENT, 100000);
    g_autofree char *cut = g_strndup(whole, strlen(whole) - 3);
    g_autofree char *padded = g_strconcat(whole, "====", NULL);
    g_autofree char *inside = g_strconcat("QQ==", whole, NULL);
    g_autofree char *quoted = g_strconcat("'", whole, "'", NULL);
    g_autofree char *url = g_strconcat(whole, "-_-_", NULL);

    assert_no_message("", "is empty");
    assert_no_message(" \n\t", "is empty");
    assert_no_message("not base64!", "is not base64");
    assert_no_message(cut, "is cut");
    assert_no_message(padded, "is not base64");
    assert_no_message(inside, "is not base64");
    assert_no_message("A===", "is not base64");
    assert_no_message(quoted, "is not base64");
    assert_no_message(url, "is not base64");
    assert_no_message("QUFB", "malformed"); /* "AAA" */
    assert_no_message("<A><B></A>", "malformed");
}

static void
a_message_that_was_cut_in_its_xml_is_refused(void **state)
{
    (void)state;
    for (gsize length = 1; length < strlen(DOCUMENT); length += 11) {
        g_autofree char *part = g_strndup(DOCUMENT, length);
        g_autofree char *message = wrapped(part, 100000);
        assert_no_message(message, "malformed");
    }
}

static void
a_message_of_100_mb_is_refused_without_reading_all(void **state)
{
    (void)state;
    g_autofree char *path = test_path("huge");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char *arguments[] = {(char *)"7", NULL};
    g_autoptr(Request) request = request_by_hand("datastore", "reflink", "cp", arguments, NULL);
    GError *error = NULL;
    gint64 id;

    assert_int_equal(ftruncate(fd, 100 << 20), 0);
    assert_null(request_document(request, fd, &id, &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "larger than");
    assert_true(lseek(fd, 0, SEEK_CUR) < 50 << 20);
    close(fd);
}

/* words of transfer lines */

static void
locations_are_split_and_normal(void **state)
{
    (void)state;
    g_auto(Location) location = {0};
    g_auto(Location) colons = {0};

    assert_true(location_parse("node1:/var/lib/one//datastores/102/1/disk.0", &location, NULL));
    assert_string_equal(location.host, "node1");
    assert_string_equal(location.path, "/var/lib/one/datastores/102/1/disk.0");
    assert_true(location_parse("h:/a:b:c", &colons, NULL));
    assert_string_equal(colons.path, "/a:b:c");
}

static void
hostile_locations_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"",       ":",       "node1",   "/path/only", ":/a",
                                       "node1:", "node1:a", "-x:/a",   "a b:/a",     "$(id):/a",
                                       "a'b:/a", "a/b:/a",  "n:/a\nb", "n\nm:/a",    "n:-rf",
                                       "n:../a", "\xff:/a"};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Location location = {0};
        GError *error = NULL;
        assert_false(location_parse(rows[i], &location, &error));
        assert_failed(error, ONEVOL_ERROR_USAGE, "");
        location_clear(&location);
    }
}

static void
a_source_loses_only_its_host(void **state)
{
    (void)state;
    assert_string_equal(source_of_argument("frontend:/ds/103/abc"), "/ds/103/abc");
    assert_string_equal(source_of_argument("/ds/103/a:b"), "/ds/103/a:b");
    assert_string_equal(source_of_argument("frontend:one-image-7"), "one-image-7");
    assert_string_equal(source_of_argument("one-image-7"), "one-image-7");
    assert_string_equal(source_of_argument(""), "");
}

static void
disk_ids_are_read_from_paths(void **state)
{
    (void)state;
    assert_int_equal(disk_id_of_path("/ds/102/1/disk.0"), 0);
    assert_int_equal(disk_id_of_path("/ds/102/1/disk.10"), 10);
    assert_int_equal(disk_id_of_path("/ds/102/1"), -1);
    assert_int_equal(disk_id_of_path("/ds/102/1/disk."), -1);
    assert_int_equal(disk_id_of_path("/ds/102/1/disk.0.snap"), -1);
    assert_int_equal(disk_id_of_path("/ds/102/1/disk.-1"), -1);
    assert_int_equal(disk_id_of_path("/ds/102/1/disk.0/"), -1);
    assert_int_equal(disk_id_of_path("/ds/102/1/disk.99999999999"), -1);
    assert_int_equal(disk_id_of_path("disk.0"), -1);
    assert_int_equal(disk_id_of_path("/ds/102/1/kernel"), -1);
}

static void
numbers_in_arguments_name_what_is_wrong(void **state)
{
    (void)state;
    GError *error = NULL;
    gint64 number;

    assert_true(argument_number("102", "the id", &number, NULL) && number == 102);
    assert_false(argument_number("-102", "the VM's id", &number, &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "the VM's id '-102' is not a number");
    assert_false(argument_number("9223372036854775808", "the size", &number, &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "the size");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_driver_file_names_plane_directory_and_action),
    cmocka_unit_test(a_driver_file_with_detours_is_understood),
    cmocka_unit_test(a_relative_driver_file_starts_at_the_working_directory),
    cmocka_unit_test(a_suffix_of_the_action_is_dropped),
    cmocka_unit_test(files_elsewhere_are_no_driver_files),
    cmocka_unit_test(hostile_names_are_refused),
    cmocka_unit_test(a_plane_that_is_none_is_refused),
    cmocka_unit_test(two_arguments_are_the_message_and_the_id),
    cmocka_unit_test(one_argument_is_the_id_and_stdin_the_message),
    cmocka_unit_test(a_dash_and_an_id_mean_stdin),
    cmocka_unit_test(base64_may_be_wrapped),
    cmocka_unit_test(plain_xml_is_taken_too),
    cmocka_unit_test(wrong_argument_counts_and_ids_are_usage),
    cmocka_unit_test(missing_and_malformed_messages_are_refused),
    cmocka_unit_test(a_message_that_was_cut_in_its_xml_is_refused),
    cmocka_unit_test(a_message_of_100_mb_is_refused_without_reading_all),
    cmocka_unit_test(locations_are_split_and_normal),
    cmocka_unit_test(hostile_locations_are_refused),
    cmocka_unit_test(a_source_loses_only_its_host),
    cmocka_unit_test(disk_ids_are_read_from_paths),
    cmocka_unit_test(numbers_in_arguments_name_what_is_wrong),
};
TEST_MAIN(tests)
