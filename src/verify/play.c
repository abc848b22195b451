// SPDX-License-Identifier: Apache-2.0
#include "verify/play.h"

#include "base/argv.h"
#include "base/command.h"
#include "base/log.h"
#include "verify/connections.h"
#include "verify/contract.h"
#include "verify/hypervisor.h"

#include <string.h>
#include <unistd.h>

/* The only shell in the project: oned's runners hand their lines to one, so quoting is played too.
 */
static bool
run_line(const Player *player, const Call *call, CommandResult *result, GError **error)
{
    g_autofree char *wrapped = NULL;
    const char *line = call->line;

    if (!release_from(player->world->release, RELEASE(5, 6, 0)))
        line = wrapped = g_strdup_printf("%s ; echo ExitCode: $? 1>&2", call->line);
    g_autoptr(Argv) argv = argv_new("/bin/sh", "-c", line);
    const CommandOptions options = {
        .timeout_ms = player->settings->timeout_ms,
        .input = call->input,
        .input_length = call->input ? strlen(call->input) : 0,
        .set = (const char *const *)player->environment,
        .directory = player->world->var,
        .keep_locale = true,
    };
    return command_run(argv, &options, result, error);
}

Row *
play_call(Player *player, const Call *call, PlayAnswer *answer)
{
    Row *row = report_row(player->report, player->operation, call->action, g_strdup(call->what));
    g_auto(CommandResult) result = {0};
    g_autoptr(GError) error = NULL;
    PlayAnswer ignored;

    if (!answer)
        answer = &ignored;
    *answer = (PlayAnswer){.status = -1};
    row->command = g_strdup(call->line);
    (void)server_take_calls(player->server);
    gint64 mark = connections_mark();
    hosts_touch();
    g_mutex_unlock(&player->world->lock);
    gint64 start = g_get_monotonic_time();
    bool ran = run_line(player, call, &result, &error);
    row->ms = (double)(g_get_monotonic_time() - start) / 1000.0;
    g_mutex_lock(&player->world->lock);
    row->calls = server_take_calls(player->server);
    hosts_touch();
    connections_judge(player, call, mark, row);
    if (!ran) {
        row_error(row, "an end within the deadline", g_steal_pointer(&error));
        return row;
    }

    answer->status = contract_status(player->world->release, &result);
    contract_judge(player->world->release, call, answer->status, &result, row);
    answer->succeeded = answer->status == 0;
    row->refused = !answer->succeeded && call->expectation != MUST_WORK;
    hypervisor_judge(player, row);
    row->err = g_steal_pointer(&result.err);
    if (answer != &ignored) {
        answer->out = g_steal_pointer(&result.out);
        if (call->output == OUTPUT_LINE)
            g_strdelimit(answer->out, "\n", '\0');
    }
    return row;
}

bool
play_show(Player *player, Row *row)
{
    report_show(player->report, row);
    return row_ok(row);
}

bool
play_settle(Player *player, Row *row)
{
    settle(player, row);
    return play_show(player, row);
}

Row *
play_check_row(Player *player, const char *action, const char *what)
{
    Row *row = report_row(player->report, player->operation, action, g_strdup(what));

    row->check = true;
    return row;
}

bool
play_check(Player *player, const char *action, const char *what)
{
    return play_settle(player, play_check_row(player, action, what));
}

char *
play_program(const Player *player, const char *plane, const char *action)
{
    char *path =
        g_build_filename(player->world->var, "remotes", plane, player->world->driver, action, NULL);

    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return path;
    g_free(path);
    return NULL;
}

bool
play_has(Player *player, const char *plane, const char *action)
{
    g_autofree char *program = play_program(player, plane, action);
    g_autofree char *name = g_build_filename(plane, action, NULL);
    g_autofree char *reason =
        g_strdup_printf("remotes/%s/%s/%s is not installed", plane, player->world->driver, action);

    if (!program)
        report_not_played(player->report, name, reason);
    return program != NULL;
}
