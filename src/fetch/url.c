// SPDX-License-Identifier: Apache-2.0
#include "fetch/url.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

void
source_url_clear(SourceUrl *url)
{
    g_clear_pointer(&url->text, g_free);
    g_clear_pointer(&url->shown, g_free);
    g_clear_pointer(&url->host, g_free);
    g_clear_pointer(&url->path, g_free);
}

static bool
malformed(const SourceUrl *url, const char *form, GError **error)
{
    return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is not of the form %s", url->shown, form);
}

/* "http://user:word@host/path?signature" is shown as "http://host/path". */
static char *
without_secrets(const char *text)
{
    const char *rest = strstr(text, "://");
    if (!rest)
        return one_line(text, 200);
    rest += 3;
    gsize authority = strcspn(rest, "/?#");
    const char *at = g_strrstr_len(rest, (gssize)authority, "@");
    bool is_ssh = g_str_has_prefix(text, "ssh://"); /* a name, no password */
    const char *host = at && !is_ssh ? at + 1 : rest;
    gsize end = strcspn(host, "?#");
    g_autofree char *short_text =
        g_strdup_printf("%.*s%.*s", (int)(rest - text), text, (int)end, host);

    return one_line(short_text, 200);
}

/* Printable, no blanks; libarchive, ssh and curl get nothing else. */
static bool
is_clean(const char *text)
{
    for (; *text; text++)
        if ((guchar)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool
parse_file(SourceUrl *url, const char *path, GError **error)
{
    url->scheme = SCHEME_FILE;
    url->path = path_normal(path, error);
    return url->path != NULL;
}

static bool
parse_http(SourceUrl *url, const char *rest, GError **error)
{
    url->scheme = SCHEME_HTTP;
    if (!is_clean(url->text) || strcspn(rest, "/?#") == 0)
        return malformed(url, "http://host/path", error);
    return true;
}

static bool
take_ssh_host(SourceUrl *url, const char *start, gsize length, GError **error)
{
    g_autofree char *host = g_strndup(start, length);

    if (strchr(host, ':') || !name_is_safe(host) || *host == '@' || g_str_has_suffix(host, "@"))
        return malformed(url, "ssh://[user@]host:/path", error);
    url->host = g_steal_pointer(&host);
    return true;
}

static bool
take_ssh_path(SourceUrl *url, const char *path, GError **error)
{
    if (!*path)
        return malformed(url, "ssh://[user@]host:/path", error);
    for (const char *c = path; *c; c++)
        if (g_ascii_iscntrl(*c))
            return malformed(url, "ssh://[user@]host:/path", error);
    url->path = g_strdup(path);
    return true;
}

/* A colon starts OpenNebula's form of the path, or a port if digits and a slash follow. */
static bool
parse_ssh(SourceUrl *url, const char *rest, GError **error)
{
    gsize length = strcspn(rest, ":/");
    const char *path = rest + length;
    guint64 port;

    url->scheme = SCHEME_SSH;
    if (!take_ssh_host(url, rest, length, error))
        return false;
    if (*path == ':') {
        gsize digits = strspn(++path, "0123456789");
        g_autofree char *number = g_strndup(path, digits);
        if (digits > 0 && path[digits] == '/' && parse_number(number, 65535, &port) && port > 0) {
            url->port = (guint)port;
            path += digits;
        }
    }
    return take_ssh_path(url, path, error);
}

static bool
parse_s3(SourceUrl *url, const char *rest, GError **error)
{
    gsize length = strcspn(rest, "/");

    url->scheme = SCHEME_S3;
    url->host = g_strndup(rest, length);
    if (!name_is_safe(url->host) || strchr(url->host, '@') || strchr(url->host, ':') ||
        rest[length] != '/' || !rest[length + 1] || !is_clean(rest))
        return malformed(url, "s3://bucket/key", error);
    url->path = g_strdup(rest + length + 1);
    return true;
}

static bool
parse_image(SourceUrl *url, const char *rest, GError **error)
{
    guint64 id;

    url->scheme = SCHEME_IMAGE;
    if (!parse_number(rest, G_MAXINT32, &id))
        return malformed(url, "vol://IMAGE_ID", error);
    url->id = (gint64)id;
    return true;
}

static bool
parse_disk(SourceUrl *url, const char *rest, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(rest, "/", 3);
    guint64 id, disk;

    url->scheme = SCHEME_DISK;
    if (g_strv_length(parts) != 2 || !parse_number(parts[0], G_MAXINT32, &id) ||
        !parse_number(parts[1], G_MAXINT32, &disk))
        return malformed(url, "lvm://VM_ID/DISK_ID", error);
    url->id = (gint64)id;
    url->disk = (gint64)disk;
    return true;
}

/* downloader.sh and what it starts are shell scripts that put the URL between double quotes and
 * evaluate it: nothing may pass that means something there. */
static bool
parse_exotic(SourceUrl *url, G_GNUC_UNUSED const char *rest, GError **error)
{
    url->scheme = SCHEME_DOWNLOADER;
    for (const char *c = url->text; *c; c++)
        if (!g_ascii_isalnum(*c) && !strchr("._-+@=:/?&%,~#", *c))
            return set_error(error, ONEVOL_ERROR_REFUSED,
                             "'%s' holds a character that is not allowed there", url->shown);
    return true;
}

static const struct {
    const char *scheme;
    bool (*parse)(SourceUrl *url, const char *rest, GError **error);
} schemes[] = {
    {"http",       parse_http  },
    {"https",      parse_http  },
    {"ssh",        parse_ssh   },
    {"s3",         parse_s3    },
    {"vol",        parse_image },
    {"lvm",        parse_disk  },
    {"rbd",        parse_exotic},
    {"docker",     parse_exotic},
    {"dockerfile", parse_exotic},
    {"lxd",        parse_exotic},
    {"restic",     parse_exotic},
    {"restic+rbd", parse_exotic},
    {"rsync",      parse_exotic},
    {"rsync+rbd",  parse_exotic},
    {"netapp",     parse_exotic},
    {"purefa",     parse_exotic},
    {"onebex",     parse_exotic},
    {"vcenter",    parse_exotic},
};

static bool
parse_any(SourceUrl *url, const char *path, GError **error)
{
    const char *mark = strstr(path, "://");

    if (*path == '/')
        return parse_file(url, path, error);
    for (guint i = 0; mark && i < G_N_ELEMENTS(schemes); i++)
        if (strlen(schemes[i].scheme) == (gsize)(mark - path) &&
            !g_ascii_strncasecmp(path, schemes[i].scheme, (gsize)(mark - path)))
            return schemes[i].parse(url, mark + 3, error);
    if (!mark && strcspn(path, ":/") < strlen(path) && path[strcspn(path, ":/")] == ':')
        return parse_ssh(url, path, error);
    if (mark)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "images cannot be fetched from '%s'",
                         url->shown);
    return malformed(url, "/path or scheme://...", error);
}

bool
source_url_parse(const char *path, SourceUrl *url, GError **error)
{
    *url = (SourceUrl){.text = g_strdup(path), .shown = without_secrets(path)};
    if (parse_any(url, path, error))
        return true;
    source_url_clear(url);
    return false;
}

char *
source_url_with_arguments(const char *url, const char *arguments)
{
    gsize length = strcspn(url, "#");
    gsize query = strcspn(url, "?");
    const char *join = query < length ? "&" : "?";

    if (!arguments || !*arguments)
        return g_strdup(url);
    if (*arguments == '?' || *arguments == '&')
        arguments++;
    return g_strdup_printf("%.*s%s%s%s", (int)length, url, join, arguments, url + length);
}
