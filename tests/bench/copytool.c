// SPDX-License-Identifier: Apache-2.0
/* For bench_copy.py: copytool SOURCE TARGET shares|reads, one copy of the mover. */
#include "mover/copy.h"

#include <stdio.h>
#include <string.h>

int
main(int argc, char **argv)
{
    CopyResult result;
    g_autoptr(GError) error = NULL;

    if (argc != 4)
        return 2;
    if (copy_file(argv[1], argv[2], !strcmp(argv[3], "shares"), NULL, &result, &error))
        return 0;
    fprintf(stderr, "%s\n", error->message);
    return 1;
}
