// SPDX-License-Identifier: Apache-2.0
#include "agent/direct.h"

#include "base/command.h"
#include "base/error.h"
#include "local/bulk.h"
#include "local/ciphers.h"
#include "mover/link.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 10000  /* for the target's agent; then the front-end passes the data on */
#define FLUSH_MS 600000u /* for the last data to leave ssh */

/* The front-end's words, with the ciphers that this machine's ssh likes for the host they name. */
static Argv *
with_ciphers(const char **words)
{
    guint separator = 0;

    while (words[separator] && strcmp(words[separator], "--") != 0)
        separator++;
    g_autofree char *ciphers =
        words[separator] && words[separator + 1] ? ciphers_for(words[separator + 1]) : NULL;
    Argv *argv = argv_new(words[0]);
    if (ciphers)
        argv_add(argv, "-o", ciphers);
    for (guint i = 1; words[i]; i++)
        argv_add(argv, words[i]);
    return argv;
}

static Argv *
read_command(GError **error)
{
    g_autofree guint8 *bytes = g_malloc(DIRECT_LIMIT);
    StreamLink in = {.fd = STDIN_FILENO};
    guint32 length;

    if (link_read(&in, &length, sizeof length, error) != LINK_DONE || length > DIRECT_LIMIT ||
        link_read(&in, bytes, length, error) != LINK_DONE)
        return NULL;
    g_autoptr(GVariant) message = message_unpack(bytes, length, "as", error);
    if (!message)
        return NULL;
    g_autofree const char **words = g_variant_get_strv(message, NULL);
    if (words[0])
        return with_ciphers(words);
    set_error(error, ONEVOL_ERROR_USAGE, "an empty command");
    return NULL;
}

static bool
stop_after_deadline(gpointer data, GError **error)
{
    return g_get_monotonic_time() < *(gint64 *)data ||
           set_error(error, ONEVOL_ERROR_TIMEOUT, "the target did not answer within %d s",
                     ANSWER_MS / 1000);
}

static bool
connect_target(const Argv *argv, CommandChild *child, GError **error)
{
    CommandOptions options = {0};
    gint64 deadline = g_get_monotonic_time() + ANSWER_MS * 1000;
    char said[300];

    if (!command_start(argv, &options, child, error))
        return false;
    StreamLink link = {.fd = child->out, .stop = stop_after_deadline, .data = &deadline};
    if (stream_skip_preamble(&link, error))
        return true;
    g_usleep(50000); /* ssh's last words come by another pipe */
    fcntl(child->err, F_SETFL, O_NONBLOCK);
    ssize_t got = read(child->err, said, sizeof said - 1);
    if (got > 0) {
        said[got] = '\0';
        g_prefix_error(error, "%s: ", g_strchomp(said));
    }
    return false;
}

static bool
say(char what)
{
    g_autofree char *text = g_strdup_printf("%s%c", WIRE_PREAMBLE, what);

    return write(STDOUT_FILENO, text, strlen(text)) == (ssize_t)strlen(text);
}

int
agent_direct(const char *ticket)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) refused = NULL;
    CommandChild child;
    int status;

    cancel_install();
    g_autoptr(Argv) argv = read_command(&error);
    bool done = argv != NULL;
    bool direct = done && connect_target(argv, &child, &refused);
    if (refused)
        fprintf(stderr, "%s\n", refused->message);
    if (done)
        done = say(direct ? DIRECT_YES : DIRECT_NO) &&
               bulk_hand_over(ticket, direct ? child.out : STDIN_FILENO,
                              direct ? child.in : STDOUT_FILENO, &error);
    if (error)
        fprintf(stderr, "onevol-agent: %s\n", error->message);
    return done && (!direct || command_reap(child.pid, &status, FLUSH_MS)) ? 0 : 1;
}
