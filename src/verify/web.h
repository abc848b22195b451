// SPDX-License-Identifier: Apache-2.0
/*
 * A web server on 127.0.0.1 that gives the files of one directory, for imports by http.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Web Web;

/* `directory` is kept by reference. */
Web *web_start(const char *directory, GError **error);
void web_stop(Web *web);
/* The address of a file there; "moved/NAME" redirects to it. The caller frees it. */
char *web_url(const Web *web, const char *name);
