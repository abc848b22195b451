// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/attributes.h"

#include "backends/linstor/linstor.h"
#include "base/error.h"
#include "base/path.h"

#include <string.h>

/* A definition may have so many replicas (LINSTOR: 32 peers). */
#define MOST_REPLICAS 31

typedef struct Reading {
    const OneDatastore *facts;
    GError **error;
} Reading;

static char *
text_of(const Reading *reading, const char *name)
{
    return one_datastore_attribute(reading->facts, name);
}

/* Blanks or commas between the words. NULL for none. */
static GStrv
words_of(const Reading *reading, const char *name)
{
    g_autofree char *text = text_of(reading, name);
    if (!text)
        return NULL;
    g_auto(GStrv) parts = g_strsplit_set(text, " \t,", -1);
    GPtrArray *words = g_ptr_array_new();

    for (char **part = parts; *part; part++)
        if (**part)
            g_ptr_array_add(words, g_strdup(*part));
    if (words->len == 0) {
        g_ptr_array_free(words, TRUE);
        return NULL;
    }
    g_ptr_array_add(words, NULL);
    return (GStrv)g_ptr_array_free(words, FALSE);
}

static bool
refuse_value(const Reading *reading, const char *name, const char *value, const char *wanted)
{
    g_autofree char *shown = one_line(value, 60);

    return set_error(reading->error, ONEVOL_ERROR_USAGE,
                     "datastore %" G_GINT64_FORMAT ": %s '%s' is not %s", reading->facts->id, name,
                     shown, wanted);
}

/* Under its new or its old name, which must not say different things. */
static bool
take_count(const Reading *reading, const char *name, const char *old, unsigned *count)
{
    const char *const names[] = {name, old, NULL};
    const char *said = NULL;

    for (const char *const *at = names; *at; at++) {
        g_autofree char *text = text_of(reading, *at);
        guint64 number;
        if (!text)
            continue;
        if (!parse_number(text, MOST_REPLICAS, &number) || number == 0)
            return refuse_value(reading, *at, text, "a number from 1 to 31");
        if (said && number != *count)
            return set_error(reading->error, ONEVOL_ERROR_USAGE,
                             "datastore %" G_GINT64_FORMAT ": %s and its old name %s say different "
                             "numbers",
                             reading->facts->id, name, old);
        said = *at;
        *count = (unsigned)number;
    }
    return true;
}

static bool
take_flag(const Reading *reading, const char *name, bool *flag)
{
    g_autofree char *text = text_of(reading, name);

    *flag = text && (!g_ascii_strcasecmp(text, "yes") || !g_ascii_strcasecmp(text, "true"));
    return !text || *flag || !g_ascii_strcasecmp(text, "no") ||
           !g_ascii_strcasecmp(text, "false") || refuse_value(reading, name, text, "yes or no");
}

static bool
take_clone_mode(const Reading *reading, LinstorCloneMode *mode)
{
    static const char *const words[] = {"copy", "snapshot", "clone"};
    g_autofree char *text = text_of(reading, "CLONE_MODE");

    if (!text)
        return true;
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        if (!g_ascii_strcasecmp(text, words[i])) {
            *mode = (LinstorCloneMode)i;
            return true;
        }
    }
    return refuse_value(reading, "CLONE_MODE", text, "copy, snapshot or clone");
}

static void
upper(GStrv words)
{
    for (char **word = words; word && *word; word++) {
        char *made = g_ascii_strup(*word, -1);
        g_free(*word);
        *word = made;
    }
}

static void
take_connection(const Reading *reading, bool un, LinstorAttributes *at)
{
    at->controllers = text_of(reading, un ? "LS_CONTROLLERS" : "LINSTOR_CONTROLLERS");
    at->certificate = text_of(reading, "LS_CERTFILE");
    at->key = text_of(reading, "LS_KEYFILE");
    at->ca = text_of(reading, "LS_CAFILE");
}

static void
take_lists(const Reading *reading, LinstorAttributes *at)
{
    const struct {
        const char *name;
        GStrv *list;
    } lists[] = {
        {"STORAGE_POOL",          &at->pools    },
        {"LAYER_LIST",            &at->layers   },
        {"PROVIDERS",             &at->providers},
        {"REPLICAS_ON_SAME",      &at->same     },
        {"REPLICAS_ON_DIFFERENT", &at->different},
        {"DO_NOT_PLACE_WITH",     &at->not_with },
        {"NODE_LIST",             &at->nodes    },
    };

    for (guint i = 0; i < G_N_ELEMENTS(lists); i++)
        *lists[i].list = words_of(reading, lists[i].name);
    upper(at->layers);
    upper(at->providers);
    at->not_with_regex = text_of(reading, "DO_NOT_PLACE_WITH_REGEX");
    at->diskless_pool = text_of(reading, "DISKLESS_POOL");
    if (!g_strcmp0(at->diskless_pool, "DfltDisklessStorPool"))
        g_clear_pointer(&at->diskless_pool, g_free); /* LINSTOR's own choice */
}

/* More than one is refused where something is made: what is there must stay usable. */
static LinstorRule
rule_of(const LinstorAttributes *at)
{
    if ((at->group != NULL) + (at->nodes != NULL) + (at->count > 0) != 1)
        return LINSTOR_RULE_NONE;
    return at->group ? LINSTOR_RULE_GROUP : at->nodes ? LINSTOR_RULE_NODES : LINSTOR_RULE_COUNT;
}

static bool
take_all(const Reading *reading, bool un, LinstorAttributes *at)
{
    take_connection(reading, un, at);
    at->clone_mode = un ? LINSTOR_BY_COPY : LINSTOR_BY_CLONE;
    if (!take_clone_mode(reading, &at->clone_mode))
        return false;
    at->group = text_of(reading, un ? "RESOURCE_GROUP" : "LINSTOR_RESOURCE_GROUP");
    if (un) {
        take_lists(reading, at);
        if (!take_count(reading, "REPLICA_COUNT", "AUTO_PLACE", &at->count) ||
            !take_count(reading, "CHECKPOINT_REPLICA_COUNT", "CHECKPOINT_AUTO_PLACE",
                        &at->checkpoint) ||
            !take_flag(reading, "PREFER_NODE", &at->prefer_node) ||
            !take_flag(reading, "ENCRYPTION", &at->encryption))
            return false;
    }
    at->rule = rule_of(at);
    return true;
}

bool
linstor_attributes_read(const OneDatastore *facts, const Driver *driver,
                        LinstorAttributes *attributes, GError **error)
{
    const Reading reading = {facts, error};

    *attributes = (LinstorAttributes){0};
    if (take_all(&reading, driver->naming == &linstor_un_naming, attributes))
        return true;
    linstor_attributes_clear(attributes);
    return false;
}

void
linstor_attributes_clear(LinstorAttributes *attributes)
{
    g_free(attributes->controllers);
    g_free(attributes->certificate);
    g_free(attributes->key);
    g_free(attributes->ca);
    g_free(attributes->group);
    g_strfreev(attributes->nodes);
    g_strfreev(attributes->pools);
    g_strfreev(attributes->layers);
    g_strfreev(attributes->providers);
    g_strfreev(attributes->same);
    g_strfreev(attributes->different);
    g_strfreev(attributes->not_with);
    g_free(attributes->not_with_regex);
    g_free(attributes->diskless_pool);
    *attributes = (LinstorAttributes){0};
}

bool
linstor_attributes_can_place(const LinstorAttributes *at, const OneDatastore *facts,
                             const Driver *driver, GError **error)
{
    if (driver->naming != &linstor_un_naming)
        return at->group ||
               set_error(error, ONEVOL_ERROR_USAGE,
                         "datastore %" G_GINT64_FORMAT " has no "
                         "LINSTOR_RESOURCE_GROUP: LINSTOR cannot tell where volumes go",
                         facts->id);
    if (at->rule == LINSTOR_RULE_NONE)
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "datastore %" G_GINT64_FORMAT " must have exactly one of RESOURCE_GROUP, "
                         "NODE_LIST and REPLICA_COUNT: it has %s",
                         facts->id, at->group || at->nodes || at->count > 0 ? "several" : "none");
    if (at->rule != LINSTOR_RULE_GROUP && !at->pools)
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "datastore %" G_GINT64_FORMAT " must have STORAGE_POOL, since it has no "
                         "RESOURCE_GROUP",
                         facts->id);
    return true;
}
