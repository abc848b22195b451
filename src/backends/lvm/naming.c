// SPDX-License-Identifier: Apache-2.0
#include "backends/lvm/naming.h"

#include "base/path.h"

#include <string.h>

/* "vg--one-lv--one--7--0": the one dash that stands alone divides. */
static char *
of_mapper(const char *text, char **group)
{
    g_autoptr(GString) name = g_string_new(NULL);
    g_autofree char *front = NULL;

    for (const char *p = text; *p; p++) {
        if (*p != '-' || *++p == '-') {
            g_string_append_c(name, *p);
            continue;
        }
        p--;
        if (front)
            return NULL;
        front = g_strdup(name->str);
        g_string_truncate(name, 0);
    }
    if (!front || !*front || !name->len)
        return NULL;
    if (group)
        *group = g_steal_pointer(&front);
    return g_strdup(name->str);
}

char *
lvm_of_device(const char *device, char **group)
{
    static const char mapper[] = "/dev/mapper/";

    if (!g_str_has_prefix(device, "/dev/"))
        return NULL;
    if (g_str_has_prefix(device, mapper))
        return strchr(device + strlen(mapper), '/') ? NULL
                                                    : of_mapper(device + strlen(mapper), group);
    g_auto(GStrv) parts = g_strsplit(device + strlen("/dev/"), "/", -1);
    if (g_strv_length(parts) != 2 || !*parts[0] || !*parts[1])
        return NULL;
    if (group)
        *group = g_strdup(parts[0]);
    return g_strdup(parts[1]);
}

bool
lvm_numbers(const char *name, const char *prefix, gint64 *numbers, guint count)
{
    guint64 number;

    if (!g_str_has_prefix(name, prefix))
        return false;
    g_auto(GStrv) parts = g_strsplit(name + strlen(prefix), "-", -1);
    if (g_strv_length(parts) != count)
        return false;
    for (guint i = 0; i < count; i++) {
        if ((parts[i][0] == '0' && parts[i][1]) || !parse_number(parts[i], G_MAXINT32, &number))
            return false;
        numbers[i] = (gint64)number;
    }
    return true;
}
