// SPDX-License-Identifier: Apache-2.0
#include "base/path.h"

#include "base/error.h"

#include <string.h>

char *
path_normal(const char *path, GError **error)
{
    if (!g_path_is_absolute(path)) {
        set_error(error, ONEVOL_ERROR_USAGE, "path '%s' is not absolute", path);
        return NULL;
    }
    for (const char *p = path; *p; p++) {
        if (g_ascii_iscntrl(*p)) {
            g_autofree char *shown = one_line(path, 200);
            set_error(error, ONEVOL_ERROR_USAGE, "path '%s' holds control characters", shown);
            return NULL;
        }
    }
    char *normal = g_canonicalize_filename(path, "/");
    if (normal[0] == '/' && normal[1] == '/') /* GLib keeps exactly two leading slashes */
        memmove(normal, normal + 1, strlen(normal));
    return normal;
}

bool
path_is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    while (length > 0 && directory[length - 1] == '/')
        length--;
    return strncmp(path, directory, length) == 0 && path[length] == '/' && path[length + 1];
}

bool
name_is_safe(const char *name)
{
    if (!*name || *name == '-' || strlen(name) > 200 || !strcmp(name, ".") || !strcmp(name, ".."))
        return false;
    for (const char *p = name; *p; p++)
        if (!g_ascii_isalnum(*p) && !strchr("._-+@=:", *p))
            return false;
    return true;
}

bool
parse_number(const char *text, guint64 maximum, guint64 *number)
{
    return text && *text && strspn(text, "0123456789") == strlen(text) &&
           g_ascii_string_to_unsigned(text, 10, 0, maximum, number, NULL);
}
