// SPDX-License-Identifier: Apache-2.0
/* Names, attributes and verdicts of the LINSTOR backend: what needs no controller. */
#include "backends/linstor/attributes.h"
#include "backends/linstor/examine.h"
#include "backends/linstor/life.h"
#include "backends/linstor/linstor.h"
#include "backends/linstor/naming.h"
#include "test.h"

#include <string.h>

static OneDatastore *
facts_of(const char *template_text)
{
    g_autofree char *text = g_strdup_printf(
        "<DATASTORE><ID>105</ID><NAME>d</NAME><TYPE>0</TYPE><BASE_PATH>/d/105</BASE_PATH>"
        "<TEMPLATE>%s"
        "</TEMPLATE></DATASTORE>",
        template_text);
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), NULL);

    return one_datastore_new(document, xml_root(document), NULL);
}

/* Names */

typedef struct Row {
    const char *name;
    LinstorNameKind kind;
    gint64 image_id, vm_id, disk_id;
} Row;

static void
check_rows(const LinstorNames *names, const Row *rows)
{
    for (; rows->name; rows++) {
        LinstorName parsed;
        LinstorNameKind kind = names->parse(rows->name, &parsed);
        if (kind != rows->kind)
            fail_msg("'%s' is of kind %d", rows->name, kind);
        if (kind == LINSTOR_NAME_NONE)
            continue;
        assert_int_equal(parsed.image_id, rows->image_id);
        assert_int_equal(parsed.vm_id, rows->vm_id);
        assert_int_equal(parsed.disk_id, rows->disk_id);
    }
}

static void
linbit_names_are_parsed_to_their_end(void **state)
{
    static const Row rows[] = {
        {"OpenNebula-Image-7",                    LINSTOR_NAME_IMAGE,   7,  -1, -1},
        {"OpenNebula-Image-7-vm12-disk0",         LINSTOR_NAME_DISK,    7,  12, 0 },
        {"OpenNebula-Volatile-vm12-disk3",        LINSTOR_NAME_DISK,    -1, 12, 3 },
        {"OpenNebula-vm-context-vm12-disk1",      LINSTOR_NAME_CONTEXT, -1, 12, 1 },
        {"OpenNebula-vm-context-vm12-disk1-2",    LINSTOR_NAME_CONTEXT, -1, 12, 1 },
        {"OpenNebula-Image-7-flatten",            LINSTOR_NAME_NONE,    0,  0,  0 },
        {"OpenNebula-Image-07",                   LINSTOR_NAME_NONE,    0,  0,  0 },
        {"OpenNebula-Image-",                     LINSTOR_NAME_NONE,    0,  0,  0 },
        {"OpenNebula-Image--1",                   LINSTOR_NAME_NONE,    0,  0,  0 },
        {"OpenNebula-Image-7-vm12-disk0-tmp",     LINSTOR_NAME_NONE,    0,  0,  0 },
        {"OpenNebula-Image-7x",                   LINSTOR_NAME_NONE,    0,  0,  0 },
        {"OpenNebula-Image-99999999999999999999", LINSTOR_NAME_NONE,    0,  0,  0 },
        {"one-image-7",                           LINSTOR_NAME_NONE,    0,  0,  0 },
        {"",                                      LINSTOR_NAME_NONE,    0,  0,  0 },
        {NULL,                                    LINSTOR_NAME_NONE,    0,  0,  0 },
    };

    (void)state;
    check_rows(&linstor_names, rows);
}

static void
names_of_linstor_un_are_parsed_to_their_end(void **state)
{
    static const Row rows[] = {
        {"one-image-7",             LINSTOR_NAME_IMAGE,      7,  -1, -1},
        {"one-vm-12-disk-0",        LINSTOR_NAME_DISK,       -1, 12, 0 },
        {"one-vm-12-checkpoint",    LINSTOR_NAME_CHECKPOINT, -1, 12, -1},
        {"one-vm-12-disk-0-tmp",    LINSTOR_NAME_NONE,       0,  0,  0 },
        {"one-vm-12-disk-",         LINSTOR_NAME_NONE,       0,  0,  0 },
        {"one-vm-12-disk-1-disk-2", LINSTOR_NAME_NONE,       0,  0,  0 },
        {"one-vm-1 -disk-1",        LINSTOR_NAME_NONE,       0,  0,  0 },
        {"One-image-7",             LINSTOR_NAME_NONE,       0,  0,  0 },
        {NULL,                      LINSTOR_NAME_NONE,       0,  0,  0 },
    };

    (void)state;
    check_rows(&linstor_un_names, rows);
}

static void
snapshots_are_known_by_their_whole_name(void **state)
{
    gint64 id = -1;
    g_autofree char *un = linstor_snapshot_name(&linstor_un_names, 10);
    g_autofree char *linbit = linstor_snapshot_name(&linstor_names, 0);

    (void)state;
    assert_string_equal(un, "snapshot-10");
    assert_string_equal(linbit, "OpenNebula-Snap-0");
    assert_true(linstor_snapshot_id(&linstor_un_names, "snapshot-10", &id) && id == 10);
    assert_true(linstor_snapshot_id(&linstor_names, "OpenNebula-Snap-3", &id) && id == 3);
    assert_false(linstor_snapshot_id(&linstor_un_names, "one-vm-1-disk-0", &id));
    assert_false(linstor_snapshot_id(&linstor_un_names, "snapshot-1a", &id));
    assert_false(linstor_snapshot_id(&linstor_names, "safety-snap-1", &id));
}

static void
devices_tell_their_volume_or_nothing(void **state)
{
    static const char *const none[] = {"/dev/drbd1000",
                                       "/dev/drbd/by-res/one-vm-7-disk-1/1",
                                       "/dev/drbd/by-res/one-vm-7-disk-1",
                                       "/dev/drbd/by-res//0",
                                       "/dev/drbd/by-res/0",
                                       "/dev/drbd/by-res/../one-vm-7-disk-1/0",
                                       "/dev/drbd/by-res/somebody/0",
                                       "/var/lib/one/datastores/1/2/disk.0",
                                       ""};
    g_autofree char *disk = linstor_un_naming.of_device("/dev/drbd/by-res/one-vm-7-disk-1/0");
    g_autofree char *image = linstor_naming.of_device("/dev/drbd/by-res/OpenNebula-Image-3/0");

    (void)state;
    assert_string_equal(disk, "one-vm-7-disk-1");
    assert_string_equal(image, "OpenNebula-Image-3");
    for (guint i = 0; i < G_N_ELEMENTS(none); i++) {
        assert_null(linstor_un_naming.of_device(none[i]));
        assert_null(linstor_naming.of_device(none[i]));
    }
    assert_null(linstor_un_naming.of_device("/dev/drbd/by-res/OpenNebula-Image-3/0"));
}

static void
only_a_vms_own_disks_are_its_own(void **state)
{
    (void)state;
    assert_true(linstor_un_naming.is_disk_of("one-vm-7-disk-1", 7, 1));
    assert_false(linstor_un_naming.is_disk_of("one-vm-7-disk-1", 7, 2));
    assert_false(linstor_un_naming.is_disk_of("one-vm-71-disk-1", 7, 1));
    assert_false(linstor_un_naming.is_disk_of("one-image-7", 7, 1));
    assert_false(linstor_un_naming.is_disk_of("one-vm-7-checkpoint", 7, -1));
    assert_true(linstor_naming.is_disk_of("OpenNebula-Image-5-vm7-disk1", 7, 1));
    assert_true(linstor_naming.is_disk_of("OpenNebula-Volatile-vm7-disk1", 7, 1));
    assert_true(linstor_naming.is_disk_of("OpenNebula-vm-context-vm7-disk1-3", 7, 1));
    assert_false(linstor_naming.is_disk_of("OpenNebula-Image-7", 7, -1));
}

static void
images_are_named_as_the_predecessors_name_them(void **state)
{
    g_autoptr(OneDatastore) facts = facts_of("");
    g_autofree char *linbit = linstor_naming.new_image(NULL, 7, NULL);
    g_autofree char *un = linstor_un_naming.new_image(NULL, 7, NULL);
    g_autofree char *linbit_source = linstor_naming.source_of_image(facts, linbit);
    g_autofree char *un_source = linstor_un_naming.source_of_image(facts, un);
    g_autofree char *disk = linstor_naming.disk("/x/disk.2", 12, 2, linbit_source);
    g_autofree char *volatile_disk = linstor_naming.disk("/x/disk.2", 12, 2, NULL);
    g_autofree char *un_disk = linstor_un_naming.disk("/x/disk.2", 12, 2, un_source);

    (void)state;
    assert_string_equal(linbit_source, "OpenNebula-Image-7");
    assert_string_equal(un_source, "/dev/drbd/by-res/one-image-7/0");
    assert_string_equal(disk, "OpenNebula-Image-7-vm12-disk2");
    assert_string_equal(volatile_disk, "OpenNebula-Volatile-vm12-disk2");
    assert_string_equal(un_disk, "one-vm-12-disk-2");
    assert_null(linstor_naming.checkpoint);
    g_autofree char *checkpoint = linstor_un_naming.checkpoint(12);
    assert_string_equal(checkpoint, "one-vm-12-checkpoint");
}

static void
a_source_that_is_no_image_of_ours_is_refused(void **state)
{
    static const char *const bad[] = {"one-vm-7-disk-1",
                                      "/dev/drbd/by-res/one-vm-7-disk-1/0",
                                      "/dev/sda",
                                      "/dev/drbd/by-res/one-image-7/0/..",
                                      "OpenNebula-Image-7/../x",
                                      "",
                                      "\n"};
    Datastore datastore = {.id = 105};
    GError *error = NULL;

    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        assert_null(linstor_naming.image_of_source(&datastore, bad[i], &error));
        assert_failed(error, ONEVOL_ERROR_REFUSED, "not an image of datastore 105");
        assert_null(linstor_un_naming.image_of_source(&datastore, bad[i], &error));
        assert_failed(error, ONEVOL_ERROR_REFUSED, "not an image of datastore 105");
    }
    g_autofree char *linbit =
        linstor_naming.image_of_source(&datastore, "OpenNebula-Image-7", &error);
    g_autofree char *un =
        linstor_un_naming.image_of_source(&datastore, "/dev/drbd/by-res/one-image-7/0", &error);
    assert_string_equal(linbit, "OpenNebula-Image-7");
    assert_string_equal(un, "one-image-7");
}

/* Attributes */

static void
read_ok(const char *driver, const char *text, LinstorAttributes *at)
{
    g_autoptr(OneDatastore) facts = facts_of(text);
    g_autoptr(GError) error = NULL;

    if (!linstor_attributes_read(facts, driver_find(driver), at, &error))
        fail_msg("%s: %s", text, error->message);
}

static void
refused(const char *text, const char *part)
{
    g_autoptr(OneDatastore) facts = facts_of(text);
    LinstorAttributes at;
    GError *error = NULL;

    assert_false(linstor_attributes_read(facts, driver_find("linstor_un"), &at, &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, part);
}

static void
no_place(const char *driver, const char *text, const char *part)
{
    g_autoptr(OneDatastore) facts = facts_of(text);
    LinstorAttributes at;
    GError *error = NULL;

    read_ok(driver, text, &at);
    assert_false(linstor_attributes_can_place(&at, facts, driver_find(driver), &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, part);
    linstor_attributes_clear(&at);
}

static void
defaults_are_those_of_the_predecessors(void **state)
{
    LinstorAttributes at;

    (void)state;
    read_ok("linstor_un", "", &at);
    assert_int_equal(at.clone_mode, LINSTOR_BY_COPY);
    assert_true(!at.controllers && !at.pools && !at.layers && !at.diskless_pool);
    assert_false(at.prefer_node || at.encryption);
    linstor_attributes_clear(&at);
    read_ok("linstor", "<LINSTOR_RESOURCE_GROUP>g</LINSTOR_RESOURCE_GROUP>", &at);
    assert_int_equal(at.clone_mode, LINSTOR_BY_CLONE);
    assert_int_equal(at.rule, LINSTOR_RULE_GROUP);
    linstor_attributes_clear(&at);
}

static void
all_attributes_are_read(void **state)
{
    LinstorAttributes at;

    (void)state;
    read_ok("linstor_un",
            "<CLONE_MODE>Snapshot</CLONE_MODE><LS_CONTROLLERS>a,b:1</LS_CONTROLLERS>"
            "<LS_CERTFILE>/c</LS_CERTFILE><LS_KEYFILE>/k</LS_KEYFILE><LS_CAFILE>/ca</LS_CAFILE>"
            "<NODE_LIST> n1  n2,n3 </NODE_LIST><STORAGE_POOL>p q</STORAGE_POOL>"
            "<LAYER_LIST>drbd storage</LAYER_LIST><PROVIDERS>lvm_thin</PROVIDERS>"
            "<REPLICAS_ON_SAME>a</REPLICAS_ON_SAME>"
            "<REPLICAS_ON_DIFFERENT>b</REPLICAS_ON_DIFFERENT>"
            "<DO_NOT_PLACE_WITH>x y</DO_NOT_PLACE_WITH>"
            "<DO_NOT_PLACE_WITH_REGEX>z.*</DO_NOT_PLACE_WITH_REGEX>"
            "<CHECKPOINT_AUTO_PLACE>1</CHECKPOINT_AUTO_PLACE>"
            "<DISKLESS_POOL>dl</DISKLESS_POOL><PREFER_NODE>YES</PREFER_NODE>"
            "<ENCRYPTION>yes</ENCRYPTION>",
            &at);
    assert_int_equal(at.clone_mode, LINSTOR_BY_SNAPSHOT);
    assert_string_equal(at.controllers, "a,b:1");
    assert_string_equal(at.certificate, "/c");
    assert_string_equal(at.key, "/k");
    assert_string_equal(at.ca, "/ca");
    assert_int_equal(at.rule, LINSTOR_RULE_NODES);
    assert_int_equal(g_strv_length(at.nodes), 3);
    assert_string_equal(at.nodes[2], "n3");
    assert_string_equal(at.pools[1], "q");
    assert_string_equal(at.layers[0], "DRBD");
    assert_string_equal(at.providers[0], "LVM_THIN");
    assert_string_equal(at.same[0], "a");
    assert_string_equal(at.different[0], "b");
    assert_string_equal(at.not_with[1], "y");
    assert_string_equal(at.not_with_regex, "z.*");
    assert_int_equal(at.checkpoint, 1);
    assert_string_equal(at.diskless_pool, "dl");
    assert_true(at.prefer_node && at.encryption);
    linstor_attributes_clear(&at);
}

static void
exactly_one_rule_decides(void **state)
{
    g_autoptr(OneDatastore) facts = facts_of("");
    LinstorAttributes at;

    (void)state;
    no_place("linstor_un", "", "it has none");
    no_place("linstor_un", "<RESOURCE_GROUP>g</RESOURCE_GROUP><REPLICA_COUNT>2</REPLICA_COUNT>",
             "it has several");
    no_place("linstor_un", "<NODE_LIST>a</NODE_LIST><AUTO_PLACE>2</AUTO_PLACE>", "it has several");
    no_place("linstor_un", "<REPLICA_COUNT>2</REPLICA_COUNT>", "must have STORAGE_POOL");
    no_place("linstor_un", "<NODE_LIST>a b</NODE_LIST>", "must have STORAGE_POOL");
    no_place("linstor", "", "no LINSTOR_RESOURCE_GROUP");
    read_ok("linstor_un", "<AUTO_PLACE>2</AUTO_PLACE><STORAGE_POOL>p</STORAGE_POOL>", &at);
    assert_int_equal(at.rule, LINSTOR_RULE_COUNT);
    assert_int_equal(at.count, 2);
    assert_true(linstor_attributes_can_place(&at, facts, driver_find("linstor_un"), NULL));
    linstor_attributes_clear(&at);
    read_ok("linstor_un", "<RESOURCE_GROUP>g</RESOURCE_GROUP>", &at);
    assert_true(linstor_attributes_can_place(&at, facts, driver_find("linstor_un"), NULL));
    linstor_attributes_clear(&at);
}

static void
values_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    refused("<CLONE_MODE>fast</CLONE_MODE>", "CLONE_MODE 'fast' is not copy, snapshot or clone");
    refused("<REPLICA_COUNT>0</REPLICA_COUNT>", "REPLICA_COUNT '0' is not a number from 1 to 31");
    refused("<REPLICA_COUNT>two</REPLICA_COUNT>", "REPLICA_COUNT 'two'");
    refused("<AUTO_PLACE>2</AUTO_PLACE><REPLICA_COUNT>3</REPLICA_COUNT>", "different numbers");
    refused("<PREFER_NODE>maybe</PREFER_NODE>", "PREFER_NODE 'maybe' is not yes or no");
    refused("<ENCRYPTION>1</ENCRYPTION>", "ENCRYPTION '1' is not yes or no");
    refused("<CHECKPOINT_REPLICA_COUNT>99</CHECKPOINT_REPLICA_COUNT>",
            "CHECKPOINT_REPLICA_COUNT '99'");
}

/* What is wrong with replicas */

static void
add_replica(GPtrArray *list, const char *text)
{
    json_t *json = json_loads(text, 0, NULL);

    assert_non_null(json);
    g_ptr_array_add(list, linstor_resource_parse(json, NULL));
    json_decref(json);
}

static GPtrArray *
two_replicas(const char *first, const char *second)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)linstor_resource_free);

    add_replica(list, first);
    add_replica(list, second);
    return list;
}

#define VOLUMES(state)                                                                             \
    "\"volumes\":[{\"volume_number\":0,\"provider_kind\":\"LVM_THIN\",\"state\":{\"disk_state\":"  \
    "\"" state "\"}}]"
#define DRBD(more) "\"layer_object\":{\"type\":\"DRBD\",\"drbd\":{" more "}}"
#define NODE(name) "\"name\":\"v\",\"node_name\":\"" name "\","

static void
replicas_are_judged_in_a_sentence(void **state)
{
    GError *error = NULL;
    g_autoptr(GPtrArray) good =
        two_replicas("{" NODE("a") DRBD("\"may_promote\":true") "," VOLUMES("UpToDate") "}",
                     "{" NODE("b") DRBD("\"may_promote\":true") "," VOLUMES("Inconsistent") "}");
    g_autoptr(GPtrArray) stale =
        two_replicas("{" NODE("a") DRBD("\"may_promote\":false") "," VOLUMES("Outdated") "}",
                     "{" NODE("b") DRBD("") ",\"volumes\":[{\"volume_number\":0}]}");
    g_autoptr(GPtrArray) split =
        two_replicas("{" NODE("a") DRBD("\"connections\":{\"b\":{\"connected\":false,\"message\":"
                                        "\"StandAlone\"}}") "," VOLUMES("UpToDate") "}",
                     "{" NODE("b") DRBD("") "," VOLUMES("UpToDate") "}");
    g_autoptr(GPtrArray) lonely = two_replicas(
        "{" NODE("a") DRBD("\"may_promote\":false,\"connections\":{\"b\":{\"connected\":false,"
                           "\"message\":\"Connecting\"}}") "," VOLUMES("UpToDate") "}",
        "{" NODE("b") DRBD("") "," VOLUMES("DUnknown") "}");
    g_autoptr(GPtrArray) open = two_replicas(
        "{" NODE("a") DRBD("\"may_promote\":false") "," VOLUMES("UpToDate") "}",
        "{" NODE("b") DRBD("") ",\"state\":{\"in_use\":true}," VOLUMES("UpToDate") "}");

    (void)state;
    assert_true(linstor_judge_replicas(good, "v", "a", &error));
    assert_false(linstor_judge_replicas(stale, "v", "a", &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "(a: Outdated, b: away): stale data is not read");
    assert_false(linstor_judge_replicas(split, "v", "a", &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "split brain: nodes 'a' and 'b'");
    assert_false(linstor_judge_replicas(lonely, "v", "A", &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "no quorum: node 'A'");
    assert_false(linstor_judge_replicas(open, "v", "a", &error));
    assert_failed(error, ONEVOL_ERROR_BUSY, "'v' is open on node 'b'");
}

static void
layers_below_the_first_are_seen(void **state)
{
    json_t *json = json_loads("{" NODE("a") "\"layer_object\":{\"type\":\"DRBD\",\"children\":[{"
                                            "\"type\":\"LUKS\",\"children\":[{\"type\":"
                                            "\"STORAGE\"}]}]}}",
                              0, NULL);
    g_autoptr(LinstorResource) resource = linstor_resource_parse(json, NULL);

    (void)state;
    assert_true(resource->drbd && resource->encrypted);
    json_decref(json);
}

static void
a_qcow2_fits_into_its_device(void **state)
{
    (void)state;
    assert_int_equal(linstor_device_bytes("raw", 10 * MIB), 10 * MIB);
    assert_int_equal(linstor_device_bytes(NULL, 10 * MIB), 10 * MIB);
    /* a full one of 1 TiB: 16 Mi clusters with 8 and 2 bytes each */
    assert_true(linstor_device_bytes("qcow2", 1024 * 1024 * MIB) > 1024 * 1024 * MIB + 160 * MIB);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(linbit_names_are_parsed_to_their_end),
    cmocka_unit_test(names_of_linstor_un_are_parsed_to_their_end),
    cmocka_unit_test(snapshots_are_known_by_their_whole_name),
    cmocka_unit_test(devices_tell_their_volume_or_nothing),
    cmocka_unit_test(only_a_vms_own_disks_are_its_own),
    cmocka_unit_test(images_are_named_as_the_predecessors_name_them),
    cmocka_unit_test(a_source_that_is_no_image_of_ours_is_refused),
    cmocka_unit_test(defaults_are_those_of_the_predecessors),
    cmocka_unit_test(all_attributes_are_read),
    cmocka_unit_test(exactly_one_rule_decides),
    cmocka_unit_test(values_that_mean_nothing_are_refused),
    cmocka_unit_test(replicas_are_judged_in_a_sentence),
    cmocka_unit_test(layers_below_the_first_are_seen),
    cmocka_unit_test(a_qcow2_fits_into_its_device),
};
TEST_MAIN(tests)
