// SPDX-License-Identifier: Apache-2.0
/*
 * libcurl, wrapped once: deadlines, TLS that is verified, answers of bounded size.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct HttpOptions {
    unsigned timeout_ms;      /* for the whole exchange; required */
    gsize limit;              /* largest answer taken, bytes; required */
    const char *certificates; /* directory of CA certificates, or NULL for the system's */
    bool insecure;            /* the site switched verification off (ONE_DISABLE_SSL_VERIFY) */
} HttpOptions;

/* POSTs `body`. Any answer but 200 is an error. NULL on failure: UNREACHABLE when nobody answered,
 * TIMEOUT, FAILED. Proxies are used as the environment says, never for this machine itself. */
GBytes *http_post(const char *url, const char *content_type, const char *body,
                  const HttpOptions *options, GError **error);

/* GETs into an open descriptor; redirects are followed within http and https. */
bool http_get(const char *url, int fd, const HttpOptions *options, GError **error);
