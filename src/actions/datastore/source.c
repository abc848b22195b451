// SPDX-License-Identifier: Apache-2.0
#include "actions/datastore/source.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

static bool
lies_in(Host *host, const char *path, const char *directory)
{
    g_autofree char *normal = path_normal(directory, NULL);
    g_autofree char *resolved = normal ? host_resolve(host, normal, NULL) : NULL;
    const char *real = resolved ? resolved : normal;

    return real && (!strcmp(path, real) || path_is_below(path, real));
}

static bool
lies_in_any(Host *host, const char *path, const char *list)
{
    g_auto(GStrv) directories = g_strsplit_set(list ? list : "", " \t", -1);

    for (char **directory = directories; *directory; directory++)
        if (**directory && lies_in(host, path, *directory))
            return true;
    return false;
}

/*
 * SAFE_DIRS wins over RESTRICTED_DIRS, which always has OpenNebula's own directories in it
 * (src/datastore_mad/remotes/libfs.sh). They are compared as directories, after links are
 * resolved: stock's prefixes let /var/tmpx pass for /var/tmp.
 */
static bool
check_allowed(Task *task, Host *host, const char *path, GError **error)
{
    const OneDatastore *facts = datastore_facts(task->datastore, error);
    if (!facts)
        return false;
    g_autofree char *safe = one_datastore_attribute(facts, "SAFE_DIRS");
    g_autofree char *restricted = one_datastore_attribute(facts, "RESTRICTED_DIRS");
    const char *const own[] = {task->installation->var, task->installation->etc,
                               "/var/lib/one",          "/etc/one",
                               g_get_home_dir(),        NULL};

    if (lies_in_any(host, path, safe))
        return true;
    bool refused = lies_in_any(host, path, restricted);
    for (const char *const *directory = own; *directory && !refused; directory++)
        refused = lies_in(host, path, *directory);
    if (!refused)
        return true;
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "images may not come from '%s' (SAFE_DIRS, RESTRICTED_DIRS of datastore "
                     "%" G_GINT64_FORMAT ")",
                     path, facts->id);
}

bool
source_open(Task *task, const char *path, Source *source, GError **error)
{
    *source = (Source){.host = host_frontend()};
    if (strstr(path, "://"))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "cannot fetch '%s': this release imports local files only", path);
    g_autofree char *normal = path_normal(path, error);
    if (!normal)
        return false;
    source->path = host_resolve(source->host, normal, error);
    if (!source->path || !check_allowed(task, source->host, source->path, error) ||
        !host_stat(source->host, source->path, false, &source->info, error))
        return false;
    if (!S_ISREG(source->info.mode))
        return set_error(error, ONEVOL_ERROR_REFUSED, "'%s' is not a regular file", path);
    if (!format_of_file(source->host, source->path, source->info.size, &source->format, error))
        return false;
    if (!source->format.supported)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "'%s' is in format %s: this release imports raw and qcow2", path,
                         source->format.name);
    return true;
}

void
source_clear(Source *source)
{
    g_clear_pointer(&source->path, g_free);
    file_info_clear(&source->info);
}

bool
source_verify(Task *task, const Source *source, GError **error)
{
    static const struct {
        const char *attribute, *algorithm;
    } sums[] = {
        {"MD5",  "md5" },
        {"SHA1", "sha1"}
    };

    for (guint i = 0; i < G_N_ELEMENTS(sums); i++) {
        g_autofree char *wanted = one_image_attribute(task->image, sums[i].attribute);
        if (!wanted)
            continue;
        g_autofree char *found = host_digest(source->host, source->path, sums[i].algorithm, error);
        if (!found)
            return false;
        if (g_ascii_strcasecmp(wanted, found) != 0)
            return set_error(error, ONEVOL_ERROR_CORRUPT, "%s of '%s' is %s, not %s",
                             sums[i].attribute, source->path, found, wanted);
    }
    return true;
}

bool
source_unchanged(const Source *source, GError **error)
{
    g_auto(FileInfo) now = {0};
    const FileInfo *then = &source->info;

    if (!host_stat(source->host, source->path, false, &now, error))
        return false;
    if (now.device == then->device && now.inode == then->inode && now.size == then->size &&
        now.modified == then->modified)
        return true;
    return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s' was changed while it was read",
                     source->path);
}
