// SPDX-License-Identifier: Apache-2.0
/*
 * What must be refused with one clear sentence and without touching anything. Every row here checks
 * the whole tree too.
 */
#include "verify/documents.h"
#include "verify/scenarios.h"

#include <string.h>
#include <unistd.h>

static void
play_sources(Player *player)
{
    const World *world = player->world;
    g_autofree char *outside = g_build_filename(world->elsewhere, "secret.img", NULL);
    g_autofree char *dotted = g_strconcat(world->sources, "/../elsewhere/secret.img", NULL);
    g_autofree char *link = g_build_filename(world->sources, "link.img", NULL);
    const struct {
        const char *source, *what;
    } cases[] = {
        {outside,       "a source outside SAFE_DIRS"         },
        {dotted,        "a source outside SAFE_DIRS, with .."},
        {link,          "a link out of SAFE_DIRS"            },
        {"absent.img",  "a source that is not there"         },
        {"/etc/passwd", "a file of the system as source"     },
    };

    (void)symlink(outside, link);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Import import = {.type = IMAGE_OS,
                               .datastore = world->raw,
                               .source = cases[i].source,
                               .what = cases[i].what};
        (void)datastore_cp_refused(player, &import);
    }
    unlink(link);
}

/* A qcow2 that leans on a file of the front-end would give a user that file's content. */
static void
play_backing(Player *player)
{
    const World *world = player->world;
    g_autofree char *path = g_build_filename(world->sources, "leaning.qcow2", NULL);
    g_autofree char *base = g_build_filename(world->sources, "base.qcow2", NULL);
    g_autofree char *data = NULL;
    gsize length;
    const char *target = "/etc/passwd";

    if (!g_file_get_contents(base, &data, &length, NULL) || length < 1024)
        return;
    /* offset and length of the backing file's name, which is put at byte 512 */
    memcpy(data + 8, "\0\0\0\0\0\0\2\0", 8);
    memcpy(data + 16, "\0\0\0\x0b", 4);
    memcpy(data + 512, target, strlen(target));
    if (!g_file_set_contents(path, data, (gssize)length, NULL))
        return;
    const Import import = {.type = IMAGE_OS,
                           .datastore = world->raw,
                           .source = "leaning.qcow2",
                           .what = "a qcow2 with a backing file"};
    (void)datastore_cp_refused(player, &import);
    unlink(path);
}

static void
play_foreign_rm(Player *player)
{
    const World *world = player->world;
    g_autofree char *victim = g_build_filename(world->elsewhere, "secret.img", NULL);
    g_autofree char *dotted = g_strdup_printf("%s/../../../elsewhere/secret.img", world->raw->path);
    const char *const sources[] = {victim, dotted};

    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++) {
        Image *image = world_image(player->world, IMAGE_OS, world->raw);
        const Call call = {.action = "rm",
                           .what = i ? "a SOURCE with .. out of the datastore"
                                     : "a SOURCE outside the datastore",
                           .expectation = MUST_FAIL};
        image->source = g_strdup(sources[i]);
        image->format = g_strdup("raw");
        g_autofree char *document = document_action(world, image, world->raw, NULL);
        int id = image->id;
        world_forget_image(player->world, image);
        Row *row = datastore_call(player, &call, document, id, NULL);
        if (access(victim, F_OK) != 0)
            row_problem(row, "that file left alone", "it is gone");
        (void)play_settle(player, row);
    }
}

static void
play_raw_input(Player *player, const char *packed, const char *what)
{
    g_autofree char *program = datastore_program(player, "datastore", "cp");
    g_autofree char *line = NULL;
    Call call = {.action = "cp", .what = what, .expectation = MUST_FAIL};

    if (release_document_form(player->world->release) == DOCUMENT_ARGUMENT) {
        line = g_strdup_printf("%s '%s' 99", program, packed);
    } else {
        bool dash = release_document_form(player->world->release) == DOCUMENT_DASH;
        line = g_strdup_printf("%s %s99", program, dash ? "- " : "");
        call.input = packed;
    }
    call.line = line;
    (void)play_settle(player, play_call(player, &call, NULL));
}

/* A document that a driver has to survive. */
static void
play_document(Player *player, const char *text, const char *what)
{
    g_autofree char *packed = g_base64_encode((const guchar *)text, strlen(text));

    play_raw_input(player, packed, what);
}

static void
play_documents(Player *player)
{
    static const char entity[] =
        "<?xml version=\"1.0\"?><!DOCTYPE d [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>"
        "<DS_DRIVER_ACTION_DATA><IMAGE><ID>1</ID><PATH>&e;</PATH></IMAGE></DS_DRIVER_ACTION_DATA>";

    play_raw_input(player, "%%% this is not base64 %%%", "garbage for base64");
    play_raw_input(player, "", "no document");
    play_document(player, "<DS_DRIVER_ACTION_DATA><IMAGE>", "malformed XML");
    play_document(player, entity, "XML with an entity");
    play_document(player, "<OTHER/>", "XML of another kind");
    play_document(player, "no XML at all", "text that is no XML");
}

/* Takes the line over. */
static void
play_line(Player *player, const char *what, char *line)
{
    (void)play_settle(player, transfer_line(player, line, what, MUST_FAIL, NULL));
    g_free(line);
}

/* Transfer lines about a VM, an image or a path that is not as it should be. */
static void
play_lines(Player *player, const Image *image, const Vm *vm)
{
    const World *world = player->world;
    const char *tm = world->driver, *store = world->store_text;
    g_autofree char *from = g_strdup_printf("%s:%s", world->frontend->name, image->source);
    g_autofree char *absent = g_strdup_printf("%s:%s/102/none", world->frontend->name, store);
    g_autofree char *root = g_strdup_printf("%s:%s/100", world->host->name, store);
    g_autofree char *to = g_strdup_printf("%s/%d/disk.0", root, vm->id);

    play_line(player, "a VM that does not exist",
              g_strdup_printf("CLONE %s %s %s/4711/disk.0 4711 102", tm, from, root));
    play_line(player, "an image that is not there",
              g_strdup_printf("CLONE %s %s %s %d 102", tm, absent, to, vm->id));
    play_line(player, "a target above the datastores",
              g_strdup_printf("CLONE %s %s %s/../../disk.0 %d 102", tm, from, root, vm->id));
    play_line(player, "too few words", g_strdup_printf("CLONE %s %s", tm, from));
    play_line(player, "a number that is none",
              g_strdup_printf("CLONE %s %s %s seven 102", tm, from, to));
    play_line(player, "a size that is none",
              g_strdup_printf("MKIMAGE %s big raw %s %d 100", tm, to, vm->id));
}

static void
replace_environment(Player *player, const char *name, char *value)
{
    for (char **entry = player->environment; *entry; entry++)
        if (g_str_has_prefix(*entry, name) && (*entry)[strlen(name)] == '=') {
            g_free(*entry);
            *entry = g_strdup_printf("%s=%s", name, value);
        }
    g_free(value);
}

/* CLONE needs the VM's facts, so it has to find oned. */
static void
play_without_oned(Player *player, const Image *image, const Vm *vm)
{
    const World *world = player->world;
    g_autofree char *line = g_strdup_printf("CLONE %s %s:%s %s:%s/100/%d/disk.0 %d 102",
                                            world->driver, world->frontend->name, image->source,
                                            world->host->name, world->store_text, vm->id, vm->id);
    g_autofree char *auth = g_build_filename(world->var, ".one", "wrong_auth", NULL);

    replace_environment(player, "ONE_XMLRPC", g_strdup("http://127.0.0.1:1/RPC2"));
    (void)play_settle(player, transfer_line(player, line, "oned is down", MUST_FAIL, NULL));
    replace_environment(player, "ONE_XMLRPC",
                        g_strdup_printf("http://127.0.0.1:%u/RPC2", server_port(player->server)));

    server_set_mood(player->server, SERVER_GARBAGE);
    (void)play_settle(player, transfer_line(player, line, "something else answers on oned's port",
                                            MUST_FAIL, NULL));
    server_set_mood(player->server, SERVER_ANSWERS);

    (void)g_file_set_contents(auth, "oneadmin:wrong\n", -1, NULL);
    replace_environment(player, "ONE_AUTH", g_strdup(auth));
    (void)play_settle(player,
                      transfer_line(player, line, "oned refuses the password", MUST_FAIL, NULL));
    replace_environment(player, "ONE_AUTH", g_build_filename(world->var, ".one", "one_auth", NULL));
}

void
scenario_refused(Player *player)
{
    World *world = player->world;

    play_sources(player);
    play_backing(player);
    play_foreign_rm(player);
    play_documents(player);
    Image *image = given_image(player, false);
    if (image) {
        Vm *vm = world_vm(world);
        vm_add_disk(world, vm, ROLE_PRIVATE, image, image->size_mb);
        vm_set_state(vm, STATE_ACTIVE, LCM_PROLOG);
        /* an empty directory may be made before something else is refused */
        vm->directory_allowed = true;
        play_lines(player, image, vm);
        play_without_oned(player, image, vm);
        life_abandon(player, vm);
    }
    remove_images(player);
}
