// SPDX-License-Identifier: Apache-2.0
#include "verify/report.h"

#include "base/error.h"
#include "verify/matrix.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Problem {
    char *expected, *seen;
} Problem;

typedef struct Absence {
    char *name, *reason;
} Absence;

struct Report {
    bool json, headed;
    bool whole, show_matrix;
    Matrix *matrix; /* at the end */
    GPtrArray *rows, *absent;
};

static void
problem_free(gpointer data)
{
    Problem *problem = data;

    g_free(problem->expected);
    g_free(problem->seen);
    g_free(problem);
}

static void
absence_free(gpointer data)
{
    Absence *absence = data;

    g_free(absence->name);
    g_free(absence->reason);
    g_free(absence);
}

static void
row_free(gpointer data)
{
    Row *row = data;

    g_free(row->what);
    g_free(row->command);
    g_free(row->err);
    g_ptr_array_unref(row->problems);
    g_free(row);
}

Report *
report_new(bool json)
{
    Report *report = g_new0(Report, 1);

    report->json = json;
    report->rows = g_ptr_array_new_with_free_func(row_free);
    report->absent = g_ptr_array_new_with_free_func(absence_free);
    return report;
}

void
report_free(Report *report)
{
    if (!report)
        return;
    g_ptr_array_unref(report->rows);
    g_ptr_array_unref(report->absent);
    if (report->matrix)
        matrix_free(report->matrix);
    g_free(report);
}

Row *
report_row(Report *report, const char *operation, const char *action, char *what)
{
    Row *row = g_new0(Row, 1);

    *row = (Row){.operation = operation, .action = action, .what = what, .connections = -1};
    row->problems = g_ptr_array_new_with_free_func(problem_free);
    g_ptr_array_add(report->rows, row);
    return row;
}

void
row_problem(Row *row, const char *expected, const char *format, ...)
{
    Problem *problem = g_new0(Problem, 1);
    va_list args;

    va_start(args, format);
    g_autofree char *seen = g_strdup_vprintf(format, args);
    va_end(args);
    problem->expected = g_strdup(expected);
    problem->seen = one_line(seen, 600);
    g_ptr_array_add(row->problems, problem);
}

void
row_error(Row *row, const char *expected, GError *error)
{
    row_problem(row, expected, "%s", error->message);
    g_error_free(error);
}

void
report_not_played(Report *report, const char *name, const char *reason)
{
    for (guint i = 0; i < report->absent->len; i++)
        if (strcmp(((Absence *)report->absent->pdata[i])->name, name) == 0)
            return;
    Absence *absence = g_new0(Absence, 1);
    absence->name = g_strdup(name);
    absence->reason = g_strdup(reason);
    g_ptr_array_add(report->absent, absence);
}

/* printf pads by bytes; names here may have other letters. */
static void
print_padded(const char *text, int width)
{
    int length = (int)g_utf8_strlen(text, -1);

    printf("%s%*s ", text, MAX(width - length, 0), "");
}

static void
print_failure(const Row *row)
{
    for (guint i = 0; i < row->problems->len; i++) {
        const Problem *problem = row->problems->pdata[i];
        printf("    expected  %s\n    seen      %s\n", problem->expected, problem->seen);
    }
    if (row->command) { /* releases up to 6.6 have the whole document in it */
        g_autofree char *command = one_line(row->command, 400);
        printf("    command   %s\n", command);
    }
    if (row->err && *row->err) {
        g_auto(GStrv) lines = g_strsplit(row->err, "\n", 8);
        for (guint i = 0; lines[i] && *lines[i]; i++) {
            g_autofree char *line = one_line(lines[i], 300);
            printf("    %s  %s\n", i == 0 ? "stderr  " : "        ", line);
        }
    }
}

void
report_show(Report *report, const Row *row)
{
    if (report->json || (row->check && row_ok(row)))
        return;
    if (!report->headed)
        printf("%-17s %-14s %-42s %-6s %7s%s\n", "OPERATION", "ACTION", "WHAT", "RESULT", "MS",
               row->connections >= 0 ? " SSH" : "");
    report->headed = true;
    print_padded(row->operation, 17);
    print_padded(row->action, 14);
    print_padded(row->what, 42);
    if (row->check)
        printf("FAILED\n");
    else
        printf("%-6s %7.1f", row_ok(row) ? "ok" : "FAILED", row->ms);
    if (!row->check && row->connections >= 0)
        printf(" %3d", row->connections);
    if (!row->check)
        putchar('\n');
    if (!row_ok(row))
        print_failure(row);
    fflush(stdout);
}

static void
count(const Report *report, unsigned *good, unsigned *bad)
{
    *good = *bad = 0;
    for (guint i = 0; i < report->rows->len; i++) {
        const Row *row = report->rows->pdata[i];
        if (!row_ok(row))
            (*bad)++;
        else if (!row->check)
            (*good)++;
    }
}

unsigned
report_failures(const Report *report)
{
    unsigned good, bad;

    count(report, &good, &bad);
    return bad + (report->matrix && report->whole ? report->matrix->gaps : 0);
}

const GPtrArray *
report_rows(const Report *report)
{
    return report->rows;
}

void
report_set_matrix(Report *report, Matrix *matrix, bool whole, bool show)
{
    report->matrix = matrix;
    report->whole = whole;
    report->show_matrix = show;
}

typedef struct Total {
    const char *action;
    GArray *times;
} Total;

static void
total_free(gpointer data)
{
    g_array_unref(((Total *)data)->times);
    g_free(data);
}

static int
compare_times(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static int
compare_totals(gconstpointer a, gconstpointer b)
{
    return strcmp((*(Total *const *)a)->action, (*(Total *const *)b)->action);
}

static GPtrArray *
totals(const Report *report)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(total_free);

    for (guint i = 0; i < report->rows->len; i++) {
        const Row *row = report->rows->pdata[i];
        Total *total = NULL;
        if (row->check)
            continue;
        for (guint j = 0; j < list->len && !total; j++)
            if (strcmp(((Total *)list->pdata[j])->action, row->action) == 0)
                total = list->pdata[j];
        if (!total) {
            total = g_new0(Total, 1);
            total->action = row->action;
            total->times = g_array_new(FALSE, FALSE, sizeof(double));
            g_ptr_array_add(list, total);
        }
        g_array_append_val(total->times, row->ms);
    }
    for (guint i = 0; i < list->len; i++)
        g_array_sort(((Total *)list->pdata[i])->times, compare_times);
    g_ptr_array_sort(list, compare_totals);
    return list;
}

static double
median(const Total *total)
{
    return g_array_index(total->times, double, total->times->len / 2);
}

/* By columns of three, so that it fits on a screen. */
static void
print_totals(const Report *report)
{
    g_autoptr(GPtrArray) list = totals(report);
    guint rows = (list->len + 2) / 3;

    if (list->len == 0)
        return;
    putchar('\n');
    for (guint column = 0; column < MIN(3, list->len); column++)
        printf("%-20s %5s %6s    ", "ACTION", "COUNT", "MS");
    putchar('\n');
    for (guint i = 0; i < rows; i++) {
        for (guint j = i; j < list->len; j += rows) {
            const Total *total = list->pdata[j];
            printf("%-20s %5u %6.1f    ", total->action, total->times->len, median(total));
        }
        putchar('\n');
    }
}

static void
print_end(const Report *report, const char *driver, const char *release, double seconds)
{
    unsigned good, bad;

    count(report, &good, &bad);
    print_totals(report);
    if (report->matrix && report->show_matrix)
        matrix_print(report->matrix);
    putchar('\n');
    if (report->matrix && report->whole)
        matrix_print_gaps(report->matrix);
    for (guint i = 0; i < report->absent->len; i++) {
        const Absence *absence = report->absent->pdata[i];
        printf("not played: %s (%s)\n", absence->name, absence->reason);
    }
    printf("verify: %u actions ok, %u failed", good, bad);
    if (report->matrix && report->whole && report->matrix->gaps)
        printf(", %u not played", report->matrix->gaps);
    printf(" (driver %s, OpenNebula %s, %.1f s)\n", driver, release, seconds);
}

static json_t *
row_json(const Row *row)
{
    json_t *problems = json_array();
    json_t *object = json_pack("{ss ss ss sb sb sf si}", "operation", row->operation, "action",
                               row->action, "what", row->what, "ok", row_ok(row), "check",
                               row->check, "ms", row->ms, "xmlrpc_calls", (int)row->calls);

    for (guint i = 0; i < row->problems->len; i++) {
        const Problem *problem = row->problems->pdata[i];
        json_array_append_new(
            problems, json_pack("{ss ss}", "expected", problem->expected, "seen", problem->seen));
    }
    json_object_set_new(object, "problems", problems);
    if (row->connections >= 0)
        json_object_set_new(object, "ssh_connections", json_integer(row->connections));
    if (!row_ok(row) && row->command) {
        g_autofree char *err = g_utf8_make_valid(row->err ? row->err : "", -1);
        json_object_set_new(object, "command", json_string(row->command));
        json_object_set_new(object, "stderr", json_string(err));
    }
    return object;
}

static json_t *
matrix_json(const Matrix *matrix)
{
    json_t *cells = json_array();

    for (guint i = 0; matrix && i < matrix->cells->len; i++) {
        const Cell *cell = matrix->cells->pdata[i];
        json_array_append_new(
            cells, json_pack("{ss ss ss ss ss ss?}", "plane", cell->plane, "action", cell->action,
                             "role", cell->role, "state", cell->state, "result",
                             matrix_result_text(cell->result), "reason", cell->reason));
    }
    return cells;
}

static void
print_json(const Report *report, const char *driver, const char *release, double seconds)
{
    g_autoptr(GPtrArray) list = totals(report);
    unsigned good, bad;
    json_t *actions = json_array(), *summary = json_object(), *absent = json_array();

    count(report, &good, &bad);
    for (guint i = 0; i < report->rows->len; i++)
        json_array_append_new(actions, row_json(report->rows->pdata[i]));
    for (guint i = 0; i < list->len; i++) {
        const Total *total = list->pdata[i];
        json_object_set_new(
            summary, total->action,
            json_pack("{si sf}", "count", (int)total->times->len, "median_ms", median(total)));
    }
    for (guint i = 0; i < report->absent->len; i++) {
        const Absence *absence = report->absent->pdata[i];
        json_array_append_new(
            absent, json_pack("{ss ss}", "action", absence->name, "reason", absence->reason));
    }
    json_t *root =
        json_pack("{ss ss si si sf so so so so}", "driver", driver, "opennebula", release, "ok",
                  (int)good, "failed", (int)bad, "seconds", seconds, "actions", actions, "summary",
                  summary, "not_played", absent, "matrix", matrix_json(report->matrix));
    json_dumpf(root, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(root);
}

void
report_finish(Report *report, const char *driver, const char *release, double seconds)
{
    if (report->json)
        print_json(report, driver, release, seconds);
    else
        print_end(report, driver, release, seconds);
    fflush(stdout);
}
