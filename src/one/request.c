// SPDX-License-Identifier: Apache-2.0
#include "one/request.h"

#include "base/error.h"
#include "base/path.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* base64 of the largest document, and some line ends */
#define MESSAGE_LIMIT (XML_SIZE_LIMIT / 3 * 4 + (1u << 20))

static const char *const plane_names[] = {"tm", "datastore", "vmm"};

const char *
plane_name(Plane plane)
{
    return plane_names[plane];
}

static bool
plane_parse(const char *text, Plane *plane)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(plane_names); i++) {
        if (!strcmp(text, plane_names[i])) {
            *plane = (Plane)i;
            return true;
        }
    }
    return false;
}

/* oned >= 5.10 appends the system datastore's driver: clone.ssh; VMM hooks are save.NAME. Nothing
 * is decided from it (src/tm/TransferManager.cc puts it on disks of other drivers too). */
static char *
action_without_suffix(const char *action)
{
    return g_strndup(action, strcspn(action, "."));
}

static Request *
request_new(Plane plane, const char *directory, const char *action, char **arguments,
            GError **error)
{
    if (!name_is_safe(directory) || !name_is_safe(action)) {
        g_autofree char *name = g_strconcat(directory, "/", action, NULL);
        g_autofree char *shown = one_line(name, 100);
        set_error(error, ONEVOL_ERROR_USAGE, "'%s' is no name of a driver and its action", shown);
        return NULL;
    }
    Request *request = g_new0(Request, 1);
    request->plane = plane;
    request->directory = g_strdup(directory);
    request->action = action_without_suffix(action);
    request->arguments = g_strdupv(arguments);
    return request;
}

Request *
request_of_file(const char *path, const char *driver, char **arguments, GError **error)
{
    g_autofree char *normal = g_canonicalize_filename(path, NULL);
    g_auto(GStrv) parts = g_strsplit(normal, "/", -1);
    guint count = g_strv_length(parts);
    Plane plane;

    if (count < 4 || !plane_parse(parts[count - 3], &plane)) {
        g_autofree char *shown = one_line(normal, 300);
        set_error(error, ONEVOL_ERROR_USAGE,
                  "'%s' is not a driver file below tm/, datastore/ or vmm/", shown);
        return NULL;
    }
    Request *request = request_new(plane, parts[count - 2], parts[count - 1], arguments, error);
    if (!request)
        return NULL;
    request->driver = g_strdup(driver);
    g_clear_pointer(&parts[count - 3], g_free); /* cut the vector: all before it is remotes */
    request->remotes = g_strjoinv("/", parts);
    for (guint i = count - 2; i < count; i++)
        g_free(parts[i]);
    return request;
}

Request *
request_by_hand(const char *plane_text, const char *directory, const char *action, char **arguments,
                GError **error)
{
    Plane plane;

    if (!plane_parse(plane_text, &plane)) {
        set_error(error, ONEVOL_ERROR_USAGE, "'%s' is none of tm, datastore, vmm", plane_text);
        return NULL;
    }
    return request_new(plane, directory, action, arguments, error);
}

void
request_free(Request *request)
{
    if (!request)
        return;
    g_free(request->directory);
    g_free(request->driver);
    g_free(request->action);
    g_free(request->remotes);
    g_strfreev(request->arguments);
    g_free(request);
}

/* g_base64_decode() passes over what it does not know; a cut or damaged message must not pass. */
static guchar *
base64_strict(const char *text, gsize length, gsize *decoded, GError **error)
{
    g_autofree char *packed = g_malloc(length + 1);
    gsize count = 0, padding = 0;

    for (gsize i = 0; i < length; i++) {
        char c = text[i];
        if (g_ascii_isspace(c))
            continue;
        bool pad = c == '=';
        if ((!pad && padding) || (!pad && !g_ascii_isalnum(c) && c != '+' && c != '/') ||
            (pad && ++padding > 2)) {
            set_error(error, ONEVOL_ERROR_USAGE, "the driver message is not base64");
            return NULL;
        }
        packed[count++] = c;
    }
    packed[count] = '\0';
    if (count == 0 || count % 4) {
        set_error(error, ONEVOL_ERROR_USAGE,
                  count ? "the driver message is cut: its base64 has %" G_GSIZE_FORMAT " characters"
                        : "the driver message is empty (%" G_GSIZE_FORMAT " characters)",
                  count);
        return NULL;
    }
    return g_base64_decode(packed, decoded);
}

char *
document_plain(const char *text, gsize length, gsize *plain, GError **error)
{
    while (length > 0 && g_ascii_isspace(*text)) {
        text++;
        length--;
    }
    if (length > 0 && *text == '<') { /* by hand, and pre/postbackup */
        *plain = length;
        return g_strndup(text, length);
    }
    g_autofree guchar *bytes = base64_strict(text, length, plain, error);
    if (!bytes)
        return NULL;
    char *copy = g_malloc(*plain + 1);
    memcpy(copy, bytes, *plain);
    copy[*plain] = '\0';
    return copy;
}

XmlDocument *
document_decode(const char *text, gsize length, GError **error)
{
    gsize plain;
    g_autofree char *copy = document_plain(text, length, &plain, error);

    return copy ? xml_parse(copy, plain, error) : NULL;
}

static GByteArray *
read_all(int fd, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    guint8 buffer[65536];

    for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) != 0;) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            set_error_errno(error, errno, "cannot read the driver message");
            return NULL;
        }
        g_byte_array_append(bytes, buffer, (guint)got);
        if (bytes->len > MESSAGE_LIMIT) {
            set_error(error, ONEVOL_ERROR_USAGE, "the driver message is larger than %u MiB",
                      MESSAGE_LIMIT >> 20);
            return NULL;
        }
    }
    return g_steal_pointer(&bytes);
}

char *
request_stdin(int fd, GError **error)
{
    GByteArray *bytes = read_all(fd, error);

    if (!bytes)
        return NULL;
    g_byte_array_append(bytes, (const guint8 *)"", 1);
    return (char *)g_byte_array_free(bytes, FALSE);
}

XmlDocument *
request_document(const Request *request, int fd, gint64 *id, GError **error)
{
    char **arguments = request->arguments;
    guint count = g_strv_length(arguments);

    if (count < 1 || count > 2) {
        set_error(error, ONEVOL_ERROR_USAGE,
                  "%s takes 'ID' with the message on stdin, or 'MESSAGE ID', not %u arguments",
                  request->action, count);
        return NULL;
    }
    if (!argument_number(arguments[count - 1], "the id", id, error))
        return NULL;
    if (count == 2 && strcmp(arguments[0], "-") != 0)
        return document_decode(arguments[0], strlen(arguments[0]), error);

    g_autoptr(GByteArray) bytes = read_all(fd, error);
    return bytes ? document_decode((const char *)bytes->data, bytes->len, error) : NULL;
}

bool
location_parse(const char *text, Location *location, GError **error)
{
    const char *colon = strchr(text, ':');

    *location = (Location){0};
    if (!colon || colon == text) {
        g_autofree char *shown = one_line(text, 200);
        return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is not HOST:PATH", shown);
    }
    g_autofree char *host = g_strndup(text, (gsize)(colon - text));
    if (!name_is_safe(host))
        return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is not a host's name", host);
    location->path = path_normal(colon + 1, error);
    if (!location->path)
        return false;
    location->host = g_steal_pointer(&host);
    return true;
}

void
location_clear(Location *location)
{
    g_clear_pointer(&location->host, g_free);
    g_clear_pointer(&location->path, g_free);
}

const char *
source_of_argument(const char *text)
{
    const char *colon = strchr(text, ':');
    return colon && *text != '/' ? colon + 1 : text;
}

gint64
disk_id_of_path(const char *path)
{
    const char *name = strrchr(path, '/');
    guint64 id;

    if (!name || !g_str_has_prefix(name, "/disk.") ||
        !parse_number(name + strlen("/disk."), G_MAXINT32, &id))
        return -1;
    return (gint64)id;
}

bool
argument_number(const char *text, const char *what, gint64 *number, GError **error)
{
    guint64 value;

    if (!parse_number(text, G_MAXINT64, &value)) {
        g_autofree char *shown = one_line(text, 100);
        return set_error(error, ONEVOL_ERROR_USAGE, "%s '%s' is not a number", what, shown);
    }
    *number = (gint64)value;
    return true;
}
