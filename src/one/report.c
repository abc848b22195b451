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

static bool
looks_like_log(const char *text)
{
    static const char *const severities[] = {"ERROR:", "INFO:", "WARN:", "DEBUG:"};

    for (guint i = 0; i < G_N_ELEMENTS(severities); i++)
        if (g_str_has_prefix(text, severities[i]))
            return true;
    return false;
}

int
report_failure(const GError *error)
{
    g_autofree char *sentence = one_line(error->message, 1000);
    /* oned drops a text that begins with a dash, and takes a severity for a log line */
    const char *text = sentence + strspn(sentence, "- ");
    g_autofree char *shielded = looks_like_log(text) ? g_strconcat("failed: ", text, NULL) : NULL;

    if (shielded)
        text = shielded;

    if (contract == REPORT_MARKERS)
        log_plain("ERROR MESSAGE --8<------");
    log_plain(*text ? text : "failed without a reason");
    if (contract == REPORT_MARKERS)
        log_plain("ERROR MESSAGE ------>8--");
    return error->domain == ONEVOL_ERROR ? error->code : ONEVOL_ERROR_FAILED;
}
