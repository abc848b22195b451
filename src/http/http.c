// SPDX-License-Identifier: Apache-2.0
#include "http/http.h"

#include "base/command.h"
#include "base/error.h"
#include "http/curl.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

typedef struct Sink {
    GByteArray *bytes; /* or */
    int fd;
    gsize got, limit;
    int write_error;
} Sink;

static size_t
receive(char *data, size_t one, size_t length, void *user)
{
    Sink *sink = user;

    length *= one;
    sink->got += length;
    if (sink->got > sink->limit)
        return 0;
    if (sink->bytes) {
        g_byte_array_append(sink->bytes, (const guint8 *)data, (guint)length);
        return length;
    }
    for (size_t done = 0; done < length;) {
        ssize_t wrote = write(sink->fd, data + done, length - done);
        if (wrote < 0 && errno != EINTR) {
            sink->write_error = errno;
            return 0;
        }
        done += (size_t)MAX(wrote, 0);
    }
    return length;
}

static int
progress(G_GNUC_UNUSED void *user, G_GNUC_UNUSED curl_off_t a, G_GNUC_UNUSED curl_off_t b,
         G_GNUC_UNUSED curl_off_t c, G_GNUC_UNUSED curl_off_t d)
{
    return cancel_requested();
}

static void
apply(CURL *curl, const char *url, const HttpOptions *options, Sink *sink, char *reason)
{
    libcurl.easy_setopt(curl, CURLOPT_URL, url);
    libcurl.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    libcurl.easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    libcurl.easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
    libcurl.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)MIN(options->timeout_ms, 10000));
    libcurl.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    libcurl.easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    libcurl.easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, progress);
    libcurl.easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    libcurl.easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    libcurl.easy_setopt(curl, CURLOPT_WRITEDATA, sink);
    libcurl.easy_setopt(curl, CURLOPT_USERAGENT, "onevol");
    if (options->certificates)
        libcurl.easy_setopt(curl, CURLOPT_CAPATH, options->certificates);
    if (options->insecure) {
        libcurl.easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        libcurl.easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    curl_spare_localhost(curl, url);
}

static bool
judge(CURL *curl, CURLcode code, const char *url, const char *reason, const Sink *sink,
      GError **error)
{
    long status = 0;

    libcurl.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status == 200)
        return true;
    if (code == CURLE_OK)
        return set_error(error, ONEVOL_ERROR_FAILED, "'%s' answered HTTP %ld", url, status);
    if (cancel_requested())
        return cancel_check(error);
    if (sink->write_error)
        return set_error_errno(error, sink->write_error, "cannot store what '%s' sends", url);
    if (code == CURLE_WRITE_ERROR)
        return set_error(error, ONEVOL_ERROR_CORRUPT,
                         "'%s' sends more than %" G_GSIZE_FORMAT " bytes", url, sink->limit);
    return set_error(
        error, code == CURLE_OPERATION_TIMEDOUT ? ONEVOL_ERROR_TIMEOUT : ONEVOL_ERROR_UNREACHABLE,
        "'%s' does not answer: %s", url, *reason ? reason : libcurl.easy_strerror(code));
}

GBytes *
http_post(const char *url, const char *content_type, const char *body, const HttpOptions *options,
          GError **error)
{
    if (!curl_load(error))
        return NULL;

    CURL *curl = libcurl.easy_init();
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree char *header = g_strconcat("Content-Type: ", content_type, NULL);
    struct curl_slist *headers = libcurl.slist_append(NULL, header);
    char reason[CURL_ERROR_SIZE] = "";
    Sink sink = {.bytes = bytes, .limit = options->limit};

    headers = libcurl.slist_append(headers, "Expect:"); /* no 100-continue round trip */
    apply(curl, url, options, &sink, reason);
    libcurl.easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    libcurl.easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    bool done = judge(curl, libcurl.easy_perform(curl), url, reason, &sink, error);
    libcurl.slist_free_all(headers);
    libcurl.easy_cleanup(curl);
    return done ? g_byte_array_free_to_bytes(g_steal_pointer(&bytes)) : NULL;
}

bool
http_get(const char *url, int fd, const HttpOptions *options, GError **error)
{
    if (!curl_load(error))
        return false;

    CURL *curl = libcurl.easy_init();
    char reason[CURL_ERROR_SIZE] = "";
    Sink sink = {.fd = fd, .limit = options->limit};

    apply(curl, url, options, &sink, reason);
    libcurl.easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    libcurl.easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    bool done = judge(curl, libcurl.easy_perform(curl), url, reason, &sink, error);
    libcurl.easy_cleanup(curl);
    return done;
}
