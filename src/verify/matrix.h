// SPDX-License-Identifier: Apache-2.0
/*
 * Which action was played on which kind of disk in which state of its VM, and how it went: counted
 * from the rows of the report, and held against what oned can ask for. What it can ask for and was
 * not played is a gap, and a gap in a whole run is a failure.
 */
#pragma once

#include "verify/release.h"
#include "verify/report.h"

/* Says what a row was about. A VM's states are numbers as oned's; `role` and `state` are kept by
 * reference. A row without them is in no cell. */
void matrix_mark(Row *row, const char *role, int state, int lcm_state);
void matrix_mark_text(Row *row, const char *role, const char *state);

typedef enum { CELL_OK, CELL_REFUSED, CELL_FAILED, CELL_GAP, CELL_ABSENT } CellResult;

typedef struct Cell {
    const char *plane, *action, *role, *state;
    CellResult result;
    char *reason; /* the sentence of a refusal, why it could not be played, or NULL */
} Cell;

struct Matrix {
    GPtrArray *cells; /* of Cell, by action and state */
    unsigned gaps;
};

/* Has the driver a file of that action? */
typedef bool (*MatrixInstalled)(const char *plane, const char *action, gpointer data);

/* From Rows. `devices`: the driver's volumes are no files. */
Matrix *matrix_new(const GPtrArray *rows, const Release *release, bool devices,
                   MatrixInstalled installed, gpointer data);
void matrix_free(Matrix *matrix);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Matrix, matrix_free)

const char *matrix_result_text(CellResult result);
void matrix_print(const Matrix *matrix);
/* Only what was not played, a line each. */
void matrix_print_gaps(const Matrix *matrix);
