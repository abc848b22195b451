// SPDX-License-Identifier: Apache-2.0
#include "core/iso.h"

#include "base/error.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
archive_failed(struct archive *archive, const char *what, GError **error)
{
    const char *reason = archive_error_string(archive);
    bool full = archive_errno(archive) == ENOSPC;

    return set_error(error, full ? ONEVOL_ERROR_NO_SPACE : ONEVOL_ERROR_FAILED, "%s: %s", what,
                     reason ? reason : "unknown reason");
}

static bool
add_content(struct archive *archive, const char *file, GError **error)
{
    g_autofree char *buffer = g_malloc(65536);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return set_error_errno(error, errno, "cannot read '%s'", file);
    while ((got = read(fd, buffer, 65536)) > 0)
        if (archive_write_data(archive, buffer, (size_t)got) < 0)
            break;
    int number = errno;
    close(fd);
    if (got < 0)
        return set_error_errno(error, number, "cannot read '%s'", file);
    return got == 0 || archive_failed(archive, "cannot write the ISO image", error);
}

static bool add_path(struct archive *archive, const char *file, const char *name, GError **error);

static bool
add_children(struct archive *archive, const char *directory, const char *name, GError **error)
{
    g_autoptr(GDir) children = g_dir_open(directory, 0, NULL);
    const char *child;

    while (children && (child = g_dir_read_name(children))) {
        g_autofree char *file = g_build_filename(directory, child, NULL);
        g_autofree char *inside = g_build_filename(name, child, NULL);
        if (!add_path(archive, file, inside, error))
            return false;
    }
    return true;
}

static bool
add_path(struct archive *archive, const char *file, const char *name, GError **error)
{
    struct stat info;
    if (stat(file, &info))
        return set_error_errno(error, errno, "cannot read '%s'", file);
    bool directory = S_ISDIR(info.st_mode);
    if (!directory && !S_ISREG(info.st_mode))
        return set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is no regular file", file);

    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, directory ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(entry, (info.st_mode & 0777) | 0444);
    archive_entry_set_size(entry, directory ? 0 : info.st_size);
    archive_entry_set_mtime(entry, info.st_mtime, 0);
    int status = archive_write_header(archive, entry);
    archive_entry_free(entry);
    if (status < ARCHIVE_WARN)
        return archive_failed(archive, "cannot write the ISO image", error);
    return directory ? add_children(archive, file, name, error) : add_content(archive, file, error);
}

bool
iso_write(const char *path, const char *label, const char *const *files, const char *const *names,
          GError **error)
{
    struct archive *archive = archive_write_new();
    bool done = true;

    archive_write_set_format_iso9660(archive);
    archive_write_set_format_option(archive, "iso9660", "volume-id", label);
    archive_write_set_format_option(archive, "iso9660", "joliet", "1");
    archive_write_set_format_option(archive, "iso9660", "rockridge", "useful");
    if (archive_write_open_filename(archive, path) != ARCHIVE_OK)
        done = archive_failed(archive, "cannot write the ISO image", error);
    for (; done && *files; files++, names++)
        done = add_path(archive, *files, *names, error);
    if (archive_write_close(archive) != ARCHIVE_OK && done)
        done = archive_failed(archive, "cannot write the ISO image", error);
    archive_write_free(archive);
    return done;
}
