// SPDX-License-Identifier: Apache-2.0
#include "core/filesystem.h"

#include "base/error.h"
#include "core/qemu_img.h"

#include <string.h>

struct FilesystemRules {
    char **supported;
    GHashTable *settings;
};

FilesystemRules *
filesystem_rules_new(GHashTable *settings)
{
    FilesystemRules *rules = g_new0(FilesystemRules, 1);
    const char *list = g_hash_table_lookup(settings, "SUPPORTED_FS");

    /* the list that OpenNebula ships (src/datastore_mad/remotes/datastore.conf) */
    rules->supported = g_strsplit_set(list ? list : "ext2,ext3,ext4,xfs", ", ", -1);
    rules->settings = g_hash_table_ref(settings);
    return rules;
}

void
filesystem_rules_free(FilesystemRules *rules)
{
    if (!rules)
        return;
    g_strfreev(rules->supported);
    g_hash_table_unref(rules->settings);
    g_free(rules);
}

bool
filesystem_is_supported(const FilesystemRules *rules, const char *fs)
{
    return *fs && g_strv_contains((const char *const *)rules->supported, fs);
}

static bool
make_filesystem(const FilesystemRules *rules, const Endpoint *endpoint, const char *fs,
                GError **error)
{
    g_autofree char *program = g_strconcat("mkfs.", fs, NULL);
    g_autofree char *key = g_strconcat("FS_OPTS_", fs, NULL);
    g_autoptr(Argv) argv = argv_new(program);
    const char *options = g_hash_table_lookup(rules->settings, key);
    g_auto(GStrv) words = NULL;

    if (g_str_has_prefix(fs, "ext"))
        argv_add(argv, "-q", "-F");
    else if (!strcmp(fs, "xfs"))
        argv_add(argv, "-q", "-f");
    if (options && g_shell_parse_argv(options, NULL, &words, NULL))
        argv_add_strv(argv, (const char *const *)words);
    argv_add(argv, endpoint->path);
    return host_run(endpoint->host, STEP_WRITE, endpoint->path, argv, SECONDS(3600), NULL, error);
}

static bool
make_swap(const Endpoint *endpoint, GError **error)
{
    g_autoptr(Argv) argv = argv_new("mkswap", "-L", "swap", endpoint->path);

    return host_run(endpoint->host, STEP_WRITE, endpoint->path, argv, SECONDS(60), NULL, error);
}

/* mkfs knows raw only: a qcow2 is made from a raw file beside it. */
static bool
make_content(const FilesystemRules *rules, const Endpoint *endpoint, bool swap, bool qcow2,
             const char *fs, guint64 bytes, GError **error)
{
    if (swap)
        return make_swap(endpoint, error);
    if (!fs)
        return true;
    if (!qcow2)
        return make_filesystem(rules, endpoint, fs, error);

    g_autofree char *raw = g_strconcat(endpoint->path, ".raw", NULL);
    Endpoint beside = {.host = endpoint->host, .path = raw};
    return host_allocate(endpoint->host, raw, bytes, true, error) &&
           make_filesystem(rules, &beside, fs, error) &&
           qemu_img_convert(endpoint->host, raw, "raw", endpoint->path, "qcow2", error) &&
           host_remove(endpoint->host, raw, error);
}

bool
filesystem_create(const FilesystemRules *rules, Volume *volume, guint64 bytes, const char *format,
                  const char *fs, GError **error)
{
    bool swap = !strcmp(format, "swap"), qcow2 = !strcmp(format, "qcow2");
    g_auto(Endpoint) endpoint = {0};

    if (!swap && !qcow2 && strcmp(format, "raw") != 0) {
        fs = format; /* FSTYPE of OpenNebula <= 5.12 */
    }
    if (fs && !filesystem_is_supported(rules, fs)) {
        g_autofree char *list = g_strjoinv(", ", rules->supported);
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "'%s' is neither a format nor one of the file systems %s", fs, list);
    }
    if (bytes == 0)
        return set_error(error, ONEVOL_ERROR_USAGE, "the size of %s is 0", volume->owner);

    g_free(volume->format);
    volume->format = g_strdup(qcow2 ? "qcow2" : "raw");
    if (!volume_create(volume, bytes, error))
        return false;
    if (!swap && !fs) /* it is as it must be; a device would have to be attached for nothing */
        return true;
    bool done = volume_open(volume, &endpoint, error) &&
                make_content(rules, &endpoint, swap, qcow2, fs, bytes, error);
    if (endpoint.path)
        done = volume_close(volume, &endpoint, done ? error : NULL) && done;
    if (!done)
        volume_abandon(volume);
    return done;
}
