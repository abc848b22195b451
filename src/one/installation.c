// SPDX-License-Identifier: Apache-2.0
#include "one/installation.h"

#include "base/path.h"

#include <stdio.h>
#include <string.h>

#define NEWEST ONE_VERSION(7, 4, 0)

unsigned
version_number(const char *text)
{
    unsigned major, minor, patch = 0;

    if (sscanf(text, "%2u.%2u.%2u", &major, &minor, &patch) < 2)
        return 0;
    return ONE_VERSION(major, minor, patch);
}

GHashTable *
settings_read(const char *path)
{
    GHashTable *settings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autofree char *text = NULL;
    gsize length;

    if (!g_file_get_contents(path, &text, &length, NULL) || length > (1u << 20))
        return settings;

    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        char *assignment = g_strstrip(*line);
        char *equals = strchr(assignment, '=');
        if (*assignment == '#' || !equals)
            continue;
        g_auto(GStrv) words = NULL;
        /* the shell's rules for quotes and trailing comments */
        if (!g_shell_parse_argv(assignment, NULL, &words, NULL))
            continue;
        const char *word = !strcmp(words[0], "export") && words[1] ? words[1] : words[0];
        equals = strchr(word, '=');
        if (equals)
            g_hash_table_replace(settings, g_strndup(word, (gsize)(equals - word)),
                                 g_strdup(equals + 1));
    }
    return settings;
}

GHashTable *
settings_of_remotes(const Installation *installation, const char *file)
{
    g_autofree char *path = g_build_filename(installation->remotes, "etc", file, NULL);
    return settings_read(path);
}

static char *
datastore_location(const Installation *installation, const char *fallback)
{
    g_autofree char *path = g_build_filename(installation->var, "config", NULL);
    g_autoptr(GHashTable) config = settings_read(path);
    const char *location = g_hash_table_lookup(config, "DATASTORE_LOCATION");
    char *normal = path_normal(location ? location : fallback, NULL);

    return normal ? normal : g_strdup(fallback);
}

Installation *
installation_find(const char *remotes)
{
    const char *location = g_getenv("ONE_LOCATION");
    bool contained = location && g_path_is_absolute(location);
    Installation *installation = g_new0(Installation, 1);

    if (remotes)
        installation->remotes = g_strdup(remotes);
    else
        installation->remotes = contained ? g_build_filename(location, "var/remotes", NULL)
                                          : g_strdup("/var/lib/one/remotes");
    installation->var = g_path_get_dirname(installation->remotes);
    installation->etc = contained ? g_build_filename(location, "etc", NULL) : g_strdup("/etc/one");

    g_autofree char *stores = contained ? g_build_filename(location, "var/datastores", NULL)
                                        : g_strdup("/var/lib/one/datastores");
    installation->datastores = datastore_location(installation, stores);

    g_autofree char *file = g_build_filename(installation->remotes, "VERSION", NULL);
    g_autofree char *text = NULL;
    if (g_file_get_contents(file, &text, NULL, NULL))
        installation->version = version_number(text);
    if (!installation->version)
        installation->version = NEWEST;
    return installation;
}

void
installation_free(Installation *installation)
{
    if (!installation)
        return;
    g_free(installation->remotes);
    g_free(installation->var);
    g_free(installation->etc);
    g_free(installation->datastores);
    g_free(installation);
}

/* Below remotes/etc since 5.6, beside the scripts in 5.4. */
char *
installation_kvm_setting(const Installation *installation, const char *name)
{
    g_autoptr(GHashTable) settings = settings_of_remotes(installation, "vmm/kvm/kvmrc");
    g_autofree char *old = g_build_filename(installation->remotes, "vmm/kvm/kvmrc", NULL);
    g_autoptr(GHashTable) old_settings = settings_read(old);
    const char *value = g_hash_table_lookup(settings, name);

    return g_strdup(value ? value : g_hash_table_lookup(old_settings, name));
}

char *
installation_libvirt_uri(const Installation *installation)
{
    char *uri = installation_kvm_setting(installation, "LIBVIRT_URI");

    return uri ? uri : g_strdup("qemu:///system");
}

char *
installation_remote_scripts(const Installation *installation)
{
    g_autofree char *path = g_build_filename(installation->var, "config", NULL);
    g_autoptr(GHashTable) config = settings_read(path);
    const char *scripts = g_hash_table_lookup(config, "SCRIPTS_REMOTE_DIR");

    return g_strdup(scripts ? scripts : "/var/tmp/one");
}
