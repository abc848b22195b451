// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/naming.h"

#include "backends/linstor/linstor.h"
#include "backends/linstor/model.h"

#include <stdarg.h>
#include <string.h>

#define BY_NAME "/dev/drbd/by-res/"

const LinstorNames *
linstor_names_of(const Driver *driver)
{
    return driver->naming == &linstor_un_naming ? &linstor_un_names : &linstor_names;
}

/* As it is printed: no sign, no leading zeros. Moves *text behind it. */
static bool
take_number(const char **text, gint64 *number)
{
    const char *start = *text;
    gint64 value = 0;

    while (g_ascii_isdigit(**text)) {
        value = value * 10 + (**text - '0');
        if (value > G_MAXINT32)
            return false;
        (*text)++;
    }
    *number = value;
    return *text > start && (*start != '0' || *text == start + 1);
}

bool
linstor_name_match(const char *name, const char *pattern, ...)
{
    va_list numbers;
    bool same = true;

    va_start(numbers, pattern);
    for (; same && *pattern; pattern++) {
        if (*pattern == '#')
            same = take_number(&name, va_arg(numbers, gint64 *));
        else
            same = *name++ == *pattern;
    }
    va_end(numbers);
    return same && !*name;
}

char *
linstor_snapshot_name(const LinstorNames *names, gint64 id)
{
    return g_strdup_printf("%s%" G_GINT64_FORMAT, names->snapshot, id);
}

bool
linstor_snapshot_id(const LinstorNames *names, const char *name, gint64 *id)
{
    g_autofree char *pattern = g_strconcat(names->snapshot, "#", NULL);

    return linstor_name_match(name, pattern, id);
}

char *
linstor_device_path(const char *name)
{
    return g_strconcat(BY_NAME, name, "/0", NULL);
}

char *
linstor_name_in_device(const char *device)
{
    if (!g_str_has_prefix(device, BY_NAME) || !g_str_has_suffix(device, "/0") ||
        strlen(device) < strlen(BY_NAME "/0"))
        return NULL;
    g_autofree char *name =
        g_strndup(device + strlen(BY_NAME), strlen(device) - strlen(BY_NAME "/0"));
    return linstor_name_is_valid(name) ? g_steal_pointer(&name) : NULL;
}
