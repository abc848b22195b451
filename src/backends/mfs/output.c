// SPDX-License-Identifier: Apache-2.0
#include "backends/mfs/output.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

static void
apply_limit(MfsSpace *space, guint64 limit, guint64 used)
{
    space->available = MIN(space->available, limit > used ? limit - used : 0);
    if (limit >= space->total)
        return;
    space->total = limit;
    space->used = MIN(used, limit);
}

static bool
refuse(const char *line, GError **error)
{
    g_autofree char *text = one_line(line, 200);
    return set_error(error, ONEVOL_ERROR_CORRUPT, "cannot understand '%s'", text);
}

/* "-" is no limit. */
static bool
parse_limit(char *word, guint64 *number)
{
    g_strstrip(word);
    *number = 0;
    return !strcmp(word, "-") || parse_number(word, G_MAXUINT64, number);
}

/* " length   |     0 |    - |     20971520 |" */
static bool
apply_row(const char *line, double copies, MfsSpace *space, GError **error)
{
    static const char *const rows[] = {"inodes", "length", "size", "realsize", NULL};
    g_auto(GStrv) cells = g_strsplit(line, "|", -1);
    guint64 used, soft, hard;

    if (g_strv_length(cells) != 5 || *g_strstrip(cells[4]) ||
        !g_strv_contains(rows, g_strstrip(cells[0])) || !parse_limit(cells[1], &used) ||
        !parse_limit(cells[2], &soft) || !parse_limit(cells[3], &hard))
        return refuse(line, error);
    guint64 limit = hard ? hard : soft;
    if (!limit || !strcmp(cells[0], "inodes"))
        return true;
    if (strcmp(cells[0], "realsize") != 0)
        copies = 1;
    apply_limit(space, (guint64)((double)limit / copies), (guint64)((double)used / copies));
    return true;
}

bool
mfs_apply_quota(const char *text, double copies, MfsSpace *space, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint heads = 0, rows = 0;

    for (char **line = lines; *line; line++) {
        if (strstr(*line, ": (current values | soft quota | hard quota)")) {
            heads++;
        } else if (**line) {
            if (!heads || !apply_row(*line, copies, space, error))
                return heads ? false : refuse(*line, error);
            rows++;
        }
    }
    return (heads > 0 && rows == 4 * heads) || refuse(text, error);
}

/* Six numbers at the end of the line: bytes used, soft, hard; the same of inodes. The path before
 * them may hold anything. */
static bool
apply_report(char *line, MfsSpace *space, GError **error)
{
    guint64 numbers[6];

    g_strchomp(line);
    for (guint i = 6; i-- > 0;) {
        char *blank = strrchr(line, ' ');
        if (!blank || !parse_number(blank + 1, G_MAXUINT64, &numbers[i]))
            return refuse(line, error);
        *blank = '\0';
        g_strchomp(line);
    }
    const char *marks = strrchr(line, ' '); /* of bytes and inodes: '+' is past the limit */
    if (!marks || strlen(marks + 1) != 2 || strspn(marks + 1, "+-") != 2)
        return refuse(line, error);
    guint64 limit = numbers[2] ? numbers[2] : numbers[1];
    if (limit)
        apply_limit(space, limit, numbers[0]);
    return true;
}

bool
mfs_apply_repquota(const char *text, MfsSpace *space, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    if (!lines[0] || *lines[0] != '#')
        return refuse(text, error);
    for (char **line = lines + 1; *line; line++)
        if (**line && (g_str_has_prefix(*line, "Directory ") ? !apply_report(*line, space, error)
                                                             : !refuse(*line, error)))
            return false;
    return true;
}

char *
mfs_parse_goal(const char *text, GError **error)
{
    const char *end = strchr(text, '\n');
    g_autofree char *line = end ? g_strndup(text, (gsize)(end - text)) : g_strdup(text);
    char *colon = strrchr(line, ':');
    char *name = colon ? g_strstrip(colon + 1) : NULL;
    gsize length = name ? strlen(name) : 0;

    if (length >= 2 && *name == '\'' && name[length - 1] == '\'') {
        name[length - 1] = '\0';
        name++;
    }
    if (name && *name)
        return g_strdup(name);
    refuse(text, error);
    return NULL;
}

/* " size:      1234" */
static bool
find_row(char **lines, const char *name, guint64 *number)
{
    for (; *lines; lines++) {
        const char *text = *lines + strspn(*lines, " \t");
        gsize length = strlen(name);
        if (strncmp(text, name, length) != 0 || text[length] != ':')
            continue;
        g_autofree char *value = g_strdup(text + length + 1);
        return parse_number(g_strstrip(value), G_MAXUINT64, number);
    }
    return false;
}

bool
mfs_parse_copies(const char *text, double *copies, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint64 size, real;

    if (!find_row(lines, "size", &size) || !find_row(lines, "realsize", &real))
        return refuse(text, error);
    *copies = size > 0 && real >= size ? (double)real / (double)size : 0;
    return true;
}
