// SPDX-License-Identifier: Apache-2.0
#include "core/format.h"

#include "base/error.h"

#include <string.h>

/* qemu docs/interop/qcow2.txt */
enum {
    QCOW2_INCOMPATIBLE_DATA_FILE = 1 << 2,
    QCOW2_KNOWN_INCOMPATIBLE = 0x1f,
    QCOW2_EXTENSION_DATA_FILE = 0x44415441,
};

static guint32
be32(const guint8 *p)
{
    return (guint32)p[0] << 24 | (guint32)p[1] << 16 | (guint32)p[2] << 8 | p[3];
}

static guint64
be64(const guint8 *p)
{
    return (guint64)be32(p) << 32 | be32(p + 4);
}

/* Header extensions: type, length, data padded to 8. True if one names a data file. */
static bool
names_data_file(const guint8 *head, gsize length, gsize offset)
{
    while (offset + 8 <= length) {
        guint32 type = be32(head + offset), size = be32(head + offset + 4);
        if (type == QCOW2_EXTENSION_DATA_FILE)
            return true;
        if (type == 0 || size > length)
            return false;
        offset += 8 + ((gsize)size + 7) / 8 * 8;
    }
    return false;
}

static bool
detect_qcow2(const guint8 *head, gsize length, ImageFormat *format, GError **error)
{
    if (length < 72)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "the qcow2 header is cut");

    guint32 version = be32(head + 4);
    format->name = "qcow2";
    format->virtual_size = be64(head + 24);
    if (version != 2 && version != 3)
        return set_error(error, ONEVOL_ERROR_UNSUPPORTED, "qcow version %u is not supported",
                         version);
    if (be64(head + 8) != 0 || be32(head + 16) != 0)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the qcow2 image has a backing file, which is refused");
    if (be32(head + 32) != 0)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the qcow2 image is encrypted, which is refused");

    gsize header = 72;
    if (version == 3) {
        if (length < 104)
            return set_error(error, ONEVOL_ERROR_CORRUPT, "the qcow2 header is cut");
        guint64 incompatible = be64(head + 72);
        header = be32(head + 100);
        if (incompatible & QCOW2_INCOMPATIBLE_DATA_FILE)
            return set_error(error, ONEVOL_ERROR_REFUSED,
                             "the qcow2 image has an external data file, which is refused");
        if (incompatible & ~(guint64)QCOW2_KNOWN_INCOMPATIBLE)
            return set_error(error, ONEVOL_ERROR_UNSUPPORTED,
                             "the qcow2 image needs features that are not known");
    }
    if (header > length || names_data_file(head, length, header))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the qcow2 image has an external data file, which is refused");
    if (format->virtual_size > G_MAXINT64 / 2)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "the qcow2 image claims an absurd size");
    format->supported = true;
    return true;
}

bool
format_detect(const guint8 *head, gsize length, guint64 file_size, ImageFormat *format,
              GError **error)
{
    static const struct {
        const char *name, *magic;
        gsize offset, length;
    } magics[] = {
        {"vmdk",  "KDMV",                  0,  4 },
        {"vmdk",  "# Disk DescriptorFile", 0,  21},
        {"vdi",   "\x7f\x10\xda\xbe",      64, 4 },
        {"vhdx",  "vhdxfile",              0,  8 },
        {"vpc",   "conectix",              0,  8 },
        {"gzip",  "\x1f\x8b",              0,  2 },
        {"bzip2", "BZh",                   0,  3 },
        {"xz",
         "\xfd"
         "7zXZ",                           0,  5 },
        {"zstd",  "\x28\xb5\x2f\xfd",      0,  4 },
        {"lz4",   "\x04\x22\x4d\x18",      0,  4 },
    };

    *format = (ImageFormat){.name = "raw", .supported = true, .virtual_size = file_size};
    if (length >= 8 && !memcmp(head, "QFI\xfb", 4))
        return detect_qcow2(head, length, format, error);
    for (guint i = 0; i < G_N_ELEMENTS(magics); i++) {
        if (length >= magics[i].offset + magics[i].length &&
            !memcmp(head + magics[i].offset, magics[i].magic, magics[i].length)) {
            *format = (ImageFormat){.name = magics[i].name};
            break;
        }
    }
    return true;
}

bool
format_of_file(Host *host, const char *path, guint64 file_size, ImageFormat *format, GError **error)
{
    g_autoptr(GBytes) bytes = host_read(host, path, 0, FORMAT_HEAD, error);
    if (!bytes)
        return false;

    gsize length;
    const guint8 *head = g_bytes_get_data(bytes, &length);
    if (format_detect(head, length, file_size, format, error))
        return true;
    g_prefix_error(error, "'%s': ", path);
    return false;
}
