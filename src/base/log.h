// SPDX-License-Identifier: Apache-2.0
/*
 * Log lines on stderr, in the form that oned's runners understand: "SEVERITY: action: text".
 *
 * oned >= 7.0 takes digits after the severity for an object's id (src/mad/ruby/
 * DriverExecHelper.rb of 7.4), so the action's name always stands between. From 6.0.3 to 6.10 the
 * whole of stderr becomes the user's error text; log_set_quiet() keeps lines out of it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

/* The word before each text, an action's or a command's name. Kept by reference. */
void log_set_subject(const char *subject);
const char *log_subject_text(void);

/* DEBUG lines appear (-v). */
void log_set_verbose(bool verbose);
bool log_is_verbose(void);

/* No line below ERROR is written, and no ERROR line either: only what log_plain() writes. */
void log_set_quiet(bool quiet);

void log_line(LogLevel level, const char *format, ...) G_GNUC_PRINTF(2, 3);
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* One line as it stands, with no severity. */
void log_plain(const char *text);
