// SPDX-License-Identifier: Apache-2.0
#include "verify/transfer.h"

#include "base/error.h"
#include "verify/effects.h"
#include "verify/matrix.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* split(' ') of Ruby: at runs of white space, none at the ends. */
static char **
split_blanks(const char *line)
{
    g_auto(GStrv) words = g_strsplit_set(line, " \t\r\n", -1);
    GPtrArray *list = g_ptr_array_new();

    for (char **word = words; *word; word++)
        if (**word)
            g_ptr_array_add(list, g_strdup(*word));
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_free(list, FALSE);
}

/* "clone.ssh" is looked for first, then, since 5.10, "clone". */
static char *
find_program(const Player *player, const char *tm, const char *action)
{
    char *path = g_build_filename(player->world->var, "remotes", "tm", tm, action, NULL);
    char *dot = strrchr(strrchr(path, '/'), '.');

    if (!g_file_test(path, G_FILE_TEST_EXISTS) && dot &&
        release_from(player->world->release, RELEASE(5, 10, 0)))
        *dot = '\0';
    return path;
}

Row *
transfer_line_input(Player *player, const char *line, const char *input, const char *what,
                    Expectation expectation, PlayAnswer *answer)
{
    g_auto(GStrv) words = split_blanks(line);
    g_autofree char *action = g_ascii_strdown(words[0], -1);
    g_autofree char *program = find_program(player, words[1], action);
    g_autofree char *shell_line = release_shell_line(player->world->release, program, words + 2);
    g_autofree char *base = g_strndup(action, strcspn(action, "."));
    const Call call = {.action = g_intern_string(base),
                       .what = what,
                       .line = shell_line,
                       .input = input,
                       .output = OUTPUT_IGNORED,
                       .expectation = expectation};

    return play_call(player, &call, answer);
}

Row *
transfer_line(Player *player, const char *line, const char *what, Expectation expectation,
              PlayAnswer *answer)
{
    return transfer_line_input(player, line, NULL, what, expectation, answer);
}

/* A disk that is copied with its snapshots: those are a second copy. */
static unsigned
copies_of(const Step *step)
{
    bool made = step->effect == EFFECT_MADE && step->disk->image && disk_saves(step->disk);
    const GPtrArray *snapshots = made                              ? step->disk->image->snapshots
                                 : step->effect == EFFECT_RELEASED ? step->disk->snapshots
                                                                   : NULL;

    return snapshots && snapshots->len > 0 ? 2 : 1;
}

static void
mark(Row *row, const Vm *vm, const Step *step)
{
    const char *role = step->disk ? disk_role_name(step->disk)
                       : step->effect == EFFECT_KERNEL || step->effect == EFFECT_RAMDISK ? "file"
                                                                                         : "VM";
    matrix_mark(row, role, vm->state, vm->lcm_state);
}

static bool
play_step(Player *player, Vm *vm, const Step *step, const char *line)
{
    /* a second run of the directory's DELETE or MV must find its work done */
    for (int run = 0; run < 1 + player->settings->twice; run++) {
        g_autofree char *what =
            run ? g_strdup_printf("%s, again", step->what) : g_strdup(step->what);
        PlayAnswer answer;
        player->copies = copies_of(step);
        Row *row = transfer_line(player, line, what, MUST_WORK, &answer);
        mark(row, vm, step);
        player->copies = 1;
        g_free(answer.out);
        /* the snapshot is gone, there is nothing to delete or revert to any more */
        if (answer.succeeded && !(run && step->effect == EFFECT_SNAPSHOT_DELETED))
            effect_apply(player, vm, step, row);
        bool good = play_settle(player, row);
        if (!answer.succeeded)
            return false;
        if (!good)
            break;
    }
    return true;
}

static char *
write_script(const Player *player, const Vm *vm, const char *name, GPtrArray *steps, GError **error)
{
    g_autofree char *directory = g_strdup_printf("%s/vms/%d", player->world->var, vm->id);
    g_autofree char *path =
        g_strdup_printf("%s/transfer.%u.%s", directory, vm->history->len - 1, name);
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < steps->len; i++)
        g_string_append_printf(text, "%s\n", ((Step *)steps->pdata[i])->line);
    if (g_mkdir_with_parents(directory, 0755) != 0) {
        set_error_errno(error, errno, "cannot make '%s'", directory);
        return NULL;
    }
    if (!g_file_set_contents(path, text->str, -1, error))
        return NULL;
    return g_steal_pointer(&path);
}

/* The lines that one_tm finds in the file: neither blank nor comments. */
static char **
read_script(const char *path, GError **error)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, error))
        return NULL;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GPtrArray *list = g_ptr_array_new();
    for (char **line = lines; *line; line++)
        if (!g_regex_match_simple("^\\s*(#|$)", *line, 0, 0))
            g_ptr_array_add(list, g_strdup(*line));
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_free(list, FALSE);
}

static char **
script_lines(const Player *player, const Vm *vm, const char *name, GPtrArray *steps, GError **error)
{
    g_autofree char *path = NULL;

    if (!name) {
        char **lines = g_new0(char *, steps->len + 1);
        for (guint i = 0; i < steps->len; i++)
            lines[i] = g_strdup(((Step *)steps->pdata[i])->line);
        return lines;
    }
    path = write_script(player, vm, name, steps, error);
    return path ? read_script(path, error) : NULL;
}

bool
transfer_play(Player *player, Vm *vm, const char *name, GPtrArray *steps)
{
    g_autoptr(GPtrArray) owned = steps;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) lines = script_lines(player, vm, name, steps, &error);

    if (!lines) {
        Row *row = play_check_row(player, name, "the transfer script");
        row_error(row, "a script", g_steal_pointer(&error));
        return play_show(player, row);
    }
    for (guint i = 0; i < steps->len; i++)
        if (!play_step(player, vm, steps->pdata[i], lines[i]))
            return false;
    return true;
}

bool
transfer_refused(Player *player, Vm *vm, const char *name, GPtrArray *steps,
                 Expectation expectation)
{
    g_autoptr(GPtrArray) owned = steps;
    const Step *step = steps->pdata[0];
    g_auto(GStrv) lines = script_lines(player, vm, name, steps, NULL);
    PlayAnswer answer;

    Row *row =
        transfer_line(player, lines ? lines[0] : step->line, step->what, expectation, &answer);
    mark(row, vm, step);
    g_free(answer.out);
    if (answer.succeeded)
        effect_apply(player, vm, step, row);
    play_settle(player, row);
    return answer.succeeded;
}

void
transfer_refused_in_the_end(Player *player, Vm *vm, const char *name, GPtrArray *steps)
{
    g_autoptr(GPtrArray) owned = steps;
    g_auto(GStrv) lines = script_lines(player, vm, name, steps, NULL);
    PlayAnswer answer = {.succeeded = true};

    /* oned ends at the first that fails; each has to be refused by itself or to do nothing */
    for (guint i = 0; lines && i < steps->len; i++) {
        const Step *step = steps->pdata[i];
        Row *row = transfer_line(player, lines[i], step->what,
                                 i + 1 < steps->len ? MAY_FAIL : MUST_FAIL, &answer);
        mark(row, vm, step);
        g_free(answer.out);
        (void)play_settle(player, row);
    }
}
