// SPDX-License-Identifier: Apache-2.0
#include "verify/contract.h"

#include <stdlib.h>
#include <string.h>

#define MARK_OPEN "ERROR MESSAGE --8<------\n"
#define MARK_CLOSE "ERROR MESSAGE ------>8--"

/* 5.4 has the shell print the status behind all else; the first such line counts. */
int
contract_status(const Release *release, CommandResult *result)
{
    if (release_from(release, RELEASE(5, 6, 0)))
        return result->status > 128 ? 255 : result->status;

    char *mark = g_str_has_prefix(result->err, "ExitCode: ") ? result->err
                                                             : strstr(result->err, "\nExitCode: ");
    if (!mark)
        return -1;
    if (*mark == '\n')
        mark++;
    int status = (int)g_ascii_strtoll(mark + strlen("ExitCode: "), NULL, 10);
    char *rest = strchr(mark, '\n');
    memmove(mark, rest ? rest + 1 : "", strlen(rest ? rest + 1 : "") + 1);
    return status;
}

static bool
is_severity_line(const char *line)
{
    return g_regex_match_simple("^(ERROR|INFO|WARN|DEBUG):\\s+\\S", line, 0, 0);
}

/* Digits behind the severity would be taken for the id of a VM. */
static bool
names_an_object(const char *line)
{
    return g_regex_match_simple("^(ERROR|INFO|WARN|DEBUG):\\s+\\d", line, 0, 0);
}

/* The lines that are not log lines, joined by newlines. */
static char *
other_lines(const char *err)
{
    g_auto(GStrv) lines = g_strsplit(err, "\n", -1);
    GString *text = g_string_new(NULL);

    for (char **line = lines; *line; line++)
        if (**line && !is_severity_line(*line))
            g_string_append_printf(text, "%s%s", text->len ? "\n" : "", *line);
    return g_string_free(text, FALSE);
}

static char *
user_text(const Release *release, const char *err)
{
    switch (release_error_form(release)) {
    case ERRORS_MARKED: {
        const char *open = strstr(err, MARK_OPEN);
        const char *from = open ? open + strlen(MARK_OPEN) : NULL;
        const char *to = from ? strstr(from, MARK_CLOSE) : NULL;
        return to ? g_strstrip(g_strndup(from, (gsize)(to - from))) : g_strdup("-");
    }
    case ERRORS_WHOLE:
        return g_strstrip(g_strdup(err));
    case ERRORS_LINES:
        break;
    }
    return other_lines(err);
}

static void
judge_failure(const Release *release, const char *err, Row *row)
{
    static const char sentence[] = "one sentence for the user on stderr";
    g_autofree char *text = user_text(release, err);

    if (!*text)
        row_problem(row, sentence, "nothing");
    else if (*text == '-')
        row_problem(row, sentence, "'%s', which oned drops for its dash", text);
    else if (strchr(text, '\n'))
        row_problem(row, sentence, "several lines, which oned glues together: '%s'", text);
    else if (!g_utf8_validate(text, -1, NULL))
        row_problem(row, sentence, "bytes that are no text");
}

static void
judge_log_lines(const char *err, bool failed, Row *row)
{
    g_auto(GStrv) lines = g_strsplit(err, "\n", -1);

    for (char **line = lines; *line; line++) {
        if (names_an_object(*line))
            row_problem(row, "log lines with a word behind the severity",
                        "'%s': the digits are taken for the id of a VM", *line);
        else if (!failed && **line && !is_severity_line(*line))
            row_problem(row, "only lines with a severity on stderr", "'%s'", *line);
    }
}

static void
judge_output(const Call *call, const char *out, Row *row)
{
    size_t length = strlen(out);
    const char *newline = strchr(out, '\n');

    switch (call->output) {
    case OUTPUT_NOTHING:
        if (length > 0)
            row_problem(row, "nothing on stdout", "'%s'", out);
        break;
    case OUTPUT_LINE:
        if (length == 0 || !newline || newline == out || newline[1])
            row_problem(row, "exactly one line on stdout", "'%s'", out);
        else if (g_ascii_isspace(out[0]) || g_ascii_isspace(newline[-1]))
            row_problem(row, "a line without blanks at its ends on stdout", "'%s'", out);
        break;
    case OUTPUT_IGNORED:
    case OUTPUT_LINES:
        break;
    }
}

void
contract_judge(const Release *release, const Call *call, int status, const CommandResult *result,
               Row *row)
{
    if (status != 0 && call->expectation == MUST_WORK)
        row_problem(row, "exit status 0", "exit status %d", status);
    if (status == 0 && call->expectation == MUST_FAIL)
        row_problem(row, "a refusal", "exit status 0");
    judge_log_lines(result->err, status != 0, row);
    if (status == 0)
        judge_output(call, result->out, row);
    else
        judge_failure(release, result->err, row);
}
