// SPDX-License-Identifier: Apache-2.0
/*
 * Both ends of a bulk connection in one process, over a socket pair: streamtool SOURCE TARGET
 * dirty|fresh [readback]. For tests on real devices.
 */
#include "base/command.h"
#include "mover/stream.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Sending {
    StreamLink link;
    StreamSource source;
    StreamResult result;
    GError *error;
} Sending;

static gpointer
send_in_thread(gpointer data)
{
    Sending *sending = data;

    stream_send(&sending->link, &sending->source, &sending->result, &sending->error);
    close(sending->link.fd);
    return NULL;
}

int
main(int argc, char **argv)
{
    int fds[2];
    GError *error = NULL;
    StreamResult result;

    cancel_install();
    if (argc < 4 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
        return 2;
    MoveOptions options = {.dirty = !strcmp(argv[3], "dirty"), .readback = argc > 4};
    Sending sending = {.link = {.fd = fds[0]}, .source = {.path = argv[1]}};
    GThread *thread = g_thread_new("send", send_in_thread, &sending);
    StreamLink in = {.fd = fds[1]};
    StreamTarget target = {.path = argv[2], .options = &options};
    bool done = stream_receive(&in, &target, &result, &error);
    close(fds[1]);
    g_thread_join(thread);
    if (sending.error)
        fprintf(stderr, "sender: %s\n", sending.error->message);
    if (error)
        fprintf(stderr, "receiver: %s\n", error->message);
    return done && !sending.error ? 0 : 1;
}
