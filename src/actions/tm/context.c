// SPDX-License-Identifier: Apache-2.0
/*
 * context: the ISO image that tells a guest who it is.
 *
 * Made at every boot, restore and NIC change, while the guest may have the old one open: the new
 * one is renamed over it.
 */
#include "actions/tm/place.h"
#include "base/error.h"
#include "base/log.h"
#include "core/iso.h"
#include "http/http.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOWNLOAD_LIMIT ((gsize)4 << 30)

/* What goes into the image, and where downloads lie until then. */
typedef struct Content {
    GPtrArray *files, *names; /* both end with NULL when complete */
    char *scratch;            /* a directory of this machine, NULL until needed */
} Content;

static int
remove_one(const char *path, G_GNUC_UNUSED const struct stat *info, G_GNUC_UNUSED int type,
           G_GNUC_UNUSED struct FTW *place)
{
    return remove(path);
}

static void
content_clear(Content *content)
{
    if (content->scratch)
        nftw(content->scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    g_clear_pointer(&content->scratch, g_free);
    g_clear_pointer(&content->files, g_ptr_array_unref);
    g_clear_pointer(&content->names, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Content, content_clear)

static bool
make_scratch(Content *content, GError **error)
{
    g_autofree char *template = g_strdup("/var/tmp/onevol-context-XXXXXX");

    if (!content->scratch && !mkdtemp(template))
        return set_error_errno(error, errno, "cannot make a directory in /var/tmp");
    if (!content->scratch)
        content->scratch = g_steal_pointer(&template);
    return true;
}

static bool
download(Content *content, const char *url, GError **error)
{
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NONE, error);
    g_autofree char *name = uri ? g_path_get_basename(g_uri_get_path(uri)) : NULL;
    HttpOptions options = {.timeout_ms = SECONDS(600), .limit = DOWNLOAD_LIMIT};

    if (!uri)
        return false;
    if (!strcmp(name, "/") || !strcmp(name, "."))
        return set_error(error, ONEVOL_ERROR_USAGE, "'%s' has no file name", url);
    if (!make_scratch(content, error))
        return false;
    g_autofree char *file =
        g_strdup_printf("%s/%u-%s", content->scratch, content->files->len, name);
    FILE *out = fopen(file, "wxe");
    if (!out)
        return set_error_errno(error, errno, "cannot make '%s'", file);
    bool done = http_get(url, fileno(out), &options, error);
    if (fclose(out) && done)
        done = set_error_errno(error, errno, "cannot write '%s'", file);
    g_ptr_array_add(content->files, g_steal_pointer(&file));
    g_ptr_array_add(content->names, g_steal_pointer(&name));
    return done;
}

/* "path", "path:name" or "path:'name'": the quotes are there where no shell took them away. */
static bool
local_file(Content *content, const char *argument, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(argument, ":", 2);
    g_autofree char *name = parts[1] ? g_strdup(parts[1]) : g_path_get_basename(parts[0]);
    gsize length = strlen(name);

    if (length >= 2 && name[0] == '\'' && name[length - 1] == '\'') {
        name[length - 1] = '\0';
        memmove(name, name + 1, length - 1);
    }
    if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is no name for a context file", name);
    g_ptr_array_add(content->files, g_strdup(parts[0]));
    g_ptr_array_add(content->names, g_steal_pointer(&name));
    return true;
}

static bool
collect(Content *content, char **arguments, guint count, GError **error)
{
    for (guint i = 0; i < count; i++) {
        bool remote =
            g_str_has_prefix(arguments[i], "http://") || g_str_has_prefix(arguments[i], "https://");
        if (!(remote ? download : local_file)(content, arguments[i], error))
            return false;
    }
    g_ptr_array_add(content->files, NULL);
    g_ptr_array_add(content->names, NULL);
    return true;
}

/* The image is built on this machine and goes to the host as any other file. */
static bool
put_image(Task *task, const Disk *disk, Content *content, GError **error)
{
    g_autofree char *text = task_text(task);
    g_autofree char *owner = disk_owner(disk);
    g_autoptr(Mark) mark = mark_new(text, owner);
    g_autofree char *target = NULL;

    if (!make_scratch(content, error))
        return false;
    g_autofree char *image = g_build_filename(content->scratch, "context.iso", NULL);
    if (!iso_write(image, "CONTEXT", (const char *const *)content->files->pdata,
                   (const char *const *)content->names->pdata, error) ||
        !host_make_directory(disk->host, disk->directory, error) ||
        !host_build_begin(disk->host, disk->path, mark->text, &target, error))
        return false;
    if (host_transfer(host_frontend(), image, disk->host, target, NULL, NULL, error) &&
        host_build_commit(disk->host, disk->path, mark->token, error))
        return true;
    host_build_abandon(disk->host, disk->path, mark->token, NULL);
    return false;
}

/* Every boot begins here, so a link that was lost on the way is made again. The image of the
 * context alone needs no facts: without them it is made all the same. */
static bool
restore_links(Task *task, const Disk *context, GError **error)
{
    g_autoptr(GError) unknown = NULL;

    if (place_is_local(task)) /* its disks are files */
        return true;
    const OneVm *vm = task_vm(task, context->vm_id, &unknown);
    if (vm)
        return place_restore_links(task, vm, context->host, context->directory, NULL, error);
    log_warn("links of disks are not looked at: %s", unknown->message);
    return true;
}

bool
tm_context(Task *task, char **arguments, GError **error)
{
    guint count = g_strv_length(arguments);
    g_auto(Disk) disk = {0};
    g_auto(Content) content = {
        .files = g_ptr_array_new_with_free_func(g_free),
        .names = g_ptr_array_new_with_free_func(g_free),
    };

    if (!tm_disk(task, arguments[count - 3], arguments[count - 2], &disk, error))
        return false;
    if (!collect(&content, arguments, count - 3, error) ||
        !put_image(task, &disk, &content, error)) {
        g_prefix_error(error, "cannot make the context image: ");
        return false;
    }
    return restore_links(task, &disk, error);
}
