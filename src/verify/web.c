// SPDX-License-Identifier: Apache-2.0
#include "verify/web.h"

#include "base/error.h"
#include "base/path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct Web {
    struct MHD_Daemon *daemon;
    const char *directory;
    unsigned port;
};

static enum MHD_Result
say(struct MHD_Connection *connection, unsigned status, const char *location)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);

    if (location)
        MHD_add_response_header(response, "Location", location);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result
give(const Web *web, struct MHD_Connection *connection, const char *name)
{
    g_autofree char *path = g_build_filename(web->directory, name, NULL);
    struct stat info;
    int fd = name_is_safe(name) ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0 || fstat(fd, &info)) {
        if (fd >= 0)
            close(fd);
        return say(connection, MHD_HTTP_NOT_FOUND, NULL);
    }
    struct MHD_Response *response = MHD_create_response_from_fd64((uint64_t)info.st_size, fd);
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, const char *url,
           G_GNUC_UNUSED const char *method, G_GNUC_UNUSED const char *version,
           G_GNUC_UNUSED const char *data, G_GNUC_UNUSED size_t *length, void **state)
{
    const Web *web = context;
    static int seen;

    if (!*state) { /* the headers; the request is complete when this is called again */
        *state = &seen;
        return MHD_YES;
    }
    if (g_str_has_prefix(url, "/moved/"))
        return say(connection, MHD_HTTP_FOUND, url + strlen("/moved"));
    return give(web, connection, url + (*url == '/'));
}

Web *
web_start(const char *directory, GError **error)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    Web *web = g_new0(Web, 1);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    web->directory = directory;
    web->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, web,
                                   MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        web->daemon ? MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info) {
        set_error_errno(error, errno, "cannot start a web server");
        web_stop(web);
        return NULL;
    }
    web->port = info->port;
    return web;
}

void
web_stop(Web *web)
{
    if (!web)
        return;
    if (web->daemon)
        MHD_stop_daemon(web->daemon);
    g_free(web);
}

char *
web_url(const Web *web, const char *name)
{
    return g_strdup_printf("http://127.0.0.1:%u/%s", web->port, name);
}
