// SPDX-License-Identifier: Apache-2.0
/*
 * Volumes as files of a directory that every user of them sees.
 *
 * Clones and snapshots are instant where the file system shares blocks (XFS, btrfs, NFS 4.2) and
 * sparse copies elsewhere. A snapshot is a whole file, PATH.snap/ID, so any of them can go in any
 * order. New content is built in PATH.part/ (local/build.c) and renamed.
 */
#include "backends/file/file.h"

#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "core/format.h"
#include "core/qemu_img.h"

#include <string.h>

static char *
snapshot_directory(const Volume *volume)
{
    return g_strconcat(volume->name, ".snap", NULL);
}

static char *
snapshot_path(const Volume *volume, gint64 id)
{
    return g_strdup_printf("%s.snap/%" G_GINT64_FORMAT, volume->name, id);
}

static char *
content_path(const Volume *volume)
{
    return volume->mark ? g_strconcat(volume->name, ".part/content", NULL) : g_strdup(volume->name);
}

static bool
is_qcow2(const Volume *volume)
{
    return volume->format && !strcmp(volume->format, "qcow2");
}

static bool
file_probe(G_GNUC_UNUSED Datastore *datastore, G_GNUC_UNUSED unsigned *caps,
           G_GNUC_UNUSED GError **error)
{
    return true; /* every file system can copy; which way is found out by each copy */
}

static bool
file_create(Volume *volume, guint64 bytes, GError **error)
{
    g_autofree char *content = NULL;
    g_autofree char *directory = g_path_get_dirname(volume->name);

    if (!host_make_directory(volume->host, directory, error) ||
        !host_build_begin(volume->host, volume->name, volume->mark->text, &content, error))
        return false;
    volume->virtual_size = MAX(volume->virtual_size, bytes);
    if (bytes == 0)
        return true;
    return is_qcow2(volume) ? qemu_img_create(volume->host, content, bytes, error)
                            : host_allocate(volume->host, content, bytes, true, error);
}

static bool
file_commit(Volume *volume, GError **error)
{
    return host_build_commit(volume->host, volume->name, volume->mark->token, error);
}

static bool
file_abandon(Volume *volume, GError **error)
{
    return host_build_abandon(volume->host, volume->name, volume->mark->token, error);
}

/* The content first: what is cut short must not look like a volume that has no snapshots. */
static bool
file_remove(Volume *volume, GError **error)
{
    static const char *const companions[] = {".part", ".snap", ".snap.part", ".md5sum", NULL};

    if (!host_remove(volume->host, volume->name, error))
        return false;
    for (const char *const *suffix = companions; *suffix; suffix++) {
        g_autofree char *path = g_strconcat(volume->name, *suffix, NULL);
        if (!host_remove_tree(volume->host, path, error))
            return false;
    }
    return true;
}

/* A volume that oned calls raw may hold anything; one that nobody names is looked at. */
static bool
find_format(Volume *volume, const char *path, guint64 size, GError **error)
{
    ImageFormat found = {.name = "raw", .supported = true, .virtual_size = size};

    if (g_strcmp0(volume->format, "raw") != 0 &&
        !format_of_file(volume->host, path, size, &found, error))
        return false;
    if (is_qcow2(volume) && strcmp(found.name, "qcow2") != 0)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' is said to be qcow2, but is not",
                         volume->name);
    if (!found.supported) /* to a guest that is just bytes */
        found = (ImageFormat){.name = "raw", .virtual_size = size};
    g_free(volume->format);
    volume->format = g_strdup(found.name);
    volume->virtual_size = found.virtual_size;
    return true;
}

static bool
file_stat(Volume *volume, bool *exists, GError **error)
{
    g_autofree char *path = content_path(volume);
    g_auto(FileInfo) info = {0};

    if (!host_stat(volume->host, path, true, &info, error))
        return false;
    *exists = info.mode != 0;
    if (!*exists)
        return true;
    if (!S_ISREG(info.mode))
        return set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is not a regular file", path);
    volume->allocated_size = info.allocated;
    return find_format(volume, path, info.size, error);
}

static bool
file_attach(Volume *volume, G_GNUC_UNUSED Host *host, G_GNUC_UNUSED AttachMode mode, char **device,
            G_GNUC_UNUSED GError **error)
{
    *device = g_strdup(volume->name);
    return true;
}

static bool
file_detach(G_GNUC_UNUSED Volume *volume, G_GNUC_UNUSED Host *host, G_GNUC_UNUSED GError **error)
{
    return true;
}

static bool
file_open(Volume *volume, Endpoint *endpoint, G_GNUC_UNUSED GError **error)
{
    endpoint->host = volume->host;
    endpoint->path = content_path(volume);
    endpoint->zeroed = volume->mark != NULL;
    return true;
}

static bool
file_close(G_GNUC_UNUSED Volume *volume, Endpoint *endpoint, G_GNUC_UNUSED GError **error)
{
    endpoint_clear(endpoint);
    return true;
}

/* What a guest writes to is copied where the guest runs, at one instant. */
static bool
take_content(const Volume *volume, Host *host, const char *from, const char *to, char **how,
             GError **error)
{
    const Freeze *freeze = volume->freeze;

    if (!freeze)
        return host_copy(host, from, to, true, how, error);
    return host_frozen_copy(freeze->host, freeze->uri, freeze->domain, freeze->may_suspend, from,
                            to, how, error);
}

/* The image goes to another machine than the guest's: an instant's copy beside the disk first. */
static bool
clone_via_host(Volume *source, Volume *target, const char *content, char **how, GError **error)
{
    Host *host = source->freeze->host;
    g_autofree char *place = g_strconcat(source->name, ".live", NULL);
    g_autoptr(Mark) mark = mark_new("save-as", source->owner);
    g_autofree char *instant = NULL;

    if (!host_build_begin(host, place, mark->text, &instant, error))
        return false;
    bool done = take_content(source, host, source->name, instant, how, error) &&
                host_transfer(host, instant, target->host, content, NULL, error);
    return host_build_abandon(host, place, mark->token, done ? error : NULL) && done;
}

static bool
file_clone(Volume *source, Volume *target, char **how, GError **error)
{
    /* where every host sees every file, the one that gets it copies */
    bool everywhere = target->datastore->driver->placement == PLACEMENT_EVERYWHERE;
    Host *reader = everywhere ? target->host : source->host;

    if (!file_create(target, 0, error))
        return false;
    g_autofree char *content = content_path(target);
    if (source->freeze && (everywhere || source->freeze->host == target->host))
        return take_content(source, reader, source->name, content, how, error);
    if (source->freeze)
        return clone_via_host(source, target, content, how, error);
    return host_transfer(reader, source->name, target->host, content, how, error);
}

static bool
file_resize(Volume *volume, guint64 bytes, GError **error)
{
    g_autofree char *path = content_path(volume);

    return is_qcow2(volume) ? qemu_img_resize(volume->host, path, bytes, error)
                            : host_allocate(volume->host, path, bytes, false, error);
}

static bool
file_reserve(Volume *volume, GError **error)
{
    g_autofree char *path = content_path(volume);
    bool possible;

    if (is_qcow2(volume))
        return true; /* its clusters are taken by QCOW2_OPTIONS (preallocation) */
    if (!host_reserve(volume->host, path, &possible, error))
        return false;
    if (!possible)
        log_warn("the file system of '%s' cannot reserve space", path);
    return true;
}

/* Copies `from` beside `to` and puts it in place, under a mark of its own. */
static bool
copy_and_swap(Volume *volume, const char *from, const char *to, GError **error)
{
    g_autoptr(Mark) mark = mark_new("snapshot", volume->owner);
    g_autofree char *content = NULL;

    if (!host_build_begin(volume->host, to, mark->text, &content, error))
        return false;
    g_autofree char *how = NULL;
    if (take_content(volume, volume->host, from, content, &how, error) &&
        host_build_commit(volume->host, to, mark->token, error))
        return true;
    host_build_abandon(volume->host, to, mark->token, NULL);
    return false;
}

static bool
require_snapshot(Volume *volume, gint64 id, char **path, GError **error)
{
    g_auto(FileInfo) info = {0};

    *path = snapshot_path(volume, id);
    if (!host_stat(volume->host, *path, false, &info, error))
        return false;
    if (S_ISREG(info.mode))
        return true;
    return set_error(error, ONEVOL_ERROR_NOT_FOUND,
                     "%s has no snapshot %" G_GINT64_FORMAT ": no '%s'", volume->owner, id, *path);
}

static bool
file_snapshot_create(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *directory = snapshot_directory(volume);
    g_autofree char *path = snapshot_path(volume, id);

    return host_make_directory(volume->host, directory, error) &&
           copy_and_swap(volume, volume->name, path, error);
}

static bool
file_snapshot_remove(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *directory = snapshot_directory(volume);
    g_autofree char *path = snapshot_path(volume, id);
    g_autofree char *part = g_strconcat(path, ".part", NULL);

    if (!host_remove_tree(volume->host, part, error) || !host_remove(volume->host, path, error))
        return false;
    g_autoptr(GPtrArray) left = host_list(volume->host, directory, error);
    return left && (left->len > 0 || host_remove_tree(volume->host, directory, error));
}

static bool
file_snapshot_revert(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *path = NULL;

    return require_snapshot(volume, id, &path, error) &&
           copy_and_swap(volume, path, volume->name, error);
}

/* All snapshots go by one rename, so that a second run knows whether there is more to do. */
static bool
file_snapshot_flatten(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *directory = snapshot_directory(volume);
    g_autofree char *going = g_strconcat(directory, ".part", NULL);
    g_auto(FileInfo) info = {0};

    if (!host_stat(volume->host, directory, false, &info, error) ||
        !host_remove_tree(volume->host, going, error))
        return false;
    return !info.mode || (file_snapshot_revert(volume, id, error) &&
                          host_rename(volume->host, directory, going, error) &&
                          host_remove_tree(volume->host, going, error));
}

static bool
file_snapshot_open(Volume *volume, gint64 id, Endpoint *endpoint, GError **error)
{
    endpoint->host = volume->host;
    return require_snapshot(volume, id, &endpoint->path, error);
}

static bool
file_snapshot_close(G_GNUC_UNUSED Volume *volume, G_GNUC_UNUSED gint64 id, Endpoint *endpoint,
                    G_GNUC_UNUSED GError **error)
{
    endpoint_clear(endpoint);
    return true;
}

/* All of them at once, in place of what the target has. */
static bool
file_snapshots_copy(Volume *source, Volume *target, GError **error)
{
    g_autofree char *from = snapshot_directory(source);
    g_autofree char *to = snapshot_directory(target);
    g_autoptr(Mark) mark = mark_new("snapshots", target->owner);
    g_auto(FileInfo) info = {0};
    g_autofree char *content = NULL;

    if (!host_stat(source->host, from, false, &info, error) ||
        !host_remove_tree(target->host, to, error))
        return false;
    if (!info.mode)
        return true;
    if (!host_build_begin(target->host, to, mark->text, &content, error))
        return false;
    if (host_transfer_tree(source->host, from, target->host, content, error) &&
        host_build_commit(target->host, to, mark->token, error))
        return true;
    host_build_abandon(target->host, to, mark->token, NULL);
    return false;
}

static bool
file_list(Datastore *datastore, GPtrArray *volumes, GError **error)
{
    const OneDatastore *facts = datastore_facts(datastore, error);
    if (!facts)
        return false;
    g_autoptr(GPtrArray) entries = host_list(datastore->host, facts->base_path, error);
    if (!entries)
        return false;

    for (guint i = 0; i < entries->len; i++) {
        const DirectoryEntry *entry = g_ptr_array_index(entries, i);
        bool building = g_str_has_suffix(entry->name, ".part");
        if (*entry->name == '.' || (!building && !S_ISREG(entry->mode)))
            continue;
        g_autofree char *path = g_build_filename(facts->base_path, entry->name, NULL);
        if (building)
            path[strlen(path) - strlen(".part")] = '\0';
        Volume *volume =
            volume_new(datastore, VOLUME_IMAGE, datastore->host, path, entry->name, NULL);
        volume->virtual_size = entry->size;
        volume->allocated_size = entry->allocated;
        if (building)
            volume->mark = mark_new("unknown", entry->name);
        g_ptr_array_add(volumes, volume);
    }
    return true;
}

static bool
file_space(Datastore *datastore, guint64 *total, guint64 *used, guint64 *available, GError **error)
{
    const OneDatastore *facts = datastore_facts(datastore, error);

    return facts && host_make_directory(datastore->host, facts->base_path, error) &&
           host_space(datastore->host, facts->base_path, total, used, available, error);
}

static const ToolNeed file_tools[] = {
    {"qemu-img", "qcow2 volumes"},
    {NULL,       NULL           },
};

const Backend file_backend = {
    .name = "file",
    .tools = file_tools,
    .caps = CAP_CLONE | CAP_RESIZE | CAP_SNAPSHOT,
    .probe = file_probe,
    .create = file_create,
    .commit = file_commit,
    .abandon = file_abandon,
    .remove = file_remove,
    .stat = file_stat,
    .attach = file_attach,
    .detach = file_detach,
    .open = file_open,
    .close = file_close,
    .list = file_list,
    .space = file_space,
    .clone = file_clone,
    .resize = file_resize,
    .reserve = file_reserve,
    .snapshot_create = file_snapshot_create,
    .snapshot_remove = file_snapshot_remove,
    .snapshot_revert = file_snapshot_revert,
    .snapshot_flatten = file_snapshot_flatten,
    .snapshots_copy = file_snapshots_copy,
    .snapshot_open = file_snapshot_open,
    .snapshot_close = file_snapshot_close,
};
