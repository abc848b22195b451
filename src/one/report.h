// SPDX-License-Identifier: Apache-2.0
/*
 * How a result reaches the user: the three contracts for stderr in
 * src/mad/ruby/{CommandManager,DriverExecHelper}.rb of 5.4 to 7.4.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    REPORT_MARKERS, /* <= 6.0.2: the text between two marker lines */
    REPORT_WHOLE,   /* 6.0.3 - 6.10: all of stderr is the text, so nothing else is written */
    REPORT_LINES,   /* >= 7.0: lines with a severity are logged, the others are the text */
} ReportContract;

ReportContract report_contract(unsigned version);

/* Chooses, and sets up the log accordingly. */
void report_begin(ReportContract contract, const char *action);

/* The one sentence, and the exit status that belongs to it. */
int report_failure(const GError *error);
