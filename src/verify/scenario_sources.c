// SPDX-License-Identifier: Apache-2.0
/*
 * Where images come from: files and downloads, packed in every way, in every format, with sums, and
 * other images; and what must not come in.
 */
#include "verify/scenarios.h"
#include "verify/web.h"

#include "base/command.h"
#include "base/error.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

typedef int (*Setting)(struct archive *);

/* How odd.img is packed. */
static const struct Packing {
    const char *name;
    Setting filter, format;
    int members;
} packings[] = {
    {"odd.gz",     archive_write_add_filter_gzip,  archive_write_set_format_raw,   1},
    {"odd.bz2",    archive_write_add_filter_bzip2, archive_write_set_format_raw,   1},
    {"odd.xz",     archive_write_add_filter_xz,    archive_write_set_format_raw,   1},
    {"odd.zst",    archive_write_add_filter_zstd,  archive_write_set_format_raw,   1},
    {"odd.lz4",    archive_write_add_filter_lz4,   archive_write_set_format_raw,   1},
    {"odd.tar",    archive_write_add_filter_none,  archive_write_set_format_ustar, 1},
    {"odd.tar.gz", archive_write_add_filter_gzip,  archive_write_set_format_ustar, 1},
    {"odd.zip",    archive_write_add_filter_none,  archive_write_set_format_zip,   1},
    {"two.tar.gz", archive_write_add_filter_gzip,  archive_write_set_format_ustar, 2},
};

typedef struct Bulk {
    char *data;
    gsize length;
} Bulk;

static bool
pack(const struct Packing *packing, const char *path, const Bulk *bulk, GError **error)
{
    struct archive *archive = archive_write_new();
    bool good = packing->filter(archive) == ARCHIVE_OK && packing->format(archive) == ARCHIVE_OK &&
                archive_write_open_filename(archive, path) == ARCHIVE_OK;

    for (int i = 0; good && i < packing->members; i++) {
        g_autofree char *name = g_strdup_printf("disk%d.img", i);
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, (la_int64_t)bulk->length);
        good = archive_write_header(archive, entry) == ARCHIVE_OK &&
               archive_write_data(archive, bulk->data, bulk->length) == (la_ssize_t)bulk->length;
        archive_entry_free(entry);
    }
    good = archive_write_close(archive) == ARCHIVE_OK && good;
    if (!good)
        set_error(error, ONEVOL_ERROR_FAILED, "cannot pack '%s': %s", path,
                  archive_error_string(archive));
    archive_write_free(archive);
    return good;
}

static char *
source(const Player *player, const char *name)
{
    return g_build_filename(player->world->sources, name, NULL);
}

static bool
convert(const Player *player, const char *format, const char *name, GError **error)
{
    g_autofree char *from = source(player, "base.img");
    g_autofree char *to = source(player, name);
    g_autoptr(Argv) argv = argv_new("qemu-img", "convert", "-f", "raw", "-O", format, from, to);
    const CommandOptions options = {.timeout_ms = SECONDS(300)};

    return command_check(argv, &options, NULL, error);
}

/* The beginning of a file under another name. */
static bool
cut(const Player *player, const char *name, const char *from, GError **error)
{
    g_autofree char *whole = source(player, from);
    g_autofree char *part = source(player, name);
    g_autofree char *data = NULL;
    gsize length;

    return g_file_get_contents(whole, &data, &length, error) &&
           g_file_set_contents(part, data, (gssize)(length * 2 / 3), error);
}

static const char *const formats[] = {"vmdk", "vdi", "vhdx", NULL};

static bool
make_files(const Player *player, GError **error)
{
    g_autofree char *odd = source(player, "odd.img");
    g_autofree char *descriptor = source(player, "descriptor.vmdk");
    g_autofree char *backed = source(player, "backed.qcow2");
    g_autoptr(Argv) argv =
        argv_new("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", odd, backed, "1M");
    const CommandOptions options = {.timeout_ms = SECONDS(60)};
    g_autofree char *bytes = NULL;
    Bulk bulk;

    if (!g_file_get_contents(odd, &bytes, &bulk.length, error))
        return false;
    bulk.data = bytes;
    for (size_t i = 0; i < G_N_ELEMENTS(packings); i++) {
        g_autofree char *path = source(player, packings[i].name);
        if (!pack(&packings[i], path, &bulk, error))
            return false;
    }
    for (const char *const *format = formats; *format; format++) {
        g_autofree char *name = g_strconcat("base.", *format, NULL);
        if (!convert(player, *format, name, error))
            return false;
    }
    return cut(player, "cut.gz", "odd.gz", error) && cut(player, "cut.xz", "odd.xz", error) &&
           cut(player, "cut.vmdk", "base.vmdk", error) &&
           g_file_set_contents(descriptor, "# Disk DescriptorFile\nRW 8 FLAT \"/etc/passwd\" 0\n",
                               -1, error) &&
           command_check(argv, &options, NULL, error);
}

static void
import(Player *player, const char *path, const char *content, const char *what)
{
    const Import how = {.type = IMAGE_OS,
                        .datastore = player->world->raw,
                        .path = path,
                        .source = content,
                        .source_format = "raw",
                        .format = "raw",
                        .what = what};
    Image *image = datastore_cp(player, &how);

    if (image)
        (void)datastore_rm(player, image);
}

static void
play_packed(Player *player, const Web *web)
{
    for (size_t i = 0; i < G_N_ELEMENTS(packings); i++) {
        const char *ending = packings[i].name + strlen("odd.");
        g_autofree char *url = web_url(web, packings[i].name);
        g_autofree char *path = source(player, packings[i].name);
        if (packings[i].members > 1)
            continue;
        g_autofree char *by_http = g_strdup_printf("%s by http", ending);
        (void)datastore_stat(player, url, player->world->raw, 4, by_http);
        import(player, url, "odd.img", by_http);
        import(player, path, "odd.img", ending);
    }
}

static void
play_formats(Player *player, const Web *web)
{
    World *world = player->world;

    for (const char *const *format = formats; *format; format++) {
        g_autofree char *name = g_strconcat("base.", *format, NULL);
        g_autofree char *url = web_url(web, name);
        g_autofree char *path = source(player, name);
        g_autofree char *by_http = g_strdup_printf("%s by http", *format);
        g_autofree char *to_qcow2 = g_strdup_printf("%s into DRIVER=qcow2", *format);
        const Import how = {.type = IMAGE_OS,
                            .datastore = world->qcow2,
                            .path = path,
                            .source = "base.img",
                            .source_format = "raw",
                            .format = "qcow2",
                            .what = to_qcow2};
        (void)datastore_stat(player, url, world->raw, player->settings->size_mb, by_http);
        import(player, url, "base.img", by_http);
        Image *image = datastore_cp(player, &how);
        if (image)
            (void)datastore_rm(player, image);
    }
}

static void
play_downloads(Player *player, const Web *web)
{
    g_autofree char *raw = web_url(web, "odd.img");
    g_autofree char *moved = web_url(web, "moved/odd.img");
    g_autofree char *qcow2 = web_url(web, "base.qcow2");
    const Import how = {.type = IMAGE_OS,
                        .datastore = player->world->raw,
                        .path = qcow2,
                        .source = "base.qcow2",
                        .source_format = "qcow2",
                        .format = "qcow2",
                        .what = "qcow2 by http"};

    (void)datastore_stat(player, raw, player->world->raw, 4, "raw by http");
    import(player, raw, "odd.img", "raw by http");
    import(player, moved, "odd.img", "raw by http, redirected");
    Image *image = datastore_cp(player, &how);
    if (image)
        (void)datastore_rm(player, image);
}

/* The sum is of what was packed, not of what is in it. */
static void
play_sums(Player *player, const Web *web)
{
    g_autofree char *path = source(player, "odd.gz");
    g_autofree char *url = web_url(web, "odd.gz");
    g_autofree char *data = NULL;
    gsize length;

    if (!g_file_get_contents(path, &data, &length, NULL))
        return;
    g_autofree char *sum =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)data, length);
    Import how = {.type = IMAGE_OS,
                  .datastore = player->world->raw,
                  .path = url,
                  .source = "odd.img",
                  .source_format = "raw",
                  .format = "raw",
                  .checksum_name = "SHA256",
                  .checksum = sum,
                  .what = "gz by http with its SHA256"};
    Image *image = datastore_cp(player, &how);
    if (image)
        (void)datastore_rm(player, image);
    sum[0] = sum[0] == '0' ? '1' : '0';
    how.what = "gz by http with another SHA256: refused";
    (void)datastore_cp_refused(player, &how);
}

static void
play_volumes(Player *player)
{
    Image *raw = given_image(player, false);
    g_autofree char *url = raw ? g_strdup_printf("vol://%d", raw->id) : NULL;

    if (!raw || !g_str_has_prefix(raw->source, player->world->store))
        return;
    (void)datastore_stat(player, url, player->world->raw, raw->size_mb, "vol://");
    import(player, url, raw->source, "vol://");
    const Import how = {.type = IMAGE_OS,
                        .datastore = player->world->qcow2,
                        .path = url,
                        .source = raw->source,
                        .source_format = "raw",
                        .format = "qcow2",
                        .what = "vol:// into DRIVER=qcow2"};
    Image *image = datastore_cp(player, &how);
    if (image)
        (void)datastore_rm(player, image);
}

static void
play_refusals(Player *player, const Web *web)
{
    static const struct {
        const char *name, *what;
        guint64 size_mb;
    } rows[] = {
        {"cut.gz",          "a cut gz: refused",                    0},
        {"cut.xz",          "a cut xz: refused",                    0},
        {"cut.vmdk",        "a cut vmdk: refused",                  0},
        {"two.tar.gz",      "two files in a tar: refused",          0},
        {"descriptor.vmdk", "a vmdk that names a file: refused",    0},
        {"backed.qcow2",    "a qcow2 with a backing file: refused", 0},
        {"nothing.img",     "HTTP 404: refused",                    0},
        {"base.img",        "more than was registered: refused",    1},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *url = web_url(web, rows[i].name);
        const Import how = {.type = IMAGE_OS,
                            .datastore = player->world->raw,
                            .path = url,
                            .source = rows[i].name,
                            .size_mb = rows[i].size_mb,
                            .what = rows[i].what};
        (void)datastore_cp_refused(player, &how);
    }
    const Import how = {.type = IMAGE_OS,
                        .datastore = player->world->raw,
                        .path = "file:///etc/passwd",
                        .source = "odd.img",
                        .what = "another scheme: refused"};
    (void)datastore_cp_refused(player, &how);
}

void
scenario_sources(Player *player)
{
    GError *error = NULL;
    Web *web = web_start(player->world->sources, &error);

    if (!web || !make_files(player, &error)) {
        Row *row = play_check_row(player, "cp", "sources to import");
        row_error(row, "files and a web server", error);
        (void)play_show(player, row);
        web_stop(web);
        return;
    }
    play_downloads(player, web);
    play_packed(player, web);
    play_formats(player, web);
    play_sums(player, web);
    play_volumes(player);
    play_refusals(player, web);
    remove_images(player);
    web_stop(web);
}
