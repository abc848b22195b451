// SPDX-License-Identifier: Apache-2.0
#include "fetch/fetch.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/step.h"
#include "fetch/child.h"
#include "http/stream.h"
#include "remote/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define HEAD (128u << 10)
#define SLOW_MS SECONDS(1800) /* downloader.sh may build a container first */

struct Fetch {
    Bytes *bytes;
    guint64 size;
    bool has_size;
    int fd;
    struct stat info; /* of fd */
    char *name;
    HttpStream *http; /* owned by bytes */
    bool http_gone;
};

static bool
open_file(Fetch *fetch, const SourceUrl *url, const FetchSettings *settings, GError **error)
{
    AUTO_FD fd = open(url->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return set_error_errno(error, errno, "cannot open '%s'", url->path);

    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *real = g_file_read_link(link, NULL);
    if (!real || *real != '/')
        return set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is not a regular file", url->path);
    if (!settings->allow(settings->data, real, g_get_home_dir(), error))
        return false;
    if (fstat(fd, &fetch->info))
        return set_error_errno(error, errno, "cannot look at '%s'", url->path);
    if (!S_ISREG(fetch->info.st_mode))
        return set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is not a regular file", url->path);
    fetch->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    fetch->size = (guint64)fetch->info.st_size;
    fetch->has_size = true;
    int shared = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* read by offset, so they do not disturb */
    if (fetch->fd < 0 || shared < 0) {
        fd_close(&shared);
        return set_error_errno(error, errno, "cannot open '%s'", url->path);
    }
    fetch->bytes = bytes_of_fd(shared, fetch->size, url->path);
    return true;
}

typedef struct HttpBytes {
    Bytes bytes;
    HttpStream *stream;
    bool *gone;
} HttpBytes;

static bool
http_bytes_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    return http_stream_read(((HttpBytes *)bytes)->stream, &bytes->stop, buffer, length, got, error);
}

static void
http_bytes_free(Bytes *bytes)
{
    HttpBytes *self = (HttpBytes *)bytes;

    *self->gone = true;
    http_stream_free(self->stream);
    g_free(self);
}

static bool
open_stream(Fetch *fetch, const HttpStreamOptions *options, GError **error)
{
    HttpStream *stream = http_stream_open(options, error);
    if (!stream)
        return false;

    HttpBytes *self = g_new0(HttpBytes, 1);
    self->bytes = (Bytes){.read = http_bytes_read, .free = http_bytes_free};
    self->stream = stream;
    self->gone = &fetch->http_gone;
    fetch->has_size = http_stream_size(stream, &fetch->size);
    self->bytes.size = fetch->size;
    self->bytes.has_size = fetch->has_size;
    fetch->http = stream;
    fetch->bytes = &self->bytes;
    return true;
}

static bool
open_http(Fetch *fetch, const SourceUrl *url, const FetchSettings *settings, GError **error)
{
    g_autofree char *whole = source_url_with_arguments(url->text, settings->url_arguments);
    const HttpStreamOptions options = {
        .url = whole,
        .shown = url->shown,
        .silence_ms = settings->silence_ms,
        .head = settings->head_only ? HEAD : 0,
        .insecure = settings->insecure,
    };

    return open_stream(fetch, &options, error);
}

/* OpenNebula's marketplace writes s3://bucket/key, and says of the server in the message. */
static bool
open_s3(Fetch *fetch, const SourceUrl *url, const FetchSettings *settings, GError **error)
{
    const char *region = settings->s3.region ? settings->s3.region : "us-east-1";
    g_autofree char *key = g_uri_escape_string(url->path, "/", FALSE);
    g_autofree char *sigv4 = g_strdup_printf("aws:amz:%s:s3", region);
    g_autofree char *endpoint = g_strdup(settings->s3.endpoint ? settings->s3.endpoint : "");
    g_autofree char *whole = NULL;

    if (!settings->s3.key || !settings->s3.secret)
        return set_error(error, ONEVOL_ERROR_DENIED,
                         "cannot read '%s': its marketplace has no ACCESS_KEY_ID and "
                         "SECRET_ACCESS_KEY",
                         url->shown);
    if (!name_is_safe(region) || strchr(region, ':'))
        return set_error(error, ONEVOL_ERROR_USAGE, "REGION of the marketplace is no region");
    while (g_str_has_suffix(endpoint, "/"))
        endpoint[strlen(endpoint) - 1] = '\0';
    if (!settings->s3.elsewhere)
        whole = g_strdup_printf("https://%s.s3.amazonaws.com/%s", url->host, key);
    else if (*endpoint)
        whole = g_strdup_printf("%s%s/%s/%s", strstr(endpoint, "://") ? "" : "http://", endpoint,
                                url->host, key);
    else
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "cannot read '%s': its marketplace has no ENDPOINT", url->shown);
    const HttpStreamOptions options = {
        .url = whole,
        .shown = url->shown,
        .silence_ms = settings->silence_ms,
        .head = settings->head_only ? HEAD : 0,
        .insecure = settings->insecure,
        .sigv4 = sigv4,
        .user = settings->s3.key,
        .secret = settings->s3.secret,
    };
    return open_stream(fetch, &options, error);
}

/* What a login script prints may come before it. */
static bool
read_ssh_header(Fetch *fetch, const SourceUrl *url, const FetchSettings *settings, GError **error)
{
    unsigned mode = 0;
    unsigned long long size = 0;
    bool found = false;

    for (int i = 0; i < 100 && !found; i++) {
        g_autofree char *line = child_line(fetch->bytes, error);
        if (!line)
            return false;
        const char *mark = strstr(line, "onevol-source ");
        found = mark && sscanf(mark, "onevol-source %x %llu", &mode, &size) == 2;
    }
    g_autofree char *home = found ? child_line(fetch->bytes, error) : NULL;
    g_autofree char *real = home ? child_line(fetch->bytes, error) : NULL;
    if (found && !real)
        return false;
    g_autofree char *normal = real ? path_normal(real, NULL) : NULL;
    if (!normal || !S_ISREG(mode))
        return set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is not a regular file", url->shown);
    if (!settings->allow(settings->data, normal, home, error))
        return false;
    fetch->size = size;
    fetch->has_size = true;
    child_expect(fetch->bytes, size);
    return true;
}

static bool
open_ssh(Fetch *fetch, const SourceUrl *url, const FetchSettings *settings, GError **error)
{
    CommandChild child;

    if (!ssh_read_file(url->host, url->port, url->path, &child, error))
        return false;
    fetch->bytes = bytes_of_child(&child, "ssh", url->shown, settings->silence_ms);
    return read_ssh_header(fetch, url, settings, error);
}

static bool
open_downloader(Fetch *fetch, const SourceUrl *url, const FetchSettings *settings, GError **error)
{
    g_autofree char *message = g_strconcat("DRV_ACTION=", settings->message, NULL);
    const char *const set[] = {message, NULL};
    const CommandOptions options = {.set = set};
    CommandChild child;

    if (access(settings->downloader, X_OK))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "'%s' needs OpenNebula's '%s', which is not there", url->shown,
                         settings->downloader);
    /* it shall neither unpack nor check: both are done here, for all sources */
    g_autoptr(Argv) argv = argv_new(settings->downloader, "--nodecomp", "--", url->text, "-");
    if (!command_start(argv, &options, &child, error))
        return false;
    fetch->bytes = bytes_of_child(&child, "downloader.sh", url->shown, SLOW_MS);
    return true;
}

static bool
open_any(Fetch *fetch, const SourceUrl *url, const FetchSettings *settings, GError **error)
{
    switch (url->scheme) {
    case SCHEME_FILE:
        return open_file(fetch, url, settings, error);
    case SCHEME_HTTP:
        return open_http(fetch, url, settings, error);
    case SCHEME_SSH:
        return open_ssh(fetch, url, settings, error);
    case SCHEME_S3:
        return open_s3(fetch, url, settings, error);
    case SCHEME_DOWNLOADER:
        return open_downloader(fetch, url, settings, error);
    case SCHEME_IMAGE:
    case SCHEME_DISK:
        break;
    }
    return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "'%s' is a volume", url->shown);
}

Fetch *
fetch_open(const SourceUrl *url, const FetchSettings *settings, GError **error)
{
    g_autoptr(Fetch) fetch = g_new0(Fetch, 1);
    g_autofree char *what = g_strdup_printf("read '%s'", url->shown);

    fetch->fd = -1;
    fetch->name = g_strdup(url->shown);
    g_assert(settings->silence_ms > 0);
    if (step_begin(STEP_READ, what, url->shown, error) == STEP_STOP ||
        !open_any(fetch, url, settings, error))
        return NULL;
    step_end();
    if (url->scheme != SCHEME_FILE && !settings->head_only)
        fetch->bytes = bytes_ahead(fetch->bytes, settings->rate);
    return g_steal_pointer(&fetch);
}

void
fetch_free(Fetch *fetch)
{
    if (!fetch)
        return;
    bytes_free(fetch->bytes);
    fd_close(&fetch->fd);
    g_free(fetch->name);
    g_free(fetch);
}

bool
fetch_size(const Fetch *fetch, guint64 *size)
{
    *size = fetch->size;
    return fetch->has_size;
}

int
fetch_fd(const Fetch *fetch)
{
    return fetch->fd;
}

bool
fetch_unchanged(const Fetch *fetch, GError **error)
{
    struct stat now;
    const struct stat *then = &fetch->info;

    if (fetch->fd < 0)
        return true;
    if (fstat(fetch->fd, &now))
        return set_error_errno(error, errno, "cannot look at '%s'", fetch->name);
    if (now.st_size == then->st_size && now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == then->st_mtim.tv_nsec)
        return true;
    return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' changed while it was read", fetch->name);
}

Bytes *
fetch_take(Fetch *fetch)
{
    return g_steal_pointer(&fetch->bytes);
}

static GBytes *
file_tail(const Fetch *fetch, guint64 length, GError **error)
{
    gsize wanted = (gsize)MIN(length, fetch->size);
    g_autofree guint8 *buffer = g_malloc(wanted + 1);
    ssize_t got = pread(fetch->fd, buffer, wanted, (off_t)(fetch->size - wanted));

    if (got < 0) {
        set_error_errno(error, errno, "cannot read '%s'", fetch->name);
        return NULL;
    }
    return (gsize)got == wanted ? g_bytes_new_take(g_steal_pointer(&buffer), wanted) : NULL;
}

GBytes *
fetch_tail(const Fetch *fetch, guint64 length, GError **error)
{
    if (fetch->fd >= 0)
        return file_tail(fetch, length, error);
    return fetch->http && !fetch->http_gone ? http_stream_tail(fetch->http, length, error) : NULL;
}
