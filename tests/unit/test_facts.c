// SPDX-License-Identifier: Apache-2.0
/* one/facts.c, on the documents that real oneds gave (tests/fixtures). */
#include "one/facts.h"
#include "one/request.h"
#include "test.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The recorded call number `seq` (from 0) of a release. */
static json_t *
recorded(const char *release, guint seq)
{
    g_autofree char *name = g_strdup_printf("fixtures/oned-%s.jsonl", release);
    g_autofree char *path = test_source(name);
    g_autofree char *text = test_read(path);

    assert_non_null(text);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    assert_true(seq < g_strv_length(lines));
    json_t *call = json_loads(lines[seq], 0, NULL);
    assert_non_null(call);
    return call;
}

/* The datastore message of a call: an argument or stdin. */
static XmlDocument *
message_of(json_t *call)
{
    const char *text = json_string_value(json_object_get(call, "stdin_base64_of"));

    if (!text) {
        text = json_string_value(json_array_get(json_object_get(call, "argv"), 0));
        assert_true(g_str_has_prefix(text, "base64:"));
        text += strlen("base64:");
    }
    XmlDocument *document = xml_parse(text, strlen(text), NULL);
    assert_non_null(document);
    return document;
}

static OneVm *
vm_of(json_t *call)
{
    const char *text = json_string_value(json_object_get(call, "vm_info"));
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), NULL);

    assert_non_null(document);
    return one_vm_new(document, xml_root(document));
}

/* The first call of that action, from `seq` on. */
static guint
find_call(const char *release, const char *plane, const char *action, guint seq)
{
    for (;; seq++) {
        json_t *call = recorded(release, seq);
        bool found = !strcmp(json_string_value(json_object_get(call, "plane")), plane) &&
                     !strcmp(json_string_value(json_object_get(call, "action")), action);
        json_decref(call);
        if (found)
            return seq;
    }
}

static void
a_recorded_image_import_is_understood(void **state)
{
    (void)state;
    for (const char *const *release = (const char *const[]){"5.12.0", "7.4.0", NULL}; *release;
         release++) {
        json_t *call = recorded(*release, find_call(*release, "datastore", "cp", 0));
        g_autoptr(XmlDocument) document = message_of(call);
        xmlNode *root = xml_root(document);
        g_autoptr(OneImage) image = one_image_new(document, xml_find(root, "IMAGE"));
        g_autoptr(OneDatastore) store =
            one_datastore_new(document, xml_find(root, "DATASTORE"), NULL);
        bool old = !strcmp(*release, "5.12.0");

        assert_int_equal(image->type, IMAGE_OS);
        assert_string_equal(image->path, "/var/tmp/base.img");
        assert_true(image->size == 256 * MIB);
        assert_int_equal(image->says_format, !old);
        assert_false(image->persistent);
        assert_null(image->source);
        assert_int_equal(image->target_snapshot, -1);
        assert_int_equal(store->id, 103);
        assert_int_equal(store->type, DATASTORE_IMAGE);
        assert_string_equal(store->base_path, "/var/lib/one/datastores/103");
        assert_string_equal(store->tm_mad, "rec");
        json_decref(call);
    }
}

static void
a_recorded_datablock_names_its_format_and_file_system(void **state)
{
    (void)state;
    guint first = find_call("7.4.0", "datastore", "mkfs", 0);
    json_t *old = recorded("5.12.0", find_call("5.12.0", "datastore", "mkfs", 0));
    json_t *new = recorded("7.4.0", find_call("7.4.0", "datastore", "mkfs", first + 1));
    g_autoptr(XmlDocument) old_document = message_of(old);
    g_autoptr(XmlDocument) new_document = message_of(new);
    g_autoptr(OneImage) old_image =
        one_image_new(old_document, xml_find(xml_root(old_document), "IMAGE"));
    g_autoptr(OneImage) new_image =
        one_image_new(new_document, xml_find(xml_root(new_document), "IMAGE"));

    assert_int_equal(old_image->type, IMAGE_DATABLOCK);
    assert_true(old_image->persistent && old_image->size == 64 * MIB);
    assert_string_equal(old_image->format, "raw"); /* FSTYPE */
    assert_null(old_image->fs);
    assert_string_equal(new_image->format, "raw");
    assert_string_equal(new_image->fs, "ext4");
    json_decref(old);
    json_decref(new);
}

static void
a_recorded_vm_has_its_disks(void **state)
{
    (void)state;
    for (const char *const *release = (const char *const[]){"5.12.0", "7.4.0", NULL}; *release;
         release++) {
        json_t *call = recorded(*release, find_call(*release, "tm", "mkswap", 0));
        g_autoptr(OneVm) vm = vm_of(call);
        const OneDisk *cloned = one_vm_disk(vm, 0), *persistent = one_vm_disk(vm, 1);
        const OneDisk *cdrom = one_vm_disk(vm, 2), *swap = one_vm_disk(vm, 4);

        assert_true(vm->id >= 0);
        assert_true(vm->state >= 0 && vm->lcm_state >= 0);
        assert_string_equal(vm->system_tm_mad, "rec");
        assert_int_equal(vm->context_disk, 5);
        assert_int_equal(vm->disks->len, 5);
        assert_null(one_vm_disk(vm, 5)); /* the context disk is none */
        assert_null(one_vm_disk(vm, -1));

        assert_true(cloned->clone && !cloned->save && !cloned->readonly);
        assert_true(cloned->image_id >= 0 && cloned->datastore_id == 103);
        assert_true(cloned->size == 300 * MIB && cloned->original_size == 256 * MIB);
        assert_true(persistent->save && persistent->persistent && !persistent->clone);
        assert_true(cdrom->readonly);
        assert_string_equal(persistent->ln_target, "NONE");
        assert_null(swap->ln_target);
        assert_string_equal(cdrom->type, "CDROM");
        assert_int_equal(swap->image_id, -1);
        assert_null(swap->source);
        assert_true(swap->size == 16 * MIB);
        json_decref(call);
    }
}

/* Every recorded document is read without a complaint of the sanitizers. */
static void
all_recorded_documents_can_be_read(void **state)
{
    (void)state;
    for (const char *const *release = (const char *const[]){"5.12.0", "7.4.0", NULL}; *release;
         release++) {
        g_autofree char *name = g_strdup_printf("fixtures/oned-%s.jsonl", *release);
        g_autofree char *path = test_source(name);
        g_autofree char *text = test_read(path);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        guint vms = 0;

        for (char **line = lines; *line && **line; line++) {
            json_t *call = json_loads(*line, 0, NULL);
            const char *facts = json_string_value(json_object_get(call, "datastore_info"));
            const char *said = json_string_value(json_object_get(call, "vm_info"));
            if (said && *said == '<') { /* else oned's refusal of the recorder's own question */
                g_autoptr(OneVm) vm = vm_of(call);
                assert_true(vm->id >= 0 && vm->disks->len > 0);
                vms++;
            }
            if (facts) {
                g_autoptr(XmlDocument) document = xml_parse(facts, strlen(facts), NULL);
                g_autoptr(OneDatastore) store =
                    one_datastore_new(document, xml_root(document), NULL);
                assert_non_null(store);
            }
            json_decref(call);
        }
        assert_true(vms > 50);
    }
}

static OneDatastore *
datastore_of(const char *text, GError **error)
{
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), NULL);

    assert_non_null(document);
    return one_datastore_new(document, xml_root(document), error);
}

static void
a_datastore_without_id_or_base_path_is_refused(void **state)
{
    (void)state;
    GError *error = NULL;

    assert_null(datastore_of("<DATASTORE><BASE_PATH>/a</BASE_PATH></DATASTORE>", &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "has no ID or BASE_PATH");
    assert_null(datastore_of("<DATASTORE><ID>1</ID></DATASTORE>", &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "has no ID or BASE_PATH");
    assert_null(datastore_of("<D><ID>1</ID><BASE_PATH>a/b</BASE_PATH></D>", &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "is not absolute");
}

static void
datastore_attributes_and_flags_are_read(void **state)
{
    (void)state;
    g_autoptr(OneDatastore) store =
        datastore_of("<D><ID>1</ID><BASE_PATH>/a//b/</BASE_PATH><TEMPLATE><A><![CDATA[x y]]></A>"
                     "<B>yes</B><C>No</C><E/><F>maybe</F></TEMPLATE></D>",
                     NULL);
    g_autofree char *a = one_datastore_attribute(store, "A");
    g_autofree char *e = one_datastore_attribute(store, "E");

    assert_string_equal(store->base_path, "/a/b");
    assert_string_equal(a, "x y");
    assert_null(e);
    assert_true(one_datastore_flag(store, "B", false));
    assert_false(one_datastore_flag(store, "C", true));
    assert_true(one_datastore_flag(store, "E", true));
    assert_false(one_datastore_flag(store, "F", false));
    assert_true(one_datastore_flag(store, "G", true));
}

static bool
rate_of(const char *text, guint64 *rate, GError **error)
{
    g_autofree char *xml = g_strdup_printf(
        "<DATASTORE><ID>1</ID><BASE_PATH>/a</BASE_PATH><TEMPLATE><LIMIT_TRANSFER_BW>%s"
        "</LIMIT_TRANSFER_BW></TEMPLATE></DATASTORE>",
        text);
    g_autoptr(XmlDocument) document = xml_parse(xml, strlen(xml), NULL);
    g_autoptr(OneDatastore) store = one_datastore_new(document, xml_root(document), NULL);

    return one_datastore_rate(store, rate, error);
}

static void
rates_are_read_strictly(void **state)
{
    (void)state;
    static const char *const wrong[] = {"0",   "K",  "-5",  "1.5M", "5MB",
                                        "5 M", "5T", "0x5", "5Mx",  "99999999999999999999"};
    GError *error = NULL;
    guint64 rate;

    assert_true(rate_of("", &rate, &error));
    assert_int_equal(rate, 0);
    assert_true(rate_of("5000", &rate, &error));
    assert_int_equal(rate, 5000);
    assert_true(rate_of("3k", &rate, &error));
    assert_int_equal(rate, 3072);
    assert_true(rate_of("10M", &rate, &error));
    assert_int_equal(rate, 10 << 20);
    assert_true(rate_of("2G", &rate, &error));
    assert_int_equal(rate, (guint64)2 << 30);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        assert_false(rate_of(wrong[i], &rate, &error));
        assert_failed(error, ONEVOL_ERROR_USAGE, "LIMIT_TRANSFER_BW");
    }
}

static void
absurd_sizes_are_not_negative(void **state)
{
    (void)state;
    g_autoptr(XmlDocument) document =
        xml_parse("<IMAGE><SIZE>-5</SIZE></IMAGE>", strlen("<IMAGE><SIZE>-5</SIZE></IMAGE>"), NULL);
    g_autoptr(OneImage) image = one_image_new(document, xml_root(document));

    assert_true(image->size == 0);
    assert_int_equal(image->id, -1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_recorded_image_import_is_understood),
    cmocka_unit_test(a_recorded_datablock_names_its_format_and_file_system),
    cmocka_unit_test(a_recorded_vm_has_its_disks),
    cmocka_unit_test(all_recorded_documents_can_be_read),
    cmocka_unit_test(a_datastore_without_id_or_base_path_is_refused),
    cmocka_unit_test(datastore_attributes_and_flags_are_read),
    cmocka_unit_test(rates_are_read_strictly),
    cmocka_unit_test(absurd_sizes_are_not_negative),
};
TEST_MAIN(tests)
