// SPDX-License-Identifier: Apache-2.0
#include "http/request.h"

#include "base/command.h"
#include "base/error.h"
#include "http/curl.h"

#include <string.h>

struct HttpClient {
    CURL *curl;
    char *ca, *certificate, *key;
};

/* One request under way. */
typedef struct Exchange {
    const HttpRequest *request;
    HttpAnswer *answer;
    CURL *curl;
    gsize sent, got;
    bool too_long;
    GError *failed;
} Exchange;

HttpClient *
http_client_new(const HttpTls *tls, GError **error)
{
    if (!curl_load(error))
        return NULL;
    HttpClient *client = g_new0(HttpClient, 1);
    client->curl = libcurl.easy_init();
    if (tls) {
        client->ca = g_strdup(tls->ca);
        client->certificate = g_strdup(tls->certificate);
        client->key = g_strdup(tls->key);
    }
    return client;
}

void
http_client_free(HttpClient *client)
{
    if (!client)
        return;
    libcurl.easy_cleanup(client->curl);
    g_free(client->ca);
    g_free(client->certificate);
    g_free(client->key);
    g_free(client);
}

void
http_answer_clear(HttpAnswer *answer)
{
    g_clear_pointer(&answer->body, g_byte_array_unref);
    g_clear_pointer(&answer->location, g_free);
}

static bool
is_good(Exchange *exchange)
{
    long status = 0;

    libcurl.easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

static size_t
on_content(char *data, size_t one, size_t count, void *user)
{
    Exchange *exchange = user;
    gsize length = one * count;

    exchange->got += length;
    if (exchange->got > exchange->request->limit) {
        exchange->too_long = true;
        return 0;
    }
    if (!exchange->request->consume || !is_good(exchange))
        g_byte_array_append(exchange->answer->body, (const guint8 *)data, (guint)length);
    else if (!exchange->request->consume(data, length, exchange->request->user, &exchange->failed))
        return 0;
    return length;
}

/* The body is read and not handed over as a whole, because there is then no way to send it twice.
 */
static size_t
on_body(char *room, size_t one, size_t count, void *user)
{
    Exchange *exchange = user;
    gsize left = strlen(exchange->request->body) - exchange->sent;
    gsize length = MIN(left, one * count);

    memcpy(room, exchange->request->body + exchange->sent, length);
    exchange->sent += length;
    return length;
}

static int
on_progress(G_GNUC_UNUSED void *user, G_GNUC_UNUSED curl_off_t a, G_GNUC_UNUSED curl_off_t b,
            G_GNUC_UNUSED curl_off_t c, G_GNUC_UNUSED curl_off_t d)
{
    return cancel_requested();
}

static void
apply_tls(HttpClient *client)
{
    CURL *curl = client->curl;

    if (client->ca)
        libcurl.easy_setopt(curl, CURLOPT_CAINFO, client->ca);
    if (client->certificate)
        libcurl.easy_setopt(curl, CURLOPT_SSLCERT, client->certificate);
    if (client->key)
        libcurl.easy_setopt(curl, CURLOPT_SSLKEY, client->key);
}

static void
apply(HttpClient *client, Exchange *exchange, struct curl_slist *headers, char *reason)
{
    const HttpRequest *request = exchange->request;
    CURL *curl = client->curl;

    apply_tls(client);
    libcurl.easy_setopt(curl, CURLOPT_URL, request->url);
    libcurl.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    libcurl.easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    libcurl.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms);
    libcurl.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    libcurl.easy_setopt(curl, CURLOPT_NOPROXY, "*");
    libcurl.easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    libcurl.easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    libcurl.easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    libcurl.easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_content);
    libcurl.easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    libcurl.easy_setopt(curl, CURLOPT_USERAGENT, "onevol");
    libcurl.easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (request->body) {
        libcurl.easy_setopt(curl, CURLOPT_POST, 1L);
        libcurl.easy_setopt(curl, CURLOPT_POSTFIELDS, NULL);
        libcurl.easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(request->body));
        libcurl.easy_setopt(curl, CURLOPT_READFUNCTION, on_body);
        libcurl.easy_setopt(curl, CURLOPT_READDATA, exchange);
    } else {
        libcurl.easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    libcurl.easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

/* A certificate or a key that does not do; a server that is not who it should be. */
static bool
is_denial(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM ||
           code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR;
}

static HttpOutcome
judge(Exchange *exchange, CURLcode code, const char *reason, GError **error)
{
    const HttpRequest *request = exchange->request;
    long sent = 0;
    const char *why = *reason ? reason : libcurl.easy_strerror(code);

    libcurl.easy_getinfo(exchange->curl, CURLINFO_REQUEST_SIZE, &sent);
    if (code == CURLE_OK)
        return HTTP_ANSWERED;
    if (cancel_requested()) {
        cancel_check(error);
        return HTTP_FAILED;
    }
    if (exchange->failed) {
        g_propagate_error(error, g_steal_pointer(&exchange->failed));
        return HTTP_FAILED;
    }
    if (exchange->too_long) {
        set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' sends more than %" G_GSIZE_FORMAT " bytes",
                  request->url, request->limit);
        return HTTP_FAILED;
    }
    if (sent == 0) {
        set_error(error, is_denial(code) ? ONEVOL_ERROR_DENIED : ONEVOL_ERROR_UNREACHABLE,
                  "cannot reach '%s': %s", request->url, why);
        return HTTP_NOT_SENT;
    }
    set_error(error,
              code == CURLE_OPERATION_TIMEDOUT ? ONEVOL_ERROR_TIMEOUT : ONEVOL_ERROR_UNREACHABLE,
              "no answer from '%s': %s", request->url, why);
    return HTTP_LOST;
}

static void
look_at(Exchange *exchange)
{
    char *location = NULL;

    libcurl.easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &exchange->answer->status);
    libcurl.easy_getinfo(exchange->curl, CURLINFO_REDIRECT_URL, &location);
    exchange->answer->location = g_strdup(location);
}

HttpOutcome
http_client_request(HttpClient *client, const HttpRequest *request, HttpAnswer *answer,
                    GError **error)
{
    struct curl_slist *headers = libcurl.slist_append(NULL, "Expect:");
    char reason[CURL_ERROR_SIZE] = "";
    Exchange exchange = {.request = request, .answer = answer, .curl = client->curl};

    *answer = (HttpAnswer){.body = g_byte_array_new()};
    for (const char *const *p = request->headers; p && *p; p++)
        headers = libcurl.slist_append(headers, *p);
    apply(client, &exchange, headers, reason);
    CURLcode code = libcurl.easy_perform(client->curl);
    HttpOutcome outcome = judge(&exchange, code, reason, error);
    if (outcome == HTTP_ANSWERED)
        look_at(&exchange);
    else
        http_answer_clear(answer);
    libcurl.easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);
    libcurl.easy_setopt(client->curl, CURLOPT_ERRORBUFFER, NULL);
    libcurl.slist_free_all(headers);
    return outcome;
}
