// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/error.h"
#include "base/progress.h"

#include <stdio.h>

static const char *log_subject = "onevol";
static bool log_verbose;
static bool log_quiet;

void
log_set_subject(const char *subject)
{
    log_subject = subject;
}

const char *
log_subject_text(void)
{
    return log_subject;
}

void
log_set_verbose(bool verbose)
{
    log_verbose = verbose;
}

bool
log_is_verbose(void)
{
    return log_verbose;
}

void
log_set_quiet(bool quiet)
{
    log_quiet = quiet;
}

void
log_line(LogLevel level, const char *format, ...)
{
    /* oned has no WARN before 7.0; a line it cannot place is logged as information anyway */
    static const char *const severities[] = {"DEBUG", "INFO", "WARN", "ERROR"};

    if ((level == LOG_DEBUG && !log_verbose) || (log_quiet && !log_verbose))
        return;

    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *line = one_line(text, 4096);

    /* One write, so that lines of threads and children do not mix. */
    g_autofree char *whole = g_strdup_printf("%s: %s: %s\n", severities[level], log_subject, line);
    progress_hide();
    fputs(whole, stderr);
    fflush(stderr);
}

void
log_plain(const char *text)
{
    g_autofree char *whole = g_strconcat(text, "\n", NULL);
    progress_hide();
    fputs(whole, stderr);
    fflush(stderr);
}
