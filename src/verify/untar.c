// SPDX-License-Identifier: Apache-2.0
#include "verify/untar.h"

#include "base/error.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <unistd.h>

static bool
copy_blocks(struct archive *archive, int fd)
{
    const void *data;
    size_t length;
    la_int64_t offset;
    int result;

    while ((result = archive_read_data_block(archive, &data, &length, &offset)) == ARCHIVE_OK)
        if (pwrite(fd, data, length, offset) != (ssize_t)length)
            return false;
    return result == ARCHIVE_EOF;
}

bool
untar_file(GBytes *bytes, int fd, GError **error)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    gsize length;
    const void *data = g_bytes_get_data(bytes, &length);

    archive_read_support_format_tar(archive);
    bool done = archive_read_open_memory(archive, data, length) == ARCHIVE_OK &&
                archive_read_next_header(archive, &entry) == ARCHIVE_OK &&
                copy_blocks(archive, fd) && ftruncate(fd, archive_entry_size(entry)) == 0;
    if (!done)
        set_error(error, ONEVOL_ERROR_CORRUPT, "cannot unpack a file from another host: %s",
                  archive_error_string(archive) ? archive_error_string(archive)
                                                : g_strerror(errno));
    archive_read_free(archive);
    return done;
}
