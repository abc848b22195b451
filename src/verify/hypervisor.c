// SPDX-License-Identifier: Apache-2.0
#include "verify/hypervisor.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STILL "ONEVOL_VERIFY_STILL" /* names the file that is there while a guest stands still */

static char *
still_file(const World *world)
{
    return g_build_filename(world->root, "etc", "guest-stands-still", NULL);
}

bool
hypervisor_make(const World *world, GPtrArray *environment, GError **error)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", error);
    g_autofree char *directory = g_build_filename(world->root, "etc", "hypervisor", NULL);
    g_autofree char *command = g_build_filename(directory, "virsh", NULL);
    g_autofree char *still = still_file(world);
    const char *path = g_getenv("PATH");

    g_ptr_array_add(environment,
                    g_strdup_printf("PATH=%s:%s", directory, path ? path : "/usr/bin:/bin"));
    g_ptr_array_add(environment, g_strdup_printf("%s=%s", STILL, still));
    if (!self)
        return false;
    if (g_mkdir_with_parents(directory, 0755) != 0 || symlink(self, command) != 0)
        return set_error_errno(error, errno, "cannot make '%s'", command);
    return true;
}

/* The command's name: after -q and -c URI. */
static const char *
command_of(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0)
            i++;
        else if (*argv[i] != '-')
            return argv[i];
    }
    return "";
}

static bool
is_any(const char *word, const char *first, const char *second)
{
    return strcmp(word, first) == 0 || strcmp(word, second) == 0;
}

bool
hypervisor_is_called(int argc, char **argv, int *status)
{
    const char *slash = strrchr(argv[0], '/'), *still = g_getenv(STILL);
    const char *command = command_of(argc, argv);

    if (strcmp(slash ? slash + 1 : argv[0], "virsh") != 0 || !still)
        return false;
    *status = 0;
    if (strcmp(command, "domstate") == 0) {
        puts("running");
    } else if (is_any(command, "domfsfreeze", "suspend")) {
        int fd = open(still, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        *status = fd < 0 || close(fd);
    } else if (is_any(command, "domfsthaw", "resume")) {
        (void)unlink(still);
    } else {
        fprintf(stderr, "error: this stand-in has no %s\n", command);
        *status = 1;
    }
    return true;
}

void
hypervisor_judge(const Player *player, Row *row)
{
    g_autofree char *still = still_file(player->world);

    if (unlink(still) == 0)
        row_problem(row, "a guest that goes on", "it stands still");
}

Expectation
hypervisor_expectation(const Player *player)
{
    return player->settings->hosts || player->settings->remotes ? MAY_FAIL : MUST_WORK;
}
