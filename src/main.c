// SPDX-License-Identifier: Apache-2.0
/*
 * onevol: run by OpenNebula through one-line files, whose interpreter it is, or by hand.
 *
 *   #!/usr/bin/onevol         → argv: onevol FILE ARGUMENTS…
 *   #!/usr/bin/onevol DRIVER  → argv: onevol DRIVER FILE ARGUMENTS…   (under another name)
 *   onevol COMMAND …
 */
#include "actions/task.h"
#include "admin/activate.h"
#include "admin/doctor.h"
#include "admin/setup.h"
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "core/driver.h"
#include "one/installation.h"
#include "one/report.h"
#include "one/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What an action printed must have arrived, or it did not succeed. */
static bool
flush_answer(GError **error)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    return set_error_errno(error, errno, "cannot write the answer");
}

static int
finish(bool done, GError *error)
{
    hosts_close();
    if (step_is_dry_run())
        log_info("dry run: %u steps looked at, nothing was changed", step_count());
    if (done)
        return EXIT_SUCCESS;
    int status = report_failure(error);
    g_error_free(error);
    return status;
}

static int
run_request(Request *request, bool by_oned)
{
    g_autoptr(Installation) installation = installation_find(request->remotes);
    GError *error = NULL;

    report_begin(by_oned ? report_contract(installation->version) : REPORT_LINES, request->action);
    int status = EXIT_SUCCESS;
    bool done = task_run(request, installation, &status, &error) && flush_answer(&error);
    int ours = finish(done, error);
    return done ? status : ours;
}

static int
run_file(const char *path, const char *driver, char **arguments)
{
    GError *error = NULL;
    g_autoptr(Request) request = request_of_file(path, driver, arguments, &error);

    return request ? run_request(request, true) : finish(false, error);
}

static int
run_plane(int argc, char **argv)
{
    GError *error = NULL;

    if (argc < 3) {
        set_error(&error, ONEVOL_ERROR_USAGE, "%s needs DRIVER ACTION ARGUMENTS...", argv[0]);
        return finish(false, error);
    }
    g_autoptr(Request) request = request_by_hand(argv[0], argv[1], argv[2], argv + 3, &error);
    return request ? run_request(request, false) : finish(false, error);
}

static int
run_setup(int argc, char **argv)
{
    GError *error = NULL;

    bool done = setup_command(argc, argv, &error) && flush_answer(&error);
    return finish(done, error);
}

static int
run_doctor(int argc, char **argv)
{
    GError *error = NULL;

    bool done = doctor_command(argc, argv, &error) && flush_answer(&error);
    return finish(done, error);
}

static int
run_activate(int argc, char **argv)
{
    GError *error = NULL;

    bool done = activate_command(argc, argv, &error) && flush_answer(&error);
    return finish(done, error);
}

/* verify is a program of its own: it alone plays an HTTP server. It lies elsewhere when installed,
 * and is told whom to drive; a later --onevol of the caller's wins. */
static int
run_verify(G_GNUC_UNUSED int argc, char **argv)
{
    GError *error = NULL;
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *directory = g_path_get_dirname(self ? self : ".");
    g_autofree char *beside = g_build_filename(directory, "onevol-verify", NULL);
    const char *const candidates[] = {beside, ONEVOL_LIBEXECDIR "/onevol-verify", NULL};
    g_autoptr(Argv) words = argv_new(argv[0], "--onevol", self ? self : "onevol");

    argv_add_strv(words, (const char *const *)argv + 1);
    for (const char *const *candidate = candidates; *candidate; candidate++)
        execv(*candidate, (char *const *)argv_words(words));
    set_error_errno(&error, errno, "cannot run '%s'", candidates[1]);
    return finish(false, error);
}

static void
print_actions(const char *plane, const Action *actions)
{
    for (; actions->name; actions++)
        printf("  %-9s  %-10s %s\n", plane, actions->name, actions->arguments);
}

static int
run_drivers(G_GNUC_UNUSED int argc, G_GNUC_UNUSED char **argv)
{
    for (const Driver *const *driver = drivers; *driver; driver++) {
        printf("%s: %s\n", (*driver)->name, (*driver)->title);
        for (const DriverAttribute *a = (*driver)->attributes; a->name; a++)
            printf("  %-25s %s (default: %s)\n", a->name, a->meaning, a->otherwise);
    }
    printf("\nactions:\n");
    print_actions("tm", tm_actions);
    print_actions("datastore", datastore_actions);
    print_actions("vmm", vmm_actions);
    return finish(true, NULL);
}

static int
run_version(G_GNUC_UNUSED int argc, G_GNUC_UNUSED char **argv)
{
    printf("onevol %s\n", ONEVOL_VERSION);
    return finish(true, NULL);
}

static const struct {
    const char *name, *usage;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"setup",     "install a driver into OpenNebula's remotes",        run_setup   },
    {"doctor",    "look on all hosts for what datastores need",        run_doctor  },
    {"activate",  "HOST... was booted: give it its volumes again",     run_activate},
    {"verify",    "drive every action as oned does, and compare data", run_verify  },
    {"drivers",   "list drivers, their attributes and actions",        run_drivers },
    {"tm",        "DRIVER ACTION ARGUMENTS... by hand",                run_plane   },
    {"datastore", "DRIVER ACTION ARGUMENTS... by hand",                run_plane   },
    {"vmm",       "HYPERVISOR ACTION ARGUMENTS... by hand",            run_plane   },
    {"version",   "print the version",                                 run_version },
};

static char *
command_list(void)
{
    g_autoptr(GString) text = g_string_new("Commands:\n");

    for (guint i = 0; i < G_N_ELEMENTS(commands); i++)
        g_string_append_printf(text, "  %-10s %s\n", commands[i].name, commands[i].usage);
    g_string_append(text, "\n`onevol COMMAND --help` tells more of setup and verify.");
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static int
run_command(int argc, char **argv)
{
    gboolean verbose = FALSE, dry_run = FALSE;
    const GOptionEntry entries[] = {
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "show each step, command and time", NULL},
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &dry_run, "show what would be changed, only", NULL},
        {NULL,      0,   0, 0,                 NULL,     NULL,                               NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("COMMAND ...");
    g_autofree char *list = command_list();
    GError *error = NULL;
    GError *words = NULL;

    g_option_context_set_summary(context, "Storage drivers for OpenNebula.");
    g_option_context_set_description(context, list);
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_strict_posix(context, TRUE); /* what follows COMMAND is its own */
    if (!g_option_context_parse(context, &argc, &argv, &words)) {
        set_error(&error, ONEVOL_ERROR_USAGE, "%s", words->message);
        g_error_free(words);
        return finish(false, error);
    }
    if (argc > 1 && !strcmp(argv[1], "--")) {
        argv++;
        argc--;
    }
    log_set_verbose(verbose);
    step_set_dry_run(dry_run);
    for (guint i = 0; argc > 1 && i < G_N_ELEMENTS(commands); i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    if (argc > 1)
        set_error(&error, ONEVOL_ERROR_USAGE, "'%s' is no command; `onevol --help` lists them",
                  argv[1]);
    else
        set_error(&error, ONEVOL_ERROR_USAGE, "which command? `onevol --help` lists them");
    return finish(false, error);
}

int
main(int argc, char **argv)
{
    cancel_install();
    command_extend_path();
    if (argc >= 2 && strchr(argv[1], '/'))
        return run_file(argv[1], NULL, argv + 2);
    if (argc >= 3 && strchr(argv[2], '/') && driver_find(argv[1]))
        return run_file(argv[2], argv[1], argv + 3);
    return run_command(argc, argv);
}
