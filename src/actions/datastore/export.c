// SPDX-License-Identifier: Apache-2.0
/*
 * export: where a marketplace finds the image, and how to check it.
 *
 * one_market gives the answer to the marketplace's import, which reads IMPORT_SOURCE by
 * downloader.sh ("ssh://HOST:PATH" from a bridge, src/datastore_mad/remotes/fs/export) and then
 * runs DISPOSE_CMD. A volume that is no file is copied to one first, since a device is there only
 * as long as it is attached.
 */
#include "actions/datastore/datastore.h"
#include "base/error.h"
#include "base/path.h"

#include <stdio.h>

/* Beside nothing else, under a name that says what it is for, should nobody fetch it. */
static char *
copy_to_file(Task *task, const Volume *image, const Endpoint *content, GError **error)
{
    g_autofree char *directory = task_staging(task, error);
    g_autofree char *id = g_uuid_string_random();
    if (!directory)
        return NULL;
    g_autofree char *path =
        g_strdup_printf("%s/onevol-export-%" G_GINT64_FORMAT "-%s", directory, task->image->id, id);

    const MoveOptions options = {.length = content->size};
    if (host_transfer(content->host, content->path, content->host, path, &options, NULL, error))
        return g_steal_pointer(&path);
    g_prefix_error(error, "cannot make a file of %s: ", image->owner);
    (void)host_remove(content->host, path, NULL);
    return NULL;
}

static void
print_answer(const Volume *image, const Endpoint *content, const char *copy, const char *md5)
{
    const char *path = copy ? copy : content->path;
    bool here = host_is_frontend(content->host);
    g_autofree char *source =
        here ? g_strdup(path) : g_strdup_printf("ssh://%s:%s", host_name(content->host), path);
    g_autofree char *dispose =
        copy ? (here ? g_strdup_printf("rm -f %s", copy)
                     : g_strdup_printf("ssh %s rm -f %s", host_name(content->host), copy))
             : NULL;
    g_autofree char *command =
        copy ? g_markup_printf_escaped("<DISPOSE_CMD>%s</DISPOSE_CMD>", dispose) : g_strdup("");
    g_autofree char *text = g_markup_printf_escaped(
        "<IMPORT_SOURCE>%s</IMPORT_SOURCE><MD5>%s</MD5><SIZE>%" G_GUINT64_FORMAT
        "</SIZE><FORMAT>%s</FORMAT><DISPOSE>%s</DISPOSE>",
        source, md5, (image->virtual_size + MIB - 1) / MIB, image->format, copy ? "YES" : "NO");

    printf("<IMPORT_INFO>%s%s</IMPORT_INFO>\n", text, command);
}

static bool
export_content(Task *task, const Volume *image, const Endpoint *content, GError **error)
{
    g_autofree char *copy = content->block ? copy_to_file(task, image, content, error) : NULL;
    if (content->block && !copy)
        return false;

    g_autofree char *md5 = host_digest(content->host, copy ? copy : content->path, "md5", 0, error);
    if (!md5) {
        if (copy)
            (void)host_remove(content->host, copy, NULL);
        return false;
    }
    print_answer(image, content, copy, md5);
    return true;
}

bool
datastore_export(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    g_autoptr(Volume) image = datastore_image(task, error);
    g_auto(Endpoint) content = {0};

    if (!image || !volume_require(image, error) || !volume_open(image, &content, error))
        return false;
    bool done = export_content(task, image, &content, error);
    return volume_close(image, &content, done ? error : NULL) && done;
}
