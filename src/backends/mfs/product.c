// SPDX-License-Identifier: Apache-2.0
#include "backends/mfs/product.h"

#include "base/error.h"

#include <string.h>

/* Options: -o overwrites, -n prints plain numbers, -d is for directories. */
typedef struct Tool {
    const char *programs[3]; /* the first that is there */
    const char *words[4];
} Tool;

typedef struct Product {
    const char *driver, *program; /* the program tells that the product is there */
    Tool tools[MFS_TOOLS];
} Product;

/* src/tools/tools_commands.cc of LizardFS 3.12 and SaunaFS 4; mfsclient/mfstools.c of MooseFS 3,
 * whose names LizardFS before 3.11 has too (but setgoal and repquota for sclass and getquota). */
static const Product products[] = {
    {"lizardfs",
     "lizardfs",        {
         [MFS_SNAPSHOT] = {{"lizardfs"}, {"makesnapshot", "-o"}},
         [MFS_SET_GOAL] = {{"lizardfs"}, {"setgoal"}},
         [MFS_GET_GOAL] = {{"lizardfs"}, {"getgoal"}},
         [MFS_SET_TRASHTIME] = {{"lizardfs"}, {"settrashtime"}},
         [MFS_QUOTA_ONE] = {{"lizardfs"}, {"repquota", "-n", "-d"}},
         [MFS_INFO] = {{"lizardfs"}, {"dirinfo", "-n"}},
     }       },
    {"moosefs",
     "mfsmakesnapshot", {
         [MFS_SNAPSHOT] = {{"mfsmakesnapshot"}, {"-o"}},
         [MFS_SET_GOAL] = {{"mfssetsclass", "mfssetgoal"}, {NULL}},
         [MFS_GET_GOAL] = {{"mfsgetsclass", "mfsgetgoal"}, {NULL}},
         [MFS_SET_TRASHTIME] = {{"mfssettrashtime"}, {NULL}},
         [MFS_QUOTA] = {{"mfsgetquota"}, {"-n"}},
         [MFS_INFO] = {{"mfsdirinfo"}, {"-n"}},
     }},
    {"saunafs",
     "saunafs",         {
         [MFS_SNAPSHOT] = {{"saunafs"}, {"makesnapshot", "-o"}},
         [MFS_SET_GOAL] = {{"saunafs"}, {"setgoal"}},
         [MFS_GET_GOAL] = {{"saunafs"}, {"getgoal"}},
         [MFS_SET_TRASHTIME] = {{"saunafs"}, {"settrashtime"}},
         [MFS_QUOTA_ONE] = {{"saunafs"}, {"repquota", "-n", "-d"}},
         [MFS_INFO] = {{"saunafs"}, {"dirinfo", "-n"}},
     }        },
};

static const Product *
product_by_program(const char *program)
{
    for (guint i = 0; i < G_N_ELEMENTS(products); i++)
        if (!strcmp(products[i].program, program))
            return &products[i];
    return NULL;
}

/* The driver's own product first, then the others in the table's order. */
static char *
ask_host(Host *host, const char *driver, GError **error)
{
    const char *names[G_N_ELEMENTS(products) + 1] = {NULL};
    guint count = 0;

    for (guint i = 0; i < G_N_ELEMENTS(products); i++)
        if (!strcmp(products[i].driver, driver))
            names[count++] = products[i].program;
    for (guint i = 0; i < G_N_ELEMENTS(products); i++)
        if (strcmp(products[i].driver, driver) != 0)
            names[count++] = products[i].program;
    return host_find_program(host, names, error);
}

static const Product *
product_of(Host *host, const char *driver, GError **error)
{
    static GHashTable *known; /* Host → Product; hosts live as long as the process */
    const Product *product = known ? g_hash_table_lookup(known, host) : NULL;

    if (product)
        return product;
    g_autofree char *program = ask_host(host, driver, error);
    if (!program)
        return NULL;
    product = product_by_program(program);
    if (!product) {
        set_error(
            error, ONEVOL_ERROR_NOT_FOUND,
            "host '%s' has none of the programs lizardfs, mfsmakesnapshot and saunafs in PATH",
            host_name(host));
        return NULL;
    }
    if (!known)
        known = g_hash_table_new(g_direct_hash, g_direct_equal);
    g_hash_table_insert(known, host, (gpointer)product);
    return product;
}

bool
mfs_command(Host *host, const char *driver, MfsTool tool, Argv **command, GError **error)
{
    const Product *product = product_of(host, driver, error);
    if (!product)
        return false;
    const Tool *row = &product->tools[tool];
    g_autofree char *program = g_strdup(row->programs[0]);

    *command = NULL;
    if (row->programs[0] && row->programs[1]) {
        g_free(program);
        program = host_find_program(host, row->programs, error);
        if (!program)
            return false;
    }
    if (!program || !*program)
        return true;
    *command = argv_new(program);
    argv_add_strv(*command, row->words);
    return true;
}
