// SPDX-License-Identifier: Apache-2.0
/* The mfs backend on a mounted MooseFS: TEST_MFS is a directory there (tests/integration/on_mfs.py
 * makes one, and runs this with `--only mfs`). */
#include "fixture.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

static char *
directory(void)
{
    const char *mounted = getenv("TEST_MFS");
    return mounted ? g_build_filename(mounted, "contract", NULL) : NULL;
}

static char *
mfs_set_up(void)
{
    g_autofree char *path = directory();

    if (!path)
        return g_strdup("TEST_MFS is not set");
    test_remove_tree(path);
    return g_mkdir_with_parents(path, 0755) == 0 ? NULL : g_strdup("cannot make the datastore");
}

static void
mfs_tear_down(void)
{
    g_autofree char *path = directory();

    if (path)
        test_remove_tree(path);
}

static Datastore *
mfs_datastore(void)
{
    g_autofree char *path = directory();
    g_autofree char *text = g_strdup_printf(
        "<DATASTORE><ID>103</ID><NAME>d</NAME><TYPE>0</TYPE><BASE_PATH>%s</BASE_PATH><TEMPLATE>"
        "<MFS_GOAL>1</MFS_GOAL><MFS_TRASHTIME>0</MFS_TRASHTIME></TEMPLATE></DATASTORE>",
        path);
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), NULL);
    OneDatastore *facts = one_datastore_new(document, xml_root(document), NULL);

    return datastore_new(driver_find("moosefs"), 103, facts);
}

static char *
mfs_leftovers(void)
{
    g_autofree char *path = directory();
    return test_tree(path);
}

const Fixture fixture_mfs_raw = {
    .name = "mfs raw",
    .format = "raw",
    .set_up = mfs_set_up,
    .tear_down = mfs_tear_down,
    .datastore = mfs_datastore,
    .leftovers = mfs_leftovers,
};

const Fixture fixture_mfs_qcow2 = {
    .name = "mfs qcow2",
    .format = "qcow2",
    .set_up = mfs_set_up,
    .tear_down = mfs_tear_down,
    .datastore = mfs_datastore,
    .leftovers = mfs_leftovers,
};
