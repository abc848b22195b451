// SPDX-License-Identifier: Apache-2.0
#include "core/import.h"

#include "base/error.h"
#include "core/driver.h"
#include "core/format.h"
#include "core/qemu_img.h"

#include <string.h>

/* Content as it is, to a path on that host, which is for `volume`. */
static bool
bring(Volume *volume, const ImportContent *content, Host *host, const char *path, bool zeroed,
      guint64 *size, GError **error)
{
    MoveOptions options;

    if (!datastore_move_options(volume->datastore, &options, error))
        return false;
    options.dirty = !zeroed;
    options.length = content->length;
    if (content->bytes)
        return host_fill(host, path, content->bytes, &options, size, NULL, error);
    return host_transfer(content->host, content->path, host, path, &options, NULL, error);
}

static bool
bring_raw(Volume *volume, const ImportContent *content, const Endpoint *to, GError **error)
{
    guint64 size = 0;

    if (!bring(volume, content, to->host, to->path, to->zeroed, &size, error))
        return false;
    if (content->bytes && !strcmp(volume->format, "raw") && volume->virtual_size == 0)
        volume->virtual_size = size;
    return true;
}

/* What qemu-img made must be what the header said. */
static bool
check_result(const Volume *volume, const Endpoint *to, GError **error)
{
    ImageFormat made;
    g_auto(FileInfo) info = {0};

    if (to->block || step_is_dry_run())
        return true;
    if (!host_stat(to->host, to->path, false, &info, error))
        return false;
    made = (ImageFormat){.name = "raw", .virtual_size = info.size};
    if (strcmp(volume->format, "raw") != 0 &&
        !format_of_file(to->host, to->path, info.size, &made, error))
        return false;
    if (made.virtual_size == volume->virtual_size)
        return true;
    return set_error(error, ONEVOL_ERROR_CORRUPT,
                     "the header says %" G_GUINT64_FORMAT " bytes, but qemu-img finds "
                     "%" G_GUINT64_FORMAT,
                     volume->virtual_size, made.virtual_size);
}

/* The copy that only we can change, before qemu-img follows its tables. */
static bool
check_copy(const ImportContent *content, Host *host, const char *path, GError **error)
{
    g_auto(FileInfo) info = {0};

    if (content->at_least > 0 && !step_is_dry_run()) {
        if (!host_stat(host, path, false, &info, error))
            return false;
        if (info.size < content->at_least)
            return set_error(error, ONEVOL_ERROR_CORRUPT, "the %s image is cut", content->format);
    }
    return qemu_img_check_foreign(host, path, content->format, error);
}

/* Beside a file volume, in the directory that it is built in and goes with. */
static bool
convert_beside(Volume *volume, const ImportContent *content, const Endpoint *to, GError **error)
{
    g_autofree char *copy = g_strconcat(to->path, ".source", NULL);

    return bring(volume, content, to->host, copy, true, NULL, error) &&
           check_copy(content, to->host, copy, error) &&
           qemu_img_convert_foreign(to->host, copy, content->format, to->path, volume->format,
                                    error) &&
           host_remove(to->host, copy, error);
}

/* In a directory of its own, under a mark. */
static bool
convert_staged(Volume *volume, const ImportContent *content, const Endpoint *to, GError **error)
{
    g_autofree char *name = g_path_get_basename(volume->name);
    g_autofree char *place =
        g_strdup_printf("%s/onevol-%s", content->staging ? content->staging : "/var/tmp", name);
    g_autoptr(Mark) mark = mark_new("staging", volume->owner);
    g_autofree char *copy = NULL;

    if (!host_build_begin(to->host, place, mark->text, &copy, error))
        return false;
    bool done =
        bring(volume, content, to->host, copy, true, NULL, error) &&
        check_copy(content, to->host, copy, error) &&
        qemu_img_convert_foreign(to->host, copy, content->format, to->path, volume->format, error);
    return host_build_abandon(to->host, place, mark->token, done ? error : NULL) && done;
}

static bool
fill(Volume *volume, const ImportContent *content, const Endpoint *to, GError **error)
{
    if (!strcmp(content->format, volume->format))
        return bring_raw(volume, content, to, error) &&
               (content->ours || to->block || check_copy(content, to->host, to->path, error));
    if (content->ours && content->host == to->host)
        return qemu_img_convert(to->host, content->path, content->format, to->path, volume->format,
                                error);
    return (to->block ? convert_staged(volume, content, to, error)
                      : convert_beside(volume, content, to, error)) &&
           check_result(volume, to, error);
}

/* A qcow2 has tables beside the data: 8 bytes and 2 for each cluster of 64 KiB, and some for
 * itself (qemu's docs/interop/qcow2.txt). */
static guint64
bytes_of_device(const Volume *volume)
{
    guint64 tables = volume->virtual_size / 65536 * 10 * 5 / 4 + 2 * MIB;

    return strcmp(volume->format, "qcow2") != 0 ? volume->virtual_size
                                                : volume->virtual_size + tables;
}

static bool
find_size(Volume *volume, const ImportContent *content, bool files, guint64 *bytes, GError **error)
{
    if (files || content->virtual_size > 0)
        volume->virtual_size = content->virtual_size;
    *bytes = files ? 0 : bytes_of_device(volume);
    return files || *bytes > 0 ||
           set_error(error, ONEVOL_ERROR_REFUSED, "the size of what becomes %s is not known",
                     volume->owner);
}

bool
volume_import_content(Volume *volume, const ImportContent *content, GError **error)
{
    bool files = volume->datastore->driver->backend->files != NULL, done = false;
    g_auto(Endpoint) to = {0};
    guint64 bytes;

    if (!volume->format)
        volume->format = g_strdup(files && !strcmp(content->format, "qcow2") ? "qcow2" : "raw");
    if (!find_size(volume, content, files, &bytes, error) || !volume_create(volume, bytes, error))
        return false;
    if (volume_open(volume, &to, error)) {
        done = fill(volume, content, &to, error);
        done = volume_close(volume, &to, done ? error : NULL) && done;
    }
    if (!done)
        volume_abandon(volume);
    return done;
}

bool
volume_import(Volume *volume, const Endpoint *from, const char *format, guint64 virtual_size,
              GError **error)
{
    const ImportContent content = {.host = from->host,
                                   .path = from->path,
                                   .format = format,
                                   .virtual_size = virtual_size,
                                   .length = from->size,
                                   .ours = true};

    return volume_import_content(volume, &content, error);
}
