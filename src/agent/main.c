// SPDX-License-Identifier: Apache-2.0
/*
 * onevol-agent: what the front-end starts on hosts over ssh. One static file, needs nothing.
 *
 *   agent-BUILD serve          requests over stdin and stdout
 *   agent-BUILD bulk TICKET    gives its stdin and stdout to that session
 *   agent-BUILD direct TICKET  gives it a connection to another host
 *   agent-BUILD version        prints BUILD
 *   #!REMOTES/onevol/agent     interpreter of files in remotes, by their name: monitor_ds
 */
#include "agent/direct.h"
#include "agent/monitor_ds.h"
#include "agent/serve.h"
#include "base/command.h"
#include "local/bulk.h"
#include "wire/frame.h"
#include <onevol_build.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Neither a file system nor a missing directory of tools may be in the way. */
static void
settle(void)
{
    const char *path = g_getenv("PATH");
    g_autofree char *longer = g_strconcat(path && *path ? path : "/usr/local/bin:/usr/bin:/bin",
                                          ":/usr/local/sbin:/usr/sbin:/sbin", NULL);

    g_setenv("PATH", longer, TRUE);
    (void)!chdir("/");
}

static int
bulk(const char *ticket)
{
    g_autoptr(GError) error = NULL;

    cancel_install();
    if (write(STDOUT_FILENO, WIRE_PREAMBLE, strlen(WIRE_PREAMBLE)) < 0 ||
        !bulk_hand_over(ticket, STDIN_FILENO, STDOUT_FILENO, &error)) {
        fprintf(stderr, "onevol-agent: %s\n", error ? error->message : g_strerror(errno));
        return 1;
    }
    return 0;
}

static int
run_script(const char *path, int count, char **arguments)
{
    g_autofree char *name = g_path_get_basename(path);

    if (!strcmp(name, "monitor_ds"))
        return agent_monitor_ds(path, count, arguments);
    fprintf(stderr, "onevol-agent: there is nothing to do for '%s' on a host\n", name);
    return 2;
}

int
main(int argc, char **argv)
{
    if (argc >= 2 && strchr(argv[1], '/'))
        return run_script(argv[1], argc - 2, argv + 2);
    if (argc == 2 && !strcmp(argv[1], "version")) {
        printf("%s\n", ONEVOL_BUILD);
        return 0;
    }
    settle();
    if (argc == 2 && !strcmp(argv[1], "serve"))
        return agent_serve(ONEVOL_BUILD);
    if (argc == 3 && !strcmp(argv[1], "bulk"))
        return bulk(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "direct"))
        return agent_direct(argv[2]);
    fprintf(stderr, "usage: onevol-agent serve | bulk TICKET | direct TICKET | version\n"
                    "The front-end starts it by ssh; see onevol-agent(8).\n");
    return 2;
}
