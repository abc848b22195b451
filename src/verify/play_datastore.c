// SPDX-License-Identifier: Apache-2.0
#include "verify/play_datastore.h"

#include "base/error.h"
#include "verify/documents.h"
#include "verify/matrix.h"
#include "verify/settle_storage.h"

#include <string.h>

char *
datastore_program(const Player *player, const char *plane, const char *action)
{
    return g_build_filename(player->world->var, "remotes", plane, player->world->driver, action,
                            NULL);
}

Row *
datastore_call(Player *player, const Call *call, const char *document, int id, PlayAnswer *answer)
{
    const char *plane = strcmp(call->action, "monitor system") == 0 ? "tm" : "datastore";
    g_autofree char *action = g_strndup(call->action, strcspn(call->action, " "));
    g_autofree char *program = datastore_program(player, plane, action);
    g_autofree char *packed = g_base64_encode((const guchar *)document, strlen(document));
    g_autofree char *line = NULL;
    Call complete = *call;

    switch (release_document_form(player->world->release)) {
    case DOCUMENT_ARGUMENT:
        line = g_strdup_printf("%s %s %d", program, packed, id);
        break;
    case DOCUMENT_DASH:
        line = g_strdup_printf("%s - %d", program, id);
        complete.input = packed;
        break;
    case DOCUMENT_STDIN:
        line = g_strdup_printf("%s %d", program, id);
        complete.input = packed;
        break;
    }
    complete.line = line;
    return play_call(player, &complete, answer);
}

/* The column of the matrix that an image is in; its row is the format. */
static void
mark(Row *row, const Image *image, const char *format)
{
    const char *role = image->type == IMAGE_OS          ? "OS"
                       : image->type == IMAGE_DATABLOCK ? "datablock"
                       : image->type == IMAGE_CDROM     ? "CD-ROM"
                                                        : "file";

    if (format)
        matrix_mark_text(row, role, g_intern_string(format));
}

static char *
source_path(const Player *player, const char *source)
{
    return *source == '/' || strstr(source, "://")
               ? g_strdup(source)
               : g_build_filename(player->world->sources, source, NULL);
}

bool
datastore_stat(Player *player, const char *path, Datastore *datastore, guint64 expected_mb,
               const char *what)
{
    g_autofree char *full = source_path(player, path);
    g_autofree char *document = document_stat(player->world, full, datastore);
    const Call call = {.action = "stat", .what = what, .output = OUTPUT_LINE};
    PlayAnswer answer;
    bool good = true;

    for (int run = 0; good && run < 1 + player->settings->twice; run++) {
        Row *row = datastore_call(player, &call, document, 3, &answer);
        matrix_mark_text(row, g_str_has_suffix(path, ".iso") ? "CD-ROM" : "OS", "a file");
        g_autofree char *want = g_strdup_printf("%" G_GUINT64_FORMAT, expected_mb);
        if (answer.succeeded && strcmp(answer.out, want) != 0)
            row_problem(row, want, "'%s'", answer.out);
        good = play_settle(player, row);
        g_free(answer.out);
    }
    return good;
}

/* SOURCE without the host that gfs2clvm's begins with. */
static const char *
after_host(const World *world, const char *source)
{
    const char *colon = world->host_in_source ? strchr(source, ':') : NULL;

    for (guint i = 0; colon && i < world->hosts->len; i++) {
        const Host *host = world->hosts->pdata[i];
        if (strlen(host->name) == (size_t)(colon - source) && g_str_has_prefix(source, host->name))
            return colon + 1;
    }
    return source;
}

/* oned keeps SOURCE as a word of transfer lines and finds the host before a colon. */
static void
judge_source(const Player *player, const char *source, Row *row)
{
    const World *world = player->world;
    const char *path = after_host(world, source);

    if (strpbrk(path, " \t:") || !*path)
        row_problem(row, "a SOURCE without blanks and colons", "'%s'", source);
    for (guint i = 0; i < world->images->len; i++) {
        const Image *image = world->images->pdata[i];
        if (image->source && strcmp(image->source, source) == 0)
            row_problem(row, "a SOURCE of its own", "'%s', as image %d", source, image->id);
    }
}

/* Cuts "SOURCE FORMAT" as oned does; `with_format`: FORMAT is required. */
static void
take_source(const Player *player, Image *image, char *line, bool with_format, Row *row)
{
    char *blank = strchr(line, ' ');
    const char *format = NULL;
    g_autofree char *was = g_strdup(image->format);

    if (blank && release_from(player->world->release, RELEASE(6, 0, 0))) {
        *blank = '\0';
        format = blank + 1;
    }
    if (player->world->storage) { /* a device of that content, in the format that it says */
        const char *seen = format && strcmp(format, "raw") == 0 ? "raw"
                           : !format                            ? settle_image_format(player, line)
                                                                : NULL;
        g_free(image->format);
        image->format = g_strdup(seen ? seen : was);
    }
    if (format && strcmp(format, image->format) != 0) {
        g_autofree char *want = g_strdup_printf("FORMAT %s", image->format);
        row_problem(row, want, "'%s'", format);
    }
    if (!format && with_format)
        row_problem(row, "SOURCE and FORMAT", "'%s'", line);
    judge_source(player, line, row);
    image->source = g_strdup(line);
    image->state = IMAGE_READY;
}

/* The row of an action that makes an image; forgets the image when nothing came of it. */
static Image *
finish_image(Player *player, Image *image, PlayAnswer *answer, bool with_format, Row *row)
{
    if (answer->succeeded && row_ok(row))
        take_source(player, image, answer->out, with_format, row);
    g_free(answer->out);
    if (!image->source) {
        world_forget_image(player->world, image);
        image = NULL;
    }
    (void)play_settle(player, row);
    return image;
}

static Image *
import_image(Player *player, const Import *import, GError **error)
{
    World *world = player->world;
    g_autofree char *path = source_path(player, import->source);
    Content content;

    if (!content_read(world->frontend, path, import->source_format, &content, error))
        return NULL;
    Image *image = world_image(world, import->type, import->datastore);
    image->path = import->path ? g_strdup(import->path) : g_steal_pointer(&path);
    image->content = content;
    image->size_mb = (content.bytes + MEBIBYTE - 1) / MEBIBYTE;
    image->checksum_name = import->checksum_name;
    image->checksum = g_strdup(import->checksum);
    image->persistent = import->persistent;
    image->shareable = import->shareable;
    return image;
}

static Row *
import_call(Player *player, const Import *import, Image *image, Expectation expectation,
            PlayAnswer *answer)
{
    g_autofree char *document = document_action(player->world, image, import->datastore, NULL);
    const Call call = {
        .action = "cp", .what = import->what, .output = OUTPUT_LINE, .expectation = expectation};

    return datastore_call(player, &call, document, image->id, answer);
}

/* An image that stays qcow2, which raw volumes cannot hold; elsewhere it becomes raw. */
static bool
refuses_format(const World *world, const Import *import)
{
    return world->raw_only && import->datastore == world->qcow2 && !import->datastore->keep_format;
}

Image *
datastore_cp(Player *player, const Import *import)
{
    GError *error = NULL;
    PlayAnswer answer;

    if (refuses_format(player->world, import)) {
        (void)datastore_cp_refused(player, import);
        return NULL;
    }
    Image *image = import_image(player, import, &error);

    if (!image) {
        Row *row = play_check_row(player, "cp", import->what);
        row_error(row, "a source to import", error);
        (void)play_show(player, row);
        return NULL;
    }
    Row *row = import_call(player, import, image, MUST_WORK, &answer);
    mark(row, image, import->format);
    image->format = g_strdup(import->format);
    return finish_image(player, image, &answer,
                        release_from(player->world->release, RELEASE(6, 0, 0)), row);
}

/* Its size shall not be why something is refused. */
#define ENOUGH_MB 1024

bool
datastore_cp_refused(Player *player, const Import *import)
{
    g_autoptr(GError) error = NULL;
    World *world = player->world;
    g_autofree char *path = source_path(player, import->source);
    Image *image = world_image(world, import->type, import->datastore);

    image->path = import->path ? g_strdup(import->path) : g_steal_pointer(&path);
    image->size_mb = import->size_mb ? import->size_mb : ENOUGH_MB;
    image->checksum_name = import->checksum_name;
    image->checksum = g_strdup(import->checksum);
    Row *row = import_call(player, import, image, MUST_FAIL, NULL);
    world_forget_image(world, image);
    return play_settle(player, row);
}

/* An empty disk, or a file system of that size. */
static void
learn_empty(const Player *player, Image *image, Row *row)
{
    GError *error = NULL;
    Content seen;
    const Content empty = content_empty(image->size_mb * MEBIBYTE);
    guint8 magic[2] = {0};

    image->content = empty;
    if (!image->source ||
        (!g_str_has_prefix(image->source, player->world->store) && !player->world->storage))
        return;
    if (!settle_read_image(player, image, &seen, &error)) {
        row_error(row, "a readable image", error);
        return;
    }
    if (!image->file_system) {
        if (!content_equal(&seen, &empty)) {
            g_autofree char *want =
                g_strdup_printf("an empty image of %" G_GUINT64_FORMAT " MB", image->size_mb);
            g_autofree char *have = content_text(&seen);
            row_problem(row, want, "%s", have);
        }
        image->content = seen;
        return;
    }
    image->content = seen;
    if (seen.bytes != empty.bytes)
        row_problem(row, "the size that was asked for", "%" G_GUINT64_FORMAT " bytes", seen.bytes);
    if (player->world->storage)
        return;
    if (!content_peek(player->world->frontend, image->source, 1080, magic, 2, NULL) ||
        magic[0] != 0x53 || magic[1] != 0xef)
        row_problem(row, "an ext4 file system", "none");
}

Image *
datastore_mkfs(Player *player, Datastore *datastore, const char *format, const char *file_system,
               guint64 size_mb, bool persistent)
{
    Image *image = world_image(player->world, IMAGE_DATABLOCK, datastore);
    g_autofree char *what = g_strdup_printf("datablock %s%s%s", format, file_system ? " with " : "",
                                            file_system ? file_system : "");
    const Call call = {.action = "mkfs", .what = what, .output = OUTPUT_LINE};
    PlayAnswer answer;

    image->format = g_strdup(format);
    image->file_system = file_system;
    image->size_mb = size_mb;
    image->persistent = persistent;
    g_autofree char *document = document_action(player->world, image, datastore, NULL);
    Row *row = datastore_call(player, &call, document, image->id, &answer);
    mark(row, image, format);
    if (answer.succeeded && row_ok(row)) {
        judge_source(player, answer.out, row);
        image->source = g_strdup(answer.out);
        image->state = IMAGE_READY;
        learn_empty(player, image, row);
        g_clear_pointer(&answer.out, g_free);
        (void)play_settle(player, row);
        return image;
    }
    return finish_image(player, image, &answer, false, row);
}

Image *
datastore_mkfs_save_as(Player *player, const Vm *vm, const Disk *disk, guint64 size_mb)
{
    Image *image = world_image(player->world, IMAGE_OS, disk->image->datastore);
    const Call call = {.action = "mkfs", .what = "save_as", .output = OUTPUT_LINE};
    PlayAnswer answer;

    image->format = g_strdup("save_as");
    image->size_mb = size_mb;
    image->saved_vm = vm->id;
    image->saved_disk = disk->id;
    g_autofree char *document = document_action(player->world, image, image->datastore, NULL);
    Row *row = datastore_call(player, &call, document, image->id, &answer);
    mark(row, image, "save_as");
    g_free(image->format);
    image->format = g_strdup(disk->format);
    return finish_image(player, image, &answer, false, row);
}

Image *
datastore_clone(Player *player, Image *original)
{
    Image *image = world_image(player->world, original->type, original->datastore);
    g_autofree char *what = g_strdup_printf("image of %s", original->format);
    const Call call = {.action = "clone image", .what = what, .output = OUTPUT_LINE};
    PlayAnswer answer;

    image->format = g_strdup(original->format);
    image->path = g_strdup(original->source);
    image->size_mb = original->size_mb;
    image->cloning_id = original->id;
    image->content = original->content;
    g_autofree char *document = document_action(player->world, image, image->datastore, NULL);
    Row *row = datastore_call(player, &call, document, image->id, &answer);
    mark(row, image, image->format);
    image->cloning_id = -1;
    return finish_image(player, image, &answer, false, row);
}

bool
datastore_rm(Player *player, Image *image)
{
    World *world = player->world;
    g_autofree char *what = g_strdup_printf("%s image", image->format);
    g_autofree char *document = document_action(world, image, image->datastore, NULL);
    const Call call = {.action = "rm", .what = what, .output = OUTPUT_NOTHING};
    const Call again = {.action = "rm", .what = "an image that is gone", .output = OUTPUT_NOTHING};
    int id = image->id;
    PlayAnswer answer;

    Row *row = datastore_call(player, &call, document, id, &answer);
    mark(row, image, image->format);
    if (answer.succeeded)
        world_forget_image(world, image);
    g_free(answer.out);
    bool good = play_settle(player, row);
    if (good && player->settings->twice)
        good = play_settle(player, datastore_call(player, &again, document, id, NULL));
    return good;
}

bool
datastore_snapshot(Player *player, const char *action, Image *image, int id)
{
    World *world = player->world;
    g_autofree char *what = g_strdup_printf("snapshot %d of a %s image", id, image->format);
    const Call call = {.action = action, .what = what, .output = OUTPUT_NOTHING};
    PlayAnswer answer;

    image->target_snapshot = id;
    g_autofree char *document = document_action(world, image, image->datastore, NULL);
    Row *row = datastore_call(player, &call, document, image->id, &answer);
    mark(row, image, image->format);
    image->target_snapshot = -1;
    g_free(answer.out);
    Snapshot *snapshot = snapshot_find(image->snapshots, id);
    if (answer.succeeded && snapshot) {
        if (!g_str_has_prefix(action, "snap_delete"))
            image->content = snapshot->content;
        if (g_str_has_prefix(action, "snap_flatten"))
            g_ptr_array_set_size(image->snapshots, 0);
        else if (g_str_has_prefix(action, "snap_delete"))
            g_ptr_array_remove(image->snapshots, snapshot);
    }
    return play_settle(player, row);
}

bool
datastore_export(Player *player, Image *image)
{
    g_autofree char *document = document_action(player->world, image, image->datastore, NULL);
    const Call call = {.action = "export", .what = image->format, .output = OUTPUT_LINES};
    static const char *const elements[] = {"<IMPORT_INFO>", "<IMPORT_SOURCE>", "<MD5>",
                                           "<SIZE>",        "<FORMAT>",        "<DISPOSE>"};
    PlayAnswer answer;

    Row *row = datastore_call(player, &call, document, image->id, &answer);
    mark(row, image, image->format);
    for (size_t i = 0; answer.succeeded && i < G_N_ELEMENTS(elements); i++)
        if (!strstr(answer.out, elements[i]))
            row_problem(row, elements[i], "'%s'", answer.out);
    g_free(answer.out);
    return play_settle(player, row);
}
