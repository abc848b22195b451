// SPDX-License-Identifier: Apache-2.0
/* one/monitord.c: datagrams as onemonitord reads them; a socket and an RSA key of our own. */
#include "base/command.h"
#include "one/monitord.h"
#include "test.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

typedef struct Monitor {
    int socket;
    Installation *installation;
} Monitor;

/* A socket on this machine, and a monitord.conf that names it and `extra`. */
static Monitor
monitor_start(const char *extra)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int size = 1 << 20;
    g_autofree char *etc = test_directory("etc");
    g_autofree char *path = g_build_filename(etc, "monitord.conf", NULL);
    Monitor monitor = {.socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
                       .installation = installation_find("/nowhere/remotes")};

    setsockopt(monitor.socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    assert_int_equal(bind(monitor.socket, (struct sockaddr *)&address, sizeof address), 0);
    getsockname(monitor.socket, (struct sockaddr *)&address, &length);
    g_free(monitor.installation->etc);
    monitor.installation->etc = g_strdup(etc);
    g_autofree char *conf = g_strdup_printf("# PORT = 1\nDB = [ PORT_X = 2 ]\nNETWORK = [\n"
                                            "    ADDRESS         = \"0.0.0.0\",\n"
                                            "    MONITOR_ADDRESS = \"auto\",\n"
                                            "    PORT    = %u,\n    THREADS = 8%s\n]\n",
                                            ntohs(address.sin_port), extra);
    test_write(path, conf);
    return monitor;
}

static void
monitor_end(Monitor *monitor)
{
    close(monitor->socket);
    installation_free(monitor->installation);
}

/* The next datagram's payload, unpacked; NULL if none is waiting. */
static char *
receive(Monitor *monitor, gsize *unpacked)
{
    g_autofree char *text = g_malloc0(1 << 17);
    ssize_t got = recv(monitor->socket, text, 1 << 17, MSG_DONTWAIT);

    if (got < 0)
        return NULL;
    assert_true(got < 65000);
    assert_true(g_str_has_suffix(text, "\n"));
    g_auto(GStrv) words = g_strsplit(g_strchomp(text), " ", -1);
    assert_int_equal(g_strv_length(words), 5);
    assert_string_equal(words[0], "MONITOR_VM");
    assert_string_equal(words[1], "SUCCESS");
    assert_string_equal(words[2], "-1");

    gsize packed_length;
    g_autofree guchar *packed = g_base64_decode(words[4], &packed_length);
    uLongf length = 1 << 20;
    char *plain = g_malloc0(length + 1);
    assert_int_equal(uncompress((Bytef *)plain, &length, packed, packed_length), Z_OK);
    *unpacked = length;
    return plain;
}

static void
two_vms_travel_in_one_message(void **state)
{
    (void)state;
    Monitor monitor = monitor_start("");
    g_autoptr(MonitorVms) vms = monitor_vms_new();
    GError *error = NULL;
    gsize length;

    monitor_vms_add(vms, 7, "DISK_SIZE=[ID=0,SIZE=12]");
    monitor_vms_add(vms, 8, "DISK_SIZE=[ID=1,SIZE=3]");
    assert_true(monitor_vms_send(vms, monitor.installation, &error));
    g_autofree char *text = receive(&monitor, &length);
    g_autofree char *first = g_base64_encode((const guchar *)"DISK_SIZE=[ID=0,SIZE=12]",
                                             strlen("DISK_SIZE=[ID=0,SIZE=12]"));
    assert_has(text, "VM=[ID=7,MONITOR=\"");
    assert_has(text, first);
    assert_has(text, "VM=[ID=8,MONITOR=\"");
    assert_null(receive(&monitor, &length));
    monitor_end(&monitor);
}

static void
many_vms_need_several_datagrams(void **state)
{
    (void)state;
    Monitor monitor = monitor_start("");
    g_autoptr(MonitorVms) vms = monitor_vms_new();
    g_autoptr(GString) all = g_string_new(NULL);
    g_autofree guint8 *noise = g_malloc(400);
    guint messages = 0;
    gsize length;

    for (gint64 id = 0; id < 300; id++) { /* noise does not compress */
        for (guint i = 0; i < 400; i++)
            noise[i] = (guint8)g_random_int();
        g_autofree char *text = g_base64_encode(noise, 400);
        monitor_vms_add(vms, id, text);
    }
    assert_true(monitor_vms_send(vms, monitor.installation, NULL));
    for (char *text; (text = receive(&monitor, &length)); messages++) {
        g_string_append_printf(all, "%s ", text);
        g_free(text);
    }
    assert_true(messages > 3);
    for (gint64 id = 0; id < 300; id++) {
        g_autofree char *part = g_strdup_printf("VM=[ID=%" G_GINT64_FORMAT ",MONITOR=\"", id);
        assert_has(all->str, part);
    }
    monitor_end(&monitor);
}

/* One VM whose text alone is more than a datagram carries must not be lost in silence. */
static void
a_vm_with_very_many_disks_is_sent_or_complained_about(void **state)
{
    (void)state;
    Monitor monitor = monitor_start("");
    g_autoptr(MonitorVms) vms = monitor_vms_new();
    g_autofree guint8 *noise = g_malloc(100000);
    GError *error = NULL;
    gsize length;

    for (guint i = 0; i < 100000; i++)
        noise[i] = (guint8)g_random_int();
    g_autofree char *text = g_base64_encode(noise, 100000);
    monitor_vms_add(vms, 1, text);
    bool sent = monitor_vms_send(vms, monitor.installation, &error);
    g_autofree char *got = receive(&monitor, &length);
    assert_true(sent ? got != NULL : error != NULL);
    g_clear_error(&error);
    monitor_end(&monitor);
}

static void
a_named_key_encrypts(void **state)
{
    (void)state;
    g_autofree char *key = test_path("key.pem");
    g_autofree char *public = test_path("public.pem");
    g_autofree char *sealed = test_path("sealed");
    g_autofree char *extra = g_strdup_printf(",\n    PUBKEY = \"%s\"", public);
    g_autoptr(Argv) make = argv_new("openssl", "genrsa", "-out", key, "2048");
    g_autoptr(Argv) publish = argv_new("openssl", "rsa", "-in", key, "-pubout", "-out", public);
    g_autoptr(Argv) open_it = argv_new("openssl", "pkeyutl", "-decrypt", "-inkey", key, "-pkeyopt",
                                       "rsa_padding_mode:pkcs1", "-in", sealed);
    CommandOptions options = {.timeout_ms = SECONDS(60)};
    g_autoptr(MonitorVms) vms = monitor_vms_new();
    g_autoptr(GString) plain = g_string_new(NULL);
    GError *error = NULL;
    gsize length;

    assert_true(command_check(make, &options, NULL, &error));
    assert_true(command_check(publish, &options, NULL, &error));
    Monitor monitor = monitor_start(extra);
    g_autofree char *long_text = g_strnfill(500, 's');
    monitor_vms_add(vms, 7, long_text);
    assert_true(monitor_vms_send(vms, monitor.installation, &error));
    g_autofree char *bytes = receive(&monitor, &length);
    assert_int_equal(length % 256, 0);
    assert_true(length >= 3 * 256);
    for (gsize at = 0; at < length; at += 256) {
        g_autofree char *part = NULL;
        test_write_bytes(sealed, bytes + at, 256);
        assert_true(command_check(open_it, &options, &part, &error));
        g_string_append(plain, part);
    }
    assert_true(g_str_has_prefix(plain->str, "VM=[ID=7,MONITOR=\""));
    assert_true(g_str_has_suffix(plain->str, "\"]"));
    monitor_end(&monitor);
}

/* OpenNebula's own key files begin with RSA PUBLIC KEY (ssh-keygen -e -m PEM). */
static void
a_key_in_pkcs1_form_encrypts_too(void **state)
{
    (void)state;
    g_autofree char *key = test_path("key1.pem");
    g_autofree char *public = test_path("public1.pem");
    g_autofree char *extra = g_strdup_printf(",\n    PUBKEY = \"%s\"", public);
    g_autoptr(Argv) make = argv_new("openssl", "genrsa", "-out", key, "2048");
    g_autoptr(Argv) publish =
        argv_new("openssl", "rsa", "-in", key, "-RSAPublicKey_out", "-out", public);
    CommandOptions options = {.timeout_ms = SECONDS(60)};
    g_autoptr(MonitorVms) vms = monitor_vms_new();
    GError *error = NULL;
    gsize length;

    assert_true(command_check(make, &options, NULL, &error));
    assert_true(command_check(publish, &options, NULL, &error));
    Monitor monitor = monitor_start(extra);
    monitor_vms_add(vms, 7, "x");
    monitor_vms_send(vms, monitor.installation, &error);
    assert_no_error(error);
    g_autofree char *bytes = receive(&monitor, &length);
    assert_int_equal(length, 256);
    monitor_end(&monitor);
}

static void
a_key_that_is_none_is_an_error(void **state)
{
    (void)state;
    g_autofree char *public = test_path("broken.pem");
    g_autofree char *extra = g_strdup_printf(",\n    PUBKEY = \"%s\"", public);
    g_autoptr(MonitorVms) vms = monitor_vms_new();
    GError *error = NULL;
    gsize length;

    test_write(public, "no key\n");
    Monitor monitor = monitor_start(extra);
    monitor_vms_add(vms, 7, "secret");
    assert_false(monitor_vms_send(vms, monitor.installation, &error));
    assert_failed(error, ONEVOL_ERROR_FAILED, "cannot encrypt");
    assert_null(receive(&monitor, &length)); /* never in the clear */
    monitor_end(&monitor);
}

static void
without_monitord_nothing_is_sent(void **state)
{
    (void)state;
    g_autoptr(Installation) installation = installation_find("/nowhere/remotes");
    g_autoptr(MonitorVms) vms = monitor_vms_new();

    g_free(installation->etc);
    installation->etc = g_strdup("/nowhere");
    monitor_vms_add(vms, 7, "x");
    assert_true(monitor_vms_send(vms, installation, NULL));
}

static void
old_releases_get_lines_on_stdout(void **state)
{
    (void)state;
    g_autoptr(MonitorVms) vms = monitor_vms_new();
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    monitor_vms_add(vms, 7, "DISK_SIZE=[ID=0,SIZE=1] SNAPSHOT_SIZE=[ID=10,DISK_ID=0,SIZE=2]");
    monitor_vms_add(vms, 12, "DISK_SIZE=[ID=1,SIZE=3]");
    monitor_vms_print(vms, out);
    fclose(out);
    assert_string_equal(
        text, "VM=[ID=7,POLL=\"DISK_SIZE=[ID=0,SIZE=1] SNAPSHOT_SIZE=[ID=10,DISK_ID=0,SIZE=2]\"]\n"
              "VM=[ID=12,POLL=\"DISK_SIZE=[ID=1,SIZE=3]\"]\n");
    free(text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_vms_travel_in_one_message),
    cmocka_unit_test(many_vms_need_several_datagrams),
    cmocka_unit_test(a_vm_with_very_many_disks_is_sent_or_complained_about),
    cmocka_unit_test(a_named_key_encrypts),
    cmocka_unit_test(a_key_in_pkcs1_form_encrypts_too),
    cmocka_unit_test(a_key_that_is_none_is_an_error),
    cmocka_unit_test(without_monitord_nothing_is_sent),
    cmocka_unit_test(old_releases_get_lines_on_stdout),
};
TEST_MAIN(tests)
