// SPDX-License-Identifier: Apache-2.0
/* actions/vmm: how large a checkpoint can become, and where a restored guest's paths lead. */
#include "actions/vmm/vmm.h"
#include "test.h"

#include <string.h>

#define DATASTORES "/var/lib/one/datastores"

static guint64
size_of(const char *text)
{
    GError *error = NULL;
    guint64 bytes = 0;
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), &error);

    assert_no_error(error);
    assert_true(checkpoint_size(document, &bytes, &error));
    assert_no_error(error);
    return bytes;
}

static void
assert_no_size(const char *text, const char *part)
{
    GError *error = NULL;
    guint64 bytes = 0;
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), &error);

    assert_false(checkpoint_size(document, &bytes, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, part);
}

static void
all_of_the_memory_counts(void **state)
{
    (void)state;
    guint64 small = size_of("<domain><memory unit='KiB'>1048576</memory>"
                            "<currentMemory unit='KiB'>65536</currentMemory></domain>");
    guint64 large = size_of("<domain><memory unit='GiB'>1024</memory></domain>");

    assert_true(small > 1024 * MIB + 1024 * MIB / 512);
    assert_true(small < 1200 * MIB);
    assert_true(large > 1024 * 1024 * MIB + 1024 * 1024 * MIB / 512);
    assert_int_equal(small % MIB, 0);
    assert_true(checkpoint_timeout(large) > checkpoint_timeout(small));
    assert_true(checkpoint_timeout(G_MAXUINT64) > checkpoint_timeout(large));
}

static void
units_are_those_of_libvirt(void **state)
{
    (void)state;
    guint64 kib = size_of("<domain><memory>1048576</memory></domain>");

    assert_true(size_of("<domain><memory unit='KiB'>1048576</memory></domain>") == kib);
    assert_true(size_of("<domain><memory unit='k'> 1048576 </memory></domain>") == kib);
    assert_true(size_of("<domain><memory unit='MiB'>1024</memory></domain>") == kib);
    assert_true(size_of("<domain><memory unit='G'>1</memory></domain>") == kib);
    assert_true(size_of("<domain><memory unit='bytes'>1073741824</memory></domain>") == kib);
    assert_true(size_of("<domain><memory unit='GB'>1</memory></domain>") < kib);
}

static void
memory_of_devices_counts(void **state)
{
    (void)state;
#define WITH(devices) "<domain><memory unit='MiB'>8</memory><devices>" devices "</devices></domain>"
    guint64 none = size_of(WITH(""));

    assert_true(size_of(WITH("<disk/><interface/>")) > none);
    assert_true(size_of(WITH("<video><model type='vga' vram='16384'/></video>")) >=
                none + 64 * MIB);
    assert_true(size_of(WITH("<video><model type='qxl' ram='262144' vram='65536' vgamem='16384'/>"
                             "</video>")) >= none + 336 * MIB);
    assert_true(size_of(WITH("<video><model type='virtio'/></video>")) >= none + 320 * MIB);
    assert_true(size_of(WITH("<shmem name='s'><size unit='M'>512</size></shmem>")) >=
                none + 512 * MIB);
}

static void
sizes_that_cannot_be_read_are_refused(void **state)
{
    (void)state;
    assert_no_size("<domain/>", "does not say");
    assert_no_size("<domain><memory/></domain>", "cannot be read");
    assert_no_size("<domain><memory unit='pages'>8</memory></domain>", "pages");
    assert_no_size("<domain><memory>-8</memory></domain>", "-8");
    assert_no_size("<domain><memory unit='TiB'>9000000000</memory></domain>", "9000000000");
    assert_no_size(WITH("<shmem><size>much</size></shmem>"), "much");
}

/* Document with `value` as an attribute and as a text, moved; NULL if it stayed. */
static char *
moved(const char *value)
{
    GError *error = NULL;
    bool changed;
    g_autofree char *text =
        g_markup_printf_escaped("<domain><source dev='%s'/><t>%s</t></domain>", value, value);
    g_autofree char *new = domain_relocate(text, DATASTORES, 105, 7, &changed, &error);

    assert_no_error(error);
    assert_non_null(new);
    g_autoptr(XmlDocument) document = xml_parse(new, strlen(new), &error);
    assert_no_error(error);
    xmlChar *attribute =
        xmlGetNoNsProp(xml_find(xml_root(document), "source"), (const xmlChar *)"dev");
    g_autofree char *found = xml_text(xml_root(document), "t");
    assert_string_equal(found, (const char *)attribute);
    assert_int_equal(changed, strcmp(found, value) != 0);
    xmlFree(attribute);
    return changed ? g_steal_pointer(&found) : NULL;
}

static void
assert_moved(const char *from, const char *to)
{
    g_autofree char *found = moved(from);

    assert_non_null(found);
    assert_string_equal(found, to);
}

static void
paths_of_the_vm_lead_to_its_datastore(void **state)
{
    (void)state;
    assert_moved(DATASTORES "/0/7/disk.0", DATASTORES "/105/7/disk.0");
    assert_moved("/var/lib/one//datastores/0/7/disk.1", DATASTORES "/105/7/disk.1");
    assert_moved("/var//lib/one/datastores//0///7//disk.1", DATASTORES "/105/7//disk.1");
    assert_moved(DATASTORES "/0/7", DATASTORES "/105/7");
    assert_moved("file=" DATASTORES "/0/7/a,log=" DATASTORES "/100/7/b",
                 "file=" DATASTORES "/105/7/a,log=" DATASTORES "/105/7/b");
    assert_moved(DATASTORES "/0/7/a&b<'\">", DATASTORES "/105/7/a&b<'\">");
}

static void
other_paths_stay(void **state)
{
    (void)state;
    assert_null(moved(DATASTORES "/105/7/disk.0"));
    assert_null(moved("/var/lib/one//datastores/105/7/disk.0"));
    assert_null(moved(DATASTORES "/0/77/disk.0"));
    assert_null(moved(DATASTORES "/0/8/disk.0"));
    assert_null(moved(DATASTORES "/0/7x/disk.0"));
    assert_null(moved(DATASTORES "/x/7/disk.0"));
    assert_null(moved(DATASTORES "/0"));
    assert_null(moved(DATASTORES));
    assert_null(moved(DATASTORES "2/0/7/disk.0"));
    assert_null(moved("/mnt/datastores/0/7/disk.0"));
    assert_null(moved("/mnt" DATASTORES "/0/7/disk.0"));
    assert_null(moved("/dev/drbd/by-res/one-vm-7-disk-0/0"));
}

static void
the_rest_of_a_document_stays(void **state)
{
    (void)state;
    GError *error = NULL;
    bool changed;
    const char *text = "<domain xmlns:q='urn:q'><!-- c --><name>one-7</name><q:env name='A'/>"
                       "<cdata><![CDATA[<b>]]></cdata><graphics passwd='x&amp;y'/></domain>";
    g_autofree char *new = domain_relocate(text, DATASTORES, 105, 7, &changed, &error);

    assert_no_error(error);
    assert_false(changed);
    assert_non_null(strstr(new, "passwd=\"x&amp;y\""));
    assert_non_null(strstr(new, "q:env"));
    assert_non_null(strstr(new, "&lt;b&gt;"));
    assert_null(domain_relocate("<domain", DATASTORES, 105, 7, &changed, &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "malformed");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_of_the_memory_counts),
    cmocka_unit_test(units_are_those_of_libvirt),
    cmocka_unit_test(memory_of_devices_counts),
    cmocka_unit_test(sizes_that_cannot_be_read_are_refused),
    cmocka_unit_test(paths_of_the_vm_lead_to_its_datastore),
    cmocka_unit_test(other_paths_stay),
    cmocka_unit_test(the_rest_of_a_document_stays),
};
TEST_MAIN(tests)
