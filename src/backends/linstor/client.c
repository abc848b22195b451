// SPDX-License-Identifier: Apache-2.0
#include "backends/linstor/client.h"

#include "backends/linstor/controllers.h"
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "http/request.h"

#include <string.h>

#define TOKEN_FILE "/var/lib/linstor.d/auth.json" /* where LINBIT's clients look */
#define LIST_LIMIT ((gsize)1 << 30)               /* read in elements */
#define ANSWER_LIMIT ((gsize)16 << 20)
#define OPEN_MS 10000u /* a controller that hangs does not keep us from the next */
#define VERSION(major, minor, patch)                                                               \
    ((guint64)(major) << 40 | (guint64)(minor) << 20 | (guint64)(patch))

struct LinstorClient {
    GPtrArray *controllers; /* of LinstorController */
    guint current;
    char *url;
    HttpClient *http;
    char *authorization;
    unsigned connect_ms, read_ms, write_ms, patience_ms;
    guint64 version;
    char *release;
    int failure;
    bool begun; /* the elements of a list were seen: it cannot be asked for again */
};

static const struct {
    LinstorFeature feature;
    guint64 version;
} features[] = {
    {LINSTOR_MAKE_AVAILABLE,    VERSION(1, 7,  0)},
    {LINSTOR_CLONE,             VERSION(1, 10, 0)},
    {LINSTOR_ZFS_CLONE,         VERSION(1, 13, 0)},
    {LINSTOR_QUERY_SIZE,        VERSION(1, 17, 0)},
    {LINSTOR_MULTI_SNAPSHOT,    VERSION(1, 18, 0)},
    {LINSTOR_PLACED_NODES,      VERSION(1, 21, 0)},
    {LINSTOR_SPAWN_PROPS,       VERSION(1, 22, 0)},
    {LINSTOR_KEEP_TIE_BREAKER,  VERSION(1, 23, 0)},
    {LINSTOR_CLONE_GROUP,       VERSION(1, 24, 0)},
    {LINSTOR_ROLLBACK_ANY,      VERSION(1, 25, 0)},
    {LINSTOR_PASSPHRASE_STATUS, VERSION(1, 25, 0)},
    {LINSTOR_CLONE_PROPS,       VERSION(1, 26, 0)},
};

guint64
linstor_version_number(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text ? text : "", ".", -1);
    guint64 number = 0;

    if (g_strv_length(parts) != 3)
        return 0;
    for (guint i = 0; i < 3; i++) {
        guint64 part;
        if (!parse_number(parts[i], (1 << 20) - 1, &part))
            return 0;
        number = number << 20 | part;
    }
    return number;
}

bool
linstor_has(const LinstorClient *client, LinstorFeature feature)
{
    for (guint i = 0; i < G_N_ELEMENTS(features); i++)
        if (features[i].feature == feature)
            return client->version >= features[i].version;
    g_return_val_if_reached(false);
}

const char *
linstor_release(const LinstorClient *client)
{
    return client->release;
}

const char *
linstor_url(const LinstorClient *client)
{
    return client->url;
}

unsigned
linstor_patience_ms(const LinstorClient *client)
{
    return client->patience_ms;
}

int
linstor_failure(const LinstorClient *client)
{
    return client->failure;
}

void
linstor_set_failure(LinstorClient *client, int code)
{
    client->failure = code;
}

bool
linstor_wait(unsigned ms, GError **error)
{
    gint64 end = g_get_monotonic_time() + (gint64)ms * 1000;

    do {
        if (!cancel_check(error))
            return false;
        gint64 left = end - g_get_monotonic_time();
        if (left > 0)
            g_usleep((gulong)MIN(left, 50 * 1000));
    } while (g_get_monotonic_time() < end);
    return true;
}

/* One exchange */

static bool
is_opening(const LinstorClient *client)
{
    return client->release == NULL;
}

static const char *
status_word(long status)
{
    return status >= 502 && status <= 504 ? ", which comes from a proxy before it" : "";
}

static bool
says_not_active(long status)
{
    return status >= 502 && status <= 504;
}

static void
warn_of(const json_t *answer)
{
    size_t i;
    json_t *entry;

    json_array_foreach(answer, i, entry)
    {
        gint64 ret_code = json_integer_value(json_object_get(entry, "ret_code"));
        LinstorSeverity severity = linstor_severity(ret_code);
        if (severity != LINSTOR_WARNING && severity != LINSTOR_INFO)
            continue;
        g_autofree char *text = linstor_entry_text(entry);
        if (severity == LINSTOR_WARNING && linstor_code(ret_code) != LINSTOR_WARN_NOT_FOUND)
            log_warn("LINSTOR: %s", text);
        else
            log_debug("LINSTOR: %s", text);
    }
}

/* Where the entries of an answer are: itself, or in an object for clones and size queries. */
static const json_t *
entries_of(const json_t *answer)
{
    if (json_is_array(answer))
        return answer;
    const json_t *messages = json_object_get(answer, "messages");
    return messages ? messages : json_object_get(answer, "reports");
}

static LinstorResult
refuse(LinstorClient *client, const json_t *entry, long status, GError **error)
{
    g_autofree char *text = entry ? linstor_entry_text(entry) : NULL;
    int code = entry ? linstor_code(json_integer_value(json_object_get(entry, "ret_code"))) : 0;
    int number = status == 401 || status == 403 ? ONEVOL_ERROR_DENIED : linstor_error_of(code);

    client->failure = code;
    if (text && *text)
        set_error(error, number, "%s", text);
    else
        set_error(error, number, "LINSTOR controller '%s' answered HTTP %ld%s", client->url, status,
                  status_word(status));
    return LINSTOR_FAILED;
}

/* What an answer that came in whole means. */
static LinstorResult
judge(LinstorClient *client, const LinstorCall *call, const HttpAnswer *http, json_t **answer,
      GError **error)
{
    json_error_t why;
    json_t *parsed = http->body->len == 0 ? NULL
                                          : json_loadb((const char *)http->body->data,
                                                       http->body->len, JSON_DECODE_ANY, &why);
    const json_t *entries = entries_of(parsed);
    const json_t *wrong = linstor_answer_first(entries, LINSTOR_ERROR);
    LinstorResult result = LINSTOR_DONE;

    if (wrong || http->status < 200 || http->status > 299) {
        result = refuse(client, wrong, http->status, error);
    } else if (!call->visit &&
               (!parsed || (call->kind == STEP_WRITE && !linstor_answer_is_valid(entries)))) {
        set_error(error, ONEVOL_ERROR_CORRUPT, "what '%s' answers is not LINSTOR's", client->url);
        /* The status says that it was done, what was done is not known. */
        result = call->kind == STEP_WRITE ? LINSTOR_LOST : LINSTOR_FAILED;
    } else if (call->kind == STEP_WRITE) {
        warn_of(entries);
    }
    if (result == LINSTOR_DONE && answer)
        *answer = g_steal_pointer(&parsed);
    json_decref(parsed);
    return result;
}

typedef struct Streaming {
    LinstorClient *client;
    LinstorElements *elements;
} Streaming;

static bool
feed(const char *data, gsize length, void *user, GError **error)
{
    Streaming *streaming = user;

    streaming->client->begun = true;
    return linstor_elements_feed(streaming->elements, data, length, error);
}

/* Sends once, to the current controller. */
static HttpOutcome
send_once(LinstorClient *client, const LinstorCall *call, const char *body, HttpAnswer *answer,
          GError **error)
{
    g_autofree char *url = g_strconcat(client->url, "/v1/", call->path, NULL);
    const char *headers[3] = {NULL};
    guint n = 0;
    g_autoptr(LinstorElements) elements =
        call->visit ? linstor_elements_new(call->visit, call->user) : NULL;
    Streaming streaming = {client, elements};
    gint64 start = g_get_monotonic_time();

    if (body)
        headers[n++] = "Content-Type: application/json";
    if (client->authorization)
        headers[n++] = client->authorization;
    HttpRequest request = {
        .method = call->method,
        .url = url,
        .headers = headers,
        .body = body,
        .connect_ms = client->connect_ms,
        .timeout_ms = call->kind == STEP_WRITE ? client->write_ms
                      : is_opening(client)     ? MIN(client->read_ms, OPEN_MS)
                                               : client->read_ms,
        .limit = call->visit ? LIST_LIMIT : ANSWER_LIMIT,
        .consume = call->visit ? feed : NULL,
        .user = &streaming,
    };
    HttpOutcome outcome = http_client_request(client->http, &request, answer, error);
    log_debug("%s %s took %.1f ms", call->method, url,
              (double)(g_get_monotonic_time() - start) / 1000.0);
    if (outcome == HTTP_ANSWERED && call->visit && answer->status >= 200 && answer->status < 300 &&
        !linstor_elements_end(elements, error)) {
        http_answer_clear(answer);
        return HTTP_FAILED;
    }
    return outcome;
}

static void
use_controller(LinstorClient *client, guint number)
{
    client->current = number;
    g_free(client->url);
    client->url = linstor_controller_url(g_ptr_array_index(client->controllers, number));
}

/* A redirect to https: the same host with another port, from now on. */
static bool
follow(LinstorClient *client, const char *location, GError **error)
{
    g_autoptr(GUri) uri = location ? g_uri_parse(location, G_URI_FLAGS_NONE, NULL) : NULL;
    LinstorController *controller = g_ptr_array_index(client->controllers, client->current);
    const char *host = uri ? g_uri_get_host(uri) : NULL;

    if (!host || g_strcmp0(g_uri_get_scheme(uri), "https") ||
        g_ascii_strcasecmp(host, controller->host) || controller->tls)
        return set_error(error, ONEVOL_ERROR_FAILED,
                         "LINSTOR controller '%s' sends us to '%s', which we do not follow",
                         client->url, location ? location : "nowhere");
    controller->tls = true;
    controller->port = (guint16)(g_uri_get_port(uri) > 0 ? g_uri_get_port(uri) : 443);
    use_controller(client, client->current);
    return true;
}

static bool
is_redirect(const HttpAnswer *answer)
{
    return answer->status == 301 || answer->status == 302 || answer->status == 307 ||
           answer->status == 308;
}

/* May it go to the next controller? 503 comes from a proxy that has nobody to ask; 502 and 504 may
 * follow a request that was passed on. */
static bool
may_go_on(const LinstorClient *client, const LinstorCall *call, HttpOutcome outcome,
          const HttpAnswer *answer, const GError *why)
{
    bool repeatable = (call->kind == STEP_READ || call->repeatable) && !client->begun;
    bool in_time = is_opening(client) || why->code != ONEVOL_ERROR_TIMEOUT;

    if (outcome == HTTP_NOT_SENT)
        return true;
    if (outcome == HTTP_LOST)
        return repeatable && in_time;
    return outcome == HTTP_ANSWERED && says_not_active(answer->status) &&
           (repeatable || answer->status == 503);
}

static LinstorResult
failed(LinstorClient *client, const LinstorCall *call, HttpOutcome outcome, GError *why,
       GError **error)
{
    bool lost = outcome == HTTP_LOST && call->kind == STEP_WRITE;

    client->failure = 0;
    g_propagate_error(error, why);
    return lost ? LINSTOR_LOST : LINSTOR_FAILED;
}

/* Tries every controller once, beginning with the current; the current one again where its answer
 * was lost. The first error is told: it is about the controller that should have answered. */
static LinstorResult
send_call(LinstorClient *client, const LinstorCall *call, const char *body, json_t **answer,
          GError **error)
{
    guint tries = client->controllers->len + 1;
    GError *first = NULL;
    bool maybe_done = false;

    for (guint i = 0; i < tries; i++) {
        g_auto(HttpAnswer) http = {0};
        GError *why = NULL;
        HttpOutcome outcome = send_once(client, call, body, &http, &why);

        if (outcome == HTTP_ANSWERED && is_redirect(&http)) {
            if (!follow(client, http.location, &why)) {
                g_clear_error(&first);
                return failed(client, call, HTTP_FAILED, why, error);
            }
            i--;
            continue;
        }
        if (outcome == HTTP_ANSWERED && !says_not_active(http.status)) {
            g_clear_error(&first);
            return judge(client, call, &http, answer, error);
        }
        if (!why)
            refuse(client, NULL, http.status, &why);
        maybe_done |= outcome == HTTP_LOST || (http.status && http.status != 503);
        bool last = i + 1 >= tries || (i + 2 >= tries && outcome == HTTP_NOT_SENT);
        bool stop = last || !may_go_on(client, call, outcome, &http, why);
        log_debug("%s", why->message);
        if (first)
            g_error_free(why);
        else
            first = why;
        if (stop)
            break;
        use_controller(client, (client->current + 1) % client->controllers->len);
    }
    return failed(client, call, maybe_done ? HTTP_LOST : HTTP_NOT_SENT, first, error);
}

LinstorResult
linstor_call(LinstorClient *client, const LinstorCall *call, json_t **answer, GError **error)
{
    g_autofree char *what = g_strdup_printf("%s on LINSTOR", call->what);

    if (answer)
        *answer = NULL;
    client->failure = 0;
    client->begun = false;
    StepVerdict verdict = step_begin(call->kind, what, call->object, error);
    if (verdict != STEP_DO)
        return verdict == STEP_SKIP ? LINSTOR_SKIPPED : LINSTOR_FAILED;

    char *body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
    LinstorResult result = send_call(client, call, body, answer, error);
    free(body);
    if (result == LINSTOR_DONE)
        step_end();
    else
        g_prefix_error(error, "cannot %s: ", call->what);
    return result;
}

/* Opening */

static bool
take_version(LinstorClient *client, const json_t *answer, GError **error)
{
    const char *version = json_string_value(json_object_get(answer, "rest_api_version"));
    const char *release = json_string_value(json_object_get(answer, "version"));

    client->version = linstor_version_number(version);
    if (!release || !client->version)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "what answers at '%s' is not LINSTOR",
                         client->url);
    if (client->version >> 40 != 1 || !linstor_has(client, LINSTOR_MAKE_AVAILABLE)) {
        g_autofree char *shown = one_line(version, 40);
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "LINSTOR at '%s' speaks version %s of its API; 1.7.0 or a later 1.x is "
                         "needed (LINSTOR 1.12)",
                         client->url, shown);
    }
    g_free(client->release);
    client->release = one_line(release, 40);
    return true;
}

/* Of the file's content: {"token": "…"} or bare. */
static char *
token_of(const char *text)
{
    json_t *parsed = json_loads(text, 0, NULL);
    const char *token = json_string_value(json_object_get(parsed, "token"));
    char *found = g_strstrip(g_strdup(parsed ? token : text));

    json_decref(parsed);
    return found;
}

static bool
is_token(const char *token)
{
    if (!token || !*token || strlen(token) > 8192)
        return false;
    for (const char *p = token; *p; p++)
        if (!g_ascii_isgraph(*p))
            return false;
    return true;
}

static bool
read_token(LinstorClient *client, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) why = NULL;

    if (!g_file_get_contents(path ? path : TOKEN_FILE, &text, NULL, &why)) {
        if (!path)
            return true;
        return set_error(error, ONEVOL_ERROR_DENIED, "cannot read LINSTOR's token: %s",
                         why->message);
    }
    g_autofree char *token = token_of(text);
    if (!is_token(token))
        return set_error(error, ONEVOL_ERROR_USAGE, "'%s' holds no token",
                         path ? path : TOKEN_FILE);
    client->authorization = g_strconcat("Authorization: Bearer ", token, NULL);
    return true;
}

static bool
check_file(const char *name, const char *path, GError **error)
{
    g_autoptr(GError) why = NULL;
    g_autofree char *text = NULL;

    if (!path)
        return true;
    if (!g_file_get_contents(path, &text, NULL, &why))
        return set_error(error, ONEVOL_ERROR_DENIED, "cannot read %s: %s", name, why->message);
    return strstr(text, "-----BEGIN ") ||
           set_error(error, ONEVOL_ERROR_USAGE, "%s '%s' is not a PEM file", name, path);
}

static bool
set_up(LinstorClient *client, const LinstorSettings *settings, GError **error)
{
    HttpTls tls = {settings->ca, settings->certificate,
                   settings->key ? settings->key : settings->certificate};

    client->connect_ms = settings->connect_ms ? settings->connect_ms : SECONDS(3);
    client->read_ms = settings->read_ms ? settings->read_ms : SECONDS(60);
    client->write_ms = settings->write_ms ? settings->write_ms : SECONDS(300);
    client->patience_ms = settings->patience_ms ? settings->patience_ms : SECONDS(15);
    client->controllers = linstor_controllers_parse(settings->controllers, error);
    if (!client->controllers || !check_file("LS_CAFILE", settings->ca, error) ||
        !check_file("LS_CERTFILE", settings->certificate, error) ||
        !check_file("LS_KEYFILE", settings->key, error) ||
        !read_token(client, settings->token_file, error))
        return false;
    if (settings->key && !settings->certificate)
        return set_error(error, ONEVOL_ERROR_USAGE, "LS_KEYFILE needs LS_CERTFILE");
    client->http = http_client_new(&tls, error);
    return client->http != NULL;
}

/* The version of the first controller that is one. */
static bool
find_controller(LinstorClient *client, GError **error)
{
    GError *first = NULL;

    for (guint i = 0; i < client->controllers->len; i++) {
        json_t *answer = NULL;
        GError *why = NULL;
        LinstorCall call = {.kind = STEP_READ,
                            .method = "GET",
                            .path = "controller/version",
                            .object = "/linstor-version",
                            .what = "ask LINSTOR's version"};
        bool found = linstor_call(client, &call, &answer, &why) == LINSTOR_DONE &&
                     take_version(client, answer, &why);
        json_decref(answer);
        if (found) {
            g_clear_error(&first);
            return true;
        }
        bool next = why->code == ONEVOL_ERROR_CORRUPT || why->code == ONEVOL_ERROR_FAILED;
        if (first)
            g_error_free(why);
        else
            first = why;
        if (!next || cancel_requested())
            break;
        use_controller(client, (client->current + 1) % client->controllers->len);
    }
    g_propagate_error(error, first);
    return false;
}

LinstorClient *
linstor_client_open(const LinstorSettings *settings, GError **error)
{
    g_autoptr(LinstorClient) client = g_new0(LinstorClient, 1);

    if (!set_up(client, settings, error))
        return NULL;
    use_controller(client, 0);
    return find_controller(client, error) ? g_steal_pointer(&client) : NULL;
}

void
linstor_client_free(LinstorClient *client)
{
    if (!client)
        return;
    g_clear_pointer(&client->controllers, g_ptr_array_unref);
    http_client_free(client->http);
    g_free(client->url);
    g_free(client->authorization);
    g_free(client->release);
    g_free(client);
}
