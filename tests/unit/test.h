// SPDX-License-Identifier: Apache-2.0
/*
 * What the C tests share: cmocka, a temporary directory, captured stderr, golden files.
 *
 * A suite is an array of cmocka tests and `TEST_MAIN(tests)`. A case is named after a behaviour and
 * ends in a passed assertion or in skip_because(). The result is TAP, so that every case counts.
 */
#pragma once

#include "base/error.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* after those four */
#include <cmocka.h>

int test_run(const struct CMUnitTest *tests, size_t count);

#define TEST_MAIN(tests)                                                                           \
    int main(void)                                                                                 \
    {                                                                                              \
        return test_run(tests, G_N_ELEMENTS(tests));                                               \
    }

/* Ends the case as skipped. The reason must be in tests/allowed-skips. */
#define skip_because(...) (test_skip_reason(__VA_ARGS__), skip())
void test_skip_reason(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* A path below this run's directory ($TEST_DIRECTORY or /var/tmp), which is removed at the end. The
 * caller frees it. NULL name: the directory itself. */
char *test_path(const char *name);
/* An empty directory of that name; what was there is removed. The caller frees it. */
char *test_directory(const char *name);
void test_remove_tree(const char *path);

void test_write(const char *path, const char *text);
void test_write_bytes(const char *path, const void *bytes, gsize length);
/* NULL if it is not there. The caller frees it. */
char *test_read(const char *path);
bool test_exists(const char *path);
/* All paths below `directory`, sorted, one a line, relative. The caller frees it. */
char *test_tree(const char *directory);

/* What this process and its children write to a descriptor (1 or 2) between the two calls. */
void test_capture_begin(int fd);
char *test_capture_end(int fd);

/* A path below tests/ of the source tree. The caller frees it. */
char *test_source(const char *path);

/* Compares with tests/unit/golden/NAME; UPDATE_GOLDEN=1 writes it instead. */
void assert_golden(const char *name, const char *text);

/* The call failed with `code` and a text that holds `part`; clears the error. */
#define assert_failed(error, code, part)                                                           \
    test_assert_failed(&(error), code, part, __FILE__, __LINE__)
void test_assert_failed(GError **error, int code, const char *part, const char *file, int line);
#define assert_no_error(error) test_assert_no_error(error, __FILE__, __LINE__)
void test_assert_no_error(const GError *error, const char *file, int line);
#define assert_has(text, part) test_assert_has(text, part, __FILE__, __LINE__)
void test_assert_has(const char *text, const char *part, const char *file, int line);
