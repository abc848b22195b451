// SPDX-License-Identifier: Apache-2.0
#include "http/stream.h"

#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "http/curl.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#define BUFFER_LIMIT (2u << 20)
#define POLL_MS 200
#define CONNECT_MS 20000L
#define RANGE_NOT_SATISFIABLE 416

enum {
    ATTEMPTS_WITHOUT_PROGRESS = 4,
    ATTEMPTS = 50, /* in all: a server that drops each connection after some bytes */
};

/* What the answer that is coming in says of itself. */
typedef struct Answer {
    long status;
    guint64 length; /* Content-Length */
    bool has_length;
    guint64 start, total; /* Content-Range */
    bool has_range;
    char *etag, *modified;
} Answer;

struct HttpStream {
    char *url, *shown, *ca_file, *sigv4, *user, *secret;
    unsigned silence_ms;
    bool insecure;

    CURLM *multi;
    CURL *curl;
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];
    Answer answer;
    bool judged;    /* the answer's first byte was looked at */
    GError *failed; /* of a callback */

    /* The content. */
    char *validator; /* strong ETag, or Last-Modified */
    bool is_etag;
    guint64 total;
    bool has_total;
    guint64 end;      /* of the request that runs, exclusive; G_MAXUINT64: all */
    guint64 step;     /* so many bytes are asked for at once, more each time */
    guint64 position; /* bytes taken into the buffer so far */
    XXH3_state_t *hash;
    guint64 again; /* bytes of a full second answer that were read before */
    XXH3_state_t *hash_again;

    GByteArray *buffer;
    gsize taken;
    bool paused, finished;
    bool only_range; /* all of it is of no use */
    gint64 moved;    /* when something came last */
    unsigned attempts, fruitless;
    guint64 position_before; /* of the attempt that runs */
};

static void
answer_clear(Answer *answer)
{
    g_free(answer->etag);
    g_free(answer->modified);
    *answer = (Answer){0};
}

static char *
header_value(const char *line, gsize length, const char *name)
{
    gsize n = strlen(name);

    if (length <= n || g_ascii_strncasecmp(line, name, n) || line[n] != ':')
        return NULL;
    return g_strstrip(g_strndup(line + n + 1, length - n - 1));
}

/* "bytes 5-9/10" */
static void
parse_range(const char *text, Answer *answer)
{
    guint64 end;
    g_auto(GStrv) parts = g_strsplit_set(text, " -/", -1);

    answer->has_range =
        g_strv_length(parts) == 4 && !g_ascii_strcasecmp(parts[0], "bytes") &&
        g_ascii_string_to_unsigned(parts[1], 10, 0, G_MAXINT64, &answer->start, NULL) &&
        g_ascii_string_to_unsigned(parts[2], 10, 0, G_MAXINT64, &end, NULL) &&
        g_ascii_string_to_unsigned(parts[3], 10, 1, G_MAXINT64, &answer->total, NULL) &&
        answer->start <= end && end < answer->total;
}

static size_t
on_header(char *line, size_t one, size_t count, void *user)
{
    HttpStream *stream = user;
    Answer *answer = &stream->answer;
    gsize length = one * count;
    g_autofree char *text = NULL;

    stream->moved = g_get_monotonic_time();
    if (length >= 5 && !strncmp(line, "HTTP/", 5)) /* the next one: a redirect's, a proxy's */
        answer_clear(answer);
    else if ((text = header_value(line, length, "Content-Length")))
        answer->has_length =
            g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, &answer->length, NULL);
    else if ((text = header_value(line, length, "Content-Range")))
        parse_range(text, answer);
    else if ((text = header_value(line, length, "ETag"))) {
        g_free(answer->etag);
        answer->etag = g_str_has_prefix(text, "\"") ? g_steal_pointer(&text) : NULL;
    } else if ((text = header_value(line, length, "Last-Modified"))) {
        g_free(answer->modified);
        answer->modified = g_steal_pointer(&text);
    }
    return length;
}

static bool
changed(HttpStream *stream)
{
    return set_error(&stream->failed, ONEVOL_ERROR_CORRUPT, "'%s' changed while it was read",
                     stream->shown);
}

static void
remember(HttpStream *stream)
{
    const Answer *answer = &stream->answer;

    stream->is_etag = answer->etag != NULL;
    stream->validator = g_strdup(answer->etag ? answer->etag : answer->modified);
    if (answer->status == 206) {
        stream->total = answer->total;
        stream->has_total = true;
    } else {
        stream->total = answer->length;
        stream->has_total = answer->has_length;
    }
}

/* Is this answer the content, and from where on? */
static bool
judge_answer(HttpStream *stream)
{
    const Answer *answer = &stream->answer;
    bool first = stream->attempts == 1 || (!stream->validator && !stream->has_total);
    const char *validator = answer->etag ? answer->etag : answer->modified;

    stream->again = 0;
    if (answer->status == 206) {
        if (!answer->has_range || answer->start != stream->position)
            return set_error(&stream->failed, ONEVOL_ERROR_CORRUPT,
                             "'%s' sends another range than it was asked for", stream->shown);
    } else if (stream->only_range) {
        return set_error(&stream->failed, ONEVOL_ERROR_UNSUPPORTED, "'%s' has no ranges",
                         stream->shown);
    } else {
        stream->end = G_MAXUINT64;
        stream->again = stream->position;
        XXH3_128bits_reset(stream->hash_again);
    }
    if (first && stream->position == 0) {
        g_clear_pointer(&stream->validator, g_free);
        remember(stream);
        return true;
    }
    if (stream->validator && g_strcmp0(stream->validator, validator) != 0)
        return changed(stream);
    guint64 total = answer->status == 206 ? answer->total : answer->length;
    if (stream->has_total && (answer->status == 206 || answer->has_length) &&
        total != stream->total)
        return changed(stream);
    return true;
}

static bool
is_content(long status)
{
    return status == 200 || status == 206;
}

/* Bytes that were read before the connection was lost come once more. */
static bool
compare_again(HttpStream *stream, const char **data, size_t *length)
{
    gsize part = (gsize)MIN((guint64)*length, stream->again);

    XXH3_128bits_update(stream->hash_again, *data, part);
    stream->again -= part;
    *data += part;
    *length -= part;
    if (stream->again > 0)
        return true;
    return XXH128_isEqual(XXH3_128bits_digest(stream->hash),
                          XXH3_128bits_digest(stream->hash_again)) ||
           changed(stream);
}

static size_t
on_body(char *bytes, size_t one, size_t count, void *user)
{
    HttpStream *stream = user;
    const char *data = bytes;
    size_t length = one * count;

    if (stream->buffer->len - stream->taken >= BUFFER_LIMIT) {
        stream->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    stream->moved = g_get_monotonic_time();
    libcurl.easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &stream->answer.status);
    if (!is_content(stream->answer.status))
        return length; /* the text of an error */
    if (!stream->judged) {
        if (!judge_answer(stream))
            return 0;
        stream->judged = true;
    }
    if (stream->again > 0 && !compare_again(stream, &data, &length))
        return 0;
    if (stream->has_total && length > stream->total - stream->position) {
        set_error(&stream->failed, ONEVOL_ERROR_CORRUPT, "'%s' sends more than it announced",
                  stream->shown);
        return 0;
    }
    XXH3_128bits_update(stream->hash, data, length);
    g_byte_array_append(stream->buffer, (const guint8 *)data, (guint)length);
    stream->position += length;
    return one * count;
}

static void
apply_options(HttpStream *stream)
{
    CURL *curl = stream->curl;
    const char *bundle = stream->ca_file ? stream->ca_file : g_getenv("CURL_CA_BUNDLE");

    libcurl.easy_setopt(curl, CURLOPT_URL, stream->url);
    libcurl.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    libcurl.easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    libcurl.easy_setopt(curl, CURLOPT_FOLLOWLOCATION, stream->sigv4 ? 0L : 1L);
    libcurl.easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    libcurl.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, MIN(CONNECT_MS, (long)stream->silence_ms));
    libcurl.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    libcurl.easy_setopt(curl, CURLOPT_BUFFERSIZE, 512L * 1024);
    libcurl.easy_setopt(curl, CURLOPT_ERRORBUFFER, stream->reason);
    libcurl.easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    libcurl.easy_setopt(curl, CURLOPT_WRITEDATA, stream);
    libcurl.easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    libcurl.easy_setopt(curl, CURLOPT_HEADERDATA, stream);
    libcurl.easy_setopt(curl, CURLOPT_USERAGENT, "onevol");
    if (bundle)
        libcurl.easy_setopt(curl, CURLOPT_CAINFO, bundle);
    if (stream->insecure) {
        libcurl.easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        libcurl.easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (stream->sigv4) {
        libcurl.easy_setopt(curl, CURLOPT_AWS_SIGV4, stream->sigv4);
        libcurl.easy_setopt(curl, CURLOPT_USERNAME, stream->user);
        libcurl.easy_setopt(curl, CURLOPT_PASSWORD, stream->secret);
    }
    curl_spare_localhost(curl, stream->url);
}

static void
stop_request(HttpStream *stream)
{
    if (stream->curl) {
        libcurl.multi_remove_handle(stream->multi, stream->curl);
        libcurl.easy_cleanup(stream->curl);
        stream->curl = NULL;
    }
    libcurl.slist_free_all(stream->headers);
    stream->headers = NULL;
    answer_clear(&stream->answer);
    stream->judged = false;
    stream->paused = false;
}

/* From the position on, to stream->end. */
static void
start_request(HttpStream *stream)
{
    bool whole = stream->position == 0 && stream->end == G_MAXUINT64;

    stop_request(stream);
    stream->curl = libcurl.easy_init();
    stream->reason[0] = '\0';
    stream->position_before = stream->position;
    stream->moved = g_get_monotonic_time();
    stream->attempts++;
    apply_options(stream);
    if (!whole && (stream->position == 0 || stream->validator)) {
        g_autofree char *range = stream->end == G_MAXUINT64
                                     ? g_strdup_printf("%" G_GUINT64_FORMAT "-", stream->position)
                                     : g_strdup_printf("%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT,
                                                       stream->position, stream->end - 1);
        libcurl.easy_setopt(stream->curl, CURLOPT_RANGE, range);
        if (stream->validator) {
            g_autofree char *same = g_strconcat("If-Range: ", stream->validator, NULL);
            stream->headers = libcurl.slist_append(NULL, same);
            libcurl.easy_setopt(stream->curl, CURLOPT_HTTPHEADER, stream->headers);
        }
    }
    libcurl.multi_add_handle(stream->multi, stream->curl);
}

static bool
judge_status(HttpStream *stream, long status, GError **error)
{
    OnevolError code = status == 404 || status == 410   ? ONEVOL_ERROR_NOT_FOUND
                       : status == 401 || status == 403 ? ONEVOL_ERROR_DENIED
                                                        : ONEVOL_ERROR_FAILED;

    return set_error(error, code, "'%s' answered HTTP %ld", stream->shown, status);
}

static OnevolError
code_of(CURLcode code)
{
    if (code == CURLE_OPERATION_TIMEDOUT)
        return ONEVOL_ERROR_TIMEOUT;
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        return ONEVOL_ERROR_DENIED;
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_TOO_MANY_REDIRECTS)
        return ONEVOL_ERROR_REFUSED;
    return ONEVOL_ERROR_UNREACHABLE;
}

static bool
may_pass(CURLcode code, long status)
{
    switch ((int)code) {
    case CURLE_OK:
        return status == 408 || status == 429 || (status >= 500 && status <= 504);
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_OPERATION_TIMEDOUT:
        return true;
    default:
        return false;
    }
}

static bool
stopped(const gint *stop, GError **error)
{
    if (!cancel_check(error))
        return true;
    if (stop && g_atomic_int_get(stop))
        return !set_error(error, ONEVOL_ERROR_CANCELLED, "the download was stopped");
    return false;
}

/* Waits a little longer each time: 0.5, 1, 2 s. */
static bool
try_again(HttpStream *stream, const gint *stop, const char *why, GError **error)
{
    bool moved = stream->position > stream->position_before;

    stream->fruitless = moved ? 0 : stream->fruitless + 1;
    if (stream->fruitless >= ATTEMPTS_WITHOUT_PROGRESS || stream->attempts >= ATTEMPTS)
        return false;
    log_info("'%s': %s; trying again at byte %" G_GUINT64_FORMAT, stream->shown, why,
             stream->position);
    for (int i = 0; i < 5 << (moved ? 0 : MIN(stream->fruitless - 1, 3)); i++) {
        if (stopped(stop, error))
            return false;
        g_usleep(100000);
    }
    start_request(stream);
    return true;
}

static bool
is_complete(const HttpStream *stream)
{
    return stream->again == 0 && (!stream->has_total || stream->position == stream->total);
}

/* The request has ended, well or not. True: go on. */
static bool
request_ended(HttpStream *stream, CURLcode code, const gint *stop, GError **error)
{
    long status = 0;

    libcurl.easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
    stream->answer.status = status;
    if (stream->failed) {
        g_propagate_error(error, g_steal_pointer(&stream->failed));
        return false;
    }
    if (code == CURLE_OK && is_content(status)) {
        if (!stream->judged && !judge_answer(stream)) { /* one without a body */
            g_propagate_error(error, g_steal_pointer(&stream->failed));
            return false;
        }
        if (is_complete(stream)) {
            stream->finished = true;
            return true;
        }
        if (stream->position >= stream->end) { /* the head; more is wanted now */
            stream->step *= 4;
            stream->end = stream->position + stream->step;
            if (stream->has_total && stream->end > stream->total)
                stream->end = stream->total;
            start_request(stream);
            return true;
        }
        code = CURLE_PARTIAL_FILE;
    }
    if (code == CURLE_OK && status == RANGE_NOT_SATISFIABLE && stream->position == 0 &&
        stream->end != G_MAXUINT64) { /* it may be empty */
        stream->end = G_MAXUINT64;
        start_request(stream);
        return true;
    }
    g_autofree char *why =
        code != CURLE_OK
            ? one_line(*stream->reason ? stream->reason : libcurl.easy_strerror(code), 200)
            : g_strdup_printf("HTTP %ld", status);
    GError *local = NULL;
    if (may_pass(code, status) && try_again(stream, stop, why, &local))
        return true;
    if (local) {
        g_propagate_error(error, local);
        return false;
    }
    if (code == CURLE_OK)
        return judge_status(stream, status, error);
    return set_error(error, code_of(code), "cannot read '%s': %s", stream->shown, why);
}

/* Lets libcurl work once. Waits only while there is nothing to do. */
static bool
work(HttpStream *stream, const gint *stop, GError **error)
{
    int running, left;

    if (stopped(stop, error))
        return false;
    if (stream->paused && stream->buffer->len == 0) {
        stream->paused = false;
        libcurl.easy_pause(stream->curl, CURLPAUSE_CONT);
    }
    libcurl.multi_perform(stream->multi, &running);
    CURLMsg *message = libcurl.multi_info_read(stream->multi, &left);
    if (message && message->msg == CURLMSG_DONE)
        return request_ended(stream, message->data.result, stop, error);
    if (stream->buffer->len > 0)
        return true;
    if (g_get_monotonic_time() - stream->moved > (gint64)stream->silence_ms * 1000)
        return request_ended(stream, CURLE_OPERATION_TIMEDOUT, stop, error);
    libcurl.multi_poll(stream->multi, NULL, 0, POLL_MS, NULL);
    return true;
}

HttpStream *
http_stream_open(const HttpStreamOptions *options, GError **error)
{
    g_assert(options->silence_ms > 0);
    if (!curl_load(error))
        return NULL;

    g_autoptr(HttpStream) stream = g_new0(HttpStream, 1);
    stream->url = g_strdup(options->url);
    stream->shown = g_strdup(options->shown);
    stream->ca_file = g_strdup(options->ca_file);
    stream->sigv4 = g_strdup(options->sigv4);
    stream->user = g_strdup(options->user);
    stream->secret = g_strdup(options->secret);
    stream->silence_ms = options->silence_ms;
    stream->insecure = options->insecure;
    stream->step = options->head;
    stream->end = options->head ? options->head : G_MAXUINT64;
    stream->hash = XXH3_createState();
    stream->hash_again = XXH3_createState();
    XXH3_128bits_reset(stream->hash);
    stream->buffer = g_byte_array_new();
    stream->multi = libcurl.multi_init();
    start_request(stream);
    while (!stream->finished && stream->buffer->len == 0)
        if (!work(stream, NULL, error))
            return NULL;
    return g_steal_pointer(&stream);
}

void
http_stream_free(HttpStream *stream)
{
    if (!stream)
        return;
    if (stream->multi) {
        stop_request(stream);
        libcurl.multi_cleanup(stream->multi);
    }
    if (stream->buffer)
        g_byte_array_unref(stream->buffer);
    XXH3_freeState(stream->hash);
    XXH3_freeState(stream->hash_again);
    g_clear_error(&stream->failed);
    g_free(stream->validator);
    g_free(stream->url);
    g_free(stream->shown);
    g_free(stream->ca_file);
    g_free(stream->sigv4);
    g_free(stream->user);
    g_free(stream->secret);
    g_free(stream);
}

bool
http_stream_size(const HttpStream *stream, guint64 *size)
{
    *size = stream->total;
    return stream->has_total;
}

bool
http_stream_read(HttpStream *stream, const gint *stop, void *bytes, size_t length, size_t *got,
                 GError **error)
{
    *got = 0;
    stream->moved = g_get_monotonic_time(); /* the time that nobody asked does not count */
    while (stream->taken == stream->buffer->len) {
        g_byte_array_set_size(stream->buffer, 0);
        stream->taken = 0;
        if (stream->finished)
            return true;
        if (!work(stream, stop, error))
            return false;
    }
    *got = MIN(length, stream->buffer->len - stream->taken);
    memcpy(bytes, stream->buffer->data + stream->taken, *got);
    stream->taken += *got;
    return true;
}

GBytes *
http_stream_tail(const HttpStream *stream, guint64 length, GError **error)
{
    if (!stream->has_total || !stream->validator)
        return NULL;

    g_autoptr(HttpStream) tail = g_new0(HttpStream, 1);
    *tail = (HttpStream){
        .url = g_strdup(stream->url),
        .shown = g_strdup(stream->shown),
        .ca_file = g_strdup(stream->ca_file),
        .sigv4 = g_strdup(stream->sigv4),
        .user = g_strdup(stream->user),
        .secret = g_strdup(stream->secret),
        .silence_ms = stream->silence_ms,
        .insecure = stream->insecure,
        .validator = g_strdup(stream->validator),
        .total = stream->total,
        .has_total = true,
        .position = stream->total - MIN(length, stream->total),
        .end = stream->total,
        .only_range = true,
        .hash = XXH3_createState(),
        .hash_again = XXH3_createState(),
        .buffer = g_byte_array_new(),
        .multi = libcurl.multi_init(),
    };
    XXH3_128bits_reset(tail->hash);
    start_request(tail);
    while (!tail->finished) {
        GError *local = NULL;
        if (work(tail, NULL, &local))
            continue;
        if (g_error_matches(local, ONEVOL_ERROR, ONEVOL_ERROR_UNSUPPORTED))
            g_clear_error(&local);
        else
            g_propagate_error(error, local);
        return NULL;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&tail->buffer));
}
