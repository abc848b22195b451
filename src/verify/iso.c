// SPDX-License-Identifier: Apache-2.0
#include "verify/iso.h"

#include "base/error.h"
#include "verify/content.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#define SECTOR 2048
#define FILE_LIMIT (4u << 20)

static bool
iso_add(struct archive *archive, const char *name, GBytes *bytes)
{
    gsize length;
    const void *data = g_bytes_get_data(bytes, &length);
    struct archive_entry *entry = archive_entry_new();

    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)length);
    bool done = archive_write_header(archive, entry) == ARCHIVE_OK &&
                archive_write_data(archive, data, length) == (la_ssize_t)length;
    archive_entry_free(entry);
    return done;
}

bool
iso_make(const char *path, const char *label, GHashTable *files, GError **error)
{
    struct archive *archive = archive_write_new();
    GHashTableIter iterator;
    gpointer name, bytes;

    archive_write_set_format_iso9660(archive);
    archive_write_set_format_option(archive, "iso9660", "volume-id", label);
    bool done = archive_write_open_filename(archive, path) == ARCHIVE_OK;
    g_hash_table_iter_init(&iterator, files);
    while (done && g_hash_table_iter_next(&iterator, &name, &bytes))
        done = iso_add(archive, name, bytes);
    done = done && archive_write_close(archive) == ARCHIVE_OK;
    if (!done)
        set_error(error, ONEVOL_ERROR_FAILED, "cannot make '%s': %s", path,
                  archive_error_string(archive));
    archive_write_free(archive);
    return done;
}

/* Volume descriptors begin at sector 16: type, "CD001"; the label of the primary one is at 40. */
static bool
read_label(const char *path, char **label, bool *joliet, GError **error)
{
    static const Host here = {.local = true};
    char sector[SECTOR];

    *joliet = false;
    for (unsigned number = 16; number < 32; number++) {
        if (!content_peek(&here, path, (guint64)number * SECTOR, sector, sizeof sector, error))
            return false;
        if (memcmp(sector + 1, "CD001", 5) != 0)
            return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' is no ISO 9660 image", path);
        if (sector[0] == 1 && !*label)
            *label = g_strchomp(g_strndup(sector + 40, 32));
        if (sector[0] == 2 && sector[88] == '%' && sector[89] == '/')
            *joliet = true;
        if ((guint8)sector[0] == 255)
            break;
    }
    return *label || set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' has no volume id", path);
}

static bool
read_entry(struct archive *archive, struct archive_entry *entry, GHashTable *files)
{
    la_int64_t size = archive_entry_size(entry);

    if (archive_entry_filetype(entry) == AE_IFDIR)
        return true;
    if (size < 0 || size > FILE_LIMIT)
        return false;
    char *data = g_malloc((gsize)size + 1);
    if (archive_read_data(archive, data, (size_t)size) != (la_ssize_t)size) {
        g_free(data);
        return false;
    }
    g_hash_table_replace(files, g_strdup(archive_entry_pathname(entry)),
                         g_bytes_new_take(data, (gsize)size));
    return true;
}

static GHashTable *
read_files(const char *path, GError **error)
{
    GHashTable *files =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    archive_read_support_format_iso9660(archive);
    /* Rock Ridge is what Linux guests see */
    archive_read_set_format_option(archive, "iso9660", "joliet", NULL);
    int result = archive_read_open_filename(archive, path, SECTOR * 5);
    if (result == ARCHIVE_OK)
        while ((result = archive_read_next_header(archive, &entry)) == ARCHIVE_OK)
            if (!read_entry(archive, entry, files))
                break;
    if (result != ARCHIVE_EOF) {
        set_error(error, ONEVOL_ERROR_CORRUPT, "cannot read '%s': %s", path,
                  archive_error_string(archive));
        g_clear_pointer(&files, g_hash_table_unref);
    }
    archive_read_free(archive);
    return files;
}

GHashTable *
iso_read(const Host *host, const char *path, char **label, bool *joliet, GError **error)
{
    char *copy = host_copy(host, path, content_scratch(), error);

    *label = NULL;
    GHashTable *files =
        copy && read_label(copy, label, joliet, error) ? read_files(copy, error) : NULL;
    host_uncopy(host, copy);
    return files;
}
