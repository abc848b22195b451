// SPDX-License-Identifier: Apache-2.0
#include "remote/deploy.h"

#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "remote/ssh.h"
#include <onevol_build.h>

#include <string.h>

#define PUSH_MS SECONDS(120)

/* Sets d to the directory; one of somebody else could hold anything. */
#define FIND_DIRECTORY                                                                             \
    "d=/var/tmp/onevol-agent-$(id -u); "                                                           \
    "if [ -h $d ] || { [ -e $d ] && { [ ! -d $d ] || [ ! -O $d ]; }; }; then "                     \
    "echo \"$d belongs to somebody else\" >&2; exit 125; fi; "

const char *
deploy_build(void)
{
    return ONEVOL_BUILD;
}

static char *
start_script(const char *arguments)
{
    return g_strdup_printf(FIND_DIRECTORY "[ -f $d/agent-%s ] || "
                                          "{ echo \"" DEPLOY_MISSING
                                          "$(uname -m)\" >&2; exit 127; }; "
                                          "exec $d/agent-%s %s",
                           ONEVOL_BUILD, ONEVOL_BUILD, arguments);
}

char *
deploy_serve_script(void)
{
    return start_script("serve");
}

char *
deploy_bulk_script(const char *mode, const char *ticket)
{
    g_assert(name_is_safe(ticket));
    g_autofree char *arguments = g_strconcat(mode, " ", ticket, NULL);
    return start_script(arguments);
}

/* The length is checked because `cat` cannot tell a cut connection from the end. */
static char *
push_script(gsize length)
{
    return g_strdup_printf(
        FIND_DIRECTORY
        "umask 077; [ -d $d ] || mkdir $d || [ -d $d ] || exit 124; " /* another may make it */
        "t=$d/new-$$-%08x; trap \"rm -f $t\" EXIT; "
        "cat > $t || exit 124; "
        "[ $(wc -c < $t) -eq %" G_GSIZE_FORMAT
        " ] || { echo the copy was cut short >&2; exit 124; }; "
        "chmod 700 $t || exit 124; v=$($t version) || exit 126; "
        "[ x$v = x%s ] || { echo \"the agent is of another build: $v\" >&2; exit 123; }; "
        "mv -f $t $d/agent-%s",
        g_random_int(), length, ONEVOL_BUILD, ONEVOL_BUILD);
}

/* Beside this program in a build tree, or where it was installed. */
bool
deploy_read_agent(const char *machine, char **path, char **content, gsize *length, GError **error)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *beside = g_path_get_dirname(self ? self : ".");
    g_autofree char *above = g_path_get_dirname(beside);
    g_autofree char *name = g_strconcat("agent-", machine, NULL);
    const char *const directories[] = {beside, ONEVOL_LIBEXECDIR, above, NULL};

    for (const char *const *directory = directories; *directory && name_is_safe(machine);
         directory++) {
        *path = g_build_filename(*directory, name, NULL);
        if (g_file_get_contents(*path, content, length, NULL))
            return true;
        g_clear_pointer(path, g_free);
    }
    return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                     "this installation has no agent for machines of the kind '%s': no '%s/%s'",
                     machine, ONEVOL_LIBEXECDIR, name);
}

bool
deploy_push(const char *host, const char *machine, GError **error)
{
    g_autofree char *path = NULL;
    g_autofree char *content = NULL;
    gsize length;
    g_auto(CommandResult) result = {0};

    if (!deploy_read_agent(machine, &path, &content, &length, error))
        return false;
    g_autofree char *script = push_script(length);
    g_autoptr(Argv) argv = ssh_argv(host, script, SSH_NO_MASTER);
    CommandOptions options = {.timeout_ms = PUSH_MS, .input = content, .input_length = length};
    if (!command_run(argv, &options, &result, error)) {
        g_prefix_error(error, "cannot copy the agent there: ");
        return false;
    }
    if (result.status != 0) {
        ssh_explain(result.status << 8, result.err, error);
        g_prefix_error(error, "cannot copy the agent there: ");
        return false;
    }
    g_autofree char *size = g_format_size_full(length, G_FORMAT_SIZE_IEC_UNITS);
    log_info("copied the agent (%s) to host '%s'", size, host);
    return true;
}
