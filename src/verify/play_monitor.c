// SPDX-License-Identifier: Apache-2.0
/*
 * MONITOR of datastores, monitor_ds on hosts, and the disk sizes of VMs that come with it, on
 * stdout before 5.12 and by UDP since (src/datastore_mad/one_datastore.rb, src/im_mad/remotes).
 */
#include "base/command.h"
#include "base/error.h"
#include "verify/documents.h"
#include "verify/matrix.h"
#include "verify/play_datastore.h"

#include <stdlib.h>
#include <string.h>

typedef struct Numbers {
    double used, total, free;
    unsigned seen; /* bits */
} Numbers;

static bool
take_number(const char *word, Numbers *numbers)
{
    const struct {
        const char *name;
        double *value;
    } names[] = {
        {"USED_MB=",  &numbers->used },
        {"TOTAL_MB=", &numbers->total},
        {"FREE_MB=",  &numbers->free }
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!g_str_has_prefix(word, names[i].name))
            continue;
        const char *digits = word + strlen(names[i].name);
        if (numbers->seen & (1u << i) ||
            !g_regex_match_simple("^\\d+(\\.\\d+)?$", digits, G_REGEX_DOLLAR_ENDONLY, 0))
            return false;
        numbers->seen |= 1u << i;
        *names[i].value = g_ascii_strtod(digits, NULL);
        return true;
    }
    return false;
}

static void
judge_numbers(const char *text, Row *row)
{
    Numbers numbers = {0};
    g_auto(GStrv) words = g_strsplit_set(text, " \n", -1);

    for (char **word = words; *word; word++)
        if (**word && !take_number(*word, &numbers))
            row_problem(row, "USED_MB, TOTAL_MB and FREE_MB with numbers, nothing else", "'%s'",
                        *word);
    if (numbers.seen != 7)
        row_problem(row, "USED_MB, TOTAL_MB and FREE_MB", "'%s'", text);
    else if (numbers.total <= 0)
        row_problem(row, "TOTAL_MB above 0", "%g", numbers.total);
    else if (numbers.used > numbers.total || numbers.free > numbers.total)
        row_problem(row, "USED_MB and FREE_MB up to TOTAL_MB", "'%s'", text);
}

/* Each disk that lies in this system datastore must have a size, each entry must be one. */
static void
judge_vm(const World *world, const Vm *vm, const char *text, Row *row)
{
    g_autofree char *name = g_strdup_printf("sizes of the disks of VM %d", vm->id);

    if (!text) {
        row_problem(row, name, "none");
        return;
    }
    if (!g_regex_match_simple("^(\\s*(DISK_SIZE=\\[ID=\\d+,SIZE=\\d+(\\.\\d+)?\\]|SNAPSHOT_SIZE="
                              "\\[ID=\\d+,DISK_ID=\\d+,SIZE=\\d+(\\.\\d+)?\\]))+\\s*$",
                              text, 0, 0))
        row_problem(row, name, "'%s'", text);
    for (guint i = 0; i < vm->disks->len; i++) {
        const Disk *disk = vm->disks->pdata[i];
        g_autofree char *entry = g_strdup_printf("DISK_SIZE=[ID=%d,", disk->id);
        /* whose an image is, a storage may not know, or of one VM only */
        bool unknown = world->storage && !disk->own;
        if (disk->present && !unknown && !strstr(text, entry))
            row_problem(row, entry, "'%s'", text);
    }
}

static void
judge_vms(const Player *player, const Datastore *datastore, GHashTable *sizes, bool wanted,
          Row *row)
{
    const World *world = player->world;

    if (!wanted && g_hash_table_size(sizes) > 0)
        row_problem(row, "no sizes of VM disks, nobody asked for them", "%u VMs",
                    g_hash_table_size(sizes));
    for (guint i = 0; wanted && i < world->vms->len; i++) {
        const Vm *vm = world->vms->pdata[i];
        if (vm->place.datastore == datastore && vm->directory_present)
            judge_vm(world, vm, g_hash_table_lookup(sizes, GINT_TO_POINTER(vm->id)), row);
    }
}

/* Cuts the VM lines off the numbers. */
static GHashTable *
vm_sizes(const Player *player, char *out, GError **error)
{
    if (release_from(player->world->release, RELEASE(5, 12, 0)))
        return monitord_take(player->monitord, error);

    GHashTable *sizes = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    char *lines = strstr(out, "VM=[");
    if (lines && !monitor_vm_lines(lines, "POLL", false, sizes, error))
        g_clear_pointer(&sizes, g_hash_table_unref);
    if (lines)
        *lines = '\0';
    return sizes;
}

static void
judge_monitor(Player *player, const Datastore *datastore, bool vm_disks, char *out, Row *row)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GHashTable) sizes = vm_sizes(player, out, &error);
    bool system = datastore->type == DATASTORE_SYSTEM;
    /* before 5.10 nobody asks, it is always wanted */
    bool wanted = system && (vm_disks || !release_from(player->world->release, RELEASE(5, 10, 0)));

    judge_numbers(out, row);
    if (!sizes)
        row_problem(row, "sizes of VM disks as monitord takes them", "%s", error->message);
    else
        judge_vms(player, datastore, sizes, wanted, row);
}

bool
datastore_monitor(Player *player, Datastore *datastore, bool vm_disks)
{
    bool system = datastore->type == DATASTORE_SYSTEM;
    g_autofree char *location = NULL;
    const World *world = player->world;
    const Call call = {.action = system ? "monitor system" : "monitor",
                       .what = vm_disks ? "with the sizes of VM disks" : datastore->name,
                       .output = OUTPUT_LINES};
    bool good = true;

    if (system && !world->shared)
        return true; /* never asked: each host reports its own space */
    if (system)
        location =
            g_strdup_printf("<DATASTORE_LOCATION>%s</DATASTORE_LOCATION>%s", world->store_text,
                            !release_from(world->release, RELEASE(5, 10, 0)) ? ""
                            : vm_disks ? "<MONITOR_VM_DISKS>1</MONITOR_VM_DISKS>"
                                       : "<MONITOR_VM_DISKS>0</MONITOR_VM_DISKS>");
    g_autofree char *document = document_action(world, NULL, datastore, location);
    for (int run = 0; good && run < 1 + player->settings->twice; run++) {
        PlayAnswer answer;
        Row *row = datastore_call(player, &call, document, datastore->id, &answer);
        matrix_mark_text(row, system ? "VM" : "datastore",
                         system ? "system datastore" : "monitored");
        if (answer.succeeded)
            judge_monitor(player, datastore, vm_disks, answer.out, row);
        g_free(answer.out);
        good = play_settle(player, row);
    }
    return good;
}

/* `onehost sync`: the remotes tree goes to the host. */
static bool
sync_host(const Player *player, const Host *host, GError **error)
{
    g_autofree char *remotes = g_build_filename(player->world->var, "remotes", NULL);
    g_autoptr(Argv) pack = argv_new("tar", "-C", remotes, "-cf", "-", ".");
    g_autoptr(Argv) unpack = argv_new("ssh", "-T", "-o", "BatchMode=yes", "--", host->name);
    CommandOptions options = {.timeout_ms = SECONDS(60)};
    g_auto(CommandResult) result = {0};

    argv_addf(unpack, "mkdir -p %s && tar -C %s -xf -", remotes, remotes);
    if (!command_run(pack, &options, &result, error))
        return false;
    options.input = result.out;
    options.input_length = result.out_length;
    return command_check(unpack, &options, NULL, error);
}

static void
judge_host_output(const Player *player, const Host *host, const Datastore *datastore, char *out,
                  Row *row)
{
    const World *world = player->world;
    bool recent = release_from(world->release, RELEASE(5, 12, 0));
    g_autoptr(GHashTable) sizes = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_autoptr(GError) error = NULL;

    g_strdelimit(out, "\n", ' ');
    if (*g_strstrip(out) &&
        !monitor_vm_lines(out, recent ? "MONITOR" : "POLL", recent, sizes, &error)) {
        row_problem(row, "sizes of VM disks as the probes pass them on", "%s", error->message);
        return;
    }
    for (guint i = 0; i < world->vms->len; i++) {
        const Vm *vm = world->vms->pdata[i];
        if (place_equal(vm->place, world_place(world, host, (Datastore *)datastore)) &&
            vm->directory_present)
            judge_vm(world, vm, g_hash_table_lookup(sizes, GINT_TO_POINTER(vm->id)), row);
    }
}

bool
host_monitor(Player *player, const Host *host, Datastore *datastore)
{
    g_autofree char *program = play_program(player, "tm", "monitor_ds");
    g_autofree char *remote = NULL;
    GError *error = NULL;
    PlayAnswer answer;

    if (player->world->shared)
        return true; /* the front-end asks for it with MONITOR */
    if (!play_has(player, "tm", "monitor_ds"))
        return true;
    if (!host->local && !sync_host(player, host, &error)) {
        Row *row = play_check_row(player, "monitor_ds", "the driver files on the host");
        row_error(row, "a copy", error);
        return play_show(player, row);
    }
    if (!host->local)
        remote = g_strdup_printf("ssh -o BatchMode=yes -- %s ", host->name);
    g_autofree char *line =
        g_strdup_printf("%s%s %s", remote ? remote : "", program, datastore->path);
    const Call call = {
        .action = "monitor_ds", .what = host->name, .line = line, .output = OUTPUT_LINES};
    Row *row = play_call(player, &call, &answer);
    matrix_mark_text(row, "VM", "system datastore");
    if (answer.succeeded)
        judge_host_output(player, host, datastore, answer.out, row);
    g_free(answer.out);
    return play_settle(player, row);
}
