// SPDX-License-Identifier: Apache-2.0
/* Words of a transfer line, and paths of driver files: whatever passes must be safe. */
#include "base/path.h"
#include "core/disk.h"
#include "fuzz.h"
#include "one/request.h"

#include <string.h>

static void
check_location(const char *word)
{
    Location location = {0};

    if (location_parse(word, &location, NULL)) {
        g_assert(name_is_safe(location.host));
        g_assert(location.path[0] == '/' && !strstr(location.path, "/../"));
        g_assert(!strstr(location.path, "//"));
        vm_directory_check("/var/lib/one/datastores", location.path, 7, NULL);
    }
    location_clear(&location);
}

static void
check_file(const char *word)
{
    char *arguments[] = {(char *)word, NULL};
    g_autoptr(Request) request = request_of_file(word, NULL, arguments, NULL);

    if (request)
        g_assert(name_is_safe(request->directory) && !strchr(request->action, '/'));
}

static void
check_disk(const char *word)
{
    g_auto(Disk) disk = {0};
    g_autofree char *normal = path_normal(word, NULL);

    if (normal && disk_init(&disk, "/var/lib/one/datastores", NULL, normal, 7, NULL))
        g_assert(path_is_below(disk.path, "/var/lib/one/datastores"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) words = g_strsplit(text, "\n", 16);
    gint64 number;

    for (char **word = words; *word; word++) {
        check_location(*word);
        check_file(*word);
        check_disk(*word);
        if (argument_number(*word, "x", &number, NULL))
            g_assert(number >= 0);
        g_assert(disk_id_of_path(*word) >= -1);
        g_assert(strlen(source_of_argument(*word)) <= strlen(*word));
        g_autoptr(Request) request = request_by_hand("tm", *word, *word, words, NULL);
        g_autofree char *line = g_strdup(*word);
        g_assert(!request || name_is_safe(line));
    }
    return 0;
}
