// SPDX-License-Identifier: Apache-2.0
/*
 * onevol-verify: plays oned against installed driver files in a directory of its own and compares
 * all data after every action. Run as `onevol verify`.
 */
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "verify/hypervisor.h"
#include "verify/matrix.h"
#include "verify/scenarios.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_OK, EXIT_FAILURES, EXIT_USAGE };

typedef struct Options {
    char *driver, *as, *directory, *onevol, *remotes, *release, *only, *hosts, *storage;
    char **attributes, **image_attributes, **system_attributes, **host_attributes;
    int size_mb, timeout;
    gboolean own_directories, twice, json, keep, matrix, verbose;
} Options;

static void
options_clear(Options *options)
{
    g_free(options->driver);
    g_free(options->as);
    g_free(options->directory);
    g_free(options->onevol);
    g_free(options->remotes);
    g_free(options->release);
    g_free(options->only);
    g_free(options->hosts);
    g_free(options->storage);
    g_strfreev(options->attributes);
    g_strfreev(options->image_attributes);
    g_strfreev(options->system_attributes);
    g_strfreev(options->host_attributes);
}

static void
settings_clear(Settings *settings)
{
    g_free(settings->directory);
    g_free(settings->onevol);
    g_strfreev(settings->only);
    g_strfreev(settings->hosts);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Settings, settings_clear)

static bool
parse_options(int *argc, char ***argv, Options *options, GError **error)
{
    const GOptionArg text = G_OPTION_ARG_STRING, path = G_OPTION_ARG_FILENAME;
    const GOptionArg list = G_OPTION_ARG_STRING_ARRAY;
    const GOptionArg number = G_OPTION_ARG_INT, flag = G_OPTION_ARG_NONE;
    Options *o = options;
    const GOptionEntry entries[] = {
        {"driver",           0,   0, text,   &o->driver,            "the driver to play",                      "NAME"      },
        {"directory",        0,   0, path,   &o->directory,         "where: empty, or not there yet",          "DIR"       },
        {"as",               0,   0, text,   &o->as,                "install it under another name",           "OTHER"     },
        {"onevol",           0,   0, path,   &o->onevol,            "the onevol to install",                   "PATH"      },
        {"remotes",          0,   0, path,   &o->remotes,           "driver files, instead of setup",          "DIR"       },
        {"opennebula",       0,   0, text,   &o->release,           "5.4.0 to 7.4.0 (default)",                "VERSION"   },
        {"only",             0,   0, text,   &o->only,              "these operations",                        "NAME,..."  },
        {"hosts",            0,   0, text,   &o->hosts,             "other machines, by ssh",                  "NAME,..."  },
        {"own-directories",  0,   0, flag,   &o->own_directories,   "hosts do not see DIR of this one",
         NULL                                                                                                              },
        {"storage",          0,   0, path,   &o->storage,           "volumes are devices: what tells of them", "PROGRAM"   },
        {"attribute",        0,   0, list,   &o->attributes,        "more of each datastore",                  "NAME=VALUE"},
        {"image-attribute",  0,   0, list,   &o->image_attributes,  "of image datastores",                     "NAME=VALUE"},
        {"system-attribute", 0,   0, list,   &o->system_attributes, "of system datastores",
         "NAME=VALUE"                                                                                                      },
        {"host-attribute",   0,   0, list,   &o->host_attributes,   "of a host, or of 'dead'",
         "HOST:NAME=VALUE"                                                                                                 },
        {"size",             0,   0, number, &o->size_mb,           "of images (default 256)",                 "MB"        },
        {"timeout",          0,   0, number, &o->timeout,           "of an action (default 120)",              "SECONDS"   },
        {"twice",            0,   0, flag,   &o->twice,             "run each action a second time",           NULL        },
        {"json",             0,   0, flag,   &o->json,              "one JSON document, no table",             NULL        },
        {"matrix",           0,   0, flag,   &o->matrix,            "what was played, by disk and state",      NULL        },
        {"keep",             0,   0, flag,   &o->keep,              "leave the directory as it is",            NULL        },
        {"verbose",          'v', 0, flag,   &o->verbose,           "show each command",                       NULL        },
        {NULL,               0,   0, flag,   NULL,                  NULL,                                      NULL        },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GString) summary =
        g_string_new("Plays oned against a driver, compares all data after "
                     "every action.\n\nOperations:");

    for (size_t i = 0; i < scenario_count; i++)
        g_string_append_printf(summary, "\n  %-16s %s", scenarios[i].name, scenarios[i].summary);
    g_option_context_set_summary(context, summary->str);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return false;
    if (*argc > 1)
        return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is too much", (*argv)[1]);
    if (!options->driver || !options->directory)
        return set_error(error, ONEVOL_ERROR_USAGE, "--driver and --directory are needed");
    return true;
}

static bool
known_operation(const char *name)
{
    for (size_t i = 0; i < scenario_count; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return true;
    return false;
}

/* onevol beside this program, else in PATH. */
static char *
find_onevol(void)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *directory = self ? g_path_get_dirname(self) : g_strdup(".");
    char *beside = g_build_filename(directory, "onevol", NULL);

    if (access(beside, X_OK) == 0)
        return beside;
    g_free(beside);
    return g_find_program_in_path("onevol");
}

static bool
check_name(const char *name, GError **error)
{
    return name_is_safe(name) ||
           set_error(error, ONEVOL_ERROR_USAGE, "'%s' is no driver's name", name);
}

static bool
check_hosts(char **hosts, GError **error)
{
    char here[256] = "";

    gethostname(here, sizeof here - 1);
    if (hosts && g_strv_length(hosts) < 2)
        return set_error(error, ONEVOL_ERROR_USAGE, "--hosts needs two hosts, VMs move");
    for (char **host = hosts; host && *host; host++) {
        if (!name_is_safe(*host))
            return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is no name of a host", *host);
        if (strcmp(*host, here) == 0 || strcmp(*host, "localhost") == 0)
            return set_error(error, ONEVOL_ERROR_USAGE,
                             "'%s' is this machine, the front-end: name others", *host);
    }
    return true;
}

static bool
check_attributes(char **list, bool of_hosts, GError **error)
{
    const char *form = of_hosts ? "^[^:=]+:[A-Z_0-9]+=" : "^[A-Z_0-9]+=";

    for (char **text = list; text && *text; text++)
        if (!g_regex_match_simple(form, *text, 0, 0))
            return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is no attribute: %sNAME=VALUE", *text,
                             of_hosts ? "HOST:" : "");
    return true;
}

static bool
check_storage(const Options *options, GError **error)
{
    if (options->storage && !options->hosts)
        return set_error(error, ONEVOL_ERROR_USAGE, "--storage needs --hosts: devices are there");
    if (options->own_directories && !options->storage)
        return set_error(error, ONEVOL_ERROR_USAGE, "--own-directories goes with --storage");
    return check_attributes(options->attributes, false, error) &&
           check_attributes(options->image_attributes, false, error) &&
           check_attributes(options->system_attributes, false, error) &&
           check_attributes(options->host_attributes, true, error);
}

static bool
make_settings(const Options *options, Settings *settings, Release *release, GError **error)
{
    *settings = (Settings){
        .driver = options->driver,
        .as = options->as,
        .directory = g_canonicalize_filename(options->directory, NULL),
        .onevol = options->onevol ? g_canonicalize_filename(options->onevol, NULL) : find_onevol(),
        .remotes = options->remotes,
        .only = options->only ? g_strsplit(options->only, ",", -1) : NULL,
        .hosts = options->hosts ? g_strsplit(options->hosts, ",", -1) : NULL,
        .size_mb = (guint64)options->size_mb,
        .timeout_ms = SECONDS(options->timeout),
        .twice = options->twice,
        .json = options->json,
        .matrix = options->matrix,
        .keep = options->keep,
        .verbose = options->verbose};

    if (!release_parse(options->release ? options->release : "7.4.0", release))
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "'%s' is no release of OpenNebula from 5.4.0 to 7.4.0", options->release);
    if (options->size_mb < 4 || options->size_mb > 65536 || options->timeout < 1)
        return set_error(error, ONEVOL_ERROR_USAGE, "--size is 4 to 65536, --timeout at least 1");
    for (char **name = settings->only; name && *name; name++)
        if (!known_operation(*name))
            return set_error(error, ONEVOL_ERROR_USAGE, "there is no operation '%s'", *name);
    if (!settings->remotes && !settings->onevol)
        return set_error(error, ONEVOL_ERROR_USAGE, "no onevol found: give --onevol or --remotes");
    /* TM lines of all releases are cut at blanks */
    if (strpbrk(settings->directory, " \t\n:'\"\\$`"))
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "oned cannot work in '%s': no blanks, quotes or colons",
                         settings->directory);
    return check_storage(options, error) && check_hosts(settings->hosts, error) &&
           check_name(settings->driver, error) &&
           (!settings->as || check_name(settings->as, error));
}

static bool
is_wanted(const Settings *settings, const Scenario *scenario)
{
    return !settings->only || g_strv_contains((const char *const *)settings->only, scenario->name);
}

static void
play_all(Player *player)
{
    g_mutex_lock(&player->world->lock);
    for (size_t i = 0; i < scenario_count && !cancel_requested(); i++) {
        const Scenario *scenario = &scenarios[i];
        if (!is_wanted(player->settings, scenario))
            continue;
        if (!release_from(player->world->release, scenario->since)) {
            report_not_played(player->report, scenario->name, "this release does not have it");
            continue;
        }
        player->operation = scenario->name;
        scenario->play(player);
    }
    g_mutex_unlock(&player->world->lock);
}

static bool
is_installed(const char *plane, const char *action, gpointer data)
{
    g_autofree char *program = play_program(data, plane, action);

    return program != NULL;
}

static bool
play(Player *player, GError **error)
{
    player->server = server_start(player->world, error);
    player->monitord = player->server ? monitord_start(error) : NULL;
    bool good = player->monitord && site_make(player, error) && site_make_sources(player, error);

    if (good)
        play_all(player);
    if (good) /* while the driver's files are there */
        report_set_matrix(player->report,
                          matrix_new(report_rows(player->report), player->world->release,
                                     player->world->storage != NULL, is_installed, player),
                          !player->settings->only, player->settings->matrix);
    if (player->environment && player->settings->keep)
        fprintf(stderr, "onevol verify: '%s' is kept\n", player->world->root);
    else if (player->environment)
        site_remove(player);
    server_stop(player->server);
    monitord_stop(player->monitord);
    content_forget_all();
    return good;
}

static int
play_and_report(const Settings *settings, const Options *options, const Release *release)
{
    const WorldOptions about = {.driver = settings->driver,
                                .as = settings->as,
                                .root = settings->directory,
                                .hosts = settings->hosts,
                                .storage = options->storage,
                                .own_directories = options->own_directories,
                                .attributes = options->attributes,
                                .image_attributes = options->image_attributes,
                                .system_attributes = options->system_attributes,
                                .host_attributes = options->host_attributes};
    gint64 start = g_get_monotonic_time();
    const char *name = settings->as ? settings->as : settings->driver;
    g_autoptr(GError) error = NULL;
    Player player = {.settings = settings,
                     .world = world_new(release, &about),
                     .report = report_new(settings->json),
                     .litter = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    int status = EXIT_USAGE;

    if (play(&player, &error)) {
        double seconds = (double)(g_get_monotonic_time() - start) / 1e6;
        report_finish(player.report, name, release->text, seconds);
        status = report_failures(player.report) || cancel_requested() ? EXIT_FAILURES : EXIT_OK;
        if (cancel_requested())
            fprintf(stderr, "onevol verify: stopped by a signal\n");
    } else {
        fprintf(stderr, "onevol verify: %s\n", error->message);
    }
    g_hash_table_unref(player.litter);
    g_strfreev(player.environment);
    report_free(player.report);
    world_free(player.world);
    return status;
}

int
main(int argc, char **argv)
{
    g_auto(Options) options = {.size_mb = 256, .timeout = 120};
    g_auto(Settings) settings = {0};
    g_autoptr(GError) error = NULL;
    Release release;

    int called;
    if (hypervisor_is_called(argc, argv, &called))
        return called;
    log_set_subject("verify");
    cancel_install();
    if (!parse_options(&argc, &argv, &options, &error) ||
        !make_settings(&options, &settings, &release, &error)) {
        fprintf(stderr, "onevol verify: %s\n", error->message);
        return EXIT_USAGE;
    }
    log_set_verbose(settings.verbose);
    umask(022);
    int status = play_and_report(&settings, &options, &release);
    xmlCleanupParser();
    return status;
}
