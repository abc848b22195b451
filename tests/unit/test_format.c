// SPDX-License-Identifier: Apache-2.0
/* core/format.c: what an image is, from its first bytes. Headers are made by hand here. */
#include "core/format.h"
#include "test.h"

#include <string.h>

typedef struct Head {
    guint8 bytes[4096];
    gsize length;
} Head;

static void
put(Head *head, gsize offset, guint64 value, gsize width)
{
    for (gsize i = 0; i < width; i++)
        head->bytes[offset + i] = (guint8)(value >> 8 * (width - 1 - i));
}

/* A plain qcow2 header of 1 GiB. */
static Head
qcow2(unsigned version)
{
    Head head = {.length = 512};

    memcpy(head.bytes, "QFI\xfb", 4);
    put(&head, 4, version, 4);
    put(&head, 20, 16, 4);                          /* cluster bits */
    put(&head, 24, G_GUINT64_CONSTANT(1) << 30, 8); /* virtual size */
    if (version >= 3)
        put(&head, 100, 104, 4); /* header length */
    return head;
}

static void
assert_refused(const Head *head, int code, const char *part)
{
    ImageFormat format;
    GError *error = NULL;

    assert_false(format_detect(head->bytes, head->length, 1 << 20, &format, &error));
    assert_failed(error, code, part);
}

static void
assert_format(const Head *head, const char *name, bool supported, guint64 size)
{
    ImageFormat format = {0};
    GError *error = NULL;

    assert_true(format_detect(head->bytes, head->length, 1 << 20, &format, &error));
    assert_string_equal(format.name, name);
    assert_int_equal(format.supported, supported);
    assert_true(format.virtual_size == size);
}

static void
plain_qcow2_is_taken(void **state)
{
    (void)state;
    Head two = qcow2(2), three = qcow2(3);

    assert_format(&two, "qcow2", true, 1 << 30);
    assert_format(&three, "qcow2", true, 1 << 30);
}

static void
a_backing_file_is_refused(void **state)
{
    (void)state;
    for (unsigned version = 2; version <= 3; version++) {
        Head offset = qcow2(version), size = qcow2(version);
        put(&offset, 8, 200, 8);
        put(&size, 16, 5, 4);
        assert_refused(&offset, ONEVOL_ERROR_REFUSED, "backing file");
        assert_refused(&size, ONEVOL_ERROR_REFUSED, "backing file");
    }
}

static void
a_data_file_is_refused_by_its_bit(void **state)
{
    (void)state;
    Head head = qcow2(3);

    put(&head, 72, 1 << 2, 8);
    assert_refused(&head, ONEVOL_ERROR_REFUSED, "data file");
}

static void
a_data_file_is_refused_by_its_extension(void **state)
{
    (void)state;
    for (unsigned version = 2; version <= 3; version++) {
        Head head = qcow2(version);
        gsize at = version == 2 ? 72 : 104;
        put(&head, at, 0xe2792aca, 4); /* backing format, of 5 bytes, padded to 8 */
        put(&head, at + 4, 5, 4);
        put(&head, at + 16, 0x44415441, 4);
        put(&head, at + 20, 4, 4);
        assert_refused(&head, ONEVOL_ERROR_REFUSED, "data file");
    }
}

static void
harmless_extensions_are_skipped(void **state)
{
    (void)state;
    Head head = qcow2(3);

    put(&head, 104, 0x6803f857, 4); /* feature names */
    put(&head, 108, 48, 4);
    put(&head, 112, 0x44415441, 4); /* inside its data */
    assert_format(&head, "qcow2", true, 1 << 30);
}

static void
extensions_that_lie_about_their_length_do_no_harm(void **state)
{
    (void)state;
    static const guint32 lengths[] = {0xffffffff, 0xfffffff8, 0x7fffffff, 513, 512, 500};

    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
        Head head = qcow2(3);
        ImageFormat format;
        put(&head, 104, 0x6803f857, 4);
        put(&head, 108, lengths[i], 4);
        format_detect(head.bytes, head.length, 0, &format, NULL);
    }
}

static void
encrypted_images_are_refused(void **state)
{
    (void)state;
    for (unsigned method = 1; method <= 2; method++) {
        Head head = qcow2(3);
        put(&head, 32, method, 4);
        assert_refused(&head, ONEVOL_ERROR_REFUSED, "encrypted");
    }
}

static void
unknown_versions_and_features_are_not_supported(void **state)
{
    (void)state;
    Head one = qcow2(1), four = qcow2(4), feature = qcow2(3);

    put(&feature, 72, 1 << 9, 8);
    assert_refused(&one, ONEVOL_ERROR_UNSUPPORTED, "version 1");
    assert_refused(&four, ONEVOL_ERROR_UNSUPPORTED, "version 4");
    assert_refused(&feature, ONEVOL_ERROR_UNSUPPORTED, "not known");
}

static void
a_cut_header_is_refused(void **state)
{
    (void)state;
    for (gsize length = 8; length < 104; length++) {
        Head head = qcow2(3);
        head.length = length;
        assert_refused(&head, ONEVOL_ERROR_CORRUPT, "cut");
    }
    Head two = qcow2(2);
    two.length = 71;
    assert_refused(&two, ONEVOL_ERROR_CORRUPT, "cut");
}

static void
a_header_that_is_longer_than_the_file_is_refused(void **state)
{
    (void)state;
    Head head = qcow2(3);
    ImageFormat format;

    put(&head, 100, 4096, 4);
    assert_false(format_detect(head.bytes, head.length, 512, &format, NULL));
}

static void
an_absurd_size_is_corrupt(void **state)
{
    (void)state;
    Head head = qcow2(3);

    put(&head, 24, G_MAXUINT64, 8);
    assert_refused(&head, ONEVOL_ERROR_CORRUPT, "absurd");
}

/* Little endian. */
static void
put_le(Head *head, gsize offset, guint64 value, gsize count)
{
    for (gsize i = 0; i < count; i++)
        head->bytes[offset + i] = (guint8)(value >> (8 * i));
}

static Head
vmdk(const char *descriptor)
{
    Head head = {.length = 4096};

    memcpy(head.bytes, "KDMV", 4);
    put_le(&head, 12, 2048, 8); /* sectors of the disk */
    put_le(&head, 28, 1, 8);    /* the descriptor's sector, and how many */
    put_le(&head, 36, 2, 8);
    memcpy(head.bytes + 512, descriptor, strlen(descriptor));
    return head;
}

static void
a_vmdk_by_itself_is_to_be_converted(void **state)
{
    (void)state;
    Head plain = vmdk("# Disk DescriptorFile\nRW 2048 SPARSE \"x\"\n");

    assert_format(&plain, "vmdk", false, 1 << 20);
}

static void
a_vmdk_that_leads_elsewhere_is_refused(void **state)
{
    (void)state;
    Head parent = vmdk("# Disk DescriptorFile\nparentFileNameHint=\"/etc/passwd\"\n");
    Head text = {.length = 512};
    Head no_size = vmdk(""), far = vmdk("");

    assert_refused(&parent, ONEVOL_ERROR_REFUSED, "parent");
    memcpy(text.bytes, "# Disk DescriptorFile\n", 22);
    assert_refused(&text, ONEVOL_ERROR_REFUSED, "other files");
    put_le(&no_size, 12, 0, 8);
    assert_refused(&no_size, ONEVOL_ERROR_REFUSED, "no size");
    put_le(&far, 28, G_MAXUINT64 - 1, 8);
    assert_refused(&far, ONEVOL_ERROR_REFUSED, "not at its start");
}

static void
more_of_the_start_is_asked_for(void **state)
{
    (void)state;
    Head head = vmdk("");
    Head vhdx = {.length = 4096};
    ImageFormat format;

    put_le(&head, 36, 100, 8);
    assert_true(format_detect(head.bytes, head.length, 0, &format, NULL));
    assert_int_equal(format.needs, 101 * 512);
    memcpy(vhdx.bytes, "vhdxfile", 8);
    assert_true(format_detect(vhdx.bytes, vhdx.length, 0, &format, NULL));
    assert_int_equal(format.needs, 256 << 10);
}

static void
a_vdi_with_a_parent_is_refused(void **state)
{
    (void)state;
    Head plain = {.length = 512};

    memcpy(plain.bytes + 64, "\x7f\x10\xda\xbe", 4);
    put_le(&plain, 0x4c, 1, 4);
    put_le(&plain, 0x170, 1 << 20, 8);
    Head differencing = plain, linked = plain, absurd = plain;
    assert_format(&plain, "vdi", false, 1 << 20);
    put_le(&differencing, 0x4c, 4, 4);
    assert_refused(&differencing, ONEVOL_ERROR_REFUSED, "parent");
    put_le(&linked, 0x1a8, 7, 1);
    assert_refused(&linked, ONEVOL_ERROR_REFUSED, "parent");
    put_le(&absurd, 0x170, G_MAXUINT64, 8);
    assert_refused(&absurd, ONEVOL_ERROR_CORRUPT, "absurd");
}

static void
a_vpc_must_be_a_dynamic_disk(void **state)
{
    (void)state;
    Head plain = {.length = 512};

    memcpy(plain.bytes, "conectix", 8);
    put(&plain, 48, 1 << 20, 8);
    put(&plain, 60, 3, 4);
    Head differencing = plain;
    assert_format(&plain, "vpc", false, 1 << 20);
    put(&differencing, 60, 4, 4);
    assert_refused(&differencing, ONEVOL_ERROR_REFUSED, "dynamic");
}

static void
a_cut_header_of_another_format_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *magic;
        gsize offset, length;
    } rows[] = {
        {"KDMV",             0,  4},
        {"\x7f\x10\xda\xbe", 64, 4},
        {"conectix",         0,  8},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Head head = {.length = 511};
        memcpy(head.bytes + rows[i].offset, rows[i].magic, rows[i].length);
        assert_refused(&head, ONEVOL_ERROR_CORRUPT, "cut");
        head.length = rows[i].offset + rows[i].length - 1; /* the magic is cut: just bytes */
        assert_format(&head, "raw", true, 1 << 20);
    }
}

/* What qemu-img makes, it must be told the size of. */
static void
other_formats_of_qemu_img_are_understood(void **state)
{
    (void)state;
    static const char *const names[] = {"vmdk", "vdi", "vhdx", "vpc", NULL};

    for (const char *const *name = names; *name; name++) {
        g_autofree char *path = test_path(*name);
        g_autoptr(Argv) argv = argv_new("qemu-img", "create", "-q", "-f", *name, path, "64M");
        CommandOptions options = {.timeout_ms = SECONDS(60)};
        ImageFormat format = {0};
        GError *error = NULL;
        assert_true(command_check(argv, &options, NULL, &error));
        assert_true(format_of_file(host_frontend(), path, 1, &format, &error));
        assert_string_equal(format.name, *name);
        assert_false(format.supported);
        assert_in_range(format.virtual_size, 64 << 20, 65 << 20); /* vpc: whole cylinders */
        assert_true(format_of_volume(host_frontend(), path, 99, &format, &error));
        assert_string_equal(format.name, "raw");
        assert_int_equal(format.virtual_size, 99);
    }
}

static void
anything_else_is_raw(void **state)
{
    (void)state;
    Head zeros = {.length = 512}, empty = {.length = 0}, short_magic = {.length = 4};

    memcpy(short_magic.bytes, "QFI\xfb", 4);
    assert_format(&zeros, "raw", true, 1 << 20);
    assert_format(&empty, "raw", true, 1 << 20);
    assert_format(&short_magic, "raw", true, 1 << 20);
}

static void
an_image_of_qemu_img_is_understood(void **state)
{
    (void)state;
    g_autofree char *path = test_path("real.qcow2");
    g_autoptr(Argv) argv = argv_new("qemu-img", "create", "-q", "-f", "qcow2", path, "64M");
    CommandOptions options = {.timeout_ms = SECONDS(60)};
    ImageFormat format = {0};
    GError *error = NULL;

    assert_true(command_check(argv, &options, NULL, &error));
    assert_true(format_of_file(host_frontend(), path, 1, &format, &error));
    assert_string_equal(format.name, "qcow2");
    assert_true(format.supported && format.virtual_size == 64 << 20);
}

static void
a_backing_or_data_file_of_qemu_img_is_refused(void **state)
{
    (void)state;
    g_autofree char *base = test_path("base.raw");
    g_autofree char *overlay = test_path("overlay.qcow2");
    g_autofree char *external = test_path("external.qcow2");
    g_autofree char *data = test_path("data.raw");
    g_autofree char *data_option = g_strconcat("data_file=", data, NULL);
    g_autoptr(Argv) with_backing =
        argv_new("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, overlay, "1M");
    g_autoptr(Argv) with_data =
        argv_new("qemu-img", "create", "-q", "-f", "qcow2", "-o", data_option, external, "1M");
    CommandOptions options = {.timeout_ms = SECONDS(60)};
    ImageFormat format;
    GError *error = NULL;

    test_write(base, "");
    assert_true(command_check(with_backing, &options, NULL, &error));
    assert_true(command_check(with_data, &options, NULL, &error));
    assert_false(format_of_file(host_frontend(), overlay, 1, &format, &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "backing file");
    assert_false(format_of_file(host_frontend(), external, 1, &format, &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "data file");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(plain_qcow2_is_taken),
    cmocka_unit_test(a_backing_file_is_refused),
    cmocka_unit_test(a_data_file_is_refused_by_its_bit),
    cmocka_unit_test(a_data_file_is_refused_by_its_extension),
    cmocka_unit_test(harmless_extensions_are_skipped),
    cmocka_unit_test(extensions_that_lie_about_their_length_do_no_harm),
    cmocka_unit_test(encrypted_images_are_refused),
    cmocka_unit_test(unknown_versions_and_features_are_not_supported),
    cmocka_unit_test(a_cut_header_is_refused),
    cmocka_unit_test(a_header_that_is_longer_than_the_file_is_refused),
    cmocka_unit_test(an_absurd_size_is_corrupt),
    cmocka_unit_test(a_vmdk_by_itself_is_to_be_converted),
    cmocka_unit_test(a_vmdk_that_leads_elsewhere_is_refused),
    cmocka_unit_test(more_of_the_start_is_asked_for),
    cmocka_unit_test(a_vdi_with_a_parent_is_refused),
    cmocka_unit_test(a_vpc_must_be_a_dynamic_disk),
    cmocka_unit_test(a_cut_header_of_another_format_is_refused),
    cmocka_unit_test(other_formats_of_qemu_img_are_understood),
    cmocka_unit_test(anything_else_is_raw),
    cmocka_unit_test(an_image_of_qemu_img_is_understood),
    cmocka_unit_test(a_backing_or_data_file_of_qemu_img_is_refused),
};
TEST_MAIN(tests)
