// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <errno.h>
#include <string.h>

/* clang-format off */
G_DEFINE_QUARK(onevol-error, onevol_error)
/* clang-format on */

static OnevolError
code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return ONEVOL_ERROR_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ONEVOL_ERROR_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return ONEVOL_ERROR_DENIED;
    case EBUSY:
    case ETXTBSY:
        return ONEVOL_ERROR_BUSY;
    case EOPNOTSUPP:
    case ENOSYS:
        return ONEVOL_ERROR_UNSUPPORTED;
    case ETIMEDOUT:
        return ONEVOL_ERROR_TIMEOUT;
    default:
        return ONEVOL_ERROR_FAILED;
    }
}

/* Names from outside may hold anything; an error is one line all the same. */
static char *line_of(const char *format, va_list arguments) G_GNUC_PRINTF(1, 0);

static char *
line_of(const char *format, va_list arguments)
{
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    return one_line(text, 2000);
}

bool
set_error_errno(GError **error, int number, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = line_of(format, arguments);
    va_end(arguments);

    g_set_error(error, ONEVOL_ERROR, code_of_errno(number), "%s: %s", text, g_strerror(number));
    return false;
}

bool
set_error(GError **error, OnevolError code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = line_of(format, arguments);
    va_end(arguments);

    g_set_error_literal(error, ONEVOL_ERROR, code, text);
    return false;
}

char *
one_line(const char *text, size_t limit)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autoptr(GString) line = g_string_new(NULL);
    bool gap = false;

    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (g_unichar_isspace(c) || g_unichar_iscntrl(c)) {
            gap = line->len > 0;
            continue;
        }
        if (line->len >= limit) {
            g_string_append(line, "…");
            break;
        }
        if (gap)
            g_string_append_c(line, ' ');
        gap = false;
        g_string_append_unichar(line, c);
    }
    return g_string_free(g_steal_pointer(&line), FALSE);
}
