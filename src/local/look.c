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

/* By its text, or, where a device has several names, by what it leads to. */
static bool
leads_to(const char *path, const char *target, const char *real)
{
    g_autofree char *text = g_file_read_link(path, NULL);
    if (text && !strcmp(text, target))
        return true;
    char *end = text && real ? realpath(path, NULL) : NULL;
    bool same = end && !strcmp(end, real);
    free(end);
    return same;
}

/* VM/disk.N of both: on its way to another datastore a disk has two places. */
static bool
same_disk(const char *a, const char *b)
{
    const char *tails[] = {a, b};

    for (unsigned i = 0; i < 2; i++) {
        unsigned slashes = 0;
        for (const char *at = tails[i] + strlen(tails[i]); at > tails[i] && slashes < 2; at--)
            if (at[-1] == '/' && ++slashes == 2)
                tails[i] = at;
    }
    return !strcmp(tails[0], tails[1]);
}

/* In `directory`: another disk than `but` that leads to `target`. */
static char *
link_in(const char *directory, const char *target, const char *real, const char *but)
{
    g_autoptr(GDir) entries = g_dir_open(directory, 0, NULL);
    const char *name;

    while (entries && (name = g_dir_read_name(entries))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        if (g_str_has_prefix(name, "disk.") && !same_disk(path, but) &&
            leads_to(path, target, real))
            return g_steal_pointer(&path);
    }
    return NULL;
}

/* Of each subdirectory with a number for its name. */
static GPtrArray *
numbered(const char *directory)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) entries = g_dir_open(directory, 0, NULL);
    const char *name;

    while (entries && (name = g_dir_read_name(entries)))
        if (strspn(name, "0123456789") == strlen(name))
            g_ptr_array_add(paths, g_build_filename(directory, name, NULL));
    return paths;
}

bool
local_find_link(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                G_GNUC_UNUSED GError **error)
{
    const char *directory, *target, *but;
    g_autofree char *found = NULL;

    g_variant_get(arguments, "(&s&s&s)", &directory, &target, &but);
    char *real = realpath(target, NULL);
    g_autoptr(GPtrArray) datastores = numbered(directory);
    for (guint i = 0; !found && i < datastores->len; i++) {
        g_autoptr(GPtrArray) vms = numbered(g_ptr_array_index(datastores, i));
        for (guint j = 0; !found && j < vms->len; j++)
            found = link_in(g_ptr_array_index(vms, j), target, real, but);
    }
    free(real);
    *reply = g_variant_new("(s)", found ? found : "");
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
