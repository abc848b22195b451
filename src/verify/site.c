// SPDX-License-Identifier: Apache-2.0
/*
 * The files of a self-contained OpenNebula (ONE_LOCATION) below --directory, and the sources that
 * images are made of.
 */
#include "base/argv.h"
#include "base/command.h"
#include "base/error.h"
#include "verify/content.h"
#include "verify/hypervisor.h"
#include "verify/iso.h"
#include "verify/play.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
write_file(const char *directory, const char *name, const char *text, GError **error)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);

    if (g_mkdir_with_parents(parent, 0755) != 0)
        return set_error_errno(error, errno, "cannot make '%s'", parent);
    return g_file_set_contents(path, text, -1, error);
}

/* What `onevol setup` of the tested build installs, or a tree that somebody else has made. */
static bool
install_driver(const Player *player, GError **error)
{
    const Settings *settings = player->settings;
    g_autofree char *remotes = g_build_filename(player->world->var, "remotes", NULL);
    const CommandOptions options = {.timeout_ms = SECONDS(60),
                                    .set = (const char *const *)player->environment};

    if (settings->remotes) {
        g_autofree char *content = g_strconcat(settings->remotes, "/.", NULL);
        g_autoptr(Argv) argv = argv_new("cp", "-a", "--", content, remotes);
        return command_check(argv, &options, NULL, error);
    }
    g_autoptr(Argv) argv =
        argv_new(settings->onevol, "setup", "--remotes", remotes, "--driver", settings->driver);
    if (settings->as)
        argv_add(argv, "--as", settings->as);
    return command_check(argv, &options, NULL, error);
}

static bool
write_configuration(const Player *player, GError **error)
{
    const World *world = player->world;
    g_autofree char *etc = g_build_filename(world->root, "etc", NULL);
    g_autofree char *config = g_strdup_printf(
        "API_LIST_ORDER=DESC\nDATASTORE_CAPACITY_CHECK=yes\nDATASTORE_LOCATION=%s\n"
        "DEFAULT_DEVICE_PREFIX=sd\nHOSTNAME=%s\nPORT=%u\nSCRIPTS_REMOTE_DIR=%s/remotes\n"
        "TM_MAD=ARGUMENTS=-t 15 -d dummy,%s,EXECUTABLE=one_tm\nVM_SUBMIT_ON_HOLD=NO\n",
        world->store_text, world->frontend->name, server_port(player->server), world->var,
        world->driver);
    g_autofree char *monitord = g_strdup_printf(
        "LOG = [ SYSTEM = \"file\", DEBUG_LEVEL = 3 ]\n\nNETWORK = [\n"
        "    ADDRESS         = \"0.0.0.0\",\n    MONITOR_ADDRESS = \"auto\",\n"
        "    PORT            = %u,\n    THREADS         = 8,\n    PUBKEY          = \"\",\n"
        "    PRIKEY          = \"\"\n]\n",
        monitord_port(player->monitord));

    return write_file(world->var, "config", config, error) &&
           write_file(world->var, ".one/one_auth", SERVER_SESSION "\n", error) &&
           write_file(etc, "monitord.conf", monitord, error) &&
           /* admins may have more file systems here; these are the shipped ones */
           (g_str_has_prefix(world->release->text, "5.") ||
            write_file(world->var, "remotes/etc/datastore/datastore.conf",
                       "SUPPORTED_FS=\"ext2,ext3,ext4,xfs\"\nFS_OPTS_ext4=\"-F\"\n", error));
}

static char **
child_environment(const Player *player, GError **error)
{
    const World *world = player->world;
    GPtrArray *list = g_ptr_array_new();

    g_ptr_array_add(list, g_strdup_printf("ONE_LOCATION=%s", world->root));
    g_ptr_array_add(
        list, g_strdup_printf("ONE_XMLRPC=http://127.0.0.1:%u/RPC2", server_port(player->server)));
    g_ptr_array_add(list, g_strdup_printf("ONE_AUTH=%s/.one/one_auth", world->var));
    g_ptr_array_add(list, g_strdup_printf("HOME=%s", world->var));
    g_ptr_array_add(list, g_strdup_printf("ONEVOL_STATE_DIR=%s/state", world->root));
    bool good = hypervisor_make(world, list, error);
    g_ptr_array_add(list, NULL);
    char **environment = (char **)g_ptr_array_free(list, FALSE);
    if (!good)
        g_clear_pointer(&environment, g_strfreev);
    return environment;
}

/* An existing directory is used only when it is empty: at the end things below it are removed. */
static bool
require_empty(const char *path, bool *made, GError **error)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name = directory ? g_dir_read_name(directory) : NULL;

    if (name)
        return set_error(error, ONEVOL_ERROR_USAGE, "'%s' is not empty, it has '%s' in it", path,
                         name);
    if (!directory && g_mkdir_with_parents(path, 0700) != 0)
        return set_error_errno(error, errno, "cannot make '%s'", path);
    *made = directory == NULL;
    return true;
}

/* A host has nothing at that path yet, and gets an empty datastores/. */
static bool
occupy(const World *world, const Host *host, GError **error)
{
    g_autofree char *root = g_shell_quote(world->root);
    g_autofree char *store = g_shell_quote(world->store);

    return host_sh(host, NULL, error,
                   "[ ! -e %s ] || [ -z \"$(ls -A %s)\" ] || { echo '%s is not empty'; exit 1; }; "
                   "mkdir -p %s",
                   root, root, world->root, store);
}

static void
site_leave(const Host *host, const char *root)
{
    g_autofree char *quoted = g_shell_quote(root);

    if (host->ours)
        (void)host_sh(host, NULL, NULL, "rm -rf %s/var; rmdir %s", quoted, quoted);
}

/* Whether a host sees what the front-end puts into datastores/, and is to see it or not. */
static bool
probe(const World *world, Host *host, const char *file, GError **error)
{
    bool seen = host_exists(host, file);

    if (seen && world->separate)
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "host '%s' sees the front-end's '%s', but driver '%s' is for hosts with "
                         "disks of their own",
                         host->name, world->root, world->driver);
    if (!seen && !world->separate)
        return set_error(error, ONEVOL_ERROR_USAGE,
                         "host '%s' does not see the front-end's '%s', which driver '%s' needs",
                         host->name, world->root, world->driver);
    host->ours = !seen && occupy(world, host, error);
    return seen || host->ours;
}

/* After the front-end's own directories. */
static bool
connect_hosts(const World *world, GError **error)
{
    g_autofree char *file = g_build_filename(world->store, ".onevol-verify", NULL);
    bool good = g_file_set_contents(file, "", 0, error);

    for (guint i = 0; good && i < world->hosts->len; i++) {
        Host *host = world->hosts->pdata[i];
        if (!host->local && host != world->dead)
            good = host_connect(host, error) && probe(world, host, file, error);
    }
    (void)remove(file);
    return good;
}

bool
site_make(Player *player, GError **error)
{
    const World *world = player->world;
    const char *const directories[] = {world->store, world->sources, world->elsewhere};

    if (!require_empty(world->root, &player->made_root, error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(directories); i++)
        if (g_mkdir_with_parents(directories[i], 0755) != 0)
            return set_error_errno(error, errno, "cannot make '%s'", directories[i]);
    content_set_scratch(world->elsewhere);
    player->environment = child_environment(player, error);
    if (!player->environment || !connect_hosts(world, error))
        return false;
    g_autofree char *state = g_build_filename(world->root, "state", NULL);
    g_autofree char *remotes = g_build_filename(world->var, "remotes", NULL);
    if (g_mkdir_with_parents(state, 0700) != 0 || g_mkdir_with_parents(remotes, 0755) != 0)
        return set_error_errno(error, errno, "cannot make '%s'", remotes);
    /* setup looks for SCRIPTS_REMOTE_DIR in oned's configuration; a foreign tree has a VERSION */
    return write_configuration(player, error) && install_driver(player, error) &&
           write_file(world->var, "remotes/VERSION", world->release->text, error);
}

static void
add_text(GHashTable *files, const char *name, const char *content)
{
    g_hash_table_replace(files, g_strdup(name), g_bytes_new(content, strlen(content)));
}

bool
site_make_sources(Player *player, GError **error)
{
    const World *world = player->world;
    guint64 bytes = player->settings->size_mb * MEBIBYTE;
    g_autofree char *base = g_build_filename(world->sources, "base.img", NULL);
    g_autofree char *base_qcow2 = g_build_filename(world->sources, "base.qcow2", NULL);
    g_autofree char *odd = g_build_filename(world->sources, "odd.img", NULL);
    g_autofree char *iso = g_build_filename(world->sources, "cd.iso", NULL);
    g_autofree char *kernel = g_build_filename(world->sources, "vmlinuz", NULL);
    g_autofree char *ramdisk = g_build_filename(world->sources, "initrd.img", NULL);
    g_autofree char *outside = g_build_filename(world->elsewhere, "secret.img", NULL);
    g_autoptr(GHashTable) files =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);

    add_text(files, "README.TXT", "a disc for guests\n");
    return content_make_raw(base, bytes, MEBIBYTE, 1, error) &&
           content_make_qcow2(base_qcow2, base, error) &&
           content_make_raw(odd, 3 * MEBIBYTE + 513, 65536, 2, error) &&
           iso_make(iso, "INSTALL", files, error) &&
           content_make_raw(kernel, 300000, 290000, 3, error) &&
           content_make_raw(ramdisk, 500001, 400000, 4, error) &&
           content_make_raw(outside, MEBIBYTE, 65536, 5, error) &&
           write_file(world->sources, "init.sh", "#!/bin/sh\necho 'hello'\n", error);
}

void
site_remove(const Player *player)
{
    static const char *const ours[] = {"var", "etc", "state", "sources", "elsewhere", NULL};

    for (const char *const *name = ours; *name; name++) {
        g_autofree char *path = g_build_filename(player->world->root, *name, NULL);
        (void)host_remove(player->world->frontend, path, NULL);
    }
    for (guint i = 0; i < player->world->hosts->len; i++)
        site_leave(player->world->hosts->pdata[i], player->world->root);
    if (player->made_root)
        (void)rmdir(player->world->root);
}
