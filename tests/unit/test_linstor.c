// SPDX-License-Identifier: Apache-2.0
/* backends/linstor: lists of controllers, return codes, what controllers tell, lists in pieces. */
#include "backends/linstor/answer.h"
#include "backends/linstor/client.h"
#include "backends/linstor/controllers.h"
#include "backends/linstor/elements.h"
#include "backends/linstor/model.h"
#include "test.h"

#include <string.h>

/* Controllers */

static char *
urls_of(const char *list)
{
    GError *error = NULL;
    g_autoptr(GPtrArray) found = linstor_controllers_parse(list, &error);
    g_autoptr(GString) text = g_string_new(NULL);

    assert_no_error(error);
    for (guint i = 0; i < found->len; i++) {
        g_autofree char *url = linstor_controller_url(g_ptr_array_index(found, i));
        g_string_append_printf(text, "%s%s", i ? " " : "", url);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
every_syntax_of_a_list_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *list, *urls;
    } lists[] = {
        {"localhost",                                  "http://localhost:3370"                                                       },
        {"a,b",                                        "http://a:3370 http://b:3370"                                                 },
        {" a , ,b:99, ",                               "http://a:3370 http://b:99"                                                   },
        {"linstor://a,http://b:80",                    "http://a:3370 http://b:80"                                                   },
        {"linstor+ssl://a,https://b:443",              "https://a:3371 https://b:443"                                                },
        {"HTTPS://a,Linstor+SSL://b",                  "https://a:3371 https://b:3371"                                               },
        {"10.0.0.1:3370,10.0.0.2",                     "http://10.0.0.1:3370 http://10.0.0.2:3370"                                   },
        {"[::1],[fe80::1]:99,linstor+ssl://[2001::2]", "http://[::1]:3370 http://[fe80::1]:99 "
                                                       "https://[2001::2]:3371"},
        {"http://a/,https://b:1/",                     "http://a:3370 https://b:1"                                                   },
        {"c-1.site_x.example",                         "http://c-1.site_x.example:3370"                                              },
    };

    for (guint i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_autofree char *urls = urls_of(lists[i].list);
        assert_string_equal(urls, lists[i].urls);
    }
}

static void
what_is_no_list_is_refused(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "",        ",",   " ",    "ftp://a",    "://a",
        "http://", "a:",  "a:0",  "a:65536",    "a:-1",
        "a:1x",    "a b", "::1",  "[::1",       "[::1]x",
        "[]",      "-a",  "a/b",  "http://a/b", "u@a",
        "a?b",     "a#b", "a\nb", "good,bad:x", "http://linstor://a"};

    for (guint i = 0; i < G_N_ELEMENTS(lists); i++) {
        GError *error = NULL;
        if (linstor_controllers_parse(lists[i], &error))
            fail_msg("'%s' is taken for a list", lists[i]);
        assert_failed(error, ONEVOL_ERROR_USAGE, "LINSTOR controllers");
    }
}

static char *
defaults_text(const char *home, const char *directory)
{
    g_auto(LinstorDefaults) found = {0};

    linstor_defaults_read(&found, home, directory);
    return g_strdup_printf("%s %s %s %s", found.controllers, found.certificate, found.key,
                           found.ca);
}

static void
assert_defaults(const char *home, const char *directory, const char *wanted)
{
    g_autofree char *found = defaults_text(home, directory);

    assert_string_equal(found, wanted);
}

static void
defaults_come_from_where_linbits_client_looks(void **state)
{
    (void)state;
    g_autofree char *home = test_directory("home"), *system = test_directory("etc");
    g_autofree char *parts = g_build_filename(system, "linstor-client.d", NULL);
    g_autofree char *first = g_build_filename(parts, "10.conf", NULL);
    g_autofree char *second = g_build_filename(parts, "20.conf", NULL);
    g_autofree char *other = g_build_filename(parts, "30.txt", NULL);
    g_autofree char *common = g_build_filename(system, "linstor-client.conf", NULL);
    g_autofree char *place = g_build_filename(home, ".config/linstor", NULL);
    g_autofree char *own = g_build_filename(place, "linstor-client.conf", NULL);

    g_unsetenv("LS_CONTROLLERS");
    assert_defaults(home, system, "(null) (null) (null) (null)");
    assert_int_equal(g_mkdir_with_parents(parts, 0755), 0);
    assert_int_equal(g_mkdir_with_parents(place, 0755), 0);
    test_write(second, "[global]\ncontrollers=second\ncafile=/ca\n");
    test_write(first, "[global]\ncontrollers=first\nkeyfile=/key\n");
    test_write(other, "[global]\ncontrollers=other\n");
    assert_defaults(home, system, "second (null) (null) /ca");
    test_write(common, "[global]\ncontrollers = a,b \ncertfile=/cert\n");
    assert_defaults(home, system, "a,b /cert (null) (null)");
    test_write(own, "[global]\ncontrollers=own\n");
    assert_defaults(home, system, "own (null) (null) (null)");
    test_write(own, "[other]\ncontrollers=x\n");
    assert_defaults(home, system, "second (null) (null) /ca");
    test_write(own, "not an ini file");
    assert_defaults(home, system, "second (null) (null) /ca");
    g_setenv("LS_CONTROLLERS", "from-environment", TRUE);
    assert_defaults(home, system, "from-environment (null) (null) /ca");
    g_unsetenv("LS_CONTROLLERS");
}

/* Codes */

static void
codes_keep_all_of_their_64_bits(void **state)
{
    (void)state;
    /* As controllers send them; the last is the error of a body that is not JSON. */
    static const struct {
        const char *text;
        LinstorSeverity severity;
        int code;
    } codes[] = {
        {"20447233",             LINSTOR_SUCCESS, 1     },
        {"-4611686018406940171", LINSTOR_ERROR,   501   },
        {"-4611686018427387603", LINSTOR_ERROR,   301   },
        {"-9223372036800771144", LINSTOR_WARNING, 3000  },
        {"-4611686018373647387", LINSTOR_ERROR,   997   },
        {"-4611686018407201820", LINSTOR_ERROR,   996   },
        {"4611686018447583000",  LINSTOR_INFO,    10008 },
        {"-3458764513820540931", LINSTOR_ERROR,   0x7FFD},
        {"-9223372036854774806", LINSTOR_WARNING, 1002  },
    };

    for (guint i = 0; i < G_N_ELEMENTS(codes); i++) {
        g_autofree char *text = g_strdup_printf("[{\"ret_code\":%s}]", codes[i].text);
        json_t *answer = json_loads(text, 0, NULL);
        gint64 code = json_integer_value(json_object_get(json_array_get(answer, 0), "ret_code"));
        assert_int_equal(linstor_severity(code), codes[i].severity);
        assert_int_equal(linstor_code(code), codes[i].code);
        for (LinstorSeverity s = LINSTOR_SUCCESS; s <= LINSTOR_ERROR; s++) {
            bool wanted = s == codes[i].severity;
            assert_int_equal(linstor_answer_has(answer, s, codes[i].code), wanted);
            assert_int_equal(linstor_answer_first(answer, s) != NULL, wanted);
            assert_false(linstor_answer_has(answer, s, codes[i].code + 1));
        }
        json_decref(answer);
    }
}

static void
codes_become_our_errors(void **state)
{
    (void)state;
    static const struct {
        int code, error;
    } codes[] = {
        {301,   ONEVOL_ERROR_NOT_FOUND  },
        {310,   ONEVOL_ERROR_NOT_FOUND  },
        {312,   ONEVOL_ERROR_DENIED     },
        {412,   ONEVOL_ERROR_DENIED     },
        {10000, ONEVOL_ERROR_DENIED     },
        {501,   ONEVOL_ERROR_REFUSED    },
        {514,   ONEVOL_ERROR_REFUSED    },
        {997,   ONEVOL_ERROR_BUSY       },
        {974,   ONEVOL_ERROR_BUSY       },
        {979,   ONEVOL_ERROR_BUSY       },
        {971,   ONEVOL_ERROR_BUSY       },
        {995,   ONEVOL_ERROR_UNREACHABLE},
        {996,   ONEVOL_ERROR_NO_SPACE   },
        {980,   ONEVOL_ERROR_NO_SPACE   },
        {994,   ONEVOL_ERROR_UNSUPPORTED},
        {227,   ONEVOL_ERROR_UNSUPPORTED},
        {202,   ONEVOL_ERROR_USAGE      },
        {998,   ONEVOL_ERROR_FAILED     },
        {0,     ONEVOL_ERROR_FAILED     },
    };

    for (guint i = 0; i < G_N_ELEMENTS(codes); i++)
        assert_int_equal(linstor_error_of(codes[i].code), codes[i].error);
}

static void
an_answer_without_codes_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } answers[] = {
        {"[]",                                 true },
        {"[{\"ret_code\":1}]",                 true },
        {"[{\"ret_code\":1},{\"message\":1}]", false},
        {"[{\"ret_code\":1.5}]",               false},
        {"[{\"ret_code\":\"1\"}]",             false},
        {"[1]",                                false},
        {"{\"ret_code\":1}",                   false},
    };

    for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
        json_t *answer = json_loads(answers[i].text, 0, NULL);
        assert_non_null(answer);
        assert_int_equal(linstor_answer_is_valid(answer), answers[i].valid);
        json_decref(answer);
    }
    assert_false(linstor_answer_is_valid(NULL));
    assert_false(linstor_answer_has(NULL, LINSTOR_ERROR, 1));
}

static void
assert_entry(const char *json, const char *wanted)
{
    json_t *entry = json_loads(json, 0, NULL);
    g_autofree char *text = linstor_entry_text(entry);

    assert_non_null(entry);
    assert_string_equal(text, wanted);
    json_decref(entry);
}

static void
an_entry_becomes_one_sentence(void **state)
{
    (void)state;
    assert_entry("{\"message\":\"Not enough nodes.\"}", "Not enough nodes");
    assert_entry(
        "{\"message\":\"It failed\",\"cause\":\"No\\nspace.\",\"correction\":\"Add some.\"}",
        "It failed. No space. Add some");
    assert_entry("{\"message\":\"No.\",\"error_report_ids\":[\"65A-1\",\"65A-2\"]}",
                 "No (error report 65A-1, 65A-2)");
    assert_entry("{\"error_report_ids\":[7]}", " (error report ?)");
    assert_entry("{}", "");
}

static void
references_are_found_in_any_entry(void **state)
{
    (void)state;
    json_t *answer =
        json_loads("[{\"ret_code\":1},{\"ret_code\":1,\"obj_refs\":{\"RscDfn\":\"a\"}},"
                   "{\"obj_refs\":{\"Node/0\":\"kvm1\",\"RscDfn\":\"b\"}}]",
                   0, NULL);

    assert_string_equal(linstor_answer_reference(answer, "Node/0"), "kvm1");
    assert_string_equal(linstor_answer_reference(answer, "RscDfn"), "a");
    assert_null(linstor_answer_reference(answer, "Node/1"));
    json_decref(answer);
}

static void
versions_compare_as_numbers(void **state)
{
    (void)state;
    assert_true(linstor_version_number("1.9.0") < linstor_version_number("1.10.0"));
    assert_true(linstor_version_number("1.20.1") < linstor_version_number("1.20.2"));
    assert_true(linstor_version_number("2.0.0") > linstor_version_number("1.99.99"));
    for (const char *const *p = (const char *const[]){"", "1", "1.2", "1.2.x", "1.2.3.4", "-1.2.3",
                                                      "1..3", "1.2.3-rc.1", "99999999.1.1", NULL};
         *p; p++)
        assert_int_equal(linstor_version_number(*p), 0);
    assert_int_equal(linstor_version_number(NULL), 0);
}

/* Objects */

static json_t *
load(const char *name)
{
    g_autofree char *path = test_source(name);
    json_error_t why;
    json_t *json = json_load_file(path, 0, &why);

    if (!json)
        fail_msg("%s: %s", path, why.text);
    return json;
}

static void
a_resource_is_read(void **state)
{
    (void)state;
    GError *error = NULL;
    json_t *list = load("fuzz/corpus/linstor/view-resources");
    g_autoptr(LinstorResource) diskful = linstor_resource_parse(json_array_get(list, 0), &error);
    g_autoptr(LinstorResource) breaker = linstor_resource_parse(json_array_get(list, 1), &error);
    g_autoptr(LinstorResource) away = linstor_resource_parse(json_array_get(list, 2), &error);

    assert_no_error(error);
    assert_string_equal(diskful->definition, "one-vm-5-disk-0");
    assert_string_equal(diskful->node, "kvm1");
    assert_string_equal(diskful->pool, "thin");
    assert_string_equal(diskful->provider, "LVM_THIN");
    assert_string_equal(diskful->device, "/dev/drbd1000");
    assert_int_equal(diskful->device_size, G_GUINT64_CONSTANT(1048576) * 1024);
    assert_int_equal(diskful->allocated, G_GUINT64_CONSTANT(1052672) * 1024);
    assert_int_equal(diskful->disk, LINSTOR_DISK_UP_TO_DATE);
    assert_int_equal(diskful->in_use, LINSTOR_YES);
    assert_int_equal(diskful->may_promote, LINSTOR_YES);
    assert_true(diskful->drbd && !diskful->diskless && !diskful->deleting);
    assert_true(breaker->diskless && breaker->tie_breaker);
    assert_int_equal(breaker->disk, LINSTOR_DISK_DISKLESS);
    assert_int_equal(breaker->in_use, LINSTOR_NO);
    assert_int_equal(away->in_use, LINSTOR_UNKNOWN);
    assert_int_equal(away->disk, LINSTOR_DISK_UNKNOWN);
    assert_true(away->deleting && away->resizing);
    assert_null(away->device);
    json_decref(list);
}

static void
a_device_without_drbd_is_read(void **state)
{
    (void)state;
    GError *error = NULL;
    json_t *list = load("fuzz/corpus/linstor/storage-only");
    g_autoptr(LinstorResource) resource = linstor_resource_parse(json_array_get(list, 0), &error);

    assert_no_error(error);
    assert_false(resource->drbd);
    assert_string_equal(resource->device, "/dev/loop5");
    assert_int_equal(resource->in_use, LINSTOR_UNKNOWN);
    assert_int_equal(resource->may_promote, LINSTOR_UNKNOWN);
    assert_int_equal(resource->disk, LINSTOR_DISK_UNKNOWN);
    json_decref(list);
}

static void
pools_without_sizes_are_not_known(void **state)
{
    (void)state;
    GError *error = NULL;
    json_t *list = load("fuzz/corpus/linstor/pools");
    g_autoptr(LinstorPool) pool = linstor_pool_parse(json_array_get(list, 0), &error);
    g_autoptr(LinstorPool) diskless = linstor_pool_parse(json_array_get(list, 1), &error);
    g_autoptr(LinstorPool) away = linstor_pool_parse(json_array_get(list, 2), &error);

    assert_no_error(error);
    assert_true(pool->known && pool->thin && pool->snapshots && pool->clones && !pool->diskless);
    assert_int_equal(pool->free, G_GUINT64_CONSTANT(104857600) * 1024);
    assert_int_equal(pool->total, G_GUINT64_CONSTANT(209715200) * 1024);
    assert_true(diskless->diskless && !diskless->known); /* its size is 2^63-1 KiB */
    assert_false(away->known);
    assert_int_equal(away->free, 0);
    json_decref(list);
}

static void
snapshots_and_definitions_are_read(void **state)
{
    (void)state;
    GError *error = NULL;
    json_t *snapshots = load("fuzz/corpus/linstor/snapshots");
    json_t *definitions = load("fuzz/corpus/linstor/definitions");
    g_autoptr(LinstorSnapshot) good = linstor_snapshot_parse(json_array_get(snapshots, 0), &error);
    g_autoptr(LinstorSnapshot) bad = linstor_snapshot_parse(json_array_get(snapshots, 1), &error);
    g_autoptr(LinstorDefinition) one =
        linstor_definition_parse(json_array_get(definitions, 0), &error);
    g_autoptr(LinstorDefinition) two =
        linstor_definition_parse(json_array_get(definitions, 1), &error);

    assert_no_error(error);
    assert_true(good->successful && !good->failed && !good->deleting);
    assert_int_equal(good->sequence, 4);
    assert_int_equal(good->created_ms, 1700000000000);
    assert_int_equal(good->size, 1024 << 20);
    assert_int_equal(g_strv_length(good->nodes), 2);
    assert_true(bad->failed && bad->deleting && !bad->successful);
    assert_int_equal(bad->sequence, 12); /* where LINSTOR before 1.30 has it */
    assert_string_equal(g_hash_table_lookup(one->props, "Aux/one/VM_ID"), "5");
    assert_string_equal(one->group, "rg1");
    assert_string_equal(one->layers[0], "DRBD");
    assert_int_equal(one->size, (guint64)(1048576 + 4) * 1024);
    assert_int_equal(one->volumes, 2);
    assert_true(one->sized && !one->deleting);
    assert_true(two->deleting && two->cloning && two->failed && !two->sized);
    assert_int_equal(g_strv_length(two->layers), 0);
    json_decref(snapshots);
    json_decref(definitions);
}

static void
objects_without_their_names_are_corrupt(void **state)
{
    (void)state;
    for (const char *const *p =
             (const char *const[]){"{}", "[]", "1", "null", "{\"name\":1}", "\"x\"", NULL};
         *p; p++) {
        GError *error = NULL;
        json_t *json = json_loads(*p, JSON_DECODE_ANY, NULL);
        LinstorVolume volume;
        LinstorSpace space;
        assert_null(linstor_node_parse(json, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "'name'");
        assert_null(linstor_pool_parse(json, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "storage pool");
        assert_null(linstor_group_parse(json, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "resource group");
        assert_null(linstor_definition_parse(json, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "resource definition");
        assert_null(linstor_resource_parse(json, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "resource without");
        assert_null(linstor_snapshot_parse(json, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "snapshot");
        assert_false(linstor_volume_parse(json, &volume, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "volume");
        assert_false(linstor_space_parse(json, &space, &error));
        assert_failed(error, ONEVOL_ERROR_CORRUPT, "space");
        json_decref(json);
    }
}

static void
names_follow_linstors_rule(void **state)
{
    (void)state;
    for (const char *const *p =
             (const char *const[]){"one-vm-1-disk-0", "_a", "a_", "ab", "OpenNebula-Image-5", NULL};
         *p; p++)
        assert_true(linstor_name_is_valid(*p));
    for (const char *const *p =
             (const char *const[]){"", "a", "0", "0a", "-a", "a.b", "a b", "__", "all", "Proxy",
                                   "a/b", "é-a",
                                   "a23456789012345678901234567890123456789012345678x", NULL};
         *p; p++)
        assert_false(linstor_name_is_valid(*p));
    assert_int_equal(linstor_kib(0), 0);
    assert_int_equal(linstor_kib(1), 1);
    assert_int_equal(linstor_kib(1024), 1);
    assert_int_equal(linstor_kib(1025), 2);
    assert_int_equal(linstor_kib(G_MAXUINT64), (G_GUINT64_CONSTANT(1) << 54));
}

/* Lists in pieces */

static bool
join(const json_t *element, void *user, G_GNUC_UNUSED GError **error)
{
    char *text = json_dumps(element, JSON_ENCODE_ANY | JSON_COMPACT);

    g_string_append_printf(user, "%s|", text);
    free(text);
    return true;
}

static bool
read_in_pieces(const char *text, gsize piece, GString *found, GError **error)
{
    g_autoptr(LinstorElements) elements = linstor_elements_new(join, found);

    g_string_truncate(found, 0);
    for (gsize i = 0; i < strlen(text); i += piece)
        if (!linstor_elements_feed(elements, text + i, MIN(piece, strlen(text) - i), error))
            return false;
    return linstor_elements_end(elements, error);
}

static void
a_list_is_read_however_it_is_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text, *elements;
    } lists[] = {
        {"[]",                               ""                               },
        {" [ \n ] \t",                       ""                               },
        {"[1]",                              "1|"                             },
        {"[{\"a\":[1,{\"b\":2}]},[],\"x\"]", "{\"a\":[1,{\"b\":2}]}|[]|\"x\"|"},
        {"[\"],[\",\"\\\"]\",\"\\\\\"]",     "\"],[\"|\"\\\"]\"|\"\\\\\"|"    },
        {"[ null , true ]",                  "null|true|"                     },
    };
    g_autoptr(GString) found = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(lists); i++) {
        for (gsize piece = 1; piece <= strlen(lists[i].text); piece++) {
            GError *error = NULL;
            assert_true(read_in_pieces(lists[i].text, piece, found, &error));
            assert_string_equal(found->str, lists[i].elements);
        }
    }
}

static void
what_is_no_list_of_json_is_corrupt(void **state)
{
    (void)state;
    g_autoptr(GString) found = g_string_new(NULL);

    for (const char *const *p =
             (const char *const[]){"", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{}", "1", "[]]",
                                   "[1],", "[}", "[{]", "[{}}", "[\"a]", "[a]", "[1}", NULL};
         *p; p++) {
        for (gsize piece = 1; piece < 4; piece++) {
            GError *error = NULL;
            if (read_in_pieces(*p, piece, found, &error))
                fail_msg("'%s' is taken for a list", *p);
            assert_failed(error, ONEVOL_ERROR_CORRUPT, "controller's answer");
        }
    }
}

static bool
refuse_all(G_GNUC_UNUSED const json_t *element, G_GNUC_UNUSED void *user, GError **error)
{
    return set_error(error, ONEVOL_ERROR_REFUSED, "enough");
}

static void
a_visitor_ends_the_reading(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autoptr(LinstorElements) elements = linstor_elements_new(refuse_all, NULL);

    assert_false(linstor_elements_feed(elements, "[1,2]", 5, &error));
    assert_failed(error, ONEVOL_ERROR_REFUSED, "enough");
}

static void
an_endless_element_is_refused(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autoptr(GString) found = g_string_new(NULL);
    g_autoptr(LinstorElements) elements = linstor_elements_new(join, found);
    g_autofree char *block = g_strnfill(1 << 20, 'x');
    bool good = linstor_elements_feed(elements, "[\"", 2, &error);

    for (guint i = 0; i < LINSTOR_ELEMENT_LIMIT >> 20 && good; i++)
        good = linstor_elements_feed(elements, block, 1 << 20, &error);
    assert_false(good);
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "more than");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_syntax_of_a_list_is_read),
    cmocka_unit_test(what_is_no_list_is_refused),
    cmocka_unit_test(defaults_come_from_where_linbits_client_looks),
    cmocka_unit_test(codes_keep_all_of_their_64_bits),
    cmocka_unit_test(codes_become_our_errors),
    cmocka_unit_test(an_answer_without_codes_is_none),
    cmocka_unit_test(an_entry_becomes_one_sentence),
    cmocka_unit_test(references_are_found_in_any_entry),
    cmocka_unit_test(versions_compare_as_numbers),
    cmocka_unit_test(a_resource_is_read),
    cmocka_unit_test(a_device_without_drbd_is_read),
    cmocka_unit_test(pools_without_sizes_are_not_known),
    cmocka_unit_test(snapshots_and_definitions_are_read),
    cmocka_unit_test(objects_without_their_names_are_corrupt),
    cmocka_unit_test(names_follow_linstors_rule),
    cmocka_unit_test(a_list_is_read_however_it_is_cut),
    cmocka_unit_test(what_is_no_list_of_json_is_corrupt),
    cmocka_unit_test(a_visitor_ends_the_reading),
    cmocka_unit_test(an_endless_element_is_refused),
};
TEST_MAIN(tests)
