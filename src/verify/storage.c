// SPDX-License-Identifier: Apache-2.0
#include "verify/storage.h"

#include "base/argv.h"
#include "base/command.h"
#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM_TIMEOUT SECONDS(120)

struct Storage {
    const char *program;
    GPtrArray *all;
    GHashTable *by_text; /* name or device → Stored */
    GHashTable *known;   /* where and how it was read → Known */
};

typedef struct Known {
    char *stamp;
    Content content;
} Known;

static const Host here = {.local = true};

static void
stored_free(gpointer data)
{
    Stored *stored = data;

    g_free(stored->name);
    g_free(stored->device);
    g_free(stored->stamp);
    g_strfreev(stored->hosts);
    g_free(stored);
}

static void
known_free(gpointer data)
{
    g_free(((Known *)data)->stamp);
    g_free(data);
}

Storage *
storage_new(const char *program)
{
    Storage *storage = g_new0(Storage, 1);

    storage->program = program;
    storage->all = g_ptr_array_new_with_free_func(stored_free);
    storage->by_text = g_hash_table_new(g_str_hash, g_str_equal);
    storage->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, known_free);
    return storage;
}

void
storage_free(Storage *storage)
{
    if (!storage)
        return;
    g_hash_table_unref(storage->known);
    g_hash_table_unref(storage->by_text);
    g_ptr_array_unref(storage->all);
    g_free(storage);
}

static bool
add_snapshot(Storage *storage, const char *line)
{
    g_autofree char *name = g_strndup(line, strcspn(line, "@"));
    Stored *stored = g_hash_table_lookup(storage->by_text, name);

    if (stored)
        stored->snapshots++;
    return stored != NULL;
}

static bool
add_line(Storage *storage, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    guint count = g_strv_length(words);

    if (count == 1 && strchr(line, '@'))
        return add_snapshot(storage, line);
    if (count != 5)
        return false;
    Stored *stored = g_new0(Stored, 1);
    *stored = (Stored){.name = g_strdup(words[0]),
                       .device = g_strdup(words[1]),
                       .hosts = g_strsplit(strcmp(words[2], "-") == 0 ? "" : words[2], ",", -1),
                       .two = strcmp(words[3], "two") == 0,
                       .stamp = strcmp(words[4], "-") == 0 ? NULL : g_strdup(words[4])};
    g_ptr_array_add(storage->all, stored);
    g_hash_table_insert(storage->by_text, stored->name, stored);
    g_hash_table_insert(storage->by_text, stored->device, stored);
    return true;
}

bool
storage_look(Storage *storage, GError **error)
{
    g_autoptr(Argv) argv = argv_new(storage->program, "list");
    const CommandOptions options = {.timeout_ms = PROGRAM_TIMEOUT};
    g_autofree char *out = NULL;

    g_hash_table_remove_all(storage->by_text);
    g_ptr_array_set_size(storage->all, 0);
    if (!command_check(argv, &options, &out, error))
        return false;
    g_auto(GStrv) lines = g_strsplit(out, "\n", -1);
    for (char **line = lines; *line; line++)
        if (**line && !add_line(storage, *line))
            return set_error(error, ONEVOL_ERROR_FAILED, "'%s list' says '%s'", storage->program,
                             *line);
    return true;
}

const GPtrArray *
storage_all(const Storage *storage)
{
    return storage->all;
}

const Stored *
storage_find(const Storage *storage, const char *text)
{
    return text ? g_hash_table_lookup(storage->by_text, text) : NULL;
}

/* A file of its content; the caller unlinks and frees it. */
static char *
fetch(const Storage *storage, const Stored *stored, GError **error)
{
    g_autofree char *copy = g_build_filename(content_scratch(), "stored-XXXXXX", NULL);
    int fd = g_mkstemp(copy);

    if (fd < 0) {
        set_error_errno(error, errno, "cannot make '%s'", copy);
        return NULL;
    }
    close(fd);
    g_autoptr(Argv) argv = argv_new(storage->program, "read", stored->name, copy);
    const CommandOptions options = {.timeout_ms = PROGRAM_TIMEOUT};
    if (command_check(argv, &options, NULL, error))
        return g_steal_pointer(&copy);
    unlink(copy);
    return NULL;
}

/* A digest leaves out what is zero: all of the device is read, and what was rounded up counts. */
static bool
judge_copy(const char *copy, const char *format, guint64 bytes, Content *content, GError **error)
{
    if (!content_read(&here, copy, format, content, error))
        return false;
    if (strcmp(format, "raw") == 0 && bytes > 0 && content->bytes > bytes)
        content->bytes = bytes;
    return true;
}

static bool
recall(const Storage *storage, const Stored *stored, const char *key, Content *content)
{
    const Known *entry = g_hash_table_lookup(storage->known, key);

    if (!entry || !stored->stamp || strcmp(entry->stamp, stored->stamp) != 0)
        return false;
    *content = entry->content;
    return true;
}

static void
remember(Storage *storage, const Stored *stored, const char *key, const Content *content)
{
    Known *entry;

    if (!stored->stamp)
        return;
    entry = g_new(Known, 1);
    *entry = (Known){.stamp = g_strdup(stored->stamp), .content = *content};
    g_hash_table_replace(storage->known, g_strdup(key), entry);
}

bool
storage_read(Storage *storage, const Stored *stored, const char *format, guint64 bytes,
             Content *content, GError **error)
{
    g_autofree char *key = g_strdup_printf("%s %s %" G_GUINT64_FORMAT, stored->name, format, bytes);

    if (recall(storage, stored, key, content))
        return true;
    g_autofree char *copy = fetch(storage, stored, error);
    bool good = copy && judge_copy(copy, format, bytes, content, error);
    if (copy)
        unlink(copy);
    if (good)
        remember(storage, stored, key, content);
    return good;
}

bool
storage_read_link(Storage *storage, const Stored *stored, const Host *host, const char *path,
                  const char *format, guint64 bytes, Content *content, GError **error)
{
    g_autofree char *key = g_strdup_printf("%s %s %s %s %" G_GUINT64_FORMAT, host->name, path,
                                           stored->name, format, bytes);

    if (recall(storage, stored, key, content))
        return true;
    char *copy = host_copy(host, path, content_scratch(), error);
    bool good = copy && judge_copy(copy, format, bytes, content, error);
    host_uncopy(host, copy);
    if (good)
        remember(storage, stored, key, content);
    return good;
}

const char *
storage_format(Storage *storage, const Stored *stored, GError **error)
{
    g_autofree char *copy = fetch(storage, stored, error);
    char magic[4] = "";

    if (!copy)
        return NULL;
    bool read = content_peek(&here, copy, 0, magic, sizeof magic, error);
    unlink(copy);
    return !read ? NULL : memcmp(magic, "QFI\xfb", 4) == 0 ? "qcow2" : "raw";
}
