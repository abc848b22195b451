// SPDX-License-Identifier: Apache-2.0
#include "verify/shell.h"

#include "base/command.h"
#include "base/error.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS SECONDS(60)
/* A line that base64 never prints. */
#define END "\n.\n"

struct Shell {
    char *host;
    CommandChild child;
};

Shell *
shell_start(const char *host, GError **error)
{
    g_autoptr(Argv) argv = argv_new("ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
                                    "--", host, "exec sh");
    const CommandOptions options = {0};
    Shell *shell = g_new0(Shell, 1);
    g_autoptr(GBytes) output = NULL;
    int status;

    shell->host = g_strdup(host);
    if (command_start(argv, &options, &shell->child, error) &&
        shell_run(shell, "true", &output, &status, error))
        return shell;
    shell_end(shell);
    return NULL;
}

void
shell_end(Shell *shell)
{
    int status;

    if (!shell)
        return;
    if (shell->child.pid > 0) {
        close(shell->child.in);
        close(shell->child.out);
        close(shell->child.err);
        if (!command_reap(shell->child.pid, &status, 1000)) {
            kill(shell->child.pid, SIGKILL);
            (void)command_reap(shell->child.pid, &status, 1000);
        }
    }
    g_free(shell->host);
    g_free(shell);
}

/* What ssh said, when it has ended; else just that. */
static bool
broken(Shell *shell, GError **error)
{
    char said[400] = "";
    struct pollfd ready = {.fd = shell->child.err, .events = POLLIN};
    ssize_t got = poll(&ready, 1, 200) > 0 ? read(shell->child.err, said, sizeof said - 1) : 0;
    g_autofree char *line = one_line(got > 0 ? said : "it does not answer", 300);

    return set_error(error, ONEVOL_ERROR_UNREACHABLE, "no connection to host '%s': %s", shell->host,
                     line);
}

static bool
say(Shell *shell, const char *text, GError **error)
{
    size_t length = strlen(text);

    while (length > 0) {
        ssize_t wrote = write(shell->child.in, text, length);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return broken(shell, error);
        text += wrote;
        length -= (size_t)wrote;
    }
    return true;
}

static bool
hear(Shell *shell, GString *text, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + ANSWER_MS * 1000ll;
    char buffer[65536];

    while (!g_str_has_suffix(text->str, END)) {
        struct pollfd ready = {.fd = shell->child.out, .events = POLLIN};
        gint64 left = (deadline - g_get_monotonic_time()) / 1000;
        if (left <= 0)
            return broken(shell, error);
        int number = poll(&ready, 1, (int)left);
        if (number < 0 && errno == EINTR)
            continue;
        ssize_t got = number > 0 ? read(shell->child.out, buffer, sizeof buffer) : 0;
        if (got <= 0)
            return broken(shell, error);
        g_string_append_len(text, buffer, got);
    }
    return true;
}

/* The output ends with the status as a line of its own. */
static int
cut_status(guchar *data, gsize *length)
{
    gsize start = *length > 0 ? *length - 1 : 0;

    while (start > 0 && data[start - 1] != '\n')
        start--;
    g_autofree char *line = g_strndup((const char *)data + start, *length - start);
    *length = start > 0 ? start - 1 : 0;
    return (int)g_ascii_strtoll(line, NULL, 10);
}

bool
shell_run(Shell *shell, const char *script, GBytes **output, int *status, GError **error)
{
    g_autoptr(GString) answer = g_string_new(NULL);
    g_autofree char *wrapped = g_strdup_printf("{ (\n%s\n) </dev/null 2>&1; printf '\\n%%s\\n' $?; "
                                               "} | base64 -w 0; printf '\\n.\\n'\n",
                                               script);
    gsize length;

    if (!say(shell, wrapped, error) || !hear(shell, answer, error))
        return false;
    g_string_truncate(answer, answer->len - strlen(END));
    guchar *data = g_base64_decode(answer->str, &length);
    *status = cut_status(data, &length);
    *output = g_bytes_new_take(data, length);
    return true;
}

bool
shell_do(Shell *shell, const char *script, GError **error)
{
    return say(shell, script, error) && say(shell, "\n", error);
}
