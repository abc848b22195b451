// SPDX-License-Identifier: Apache-2.0
/*
 * What a storage with clients of its own must be asked on each machine: is it mounted, which of its
 * programs are there, and is what was written here known to its servers.
 */
#include "base/error.h"
#include "base/fd.h"
#include "local/handlers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096

/* A client of LizardFS or of MooseFS 1.6 flushes a descriptor that wrote something, so fsync() of
 * ours does nothing there; but before it reads a file it flushes what anybody here has written to
 * it (mfs_read() in their mount/mfs_fuse.c). So a block is read, past the cache of the kernel. */
static bool
read_directly(const char *path, GError **error)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
    void *block = NULL;

    if (fd < 0 && errno == EINVAL) /* no file system with servers: tmpfs */
        return true;
    if (fd < 0 || posix_memalign(&block, BLOCK, BLOCK))
        return set_error_errno(error, errno, "cannot flush '%s'", path);
    ssize_t got = pread(fd, block, BLOCK, 0);
    int number = errno;
    free(block);
    if (got >= 0 || number == EINVAL)
        return true;
    return set_error_errno(error, number, "cannot flush '%s'", path);
}

bool
flush_file(const char *path, GError **error)
{
    AUTO_FD fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM || errno == ETXTBSY))
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd))
        return set_error_errno(error, errno, "cannot flush '%s'", path);
    return read_directly(path, error);
}

bool
local_flush(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *path;

    g_variant_get(arguments, "(&s)", &path);
    *reply = g_variant_new("()");
    return flush_file(path, error);
}

/* The nearest directory above that exists. */
static char *
existing(const char *path, GError **error)
{
    g_autofree char *at = g_strdup(path);
    struct stat info;

    while (stat(at, &info)) {
        if (errno != ENOENT && errno != ENOTDIR) {
            set_error_errno(error, errno, "cannot look at '%s'", at);
            return NULL;
        }
        char *above = g_path_get_dirname(at);
        g_free(at);
        at = above;
    }
    char *real = realpath(at, NULL);
    if (!real)
        set_error_errno(error, errno, "cannot resolve '%s'", at);
    return real;
}

bool
local_find_above(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                 GError **error)
{
    const char *path, *name;
    struct stat info;

    g_variant_get(arguments, "(&s&s)", &path, &name);
    g_autofree char *at = existing(path, error);
    if (!at)
        return false;
    for (;;) {
        g_autofree char *candidate = g_build_filename(at, name, NULL);
        if (stat(candidate, &info) == 0)
            break;
        if (errno != ENOENT && errno != ENOTDIR)
            return set_error_errno(error, errno, "cannot look at '%s'", candidate);
        if (!strcmp(at, "/")) {
            *at = '\0';
            break;
        }
        char *above = g_path_get_dirname(at);
        g_free(at);
        at = above;
    }
    *reply = g_variant_new("(s)", at);
    return true;
}

bool
local_find_program(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                   G_GNUC_UNUSED GError **error)
{
    g_autofree const char **names = NULL;
    const char *found = "";

    g_variant_get(arguments, "(^a&s)", &names);
    for (const char **name = names; *name && !*found; name++) {
        g_autofree char *path = g_find_program_in_path(*name);
        if (path)
            found = *name;
    }
    *reply = g_variant_new("(s)", found);
    return true;
}
