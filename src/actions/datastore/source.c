// SPDX-License-Identifier: Apache-2.0
#include "actions/datastore/source.h"

#include "base/command.h"
#include "base/error.h"
#include "base/path.h"
#include "core/import.h"
#include "fetch/decode.h"

#include <libxml/tree.h>
#include <string.h>

static bool
lies_in(Host *host, const char *path, const char *directory)
{
    g_autofree char *normal = path_normal(directory, NULL);
    g_autofree char *resolved = normal && host ? host_resolve(host, normal, NULL) : NULL;
    const char *real = resolved ? resolved : normal;

    return real && (!strcmp(path, real) || path_is_below(path, real));
}

static bool
lies_in_any(Host *host, const char *path, const char *list)
{
    g_auto(GStrv) directories = g_strsplit_set(list ? list : "", " \t", -1);

    for (char **directory = directories; *directory; directory++)
        if (**directory && lies_in(host, path, *directory))
            return true;
    return false;
}

typedef struct Rules {
    Task *task;
    Host *host; /* where links in the rules are resolved; NULL: another machine, nowhere */
} Rules;

/*
 * SAFE_DIRS wins over RESTRICTED_DIRS, which always has OpenNebula's own directories in it
 * (src/datastore_mad/remotes/libfs.sh). They are compared as directories, after links are
 * resolved: stock's prefixes let /var/tmpx pass for /var/tmp. The same rules hold for files that
 * are read through ssh, where stock has none.
 */
static bool
check_allowed(gpointer data, const char *path, const char *home, GError **error)
{
    const Rules *rules = data;
    const Installation *installation = rules->task->installation;
    const OneDatastore *facts = datastore_facts(rules->task->datastore, error);
    if (!facts)
        return false;
    g_autofree char *safe = one_datastore_attribute(facts, "SAFE_DIRS");
    g_autofree char *restricted = one_datastore_attribute(facts, "RESTRICTED_DIRS");
    const char *const own[] = {installation->var,
                               installation->etc,
                               "/var/lib/one",
                               "/etc/one",
                               "/proc",
                               "/sys",
                               home,
                               NULL};

    if (lies_in_any(rules->host, path, safe))
        return true;
    bool refused = lies_in_any(rules->host, path, restricted);
    for (const char *const *directory = own; *directory && !refused; directory++)
        refused = lies_in(rules->host, path, *directory);
    if (!refused)
        return true;
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "images may not come from '%s' (SAFE_DIRS, RESTRICTED_DIRS of datastore "
                     "%" G_GINT64_FORMAT ")",
                     path, facts->id);
}

char *
source_allowed_there(Task *task, Host *host, const char *path, GError **error)
{
    Rules rules = {.task = task, .host = host};
    g_autofree char *normal = path_normal(path, error);
    g_autofree char *real = normal ? host_resolve(host, normal, error) : NULL;

    if (!real || !check_allowed(&rules, real, NULL, error))
        return NULL;
    return g_steal_pointer(&real);
}

/* Seconds without a byte until a download fails. */
static unsigned
silence_ms(const Task *task)
{
    g_autoptr(GHashTable) settings = settings_of_remotes(task->installation, "onevol/onevol.conf");
    const char *text = g_hash_table_lookup(settings, "SOURCE_TIMEOUT");
    guint64 seconds = 60;

    if (text)
        g_ascii_string_to_unsigned(text, 10, 1, 3600, &seconds, NULL);
    return SECONDS((unsigned)seconds);
}

/* What downloader.sh gets as stock's cp does. */
static char *
message_text(const Task *task)
{
    xmlChar *text = NULL;
    int length = 0;

    xmlDocDumpMemory(xml_root(task->message)->doc, &text, &length);
    char *packed = g_base64_encode(text, (gsize)length);
    xmlFree(text);
    return packed;
}

/* Texts that FetchSettings points to. */
typedef struct Texts {
    char *arguments, *downloader, *message;
    char *key, *secret, *region, *endpoint;
} Texts;

static void
texts_clear(Texts *texts)
{
    g_free(texts->arguments);
    g_free(texts->downloader);
    g_free(texts->message);
    g_free(texts->key);
    g_free(texts->secret);
    g_free(texts->region);
    g_free(texts->endpoint);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Texts, texts_clear)

/* The marketplace that an image comes from is in the message (downloader.sh s3_env). */
static void
take_marketplace(const Task *task, Texts *texts, FetchSettings *settings)
{
    xmlNode *template = xml_find(xml_root(task->message), "MARKETPLACE/TEMPLATE");
    if (!template)
        return;
    settings->s3.key = texts->key = xml_text(template, "ACCESS_KEY_ID");
    settings->s3.secret = texts->secret = xml_text(template, "SECRET_ACCESS_KEY");
    settings->s3.region = texts->region = xml_text(template, "REGION");
    settings->s3.endpoint = texts->endpoint = xml_text(template, "ENDPOINT");
    settings->s3.elsewhere = xml_text_is(template, "AWS", "NO");
}

static bool
open_fetch(Task *task, SourcePurpose purpose, Source *source, const OneDatastore *facts,
           GError **error)
{
    Rules rules = {.task = task,
                   .host = source->url.scheme == SCHEME_FILE ? host_frontend() : NULL};
    g_auto(Texts) texts = {
        .arguments = one_image_attribute(task->image, "URL_ARGS"),
        .downloader =
            g_build_filename(task->installation->remotes, "datastore", "downloader.sh", NULL),
        .message = source->url.scheme == SCHEME_DOWNLOADER ? message_text(task) : NULL,
    };
    FetchSettings settings = {
        .allow = check_allowed,
        .data = &rules,
        .url_arguments = texts.arguments,
        .silence_ms = silence_ms(task),
        .head_only = purpose == SOURCE_HEADER,
        .insecure = !one_datastore_flag(facts, "TLS_VERIFY", true),
        .downloader = texts.downloader,
        .message = texts.message,
    };

    if (!one_datastore_rate(facts, &settings.rate, error))
        return false;
    take_marketplace(task, &texts, &settings);
    source->fetch = fetch_open(&source->url, &settings, error);
    return source->fetch != NULL;
}

/* Sums are of the bytes as they come, before they are unpacked (downloader.sh). */
static bool
add_sums(const Task *task, Source *source, GError **error)
{
    g_autofree char *md5 = one_image_attribute(task->image, "MD5");
    g_autofree char *sha1 = one_image_attribute(task->image, "SHA1");
    g_autofree char *sha256 = one_image_attribute(task->image, "SHA256");
    const Sums sums = {.md5 = md5, .sha1 = sha1, .sha256 = sha256};

    source->checked = md5 || sha1 || sha256;
    source->bytes = bytes_checked(g_steal_pointer(&source->bytes), &sums, source->url.shown, error);
    return source->bytes != NULL;
}

static bool
find_format(Source *source, bool any, GError **error)
{
    gsize wanted = FORMAT_HEAD;
    const guint8 *head;
    gsize length;

    do {
        if (!bytes_peek(source->bytes, wanted, &head, &length, error))
            return false;
        guint64 size = source->bytes->has_size ? source->bytes->size : 0;
        if (!format_detect(head, length, size, &source->format, error)) {
            g_prefix_error(error, "'%s': ", source->url.shown);
            return false;
        }
        if (source->format.needs > length && length < wanted)
            return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s': the %s image is cut",
                             source->url.shown, source->format.name);
        wanted = (gsize)source->format.needs;
    } while (source->format.needs > 0);
    if (any && !source->format.supported) /* a kernel or a text: just bytes */
        source->format = (ImageFormat){
            .name = "raw",
            .supported = true,
            .virtual_size = source->bytes->has_size ? source->bytes->size : 0,
        };
    return true;
}

/* What the packed form says of the size by itself. Lies are found out by cp. */
static bool
size_of_packed(const Source *source, Code code, const guint8 *head, gsize length, guint64 *size)
{
    guint64 file_size, need = 4096;

    if (decode_frame_size(code, head, length, size))
        return true;
    if (code != CODE_XZ || !fetch_size(source->fetch, &file_size))
        return false;
    for (int i = 0; i < 2 && need > 0; i++) {
        g_autoptr(GBytes) tail = fetch_tail(source->fetch, need, NULL);
        gsize tail_length;
        const guint8 *bytes = tail ? g_bytes_get_data(tail, &tail_length) : NULL;
        if (!bytes)
            return false;
        if (decode_xz_size(bytes, tail_length, file_size, size, &need))
            return true;
    }
    return false;
}

/* While the head is still there to be looked at. */
static bool
learn_packed_size(Source *source, GError **error)
{
    const guint8 *head;
    gsize length;

    if (!bytes_peek(source->bytes, DECODE_HEAD, &head, &length, error))
        return false;
    source->has_packed_size =
        size_of_packed(source, decode_detect(head, length), head, length, &source->packed_size);
    return true;
}

bool
source_open(Task *task, SourcePurpose purpose, Source *source, GError **error)
{
    const OneDatastore *facts = datastore_facts(task->datastore, error);

    *source = (Source){0};
    if (!facts || !source_url_parse(task->image->path, &source->url, error))
        return false;
    if (source_is_volume(source))
        return true;
    if (!open_fetch(task, purpose, source, facts, error))
        return false;
    bool is_files = facts->type == DATASTORE_FILE;
    source->bytes = fetch_take(source->fetch);
    if (purpose == SOURCE_WHOLE && !add_sums(task, source, error))
        return false;
    source->bytes = bytes_peekable(source->bytes);
    if (!one_datastore_flag(facts, "NO_DECOMPRESS", is_files)) {
        if (purpose == SOURCE_HEADER && !learn_packed_size(source, error))
            return false;
        source->bytes =
            decode_all(g_steal_pointer(&source->bytes), source->url.shown, &source->layers, error);
        if (!source->bytes)
            return false;
    }
    return find_format(source, is_files, error);
}

void
source_clear(Source *source)
{
    g_clear_pointer(&source->bytes, bytes_free);
    g_clear_pointer(&source->fetch, fetch_free);
    source_url_clear(&source->url);
}

bool
source_is_volume(const Source *source)
{
    return source->url.scheme == SCHEME_IMAGE || source->url.scheme == SCHEME_DISK;
}

/* SIZE is what stat or a marketplace told oned, and what quotas count. */
static bool
check_declared(const Task *task, const Source *source, GError **error)
{
    guint64 declared = task->image->size;

    if (declared == 0 || source->format.virtual_size <= declared)
        return true;
    return set_error(error, ONEVOL_ERROR_REFUSED,
                     "'%s' has %" G_GUINT64_FORMAT " MiB, more than the %" G_GUINT64_FORMAT
                     " MiB that it was registered with",
                     source->url.shown, (source->format.virtual_size + MIB - 1) / MIB,
                     declared / MIB);
}

/* So many bytes may come: no archive of a few KiB fills the storage. Formats with a header of their
 * own have some overhead. */
static bool
find_limit(Task *task, const Source *source, guint64 *limit, GError **error)
{
    guint64 declared = task->image->size, total, used, available;

    if (declared == 0) {
        if (!task->driver->backend->space(task->datastore, &total, &used, &available, error))
            return false;
        *limit = MAX(available, 1);
    } else {
        *limit =
            !strcmp(source->format.name, "raw") ? declared : declared + declared / 4 + 64 * MIB;
    }
    return true;
}

bool
source_import(Task *task, Source *source, Volume *image, GError **error)
{
    g_autofree char *directory = task_staging(task, error);
    g_autofree char *open_file = NULL;
    ImportContent content = {.host = host_frontend(),
                             .format = source->format.name,
                             .virtual_size = source->format.virtual_size,
                             .at_least = source->format.at_least,
                             .staging = directory};
    ByteSource bytes;
    guint64 limit;

    if (!directory || !check_declared(task, source, error) ||
        !find_limit(task, source, &limit, error))
        return false;
    bytes = bytes_source(source->bytes, limit);
    if (fetch_fd(source->fetch) >= 0 && source->layers == 0 && !source->checked) {
        /* its blocks can be shared, its holes seen; by descriptor, so that it is the one that was
         * allowed */
        open_file = g_strdup_printf("/proc/self/fd/%d", fetch_fd(source->fetch));
        content.path = open_file;
    } else {
        content.bytes = &bytes;
    }
    if (!volume_import_content(image, &content, error)) {
        g_prefix_error(error, "cannot import '%s': ", source->url.shown);
        return false;
    }
    if (fetch_unchanged(source->fetch, error))
        return true;
    volume_abandon(image);
    return false;
}

/* There is no other way than to unpack it all. */
static bool
count_bytes(Source *source, gint64 deadline, guint64 *size, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(1 << 20);
    size_t got;

    *size = 0;
    do {
        if (!cancel_check(error) || !bytes_read(source->bytes, buffer, 1 << 20, &got, error))
            return false;
        *size += got;
        if (g_get_monotonic_time() > deadline)
            return set_error(
                error, ONEVOL_ERROR_TIMEOUT,
                "the size of '%s' is known only when it is unpacked, which takes too "
                "long: unpack it first, or pack it with a format that tells (xz, zstd)",
                source->url.shown);
    } while (got > 0);
    return true;
}

bool
source_size(Source *source, gint64 deadline, guint64 *size, GError **error)
{
    *size = source->format.virtual_size;
    if (strcmp(source->format.name, "raw") != 0 || source->bytes->has_size)
        return true;
    if (source->layers == 1 && source->has_packed_size) {
        *size = source->packed_size;
        return true;
    }
    return count_bytes(source, deadline, size, error);
}
