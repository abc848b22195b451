// SPDX-License-Identifier: Apache-2.0
#include "backends/lvm/report.h"

#include "base/error.h"
#include "base/path.h"

#include <jansson.h>
#include <string.h>

#define TAG_PREFIX "onevol."
enum { TAG_LIMIT = 1024 };

static void
lv_free(gpointer data)
{
    Lv *lv = data;

    g_free(lv->name);
    g_free(lv->origin);
    g_free(lv->pool);
    g_free(lv->attributes);
    g_strfreev(lv->tags);
    g_free(lv);
}

void
lvm_report_clear(LvmReport *report)
{
    g_clear_pointer(&report->volumes, g_ptr_array_unref);
    g_clear_pointer(&report->lock_type, g_free);
}

static const char *
text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static bool
number_of(const json_t *row, const char *key, guint64 *number, GError **error)
{
    const char *text = text_of(row, key);

    if (parse_number(text, G_MAXINT64, number))
        return true;
    g_autofree char *shown = one_line(text, 60);
    return set_error(error, ONEVOL_ERROR_CORRUPT, "LVM's report says %s '%s'", key, shown);
}

static double
percent_of(const json_t *row, const char *key)
{
    const char *text = text_of(row, key);
    char *end;
    double value = g_ascii_strtod(text, &end);

    return *text && !*end && value >= 0 && value <= 100 ? value : -1;
}

/* Every row tells of its group. */
static bool
take_group(LvmReport *report, const json_t *row, GError **error)
{
    if (report->has_group)
        return true;
    if (!number_of(row, "vg_extent_size", &report->extent, error) ||
        !number_of(row, "vg_size", &report->group_size, error) ||
        !number_of(row, "vg_free", &report->group_free, error))
        return false;
    if (report->extent == 0)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "LVM's report says vg_extent_size 0");
    const char *type = text_of(row, "vg_lock_type");
    const char *attributes = text_of(row, "vg_attr");
    report->lock_type = g_strdup(strcmp(type, "none") != 0 ? type : "");
    /* wz--nc had clvmd; s stands there for lvmlockd */
    report->clustered = strlen(attributes) >= 6 && attributes[5] == 'c';
    report->clustered = report->clustered || !strcmp(type, "clvm");
    report->has_group = true;
    return true;
}

static bool
take_volume(LvmReport *report, const json_t *row, GError **error)
{
    const char *name = text_of(row, "lv_name");
    guint64 size;

    if (!*name)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "LVM's report has a volume without a name");
    if (!number_of(row, "lv_size", &size, error))
        return false;
    Lv *lv = g_new0(Lv, 1);
    lv->name = g_strdup(name);
    lv->size = size;
    lv->origin = g_strdup(text_of(row, "origin"));
    lv->pool = g_strdup(text_of(row, "pool_lv"));
    lv->attributes = g_strdup(text_of(row, "lv_attr"));
    lv->tags = g_strsplit(text_of(row, "lv_tags"), ",", -1);
    lv->data_percent = percent_of(row, "data_percent");
    lv->metadata_percent = percent_of(row, "metadata_percent");
    g_ptr_array_add(report->volumes, lv);
    return true;
}

static bool
take_rows(LvmReport *report, const json_t *rows, bool volumes, GError **error)
{
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        if (!take_group(report, row, error) || (volumes && !take_volume(report, row, error)))
            return false;
    }
    return true;
}

bool
lvm_report_parse(const char *text, LvmReport *report, GError **error)
{
    json_error_t where;
    json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    const json_t *reports = json_object_get(document, "report");
    bool done = true;
    size_t i;
    json_t *part;

    *report = (LvmReport){.volumes = g_ptr_array_new_with_free_func(lv_free)};
    if (!json_is_array(reports)) {
        json_decref(document);
        g_autofree char *shown = one_line(text, 200);
        return set_error(error, ONEVOL_ERROR_CORRUPT, "this is no report of LVM: '%s'", shown);
    }
    json_array_foreach(reports, i, part)
    {
        done = done && take_rows(report, json_object_get(part, "lv"), true, error) &&
               take_rows(report, json_object_get(part, "vg"), false, error);
    }
    json_decref(document);
    return done;
}

const Lv *
lvm_report_find(const LvmReport *report, const char *name)
{
    for (guint i = 0; i < report->volumes->len; i++) {
        const Lv *lv = g_ptr_array_index(report->volumes, i);
        if (!strcmp(lv->name, name))
            return lv;
    }
    return NULL;
}

static const char *
value_of(const char *tag, const char *key)
{
    size_t length = strlen(key);

    if (!g_str_has_prefix(tag, TAG_PREFIX))
        return NULL;
    tag += strlen(TAG_PREFIX);
    return !strncmp(tag, key, length) && tag[length] == '=' ? tag + length + 1 : NULL;
}

const char *
lv_tag(const Lv *lv, const char *key)
{
    for (char **tag = lv->tags; *tag; tag++)
        if (value_of(*tag, key))
            return value_of(*tag, key);
    return NULL;
}

GPtrArray *
lv_tags(const Lv *lv, const char *key)
{
    GPtrArray *values = g_ptr_array_new();

    for (char **tag = lv->tags; *tag; tag++)
        if (value_of(*tag, key))
            g_ptr_array_add(values, (gpointer)value_of(*tag, key));
    return values;
}

bool
lv_has_tag(const Lv *lv, const char *key, const char *value)
{
    g_autofree char *tag = lvm_tag(key, value);
    return g_strv_contains((const char *const *)lv->tags, tag);
}

char *
lvm_tag(const char *key, const char *value)
{
    char *tag = g_strdup_printf(TAG_PREFIX "%s=%s", key, value);

    for (char *p = tag; *p; p++)
        if (!g_ascii_isalnum(*p) && !strchr("_+.-/=!:&#", *p))
            *p = '_';
    if (strlen(tag) > TAG_LIMIT)
        tag[TAG_LIMIT] = '\0';
    return tag;
}

bool
lv_is_thin(const Lv *lv)
{
    return *lv->pool != '\0';
}

bool
lv_is_cow(const Lv *lv)
{
    return *lv->origin && !lv_is_thin(lv);
}

bool
lv_is_merging(const Lv *lv)
{
    return *lv->attributes == 'O';
}

/* man 8 lvs: the fifth of lv_attr */
bool
lv_has_failed(const Lv *lv)
{
    return strlen(lv->attributes) > 4 && strchr("ISmM", lv->attributes[4]);
}

guint64
lv_virtual_size(const Lv *lv, guint64 extent)
{
    const char *text = lv_tag(lv, "size");
    guint64 size;

    if (!text || !parse_number(text, G_MAXINT64, &size) || size > lv->size)
        return lv->size;
    return lv->size - size < extent || lv_tag(lv, "growing") ? size : lv->size;
}

guint64
lv_allocated_size(const Lv *lv)
{
    return lv_is_thin(lv) && lv->data_percent >= 0
               ? (guint64)((double)lv->size * lv->data_percent / 100.0)
               : lv->size;
}
