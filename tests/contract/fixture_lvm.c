// SPDX-License-Identifier: Apache-2.0
/* The lvm backend in its three modes, in the empty volume group that ONEVOL_LAB_VG names: in a
 * guest of tests/lab (`on_lvm.py BUILD contract --only lvm`), never on a machine in use. */
#include "drivers/rows.h"
#include "fixture.h"
#include "test.h"

#include "base/command.h"

#include <stdlib.h>
#include <string.h>

static const char *
group(void)
{
    return getenv("ONEVOL_LAB_VG");
}

/* All LVs, hidden ones too, one a line. */
static char *
names(void)
{
    g_autoptr(Argv) argv =
        argv_new("lvs", "--all", "--noheadings", "--options", "lv_name", group());
    CommandOptions options = {.timeout_ms = SECONDS(60)};
    char *out = NULL;

    if (!command_check(argv, &options, &out, NULL))
        return g_strdup("lvs failed\n");
    return g_strchug(out);
}

/* Old data of somebody else: what a volume reads that nobody wrote to must not be this. More than
 * all volumes of a case take, and LVM takes the first that is free. */
static bool
soil(void)
{
    g_autofree char *device = g_strdup_printf("/dev/%s/soil", group());
    g_autoptr(Argv) create = argv_new("lvcreate", "--yes", "--wipesignatures", "n", "--size", "96m",
                                      "--name", "soil", group());
    g_autoptr(Argv) fill =
        argv_new("dd", "if=/dev/urandom", "bs=1M", "oflag=direct", "status=none", "count=96");
    g_autoptr(Argv) remove = argv_new("lvremove", "--yes", device);
    CommandOptions options = {.timeout_ms = SECONDS(300)};

    argv_addf(fill, "of=%s", device);
    return command_check(create, &options, NULL, NULL) &&
           command_check(fill, &options, NULL, NULL) && command_check(remove, &options, NULL, NULL);
}

static char *
lvm_set_up(void)
{
    if (!group())
        return g_strdup("ONEVOL_LAB_VG is not set");
    g_autofree char *left = names();
    if (*left)
        return g_strdup("the volume group is not empty");
    return soil() ? NULL : g_strdup("cannot write to the volume group");
}

static void
lvm_tear_down(void)
{
}

static Datastore *
lvm_datastore(const char *mode)
{
    g_autofree char *text = g_strdup_printf(
        "<DATASTORE><ID>103</ID><NAME>d</NAME><TYPE>0</TYPE><BASE_PATH>/d</BASE_PATH><TEMPLATE>"
        "<VG_NAME>%s</VG_NAME><BRIDGE_LIST>localhost</BRIDGE_LIST><LVM_MODE>%s</LVM_MODE>"
        "</TEMPLATE></DATASTORE>",
        group(), mode);
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), NULL);
    OneDatastore *facts = one_datastore_new(document, xml_root(document), NULL);

    return datastore_new(&driver_clvm, 103, facts);
}

static Datastore *
thick_datastore(void)
{
    return lvm_datastore("THICK");
}

static Datastore *
snapshot_datastore(void)
{
    return lvm_datastore("SNAPSHOT");
}

static Datastore *
thin_datastore(void)
{
    return lvm_datastore("THIN");
}

/* One is a prefix of another: VM 1 and VM 10. */
static char *
lvm_volume(gint64 id)
{
    static const char *const volumes[] = {"onevol-vm-1-1", "onevol-vm-1-0", "onevol-vm-1-10",
                                          "onevol-vm-10-1"};
    return g_strdup(volumes[id]);
}

const Fixture fixture_lvm_thick = {
    .name = "lvm thick",
    .format = "raw",
    .volume = lvm_volume,
    .every = 2,
    .set_up = lvm_set_up,
    .tear_down = lvm_tear_down,
    .datastore = thick_datastore,
    .leftovers = names,
};

const Fixture fixture_lvm_snapshot = {
    .name = "lvm snapshot",
    .format = "raw",
    .volume = lvm_volume,
    .every = 2,
    .set_up = lvm_set_up,
    .tear_down = lvm_tear_down,
    .datastore = snapshot_datastore,
    .leftovers = names,
};

const Fixture fixture_lvm_thin = {
    .name = "lvm thin",
    .format = "raw",
    .volume = lvm_volume,
    .every = 2,
    .set_up = lvm_set_up,
    .tear_down = lvm_tear_down,
    .datastore = thin_datastore,
    .leftovers = names,
};
