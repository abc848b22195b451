// SPDX-License-Identifier: Apache-2.0
#include "local/guest.h"

#include "base/command.h"
#include "base/error.h"

#include <string.h>
#include <sys/stat.h>

#define LOOK_MS SECONDS(5)
#define DOCUMENT_LIMIT (1u << 20)

bool
guest_virsh(const Guest *guest, const char *const *words, const char *input, unsigned timeout_ms,
            char **out, GError **error)
{
    g_autoptr(Argv) argv = argv_new("virsh", "-q", "-c", guest->uri, words[0], guest->domain);
    CommandOptions options = {
        .timeout_ms = timeout_ms, .input = input, .input_length = input ? strlen(input) : 0};

    argv_add_strv(argv, words + 1);
    if (command_check(argv, &options, out, error))
        return true;
    g_prefix_error(error, "%s: ", words[0]);
    return false;
}

Answer
answer_of(const char *text)
{
    if (strstr(text, "already running") || strstr(text, "no job is active") ||
        strstr(text, "not have an active block job") || strstr(text, "no active block job"))
        return DONE;
    if (strstr(text, "failed to connect") || strstr(text, "state change lock"))
        return NO_ANSWER;
    return REFUSED;
}

bool
is_answer(const GError *error)
{
    return error && error->code != ONEVOL_ERROR_TIMEOUT && error->code != ONEVOL_ERROR_CANCELLED;
}

void
guest_disk_clear(GuestDisk *disk)
{
    g_clear_pointer(&disk->device, g_free);
    g_clear_pointer(&disk->format, g_free);
    g_clear_pointer(&disk->mirror, g_free);
    g_clear_pointer(&disk->path, g_free);
    g_clear_pointer(&disk->others, g_free);
}

/* One disk element while it is read. */
typedef struct Reader {
    struct stat wanted;
    GuestDisk now, *found;
    bool same; /* `now` is the wanted one */
    GString *others;
} Reader;

static const char *
value_of(const char *const *names, const char *const *values, const char *name)
{
    for (; *names; names++, values++)
        if (!strcmp(*names, name))
            return *values;
    return NULL;
}

static bool
is_same(const Reader *reader, const char *path)
{
    struct stat info;

    if (!path || stat(path, &info))
        return false;
    if (S_ISBLK(info.st_mode) && S_ISBLK(reader->wanted.st_mode))
        return info.st_rdev == reader->wanted.st_rdev;
    return info.st_dev == reader->wanted.st_dev && info.st_ino == reader->wanted.st_ino;
}

/* The path of elements that are open, as "domain/devices/disk". */
static bool
is_at(GMarkupParseContext *context, const char *path)
{
    g_autoptr(GString) here = g_string_new(NULL);

    for (const GSList *name = g_markup_parse_context_get_element_stack(context); name;
         name = name->next) {
        g_string_prepend(here, name->data);
        if (name->next)
            g_string_prepend_c(here, '/');
    }
    return !strcmp(here->str, path);
}

static void
on_start(GMarkupParseContext *context, const char *element, const char **names, const char **values,
         gpointer data, G_GNUC_UNUSED GError **error)
{
    Reader *reader = data;
    const char *const *n = (const char *const *)names, *const *v = (const char *const *)values;

    if (!strcmp(element, "disk") && is_at(context, "domain/devices/disk")) {
        guest_disk_clear(&reader->now);
        reader->now = (GuestDisk){0};
        reader->same = false;
    } else if (!strcmp(element, "driver") && is_at(context, "domain/devices/disk/driver")) {
        g_free(reader->now.format);
        reader->now.format = g_strdup(value_of(n, v, "type"));
    } else if (!strcmp(element, "source") && is_at(context, "domain/devices/disk/source")) {
        const char *file = value_of(n, v, "file");
        reader->same = is_same(reader, file ? file : value_of(n, v, "dev"));
    } else if (!strcmp(element, "target") && is_at(context, "domain/devices/disk/target")) {
        g_free(reader->now.device);
        reader->now.device = g_strdup(value_of(n, v, "dev"));
    } else if (!strcmp(element, "mirror") && is_at(context, "domain/devices/disk/mirror")) {
        g_free(reader->now.mirror);
        reader->now.mirror = g_strdup(value_of(n, v, "file"));
        reader->now.ready = g_strcmp0(value_of(n, v, "ready"), "yes") == 0;
    }
}

static void
on_end(GMarkupParseContext *context, const char *element, gpointer data,
       G_GNUC_UNUSED GError **error)
{
    Reader *reader = data;

    if (strcmp(element, "disk") != 0 || !is_at(context, "domain/devices/disk"))
        return;
    if (reader->same && !reader->found->device) {
        guest_disk_clear(reader->found);
        *reader->found = reader->now;
        reader->now = (GuestDisk){0};
    } else if (reader->now.device) {
        g_string_append_printf(reader->others, "%s%s", reader->others->len ? " " : "",
                               reader->now.device);
    }
}

bool
guest_disk_parse(const char *xml, const char *path, GuestDisk *disk, GError **error)
{
    static const GMarkupParser parser = {.start_element = on_start, .end_element = on_end};
    Reader reader = {.found = disk, .others = g_string_new(NULL)};
    gsize length = strlen(xml);

    *disk = (GuestDisk){0};
    GMarkupParseContext *context = g_markup_parse_context_new(&parser, 0, &reader, NULL);
    bool done = length <= DOCUMENT_LIMIT && stat(path, &reader.wanted) == 0 &&
                g_markup_parse_context_parse(context, xml, (gssize)length, NULL) &&
                g_markup_parse_context_end_parse(context, NULL);
    g_markup_parse_context_free(context);
    guest_disk_clear(&reader.now);
    disk->path = g_strdup(path);
    disk->others = g_string_free(reader.others, FALSE);
    if (done && disk->device && disk->format)
        return true;
    guest_disk_clear(disk);
    return set_error(error, ONEVOL_ERROR_FAILED, "libvirt does not show '%s' as a disk of it",
                     path);
}

bool
guest_disk_find(const Guest *guest, const char *path, GuestDisk *disk, GError **error)
{
    g_autofree char *xml = NULL;

    *disk = (GuestDisk){0};
    return guest_virsh(guest, WORDS("dumpxml"), NULL, LOOK_MS, &xml, error) &&
           guest_disk_parse(xml, path, disk, error);
}
