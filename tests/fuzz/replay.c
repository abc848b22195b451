// SPDX-License-Identifier: Apache-2.0
/*
 * Feeds every file of the named directories to a fuzz target, and to it again cut at every length
 * where the file is short: the corpus as an ordinary test, with any compiler.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUT_LIMIT 2048u

static void
feed(const char *path)
{
    g_autofree char *text = NULL;
    gsize length;

    if (!g_file_get_contents(path, &text, &length, NULL))
        abort();
    for (gsize cut = 0; cut <= MIN(length, CUT_LIMIT); cut++) {
        g_autofree uint8_t *exact = g_malloc(cut + !cut); /* its end is where a sanitizer looks */
        memcpy(exact, text, cut);
        LLVMFuzzerTestOneInput(exact, cut);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)text, length);
}

int
main(int argc, char **argv)
{
    guint count = 0;

    for (int i = 1; i < argc; i++) {
        g_autoptr(GDir) directory = g_dir_open(argv[i], 0, NULL);
        const char *name;
        while (directory && (name = g_dir_read_name(directory))) {
            g_autofree char *path = g_build_filename(argv[i], name, NULL);
            feed(path);
            printf("ok %u - %s\n", ++count, name);
        }
    }
    printf("1..%u\n", count);
    return count == 0;
}
