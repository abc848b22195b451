// SPDX-License-Identifier: Apache-2.0
/*
 * A download as bytes that are read when they are wanted, and go on after a dropped connection.
 *
 * A dropped connection is resumed by Range with If-Range. A server that cannot do that sends all of
 * it again, which is compared with what was read before by a hash: what comes out is always one
 * version of the content, or an error.
 *
 * Redirects are followed within http and https. Proxies are used as the environment says. There is
 * no limit for the whole time, but one for silence.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct HttpStreamOptions {
    const char *url;
    const char *shown;         /* for messages: without passwords and signatures */
    unsigned silence_ms;       /* nothing comes for so long: TIMEOUT. Required */
    guint64 head;              /* asked for first, more only when it is read; 0: all at once */
    const char *ca_file;       /* instead of the system's certificates; or NULL */
    bool insecure;             /* the site switched verification off for this datastore */
    const char *sigv4;         /* CURLOPT_AWS_SIGV4; no redirects then */
    const char *user, *secret; /* for it */
} HttpStreamOptions;

typedef struct HttpStream HttpStream;

/* Returns once the server has answered 200 or 206. NULL: NOT_FOUND (404, 410), DENIED (401, 403,
 * a certificate that is not good), UNREACHABLE, TIMEOUT, FAILED. */
HttpStream *http_stream_open(const HttpStreamOptions *options, GError **error);
void http_stream_free(HttpStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpStream, http_stream_free)

/* Bytes of the whole content; false where the server does not say. */
bool http_stream_size(const HttpStream *stream, guint64 *size);

/* At most `length` bytes, at least one; *got 0 at the end. May be called from another thread than
 * http_stream_open(); ends with CANCELLED soon after *stop becomes true (may be NULL). */
bool http_stream_read(HttpStream *stream, const gint *stop, void *bytes, size_t length, size_t *got,
                      GError **error);

/* The last `length` bytes of the same version of the content, by a request of its own. NULL without
 * an error where the server cannot do that. */
GBytes *http_stream_tail(const HttpStream *stream, guint64 length, GError **error);
