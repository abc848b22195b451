// SPDX-License-Identifier: Apache-2.0
#include "core/qemu_img.h"

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

bool
qemu_img_resize(Host *host, const char *path, guint64 bytes, GError **error)
{
    g_autoptr(Argv) argv = argv_new("qemu-img", "resize", "-q", "-f", "qcow2", path);

    argv_addf(argv, "%" G_GUINT64_FORMAT, bytes);
    return host_run(host, STEP_WRITE, path, argv, SECONDS(600), NULL, error);
}
