// SPDX-License-Identifier: Apache-2.0
/*
 * Requests of any method to one service, over connections that are kept.
 *
 * The caller learns whether a request that failed can have reached the service: what was not sent
 * may go to another server, what was sent may have been done. libcurl repeats a request by itself
 * when a kept connection turns out to be dead; one with a body is never repeated that way.
 *
 * No redirects are followed and no proxy is used.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct HttpTls {
    const char *ca;          /* file of certificates to trust, or NULL for the system's */
    const char *certificate; /* ours, PEM; or NULL */
    const char *key;
} HttpTls;

typedef struct HttpRequest {
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL at the end; or NULL */
    const char *body;           /* or NULL */
    unsigned connect_ms, timeout_ms;
    gsize limit; /* largest answer taken, bytes */
    /* Takes the content of a 2xx answer as it comes instead of HttpAnswer.body. False with error
     * set ends the request. NULL: collected. */
    bool (*consume)(const char *data, gsize length, void *user, GError **error);
    void *user;
} HttpRequest;

typedef struct HttpAnswer {
    long status;
    GByteArray *body; /* never NULL after HTTP_ANSWERED; no NUL at its end */
    char *location;   /* of a redirect, or NULL */
} HttpAnswer;

typedef enum {
    HTTP_ANSWERED, /* whatever the status */
    HTTP_NOT_SENT, /* nobody has got it: UNREACHABLE, or DENIED for a certificate that is not good
                    */
    HTTP_LOST,     /* somebody may have: UNREACHABLE or TIMEOUT */
    HTTP_FAILED,   /* it is our own affair: cancelled, the consumer's error, an answer too long */
} HttpOutcome;

typedef struct HttpClient HttpClient;

/* NULL if libcurl cannot be loaded. `tls` is copied; NULL: the system's certificates. */
HttpClient *http_client_new(const HttpTls *tls, GError **error);
void http_client_free(HttpClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpClient, http_client_free)

/* `answer` is valid after HTTP_ANSWERED only; error is set otherwise. */
HttpOutcome http_client_request(HttpClient *client, const HttpRequest *request, HttpAnswer *answer,
                                GError **error);

void http_answer_clear(HttpAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HttpAnswer, http_answer_clear)
