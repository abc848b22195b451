// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/controllers.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

enum { PLAIN_PORT = 3370, TLS_PORT = 3371 };

void
linstor_controller_free(LinstorController *controller)
{
    g_free(controller->host);
    g_free(controller);
}

/* Takes the scheme off. */
static bool
take_scheme(const char **text, bool *tls)
{
    static const struct {
        const char *scheme;
        bool tls;
    } schemes[] = {
        {"linstor",     false},
        {"http",        false},
        {"linstor+ssl", true },
        {"https",       true },
    };
    const char *end = strstr(*text, "://");

    *tls = false;
    if (!end)
        return true;
    for (guint i = 0; i < G_N_ELEMENTS(schemes); i++) {
        gsize length = strlen(schemes[i].scheme);
        if ((gsize)(end - *text) == length &&
            !g_ascii_strncasecmp(*text, schemes[i].scheme, length)) {
            *tls = schemes[i].tls;
            *text = end + strlen("://");
            return true;
        }
    }
    return false;
}

static bool
is_host(const char *host)
{
    if (!*host || *host == '-' || strlen(host) > 255)
        return false;
    for (const char *p = host; *p; p++)
        if (!g_ascii_isalnum(*p) && !strchr(".-_:%", *p))
            return false;
    return true;
}

/* "host", "host:port", "[address]", "[address]:port"; NULL if it is none of them. */
static char *
take_host(const char *text, guint64 *port)
{
    const char *colon;
    g_autofree char *host = NULL;

    if (*text == '[') {
        const char *end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return NULL;
        host = g_strndup(text + 1, (gsize)(end - text) - 1);
        colon = end[1] ? end + 1 : NULL;
    } else {
        colon = strrchr(text, ':');
        if (colon && strchr(text, ':') != colon)
            return NULL; /* an address of IPv6 without its brackets */
        host = g_strndup(text, colon ? (gsize)(colon - text) : strlen(text));
    }
    if (colon && (!parse_number(colon + 1, 65535, port) || *port == 0))
        return NULL;
    return is_host(host) ? g_steal_pointer(&host) : NULL;
}

static LinstorController *
parse_one(const char *element)
{
    const char *text = element;
    bool tls;

    if (!take_scheme(&text, &tls))
        return NULL;
    guint64 port = tls ? TLS_PORT : PLAIN_PORT;
    g_autofree char *bare = g_strdup(text);
    if (g_str_has_suffix(bare, "/"))
        bare[strlen(bare) - 1] = '\0';
    char *host = take_host(bare, &port);
    if (!host)
        return NULL;
    LinstorController *controller = g_new(LinstorController, 1);
    *controller = (LinstorController){.host = host, .port = (guint16)port, .tls = tls};
    return controller;
}

GPtrArray *
linstor_controllers_parse(const char *list, GError **error)
{
    g_autoptr(GPtrArray) found =
        g_ptr_array_new_with_free_func((GDestroyNotify)linstor_controller_free);
    g_auto(GStrv) elements = g_strsplit(list, ",", -1);

    for (char **p = elements; *p; p++) {
        if (!*g_strstrip(*p))
            continue;
        LinstorController *controller = parse_one(*p);
        if (!controller) {
            set_error(error, ONEVOL_ERROR_USAGE,
                      "'%s' in the list of LINSTOR controllers is not "
                      "[linstor|linstor+ssl|http|https://]host[:port]",
                      *p);
            return NULL;
        }
        g_ptr_array_add(found, controller);
    }
    if (found->len == 0) {
        set_error(error, ONEVOL_ERROR_USAGE, "the list of LINSTOR controllers is empty");
        return NULL;
    }
    return g_steal_pointer(&found);
}

char *
linstor_controller_url(const LinstorController *controller)
{
    bool bracket = strchr(controller->host, ':') != NULL;

    return g_strdup_printf("%s://%s%s%s:%u", controller->tls ? "https" : "http", bracket ? "[" : "",
                           controller->host, bracket ? "]" : "", controller->port);
}

void
linstor_defaults_clear(LinstorDefaults *defaults)
{
    g_free(defaults->controllers);
    g_free(defaults->certificate);
    g_free(defaults->key);
    g_free(defaults->ca);
    *defaults = (LinstorDefaults){0};
}

static void
take_key(GKeyFile *file, const char *name, char **value)
{
    char *found = g_key_file_get_string(file, "global", name, NULL);

    if (!found)
        return;
    g_free(*value);
    *value = g_strstrip(found);
}

/* A file replaces the whole section of the one before it, as in LINBIT's client. */
static bool
read_file(LinstorDefaults *defaults, const char *path)
{
    g_autoptr(GKeyFile) file = g_key_file_new();

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
        return g_file_test(path, G_FILE_TEST_EXISTS);
    if (g_key_file_has_group(file, "global")) {
        linstor_defaults_clear(defaults);
        take_key(file, "controllers", &defaults->controllers);
        take_key(file, "certfile", &defaults->certificate);
        take_key(file, "keyfile", &defaults->key);
        take_key(file, "cafile", &defaults->ca);
    }
    return true;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
read_directory(LinstorDefaults *defaults, const char *path)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    while (directory && (name = g_dir_read_name(directory)))
        if (g_str_has_suffix(name, ".conf"))
            g_ptr_array_add(names, g_build_filename(path, name, NULL));
    g_ptr_array_sort(names, by_name);
    for (guint i = 0; i < names->len; i++)
        read_file(defaults, g_ptr_array_index(names, i));
}

void
linstor_defaults_read(LinstorDefaults *defaults, const char *home, const char *directory)
{
    const char *system = directory ? directory : "/etc/linstor";
    g_autofree char *parts = g_build_filename(system, "linstor-client.d", NULL);
    g_autofree char *own = g_build_filename(home ? home : g_get_home_dir(), ".config", "linstor",
                                            "linstor-client.conf", NULL);
    g_autofree char *common = g_build_filename(system, "linstor-client.conf", NULL);
    const char *set = g_getenv("LS_CONTROLLERS");

    *defaults = (LinstorDefaults){0};
    read_directory(defaults, parts);
    if (!read_file(defaults, own))
        read_file(defaults, common);
    if (set && *set) {
        g_free(defaults->controllers);
        defaults->controllers = g_strdup(set);
    }
}
