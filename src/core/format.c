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

static guint32
le32(const guint8 *p)
{
    return (guint32)p[3] << 24 | (guint32)p[2] << 16 | (guint32)p[1] << 8 | p[0];
}

static guint64
le64(const guint8 *p)
{
    return (guint64)le32(p + 4) << 32 | le32(p);
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
    format->supported = true;
    return true;
}

/* A text in the descriptor, which ends at a NUL or with its sectors. */
static bool
mentions(const char *text, gsize length, const char *word)
{
    return g_strstr_len(text, (gssize)length, word) != NULL;
}

/*
 * VMware's "Virtual Disk Format 5.0"; qemu block/vmdk.c. Only what is one file by itself: sparse
 * extents with their descriptor inside. A descriptor file names other files, and a parent is one.
 */
static bool
detect_vmdk(const guint8 *head, gsize length, ImageFormat *format, GError **error)
{
    if (!memcmp(head, "# Disk", 6))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the vmdk is a descriptor that names other files, which is refused");
    if (length < 512)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "the vmdk header is cut");
    guint64 capacity = le64(head + 12), start = le64(head + 28), sectors = le64(head + 36);
    if (capacity == 0 || capacity > G_MAXINT64 / 1024)
        return set_error(error, ONEVOL_ERROR_REFUSED, "the vmdk image has no size of its own");
    format->virtual_size = capacity * 512;
    if (start == 0)
        return true;
    if (start > (1u << 20) / 512 || sectors > (1u << 20) / 512)
        return set_error(error, ONEVOL_ERROR_REFUSED, "the vmdk descriptor is not at its start");
    gsize end = (gsize)(start + sectors) * 512;
    if (end > length) {
        format->needs = end;
        return true;
    }
    const char *text = (const char *)head + start * 512;
    gsize text_length = strnlen(text, (gsize)sectors * 512);
    if (mentions(text, text_length, "parentFileNameHint"))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the vmdk image has a parent, which is refused");
    return true;
}

/* VirtualBox's VDICore.h; qemu block/vdi.c. */
static bool
detect_vdi(const guint8 *head, gsize length, ImageFormat *format, GError **error)
{
    static const guint8 none[16];

    if (length < 512)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "the vdi header is cut");
    guint32 type = le32(head + 0x4c);
    if ((type != 1 && type != 2) || memcmp(head + 0x1a8, none, 16) ||
        memcmp(head + 0x1b8, none, 16))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the vdi image has a parent, which is refused");
    format->virtual_size = le64(head + 0x170);
    format->at_least = le32(head + 0x158) + (guint64)le32(head + 0x178) * le32(head + 0x184);
    return true;
}

/* Microsoft's "Virtual Hard Disk Image Format Specification", a dynamic disk: a copy of the footer
 * comes first. A fixed disk has its footer at the end only, and is taken for raw, as qemu does. */
static bool
detect_vpc(const guint8 *head, gsize length, ImageFormat *format, GError **error)
{
    if (length < 512)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "the vpc header is cut");
    if (be32(head + 60) != 3)
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the vpc image is not a dynamic disk by itself, which is refused");
    format->virtual_size = be64(head + 48);
    return true;
}

/* An entry of 32 bytes that begins with this GUID, or NULL. */
static const guint8 *
vhdx_entry(const guint8 *entries, guint count, const guint8 guid[16])
{
    for (guint i = 0; i < count; i++)
        if (!memcmp(entries + i * 32, guid, 16))
            return entries + i * 32;
    return NULL;
}

/* MS-VHDX 2.6: the metadata region's table. */
static bool
vhdx_metadata(const guint8 *table, gsize length, ImageFormat *format, GError **error)
{
    static const guint8 size_guid[16] = {0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
                                         0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8};
    static const guint8 file_guid[16] = {0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
                                         0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b};
    static const guint8 parent_guid[16] = {0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45,
                                           0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c};
    guint count = (guint)table[10] | (guint)table[11] << 8;

    if (memcmp(table, "metadata", 8) != 0 || count > 2047 || 32 + (gsize)count * 32 > length)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "the vhdx metadata is damaged");
    const guint8 *size = vhdx_entry(table + 32, count, size_guid);
    const guint8 *file = vhdx_entry(table + 32, count, file_guid);
    if (!size || !file || le32(size + 16) > length - 8 || le32(file + 16) > length - 8)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "the vhdx metadata is damaged");
    if (vhdx_entry(table + 32, count, parent_guid) || (le32(table + le32(file + 16) + 4) & 2))
        return set_error(error, ONEVOL_ERROR_REFUSED,
                         "the vhdx image has a parent, which is refused");
    format->virtual_size = le64(table + le32(size + 16));
    return true;
}

/* MS-VHDX 2.2.3: the region table at 192 KiB tells where the metadata is. */
static bool
detect_vhdx(const guint8 *head, gsize length, ImageFormat *format, GError **error)
{
    static const guint8 metadata_guid[16] = {0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
                                             0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e};
    const gsize place = 192u << 10, space = 64u << 10, metadata = 128u << 10;

    format->needs = place + space;
    if (length < format->needs)
        return true;
    const guint8 *table = head + place;
    guint32 count = le32(table + 8);
    if (memcmp(table, "regi", 4) != 0 || count > 2047)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "the vhdx region table is damaged");
    const guint8 *entry = vhdx_entry(table + 16, MIN(count, 2047), metadata_guid);
    guint64 offset = entry ? le64(entry + 16) : 0;
    if (offset < place + space || offset > FORMAT_HEAD_LIMIT - metadata)
        return set_error(error, ONEVOL_ERROR_REFUSED, "the vhdx metadata is not at its start");
    format->needs = (gsize)offset + metadata;
    if (length < format->needs)
        return true;
    format->needs = 0;
    return vhdx_metadata(head + offset, metadata, format, error);
}

typedef bool (*Detector)(const guint8 *head, gsize length, ImageFormat *format, GError **error);

bool
format_detect(const guint8 *head, gsize length, guint64 file_size, ImageFormat *format,
              GError **error)
{
    static const struct {
        const char *name, *magic;
        gsize offset, length;
        Detector detect;
    } magics[] = {
        {"qcow2", "QFI\xfb",               0,  4,  detect_qcow2},
        {"vmdk",  "KDMV",                  0,  4,  detect_vmdk },
        {"vmdk",  "# Disk DescriptorFile", 0,  21, detect_vmdk },
        {"vdi",   "\x7f\x10\xda\xbe",      64, 4,  detect_vdi  },
        {"vhdx",  "vhdxfile",              0,  8,  detect_vhdx },
        {"vpc",   "conectix",              0,  8,  detect_vpc  },
    };

    *format = (ImageFormat){.name = "raw", .supported = true, .virtual_size = file_size};
    for (guint i = 0; i < G_N_ELEMENTS(magics); i++) {
        if (length < MAX(8, magics[i].offset + magics[i].length) ||
            memcmp(head + magics[i].offset, magics[i].magic, magics[i].length) != 0)
            continue;
        *format = (ImageFormat){.name = magics[i].name};
        if (!magics[i].detect(head, length, format, error))
            return false;
        if (format->virtual_size <= G_MAXINT64 / 2)
            return true;
        return set_error(error, ONEVOL_ERROR_CORRUPT, "the %s image claims an absurd size",
                         format->name);
    }
    return true;
}

bool
format_of_file(Host *host, const char *path, guint64 file_size, ImageFormat *format, GError **error)
{
    gsize wanted = FORMAT_HEAD;

    do {
        g_autoptr(GBytes) bytes = host_read(host, path, 0, wanted, error);
        if (!bytes)
            return false;
        gsize length;
        const guint8 *head = g_bytes_get_data(bytes, &length);
        if (!format_detect(head, length, file_size, format, error)) {
            g_prefix_error(error, "'%s': ", path);
            return false;
        }
        if (format->needs > length && length < wanted)
            return set_error(error, ONEVOL_ERROR_CORRUPT, "'%s': the %s image is cut", path,
                             format->name);
        wanted = (gsize)format->needs;
    } while (format->needs > 0);
    return true;
}

bool
format_of_volume(Host *host, const char *path, guint64 file_size, ImageFormat *format,
                 GError **error)
{
    g_autoptr(GBytes) bytes = host_read(host, path, 0, FORMAT_HEAD, error);
    if (!bytes)
        return false;

    gsize length;
    const guint8 *head = g_bytes_get_data(bytes, &length);
    *format = (ImageFormat){.name = "raw", .supported = true, .virtual_size = file_size};
    if (length < 8 || memcmp(head, "QFI\xfb", 4) != 0 ||
        format_detect(head, length, file_size, format, error))
        return true;
    g_prefix_error(error, "'%s': ", path);
    return false;
}
