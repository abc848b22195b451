// SPDX-License-Identifier: Apache-2.0
#include "verify/hosts.h"

#include "base/error.h"
#include "verify/shell.h"
#include "verify/untar.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file system's clock ticks every few ms: a file this young may still change unseen. */
#define SETTLED_S 0.04
/* Of the listing: type, device, inode, size, times, name. */
#define FIND_FORMAT "%y %D %i %s %T@ %C@ %p\\0"

static GHashTable *stamps; /* "host path" → what stat says */
static unsigned turn;      /* grows whenever files may have changed */

bool
host_connect(Host *host, GError **error)
{
    if (!host->local && !host->shell)
        host->shell = shell_start(host->name, error);
    return host->local || host->shell;
}

void
host_close(Host *host)
{
    shell_end(host->shell);
    host->shell = NULL;
}

static bool
run(const Host *host, const char *script, GBytes **output, GError **error)
{
    g_autoptr(GBytes) said = NULL;
    int status;

    if (!host->shell)
        return set_error(error, ONEVOL_ERROR_UNREACHABLE, "there is no connection to host '%s'",
                         host->name);
    if (!shell_run(host->shell, script, &said, &status, error))
        return false;
    if (status != 0) {
        g_autofree char *text =
            g_strndup(g_bytes_get_data(said, NULL), MIN(g_bytes_get_size(said), 500));
        g_autofree char *line = one_line(text, 300);
        return set_error(error, ONEVOL_ERROR_FAILED, "on host '%s': %s", host->name, line);
    }
    if (output)
        *output = g_steal_pointer(&said);
    return true;
}

bool
host_sh(const Host *host, GBytes **output, GError **error, const char *script, ...)
{
    va_list args;

    va_start(args, script);
    g_autofree char *text = g_strdup_vprintf(script, args);
    va_end(args);
    return run(host, text, output, error);
}

static void
entry_free(gpointer data)
{
    Entry *entry = data;

    g_free(entry->path);
    g_free(entry);
}

static void
add_entry(GPtrArray *list, char *path, bool directory)
{
    Entry *entry = g_new(Entry, 1);

    *entry = (Entry){.path = path, .directory = directory};
    g_ptr_array_add(list, entry);
}

static void
list_here(const char *directory, GPtrArray *list)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        char *path = g_build_filename(directory, name, NULL);
        struct stat info;
        bool inner = lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
        add_entry(list, path, inner);
        if (inner)
            list_here(path, list);
    }
}

static void
remember_stamp(const Host *host, const char *path, const char *fields, double now)
{
    g_auto(GStrv) words = g_strsplit(fields, " ", 7);

    /* a link's own times say nothing of the file behind it */
    if (g_strv_length(words) == 7 && *words[0] == 'f' &&
        now - g_ascii_strtod(words[5], NULL) > SETTLED_S) {
        g_hash_table_replace(stamps, g_strdup_printf("%s %s", host->name, path),
                             g_strdup_printf("%u %s %s %s %s %s", turn, words[1], words[2],
                                             words[3], words[4], words[5]));
    }
}

/* The first record is the host's time; then what find prints, records end with NUL. */
static void
take_listing(const Host *host, GBytes *output, GPtrArray *list)
{
    gsize length;
    const char *data = g_bytes_get_data(output, &length);
    const char *end = data + length;
    double now = -1;

    for (const char *record = data; record < end; record += strlen(record) + 1) {
        if (!memchr(record, '\0', (size_t)(end - record)))
            break;
        const char *path = strchr(record, '/');
        if (now < 0) {
            now = g_ascii_strtod(record, NULL);
        } else if (path) {
            add_entry(list, g_strdup(path), *record == 'd');
            remember_stamp(host, path, record, now);
        }
    }
}

GPtrArray *
host_list(const Host *host, const char *root, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(entry_free);
    g_autofree char *quoted = g_shell_quote(root);
    g_autoptr(GBytes) output = NULL;

    if (host->local) {
        list_here(root, list);
        return g_steal_pointer(&list);
    }
    if (!stamps)
        stamps = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!host_sh(host, &output, error,
                 "date +%%s.%%N | tr '\\n' '\\0'; find %s -mindepth 1 -printf '%s'", quoted,
                 FIND_FORMAT))
        return NULL;
    take_listing(host, output, list);
    return g_steal_pointer(&list);
}

char *
host_stamp(const Host *host, const char *path)
{
    g_autofree char *key = g_strdup_printf("%s %s", host->name, path);
    const char *stamp = stamps ? g_hash_table_lookup(stamps, key) : NULL;
    char *rest = NULL;

    if (!stamp || g_ascii_strtoull(stamp, &rest, 10) != turn)
        return NULL;
    return g_strdup(rest);
}

void
hosts_touch(void)
{
    turn++;
}

bool
host_exists(const Host *host, const char *path)
{
    g_autofree char *quoted = g_shell_quote(path);

    if (host->local)
        return access(path, F_OK) == 0;
    return host_sh(host, NULL, NULL, "[ -e %s ]", quoted);
}

bool
host_put(const Host *host, const char *path, const void *data, size_t length, GError **error)
{
    g_autofree char *parent = g_path_get_dirname(path);
    g_autofree char *quoted = g_shell_quote(path);
    g_autofree char *quoted_parent = g_shell_quote(parent);

    hosts_touch();
    if (host->local) {
        if (g_mkdir_with_parents(parent, 0755) != 0)
            return set_error_errno(error, errno, "cannot make '%s'", parent);
        return g_file_set_contents(path, data, (gssize)length, error);
    }
    g_autofree char *text = g_base64_encode(data, length);
    return host_sh(host, NULL, error, "mkdir -p %s && base64 -d > %s <<'end'\n%s\nend",
                   quoted_parent, quoted, text);
}

char *
host_link(const Host *host, const char *path)
{
    g_autofree char *quoted = g_shell_quote(path);
    g_autoptr(GBytes) output = NULL;
    gsize length;

    if (host->local)
        return g_file_read_link(path, NULL);
    if (!host_sh(host, &output, NULL, "readlink -n %s", quoted))
        return NULL;
    const char *text = g_bytes_get_data(output, &length);
    return g_strndup(text, length);
}

char *
host_copy(const Host *host, const char *path, const char *scratch, GError **error)
{
    g_autofree char *parent = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *quoted_parent = g_shell_quote(parent);
    g_autofree char *quoted = g_shell_quote(name);
    g_autofree char *copy = g_build_filename(scratch, "copy-XXXXXX", NULL);
    g_autoptr(GBytes) archive = NULL;

    if (host->local)
        return g_strdup(path);
    /* tar knows holes; a device has none, and is copied to where they are */
    if (!host_sh(host, &archive, error,
                 "cd %s && { [ -b %s ] || exec tar -chSf - -- %s; } && t=$(mktemp -d) && "
                 "dd if=%s of=$t/copy bs=64k conv=sparse status=none && "
                 "truncate -s $(blockdev --getsize64 %s) $t/copy && tar -C $t -cSf - copy && "
                 "rm -r $t",
                 quoted_parent, quoted, quoted, quoted, quoted))
        return NULL;
    int fd = g_mkstemp(copy);
    if (fd < 0) {
        set_error_errno(error, errno, "cannot make '%s'", copy);
        return NULL;
    }
    bool done = untar_file(archive, fd, error);
    close(fd);
    if (!done)
        unlink(copy);
    return done ? g_steal_pointer(&copy) : NULL;
}

void
host_uncopy(const Host *host, char *copy)
{
    if (copy && !host->local)
        unlink(copy);
    g_free(copy);
}

static int
remove_entry(const char *path, G_GNUC_UNUSED const struct stat *info, G_GNUC_UNUSED int type,
             G_GNUC_UNUSED struct FTW *ftw)
{
    return remove(path);
}

bool
host_remove(const Host *host, const char *directory, GError **error)
{
    g_autofree char *quoted = g_shell_quote(directory);

    hosts_touch();
    if (!host->local)
        return host_sh(host, NULL, error, "rm -rf %s", quoted);
    return nftw(directory, remove_entry, 32, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT ||
           set_error_errno(error, errno, "cannot remove '%s'", directory);
}

bool
host_send(const Host *from, const Host *to, const char *directory, GError **error)
{
    g_autofree char *quoted = g_shell_quote(directory);
    g_autoptr(GBytes) archive = NULL;

    hosts_touch();
    if (!host_sh(from, &archive, error, "tar -C %s -cSf - .", quoted))
        return false;
    gsize length;
    const guchar *data = g_bytes_get_data(archive, &length);
    g_autofree char *text = g_base64_encode(data, length);
    return host_sh(to, NULL, error, "mkdir -p %s && base64 -d <<'end' | tar -C %s -xSf -\n%s\nend",
                   quoted, quoted, text);
}

char *
host_hold(const Host *host, const char *path)
{
    g_autofree char *quoted = g_shell_quote(path);
    g_autoptr(GBytes) output = NULL;

    if (host->local) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? NULL : g_strdup_printf("/proc/self/fd/%d", fd);
    }
    g_autofree char *script = g_strdup_printf("[ -r %s ] && exec 9<%s", quoted, quoted);
    if (!shell_do(host->shell, script, NULL) || !host_sh(host, &output, NULL, "echo $$"))
        return NULL;
    return g_strdup_printf("/proc/%d/fd/9",
                           (int)g_ascii_strtoll(g_bytes_get_data(output, NULL), NULL, 10));
}

void
host_let_go(const Host *host, char *held)
{
    if (held && host->local)
        close((int)g_ascii_strtoll(strrchr(held, '/') + 1, NULL, 10));
    else if (held)
        (void)shell_do(host->shell, "exec 9<&-", NULL);
    g_free(held);
}
