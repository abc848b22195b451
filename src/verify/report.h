// SPDX-License-Identifier: Apache-2.0
/*
 * What was played and how it went: a table for people while it happens, or one JSON document at the
 * end.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Row {
    const char *operation, *action; /* kept by reference */
    char *what;
    /* what it was about, for the matrix: see matrix_mark() */
    const char *role, *state;
    bool refused;
    bool check; /* verify's own look at the data: shown only if something is wrong */
    double ms;
    unsigned calls;  /* XML-RPC calls that the action made */
    int connections; /* of ssh; -1: not counted */
    char *command, *err;
    GPtrArray *problems;
} Row;

typedef struct Report Report;

Report *report_new(bool json);
void report_free(Report *report);

/* The report owns the row. `what` is taken over. */
Row *report_row(Report *report, const char *operation, const char *action, char *what);
/* The row is complete: print it. */
void report_show(Report *report, const Row *row);
void report_not_played(Report *report, const char *name, const char *reason);

void row_problem(Row *row, const char *expected, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The text of `error`, which is freed. */
void row_error(Row *row, const char *expected, GError *error);
static inline bool
row_ok(const Row *row)
{
    return row->problems->len == 0;
}

unsigned report_failures(const Report *report);
/* Of Row. */
const GPtrArray *report_rows(const Report *report);
/* How the end is printed: gaps of the matrix are failures if `whole`; all of it is shown if asked
 * for. Taken over. */
typedef struct Matrix Matrix;
void report_set_matrix(Report *report, Matrix *matrix, bool whole, bool show);
/* Prints the end. */
void report_finish(Report *report, const char *driver, const char *release, double seconds);
