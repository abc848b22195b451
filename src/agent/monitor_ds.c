// SPDX-License-Identifier: Apache-2.0
#include "agent/monitor_ds.h"

#include "base/path.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MIB (1ull << 20)

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in order, so that two runs print the same. */
static GPtrArray *
names_in(const char *directory)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    DIR *opened = opendir(directory);

    for (struct dirent *entry; opened && (entry = readdir(opened));)
        g_ptr_array_add(names, g_strdup(entry->d_name));
    if (opened)
        closedir(opened);
    g_ptr_array_sort(names, compare_names);
    return names;
}

static guint64
mib_of(const struct stat *info)
{
    return ((guint64)info->st_blocks * 512 + MIB - 1) / MIB;
}

/* disk.N.snap/ID, also above 9 */
static void
add_snapshots(const char *directory, guint64 disk, GString *text)
{
    g_autoptr(GPtrArray) names = names_in(directory);

    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *path = g_build_filename(directory, name, NULL);
        struct stat info;
        guint64 id;
        if (parse_number(name, G_MAXINT32, &id) && stat(path, &info) == 0)
            g_string_append_printf(text,
                                   "SNAPSHOT_SIZE=[ID=%" G_GUINT64_FORMAT
                                   ",DISK_ID=%" G_GUINT64_FORMAT ",SIZE=%" G_GUINT64_FORMAT "] ",
                                   id, disk, mib_of(&info));
    }
}

/* A link counts as what it leads to: the image, with its own snapshots. */
static void
add_disk(const char *directory, const char *name, GString *text)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autofree char *target = g_file_read_link(path, NULL);
    g_autofree char *snapshots = g_strconcat(target ? target : path, ".snap", NULL);
    struct stat info;
    guint64 id;

    if (!g_str_has_prefix(name, "disk.") || !parse_number(name + 5, G_MAXINT32, &id) ||
        stat(path, &info) || !S_ISREG(info.st_mode))
        return;
    g_string_append_printf(text, "DISK_SIZE=[ID=%" G_GUINT64_FORMAT ",SIZE=%" G_GUINT64_FORMAT "] ",
                           id, mib_of(&info));
    add_snapshots(snapshots, id, text);
}

/* Before 5.12 there was no monitord and no base64. */
static bool
wants_plain_text(const char *script)
{
    g_autofree char *driver = g_path_get_dirname(script);
    g_autofree char *file = g_build_filename(driver, "..", "..", "VERSION", NULL);
    g_autofree char *text = NULL;
    unsigned major, minor;

    return g_file_get_contents(file, &text, NULL, NULL) &&
           sscanf(text, "%2u.%2u", &major, &minor) == 2 &&
           (major < 5 || (major == 5 && minor < 12));
}

static void
print_vm(guint64 id, GString *text, bool plain)
{
    g_strchomp(text->str);
    g_autofree char *encoded =
        plain ? NULL : g_base64_encode((const guchar *)text->str, strlen(text->str));
    printf("VM = [ ID = %" G_GUINT64_FORMAT ", %s = \"%s\" ]\n", id, plain ? "POLL" : "MONITOR",
           plain ? text->str : encoded);
}

int
agent_monitor_ds(const char *script, int count, char **arguments)
{
    bool plain = wants_plain_text(script);

    if (count < 1) {
        fprintf(stderr, "monitor_ds takes the datastore's directory\n");
        return 2;
    }
    g_autoptr(GPtrArray) vms = names_in(arguments[0]);
    for (guint i = 0; i < vms->len; i++) {
        const char *name = g_ptr_array_index(vms, i);
        g_autofree char *directory = g_build_filename(arguments[0], name, NULL);
        g_autoptr(GString) text = g_string_new(NULL);
        guint64 id;
        if (!parse_number(name, G_MAXINT32, &id))
            continue;
        g_autoptr(GPtrArray) files = names_in(directory);
        for (guint j = 0; j < files->len; j++)
            add_disk(directory, g_ptr_array_index(files, j), text);
        if (text->len > 0)
            print_vm(id, text, plain);
    }
    return fflush(stdout) ? 1 : 0;
}
