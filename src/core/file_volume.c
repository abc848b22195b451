// SPDX-License-Identifier: Apache-2.0
#include "core/file_volume.h"

#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "core/driver.h"
#include "core/format.h"
#include "core/qemu_img.h"

#include <string.h>

static const FileStorage *
storage_of(const Volume *volume)
{
    return volume->datastore->driver->backend->files;
}

static char *
snapshot_directory(const Volume *volume)
{
    return g_strconcat(volume->snapshots ? volume->snapshots : volume->name, ".snap", NULL);
}

static char *
snapshot_path(const Volume *volume, gint64 id)
{
    g_autofree char *directory = snapshot_directory(volume);

    return g_strdup_printf("%s/%" G_GINT64_FORMAT, directory, id);
}

char *
file_volume_content(const Volume *volume)
{
    return volume->mark ? g_strconcat(volume->name, ".part/content", NULL) : g_strdup(volume->name);
}

static bool
is_qcow2(const Volume *volume)
{
    return volume->format && !strcmp(volume->format, "qcow2");
}

bool
file_volume_create(Volume *volume, guint64 bytes, GError **error)
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

bool
file_volume_commit(Volume *volume, GError **error)
{
    const FileStorage *storage = storage_of(volume);
    g_autofree char *content = file_volume_content(volume);

    return (!storage->finish || storage->finish(volume, content, error)) &&
           host_build_commit(volume->host, volume->name, volume->mark->token, error);
}

bool
file_volume_abandon(Volume *volume, GError **error)
{
    return host_build_abandon(volume->host, volume->name, volume->mark->token, error);
}

/* The content first: what is cut short must not look like a volume that has no snapshots. */
bool
file_volume_remove(Volume *volume, GError **error)
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
        !format_of_volume(volume->host, path, size, &found, error))
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

bool
file_volume_stat(Volume *volume, bool *exists, GError **error)
{
    g_autofree char *path = file_volume_content(volume);
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

bool
file_volume_attach(Volume *volume, G_GNUC_UNUSED Host *host, G_GNUC_UNUSED AttachMode mode,
                   char **device, G_GNUC_UNUSED GError **error)
{
    *device = g_strdup(volume->name);
    return true;
}

bool
file_volume_detach(G_GNUC_UNUSED Volume *volume, G_GNUC_UNUSED Host *host,
                   G_GNUC_UNUSED AttachMode mode, G_GNUC_UNUSED GError **error)
{
    return true;
}

bool
file_volume_open(Volume *volume, Endpoint *endpoint, G_GNUC_UNUSED GError **error)
{
    endpoint->host = volume->host;
    endpoint->path = file_volume_content(volume);
    endpoint->zeroed = volume->mark != NULL;
    return true;
}

bool
file_volume_close(G_GNUC_UNUSED Volume *volume, Endpoint *endpoint, G_GNUC_UNUSED GError **error)
{
    endpoint_clear(endpoint);
    return true;
}

static bool
run_instant(Host *host, const char *from, const char *to, const Argv *command, char **how,
            GError **error)
{
    g_auto(FileInfo) made = {0};

    /* what this machine has not written out yet would be missing */
    if (!host_flush(host, from, error) ||
        !host_run(host, STEP_WRITE, to, command, SECONDS(60), NULL, error))
        return false;
    if (step_is_dry_run())
        return true;
    if (!host_stat(host, to, false, &made, error))
        return false;
    if (!S_ISREG(made.mode))
        return set_error(error, ONEVOL_ERROR_FAILED, "%s made no '%s'", argv_words(command)[0], to);
    *how = g_strdup("snapshot");
    return true;
}

/* What a guest writes to is copied where the guest runs, at one instant. */
static bool
take_content(Volume *volume, Host *host, const char *from, const char *to, char **how,
             GError **error)
{
    const FileStorage *storage = storage_of(volume);
    const Freeze *freeze = volume->freeze;
    MoveOptions options;
    Host *place = freeze ? freeze->host : host;
    g_autoptr(Argv) command = NULL;

    if (storage->instant && !storage->instant(volume, place, from, to, &command, error))
        return false;
    if (freeze)
        return host_frozen_copy(place, freeze->uri, freeze->domain, freeze->may_suspend, command,
                                from, to, how, error);
    if (command)
        return run_instant(host, from, to, command, how, error);
    if (!datastore_move_options(volume->datastore, &options, error))
        return false;
    options.readback = options.readback || storage->instant;
    return host_copy(host, from, to, true, &options, how, error);
}

/* From another machine. */
static bool
bring(Host *host, const char *from, Volume *target, const char *to, char **how, GError **error)
{
    MoveOptions options;

    return datastore_move_options(target->datastore, &options, error) &&
           host_transfer(host, from, target->host, to, &options, how, error);
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
                bring(host, instant, target, content, NULL, error);
    return host_build_abandon(host, place, mark->token, done ? error : NULL) && done;
}

bool
file_volume_clone(Volume *source, Volume *target, char **how, GError **error)
{
    /* where every host sees every file, the one that gets it copies */
    bool everywhere = target->datastore->driver->placement == PLACEMENT_EVERYWHERE;
    Host *reader = everywhere ? target->host : source->host;

    if (!file_volume_create(target, 0, error))
        return false;
    g_autofree char *content = file_volume_content(target);
    if (reader == target->host &&
        (!source->freeze || everywhere || source->freeze->host == target->host))
        return take_content(source, reader, source->name, content, how, error);
    if (source->freeze)
        return clone_via_host(source, target, content, how, error);
    return bring(reader, source->name, target, content, how, error);
}

bool
file_volume_resize(Volume *volume, guint64 bytes, GError **error)
{
    g_autofree char *path = file_volume_content(volume);

    return is_qcow2(volume) ? qemu_img_resize(volume->host, path, bytes, error)
                            : host_allocate(volume->host, path, bytes, false, error);
}

bool
file_volume_reserve(Volume *volume, GError **error)
{
    g_autofree char *path = file_volume_content(volume);
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

bool
file_volume_snapshot_create(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *directory = snapshot_directory(volume);
    g_autofree char *path = snapshot_path(volume, id);

    return host_make_directory(volume->host, directory, error) &&
           copy_and_swap(volume, volume->name, path, error);
}

bool
file_volume_snapshot_remove(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *directory = snapshot_directory(volume);
    g_autofree char *path = snapshot_path(volume, id);
    g_autofree char *part = g_strconcat(path, ".part", NULL);

    if (!host_remove_tree(volume->host, part, error) || !host_remove(volume->host, path, error))
        return false;
    g_autoptr(GPtrArray) left = host_list(volume->host, directory, error);
    return left && (left->len > 0 || host_remove_tree(volume->host, directory, error));
}

/* A sum of the content that somebody keeps beside it is wrong from here on. */
static bool
forget_sum(Volume *volume, GError **error)
{
    g_autofree char *sum = g_strconcat(volume->name, ".md5sum", NULL);

    return host_remove(volume->host, sum, error);
}

bool
file_volume_snapshot_revert(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *path = NULL;

    return require_snapshot(volume, id, &path, error) && forget_sum(volume, error) &&
           copy_and_swap(volume, path, volume->name, error);
}

/* All snapshots go by one rename, so that a second run knows whether there is more to do. */
bool
file_volume_snapshot_flatten(Volume *volume, gint64 id, GError **error)
{
    g_autofree char *directory = snapshot_directory(volume);
    g_autofree char *going = g_strconcat(directory, ".part", NULL);
    g_auto(FileInfo) info = {0};

    if (!host_stat(volume->host, directory, false, &info, error) ||
        !host_remove_tree(volume->host, going, error))
        return false;
    return !info.mode || (file_volume_snapshot_revert(volume, id, error) &&
                          host_rename(volume->host, directory, going, error) &&
                          host_remove_tree(volume->host, going, error));
}

bool
file_volume_snapshot_open(Volume *volume, gint64 id, Endpoint *endpoint, GError **error)
{
    endpoint->host = volume->host;
    return require_snapshot(volume, id, &endpoint->path, error);
}

bool
file_volume_snapshot_close(G_GNUC_UNUSED Volume *volume, G_GNUC_UNUSED gint64 id,
                           Endpoint *endpoint, G_GNUC_UNUSED GError **error)
{
    endpoint_clear(endpoint);
    return true;
}

/* All of them at once, in place of what the target has. */
bool
file_volume_snapshots_copy(Volume *source, Volume *target, GError **error)
{
    g_autofree char *from = snapshot_directory(source);
    g_autofree char *to = snapshot_directory(target);
    g_autoptr(Mark) mark = mark_new("snapshots", target->owner);
    g_auto(FileInfo) info = {0};
    MoveOptions options;
    g_autofree char *content = NULL;

    if (source->host == target->host && !strcmp(from, to))
        return true; /* they are there already */
    if (!host_stat(source->host, from, false, &info, error) ||
        !host_remove_tree(target->host, to, error))
        return false;
    if (!info.mode)
        return true;
    if (!host_build_begin(target->host, to, mark->text, &content, error))
        return false;
    if (datastore_move_options(target->datastore, &options, error) &&
        host_transfer_tree(source->host, from, target->host, content, &options, error) &&
        host_build_commit(target->host, to, mark->token, error))
        return true;
    host_build_abandon(target->host, to, mark->token, NULL);
    return false;
}

bool
file_volume_list(Datastore *datastore, GPtrArray *volumes, GError **error)
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

bool
file_volume_space(Datastore *datastore, guint64 *total, guint64 *used, guint64 *available,
                  GError **error)
{
    const OneDatastore *facts = datastore_facts(datastore, error);

    return facts && host_make_directory(datastore->host, facts->base_path, error) &&
           host_space(datastore->host, facts->base_path, total, used, available, error);
}
