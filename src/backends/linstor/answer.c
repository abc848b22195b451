// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/answer.h"

#include "base/error.h"

#include <string.h>

enum { CODE_MASK = 0x7FFF, TEXT_LIMIT = 700 };

LinstorSeverity
linstor_severity(gint64 ret_code)
{
    switch ((guint64)ret_code >> 62) {
    case 0:
        return LINSTOR_SUCCESS;
    case 1:
        return LINSTOR_INFO;
    case 2:
        return LINSTOR_WARNING;
    default:
        return LINSTOR_ERROR;
    }
}

int
linstor_code(gint64 ret_code)
{
    return (int)(ret_code & CODE_MASK);
}

/* An entry's code; false if it has none. */
static bool
code_of(const json_t *entry, gint64 *ret_code)
{
    const json_t *found = json_object_get(entry, "ret_code");

    *ret_code = json_integer_value(found);
    return json_is_integer(found);
}

bool
linstor_answer_is_valid(const json_t *answer)
{
    gint64 ret_code;
    size_t i;
    json_t *entry;

    if (!json_is_array(answer))
        return false;
    json_array_foreach(answer, i, entry) if (!code_of(entry, &ret_code)) return false;
    return true;
}

bool
linstor_answer_has(const json_t *answer, LinstorSeverity severity, int code)
{
    gint64 ret_code;
    size_t i;
    json_t *entry;

    json_array_foreach(answer, i, entry) if (code_of(entry, &ret_code) &&
                                             linstor_severity(ret_code) == severity &&
                                             linstor_code(ret_code) == code) return true;
    return false;
}

const json_t *
linstor_answer_first(const json_t *answer, LinstorSeverity severity)
{
    gint64 ret_code;
    size_t i;
    json_t *entry;

    json_array_foreach(answer, i, entry) if (code_of(entry, &ret_code) &&
                                             linstor_severity(ret_code) == severity) return entry;
    return NULL;
}

const char *
linstor_answer_reference(const json_t *answer, const char *key)
{
    size_t i;
    json_t *entry;

    json_array_foreach(answer, i, entry)
    {
        const char *value =
            json_string_value(json_object_get(json_object_get(entry, "obj_refs"), key));
        if (value)
            return value;
    }
    return NULL;
}

static void
add_sentence(GString *text, const json_t *entry, const char *key)
{
    const char *said = json_string_value(json_object_get(entry, key));

    if (!said || !*said)
        return;
    if (text->len > 0)
        g_string_append(text, text->str[text->len - 1] == '.' ? " " : ". ");
    g_string_append(text, said);
}

char *
linstor_entry_text(const json_t *entry)
{
    g_autoptr(GString) text = g_string_new(NULL);
    size_t i;
    json_t *id;

    add_sentence(text, entry, "message");
    add_sentence(text, entry, "cause");
    add_sentence(text, entry, "correction");
    g_autofree char *line = one_line(text->str, TEXT_LIMIT);
    g_string_assign(text, line);
    if (text->len > 0 && text->str[text->len - 1] == '.')
        g_string_truncate(text, text->len - 1);
    const json_t *ids = json_object_get(entry, "error_report_ids");
    json_array_foreach(ids, i, id)
    {
        g_autofree char *name = one_line(json_is_string(id) ? json_string_value(id) : "?", 60);
        g_string_append_printf(text, "%s%s", i == 0 ? " (error report " : ", ", name);
    }
    if (json_array_size(ids) > 0)
        g_string_append_c(text, ')');
    return g_string_free(g_steal_pointer(&text), FALSE);
}

int
linstor_error_of(int code)
{
    switch (code) {
    case LINSTOR_FAIL_ROLLBACK_RUNS:
    case LINSTOR_FAIL_NOT_ALL_UPTODATE:
    case LINSTOR_FAIL_SNAPSHOT_NOT_UPTODATE:
    case LINSTOR_FAIL_IN_USE:
        return ONEVOL_ERROR_BUSY;
    case LINSTOR_FAIL_NO_FREE_SPACE:
    case LINSTOR_FAIL_NOT_ENOUGH_NODES:
        return ONEVOL_ERROR_NO_SPACE;
    case LINSTOR_FAIL_LAYER_UNSUPPORTED:
    case LINSTOR_FAIL_NO_SNAPSHOTS:
    case LINSTOR_FAIL_INVALID_LAYER_STACK:
    case LINSTOR_FAIL_INVALID_PROVIDER:
    case LINSTOR_FAIL_DEPENDENT_BACKUP:
        return ONEVOL_ERROR_UNSUPPORTED;
    case LINSTOR_FAIL_NOT_CONNECTED:
        return ONEVOL_ERROR_UNREACHABLE;
    case LINSTOR_FAIL_SIGN_IN:
    case LINSTOR_FAIL_NO_CREDENTIALS:
    case LINSTOR_FAIL_NO_CRYPT_KEY:
        return ONEVOL_ERROR_DENIED;
    default:
        break;
    }
    if (code >= LINSTOR_FAIL_DENIED_FIRST && code <= LINSTOR_FAIL_DENIED_LAST)
        return ONEVOL_ERROR_DENIED;
    if (code >= 500 && code < 600) /* exists already, or something that must go first does */
        return ONEVOL_ERROR_REFUSED;
    if (code >= 300 && code < 400)
        return ONEVOL_ERROR_NOT_FOUND;
    if (code >= 200 && code < 300)
        return ONEVOL_ERROR_USAGE;
    return ONEVOL_ERROR_FAILED;
}
