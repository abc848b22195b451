// SPDX-License-Identifier: Apache-2.0
#include "core/driver.h"

#include "base/path.h"

#include <string.h>

const Driver *
driver_find(const char *name)
{
    for (const Driver *const *driver = drivers; *driver; driver++)
        if (!strcmp((*driver)->name, name))
            return *driver;
    return NULL;
}

/* The driver that the interpreter line of oned's directory names; NULL without one. */
static char *
driver_of_files(const Installation *installation, const char *name)
{
    g_autofree char *path = g_build_filename(installation->remotes, "tm", name, "clone", NULL);
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL) || !g_str_has_prefix(text, "#!"))
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    char *blank = strrchr(text, ' ');
    return blank ? g_strdup(blank + 1) : NULL;
}

const Driver *
driver_named(const Installation *installation, const char *name)
{
    g_autoptr(GHashTable) settings = settings_of_remotes(installation, "onevol/onevol.conf");
    const char *aliases = g_hash_table_lookup(settings, "ALIASES");
    g_auto(GStrv) pairs = g_strsplit_set(aliases ? aliases : "", " ,", -1);
    gsize length = name ? strlen(name) : 0;

    if (!name || !name_is_safe(name))
        return NULL;
    for (char **pair = pairs; *pair; pair++)
        if (!strncmp(*pair, name, length) && (*pair)[length] == '=')
            return driver_find(*pair + length + 1);
    const Driver *driver = driver_find(name);
    g_autofree char *behind = driver ? NULL : driver_of_files(installation, name);
    return behind ? driver_find(behind) : driver;
}
