// SPDX-License-Identifier: Apache-2.0
/*
 * The linstor backend against the controller simulator, whose volumes are files, or loop devices
 * where root runs it. This machine is one of its nodes, and has a replica or not.
 *
 * $TEST_LINSTOR_REST is the version that it plays.
 */
#include "backends/linstor/calls.h"
#include "backends/linstor/devices.h"
#include "base/command.h"
#include "fixture.h"
#include "test.h"

#include <jansson.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static CommandChild simulator = {.in = -1, .out = -1, .err = -1};
static char *devices, *controllers;

static void
tear_down(void)
{
    int status;

    if (simulator.pid <= 0)
        return;
    close(simulator.in); /* it ends with its stdin */
    command_reap(simulator.pid, &status, SECONDS(10));
    close(simulator.out);
    close(simulator.err);
    simulator = (CommandChild){.in = -1, .out = -1, .err = -1};
    test_remove_tree(devices);
    g_clear_pointer(&devices, g_free);
    g_clear_pointer(&controllers, g_free);
}

static bool
read_ports(void)
{
    char line[4096];
    gsize length = 0;

    while (length < sizeof line - 1 && read(simulator.out, line + length, 1) == 1 &&
           line[length] != '\n')
        length++;
    line[length] = '\0';
    json_t *facts = json_loads(line, 0, NULL);
    json_int_t port = json_integer_value(json_array_get(json_object_get(facts, "ports"), 0));
    json_decref(facts);
    controllers = g_strdup_printf("http://127.0.0.1:%d", (int)port);
    return port > 0;
}

/* Three nodes, of which this machine is the last: it has no replica of what goes to the first two.
 * All fixtures share them. */
static char *
set_up(void)
{
    g_autofree char *program = test_source("linstor-sim/linstor-sim");
    const char *version = g_getenv("TEST_LINSTOR_REST");
    CommandOptions options = {.timeout_ms = SECONDS(3600)};

    if (simulator.pid > 0)
        return NULL;
    devices = test_directory("linstor");
    g_autoptr(Argv) argv =
        argv_new(program, "--with-stdin", "--rest", version ? version : "1.27.0", "--nodes", "2",
                 "--node", g_get_host_name(), "--pools", "thin:LVM_THIN:1024", "--pools",
                 "thick:LVM:1024", "--group", "rg", "--devices", devices);
    if (geteuid() == 0)
        argv_add(argv, "--loop");
    if (!command_start(argv, &options, &simulator, NULL) || !read_ports())
        return g_strdup("the simulator does not start");
    g_autofree char *here = g_build_filename(devices, g_get_host_name(), NULL);
    linstor_devices_are_in(g_intern_string(here));
    return NULL;
}

static Datastore *
datastore_of(const char *driver, int type, const char *attributes)
{
    g_autofree char *text =
        g_strdup_printf("<DATASTORE><ID>103</ID><NAME>d</NAME><TYPE>%d</TYPE>"
                        "<BASE_PATH>/var/lib/one/datastores/103</BASE_PATH><TEMPLATE>%s"
                        "<LS_CONTROLLERS>%s</LS_CONTROLLERS>"
                        "<LINSTOR_CONTROLLERS>%s</LINSTOR_CONTROLLERS></TEMPLATE></DATASTORE>",
                        type, attributes, controllers, controllers);
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), NULL);
    OneDatastore *facts = one_datastore_new(document, xml_root(document), NULL);

    return datastore_new(driver_find(driver), 103, facts);
}

static bool
add_name(LinstorDefinition *definition, void *user, G_GNUC_UNUSED GError **error)
{
    g_string_append_printf(user, "%s\n", definition->name);
    return true;
}

static void
write_names(int fd)
{
    const LinstorSettings settings = {.controllers = controllers};
    LinstorClient *client = linstor_client_open(&settings, NULL);
    g_autoptr(GString) names = g_string_new(NULL);

    if (!client || !linstor_definitions(client, NULL, NULL, add_name, names, NULL))
        g_string_append(names, "the simulator does not answer\n");
    (void)!write(fd, names->str, names->len);
    linstor_client_free(client);
}

/* In a child: calls are steps, which are counted for a process. */
static char *
leftovers(void)
{
    char text[4096];
    int ends[2], status;
    gsize length = 0;
    gssize got;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        write_names(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    while (length < sizeof text - 1 &&
           (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
        length += (gsize)got;
    close(ends[0]);
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    return g_strndup(text, length);
}

/* LINBIT's names: images and what is made from them lie in an image datastore. */

static char *
linbit_volume(gint64 id)
{
    return g_strdup_printf("OpenNebula-Image-7-vm%d-disk0", (int)id);
}

static Datastore *
linbit_datastore(void)
{
    return datastore_of("linstor", 0, "<LINSTOR_RESOURCE_GROUP>rg</LINSTOR_RESOURCE_GROUP>");
}

/* linstor_un's: VMs' disks lie in a system datastore. */

static char *
un_volume(gint64 id)
{
    return g_strdup_printf("one-vm-%d-disk-0", (int)id);
}

static Datastore *
un_copy_datastore(void)
{
    return datastore_of("linstor_un", 1,
                        "<REPLICA_COUNT>2</REPLICA_COUNT><STORAGE_POOL>thin</STORAGE_POOL>");
}

static Datastore *
un_snapshot_datastore(void)
{
    return datastore_of("linstor_un", 1,
                        "<RESOURCE_GROUP>rg</RESOURCE_GROUP><CLONE_MODE>snapshot</CLONE_MODE>");
}

static Datastore *
un_nodes_datastore(void)
{
    return datastore_of("linstor_un", 1,
                        "<NODE_LIST>kvm1 kvm2</NODE_LIST><STORAGE_POOL>thick</STORAGE_POOL>");
}

const Fixture fixture_linstor_raw = {
    .name = "linstor raw",
    .format = "raw",
    .every = 2,
    .set_up = set_up,
    .tear_down = tear_down,
    .datastore = linbit_datastore,
    .leftovers = leftovers,
    .volume = linbit_volume,
};

const Fixture fixture_linstor_qcow2 = {
    .name = "linstor qcow2",
    .format = "qcow2",
    .every = 5,
    .set_up = set_up,
    .tear_down = tear_down,
    .datastore = linbit_datastore,
    .leftovers = leftovers,
    .volume = linbit_volume,
};

const Fixture fixture_linstor_un_copy = {
    .name = "linstor_un by copy",
    .format = "raw",
    .every = 5,
    .set_up = set_up,
    .tear_down = tear_down,
    .datastore = un_copy_datastore,
    .leftovers = leftovers,
    .volume = un_volume,
};

const Fixture fixture_linstor_un_snapshot = {
    .name = "linstor_un by snapshot",
    .format = "raw",
    .every = 3,
    .set_up = set_up,
    .tear_down = tear_down,
    .datastore = un_snapshot_datastore,
    .leftovers = leftovers,
    .volume = un_volume,
};

const Fixture fixture_linstor_un_thick = {
    .name = "linstor_un on thick pools",
    .format = "raw",
    .every = 6,
    .set_up = set_up,
    .tear_down = tear_down,
    .datastore = un_nodes_datastore,
    .no_snapshots = true,
    .leftovers = leftovers,
    .volume = un_volume,
};
