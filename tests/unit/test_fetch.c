// SPDX-License-Identifier: Apache-2.0
#include "base/command.h"
#include "base/error.h"
#include "fetch/decode.h"
#include "fetch/url.h"
#include "one/access.h"
#include "test.h"

#include <string.h>

/* URLs */

static void
assert_scheme(const char *text, Scheme scheme)
{
    g_auto(SourceUrl) url = {0};
    GError *error = NULL;

    if (!source_url_parse(text, &url, &error))
        fail_msg("'%s': %s", text, error->message);
    assert_int_equal(url.scheme, scheme);
}

static void
assert_no_url(const char *text, OnevolError code)
{
    SourceUrl url;
    GError *error = NULL;

    if (source_url_parse(text, &url, &error))
        fail_msg("'%s' was taken", text);
    assert_failed(error, code, "");
}

static void
every_scheme_is_known(void **state)
{
    (void)state;
    assert_scheme("/var/tmp/a", SCHEME_FILE);
    assert_scheme("/a://b", SCHEME_FILE);
    assert_scheme("http://a/b", SCHEME_HTTP);
    assert_scheme("HTTPS://a/b", SCHEME_HTTP);
    assert_scheme("ssh://a:/b", SCHEME_SSH);
    assert_scheme("me@a:/b", SCHEME_SSH);
    assert_scheme("a:b", SCHEME_SSH);
    assert_scheme("s3://b/k/e/y", SCHEME_S3);
    assert_scheme("vol://7", SCHEME_IMAGE);
    assert_scheme("lvm://7/0", SCHEME_DISK);
    assert_scheme("restic+rbd://3/9?x=1&y", SCHEME_DOWNLOADER);
}

static void
anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const unknown[] = {"file:///etc/passwd", "ftp://a/b", "://",
                                          "httpx://a",          "a b://c",   NULL};
    static const char *const wrong[] = {"",
                                        "relative",
                                        "-rf",
                                        "http://",
                                        "http:///x",
                                        "http://a b",
                                        "http://a/\n",
                                        "ssh://",
                                        "ssh://a",
                                        "ssh://:/x",
                                        "ssh://-o:/x",
                                        "ssh://@a:/x",
                                        "ssh://a@:/x",
                                        "ssh://a b:/x",
                                        "ssh://a:/x\ny",
                                        "s3://",
                                        "s3://b",
                                        "s3://b/",
                                        "s3:///k",
                                        "s3://a:b/k",
                                        "vol://",
                                        "vol://-1",
                                        "vol://1x",
                                        "vol://1/2",
                                        "vol://99999999999",
                                        "lvm://1",
                                        "lvm://1/",
                                        "lvm://1/2/3",
                                        "lvm:///2",
                                        NULL};

    for (const char *const *text = unknown; *text; text++)
        assert_no_url(*text, ONEVOL_ERROR_UNSUPPORTED);
    for (const char *const *text = wrong; *text; text++)
        assert_no_url(*text, ONEVOL_ERROR_USAGE);
}

/* downloader.sh puts the URL between double quotes, and evaluates that. */
static void
nothing_that_a_shell_reads_reaches_the_downloader(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        g_autofree char *text = g_strdup_printf("docker://a%cb", c);
        if (g_ascii_isalnum(c) || strchr("._-+@=:/?&%,~#", c))
            assert_scheme(text, SCHEME_DOWNLOADER);
        else
            assert_no_url(text, ONEVOL_ERROR_REFUSED);
    }
}

static void
assert_ssh(const char *text, const char *host, guint port, const char *path)
{
    g_auto(SourceUrl) url = {0};

    assert_true(source_url_parse(text, &url, NULL));
    assert_string_equal(url.host, host);
    assert_int_equal(url.port, port);
    assert_string_equal(url.path, path);
}

static void
both_forms_of_ssh_are_understood(void **state)
{
    (void)state;
    assert_ssh("ssh://h:/a/b", "h", 0, "/a/b");
    assert_ssh("ssh://me@h:a/b", "me@h", 0, "a/b");
    assert_ssh("ssh://h/a", "h", 0, "/a");
    assert_ssh("ssh://h:22/a", "h", 22, "/a");
    assert_ssh("ssh://h:22", "h", 0, "22");
    assert_ssh("ssh://h:99999/a", "h", 0, "99999/a");
    assert_ssh("me@h:/a:b", "me@h", 0, "/a:b");
}

static void
secrets_are_not_shown(void **state)
{
    (void)state;
    g_auto(SourceUrl) url = {0};

    assert_true(source_url_parse("https://me:word@h.example/a/b?X-Signature=1#c", &url, NULL));
    assert_string_equal(url.shown, "https://h.example/a/b");
    assert_string_equal(url.text, "https://me:word@h.example/a/b?X-Signature=1#c");
}

static void
arguments_are_added(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"http://a/b",     "x=1", "http://a/b?x=1"    },
        {"http://a/b?c=2", "x=1", "http://a/b?c=2&x=1"},
        {"http://a/b#f",   "x=1", "http://a/b?x=1#f"  },
        {"http://a/b#?",   "&x",  "http://a/b?x#?"    },
        {"http://a/b",     NULL,  "http://a/b"        },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = source_url_with_arguments(rows[i][0], rows[i][1]);
        assert_string_equal(text, rows[i][2]);
    }
}

/* Bytes */

/* From memory, at most `portion` at a time, and an error instead of the end if `broken`. */
typedef struct Memory {
    Bytes bytes;
    GBytes *data;
    gsize position, portion;
    bool broken;
} Memory;

static bool
memory_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    Memory *self = (Memory *)bytes;
    gsize size;
    const guint8 *data = g_bytes_get_data(self->data, &size);

    *got = MIN(MIN(length, self->portion), size - self->position);
    memcpy(buffer, data + self->position, *got);
    self->position += *got;
    return *got > 0 || !self->broken || set_error(error, ONEVOL_ERROR_UNREACHABLE, "gone");
}

static void
memory_free(Bytes *bytes)
{
    g_bytes_unref(((Memory *)bytes)->data);
    g_free(bytes);
}

static Bytes *
memory(const void *data, gsize length, gsize portion)
{
    Memory *self = g_new0(Memory, 1);

    self->bytes = (Bytes){.read = memory_read, .free = memory_free};
    self->data = g_bytes_new(data, length);
    self->portion = portion;
    return &self->bytes;
}

static GByteArray *
read_all(Bytes *bytes, gsize portion, GError **error)
{
    GByteArray *all = g_byte_array_new();
    g_autofree guint8 *buffer = g_malloc(portion);
    size_t got;

    do {
        if (!bytes_read(bytes, buffer, portion, &got, error)) {
            g_byte_array_unref(all);
            return NULL;
        }
        g_byte_array_append(all, buffer, (guint)got);
    } while (got > 0);
    return all;
}

/* Bytes that are not the same anywhere. */
static guint8 *
pattern(gsize length)
{
    guint8 *data = g_malloc(length);
    guint32 x = 1;

    for (gsize i = 0; i < length; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (guint8)(x >> 24);
    }
    return data;
}

static void
layers_pass_all_bytes_on(void **state)
{
    (void)state;
    const gsize length = 5000000;
    g_autofree guint8 *data = pattern(length);
    const guint8 *head;
    gsize got;

    for (gsize portion = 777; portion < 4000000; portion *= 100) {
        g_autoptr(Bytes) bytes = bytes_peekable(bytes_ahead(memory(data, length, portion), 0));
        assert_true(bytes_peek(bytes, 100000, &head, &got, NULL));
        assert_true(got >= 100000 && !memcmp(head, data, got));
        g_autoptr(GByteArray) all = read_all(bytes, 54321, NULL);
        assert_int_equal(all->len, length);
        assert_memory_equal(all->data, data, length);
    }
}

static void
an_error_comes_through_the_thread_and_stays(void **state)
{
    (void)state;
    g_autofree guint8 *data = pattern(3000000);
    Bytes *below = memory(data, 3000000, 100000);
    GError *error = NULL;
    size_t got;
    guint8 byte;

    ((Memory *)below)->broken = true;
    g_autoptr(Bytes) bytes = bytes_ahead(below, 0);
    assert_null(read_all(bytes, 65536, &error));
    assert_failed(error, ONEVOL_ERROR_UNREACHABLE, "gone");
    error = NULL;
    assert_false(bytes_read(bytes, &byte, 1, &got, &error));
    assert_failed(error, ONEVOL_ERROR_UNREACHABLE, "gone");
}

static void
a_reader_that_gives_up_early_stops_the_thread(void **state)
{
    (void)state;
    g_autofree guint8 *data = pattern(20000000);
    Bytes *bytes = bytes_ahead(memory(data, 20000000, 65536), 0);
    size_t got;
    guint8 byte;

    assert_true(bytes_read(bytes, &byte, 1, &got, NULL));
    bytes_free(bytes); /* would never return */
}

static void
a_rate_is_kept(void **state)
{
    (void)state;
    g_autofree guint8 *data = pattern(1000000);
    gint64 start = g_get_monotonic_time();
    g_autoptr(Bytes) bytes = bytes_ahead(memory(data, 1000000, 65536), 2000000);
    g_autoptr(GByteArray) all = read_all(bytes, 65536, NULL);
    double took = (double)(g_get_monotonic_time() - start) / 1e6;

    assert_int_equal(all->len, 1000000);
    assert_true(took > 0.35 && took < 5);
}

static void
sums_are_compared_at_the_end(void **state)
{
    (void)state;
    const Sums good = {.md5 = "900150983cd24fb0d6963f7d28e17f72",
                       .sha1 = "A9993E364706816ABA3E25717850C26C9CD0D89D",
                       .sha256 =
                           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"};
    const Sums bad = {.sha1 = "a9993e364706816aba3e25717850c26c9cd0d89e"};
    const Sums none = {.md5 = "900150983cd24fb0d6963f7d28e17f7"};
    GError *error = NULL;

    g_autoptr(Bytes) right = bytes_checked(memory("abc", 3, 1), &good, "x", NULL);
    g_autoptr(GByteArray) all = read_all(right, 10, NULL);
    assert_int_equal(all->len, 3);
    g_autoptr(Bytes) wrong = bytes_checked(memory("abc", 3, 2), &bad, "x", NULL);
    assert_null(read_all(wrong, 10, &error));
    assert_failed(error, ONEVOL_ERROR_CORRUPT, "SHA1 of 'x'");
    error = NULL;
    assert_null(bytes_checked(memory("abc", 3, 2), &none, "x", &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "MD5");
}

/* Packing */

static GBytes *
packed(const char *program, const char *option, const guint8 *data, gsize length)
{
    g_autoptr(Argv) argv = argv_new(program, "-c", option);
    CommandOptions options = {.timeout_ms = SECONDS(60), .input = data, .input_length = length};
    g_auto(CommandResult) result = {0};

    assert_true(command_run(argv, &options, &result, NULL));
    assert_int_equal(result.status, 0);
    return g_bytes_new(result.out, result.out_length);
}

static const struct {
    const char *program;
    Code code;
} packers[] = {
    {"gzip",  CODE_GZIP },
    {"bzip2", CODE_BZIP2},
    {"xz",    CODE_XZ   },
    {"zstd",  CODE_ZSTD },
};

static void
unpacks(const guint8 *data, gsize length, const guint8 *from, gsize from_length, gsize portion)
{
    GError *error = NULL;
    g_autoptr(Bytes) bytes =
        decode_all(bytes_peekable(memory(from, from_length, portion)), "x", NULL, &error);
    g_autoptr(GByteArray) all = bytes ? read_all(bytes, 100003, &error) : NULL;

    if (!all)
        fail_msg("%s", error->message);
    assert_int_equal(all->len, length);
    assert_memory_equal(all->data, data, length);
}

static void
every_packer_is_undone(void **state)
{
    (void)state;
    const gsize length = 2000000;
    g_autofree guint8 *data = pattern(length);

    memset(data + 300000, 0, 1000000);
    for (guint i = 0; i < G_N_ELEMENTS(packers); i++) {
        g_autoptr(GBytes) bytes = packed(packers[i].program, "-1", data, length);
        gsize size;
        const guint8 *from = g_bytes_get_data(bytes, &size);
        assert_int_equal(decode_detect(from, size), packers[i].code);
        unpacks(data, length, from, size, 1);
        unpacks(data, length, from, size, 1 << 20);
        g_autofree guint8 *twice = g_malloc(2 * size);
        memcpy(twice, from, size);
        memcpy(twice + size, from, size);
        g_autofree guint8 *want = g_malloc(2 * length);
        memcpy(want, data, length);
        memcpy(want + length, data, length);
        unpacks(want, 2 * length, twice, 2 * size, 65536);
    }
}

/* Wherever it is cut, or one bit of it falls over, the content is never given out as whole and
 * right when it is not. */
static void
damage_never_passes(void **state)
{
    (void)state;
    const gsize length = 3000;
    g_autofree guint8 *data = pattern(length);

    memset(data, 'x', 1000);
    for (guint i = 0; i < G_N_ELEMENTS(packers); i++) {
        g_autoptr(GBytes) bytes = packed(packers[i].program, "-1", data, length);
        gsize size;
        const guint8 *from = g_bytes_get_data(bytes, &size);
        for (gsize at = 20; at < 2 * size - 20; at++) {
            bool cut = at < size;
            g_autofree guint8 *wrong = g_memdup2(from, size);
            if (!cut)
                wrong[at - size + 20 > size - 1 ? size - 1 : at - size + 20] ^= 4;
            g_autoptr(Bytes) layer =
                decode_all(bytes_peekable(memory(wrong, cut ? at : size, 4096)), "x", NULL, NULL);
            g_autoptr(GByteArray) all = layer ? read_all(layer, 4096, NULL) : NULL;
            if (all && (all->len != length || memcmp(all->data, data, length) != 0))
                fail_msg("%s %s at %" G_GSIZE_FORMAT " passed", packers[i].program,
                         cut ? "cut" : "damaged", at);
            if (all && cut)
                fail_msg("%s cut at %" G_GSIZE_FORMAT " passed", packers[i].program, at);
        }
    }
}

static void
xz_tells_its_size_at_its_end(void **state)
{
    (void)state;
    g_autofree guint8 *data = pattern(100000);
    g_autoptr(GBytes) bytes = packed("xz", "-0", data, 100000);
    gsize size;
    const guint8 *from = g_bytes_get_data(bytes, &size);
    guint64 found = 0, need = 0;

    assert_true(decode_xz_size(from + size - 100, 100, size, &found, &need));
    assert_int_equal(found, 100000);
    assert_false(decode_xz_size(from + size - 20, 20, size, &found, &need));
    assert_true(need > 20 && need < 200);
    assert_false(decode_xz_size(from + size - 100, 100, 2 * size, &found, &need)); /* two streams */
    assert_int_equal(need, 0);
    assert_false(decode_xz_size(from, 100, size, &found, &need));
}

static void
boot_code_is_no_tar(void **state)
{
    (void)state;
    guint8 sector[512] = {0};

    memcpy(sector + 257, "ustar", 5);
    assert_int_equal(decode_detect(sector, sizeof sector), CODE_NONE);
    memcpy(sector, "BZh9 is how this text begins", 28);
    assert_int_equal(decode_detect(sector, sizeof sector), CODE_NONE);
}

/* Access */

#define IMAGE_TYPE 0x8000000000ull

static bool
allowed(gint64 user, const char *image, const char *rules)
{
    static const gint64 groups[] = {1, 100};
    const AccessRequest request = {
        .user = user, .groups = groups, .group_count = 2, .kind = ACCESS_IMAGE, .zone = 0};
    g_autofree char *text = g_strdup_printf("<IMAGE><ID>7</ID>%s</IMAGE>", image);
    g_autofree char *pool_text = g_strdup_printf("<ACL_POOL>%s</ACL_POOL>", rules ? rules : "");
    g_autoptr(XmlDocument) object = xml_parse(text, strlen(text), NULL);
    g_autoptr(XmlDocument) pool = xml_parse(pool_text, strlen(pool_text), NULL);

    return rules ? access_by_rules(&request, xml_root(object), xml_root(pool))
                 : access_by_bits(&request, xml_root(object));
}

static void
bits_of_owner_group_and_others_count(void **state)
{
    (void)state;
#define BITS(u, g, o)                                                                              \
    "<PERMISSIONS><OWNER_U>" u "</OWNER_U><GROUP_U>" g "</GROUP_U><OTHER_U>" o                     \
    "</OTHER_U></PERMISSIONS>"
    assert_true(allowed(5, "<UID>5</UID><GID>9</GID>" BITS("1", "0", "0"), NULL));
    assert_false(allowed(6, "<UID>5</UID><GID>9</GID>" BITS("1", "0", "0"), NULL));
    assert_false(allowed(5, "<UID>5</UID><GID>9</GID>" BITS("0", "1", "0"), NULL));
    assert_true(allowed(6, "<UID>5</UID><GID>100</GID>" BITS("0", "1", "0"), NULL));
    assert_true(allowed(6, "<UID>5</UID><GID>9</GID>" BITS("0", "0", "1"), NULL));
    assert_false(allowed(6, "<UID>5</UID><GID>9</GID>", NULL));
}

static bool
by_rule(guint64 user, guint64 resource, guint64 rights, guint64 zone)
{
    g_autofree char *rule =
        g_strdup_printf("<ACL><USER>%" G_GINT64_MODIFIER "x</USER><RESOURCE>%" G_GINT64_MODIFIER
                        "x</RESOURCE><RIGHTS>%" G_GINT64_MODIFIER
                        "x</RIGHTS><ZONE>%" G_GINT64_MODIFIER "x</ZONE></ACL>",
                        user, resource, rights, zone);

    return allowed(5, "<UID>9</UID><GID>30</GID>", rule);
}

static void
rules_are_for_users_objects_rights_and_zones(void **state)
{
    (void)state;
    const guint64 one = 0x100000000ull, group = 0x200000000ull, all = 0x400000000ull;
    const guint64 cluster = 0x800000000ull, image = IMAGE_TYPE;

    assert_true(by_rule(one | 5, image | one | 7, 1, all));
    assert_true(by_rule(group | 100, image | one | 7, 1, all));
    assert_true(by_rule(all, image | group | 30, 1, all));
    assert_true(by_rule(one | 5, image | all, 3, one));
    assert_true(by_rule(one | 5, image | 0x1000000000ull | all, 1, all)); /* and VMs */
    assert_false(by_rule(one | 6, image | one | 7, 1, all));
    assert_false(by_rule(group | 5, image | one | 7, 1, all));
    assert_false(by_rule(one | 5, image | one | 8, 1, all));
    assert_false(by_rule(one | 5, image | group | 7, 1, all));
    assert_false(by_rule(one | 5, image | cluster | 7, 1, all));
    assert_false(by_rule(one | 5, 0x1000000000ull | all, 1, all));
    assert_false(by_rule(one | 5, image | all, 2, all));
    assert_false(by_rule(one | 5, image | all, 1, one | 1));
    assert_false(by_rule(0, image | all, 1, all));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_scheme_is_known),
    cmocka_unit_test(anything_else_is_refused),
    cmocka_unit_test(nothing_that_a_shell_reads_reaches_the_downloader),
    cmocka_unit_test(both_forms_of_ssh_are_understood),
    cmocka_unit_test(secrets_are_not_shown),
    cmocka_unit_test(arguments_are_added),
    cmocka_unit_test(layers_pass_all_bytes_on),
    cmocka_unit_test(an_error_comes_through_the_thread_and_stays),
    cmocka_unit_test(a_reader_that_gives_up_early_stops_the_thread),
    cmocka_unit_test(a_rate_is_kept),
    cmocka_unit_test(sums_are_compared_at_the_end),
    cmocka_unit_test(every_packer_is_undone),
    cmocka_unit_test(damage_never_passes),
    cmocka_unit_test(xz_tells_its_size_at_its_end),
    cmocka_unit_test(boot_code_is_no_tar),
    cmocka_unit_test(bits_of_owner_group_and_others_count),
    cmocka_unit_test(rules_are_for_users_objects_rights_and_zones),
};
TEST_MAIN(tests)
