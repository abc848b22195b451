// SPDX-License-Identifier: Apache-2.0
/*
 * The functions of backends/linstor/calls.h by hand, for linstor_sim.py:
 *
 *     linstortool [OPTION…] FUNCTION ARGUMENT… [, FUNCTION ARGUMENT…]…
 *
 * One client for all of them. Each prints one line: "ok" and what it found, or "error CODE FAILURE
 * TEXT". The exit status is that of the last.
 */
#include "backends/linstor/calls.h"
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>
#include <sys/resource.h>

typedef struct Tool {
    LinstorClient *client;
    char **words; /* of this function */
    guint count;
    GString *out;
    GPtrArray *lists;
    GError *error;
} Tool;

static const char *
word(const Tool *tool, guint number)
{
    return number < tool->count ? tool->words[number] : NULL;
}

/* "a,b,c" as a list that lives as long as the program. */
static const char *const *
list(const Tool *tool, guint number)
{
    const char *text = word(tool, number);

    if (!text || !*text || !strcmp(text, "-"))
        return NULL;
    GStrv made = g_strsplit(text, ",", -1);
    g_ptr_array_add(tool->lists, made);
    return (const char *const *)made;
}

static guint64
amount(const Tool *tool, guint number)
{
    return word(tool, number) ? g_ascii_strtoull(word(tool, number), NULL, 10) : 0;
}

static const char *
given(const Tool *tool, guint number)
{
    return word(tool, number) && strcmp(word(tool, number), "-") ? word(tool, number) : NULL;
}

/* The site */

static bool
do_version(Tool *tool)
{
    g_string_append_printf(tool->out, " %s %s", linstor_release(tool->client),
                           linstor_url(tool->client));
    return true;
}

static bool
do_nodes(Tool *tool)
{
    g_autoptr(GPtrArray) found = linstor_nodes(tool->client, &tool->error);

    for (guint i = 0; found && i < found->len; i++) {
        const LinstorNode *node = g_ptr_array_index(found, i);
        g_string_append_printf(tool->out, " %s:%s:%s:%s%s%s", node->name, node->uname, node->type,
                               node->status, node->online ? ":online" : "",
                               node->drbd ? ":drbd" : "");
    }
    return found != NULL;
}

static bool
do_pools(Tool *tool)
{
    g_autoptr(GPtrArray) found = linstor_pools(tool->client, list(tool, 0), &tool->error);

    for (guint i = 0; found && i < found->len; i++) {
        const LinstorPool *pool = g_ptr_array_index(found, i);
        g_string_append_printf(tool->out,
                               " %s/%s:%s:%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT "%s%s%s%s%s",
                               pool->node, pool->name, pool->provider, pool->free, pool->total,
                               pool->known ? ":known" : "", pool->thin ? ":thin" : "",
                               pool->snapshots ? ":snapshots" : "", pool->clones ? ":clones" : "",
                               pool->diskless ? ":diskless" : "");
    }
    return found != NULL;
}

static bool
do_group(Tool *tool)
{
    g_autoptr(LinstorGroup) group = linstor_group(tool->client, word(tool, 0), &tool->error);

    if (!group)
        return false;
    g_autofree char *pools = g_strjoinv(",", group->pools);
    g_string_append_printf(tool->out, " %s %u %s", group->name, group->place_count, pools);
    return true;
}

static bool
do_space(Tool *tool)
{
    LinstorSpace space;

    if (!linstor_query_size(tool->client, word(tool, 0), &space, &tool->error))
        return false;
    g_string_append_printf(tool->out,
                           " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                           space.total, space.free, space.largest);
    return true;
}

static bool
append_text(Tool *tool, char *text)
{
    if (text)
        g_string_append_printf(tool->out, " %s", text);
    g_free(text);
    return text != NULL;
}

static bool
do_passphrase(Tool *tool)
{
    return append_text(tool, linstor_passphrase_status(tool->client, &tool->error));
}

static bool
do_report(Tool *tool)
{
    return append_text(tool, linstor_error_report(tool->client, word(tool, 0), &tool->error));
}

/* Definitions */

static void
show_definition(Tool *tool, const LinstorDefinition *definition)
{
    g_autoptr(GList) keys =
        g_list_sort(g_hash_table_get_keys(definition->props), (GCompareFunc)g_strcmp0);
    g_autofree char *layers = g_strjoinv(",", definition->layers);

    g_string_append_printf(tool->out, " %s group=%s layers=%s size=%" G_GUINT64_FORMAT "%s%s",
                           definition->name, definition->group, layers, definition->size,
                           definition->deleting ? " deleting" : "",
                           definition->cloning ? " cloning" : "");
    for (GList *key = keys; key; key = key->next)
        g_string_append_printf(tool->out, " %s=%s", (char *)key->data,
                               (char *)g_hash_table_lookup(definition->props, key->data));
}

static bool
do_definition(Tool *tool)
{
    g_autoptr(LinstorDefinition) found =
        linstor_definition(tool->client, word(tool, 0), &tool->error);

    if (found)
        show_definition(tool, found);
    return found != NULL;
}

static bool
see_definition(LinstorDefinition *definition, void *user, G_GNUC_UNUSED GError **error)
{
    show_definition(user, definition);
    return true;
}

static bool
do_definitions(Tool *tool)
{
    return linstor_definitions(tool->client, given(tool, 0), given(tool, 1), see_definition, tool,
                               &tool->error);
}

static bool
do_create(Tool *tool)
{
    LinstorNew new = {word(tool, 0), given(tool, 1), list(tool, 2), list(tool, 3)};

    return linstor_definition_create(tool->client, &new, &tool->error);
}

static bool
do_spawn(Tool *tool)
{
    LinstorNew new = {.name = word(tool, 0), .group = word(tool, 1), .set = list(tool, 3)};
    LinstorPlace place = {
        .count = (unsigned)amount(tool, 4), .nodes = list(tool, 5), .different = list(tool, 6)};
    LinstorPlaced placed = {0};
    bool done = linstor_spawn(tool->client, &new, amount(tool, 2),
                              given(tool, 4) && strcmp(word(tool, 4), "0") ? &place : NULL,
                              given(tool, 4) && !strcmp(word(tool, 4), "0"), &placed, &tool->error);

    g_string_append_printf(tool->out, " %s", placed.node ? placed.node : "-");
    g_free(placed.node);
    return done;
}

static bool
do_modify(Tool *tool)
{
    LinstorProps props = {list(tool, 1), list(tool, 2), list(tool, 3)};

    return linstor_definition_modify(tool->client, word(tool, 0), &props, &tool->error);
}

static bool
do_regroup(Tool *tool)
{
    return linstor_definition_regroup(tool->client, word(tool, 0), word(tool, 1), &tool->error);
}

static bool
do_delete(Tool *tool)
{
    bool pending = false;
    bool done = linstor_definition_delete(tool->client, word(tool, 0), &pending, &tool->error);

    g_string_append(tool->out, pending ? " pending" : "");
    return done;
}

static bool
do_sync(Tool *tool)
{
    return linstor_wait_for_sync(tool->client, word(tool, 0), (unsigned)amount(tool, 1),
                                 &tool->error);
}

static bool
do_in_sync(Tool *tool)
{
    bool in_sync = false;
    bool done = linstor_in_sync(tool->client, word(tool, 0), &in_sync, &tool->error);

    g_string_append(tool->out, in_sync ? " yes" : " no");
    return done;
}

static bool
do_volume_create(Tool *tool)
{
    return linstor_volume_create(tool->client, word(tool, 0), amount(tool, 1),
                                 given(tool, 2) != NULL, &tool->error);
}

static bool
do_volume(Tool *tool)
{
    LinstorVolume volume;

    if (!linstor_volume(tool->client, word(tool, 0), &volume, &tool->error))
        return false;
    g_string_append_printf(tool->out, " %" G_GUINT64_FORMAT "%s%s", volume.size,
                           volume.resizing ? " resizing" : "",
                           volume.encrypted ? " encrypted" : "");
    return true;
}

static bool
do_resize(Tool *tool)
{
    return linstor_volume_resize(tool->client, word(tool, 0), amount(tool, 1), &tool->error);
}

static LinstorCloneOptions
clone_options(Tool *tool)
{
    return (LinstorCloneOptions){
        .group = given(tool, 2), .props = {list(tool, 3), NULL, list(tool, 4)},
              .dependent = true
    };
}

static bool
do_clone(Tool *tool)
{
    LinstorCloneOptions options = clone_options(tool);

    return linstor_clone_start(tool->client, word(tool, 0), word(tool, 1), &options, &tool->error);
}

static bool
do_clone_wait(Tool *tool)
{
    LinstorCloneOptions options = clone_options(tool);

    return linstor_clone_wait(tool->client, word(tool, 0), word(tool, 1), &options, 2000,
                              &tool->error);
}

static bool
do_clone_state(Tool *tool)
{
    static const char *const words[] = {"runs", "complete", "failed"};
    LinstorCloneState state;

    if (!linstor_clone_state(tool->client, word(tool, 0), word(tool, 1), &state, &tool->error))
        return false;
    g_string_append_printf(tool->out, " %s", words[state]);
    return true;
}

/* Resources */

static void
show_resource(Tool *tool, const LinstorResource *resource)
{
    static const char *const truths[] = {"?", "no", "yes"};

    g_string_append_printf(
        tool->out, " %s@%s:pool=%s:device=%s:%" G_GUINT64_FORMAT ":open=%s:may=%s%s%s%s%s%s",
        resource->definition, resource->node, resource->pool, resource->device,
        resource->device_size, truths[resource->in_use], truths[resource->may_promote],
        resource->diskless ? ":diskless" : "", resource->tie_breaker ? ":tiebreaker" : "",
        resource->deleting ? ":deleting" : "", resource->drbd ? ":drbd" : "",
        resource->resizing ? ":resizing" : "");
}

static bool
do_resources(Tool *tool)
{
    g_autoptr(GPtrArray) found = linstor_resources(tool->client, word(tool, 0), &tool->error);

    for (guint i = 0; found && i < found->len; i++)
        show_resource(tool, g_ptr_array_index(found, i));
    return found != NULL;
}

static bool
do_resource(Tool *tool)
{
    g_autoptr(LinstorResource) found =
        linstor_resource(tool->client, word(tool, 0), word(tool, 1), &tool->error);

    if (found)
        show_resource(tool, found);
    return found != NULL;
}

static bool
see_resource(LinstorResource *resource, void *user, G_GNUC_UNUSED GError **error)
{
    Tool *tool = user;

    show_resource(tool, resource);
    g_string_append_printf(tool->out, ":allocated=%" G_GUINT64_FORMAT ":disk=%s",
                           resource->allocated, resource->disk_state);
    return true;
}

static bool
do_view(Tool *tool)
{
    return linstor_view(tool->client, given(tool, 0), see_resource, tool, &tool->error);
}

typedef struct Sum {
    guint64 count, allocated;
} Sum;

static bool
see_sum(LinstorResource *resource, void *user, G_GNUC_UNUSED GError **error)
{
    Sum *sum = user;

    sum->count++;
    sum->allocated += resource->allocated;
    return true;
}

static bool
count_definition(LinstorDefinition *definition, void *user, G_GNUC_UNUSED GError **error)
{
    *(guint64 *)user += definition->sized;
    return true;
}

/* The two calls of a monitor, with the time and the memory that they take. */
static bool
do_monitor(Tool *tool)
{
    Sum sum = {0, 0};
    guint64 definitions = 0;
    struct rusage usage;
    gint64 start = g_get_monotonic_time();
    bool done = linstor_definitions(tool->client, word(tool, 0), given(tool, 1), count_definition,
                                    &definitions, &tool->error) &&
                linstor_view(tool->client, NULL, see_sum, &sum, &tool->error);

    getrusage(RUSAGE_SELF, &usage);
    g_string_append_printf(tool->out,
                           " definitions=%" G_GUINT64_FORMAT " resources=%" G_GUINT64_FORMAT
                           " allocated=%" G_GUINT64_FORMAT " ms=%" G_GINT64_FORMAT
                           " kib=%ld cpu_ms=%ld",
                           definitions, sum.count, sum.allocated,
                           (g_get_monotonic_time() - start) / 1000, usage.ru_maxrss,
                           (long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                               (long)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
    return done;
}

static bool
do_place(Tool *tool)
{
    return linstor_resource_create(tool->client, word(tool, 0), list(tool, 1), word(tool, 2),
                                   &tool->error);
}

static bool
do_autoplace(Tool *tool)
{
    LinstorPlace place = {.count = (unsigned)amount(tool, 1),
                          .nodes = list(tool, 2),
                          .pools = list(tool, 3),
                          .layers = list(tool, 4),
                          .same = list(tool, 5),
                          .different = list(tool, 6)};

    return linstor_autoplace(tool->client, word(tool, 0), &place, NULL, &tool->error);
}

static bool
do_attach(Tool *tool)
{
    return linstor_make_available(tool->client, word(tool, 0), word(tool, 1),
                                  given(tool, 2) != NULL, &tool->error);
}

static bool
do_detach(Tool *tool)
{
    bool stays = false;
    bool done =
        linstor_resource_delete(tool->client, word(tool, 0), word(tool, 1), &stays, &tool->error);

    g_string_append(tool->out, stays ? " stays" : "");
    return done;
}

/* Snapshots */

static bool
do_snapshots(Tool *tool)
{
    g_autoptr(GPtrArray) found = linstor_snapshots(tool->client, word(tool, 0), &tool->error);

    for (guint i = 0; found && i < found->len; i++) {
        const LinstorSnapshot *snapshot = g_ptr_array_index(found, i);
        g_autofree char *nodes = g_strjoinv("+", snapshot->nodes);
        g_string_append_printf(tool->out, " %s:%s:%" G_GUINT64_FORMAT "%s%s", snapshot->name, nodes,
                               snapshot->size, snapshot->successful ? ":successful" : "",
                               snapshot->failed ? ":failed" : "");
    }
    return found != NULL;
}

static bool
do_snapshot(Tool *tool)
{
    return linstor_snapshot_create(tool->client, word(tool, 0), word(tool, 1), &tool->error);
}

static bool
do_snapshot_many(Tool *tool)
{
    return linstor_snapshot_create_many(tool->client, list(tool, 0), word(tool, 1), &tool->error);
}

static bool
do_snapshot_delete(Tool *tool)
{
    return linstor_snapshot_delete(tool->client, word(tool, 0), word(tool, 1), &tool->error);
}

static bool
do_rollback(Tool *tool)
{
    return linstor_snapshot_rollback(tool->client, word(tool, 0), word(tool, 1), &tool->error);
}

static bool
do_restore_volumes(Tool *tool)
{
    return linstor_restore_volumes(tool->client, word(tool, 0), word(tool, 1), word(tool, 2),
                                   &tool->error);
}

static bool
do_restore_resources(Tool *tool)
{
    return linstor_restore_resources(tool->client, word(tool, 0), word(tool, 1), word(tool, 2),
                                     list(tool, 3), &tool->error);
}

static bool
do_sleep(Tool *tool)
{
    return linstor_wait((unsigned)amount(tool, 0), &tool->error);
}

static const struct {
    const char *name;
    bool (*run)(Tool *);
} functions[] = {
    {"version",           do_version          },
    {"nodes",             do_nodes            },
    {"pools",             do_pools            },
    {"group",             do_group            },
    {"space",             do_space            },
    {"passphrase",        do_passphrase       },
    {"report",            do_report           },
    {"definition",        do_definition       },
    {"definitions",       do_definitions      },
    {"create",            do_create           },
    {"spawn",             do_spawn            },
    {"modify",            do_modify           },
    {"regroup",           do_regroup          },
    {"delete",            do_delete           },
    {"in-sync",           do_in_sync          },
    {"sync",              do_sync             },
    {"volume-create",     do_volume_create    },
    {"volume",            do_volume           },
    {"resize",            do_resize           },
    {"clone",             do_clone            },
    {"clone-state",       do_clone_state      },
    {"clone-wait",        do_clone_wait       },
    {"resources",         do_resources        },
    {"resource",          do_resource         },
    {"view",              do_view             },
    {"monitor",           do_monitor          },
    {"place",             do_place            },
    {"autoplace",         do_autoplace        },
    {"attach",            do_attach           },
    {"detach",            do_detach           },
    {"snapshots",         do_snapshots        },
    {"snapshot",          do_snapshot         },
    {"snapshot-many",     do_snapshot_many    },
    {"snapshot-delete",   do_snapshot_delete  },
    {"rollback",          do_rollback         },
    {"restore-volumes",   do_restore_volumes  },
    {"restore-resources", do_restore_resources},
    {"sleep",             do_sleep            },
};

static int
run_function(Tool *tool)
{
    bool done = false, found = false;

    g_string_truncate(tool->out, 0);
    for (guint i = 0; i < G_N_ELEMENTS(functions) && !found; i++) {
        if (strcmp(tool->words[-1], functions[i].name) != 0)
            continue;
        found = true;
        done = functions[i].run(tool);
    }
    if (!found)
        set_error(&tool->error, ONEVOL_ERROR_USAGE, "no function '%s'", tool->words[-1]);
    if (done)
        printf("ok%s\n", tool->out->str);
    else
        printf("error %d %d %s\n", tool->error ? tool->error->code : 0,
               tool->client ? linstor_failure(tool->client) : 0,
               tool->error ? tool->error->message : "(none)");
    fflush(stdout);
    int status = done ? 0 : tool->error ? tool->error->code : 99;
    if (done == (tool->error != NULL)) /* success with an error, or failure without one */
        status = 99;
    g_clear_error(&tool->error);
    return status;
}

static int
run_all(Tool *tool, char **words)
{
    int status = 0;

    while (*words) {
        guint count = 0;
        while (words[count + 1] && strcmp(words[count + 1], ",") != 0)
            count++;
        tool->words = words + 1;
        tool->count = count;
        status = run_function(tool);
        words += count + 1;
        if (*words)
            words++;
    }
    return status;
}

int
main(int argc, char **argv)
{
    struct {
        char *controllers, *ca, *certificate, *key, *token_file;
    } words = {0};
    gboolean verbose = FALSE, dry_run = FALSE;
    gint connect_ms = 0, read_ms = 0, write_ms = 0, patience_ms = 1500;
    const GOptionEntry options[] = {
        {"controllers",       0, 0, G_OPTION_ARG_STRING, &words.controllers, NULL, NULL},
        {"ca",                  0, 0, G_OPTION_ARG_STRING, &words.ca, NULL, NULL},
        {"certificate", 0, 0, G_OPTION_ARG_STRING, &words.certificate, NULL, NULL},
        {"key",               0, 0, G_OPTION_ARG_STRING, &words.key, NULL, NULL},
        {"token-file",                0, 0, G_OPTION_ARG_STRING, &words.token_file, NULL, NULL},
        {"connect-ms",                  0, 0, G_OPTION_ARG_INT, &connect_ms, NULL, NULL},
        {"read-ms",          0, 0, G_OPTION_ARG_INT, &read_ms, NULL, NULL},
        {"write-ms",               0, 0, G_OPTION_ARG_INT, &write_ms, NULL, NULL},
        {"patience-ms",       0, 0, G_OPTION_ARG_INT, &patience_ms, NULL, NULL},
        {"verbose",                  'v', 0, G_OPTION_ARG_NONE, &verbose, NULL, NULL},
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &dry_run, NULL, NULL},
        {0              },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GPtrArray) lists = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    g_autoptr(GString) out = g_string_new(NULL);
    Tool tool = {.out = out, .lists = lists};

    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_set_strict_posix(context, TRUE);
    if (!g_option_context_parse(context, &argc, &argv, NULL))
        return ONEVOL_ERROR_USAGE;
    log_set_subject("linstortool");
    log_set_verbose(verbose);
    step_set_dry_run(dry_run);
    cancel_install();
    g_autofree char *controllers = words.controllers, *ca = words.ca, *key = words.key;
    g_autofree char *certificate = words.certificate, *token_file = words.token_file;
    LinstorSettings settings = {
        .controllers = controllers ? controllers : "localhost",
        .ca = ca,
        .certificate = certificate,
        .key = key,
        .token_file = token_file,
        .connect_ms = (unsigned)connect_ms,
        .read_ms = (unsigned)read_ms,
        .write_ms = (unsigned)write_ms,
        .patience_ms = (unsigned)patience_ms,
    };

    g_autoptr(LinstorClient) client = linstor_client_open(&settings, &tool.error);
    if (!client) {
        int code = tool.error->code;
        printf("error %d 0 %s\n", code, tool.error->message);
        g_error_free(tool.error);
        return code;
    }
    tool.client = client;
    return run_all(&tool, argv + 1);
}
