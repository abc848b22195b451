// SPDX-License-Identifier: Apache-2.0
#include "local/ciphers.h"

#include "base/command.h"

#include <string.h>

#define QUICK "aes128-gcm@openssh.com"
#define ASK_MS SECONDS(3)

static bool
has_aes_instructions(void)
{
    g_autofree char *text = NULL;

    return g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL) &&
           g_regex_match_simple("^(flags|Features)\\s*:.*\\baes\\b", text, G_REGEX_MULTILINE, 0);
}

char *
ciphers_ordered(const char *printed)
{
    g_auto(GStrv) lines = g_strsplit(printed, "\n", -1);

    for (char **line = lines; *line; line++) {
        if (!g_str_has_prefix(*line, "ciphers "))
            continue;
        g_auto(GStrv) names = g_strsplit(*line + strlen("ciphers "), ",", -1);
        if (!g_strv_contains((const char *const *)names, QUICK))
            return NULL;
        GString *word = g_string_new("Ciphers=" QUICK);
        for (char **name = names; *name; name++)
            if (strcmp(*name, QUICK) != 0)
                g_string_append_printf(word, ",%s", *name);
        return g_string_free(word, FALSE);
    }
    return NULL;
}

char *
ciphers_for(const char *host)
{
    g_autoptr(Argv) argv = argv_new("ssh", "-G", "--", host);
    CommandOptions options = {.timeout_ms = ASK_MS};
    g_autofree char *printed = NULL;

    if (!has_aes_instructions() || !command_check(argv, &options, &printed, NULL))
        return NULL;
    return ciphers_ordered(printed);
}
