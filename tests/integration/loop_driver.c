// SPDX-License-Identifier: Apache-2.0
/*
 * The whole program with one driver of the test's own, `loop`: volumes are files of the directory
 * that LOOP_VOLUMES names, attached by losetup. For what needs devices and no real storage. Each
 * call is noted in LOOP_VOLUMES/log; LOOP_BYTES makes a checkpoint that small. A mark is a file.
 */
#include "base/command.h"
#include "base/error.h"
#include "core/driver.h"

#include <stdio.h>
#include <string.h>

static char *
path_of(const Volume *volume, const char *suffix)
{
    return g_strdup_printf("%s/%s%s", g_getenv("LOOP_VOLUMES"), volume->name, suffix);
}

static void
note(const char *what, const Volume *volume, Host *host)
{
    g_autofree char *path = g_strdup_printf("%s/log", g_getenv("LOOP_VOLUMES"));
    FILE *log = fopen(path, "ae");

    fprintf(log, "%s %s %s\n", what, volume->name, host_name(host));
    fclose(log);
}

/* Its device there, or "". One that only waits to be closed does not count: it may be another's
 * in a moment. */
static bool
device_of(const Volume *volume, Host *host, char **device, GError **error)
{
    g_autofree char *path = path_of(volume, "");
    g_autoptr(Argv) argv = argv_new("losetup", "-n", "-O", "NAME,AUTOCLEAR", "-j", path);
    g_autofree char *text = NULL;

    if (!host_run(host, STEP_READ, path, argv, SECONDS(5), &text, error))
        return false;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++)
        if (g_str_has_suffix(g_strstrip(*line), " 0")) {
            *device = g_strndup(*line, strcspn(*line, " "));
            return true;
        }
    *device = g_strdup("");
    return true;
}

static bool
loop_probe(G_GNUC_UNUSED Datastore *datastore, G_GNUC_UNUSED unsigned *caps,
           G_GNUC_UNUSED GError **error)
{
    return true;
}

static bool
loop_detach(Volume *volume, Host *host, G_GNUC_UNUSED AttachMode mode, GError **error)
{
    g_autofree char *device = NULL;

    note("detach", volume, host);
    if (!device_of(volume, host, &device, error))
        return false;
    g_autoptr(Argv) argv = argv_new("losetup", "-d", device);
    return !*device || host_run(host, STEP_WRITE, volume->name, argv, SECONDS(5), NULL, error);
}

static bool
loop_attach(Volume *volume, Host *host, G_GNUC_UNUSED AttachMode mode, char **device,
            GError **error)
{
    g_autofree char *path = path_of(volume, "");
    g_autoptr(Argv) argv = argv_new("losetup", "-f", "--show", path);
    g_autofree char *found = NULL;

    note("attach", volume, host);
    if (!device_of(volume, host, &found, error))
        return false;
    if (!*found) {
        g_clear_pointer(&found, g_free);
        if (!host_run(host, STEP_WRITE, volume->name, argv, SECONDS(5), &found, error))
            return false;
        g_strstrip(found);
    }
    *device = g_steal_pointer(&found);
    return true;
}

static bool
loop_remove(Volume *volume, GError **error)
{
    g_autofree char *path = path_of(volume, "");
    g_autofree char *mark = path_of(volume, ".mark");

    note("remove", volume, volume->host);
    return loop_detach(volume, volume->host, ATTACH_WRITE, error) &&
           host_remove(volume->host, path, error) && host_remove(volume->host, mark, error);
}

static bool
loop_create(Volume *volume, guint64 bytes, GError **error)
{
    g_autofree char *path = path_of(volume, "");
    g_autofree char *mark = path_of(volume, ".mark");
    g_autoptr(GBytes) text = g_bytes_new(volume->mark->token, strlen(volume->mark->token));
    const char *limit = g_getenv("LOOP_BYTES");

    if (!loop_remove(volume, error))
        return false;
    note("create", volume, volume->host);
    if (limit)
        bytes = g_ascii_strtoull(limit, NULL, 10);
    return host_write(volume->host, mark, text, 0644, error) &&
           host_allocate(volume->host, path, bytes, true, error);
}

static bool
loop_commit(Volume *volume, GError **error)
{
    g_autofree char *mark = path_of(volume, ".mark");

    note("commit", volume, volume->host);
    return host_remove(volume->host, mark, error);
}

static bool
loop_stat(Volume *volume, bool *exists, GError **error)
{
    g_autofree char *path = path_of(volume, "");
    g_auto(FileInfo) info = {0};

    if (!host_stat(volume->host, path, true, &info, error))
        return false;
    *exists = info.mode != 0;
    volume->virtual_size = info.size;
    return true;
}

static bool
loop_open(Volume *volume, Endpoint *endpoint, GError **error)
{
    *endpoint = (Endpoint){.host = volume->host, .block = true};
    return loop_attach(volume, volume->host, ATTACH_WRITE, &endpoint->path, error);
}

static bool
loop_close(Volume *volume, Endpoint *endpoint, GError **error)
{
    endpoint_clear(endpoint);
    return loop_detach(volume, volume->host, ATTACH_WRITE, error);
}

static bool
loop_list(G_GNUC_UNUSED Datastore *datastore, G_GNUC_UNUSED GPtrArray *volumes,
          G_GNUC_UNUSED GError **error)
{
    return true;
}

static bool
loop_space(G_GNUC_UNUSED Datastore *datastore, guint64 *total, guint64 *used, guint64 *available,
           G_GNUC_UNUSED GError **error)
{
    *total = *available = 1u << 30;
    *used = 0;
    return true;
}

static const ToolNeed tools[] = {
    {NULL, NULL}
};

static const Backend loop_backend = {
    .name = "loop",
    .tools = tools,
    .probe = loop_probe,
    .create = loop_create,
    .commit = loop_commit,
    .abandon = loop_remove,
    .remove = loop_remove,
    .stat = loop_stat,
    .attach = loop_attach,
    .detach = loop_detach,
    .open = loop_open,
    .close = loop_close,
    .list = loop_list,
    .space = loop_space,
};

static char *
loop_checkpoint(gint64 vm_id)
{
    return g_strdup_printf("one-vm-%" G_GINT64_FORMAT "-checkpoint", vm_id);
}

static char *
loop_new_image(G_GNUC_UNUSED Datastore *datastore, gint64 image_id, G_GNUC_UNUSED GError **error)
{
    return g_strdup_printf("one-image-%" G_GINT64_FORMAT, image_id);
}

static char *
loop_source(G_GNUC_UNUSED const OneDatastore *facts, const char *name)
{
    return g_strdup(name);
}

static char *
loop_image(G_GNUC_UNUSED Datastore *datastore, const char *source, G_GNUC_UNUSED GError **error)
{
    return g_strdup(source);
}

static char *
loop_disk(G_GNUC_UNUSED const char *path, gint64 vm_id, gint64 disk_id,
          G_GNUC_UNUSED const char *source)
{
    return g_strdup_printf("one-vm-%" G_GINT64_FORMAT "-disk-%" G_GINT64_FORMAT, vm_id, disk_id);
}

static const Naming loop_naming = {
    .name = "loop",
    .new_image = loop_new_image,
    .source_of_image = loop_source,
    .image_of_source = loop_image,
    .disk = loop_disk,
    .checkpoint = loop_checkpoint,
};

/* The same without checkpoints of its own. */
static const Naming plain_naming = {
    .name = "plain",
    .new_image = loop_new_image,
    .source_of_image = loop_source,
    .image_of_source = loop_image,
    .disk = loop_disk,
};

static const ConfRow tm_conf[] = {
    {"SHARED", "YES"},
    {NULL,     NULL }
};
static const ConfRow ds_conf[] = {
    {NULL, NULL}
};
static const char *const live[] = {NULL};
static const DriverAttribute attributes[] = {
    {NULL, NULL, NULL}
};

static const Driver driver_loop = {
    .name = "loop",
    .title = "loop devices, for tests",
    .backend = &loop_backend,
    .naming = &loop_naming,
    .placement = PLACEMENT_ATTACHED,
    .tm_conf = tm_conf,
    .ds_conf = ds_conf,
    .live_snapshots = live,
    .attributes = attributes,
};

static const Driver driver_plain = {
    .name = "plain",
    .title = "the same, with checkpoints in files",
    .backend = &loop_backend,
    .naming = &plain_naming,
    .placement = PLACEMENT_ATTACHED,
    .tm_conf = tm_conf,
    .ds_conf = ds_conf,
    .live_snapshots = live,
    .attributes = attributes,
};

/* In place of src/drivers/registry.c. */
const Driver *const drivers[] = {&driver_loop, &driver_plain, NULL};
