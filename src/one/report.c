// SPDX-License-Identifier: Apache-2.0
#include "one/report.h"

#include "base/error.h"
#include "base/log.h"
#include "one/installation.h"

#include <string.h>

static ReportContract contract = REPORT_LINES;

ReportContract
report_contract(unsigned version)
{
    if (version < ONE_VERSION(6, 0, 3))
        return REPORT_MARKERS;
    return version < ONE_VERSION(7, 0, 0) ? REPORT_WHOLE : REPORT_LINES;
}

void
report_begin(ReportContract chosen, const char *action)
{
    contract = chosen;
    log_set_subject(action);
    log_set_quiet(chosen == REPORT_WHOLE);
}

int
report_failure(const GError *error)
{
    g_autofree char *sentence = one_line(error->message, 1000);
    /* oned drops a text that begins with a dash, and takes a severity for a log line */
    const char *text = sentence + strspn(sentence, "- ");

    if (contract == REPORT_MARKERS)
        log_plain("ERROR MESSAGE --8<------");
    log_plain(*text ? text : "failed without a reason");
    if (contract == REPORT_MARKERS)
        log_plain("ERROR MESSAGE ------>8--");
    return error->domain == ONEVOL_ERROR ? error->code : ONEVOL_ERROR_FAILED;
}
