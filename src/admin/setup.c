// SPDX-License-Identifier: Apache-2.0
/*
 * setup: puts driver files into OpenNebula's remotes, one line each, and prints the text that
 * oned.conf and vmm_execrc need. No links: `onehost sync` would turn each into a copy.
 */
#include "admin/setup.h"

#include "actions/task.h"
#include "admin/conf_text.h"
#include "base/error.h"
#include "base/path.h"
#include "remote/deploy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The kernel reads so much of an interpreter line on the oldest releases that matter. */
#define INTERPRETER_LIMIT 127u

typedef struct Setup {
    const char *remotes;
    const Driver *driver;
    const char *name; /* of the directory: the driver's, or --as */
    char *line;       /* what each file holds */
    bool replace;
    struct stat owner;
    guint written;
} Setup;

static bool
is_ours(const char *path)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return false;
    text[strcspn(text, "\n ")] = '\0';
    return g_str_has_prefix(text, "#!") &&
           (g_str_has_suffix(text, "/onevol") || g_str_has_suffix(text, "/onevol/agent"));
}

static bool
write_owned(Setup *setup, const char *path, const char *text, gssize length, int mode,
            GError **error)
{
    GError *local = NULL;

    if (!g_file_set_contents_full(path, text, length, G_FILE_SET_CONTENTS_CONSISTENT, mode,
                                  &local)) {
        set_error(error, ONEVOL_ERROR_FAILED, "cannot write '%s': %s", path, local->message);
        g_error_free(local);
        return false;
    }
    if (geteuid() == 0 && chown(path, setup->owner.st_uid, setup->owner.st_gid))
        return set_error_errno(error, errno, "cannot give '%s' to OpenNebula's user", path);
    return true;
}

static bool
make_directory(Setup *setup, const char *path, GError **error)
{
    struct stat info;

    if (!stat(path, &info) && S_ISDIR(info.st_mode))
        return true;
    g_autofree char *above = g_path_get_dirname(path);
    if (!make_directory(setup, above, error))
        return false;
    if (mkdir(path, 0755))
        return set_error_errno(error, errno, "cannot make '%s'", path);
    if (geteuid() == 0 && chown(path, setup->owner.st_uid, setup->owner.st_gid))
        return set_error_errno(error, errno, "cannot give '%s' to OpenNebula's user", path);
    return true;
}

static bool
check_path(const Setup *setup, const char *path, GError **error)
{
    if (setup->replace || !g_file_test(path, G_FILE_TEST_EXISTS) || is_ours(path))
        return true;
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "'%s' is not one of ours (--replace puts ours in its place)", path);
}

static bool
check_file(const Setup *setup, const char *plane, const char *action, GError **error)
{
    g_autofree char *path = g_build_filename(setup->remotes, plane, setup->name, action, NULL);
    return check_path(setup, path, error);
}

/* All are looked at before the first is written. */
static bool
check_plane(const Setup *setup, const char *plane, const Action *actions, GError **error)
{
    for (; actions->name; actions++)
        if (!check_file(setup, plane, actions->name, error))
            return false;
    return true;
}

static bool
write_plane(Setup *setup, const char *plane, const Action *actions, GError **error)
{
    g_autofree char *directory = g_build_filename(setup->remotes, plane, setup->name, NULL);

    if (!make_directory(setup, directory, error))
        return false;
    for (; actions->name; actions++) {
        g_autofree char *path = g_build_filename(directory, actions->name, NULL);
        if (!write_owned(setup, path, setup->line, -1, 0755, error))
            return false;
        setup->written++;
    }
    return true;
}

/* OpenNebula's own actions lie in the same directory, so ours have the driver's name behind theirs.
 */
static char *
vmm_file(const Setup *setup, const Action *action)
{
    g_autofree char *name = g_strdup_printf("%s_%s", action->name, setup->name);
    return g_build_filename(setup->remotes, "vmm", "kvm", name, NULL);
}

static bool
check_vmm(const Setup *setup, GError **error)
{
    for (const Action *action = vmm_actions; setup->driver->naming->checkpoint && action->name;
         action++) {
        g_autofree char *path = vmm_file(setup, action);
        if (!check_path(setup, path, error))
            return false;
    }
    return true;
}

static bool
write_vmm(Setup *setup, GError **error)
{
    g_autofree char *directory = g_build_filename(setup->remotes, "vmm", "kvm", NULL);

    if (!setup->driver->naming->checkpoint)
        return true;
    if (!make_directory(setup, directory, error))
        return false;
    for (const Action *action = vmm_actions; action->name; action++) {
        g_autofree char *path = vmm_file(setup, action);
        if (!write_owned(setup, path, setup->line, -1, 0755, error))
            return false;
        setup->written++;
    }
    return true;
}

__asm__(".section .rodata\n"
        ".global onevol_conf\n"
        "onevol_conf: .incbin \"" ONEVOL_CONF "\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char onevol_conf[];

static bool
write_settings(Setup *setup, GError **error)
{
    g_autofree char *directory = g_build_filename(setup->remotes, "etc", "onevol", NULL);
    g_autofree char *path = g_build_filename(directory, "onevol.conf", NULL);

    if (g_file_test(path, G_FILE_TEST_EXISTS)) /* the site's own */
        return true;
    return make_directory(setup, directory, error) &&
           write_owned(setup, path, onevol_conf, -1, 0644, error);
}

/*
 * Where each host has its own storage, hosts report its space themselves: probes run
 * tm/NAME/monitor_ds there. Its interpreter is the agent, which remotes bring along (onehost sync
 * resolves links, so it is a copy).
 */
static bool
write_host_files(Setup *setup, const Installation *installation, GError **error)
{
    g_autofree char *remote = installation_remote_scripts(installation);
    g_autofree char *line = g_strdup_printf("#!%s/onevol/agent\n", remote);
    g_autofree char *directory = g_build_filename(setup->remotes, "onevol", NULL);
    g_autofree char *agent = g_build_filename(directory, "agent", NULL);
    g_autofree char *script =
        g_build_filename(setup->remotes, "tm", setup->name, "monitor_ds", NULL);
    g_autofree char *from = NULL;
    g_autofree char *content = NULL;
    struct utsname machine;
    gsize length;

    if (setup->driver->placement != PLACEMENT_HOST_LOCAL)
        return true;
    uname(&machine);
    if (!deploy_read_agent(machine.machine, &from, &content, &length, error))
        return false;
    setup->written++;
    return make_directory(setup, directory, error) &&
           write_owned(setup, agent, content, (gssize)length, 0755, error) &&
           write_owned(setup, script, line, -1, 0755, error);
}

static void
print_arguments(const char *oned_conf, const char *section, const char *const *options,
                const char *name)
{
    g_autofree char *arguments = conf_arguments_with(oned_conf, section, options, name);

    if (arguments) {
        printf("%s: the line in this section becomes\n    ARGUMENTS = \"%s\"\n", section,
               arguments);
        return;
    }
    g_autofree char *list = g_strjoinv(" and ", (char **)options);
    printf("%s: add %s to the list behind %s in ARGUMENTS\n", section, name, list);
}

/* The memory of suspended VMs goes to a volume. */
static void
print_vm_mads(const char *oned_conf, const char *name)
{
    g_autofree char *lines = conf_vm_mads(oned_conf, name);

    if (*lines)
        printf("VM_MAD: the line in these sections becomes\n%s", lines);
    else
        printf("VM_MAD of KVM: add save=save_%s,restore=restore_%s to the list behind -l in "
               "ARGUMENTS\n",
               name, name);
}

static void
print_conf(const Setup *setup, const Installation *installation, const char *oned_conf_path)
{
    g_autofree char *oned_path = oned_conf_path
                                     ? g_strdup(oned_conf_path)
                                     : g_build_filename(installation->etc, "oned.conf", NULL);
    g_autofree char *vmm_path = g_build_filename(installation->etc, "vmm_exec", "vmm_execrc", NULL);
    g_autofree char *oned_conf = NULL;
    g_autofree char *vmm_execrc = NULL;
    g_autofree char *sections = conf_sections(setup->driver, setup->name);

    g_file_get_contents(oned_path, &oned_conf, NULL, NULL);
    g_file_get_contents(vmm_path, &vmm_execrc, NULL, NULL);
    /* a pair tells oned that it may call snap_create_live */
    bool can_live = action_find(PLANE_TM, "snap_create_live") != NULL;
    g_autofree char *live =
        can_live ? conf_live_snapshots(setup->driver, setup->name, vmm_execrc) : g_strdup("");

    printf("\n== %s ==\n", oned_path);
    print_arguments(oned_conf ? oned_conf : "", "TM_MAD", (const char *const[]){"-d", NULL},
                    setup->name);
    print_arguments(oned_conf ? oned_conf : "", "DATASTORE_MAD",
                    (const char *const[]){"-d", "-s", NULL}, setup->name);
    if (setup->driver->naming->checkpoint)
        print_vm_mads(oned_conf ? oned_conf : "", setup->name);
    printf("add at the end:\n\n%s", sections);
    if (*live) {
        printf("\n== %s ==\n", vmm_path);
        if (vmm_execrc)
            printf("the line becomes\n    LIVE_DISK_SNAPSHOTS=\"%s\"\n", live);
        else
            printf("add to LIVE_DISK_SNAPSHOTS:\n    %s\n", live);
    }
    if (setup->driver->placement == PLACEMENT_HOST_LOCAL)
        printf("\nRun `onehost sync --force`: hosts report their space by a file of ours.\n");
    printf("\nThen restart OpenNebula. Existing datastores learn changed rows by "
           "`onedatastore update`.\n");
}

static bool
make_line(Setup *setup, GError **error)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    bool renamed = strcmp(setup->name, setup->driver->name) != 0;

    if (!program)
        return set_error(error, ONEVOL_ERROR_FAILED, "cannot find out where this program is");
    setup->line = g_strdup_printf("#!%s%s%s\n", program, renamed ? " " : "",
                                  renamed ? setup->driver->name : "");
    if (strlen(setup->line) > INTERPRETER_LIMIT || strpbrk(program, " \t"))
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                         "'%s' cannot stand in an interpreter line: too long, or a blank in it",
                         program);
    return true;
}

static bool
install_driver(Setup *setup, const Installation *installation, GError **error)
{
    if (stat(setup->remotes, &setup->owner) || !S_ISDIR(setup->owner.st_mode))
        return set_error(error, ONEVOL_ERROR_NOT_FOUND,
                         "'%s' is not a directory: is OpenNebula installed here?", setup->remotes);
    return check_plane(setup, "tm", tm_actions, error) &&
           check_plane(setup, "datastore", datastore_actions, error) &&
           check_file(setup, "tm", "monitor_ds", error) && check_vmm(setup, error) &&
           write_plane(setup, "tm", tm_actions, error) &&
           write_plane(setup, "datastore", datastore_actions, error) && write_vmm(setup, error) &&
           write_host_files(setup, installation, error) && write_settings(setup, error);
}

bool
setup_command(int argc, char **argv, GError **error)
{
    g_autofree char *remotes = NULL;
    g_autofree char *name = NULL;
    g_autofree char *as = NULL;
    g_autofree char *oned_conf = NULL;
    gboolean replace = FALSE;
    const GOptionEntry entries[] = {
        {"remotes",   0, 0, G_OPTION_ARG_FILENAME, &remotes,
         "OpenNebula's remotes (default: of this installation)",                                         "DIR"  },
        {"driver",    0, 0, G_OPTION_ARG_STRING,   &name,      "the driver to install",                  "NAME" },
        {"as",        0, 0, G_OPTION_ARG_STRING,   &as,        "install it under another name",          "OTHER"},
        {"oned-conf", 0, 0, G_OPTION_ARG_FILENAME, &oned_conf,
         "the oned.conf to read the lists from",                                                         "FILE" },
        {"replace",   0, 0, G_OPTION_ARG_NONE,     &replace,   "replace driver files that are not ours",
         NULL                                                                                                   },
        {NULL,        0, 0, 0,                     NULL,       NULL,                                     NULL   },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) words = NULL;

    g_option_context_set_summary(context,
                                 "Writes a driver's files and prints what oned.conf needs.");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &words))
        return set_error(error, ONEVOL_ERROR_USAGE, "setup: %s", words->message);
    if (argc > 1)
        return set_error(error, ONEVOL_ERROR_USAGE, "setup: what is '%s'?", argv[1]);
    if (!name)
        return set_error(error, ONEVOL_ERROR_USAGE, "setup needs --driver NAME");
    if (as && (!name_is_safe(as) || strpbrk(as, ".-@=:+")))
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "'%s' cannot be a driver's name: letters, digits and _ only", as);

    g_autoptr(Installation) installation = installation_find(remotes);
    Setup setup = {
        .remotes = installation->remotes,
        .driver = driver_find(name),
        .name = as ? as : name,
        .replace = replace,
    };
    if (!setup.driver)
        return set_error(error, ONEVOL_ERROR_USAGE, "there is no driver '%s'", name);
    bool done = make_line(&setup, error) && install_driver(&setup, installation, error);
    g_free(setup.line);
    if (!done)
        return false;
    printf("%u driver files of '%s' are in %s\n", setup.written, setup.name, setup.remotes);
    print_conf(&setup, installation, oned_conf);
    return true;
}
