// SPDX-License-Identifier: Apache-2.0
/*
 * Paths as text: normalised before they are compared (oned prints '//'), checked before use.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* "a//b/./c/../d" becomes "a/b/d"; only text, links are not looked at. NULL with USAGE for what is
 * not absolute or holds control characters. The caller frees it. */
char *path_normal(const char *path, GError **error);

/* True if `path` lies below `directory` (not the directory itself). Both normalised. */
bool path_is_below(const char *path, const char *directory);

/* A file name as we and our predecessors make them: letters, digits and . _ - + @ = : only, not
 * "." or "..", no leading dash. */
bool name_is_safe(const char *name);

/* Decimal digits only, in range; false for anything else (no sign, no blank). */
bool parse_number(const char *text, guint64 maximum, guint64 *number);
