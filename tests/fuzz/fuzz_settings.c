// SPDX-License-Identifier: Apache-2.0
/* Settings files and oned.conf, as an editor or a package may leave them. */
#include "admin/conf_text.h"
#include "fuzz.h"
#include "one/installation.h"

#include <unistd.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *path;
    static const char *const options[] = {"-d", "-s", NULL};

    if (!path)
        path = g_strdup_printf("/dev/shm/onevol-fuzz-settings-%d", (int)getpid());
    g_assert(g_file_set_contents_full(path, (const char *)data, (gssize)size,
                                      G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    g_hash_table_unref(settings_read(path));
    unlink(path);

    g_autofree char *text = g_strndup((const char *)data, size);
    g_free(conf_arguments_with(text, "TM_MAD", options, "reflink"));
    g_free(conf_live_snapshots(drivers[0], "reflink", text));
    version_number(text);
    return 0;
}
