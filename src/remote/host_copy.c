// SPDX-License-Identifier: Apache-2.0
/* Copies, on one machine and between two. */
#include "remote/host_call.h"

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "remote/transfer.h"

bool
host_copy(Host *host, const char *source, const char *target, bool share,
          const MoveOptions *options, char **how, GError **error)
{
    const MoveOptions plain = {0};
    GVariant *reply = NULL;

    options = options ? options : &plain;
    g_autofree char *work = g_strdup_printf("copying to '%s' on %s", target, host->name);
    progress_begin(work);
    bool done = host_call(host, "copy", STEP_WRITE, target,
                          g_variant_new("(ssbbbt)", source, target, (gboolean)share,
                                        (gboolean)options->dirty, (gboolean)options->readback,
                                        options->length),
                          &reply, error);
    progress_end();
    if (!done)
        return false;
    if (how)
        *how = g_strdup("nothing yet");
    if (reply && how) {
        const char *method;
        guint64 bytes;
        g_free(*how);
        g_variant_get(reply, "(&st)", &method, &bytes);
        g_autofree char *size = g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
        *how = bytes ? g_strdup_printf("%s of %s", method, size) : g_strdup(method);
    }
    g_clear_pointer(&reply, g_variant_unref);
    return true;
}

bool
host_copy_tree(Host *host, const char *source, const char *target, GError **error)
{
    return host_order(host, "copy-tree", target, g_variant_new("(ss)", source, target), error);
}

/* The step of a copy that this process or two machines carry out. *how stays NULL when a dry run
 * skips it. */
static bool
transfer(const TransferEnd *in, Host *from, const TransferEnd *out, Host *to, const char *what,
         const MoveOptions *options, StreamResult *result, char **how, GError **error)
{
    gint64 start = g_get_monotonic_time();

    switch (step_begin(STEP_WRITE, what, out->path, error)) {
    case STEP_STOP:
        return false;
    case STEP_SKIP:
        return true;
    case STEP_DO:
        break;
    }
    Host *hosts[] = {from, to};
    for (guint i = 0; i < G_N_ELEMENTS(hosts); i++)
        if (!host_connect(hosts[i], error)) {
            g_prefix_error(error, "on host '%s': ", hosts[i]->name);
            return false;
        }
    TransferEnd source = *in, sink = *out;
    source.session = from->remote;
    sink.session = to->remote;
    progress_begin(what);
    bool done = transfer_run(&source, &sink, options, result, error);
    progress_end();
    if (!done)
        return false;
    step_end();

    double seconds = (double)(g_get_monotonic_time() - start) / 1e6;
    g_autofree char *size = g_format_size_full(result->size, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *data = g_format_size_full(result->data, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *sent = g_format_size_full(result->sent, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *digest = digest_text(result->digest);
    *how = g_strdup_printf("stream of %s in %.1f s", data, seconds);
    log_info("copied %s (%s of data, %s on the way) from '%s' to '%s', digest %s", size, data, sent,
             from->name, to->name, digest);
    return true;
}

static bool
transfer_path(Host *from, const char *source, Host *to, const char *target, bool tree,
              const MoveOptions *options, char **how, GError **error)
{
    g_autofree char *what =
        g_strdup_printf("copy '%s' on %s to '%s' on %s", source, from->name, target, to->name);
    TransferEnd in = {.path = source, .tree = tree};
    TransferEnd out = {.path = target, .tree = tree};
    StreamResult result;

    return transfer(&in, from, &out, to, what, options, &result, how, error);
}

bool
host_transfer(Host *from, const char *source, Host *to, const char *target,
              const MoveOptions *options, char **how, GError **error)
{
    g_autofree char *text = NULL;

    if (from == to)
        return host_copy(to, source, target, true, options, how, error);
    if (!transfer_path(from, source, to, target, false, options, &text, error))
        return false;
    if (how)
        *how = text ? g_steal_pointer(&text) : g_strdup("nothing yet");
    return true;
}

bool
host_transfer_tree(Host *from, const char *source, Host *to, const char *target,
                   const MoveOptions *options, GError **error)
{
    g_autofree char *text = NULL;

    if (from == to)
        return host_copy_tree(to, source, target, error);
    return transfer_path(from, source, to, target, true, options, &text, error);
}

bool
host_fill(Host *to, const char *target, const ByteSource *source, const MoveOptions *options,
          guint64 *size, char **how, GError **error)
{
    g_autofree char *what = g_strdup_printf("fill '%s' on %s", target, to->name);
    g_autofree char *text = NULL;
    TransferEnd in = {.bytes = source};
    TransferEnd out = {.path = target};
    StreamResult result = {0};

    if (!transfer(&in, host_frontend(), &out, to, what, options, &result, &text, error))
        return false;
    if (size)
        *size = result.size;
    if (how)
        *how = text ? g_steal_pointer(&text) : g_strdup("nothing yet");
    return true;
}
