// SPDX-License-Identifier: Apache-2.0
/*
 * Asks hosts for single things, for the tests of hosts: hosttool [-v] COMMAND [, COMMAND]...
 *
 * All commands share their sessions, as those of one action do. The first that fails ends it with
 * the error's code as exit status; `try COMMAND` prints the error and goes on.
 */
#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "core/mark.h"
#include "remote/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static GHashTable *tokens; /* path → Mark of a build */
static MoveOptions options;

static Host *
host_of(const char *name, GError **error)
{
    return strcmp(name, "here") ? host_named(name, error) : host_frontend();
}

static bool
do_stat(Host *host, char **words, GError **error)
{
    g_auto(FileInfo) info = {0};

    if (!host_stat(host, words[0], false, &info, error))
        return false;
    printf("%o %" G_GUINT64_FORMAT " %s\n", info.mode, info.size, info.target);
    return true;
}

static bool
do_list(Host *host, char **words, GError **error)
{
    g_autoptr(GPtrArray) list = host_list(host, words[0], error);

    for (guint i = 0; list && i < list->len; i++)
        printf("%s\n", ((DirectoryEntry *)g_ptr_array_index(list, i))->name);
    return list != NULL;
}

static bool
do_cat(Host *host, char **words, GError **error)
{
    g_autoptr(GBytes) bytes = host_read(host, words[0], 0, 1 << 20, error);

    if (bytes)
        fwrite(g_bytes_get_data(bytes, NULL), 1, g_bytes_get_size(bytes), stdout);
    return bytes != NULL;
}

static bool
do_space(Host *host, char **words, GError **error)
{
    guint64 total, used, available;

    if (!host_space(host, words[0], &total, &used, &available, error))
        return false;
    printf("%" G_GUINT64_FORMAT "\n", total);
    return true;
}

static bool
do_write(Host *host, char **words, GError **error)
{
    g_autoptr(GBytes) bytes = g_bytes_new(words[1], strlen(words[1]));
    return host_write(host, words[0], bytes, 0644, error);
}

static bool
do_mkdir(Host *host, char **words, GError **error)
{
    return host_make_directory(host, words[0], error);
}

static bool
do_link(Host *host, char **words, GError **error)
{
    return host_link(host, words[0], words[1], error);
}

static bool
do_rename(Host *host, char **words, GError **error)
{
    return host_rename(host, words[0], words[1], error);
}

static bool
do_remove(Host *host, char **words, GError **error)
{
    return host_remove_tree(host, words[0], error);
}

static bool
do_copy(Host *host, char **words, GError **error)
{
    return host_copy(host, words[0], words[1], true, &options, NULL, error);
}

static bool
do_lock(Host *host, char **words, GError **error)
{
    return host_lock(host, words[0], words[1], error);
}

static bool
do_build(Host *host, char **words, GError **error)
{
    Mark *mark = mark_new("hosttool", words[0]);
    g_autofree char *content = NULL;

    g_hash_table_replace(tokens, g_strdup(words[0]), mark);
    if (!host_build_begin(host, words[0], mark->text, &content, error))
        return false;
    printf("%s\n", content);
    return true;
}

static bool
do_commit(Host *host, char **words, GError **error)
{
    const Mark *mark = g_hash_table_lookup(tokens, words[0]);
    return host_build_commit(host, words[0], mark->token, error);
}

static bool
do_run(Host *host, char **words, GError **error)
{
    g_autoptr(Argv) argv = argv_new_strv((const char *const *)words + 1);
    g_autofree char *out = NULL;

    if (!host_run(host, STEP_WRITE, "test", argv, (unsigned)(g_ascii_strtod(words[0], NULL) * 1000),
                  &out, error))
        return false;
    fputs(out, stdout);
    return true;
}

/* transfer SOURCE TOHOST TARGET */
static bool
do_transfer(Host *host, char **words, GError **error)
{
    Host *to = host_of(words[1], error);
    return to && host_transfer(host, words[0], to, words[2], &options, NULL, error);
}

static bool
do_tree(Host *host, char **words, GError **error)
{
    Host *to = host_of(words[1], error);
    return to && host_transfer_tree(host, words[0], to, words[2], &options, error);
}

/* options RATE dirty|fresh readback|trust: of all later copies */
static bool
do_options(G_GNUC_UNUSED Host *host, char **words, GError **error)
{
    options.dirty = !strcmp(words[1], "dirty");
    options.readback = !strcmp(words[2], "readback");
    return parse_number(words[0], G_MAXINT64, &options.rate) ||
           set_error(error, ONEVOL_ERROR_USAGE, "no rate");
}

static bool
read_file(gpointer data, void *bytes, size_t length, size_t *got, GError **error)
{
    *got = fread(bytes, 1, MIN(length, 100000), data); /* in pieces that fit nowhere */
    return !ferror(data) || set_error(error, ONEVOL_ERROR_FAILED, "cannot read");
}

/* fill TARGET FILE LIMIT: from a file of this machine, as if it were made by this process */
static bool
do_fill(Host *host, char **words, GError **error)
{
    FILE *file = fopen(words[1], "re");
    ByteSource source = {.read = read_file, .data = file};
    g_autofree char *how = NULL;
    guint64 size;

    if (!file || !parse_number(words[2], G_MAXINT64, &source.limit))
        return set_error(error, ONEVOL_ERROR_USAGE, "cannot open '%s'", words[1]);
    bool done = host_fill(host, words[0], &source, &options, &size, &how, error);
    fclose(file);
    if (done)
        printf("%" G_GUINT64_FORMAT "\n", size);
    return done;
}

static bool
do_sleep(G_GNUC_UNUSED Host *host, char **words, GError **error)
{
    gint64 end = g_get_monotonic_time() + (gint64)(g_ascii_strtod(words[0], NULL) * 1e6);

    while (g_get_monotonic_time() < end) {
        if (!cancel_check(error))
            return false;
        g_usleep(10000);
    }
    return true;
}

/* freeze URI DOMAIN suspend|freeze LIMIT_MS */
static bool
do_freeze(Host *host, char **words, GError **error)
{
    g_autofree char *how = NULL;
    guint64 limit_ms;

    if (!parse_number(words[3], G_MAXUINT32, &limit_ms) ||
        !host_freeze(host, words[0], words[1], !strcmp(words[2], "suspend"), (unsigned)limit_ms,
                     &how, error))
        return false;
    printf("%s\n", how);
    return true;
}

static bool
do_thaw(Host *host, G_GNUC_UNUSED char **words, GError **error)
{
    return host_thaw(host, error);
}

static const struct {
    const char *name;
    guint words; /* at least */
    bool (*run)(Host *host, char **words, GError **error);
} commands[] = {
    {"stat",     1, do_stat    },
    {"list",     1, do_list    },
    {"cat",      1, do_cat     },
    {"space",    1, do_space   },
    {"write",    2, do_write   },
    {"mkdir",    1, do_mkdir   },
    {"link",     2, do_link    },
    {"rename",   2, do_rename  },
    {"remove",   1, do_remove  },
    {"copy",     2, do_copy    },
    {"lock",     2, do_lock    },
    {"build",    1, do_build   },
    {"commit",   1, do_commit  },
    {"run",      2, do_run     },
    {"transfer", 3, do_transfer},
    {"tree",     3, do_tree    },
    {"options",  3, do_options },
    {"fill",     3, do_fill    },
    {"sleep",    1, do_sleep   },
    {"freeze",   4, do_freeze  },
    {"thaw",     0, do_thaw    },
};

/* [try] HOST COMMAND WORDS... */
static bool
run_command(char **words, GError **error)
{
    bool trying = words[0] && !strcmp(words[0], "try");
    g_autoptr(GError) failed = NULL;

    words += trying;
    for (guint i = 0; words[0] && words[1] && i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, words[1]) != 0 || g_strv_length(words + 2) < commands[i].words)
            continue;
        Host *host = host_of(words[0], &failed);
        if (host && commands[i].run(host, words + 2, &failed))
            return true;
        if (!trying)
            return g_propagate_error(error, g_steal_pointer(&failed)), false;
        printf("failed %d: %s\n", failed->code, failed->message);
        fflush(stdout);
        return true;
    }
    return set_error(error, ONEVOL_ERROR_USAGE, "cannot read the command '%s'",
                     words[0] ? words[0] : "");
}

int
main(int argc, char **argv)
{
    GError *error = NULL;
    bool done = true;
    char **words = argv + 1;

    cancel_install();
    if (argc > 1 && !strcmp(*words, "-v")) {
        log_set_verbose(true);
        words++;
    }
    tokens = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)mark_free);
    while (done && *words) {
        char **end = words;
        while (*end && strcmp(*end, ",") != 0)
            end++;
        bool last = !*end;
        *end = NULL;
        done = run_command(words, &error);
        fflush(stdout);
        words = last ? end : end + 1;
    }
    hosts_close();
    g_hash_table_unref(tokens);
    if (done)
        return EXIT_SUCCESS;
    fprintf(stderr, "error %d: %s\n", error->code, error->message);
    int code = error->code;
    g_error_free(error);
    return code;
}
