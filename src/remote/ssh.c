// SPDX-License-Identifier: Apache-2.0
#include "remote/ssh.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/path.h"
#include "local/ciphers.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool
ssh_host_check(const char *host, GError **error)
{
    if (name_is_safe(host))
        return true;
    g_autofree char *shown = one_line(host, 100);
    return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is no name of a host", shown);
}

static Argv *
make_argv(const char *host, const char *script, unsigned flags, const char *ciphers)
{
    Argv *argv =
        argv_new("ssh", "-T", "-x", flags & SSH_FORWARD_AGENT ? "-A" : "-a", "-o", "BatchMode=yes",
                 "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3", "-o");

    argv_addf(argv, "ConnectTimeout=%d", flags & SSH_HURRY ? 5 : 10);
    if (flags & SSH_OWN_CONNECTION)
        argv_add(argv, "-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "Compression=no");
    else if (flags & SSH_NO_MASTER)
        argv_add(argv, "-o", "ControlMaster=no");
    if (ciphers)
        argv_add(argv, "-o", ciphers);
    /* single quotes mean the same to all login shells, csh and fish included */
    g_assert(!strchr(script, '\''));
    argv_add(argv, "--", host);
    argv_addf(argv, "exec sh -c '%s'", script);
    return argv;
}

Argv *
ssh_argv(const char *host, const char *script, unsigned flags)
{
    return make_argv(host, script, flags, NULL);
}

bool
ssh_start(const char *host, const char *script, unsigned flags, CommandChild *child, GError **error)
{
    g_autofree char *ciphers = flags & SSH_OWN_CONNECTION ? ciphers_for(host) : NULL;
    g_autoptr(Argv) argv = make_argv(host, script, flags, ciphers);
    CommandOptions options = {0};

    return command_start(argv, &options, child, error);
}

void
ssh_end(CommandChild *child, bool kindly, int *status)
{
    fd_close(&child->in);
    fd_close(&child->out);
    *status = 0;
    if (child->pid > 0 && !(kindly && command_reap(child->pid, status, 1000))) {
        /* the process, not its group: the site's shared connection may have been born there */
        kill(child->pid, SIGTERM);
        if (!command_reap(child->pid, status, 500)) {
            kill(-child->pid, SIGKILL);
            command_reap(child->pid, status, 500);
        }
    }
    child->pid = 0;
    fd_close(&child->err);
}

static const struct {
    const char *said;
    OnevolError code;
    const char *meaning;
} explanations[] = {
    {"Could not resolve hostname", ONEVOL_ERROR_UNREACHABLE, "its name is not known"            },
    {"Connection refused",         ONEVOL_ERROR_UNREACHABLE, "it refuses ssh connections"       },
    {"No route to host",           ONEVOL_ERROR_UNREACHABLE, "it cannot be reached"             },
    {"Network is unreachable",     ONEVOL_ERROR_UNREACHABLE, "it cannot be reached"             },
    {"timed out",                  ONEVOL_ERROR_UNREACHABLE, "it does not answer"               },
    {"IDENTIFICATION HAS CHANGED", ONEVOL_ERROR_DENIED,      "its host key has changed"         },
    {"key verification failed",    ONEVOL_ERROR_DENIED,      "its host key is not known"        },
    {"Permission denied (",        ONEVOL_ERROR_DENIED,      "it does not accept our ssh key"   },
    {"authentication failures",    ONEVOL_ERROR_DENIED,      "it does not accept our ssh keys"  },
    {"belongs to somebody else",   ONEVOL_ERROR_DENIED,      "the agent's directory is not safe"},
    {"No space left",              ONEVOL_ERROR_NO_SPACE,    "/var/tmp is full"                 },
    {"Disk quota exceeded",        ONEVOL_ERROR_NO_SPACE,    "/var/tmp is full"                 },
    {"Read-only file system",      ONEVOL_ERROR_DENIED,      "/var/tmp cannot be written to"    },
    {"cannot execute binary",      ONEVOL_ERROR_UNSUPPORTED, "the agent is for other machines"  },
    {"Exec format error",          ONEVOL_ERROR_UNSUPPORTED, "the agent is for other machines"  },
    {"another build",              ONEVOL_ERROR_UNSUPPORTED, "its file is of another build"     },
};

bool
ssh_explain(int status, const char *said, GError **error)
{
    g_autofree char *text = one_line(said, 400);
    g_autofree char *ended = WIFEXITED(status)
                                 ? g_strdup_printf("ssh exited %d", WEXITSTATUS(status))
                                 : g_strdup_printf("ssh died of signal %d", WTERMSIG(status));

    for (guint i = 0; i < G_N_ELEMENTS(explanations); i++)
        if (strstr(text, explanations[i].said))
            return set_error(error, explanations[i].code, "%s (%s)", explanations[i].meaning, text);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 126)
        return set_error(error, ONEVOL_ERROR_DENIED,
                         "the agent may not run from /var/tmp; is it mounted noexec? (%s)", text);
    return set_error(error,
                     WIFEXITED(status) && WEXITSTATUS(status) == 255 ? ONEVOL_ERROR_UNREACHABLE
                                                                     : ONEVOL_ERROR_FAILED,
                     "no agent could be started there: %s%s%s", ended, *text ? ": " : "", text);
}

/* For printf %b between double quotes: no character of it means anything to a shell. */
static char *
as_octal(const char *text)
{
    g_autoptr(GString) octal = g_string_new(NULL);

    for (; *text; text++)
        if (g_ascii_isalnum(*text) || strchr("/._-", *text))
            g_string_append_c(octal, *text);
        else
            g_string_append_printf(octal, "\\0%03o", (guchar)*text);
    return g_string_free(g_steal_pointer(&octal), FALSE);
}

bool
ssh_read_file(const char *host, guint port, const char *path, CommandChild *child, GError **error)
{
    g_autofree char *octal = as_octal(path);
    g_autofree char *script =
        g_strdup_printf("f=\"$(printf %%b \"%s\")\"; "
                        "[ -f \"$f\" ] || { echo \"No such file\" >&2; exit 1; }; "
                        "exec 3<\"$f\" || exit 1; "
                        "echo \"onevol-source $(stat -L -c \"%%f %%s\" /proc/self/fd/3)\"; "
                        "echo \"$HOME\"; readlink /proc/self/fd/3; exec cat <&3",
                        octal);
    g_autoptr(Argv) usual = ssh_argv(host, script, SSH_OWN_CONNECTION);
    g_autoptr(Argv) argv = argv_new("ssh");
    CommandOptions options = {0};

    if (port)
        argv_addf(argv, "-p%u", port);
    argv_add_strv(argv, argv_words(usual) + 1);
    return command_start(argv, &options, child, error);
}
