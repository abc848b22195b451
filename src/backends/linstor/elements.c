// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/elements.h"

#include "base/error.h"

#include <string.h>

typedef enum { BEFORE, FIRST, INSIDE, BETWEEN, NEXT, AFTER } Place;

struct LinstorElements {
    LinstorVisit visit;
    void *user;
    Place place;
    GString *text;
    unsigned depth;
    bool string, escaped;
};

LinstorElements *
linstor_elements_new(LinstorVisit visit, void *user)
{
    LinstorElements *elements = g_new0(LinstorElements, 1);

    elements->visit = visit;
    elements->user = user;
    elements->text = g_string_new(NULL);
    return elements;
}

void
linstor_elements_free(LinstorElements *elements)
{
    if (!elements)
        return;
    g_string_free(elements->text, TRUE);
    g_free(elements);
}

static bool
not_json(GError **error)
{
    return set_error(error, ONEVOL_ERROR_CORRUPT, "the controller's answer is no JSON array");
}

static bool
finish(LinstorElements *elements, GError **error)
{
    json_error_t why;
    json_t *value = json_loadb(elements->text->str, elements->text->len, JSON_DECODE_ANY, &why);

    if (!value)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "the controller's answer is not JSON: %s",
                         why.text);
    bool done = elements->visit(value, elements->user, error);
    json_decref(value);
    g_string_truncate(elements->text, 0);
    return done;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* How far the element goes within these bytes; *ends says that it ends there. */
static gsize
scan(LinstorElements *elements, const char *data, gsize length, bool *ends)
{
    for (gsize i = 0; i < length; i++) {
        char c = data[i];
        if (elements->string) {
            if (elements->escaped)
                elements->escaped = false;
            else if (c == '\\')
                elements->escaped = true;
            else if (c == '"')
                elements->string = false;
        } else if (c == '"') {
            elements->string = true;
        } else if (c == '{' || c == '[') {
            elements->depth++;
        } else if ((c == '}' || c == ']') && elements->depth > 0) {
            elements->depth--;
        } else if (elements->depth == 0 && (c == ',' || c == ']')) {
            *ends = true;
            return i;
        }
    }
    return length;
}

/* One byte between elements. */
static bool
step(LinstorElements *elements, char c, bool *begins, GError **error)
{
    *begins = false;
    if (is_blank(c))
        return true;
    switch (elements->place) {
    case BEFORE:
        elements->place = FIRST;
        return c == '[' || not_json(error);
    case FIRST:
        if (c == ']') {
            elements->place = AFTER;
            return true;
        }
        *begins = true;
        return true;
    case NEXT:
        *begins = true;
        return true;
    case BETWEEN:
        elements->place = c == ',' ? NEXT : AFTER;
        return c == ',' || c == ']' || not_json(error);
    case INSIDE:
    case AFTER:
        break;
    }
    return not_json(error);
}

bool
linstor_elements_feed(LinstorElements *elements, const char *data, gsize length, GError **error)
{
    gsize i = 0;

    while (i < length) {
        bool begins = false, ends = false;
        if (elements->place != INSIDE) {
            if (!step(elements, data[i], &begins, error))
                return false;
            if (!begins) {
                i++;
                continue;
            }
            elements->place = INSIDE;
        }
        gsize part = scan(elements, data + i, length - i, &ends);
        if (elements->text->len + part > LINSTOR_ELEMENT_LIMIT)
            return set_error(error, ONEVOL_ERROR_CORRUPT,
                             "an element of the controller's answer has more than %u bytes",
                             LINSTOR_ELEMENT_LIMIT);
        g_string_append_len(elements->text, data + i, (gssize)part);
        i += part;
        if (ends) {
            if (!finish(elements, error))
                return false;
            elements->place = BETWEEN;
        }
    }
    return true;
}

bool
linstor_elements_end(const LinstorElements *elements, GError **error)
{
    return elements->place == AFTER ||
           set_error(error, ONEVOL_ERROR_CORRUPT, "the controller's answer ends too early");
}
