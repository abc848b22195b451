// SPDX-License-Identifier: Apache-2.0
#include "verify/monitord.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_LIMIT 65536
#define TEXT_LIMIT (16u << 20)

struct Monitord {
    int fd;
    unsigned port;
};

Monitord *
monitord_start(GError **error)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) ||
        getsockname(fd, (struct sockaddr *)&address, &length)) {
        set_error_errno(error, errno, "cannot open a UDP port");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    Monitord *monitord = g_new0(Monitord, 1);
    *monitord = (Monitord){.fd = fd, .port = ntohs(address.sin_port)};
    return monitord;
}

void
monitord_stop(Monitord *monitord)
{
    if (!monitord)
        return;
    close(monitord->fd);
    g_free(monitord);
}

unsigned
monitord_port(const Monitord *monitord)
{
    return monitord->port;
}

static char *
decode_base64(const char *text)
{
    gsize length;
    guchar *bytes = g_base64_decode(text, &length);

    bytes = g_realloc(bytes, length + 1);
    bytes[length] = '\0';
    return (char *)bytes;
}

bool
monitor_vm_lines(const char *text, const char *name, bool encoded, GHashTable *sizes,
                 GError **error)
{
    g_autofree char *pattern = g_strdup_printf(
        "\\s*VM\\s*=\\s*\\[\\s*ID\\s*=\\s*\"?(\\d+)\"?\\s*,\\s*%s\\s*=\\s*\"([^\"]*)\"\\s*\\]\\s*",
        name);
    g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    gint end = 0;

    g_regex_match(regex, text, 0, &match);
    while (g_match_info_matches(match)) {
        gint from, to;
        g_autofree char *id = g_match_info_fetch(match, 1);
        g_autofree char *value = g_match_info_fetch(match, 2);
        g_match_info_fetch_pos(match, 0, &from, &to);
        if (from != end)
            break;
        end = to;
        g_hash_table_replace(sizes, GINT_TO_POINTER((int)g_ascii_strtoll(id, NULL, 10)),
                             encoded ? decode_base64(value) : g_strdup(value));
        g_match_info_next(match, NULL);
    }
    return text[end] == '\0' ||
           set_error(error, ONEVOL_ERROR_CORRUPT, "not of the form VM=[ID=…,%s=\"…\"]: '%s'", name,
                     text + end);
}

static char *
inflate(const guchar *data, gsize length, GError **error)
{
    g_autoptr(GZlibDecompressor) zlib = g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_ZLIB);
    g_autoptr(GInputStream) memory =
        g_memory_input_stream_new_from_data(data, (gssize)length, NULL);
    g_autoptr(GInputStream) stream = g_converter_input_stream_new(memory, G_CONVERTER(zlib));
    char *text = g_malloc(TEXT_LIMIT + 1);
    gsize got = 0;

    if (!g_input_stream_read_all(stream, text, TEXT_LIMIT, &got, NULL, error)) {
        g_free(text);
        return NULL;
    }
    text[got] = '\0';
    return g_realloc(text, got + 1);
}

/* MONITOR_VM <result> <oid> <timestamp> <base64 of zlib of text> */
static bool
take_datagram(const char *datagram, GHashTable *sizes, GError **error)
{
    g_auto(GStrv) words = g_strsplit_set(datagram, " \n", -1);
    guint count = g_strv_length(words);

    /* the line's end makes one empty word more */
    if (count != 6 || *words[5] || strcmp(words[0], "MONITOR_VM") != 0 ||
        strcmp(words[1], "SUCCESS") != 0 || strcmp(words[2], "-1") != 0 ||
        !g_ascii_isdigit(*words[3]))
        return set_error(error, ONEVOL_ERROR_CORRUPT,
                         "not 'MONITOR_VM SUCCESS -1 <timestamp> <payload>' and a newline: '%.60s'",
                         datagram);
    gsize length;
    g_autofree guchar *packed = g_base64_decode(words[4], &length);
    g_autofree char *text = inflate(packed, length, error);
    return text && monitor_vm_lines(text, "MONITOR", true, sizes, error);
}

GHashTable *
monitord_take(Monitord *monitord, GError **error)
{
    GHashTable *sizes = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_autofree char *datagram = g_malloc(DATAGRAM_LIMIT + 1);
    ssize_t got;

    while ((got = recv(monitord->fd, datagram, DATAGRAM_LIMIT, 0)) >= 0) {
        datagram[got] = '\0';
        if (!take_datagram(datagram, sizes, error)) {
            g_hash_table_unref(sizes);
            return NULL;
        }
    }
    return sizes;
}
