// SPDX-License-Identifier: Apache-2.0
#include "core/qemu_img.h"

#include <string.h>

static char **create_options;

void
qemu_img_set_create_options(const char *words)
{
    g_clear_pointer(&create_options, g_strfreev);
    if (words && *words)
        g_shell_parse_argv(words, NULL, &create_options, NULL);
}

bool
qemu_img_create(Host *host, const char *path, guint64 bytes, GError **error)
{
    g_autoptr(Argv) argv = argv_new("qemu-img", "create", "-q", "-f", "qcow2");

    if (create_options)
        argv_add_strv(argv, (const char *const *)create_options);
    argv_add(argv, path);
    argv_addf(argv, "%" G_GUINT64_FORMAT, bytes);
    return host_run(host, STEP_WRITE, path, argv, SECONDS(600), NULL, error);
}

bool
qemu_img_convert(Host *host, const char *from, const char *from_format, const char *to,
                 const char *to_format, GError **error)
{
    /* writeback: flushed at the end; the default of convert is not */
    g_autoptr(Argv) argv = argv_new("qemu-img", "convert", "-q", "-t", "writeback", "-f",
                                    from_format, "-O", to_format, from, to);

    return host_run(host, STEP_WRITE, to, argv, SECONDS(24 * 3600), NULL, error);
}

/* Text as a JSON string. */
static char *
json_string(const char *text)
{
    g_autoptr(GString) json = g_string_new("\"");

    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            g_string_append_printf(json, "\\%c", *text);
        else
            g_string_append_c(json, *text);
    g_string_append_c(json, '"');
    return g_string_free(g_steal_pointer(&json), FALSE);
}

/* Opens that file as that format, and no other file, whatever its header names. */
static char *
foreign(const char *path, const char *format)
{
    static const struct {
        const char *format, *options;
    } formats[] = {
        {"qcow2", ",\"backing\":null"                    },
        {"vmdk",  ",\"backing\":null"                    },
        {"vpc",   ",\"force_size_calc\":\"current_size\""},
    };
    const char *options = "";
    g_autofree char *name = json_string(path);

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++)
        if (!strcmp(formats[i].format, format))
            options = formats[i].options;
    return g_strdup_printf(
        "json:{\"driver\":\"%s\"%s,\"file\":{\"driver\":\"file\",\"filename\":%s}}", format,
        options, name);
}

bool
qemu_img_convert_foreign(Host *host, const char *from, const char *from_format, const char *to,
                         const char *to_format, GError **error)
{
    g_autofree char *source = foreign(from, from_format);
    g_autoptr(Argv) argv =
        argv_new("qemu-img", "convert", "-q", "-t", "writeback", "-O", to_format, source, to);

    return host_run(host, STEP_WRITE, to, argv, SECONDS(24 * 3600), NULL, error);
}

bool
qemu_img_check_foreign(Host *host, const char *path, const char *format, GError **error)
{
    /* what is not used but not free is put right, and a log replayed: no fault of the content */
    static const struct {
        const char *format, *repair;
    } formats[] = {
        {"qcow2", "leaks"},
        {"vhdx",  "all"  },
        {"vmdk",  NULL   },
    };
    g_autofree char *source = foreign(path, format);
    g_autoptr(Argv) argv = argv_new("qemu-img", "check", "-q");

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (strcmp(formats[i].format, format) != 0)
            continue;
        if (formats[i].repair)
            argv_add(argv, "-r", formats[i].repair);
        argv_add(argv, source);
        if (host_run(host, STEP_WRITE, path, argv, SECONDS(3600), NULL, error))
            return true;
        g_prefix_error(error, "the %s image is damaged: ", format);
        return false;
    }
    return true; /* qemu-img can check no others */
}

bool
qemu_img_resize(Host *host, const char *path, guint64 bytes, GError **error)
{
    g_autoptr(Argv) argv = argv_new("qemu-img", "resize", "-q", "-f", "qcow2", path);

    argv_addf(argv, "%" G_GUINT64_FORMAT, bytes);
    return host_run(host, STEP_WRITE, path, argv, SECONDS(600), NULL, error);
}
