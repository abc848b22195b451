// SPDX-License-Identifier: Apache-2.0
#include "base/command.h"
#include "local/handlers.h"

bool
local_run(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply, GError **error)
{
    g_autofree const char **words = NULL;
    g_autoptr(GVariant) input = NULL;
    g_auto(CommandResult) result = {0};
    guint32 timeout_ms;
    gsize length;

    g_variant_get(arguments, "(^a&s@ayu)", &words, &input, &timeout_ms);
    const void *bytes = g_variant_get_fixed_array(input, &length, 1);
    g_autoptr(Argv) argv = argv_new_strv(words);
    CommandOptions options = {.timeout_ms = timeout_ms, .input = bytes, .input_length = length};
    if (!command_run(argv, &options, &result, error))
        return false;

    *reply = g_variant_new(
        "(i@ay@ay)", result.status,
        g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, result.out, result.out_length, 1),
        g_variant_new_bytestring(result.err));
    return true;
}
