// SPDX-License-Identifier: Apache-2.0
#include "one/monitord.h"

#include "base/error.h"
#include "base/path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

/* One datagram of text; compressed and in base64 it stays below the 64 KiB that UDP carries, with
 * RSA blocks of text as well. */
#define TEXT_LIMIT 32768u

typedef struct MonitorVm {
    gint64 id;
    char *text;
} MonitorVm;

struct MonitorVms {
    GPtrArray *list;
};

static void
monitor_vm_free(gpointer data)
{
    g_free(((MonitorVm *)data)->text);
    g_free(data);
}

MonitorVms *
monitor_vms_new(void)
{
    MonitorVms *vms = g_new0(MonitorVms, 1);
    vms->list = g_ptr_array_new_with_free_func(monitor_vm_free);
    return vms;
}

void
monitor_vms_free(MonitorVms *vms)
{
    if (!vms)
        return;
    g_ptr_array_unref(vms->list);
    g_free(vms);
}

void
monitor_vms_add(MonitorVms *vms, gint64 vm_id, const char *text)
{
    MonitorVm *vm = g_new0(MonitorVm, 1);

    vm->id = vm_id;
    vm->text = g_strdup(text);
    g_ptr_array_add(vms->list, vm);
}

void
monitor_vms_print(const MonitorVms *vms, FILE *out)
{
    for (guint i = 0; i < vms->list->len; i++) {
        const MonitorVm *vm = g_ptr_array_index(vms->list, i);
        fprintf(out, "VM=[ID=%" G_GINT64_FORMAT ",POLL=\"%s\"]\n", vm->id, vm->text);
    }
}

/* monitord.conf is not flat: NETWORK = [ ADDRESS = "0.0.0.0", MONITOR_ADDRESS = "auto", … ]. */
static char *
network_value(const char *conf, const char *name)
{
    g_autofree char *pattern =
        g_strdup_printf("(?m)^[^#\\n]*\\b%s\\s*=\\s*\"?([^\",\\]\\s]*)", name);
    g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_DEFAULT, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;

    if (!g_regex_match(regex, conf, 0, &match))
        return NULL;
    char *value = g_match_info_fetch(match, 1);
    if (value && !*value)
        g_clear_pointer(&value, g_free);
    return value;
}

static char *
read_monitord_conf(const Installation *installation)
{
    g_autofree char *own = g_build_filename(installation->etc, "monitord.conf", NULL);
    /* the first is where 7.4 looks */
    const char *const paths[] = {"/var/tmp/one_db/etc/monitord.conf", own, NULL};

    for (const char *const *path = paths; *path; path++) {
        char *text = NULL;
        if (g_file_get_contents(*path, &text, NULL, NULL))
            return text;
    }
    return NULL;
}

static bool
connect_to(const char *address, const char *port, int *fd, GError **error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    int status = getaddrinfo(address, port, &hints, &found);

    if (status)
        return set_error(error, ONEVOL_ERROR_UNREACHABLE, "monitord's address '%s': %s", address,
                         gai_strerror(status));
    *fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (*fd < 0 || connect(*fd, found->ai_addr, found->ai_addrlen)) {
        int number = errno;
        if (*fd >= 0)
            close(*fd);
        freeaddrinfo(found);
        return set_error_errno(error, number, "cannot reach monitord at '%s'", address);
    }
    freeaddrinfo(found);
    return true;
}

/* PKCS#1 v1.5 in blocks of the key's size less 11; the key file is an "RSA PUBLIC KEY". */
static GByteArray *
encrypt(const char *key_file, const char *text, GError **error)
{
    g_autofree char *pem = NULL;
    if (!g_file_get_contents(key_file, &pem, NULL, NULL))
        return NULL; /* not readable: sent as it is, as the stock helper does */

    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    EVP_PKEY_CTX *context = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    GByteArray *sealed = g_byte_array_new();
    bool done = context && EVP_PKEY_encrypt_init(context) > 0 &&
                EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;

    gsize block = done ? (gsize)EVP_PKEY_get_size(key) : 0, length = strlen(text);
    g_autofree guint8 *out = g_malloc(MAX(block, 1));
    for (gsize at = 0; done && at < length; at += block - 11) {
        size_t size = block;
        done = EVP_PKEY_encrypt(context, out, &size, (const guint8 *)text + at,
                                MIN(block - 11, length - at)) > 0;
        g_byte_array_append(sealed, out, done ? (guint)size : 0);
    }
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    if (done)
        return sealed;
    g_byte_array_unref(sealed);
    set_error(error, ONEVOL_ERROR_FAILED, "cannot encrypt for monitord with '%s'", key_file);
    return NULL;
}

static bool
send_text(int fd, const char *key_file, const char *text, GError **error)
{
    GError *local = NULL;
    g_autoptr(GByteArray) sealed = key_file ? encrypt(key_file, text, &local) : NULL;
    if (local) {
        g_propagate_error(error, local);
        return false;
    }
    const guint8 *bytes = sealed ? sealed->data : (const guint8 *)text;
    uLong length = sealed ? sealed->len : strlen(text);
    uLongf packed_length = compressBound(length);
    g_autofree guint8 *packed = g_malloc(packed_length);

    compress(packed, &packed_length, bytes, length);
    g_autofree char *payload = g_base64_encode(packed, packed_length);
    g_autofree char *message = g_strdup_printf("MONITOR_VM SUCCESS -1 0 %s\n", payload);
    if (send(fd, message, strlen(message), 0) < 0)
        return set_error_errno(error, errno, "cannot send to monitord");
    return true;
}

static bool
send_all(const MonitorVms *vms, int fd, const char *key_file, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < vms->list->len; i++) {
        const MonitorVm *vm = g_ptr_array_index(vms->list, i);
        g_autofree char *encoded = g_base64_encode((const guchar *)vm->text, strlen(vm->text));
        if (text->len && text->len + strlen(encoded) + 64 > TEXT_LIMIT) {
            if (!send_text(fd, key_file, text->str, error))
                return false;
            g_string_truncate(text, 0);
        }
        g_string_append_printf(text, "%sVM=[ID=%" G_GINT64_FORMAT ",MONITOR=\"%s\"]",
                               text->len ? " " : "", vm->id, encoded);
    }
    return text->len == 0 || send_text(fd, key_file, text->str, error);
}

bool
monitor_vms_send(const MonitorVms *vms, const Installation *installation, GError **error)
{
    g_autofree char *conf = read_monitord_conf(installation);
    int fd = -1;

    if (!conf || vms->list->len == 0)
        return true;
    g_autofree char *address = network_value(conf, "MONITOR_ADDRESS");
    g_autofree char *port = network_value(conf, "PORT");
    g_autofree char *key_file = network_value(conf, "PUBKEY");

    if (!address || !strcmp(address, "auto")) {
        g_free(address);
        address = g_strdup("127.0.0.1");
    }
    if (!connect_to(address, port ? port : "4124", &fd, error))
        return false;
    bool done = send_all(vms, fd, key_file, error);
    close(fd);
    return done;
}
