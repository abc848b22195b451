// SPDX-License-Identifier: Apache-2.0
/*
 * What a controller says to a call: entries with a return code each.
 *
 * The code is a signed 64-bit number: the severity in its two highest bits, operation and object
 * below, the code proper in the lowest fifteen. Success is what the codes say, not the HTTP status
 * alone: a 200 may carry a warning that nothing was done. Numbers from consts.json of LINBIT's
 * linstor-common.
 */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef enum { LINSTOR_SUCCESS, LINSTOR_INFO, LINSTOR_WARNING, LINSTOR_ERROR } LinstorSeverity;

/* Those that decide something here; LINBIT's names are FAIL_…, WARN_… and INFO_…. */
enum {
    LINSTOR_FAIL_INVALID_NODE = 200,
    LINSTOR_FAIL_INVALID_VOLUME_SIZE = 206,
    LINSTOR_FAIL_INVALID_LAYER_STACK = 225,
    LINSTOR_FAIL_INVALID_PROVIDER = 227,
    LINSTOR_FAIL_NO_NODE = 300,
    LINSTOR_FAIL_NO_RSC_DFN = 301,
    LINSTOR_FAIL_NO_POOL = 310,
    LINSTOR_FAIL_NO_CRYPT_KEY = 312,
    LINSTOR_FAIL_DENIED_FIRST = 400,
    LINSTOR_FAIL_DENIED_LAST = 499,
    LINSTOR_FAIL_EXISTS_RSC_DFN = 501,
    LINSTOR_FAIL_EXISTS_RSC = 502,
    LINSTOR_FAIL_EXISTS_VLM_DFN = 503,
    LINSTOR_FAIL_EXISTS_SNAPSHOT = 514,
    LINSTOR_FAIL_EXISTS_ONE_SNAPSHOT = 516,
    LINSTOR_FAIL_ROLLBACK_RUNS = 971,
    LINSTOR_FAIL_NOT_ALL_UPTODATE = 974,
    LINSTOR_FAIL_DEPENDENT_BACKUP = 977,
    LINSTOR_FAIL_SNAPSHOT_NOT_UPTODATE = 979,
    LINSTOR_FAIL_NO_FREE_SPACE = 980,
    LINSTOR_FAIL_LAYER_UNSUPPORTED = 988,
    LINSTOR_FAIL_NO_SNAPSHOTS = 994,
    LINSTOR_FAIL_NOT_CONNECTED = 995,
    LINSTOR_FAIL_NOT_ENOUGH_NODES = 996,
    LINSTOR_FAIL_IN_USE = 997,
    LINSTOR_FAIL_UNKNOWN = 998,
    LINSTOR_FAIL_SIGN_IN = 10000,
    LINSTOR_FAIL_NO_CREDENTIALS = 10001,
    LINSTOR_WARN_NOT_CONNECTED = 1002,
    LINSTOR_WARN_ALREADY_DEPLOYED = 1006,
    LINSTOR_WARN_SAME_SIZE = 1023,
    LINSTOR_WARN_NOT_FOUND = 3000,
    LINSTOR_INFO_TAKEOVER = 10006, /* a diskless resource stays, as tie-breaker */
    LINSTOR_INFO_NOOP = 10007,
    LINSTOR_INFO_RSC_EXISTS = 10008,
};

LinstorSeverity linstor_severity(gint64 ret_code);
int linstor_code(gint64 ret_code);

/* Is there such an entry in an answer? `answer` may be NULL (a dry run): then there is none. */
bool linstor_answer_has(const json_t *answer, LinstorSeverity severity, int code);

/* Does it hold entries, all of which are well formed? */
bool linstor_answer_is_valid(const json_t *answer);

/* The first entry of that severity, or NULL. Borrowed. */
const json_t *linstor_answer_first(const json_t *answer, LinstorSeverity severity);

/* obj_refs[key] of the first entry that has it, or NULL. Borrowed. */
const char *linstor_answer_reference(const json_t *answer, const char *key);

/* What people are told of an entry, in one line: its message, cause and correction, and the ids of
 * error reports. The caller frees it. */
char *linstor_entry_text(const json_t *entry);

/* The error of ours that a code of a failure stands for. */
int linstor_error_of(int code);
