// SPDX-License-Identifier: Apache-2.0
/* The file backend, through driver reflink, in a directory of the test. */
#include "fixture.h"
#include "test.h"

#include <string.h>

static char *
directory(void)
{
    return test_path("datastore");
}

static char *
file_set_up(void)
{
    g_autofree char *path = test_directory("datastore");
    return NULL;
}

static void
file_tear_down(void)
{
    g_autofree char *path = directory();
    test_remove_tree(path);
}

static Datastore *
file_datastore(void)
{
    g_autofree char *path = directory();
    g_autofree char *text = g_strdup_printf("<DATASTORE><ID>103</ID><NAME>d</NAME><TYPE>0</TYPE>"
                                            "<BASE_PATH>%s</BASE_PATH><TEMPLATE/></DATASTORE>",
                                            path);
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), NULL);
    OneDatastore *facts = one_datastore_new(document, xml_root(document), NULL);

    return datastore_new(driver_find("reflink"), 103, facts);
}

static char *
file_leftovers(void)
{
    g_autofree char *path = directory();
    return test_tree(path);
}

const Fixture fixture_file_raw = {
    .name = "file raw",
    .format = "raw",
    .set_up = file_set_up,
    .tear_down = file_tear_down,
    .datastore = file_datastore,
    .leftovers = file_leftovers,
};

const Fixture fixture_file_qcow2 = {
    .name = "file qcow2",
    .format = "qcow2",
    .set_up = file_set_up,
    .tear_down = file_tear_down,
    .datastore = file_datastore,
    .leftovers = file_leftovers,
};
