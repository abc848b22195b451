// SPDX-License-Identifier: Apache-2.0
/*
 * Files, links and directories of this machine.
 *
 * What replaces something does so by rename, so that a reader sees the old or the new, and every
 * removal of a tree stays inside it: links are removed, never followed.
 */
#include "base/command.h"
#include "base/error.h"
#include "base/fd.h"
#include "local/handlers.h"
#include "mover/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define READ_LIMIT (16u << 20)

bool
local_stat(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *path;
    gboolean follow;
    struct stat info = {0};
    char target[PATH_MAX] = "";

    g_variant_get(arguments, "(&sb)", &path, &follow);
    if (follow ? stat(path, &info) : lstat(path, &info)) {
        if (errno != ENOENT && errno != ENOTDIR)
            return set_error_errno(error, errno, "cannot look at '%s'", path);
        memset(&info, 0, sizeof info);
    }
    if (S_ISLNK(info.st_mode)) {
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[MAX(length, 0)] = '\0';
    }
    *reply = g_variant_new("(uttttts)", (guint32)info.st_mode, (guint64)info.st_size,
                           (guint64)info.st_blocks * 512, (guint64)info.st_dev,
                           (guint64)info.st_ino, (guint64)info.st_mtime, target);
    return true;
}

bool
local_list(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *path;
    GVariantBuilder entries;

    g_variant_get(arguments, "(&s)", &path);
    DIR *directory = opendir(path);
    if (!directory && errno != ENOENT)
        return set_error_errno(error, errno, "cannot list '%s'", path);

    g_variant_builder_init(&entries, G_VARIANT_TYPE("a(sutt)"));
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        struct stat info;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
            !g_utf8_validate(entry->d_name, -1, NULL) ||
            fstatat(dirfd(directory), entry->d_name, &info, AT_SYMLINK_NOFOLLOW))
            continue;
        g_variant_builder_add(&entries, "(sutt)", entry->d_name, (guint32)info.st_mode,
                              (guint64)info.st_size, (guint64)info.st_blocks * 512);
    }
    if (directory)
        closedir(directory);
    *reply = g_variant_new("(a(sutt))", &entries);
    return true;
}

bool
local_read(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *path;
    guint64 offset, length, got = 0;

    g_variant_get(arguments, "(&stt)", &path, &offset, &length);
    if (length > READ_LIMIT)
        return set_error(error, ONEVOL_ERROR_USAGE, "asked for too much of '%s'", path);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return set_error_errno(error, errno, "cannot open '%s'", path);

    g_autofree guint8 *bytes = g_malloc(length + 1);
    while (got < length) {
        ssize_t some = pread(fd, bytes + got, length - got, (off_t)(offset + got));
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return set_error_errno(error, errno, "cannot read '%s'", path);
        if (some == 0)
            break;
        got += (guint64)some;
    }
    *reply = g_variant_new("(@ay)", g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, bytes, got, 1));
    return true;
}

bool
local_resolve(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *path;

    g_variant_get(arguments, "(&s)", &path);
    char *resolved = realpath(path, NULL);
    if (!resolved)
        return set_error_errno(error, errno, "cannot resolve '%s'", path);
    *reply = g_variant_new("(s)", resolved);
    free(resolved);
    return true;
}

bool
local_space(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *path;
    struct statvfs info;

    g_variant_get(arguments, "(&s)", &path);
    if (statvfs(path, &info))
        return set_error_errno(error, errno, "cannot ask for the space of '%s'", path);
    if (info.f_blocks == 0) /* a FUSE file system whose servers are gone says 0 of 0 */
        return set_error(error, ONEVOL_ERROR_FAILED,
                         "the file system of '%s' reports no space "
                         "at all",
                         path);
    *reply = g_variant_new("(ttt)", (guint64)info.f_blocks * info.f_frsize,
                           (guint64)(info.f_blocks - info.f_bfree) * info.f_frsize,
                           (guint64)info.f_bavail * info.f_frsize);
    return true;
}

bool
local_digest(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *path, *algorithm;
    guint64 left;

    g_variant_get(arguments, "(&s&st)", &path, &algorithm, &left);
    left = left ? left : G_MAXUINT64;
    GChecksumType type = !strcmp(algorithm, "md5")    ? G_CHECKSUM_MD5
                         : !strcmp(algorithm, "sha1") ? G_CHECKSUM_SHA1
                                                      : G_CHECKSUM_SHA256;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return set_error_errno(error, errno, "cannot open '%s'", path);

    g_autoptr(GChecksum) sum = g_checksum_new(type);
    g_autofree guint8 *buffer = g_malloc(1 << 20);
    for (ssize_t got; left > 0 && (got = read(fd, buffer, MIN(left, 1 << 20))) != 0;) {
        if (!cancel_check(error))
            return false;
        if (got < 0 && errno != EINTR)
            return set_error_errno(error, errno, "cannot read '%s'", path);
        if (got > 0) {
            g_checksum_update(sum, buffer, got);
            left -= (guint64)got;
        }
    }
    *reply = g_variant_new("(s)", g_checksum_get_string(sum));
    return true;
}

bool
local_make_directory(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                     GError **error)
{
    const char *path;

    g_variant_get(arguments, "(&s)", &path);
    if (g_mkdir_with_parents(path, 0777)) /* as far as the umask allows, like mkdir -p */
        return set_error_errno(error, errno, "cannot make directory '%s'", path);
    *reply = g_variant_new("()");
    return true;
}

/* A name beside `path` that nobody else uses. */
static char *
name_beside(const char *path)
{
    return g_strdup_printf("%s.new-%08x%08x", path, g_random_int(), g_random_int());
}

bool
local_link(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *target, *path;

    g_variant_get(arguments, "(&s&s)", &target, &path);
    g_autofree char *beside = name_beside(path);
    if (symlink(target, beside))
        return set_error_errno(error, errno, "cannot make link '%s'", path);
    if (rename(beside, path)) {
        int number = errno;
        unlink(beside);
        return set_error_errno(error, number, "cannot put link '%s' in place", path);
    }
    *reply = g_variant_new("()");
    return true;
}

bool
local_remove(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *path;

    g_variant_get(arguments, "(&s)", &path);
    bool was_there = unlink(path) == 0;
    if (!was_there && errno != ENOENT && errno != ENOTDIR)
        return set_error_errno(error, errno, "cannot remove '%s'", path);
    *reply = g_variant_new("(b)", was_there);
    return true;
}

static int
remove_entry(const char *path, G_GNUC_UNUSED const struct stat *info, int type,
             G_GNUC_UNUSED struct FTW *place)
{
    if (type == FTW_DP || type == FTW_DNR)
        return rmdir(path) && errno != ENOENT;
    return unlink(path) && errno != ENOENT;
}

bool
local_remove_tree(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                  GError **error)
{
    const char *path;
    struct stat info;

    g_variant_get(arguments, "(&s)", &path);
    bool was_there = lstat(path, &info) == 0;
    if (was_there && nftw(path, remove_entry, 16, FTW_PHYS | FTW_DEPTH | FTW_MOUNT))
        return set_error_errno(error, errno, "cannot remove '%s'", path);
    *reply = g_variant_new("(b)", was_there);
    return true;
}

static bool
flush_directory_of(const char *path, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    AUTO_FD fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    /* EINVAL: this file system has nothing to flush there */
    if (fd < 0 || (fsync(fd) && errno != EINVAL))
        return set_error_errno(error, errno, "cannot flush directory '%s'", directory);
    return true;
}

bool
local_rename(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *from, *to;

    g_variant_get(arguments, "(&s&s)", &from, &to);
    *reply = g_variant_new("()");
    if (rename(from, to))
        return set_error_errno(error, errno, "cannot rename '%s' to '%s'", from, to);
    return flush_directory_of(to, error);
}

bool
local_write(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *path;
    guint32 mode;
    g_autoptr(GVariant) content = NULL;
    gsize length;

    g_variant_get(arguments, "(&s@ayu)", &path, &content, &mode);
    const char *bytes = g_variant_get_fixed_array(content, &length, 1);
    GError *local = NULL;
    if (!g_file_set_contents_full(path, bytes, (gssize)length,
                                  G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                  (int)mode, &local)) {
        set_error(error,
                  g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOSPC) ? ONEVOL_ERROR_NO_SPACE
                                                                           : ONEVOL_ERROR_FAILED,
                  "cannot write '%s': %s", path, local->message);
        g_error_free(local);
        return false;
    }
    *reply = g_variant_new("()");
    return true;
}

bool
local_allocate(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
               GError **error)
{
    const char *path;
    guint64 size;
    gboolean create;
    struct stat info;

    g_variant_get(arguments, "(&stb)", &path, &size, &create);
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0), 0666);
    if (fd < 0 || fstat(fd, &info))
        return set_error_errno(error, errno, "cannot open '%s'", path);
    if ((guint64)info.st_size > size)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "'%s' has %" G_GUINT64_FORMAT
                         " bytes and is not cut to %" G_GUINT64_FORMAT,
                         path, (guint64)info.st_size, size);
    if (ftruncate(fd, (off_t)size) || fsync(fd))
        return set_error_errno(error, errno, "cannot make '%s' %" G_GUINT64_FORMAT " bytes long",
                               path, size);
    *reply = g_variant_new("(t)", (guint64)info.st_size);
    return true;
}

bool
local_reserve(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *path;
    struct stat info;

    g_variant_get(arguments, "(&s)", &path);
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info))
        return set_error_errno(error, errno, "cannot open '%s'", path);
    bool done = info.st_size == 0 || fallocate(fd, 0, 0, info.st_size) == 0;
    if (!done && errno != EOPNOTSUPP && errno != ENOSYS)
        return set_error_errno(error, errno, "cannot reserve the space of '%s'", path);
    *reply = g_variant_new("(b)", done);
    return true;
}

bool
local_copy(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    const char *source, *target;
    gboolean share, dirty, readback;
    guint64 length;
    CopyResult result;

    g_variant_get(arguments, "(&s&sbbbt)", &source, &target, &share, &dirty, &readback, &length);
    MoveOptions options = {.dirty = dirty, .readback = readback, .length = length};
    if (!copy_file(source, target, share, &options, &result, error))
        return false;
    *reply = g_variant_new("(st)", copy_method_name(result.method), result.data);
    return true;
}

/* nftw() has no argument for its function; one tree at a time. */
static _Thread_local struct {
    const char *source, *target;
    GError **error;
} tree;

static int
copy_entry(const char *path, const struct stat *info, G_GNUC_UNUSED int type,
           G_GNUC_UNUSED struct FTW *place)
{
    g_autofree char *to = g_strconcat(tree.target, path + strlen(tree.source), NULL);
    CopyResult result;

    if (S_ISDIR(info->st_mode)) {
        if (mkdir(to, (info->st_mode & 07777) | 0700))
            return !set_error_errno(tree.error, errno, "cannot make directory '%s'", to);
        return 0;
    }
    if (S_ISLNK(info->st_mode)) {
        char target[PATH_MAX];
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[MAX(length, 0)] = '\0';
        if (length < 0 || symlink(target, to))
            return !set_error_errno(tree.error, errno, "cannot copy link '%s'", path);
        return 0;
    }
    if (!S_ISREG(info->st_mode))
        return 0; /* sockets and pipes belong to processes that are gone */
    if (!copy_file(path, to, true, NULL, &result, tree.error))
        return 1;
    if (chmod(to, info->st_mode & 07777))
        return !set_error_errno(tree.error, errno, "cannot set the mode of '%s'", to);
    return 0;
}

bool
local_copy_tree(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                GError **error)
{
    g_variant_get(arguments, "(&s&s)", &tree.source, &tree.target);
    tree.error = error;
    *reply = g_variant_new("()");
    if (nftw(tree.source, copy_entry, 16, FTW_PHYS | FTW_MOUNT))
        return error && *error ? false
                               : set_error_errno(error, errno, "cannot walk '%s'", tree.source);
    return flush_directory_of(tree.target, error);
}
