// SPDX-License-Identifier: Apache-2.0
#include "remote/host_call.h"

#include "base/error.h"
#include "local/watch.h"
#include "remote/ssh.h"
#include "remote/transfer.h"

#include <string.h>

static Host *frontend;
static GPtrArray *frontend_names;
static GHashTable *others; /* name → Host */

static void
host_free(gpointer data)
{
    Host *host = data;

    session_free(host->session);
    remote_session_free(host->remote);
    remote_session_free(host->begun);
    g_clear_error(&host->failed);
    g_clear_pointer(&host->frozen, g_variant_unref);
    g_free(host->name);
    g_free(host);
}

Host *
host_frontend(void)
{
    if (!frontend) {
        frontend = g_new0(Host, 1);
        frontend->name = g_strdup(g_get_host_name());
        frontend->session = session_new();
    }
    return frontend;
}

void
host_add_frontend_name(const char *name)
{
    if (!frontend_names)
        frontend_names = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(frontend_names, g_strdup(name));
}

/* "fe" and "fe.example.org" are the same machine. */
static bool
same_machine(const char *a, const char *b)
{
    size_t length = strcspn(a, ".");

    return !g_ascii_strcasecmp(a, b) ||
           ((!a[length] || !strchr(b, '.')) && strcspn(b, ".") == length &&
            !g_ascii_strncasecmp(a, b, length));
}

Host *
host_named(const char *name, GError **error)
{
    Host *here = host_frontend();

    if (!g_ascii_strcasecmp(name, "localhost") || same_machine(name, here->name))
        return here;
    for (guint i = 0; frontend_names && i < frontend_names->len; i++)
        if (same_machine(name, g_ptr_array_index(frontend_names, i)))
            return here;
    if (!ssh_host_check(name, error))
        return NULL;
    if (!others)
        others = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, host_free);
    Host *host = g_hash_table_lookup(others, name);
    if (!host) {
        host = g_new0(Host, 1);
        host->name = g_strdup(name);
        g_hash_table_insert(others, host->name, host);
    }
    return host;
}

bool
host_connect(Host *host, GError **error)
{
    if (host->session || host->remote)
        return true;
    if (!host->failed)
        host->remote =
            remote_session_open(host->name, g_steal_pointer(&host->begun), &host->failed);
    if (host->remote)
        return true;
    g_propagate_error(error, g_error_copy(host->failed));
    return false;
}

void
host_expect(Host *host)
{
    if (!host->session && !host->remote && !host->begun && !host->failed)
        host->begun = remote_session_begin(host->name, NULL);
}

bool
host_is_met(const Host *host)
{
    return host->session || host->remote || host->failed;
}

const char *
host_name(const Host *host)
{
    return host->name;
}

bool
host_is_frontend(const Host *host)
{
    return host == frontend;
}

void
hosts_forbid_direct(void)
{
    transfer_forbid_direct();
}

void
hosts_close(void)
{
    GHashTableIter hosts;
    gpointer host;

    if (others) {
        g_hash_table_iter_init(&hosts, others);
        while (g_hash_table_iter_next(&hosts, NULL, &host))
            if (((Host *)host)->remote) /* all at once, then wait for each */
                remote_session_hang_up(((Host *)host)->remote);
            else if (((Host *)host)->begun)
                remote_session_hang_up(((Host *)host)->begun);
    }
    g_clear_pointer(&others, g_hash_table_unref);
    g_clear_pointer(&frontend, host_free);
    g_clear_pointer(&frontend_names, g_ptr_array_unref);
}

static bool
host_serve(Host *host, const Operation *operation, const char *object, GVariant *arguments,
           GVariant **answer, GError **error)
{
    if (host->session) {
        watch_note(operation, object);
        bool done = operation_run(operation, host->session, arguments, answer, error);
        watch_note(NULL, NULL);
        return done;
    }
    if (!host_connect(host, error) ||
        !remote_session_call(host->remote, operation->name, arguments, answer, error))
        return false;
    if (g_variant_is_of_type(*answer, G_VARIANT_TYPE(operation->reply)))
        return true;
    g_clear_pointer(answer, g_variant_unref);
    return set_error(error, ONEVOL_ERROR_CORRUPT, "the answer to '%s' is of a wrong type",
                     operation->name);
}

bool
host_call(Host *host, const char *name, StepKind kind, const char *object, GVariant *arguments,
          GVariant **reply, GError **error)
{
    const Operation *operation = operation_find(name);
    g_autoptr(GVariant) held = g_variant_ref_sink(arguments);
    g_autofree char *what = g_strdup_printf("%s '%s' on %s", name, object, host->name);
    GVariant *answer = NULL;

    switch (step_begin(kind, what, object, error)) {
    case STEP_STOP:
        return false;
    case STEP_SKIP:
        return true;
    case STEP_DO:
        break;
    }
    if (!host_serve(host, operation, object, held, &answer, error)) {
        if (!host_is_frontend(host))
            g_prefix_error(error, "on host '%s': ", host->name);
        return false;
    }
    step_end();
    if (reply)
        *reply = answer;
    else
        g_variant_unref(answer);
    return true;
}

bool
host_order(Host *host, const char *name, const char *object, GVariant *arguments, GError **error)
{
    return host_call(host, name, operation_find(name)->kind, object, arguments, NULL, error);
}

GVariant *
host_ask(Host *host, const char *name, const char *object, GVariant *arguments, GError **error)
{
    GVariant *reply = NULL;

    host_call(host, name, operation_find(name)->kind, object, arguments, &reply, error);
    return reply;
}
