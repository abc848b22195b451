// SPDX-License-Identifier: Apache-2.0
#include "admin/conf_text.h"

#include <string.h>

static void
append_section(GString *text, const char *section, const char *name, const ConfRow *rows)
{
    g_string_append_printf(text, "%s = [\n    NAME = \"%s\"", section, name);
    for (; rows->name; rows++)
        g_string_append_printf(text, ",\n    %s = \"%s\"", rows->name, rows->value);
    g_string_append(text, "\n]\n");
}

char *
conf_sections(const Driver *driver, const char *name)
{
    g_autoptr(GString) text = g_string_new(NULL);

    append_section(text, "TM_MAD_CONF", name, driver->tm_conf);
    g_string_append_c(text, '\n');
    append_section(text, "DS_MAD_CONF", name, driver->ds_conf);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static bool
list_holds(const char *list, const char *name)
{
    g_auto(GStrv) items = g_strsplit(list, ",", -1);
    return g_strv_contains((const char *const *)items, name);
}

/* "-t 15 -d a,b" with name → "-t 15 -d a,b,name"; an option that is missing is added. Of one that
 * is given twice the last counts, for one_tm and one_datastore too. */
static char *
add_to_option(const char *arguments, const char *option, const char *name)
{
    g_auto(GStrv) words = g_strsplit(arguments, " ", -1);
    char **list = NULL;

    for (char **word = words; *word; word++)
        if (!strcmp(*word, option) && word[1])
            list = word + 1;
    if (!list)
        return g_strdup_printf("%s %s %s", arguments, option, name);
    if (!list_holds(*list, name)) {
        char *longer = g_strconcat(*list, ",", name, NULL);
        g_free(*list);
        *list = longer;
    }
    return g_strjoinv(" ", words);
}

char *
conf_arguments_with(const char *oned_conf, const char *section, const char *const *options,
                    const char *name)
{
    g_autofree char *pattern = g_strdup_printf(
        "(?ms)^[ \\t]*%s[ \\t]*=[ \\t]*\\[[^\\]]*?ARGUMENTS[ \\t]*=[ \\t]*\"([^\"]*)\"", section);
    g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_DEFAULT, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;

    if (!g_regex_match(regex, oned_conf, 0, &match))
        return NULL;
    char *arguments = g_match_info_fetch(match, 1);
    for (; *options; options++) {
        char *more = add_to_option(arguments, *options, name);
        g_free(arguments);
        arguments = more;
    }
    return arguments;
}

char *
conf_live_snapshots(const Driver *driver, const char *name, const char *vmm_execrc)
{
    g_autoptr(GRegex) regex =
        g_regex_new("(?m)^[ \\t]*LIVE_DISK_SNAPSHOTS=\"?([^\"\\n]*)", G_REGEX_DEFAULT, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    g_autoptr(GString) text = g_string_new(NULL);

    if (vmm_execrc && g_regex_match(regex, vmm_execrc, 0, &match)) {
        g_autofree char *now = g_match_info_fetch(match, 1);
        g_string_append(text, g_strstrip(now));
    }
    g_auto(GStrv) have = g_strsplit(text->str, " ", -1);
    for (const char *const *vmm = driver->live_snapshots; *vmm; vmm++) {
        g_autofree char *pair = g_strconcat(*vmm, "-", name, NULL);
        if (!g_strv_contains((const char *const *)have, pair))
            g_string_append_printf(text, "%s%s", text->len ? " " : "", pair);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* A VM_MAD's local action: "save=save_NAME" joins the list of -l. *theirs: there is one already. */
static char *
add_override(const char *arguments, const char *action, const char *name, bool *theirs)
{
    g_autofree char *ours = g_strdup_printf("%s=%s_%s", action, action, name);
    g_autofree char *pattern = g_strdup_printf("-l +([^ ]*,)?%s(=([^ ,]*))?(,| |$)", action);
    g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_DEFAULT, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;

    if (!g_regex_match(regex, arguments, 0, &match))
        return add_to_option(arguments, "-l", ours);
    g_autofree char *found = g_match_info_fetch(match, 3);
    g_autofree char *file = g_strdup_printf("%s_%s", action, name);
    *theirs |= strcmp(found, file) != 0;
    return g_strdup(arguments);
}

static char *
value_in(const char *section, const char *key)
{
    g_autofree char *pattern = g_strdup_printf("(?m)^[ \\t]*%s[ \\t]*=[ \\t]*\"([^\"]*)\"", key);
    g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_DEFAULT, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;

    return g_regex_match(regex, section, 0, &match) ? g_match_info_fetch(match, 1) : NULL;
}

static void
append_vm_mad(GString *text, const char *section, const char *name)
{
    g_autofree char *mad = value_in(section, "NAME");
    g_autofree char *arguments = value_in(section, "ARGUMENTS");
    g_auto(GStrv) words = g_strsplit(arguments ? arguments : "", " ", -1);
    bool theirs = false;

    if (!mad || !g_strv_contains((const char *const *)words, "kvm"))
        return;
    g_autofree char *saves = add_override(arguments, "save", name, &theirs);
    g_autofree char *both = add_override(saves, "restore", name, &theirs);
    g_string_append_printf(text, "    %s: ARGUMENTS = \"%s\"%s\n", mad, both,
                           theirs ? " (another save or restore stands there: only one can)" : "");
}

char *
conf_vm_mads(const char *oned_conf, const char *name)
{
    g_autoptr(GRegex) regex =
        g_regex_new("(?ms)^[ \\t]*VM_MAD[ \\t]*=[ \\t]*\\[([^\\]]*)\\]", G_REGEX_DEFAULT, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    g_autoptr(GString) text = g_string_new(NULL);

    g_regex_match(regex, oned_conf, 0, &match);
    for (; g_match_info_matches(match); g_match_info_next(match, NULL)) {
        g_autofree char *section = g_match_info_fetch(match, 1);
        append_vm_mad(text, section, name);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}
