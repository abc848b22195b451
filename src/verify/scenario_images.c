// SPDX-License-Identifier: Apache-2.0
/*
 * The life of images: import in every format, checksums, empty disks, copies, removal.
 */
#include "verify/scenarios.h"

#include "base/error.h"

#include <string.h>

static void
play_monitors(Player *player)
{
    const World *world = player->world;

    for (guint i = 0; i < world->datastores->len; i++)
        (void)datastore_monitor(player, world->datastores->pdata[i], false);
}

static void
play_stats(Player *player)
{
    const World *world = player->world;
    guint64 size_mb = player->settings->size_mb;

    (void)datastore_stat(player, "base.img", world->raw, size_mb, "raw file");
    (void)datastore_stat(player, "odd.img", world->raw, 4, "raw file of 3 MB and 513 bytes");
    (void)datastore_stat(player, "base.qcow2", world->raw, size_mb, "qcow2 file");
    (void)datastore_stat(player, "cd.iso", world->raw, 1, "CD-ROM");
}

/* Hex digest of a source file, or of something else. The caller frees it. */
static char *
checksum_of(const Player *player, const char *source, GChecksumType type)
{
    g_autofree char *path = g_build_filename(player->world->sources, source, NULL);
    g_autofree char *data = NULL;
    gsize length;

    if (!g_file_get_contents(path, &data, &length, NULL))
        return NULL;
    return g_compute_checksum_for_data(type, (const guchar *)data, length);
}

static void
play_checksums(Player *player)
{
    g_autofree char *md5 = checksum_of(player, "odd.img", G_CHECKSUM_MD5);
    g_autofree char *sha1 = checksum_of(player, "odd.img", G_CHECKSUM_SHA1);
    Import import = {.type = IMAGE_OS,
                     .datastore = player->world->raw,
                     .source = "odd.img",
                     .source_format = "raw",
                     .format = "raw"};

    import.checksum_name = "MD5";
    import.checksum = md5;
    import.what = "raw with its MD5";
    (void)datastore_cp(player, &import);
    import.checksum_name = "SHA1";
    import.checksum = sha1;
    import.what = "raw with its SHA1";
    (void)datastore_cp(player, &import);
    import.checksum_name = "MD5";
    import.checksum = "00000000000000000000000000000000";
    import.what = "raw with another MD5: refused";
    (void)datastore_cp_refused(player, &import);
    import.checksum_name = "SHA1";
    import.checksum = "0000000000000000000000000000000000000000";
    import.what = "raw with another SHA1: refused";
    (void)datastore_cp_refused(player, &import);
}

static void
play_conversions(Player *player)
{
    World *world = player->world;
    Import import = {.type = IMAGE_OS, .datastore = world->qcow2, .source = "base.img"};

    import.source_format = "raw";
    import.format = "qcow2";
    import.what = "raw into DRIVER=qcow2";
    Image *converted = datastore_cp(player, &import);
    import.source = "base.qcow2";
    import.source_format = "qcow2";
    import.what = "qcow2 into DRIVER=qcow2";
    (void)datastore_cp(player, &import);
    import.source = "base.img";
    import.source_format = "raw";
    import.format = "raw";
    import.what = "raw into DRIVER=qcow2, CONVERT=no";
    world->qcow2->keep_format = true;
    (void)datastore_cp(player, &import);
    world->qcow2->keep_format = false;
    if (converted)
        (void)datastore_clone(player, converted);
}

static void
play_files(Player *player)
{
    static const struct {
        ImageType type;
        const char *source, *what;
    } files[] = {
        {IMAGE_KERNEL,  "vmlinuz",    "kernel"                    },
        {IMAGE_RAMDISK, "initrd.img", "ramdisk"                   },
        {IMAGE_CONTEXT, "init.sh",    "context file of some bytes"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        const Import import = {.type = files[i].type,
                               .datastore = player->world->files,
                               .source = files[i].source,
                               .source_format = "raw",
                               .format = "raw",
                               .what = files[i].what};
        (void)datastore_cp(player, &import);
    }
}

static void
play_datablocks(Player *player)
{
    World *world = player->world;

    Image *blocks[] = {
        datastore_mkfs(player, world->raw, "raw", NULL, 16, true),
        world->raw_only ? NULL : datastore_mkfs(player, world->qcow2, "qcow2", NULL, 16, false)};
    for (size_t i = 0; i < G_N_ELEMENTS(blocks); i++)
        if (blocks[i])
            (void)datastore_clone(player, blocks[i]);
    if (release_from(world->release, RELEASE(6, 0, 0)))
        (void)datastore_mkfs(player, world->raw, "raw", "ext4", 16, true);
}

/* A copy that is written to must not change the original, nor the other way round. */
static void
play_copies(Player *player)
{
    const Host *host = player->world->frontend;
    Image *original = given_image(player, false);
    Image *copy = original ? datastore_clone(player, original) : NULL;
    GError *error = NULL;

    if (!copy || !g_str_has_prefix(copy->source, player->world->store))
        return;
    if (content_write(host, copy->source, "raw", 512, 4096, 77, &error) &&
        content_read(host, copy->source, "raw", &copy->content, &error)) {
        (void)play_check(player, "clone image", "the original after a write into the copy");
        return;
    }
    Row *row = play_check_row(player, "clone image", "a write into the copy");
    row_error(row, "a writable copy", error);
    (void)play_settle(player, row);
}

void
scenario_images(Player *player)
{
    play_monitors(player);
    play_stats(player);
    Image *raw = given_image(player, true);
    Image *qcow2 = given_qcow2(player);
    (void)given_cdrom(player);
    play_checksums(player);
    play_conversions(player);
    if (!player->world->storage)
        play_files(player);
    play_datablocks(player);
    play_copies(player);
    if (qcow2)
        (void)datastore_clone(player, qcow2);
    if (raw && play_has(player, "datastore", "export"))
        (void)datastore_export(player, raw);
    if (qcow2 && play_has(player, "datastore", "export"))
        (void)datastore_export(player, qcow2);
    play_monitors(player);
    remove_images(player);
}
