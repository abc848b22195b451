// SPDX-License-Identifier: Apache-2.0
#include "verify/connections.h"

#include <string.h>
#include <sys/stat.h>

#define VARIABLE "ONEVOL_VERIFY_SSH_LOG"
/* A host that does not have the program yet: a first try, and the copy. */
#define FIRST_CONTACT 2

gint64
connections_mark(void)
{
    const char *path = g_getenv(VARIABLE);
    struct stat info;

    if (!path)
        return -1;
    return stat(path, &info) == 0 ? (gint64)info.st_size : 0;
}

/* The lines that were added, or NULL. */
static char **
added_lines(gint64 mark)
{
    g_autofree char *text = NULL;
    gsize length;

    if (!g_file_get_contents(g_getenv(VARIABLE), &text, &length, NULL) || (gint64)length <= mark)
        return NULL;
    return g_strsplit(g_strchomp(text + mark), "\n", -1);
}

static bool
has_word(const char *line, const char *word, const char *delimiters)
{
    g_auto(GStrv) words = g_strsplit_set(line, delimiters, -1);

    return g_strv_contains((const char *const *)words, word);
}

static bool
is_named(char **lines, const char *word)
{
    for (; lines && *lines; lines++)
        if (has_word(*lines, word, " "))
            return true;
    return false;
}

static unsigned
allowed(Player *player, const Call *call, char **lines)
{
    const World *world = player->world;
    unsigned hosts = 0, first = 0;

    for (guint i = 0; i < world->hosts->len; i++) {
        const Host *host = world->hosts->pdata[i];
        if (host->local || host == world->dead || !has_word(call->line, host->name, " :"))
            continue;
        hosts++;
        if (is_named(lines, host->name) &&
            g_hash_table_add(player->litter, g_strdup_printf("contacted %s", host->name)))
            first += FIRST_CONTACT;
    }
    return hosts ? hosts + MIN(hosts, 2) * MAX(player->copies, 1) + first : 0;
}

void
connections_judge(Player *player, const Call *call, gint64 mark, Row *row)
{
    const World *world = player->world;

    if (mark < 0)
        return;
    g_auto(GStrv) lines = added_lines(mark);
    unsigned most = allowed(player, call, lines);
    row->connections = lines ? (int)g_strv_length(lines) : 0;
    if (row->connections > (int)most) {
        g_autofree char *want = g_strdup_printf("at most %u ssh connections", most);
        row_problem(row, want, "%d", row->connections);
    }
    if (is_named(lines, world->dead->name))
        row_problem(row, "a dead host left alone", "a connection to it was tried");
}
