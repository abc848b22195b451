// SPDX-License-Identifier: Apache-2.0
/* backends/lvm: command lines, what LVM reports, and which name is whose. */
#include "backends/lvm/command.h"
#include "backends/lvm/group.h"
#include "backends/lvm/lvm.h"
#include "backends/lvm/naming.h"
#include "backends/lvm/report.h"
#include "drivers/rows.h"
#include "test.h"

#include <string.h>

static void
add(GString *text, Argv *argv)
{
    g_autofree char *line = argv_text(argv);

    g_string_append_printf(text, "%s\n", line);
    argv_free(argv);
}

static void
command_lines_are_as_reviewed(void **state)
{
    (void)state;
    const char *const tags[] = {"onevol.instance=one", "onevol.size=1000", NULL};
    const char *const old[] = {"onevol.token=t", NULL};
    const char *const names[] = {"onevol-vm-7-0.snap.1", "onevol-vm-7-0", NULL};
    const char *group = "vg-one", *name = "onevol-vm-7-0";
    g_autoptr(GString) text = g_string_new(NULL);

    add(text, lvm_lvs(group, NULL));
    add(text, lvm_lvs(group, "a.b+c"));
    add(text, lvm_vgdisplay(group));
    add(text, lvm_create(group, name, 1000, LVM_OFF, tags));
    add(text, lvm_create(group, name, 1024, LVM_EXCLUSIVE, NULL));
    add(text, lvm_create_pool(group, "onevol-vm-7-0.pool", 4096, tags));
    add(text, lvm_create_thin(group, name, "onevol-vm-7-0.pool", 4096, tags));
    add(text, lvm_snapshot(group, name, "onevol-vm-7-0.snap.1", 100, tags));
    add(text, lvm_snapshot(group, name, "onevol-vm-7-0.snap.1", 0, tags));
    add(text, lvm_activate(group, name, LVM_OFF));
    add(text, lvm_activate(group, name, LVM_ON));
    add(text, lvm_activate(group, name, LVM_SHARED));
    add(text, lvm_refresh(group, name));
    add(text, lvm_retag(group, name, old, tags));
    add(text, lvm_extend(group, name, 8192, false));
    add(text, lvm_extend(group, name, 8192, true));
    add(text, lvm_remove(group, names));
    add(text, lvm_rename(group, name, "onevol-vm-7-0.old"));
    add(text, lvm_merge(group, "onevol-vm-7-0.snap.1"));
    add(text, lvm_end_merge(group, "onevol-vm-7-0"));
    add(text, lvm_zero("/dev/vg-one/onevol-vm-7-0", 0));
    add(text, lvm_zero("/dev/vg-one/onevol-vm-7-0", 512));
    assert_golden("lvm.argv", text->str);
}

/* ONE_LVM of OpenNebula's share/pkgs/sudoers, 5.12 to 7.2 (7.4 has dmsetup too); 5.4 lacks
 * lvextend. */
static void
basic_actions_need_only_what_opennebulas_sudoers_allow(void **state)
{
    (void)state;
    static const char *const allowed[] = {"lvcreate", "lvremove", "lvs",      "vgdisplay",
                                          "lvchange", "lvscan",   "lvextend", NULL};
    Argv *basic[] = {lvm_lvs("g", "n"),
                     lvm_vgdisplay("g"),
                     lvm_create("g", "n", 512, LVM_ON, NULL),
                     lvm_create_pool("g", "n", 512, NULL),
                     lvm_create_thin("g", "n", "p", 512, NULL),
                     lvm_snapshot("g", "n", "s", 100, NULL),
                     lvm_activate("g", "n", LVM_ON),
                     lvm_refresh("g", "n"),
                     lvm_retag("g", "n", NULL, NULL),
                     lvm_extend("g", "n", 512, false),
                     lvm_remove("g", (const char *const[]){"n", NULL})};

    for (guint i = 0; i < G_N_ELEMENTS(basic); i++) {
        const char *const *words = argv_words(basic[i]);
        assert_string_equal(words[0], "sudo");
        assert_string_equal(words[1], "-n");
        assert_true(g_strv_contains(allowed, words[2]));
        argv_free(basic[i]);
    }
}

/* Recorded from LVM 2.03.16. */
#define GROUP_ROW                                                                                  \
    "\"vg_extent_size\":\"4194304\", \"vg_size\":\"4290772992\", \"vg_free\":\"4282384384\", "     \
    "\"vg_lock_type\":\"\", \"vg_attr\":\"wz--n-\""
#define ROW(name, size, attr, tags, origin, pool, data)                                            \
    "{\"lv_name\":\"" name "\", \"lv_size\":\"" size "\", \"lv_attr\":\"" attr                     \
    "\", \"lv_tags\":\"" tags "\", \"origin\":\"" origin "\", \"pool_lv\":\"" pool                 \
    "\", \"data_percent\":\"" data "\", \"metadata_percent\":\"\", " GROUP_ROW "}"
#define REPORT(rows) "  {\n \"report\": [ { \"lv\": [ " rows " ] } ]\n }\n"

static void
a_report_tells_of_volumes_tags_and_group(void **state)
{
    (void)state;
    GError *error = NULL;
    g_auto(LvmReport) report = {0};

    assert_true(lvm_report_parse(
        REPORT(ROW("onevol-vm-1-0", "8388608", "owi-a-s---",
                   "onevol.at=kvm1,onevol.at=kvm2.example.org,onevol.size=8388000,other", "", "",
                   "") "," ROW("onevol-vm-1-0.snap.0", "12582912", "swi-a-s---", "",
                               "onevol-vm-1-0", "",
                               "66.99") "," ROW("onevol-vm-1-10", "8388608", "Vwi-a-tz--",
                                                "onevol.size=100", "", "p", "100.00")),
        &report, &error));
    assert_true(report.has_group && !report.clustered);
    assert_int_equal(report.group_free, 4282384384);
    assert_string_equal(report.lock_type, "");
    const Lv *lv = lvm_report_find(&report, "onevol-vm-1-0");
    g_autoptr(GPtrArray) hosts = lv_tags(lv, "at");
    assert_int_equal(hosts->len, 2);
    assert_string_equal(g_ptr_array_index(hosts, 1), "kvm2.example.org");
    assert_true(lv_has_tag(lv, "at", "kvm1") && !lv_has_tag(lv, "at", "kvm"));
    assert_null(lv_tag(lv, "token"));
    assert_int_equal(lv_virtual_size(lv, report.extent), 8388000);
    assert_true(!lv_is_thin(lv) && !lv_is_merging(lv));
    lv = lvm_report_find(&report, "onevol-vm-1-10");
    assert_true(lv_is_thin(lv));
    assert_true(lv->data_percent > 99 && lv->metadata_percent < 0);
    /* an admin has let it grow: the tag is old */
    assert_int_equal(lv_virtual_size(lv, report.extent), 8388608);
    assert_null(lvm_report_find(&report, "onevol-vm-1-1"));
}

static void
an_interrupted_growth_keeps_the_old_size(void **state)
{
    (void)state;
    g_auto(LvmReport) report = {0};

    assert_true(lvm_report_parse(REPORT(ROW("a", "16777216", "-wi-a-----",
                                            "onevol.growing=1,onevol.size=4194304", "", "", "")),
                                 &report, NULL));
    assert_int_equal(lv_virtual_size(lvm_report_find(&report, "a"), report.extent), 4194304);
}

static void
locking_is_told_by_the_group(void **state)
{
    (void)state;
    static const struct {
        const char *row, *lock_type;
        bool clustered;
    } groups[] = {
        {"\"vg_lock_type\":\"dlm\", \"vg_attr\":\"wz--ns\"",     "dlm",     false},
        {"\"vg_lock_type\":\"sanlock\", \"vg_attr\":\"wz--ns\"", "sanlock", false},
        {"\"vg_lock_type\":\"none\", \"vg_attr\":\"wz--n-\"",    "",        false},
        {"\"vg_lock_type\":\"clvm\", \"vg_attr\":\"wz--nc\"",    "clvm",    true },
        {"\"vg_lock_type\":\"\", \"vg_attr\":\"wz--nc\"",        "",        true },
    };

    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        g_auto(LvmReport) report = {0};
        g_autofree char *text =
            g_strdup_printf("{\"report\":[{\"vg\":[{\"vg_extent_size\":\"4194304\",\"vg_size\":\"8"
                            "\",\"vg_free\":\"4\",%s}]}]}",
                            groups[i].row);
        assert_true(lvm_report_parse(text, &report, NULL));
        assert_string_equal(report.lock_type, groups[i].lock_type);
        assert_int_equal(report.clustered, groups[i].clustered);
    }
}

static void
what_is_no_report_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "  Ext VSize\n",
        "[]",
        "{\"report\":1}",
        REPORT(ROW("", "1", "", "", "", "", "")),
        REPORT(ROW("a", "1.5g", "", "", "", "", "")),
        REPORT(ROW("a", "-1", "", "", "", "", "")),
        "{\"report\":[{\"lv\":[{\"lv_name\":\"a\",\"lv_size\":\"1\"}]}]}",
    };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        GError *error = NULL;
        g_auto(LvmReport) report = {0};
        assert_false(lvm_report_parse(texts[i], &report, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "report");
    }
}

static void
a_tag_holds_only_what_lvm_takes(void **state)
{
    (void)state;
    g_autofree char *tag = lvm_tag("owner", "disk 0 of VM 7, \"x\"");
    assert_string_equal(tag, "onevol.owner=disk_0_of_VM_7___x_");
}

static void
names_that_lvm_keeps_for_itself_are_none(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "-a", ".",         "..",         "a/b",
                                      "a b",  "a@", "a_tdata",   "snapshot-1", "pvmove0",
                                      "a\nb", "a=", "x_pmspare", NULL};

    assert_true(lvm_name_is_valid("vg-one.2_a+b"));
    for (const char *const *name = bad; *name; name++)
        assert_false(lvm_name_is_valid(*name));
}

static void
a_device_path_names_its_volume(void **state)
{
    (void)state;
    static const struct {
        const char *device, *group, *name;
    } devices[] = {
        {"/dev/vg/onevol-vm-1-0",              "vg",     "onevol-vm-1-0"},
        {"/dev/mapper/vg--one-lv--one--1--0",  "vg-one", "lv-one-1-0"   },
        {"/dev/mapper/vg-a",                   "vg",     "a"            },
        {"/dev/mapper/vg---a",                 "vg-",    "a"            },
        {"/dev/mapper/vg",                     NULL,     NULL           },
        {"/dev/mapper/a-b-c",                  NULL,     NULL           },
        {"/dev/drbd1000",                      NULL,     NULL           },
        {"/var/lib/one/datastores/0/7/disk.0", NULL,     NULL           },
        {"/dev/vg/a/b",                        NULL,     NULL           },
        {"/dev//a",                            NULL,     NULL           },
    };

    for (guint i = 0; i < G_N_ELEMENTS(devices); i++) {
        g_autofree char *group = NULL;
        g_autofree char *name = lvm_of_device(devices[i].device, &group);
        if (!devices[i].name) {
            assert_null(name);
            continue;
        }
        assert_string_equal(name, devices[i].name);
        assert_string_equal(group, devices[i].group);
    }
}

static Datastore *
datastore(const Driver *driver, const char *attributes)
{
    g_autofree char *text = g_strdup_printf(
        "<DATASTORE><ID>103</ID><NAME>d</NAME><TYPE>0</TYPE><BASE_PATH>/ds/103</BASE_PATH>"
        "<TEMPLATE>%s</TEMPLATE></DATASTORE>",
        attributes);
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), NULL);

    return datastore_new(driver, 103, one_datastore_new(document, xml_root(document), NULL));
}

static void
clvm_names_and_sources(void **state)
{
    (void)state;
    GError *error = NULL;
    const Naming *naming = &lvm_clvm_naming;
    g_autoptr(Datastore) d = datastore(&driver_clvm, "<VG_NAME>vg-one</VG_NAME>");
    g_autofree char *image = naming->new_image(d, 12, NULL);
    g_autofree char *source = naming->source_of_image(d->facts, image);
    g_autofree char *back = naming->image_of_source(d, source, &error);
    g_autofree char *disk = naming->disk("/ds/0/7/disk.1", 7, 1, source);

    assert_string_equal(back, image);
    assert_true(g_str_has_prefix(source, "vg-one/onevol-image-12-"));
    assert_string_equal(disk, "onevol-vm-7-1");
    assert_true(naming->is_disk_of(disk, 7, 1));
    assert_false(naming->is_disk_of(disk, 7, 10) || naming->is_disk_of("onevol-vm-7-10", 7, 1) ||
                 naming->is_disk_of("onevol-vm-07-1", 7, 1) || naming->is_disk_of(image, 7, 1));
    assert_null(naming->of_device("/dev/vg-one/lv-one-7-1"));
    assert_null(naming->of_device("/dev/vg-one/onevol-vm-7-1.snap.0"));

    static const char *const foreign[] = {"other/onevol-image-12-00000000",
                                          "vg-one/lv-one-1",
                                          "vg-one/onevol-vm-7-1",
                                          "/dev/vg-one/root",
                                          "",
                                          NULL};
    for (const char *const *text = foreign; *text; text++) {
        assert_null(naming->image_of_source(d, *text, &error));
        assert_failed(error, ONEVOL_ERROR_REFUSED, "is not an image of datastore 103");
    }
}

static void
gfs2clvm_sources_of_both_generations(void **state)
{
    (void)state;
    const Naming *naming = &lvm_gfs2clvm_naming;
    static const struct {
        const char *source, *image, *disk;
    } cases[] = {
        {"kvm1.example.org:vg.a-1.lv-one-12",                    "lv-one-12", "lv-one-12-7-1"},
        {"vg.a-1.lv-one-12",                                     "lv-one-12", "lv-one-12-7-1"},
        {"/var/lib/one/images/0123456789abcdef0123456789abcdef",
         "lv-oneimg-0123456789abcdef0123456789abcdef",                        "lv-one-7-1"   },
        {"/any/where/lv-one-12",                                 "lv-one-12", "lv-one-7-1"   },
    };
    static const char *const foreign[] = {
        "kvm1:other.lv-one-12",   "vg.a-1.lv-one-12-7-0",
        "kvm1:vg.a-1.root",       "/images/0123456789ABCDEF0123456789abcdef",
        "kvm1:vg.a-1.lv-one-012", NULL};
    g_autoptr(Datastore) d =
        datastore(&driver_gfs2clvm, "<VG_NAME>vg.a-1</VG_NAME><HOST>kvm1.example.org</HOST>");
    GError *error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *image = naming->image_of_source(d, cases[i].source, &error);
        g_autofree char *disk = naming->disk("", 7, 1, cases[i].source);
        assert_no_error(error);
        assert_string_equal(image, cases[i].image);
        assert_string_equal(disk, cases[i].disk);
        assert_true(naming->is_disk_of(disk, 7, 1));
        assert_false(naming->is_disk_of(disk, 12, 7));
    }
    for (const char *const *text = foreign; *text; text++) {
        assert_null(naming->image_of_source(d, *text, &error));
        assert_failed(error, ONEVOL_ERROR_REFUSED, "is not an image of datastore 103");
    }
    g_autofree char *volatile_disk = naming->disk("", 7, 1, NULL);
    assert_string_equal(volatile_disk, "lv-one-7-1");
    g_autofree char *source = naming->source_of_image(d->facts, "lv-one-12");
    assert_string_equal(source, cases[0].source);
}

static void
gfs2clvm_makes_images_of_the_generation_that_is_there(void **state)
{
    (void)state;
    const Naming *naming = &lvm_gfs2clvm_naming;
    GError *error = NULL;
    g_autoptr(Datastore) new = datastore(&driver_gfs2clvm, "<LV_NAMES>ID</LV_NAMES>");
    g_autoptr(Datastore) wrong = datastore(&driver_gfs2clvm, "<LV_NAMES>sha1</LV_NAMES>");
    g_autoptr(Datastore) old = datastore(&driver_gfs2clvm, "<LV_NAMES>md5</LV_NAMES>");
    g_autofree char *second = naming->new_image(new, 5, NULL);
    g_autofree char *first = naming->new_image(old, 5, NULL);
    g_autofree char *source = naming->source_of_image(old->facts, first);
    g_autofree char *back = naming->image_of_source(old, source, &error);

    assert_string_equal(second, "lv-one-5");
    assert_true(g_str_has_prefix(first, "lv-oneimg-") && g_str_has_prefix(source, "/ds/103/"));
    assert_string_equal(back, first);
    assert_null(naming->new_image(wrong, 5, &error));
    assert_string_equal(error->message, "LV_NAMES 'sha1' is none of ID, MD5");
    g_clear_error(&error);
}

static void
gfs2clvm_follows_what_the_group_holds(void **state)
{
    (void)state;
#define OLD                                                                                        \
    ROW("lv-oneimg-0123456789abcdef0123456789abcdef", "16777216", "-wi-a-----", "", "", "", "")
#define DISK ROW("lv-one-7-0", "16777216", "-wi-a-----", "", "", "", "")
#define NEW ROW("lv-one-12", "16777216", "-wi-a-----", "", "", "", "")
    static const struct {
        const char *text;
        bool md5;
    } groups[] = {
        {REPORT(OLD),                    true },
        {REPORT(DISK "," OLD),           true },
        {REPORT(OLD "," NEW),            false},
        {REPORT(NEW),                    false},
        {REPORT(DISK),                   false},
        {"{\"report\": [{\"lv\": []}]}", false},
    };

    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        g_auto(LvmReport) report = {0};
        assert_true(lvm_report_parse(groups[i].text, &report, NULL));
        assert_int_equal(lvm_holds_md5_names(&report), groups[i].md5);
    }
}

static void
gfs2clvm_media_stay_files(void **state)
{
    (void)state;
    const Naming *naming = &lvm_gfs2clvm_naming;
    GError *error = NULL;
    g_autoptr(Datastore) d = datastore(&driver_gfs2clvm, "");
    g_autofree char *image = naming->image_of_source(d, "/isos//dvd.isox", &error);
    g_autofree char *source = naming->source_of_image(d->facts, image);

    assert_no_error(error);
    assert_string_equal(image, "/isos/dvd.isox");
    assert_string_equal(source, "/isos/dvd.isox");
    assert_true(naming->is_media(image));
    assert_false(naming->is_media("/isos/dvd.iso"));
    assert_false(naming->is_media("http://host/dvd.isox"));
    assert_null(naming->image_of_source(d, "kvm1:/isos/dvd.isox", &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "is not an image of datastore 103");
}

static void
a_copy_on_write_clone_is_known(void **state)
{
    (void)state;
    g_auto(LvmReport) report = {0};

    assert_true(
        lvm_report_parse(REPORT(ROW("lv-one-5", "8388608", "owi-a-s---", "", "", "", "") ", " ROW(
                             "lv-one-5-7-0", "8392704", "swi-a-s---", "", "lv-one-5", "",
                             "") ", " ROW("thin", "8388608", "Vwi-a-tz--", "", "old", "pool", "")),
                         &report, NULL));
    const Lv full = {.attributes = (char *)"swi-I-s---"}, unknown = {.attributes = (char *)""};
    assert_true(lv_has_failed(&full));
    assert_false(lv_has_failed(&unknown));
    assert_false(lv_has_failed(lvm_report_find(&report, "lv-one-5")));
    assert_false(lv_is_cow(lvm_report_find(&report, "lv-one-5")));
    assert_true(lv_is_cow(lvm_report_find(&report, "lv-one-5-7-0")));
    assert_false(lv_is_cow(lvm_report_find(&report, "thin")));
}

static void
attributes_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *attributes, *problem;
    } bad[] = {
        {"",                                                             "has no attribute VG_NAME"     },
        {"<VG_NAME>a/b</VG_NAME>",                                       "no name of a volume group"    },
        {"<VG_NAME>a</VG_NAME><LVM_MODE>fat</LVM_MODE>",                 "none of THICK, SNAPSHOT, THIN"},
        {"<VG_NAME>a</VG_NAME><POOL_PERCENT>0</POOL_PERCENT>",           "no number of percent"         },
        {"<VG_NAME>a</VG_NAME><SNAPSHOT_PERCENT>1e3</SNAPSHOT_PERCENT>", "no number of percent"         },
        {"<VG_NAME>a</VG_NAME><DEAD_HOST>shot</DEAD_HOST>",              "none of REFUSE, FENCED"       },
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *error = NULL;
        g_auto(Group) group = {0};
        g_autoptr(Datastore) d = datastore(&driver_clvm, bad[i].attributes);
        assert_false(group_of(d, &group, &error));
        assert_failed(error, ONEVOL_ERROR_USAGE, bad[i].problem);
    }
    GError *error = NULL;
    g_auto(Group) group = {0};
    g_autoptr(Datastore) d =
        datastore(&driver_clvm, "<VG_NAME>a</VG_NAME><BRIDGE_LIST> localhost kvm2</BRIDGE_LIST>"
                                "<LVM_MODE>thin</LVM_MODE><POOL_PERCENT>40</POOL_PERCENT>");
    assert_true(group_of(d, &group, &error));
    assert_ptr_equal(group.bridge, host_frontend());
    assert_int_equal(group.mode, LVM_THIN);
    assert_int_equal(group.pool_percent, 40);
    assert_false(group.fenced);
    assert_string_equal(group.instance, "one");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(command_lines_are_as_reviewed),
    cmocka_unit_test(basic_actions_need_only_what_opennebulas_sudoers_allow),
    cmocka_unit_test(a_report_tells_of_volumes_tags_and_group),
    cmocka_unit_test(an_interrupted_growth_keeps_the_old_size),
    cmocka_unit_test(locking_is_told_by_the_group),
    cmocka_unit_test(what_is_no_report_is_refused),
    cmocka_unit_test(a_tag_holds_only_what_lvm_takes),
    cmocka_unit_test(names_that_lvm_keeps_for_itself_are_none),
    cmocka_unit_test(a_device_path_names_its_volume),
    cmocka_unit_test(clvm_names_and_sources),
    cmocka_unit_test(gfs2clvm_sources_of_both_generations),
    cmocka_unit_test(gfs2clvm_makes_images_of_the_generation_that_is_there),
    cmocka_unit_test(gfs2clvm_follows_what_the_group_holds),
    cmocka_unit_test(gfs2clvm_media_stay_files),
    cmocka_unit_test(a_copy_on_write_clone_is_known),
    cmocka_unit_test(attributes_are_checked),
};

TEST_MAIN(tests)
