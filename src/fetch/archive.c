// SPDX-License-Identifier: Apache-2.0
/*
 * bzip2 and lz4, and the one file in a tar or zip archive, by libarchive.
 */
#include "fetch/decode.h"

#include "base/error.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#define INPUT (256u << 10)
#define TRAILER (16u << 20) /* what may follow an archive's end: padding */

typedef struct ArchiveBytes {
    Bytes bytes;
    Bytes *below;
    char *name;
    Code code;
    struct archive *archive;
    guint8 *input;
    GError *failed; /* of the layer below, which libarchive cannot pass on */
    bool finished;
} ArchiveBytes;

static la_ssize_t
on_read(struct archive *archive, void *data, const void **buffer)
{
    ArchiveBytes *self = data;
    size_t got;

    *buffer = self->input;
    if (self->failed || !bytes_read(self->below, self->input, INPUT, &got, &self->failed)) {
        archive_set_error(archive, EIO, "cannot read");
        return -1;
    }
    return (la_ssize_t)got;
}

static bool
fail(ArchiveBytes *self, GError **error)
{
    const char *said = archive_error_string(self->archive);

    if (self->failed) {
        g_propagate_error(error, g_error_copy(self->failed));
        return false;
    }
    g_autofree char *text = one_line(said ? said : "it is cut", 200);
    return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' is a damaged %s file: %s", self->name,
                     decode_name(self->code), text);
}

/* The next member that is no directory; *entry NULL at the end. */
static bool
next_member(ArchiveBytes *self, struct archive_entry **entry, GError **error)
{
    int code;

    do {
        code = archive_read_next_header(self->archive, entry);
        if (code == ARCHIVE_EOF) {
            *entry = NULL;
            return true;
        }
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN) /* such as a name in another alphabet */
            return fail(self, error);
        archive_clear_error(self->archive);
    } while (archive_entry_filetype(*entry) == AE_IFDIR);
    return true;
}

/* libarchive has methods of packing in zip that know no limit for memory. */
static bool
check_method(const ArchiveBytes *self, GError **error)
{
    const char *format = archive_format_name(self->archive);

    if (self->code != CODE_ZIP || strstr(format, "(uncompressed)") || strstr(format, "(deflation)"))
        return true;
    return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                     "'%s' is packed in another way than deflate: %s", self->name, format);
}

static bool
find_member(ArchiveBytes *self, GError **error)
{
    struct archive_entry *entry;

    if (!next_member(self, &entry, error))
        return false;
    if (!entry)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "there is no file in '%s'", self->name);
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
        archive_entry_symlink(entry))
        return set_error(error, ONEVOL_ERROR_REFUSED, "what is in '%s' is no regular file",
                         self->name);
    if (archive_entry_is_encrypted(entry))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "'%s' is encrypted", self->name);
    if (archive_entry_size_is_set(entry) && self->code != CODE_BZIP2 && self->code != CODE_LZ4) {
        self->bytes.size = (guint64)MAX(archive_entry_size(entry), 0);
        self->bytes.has_size = true;
    }
    return check_method(self, error);
}

/* Nothing else may be in there, and what is below is read to its end, where it is checked. */
static bool
finish(ArchiveBytes *self, GError **error)
{
    struct archive_entry *entry;
    size_t got, trailer = 0;

    if (!next_member(self, &entry, error))
        return false;
    if (entry)
        return set_error(error, ONEVOL_ERROR_REFUSED, "there is more than one file in '%s'",
                         self->name);
    if (self->failed)
        return fail(self, error);
    do {
        if (!bytes_read(self->below, self->input, INPUT, &got, error))
            return false;
        trailer += got;
    } while (got > 0 && trailer < TRAILER);
    if (got > 0)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "something else follows the end of '%s'",
                         self->name);
    self->finished = true;
    return true;
}

static bool
archive_bytes_read(Bytes *bytes, void *buffer, size_t length, size_t *got, GError **error)
{
    ArchiveBytes *self = (ArchiveBytes *)bytes;

    *got = 0;
    if (self->finished)
        return true;
    la_ssize_t count = archive_read_data(self->archive, buffer, length);
    if (count < 0 || archive_errno(self->archive) != 0) /* a wrong sum is but a warning */
        return fail(self, error);
    *got = (size_t)count;
    return count > 0 || finish(self, error);
}

static void
archive_bytes_free(Bytes *bytes)
{
    ArchiveBytes *self = (ArchiveBytes *)bytes;

    archive_read_free(self->archive);
    bytes_free(self->below);
    g_clear_error(&self->failed);
    g_free(self->input);
    g_free(self->name);
    g_free(self);
}

static void
support(struct archive *archive, Code code)
{
    switch ((int)code) {
    case CODE_BZIP2:
        archive_read_support_filter_bzip2(archive);
        archive_read_support_format_raw(archive);
        break;
    case CODE_LZ4:
        archive_read_support_filter_lz4(archive);
        archive_read_support_format_raw(archive);
        break;
    case CODE_TAR:
        archive_read_support_format_tar(archive);
        break;
    case CODE_ZIP:
        archive_read_support_format_zip_streamable(archive);
        break;
    }
}

Bytes *
decode_archive(Bytes *below, Code code, const char *name, GError **error)
{
    ArchiveBytes *self = g_new0(ArchiveBytes, 1);

    self->bytes = (Bytes){.read = archive_bytes_read, .free = archive_bytes_free};
    self->below = below;
    self->code = code;
    self->name = g_strdup(name);
    self->input = g_malloc(INPUT);
    self->archive = archive_read_new();
    support(self->archive, code);
    bool done = archive_read_open(self->archive, self, NULL, on_read, NULL) == ARCHIVE_OK
                    ? find_member(self, error)
                    : fail(self, error);
    if (done)
        return &self->bytes;
    archive_bytes_free(&self->bytes);
    return NULL;
}
