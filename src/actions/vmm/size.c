// SPDX-License-Identifier: Apache-2.0
/*
 * How large a saved guest can become: all of its memory, for pages that hold something are written
 * as they are, with some bytes each, once, since the guest stands still. Not what it uses just now:
 * a guest that cannot be saved at the end was stopped for nothing.
 */
#include "actions/vmm/vmm.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

#define DEVICES (64 * MIB)     /* state of devices, firmware, the document, libvirt's alignment */
#define DEVICE (2 * MIB)       /* more for each: option ROMs, queues */
#define VIDEO (64 * MIB)       /* of an adapter that does not tell */
#define VIRTIO_GPU (256 * MIB) /* what it may hold for the guest besides (QEMU's max_hostmem) */

/* libvirt's scale of a unit; KiB where there is none. 0: unknown. */
static guint64
unit_bytes(const char *unit)
{
    static const struct {
        const char *name;
        guint64 bytes;
    } units[] = {
        {"b",     1            },
        {"bytes", 1            },
        {"k",     1024         },
        {"KiB",   1024         },
        {"KB",    1000         },
        {"M",     MIB          },
        {"MiB",   MIB          },
        {"MB",    1000000      },
        {"G",     1024 * MIB   },
        {"GiB",   1024 * MIB   },
        {"GB",    1000000000   },
        {"T",     MIB * MIB    },
        {"TiB",   MIB * MIB    },
        {"TB",    1000000000000},
    };

    for (guint i = 0; i < G_N_ELEMENTS(units); i++)
        if (!strcmp(units[i].name, unit ? unit : "KiB"))
            return units[i].bytes;
    return 0;
}

static char *
attribute(xmlNode *node, const char *name)
{
    xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
    char *copy = g_strdup((const char *)value);

    xmlFree(value);
    return copy;
}

/* An element like <memory unit='KiB'>262144</memory>. */
static bool
sized(xmlNode *node, guint64 *bytes, GError **error)
{
    g_autofree char *unit = attribute(node, "unit");
    g_autofree char *text = xml_text(node, "");
    guint64 number, scale = unit_bytes(unit);

    if (!text || !scale || !parse_number(text, G_MAXINT64, &number) ||
        number > (guint64)G_MAXINT64 / 4 / scale)
        return set_error(error, ONEVOL_ERROR_CORRUPT,
                         "libvirt says a size of the guest that cannot be read: '%s' %s",
                         text ? text : "", unit ? unit : "");
    *bytes = number * scale;
    return true;
}

static guint64
video_bytes(xmlNode *video)
{
    static const char *const parts[] = {"ram", "vram", "vram64", "vgamem"};
    xmlNode *model = xml_find(video, "model");
    g_autofree char *type = model ? attribute(model, "type") : NULL;
    guint64 kib, total = 0;

    for (guint i = 0; model && i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *text = attribute(model, parts[i]);
        if (text && parse_number(text, G_MAXINT32, &kib))
            total += kib * 1024;
    }
    return MAX(total, VIDEO) + (g_strcmp0(type, "virtio") ? 0 : VIRTIO_GPU);
}

static bool
devices_bytes(xmlNode *devices, guint64 *total, GError **error)
{
    for (xmlNode *device = devices ? devices->children : NULL; device; device = device->next) {
        guint64 bytes = 0;
        if (device->type != XML_ELEMENT_NODE)
            continue;
        *total += DEVICE;
        if (!strcmp((const char *)device->name, "video"))
            *total += video_bytes(device);
        xmlNode *size =
            strcmp((const char *)device->name, "shmem") ? NULL : xml_find(device, "size");
        if (size && !sized(size, &bytes, error))
            return false;
        *total += bytes;
    }
    return true;
}

bool
checkpoint_size(const XmlDocument *domain, guint64 *bytes, GError **error)
{
    xmlNode *root = xml_root(domain), *memory = xml_find(root, "memory");
    guint64 ram, others = DEVICES;

    if (!memory)
        return set_error(error, ONEVOL_ERROR_CORRUPT, "libvirt does not say the guest's memory");
    if (!sized(memory, &ram, error) || !devices_bytes(xml_find(root, "devices"), &others, error))
        return false;
    /* a page of 4096 bytes is written with 8 more, or packed, which can make it a little longer */
    *bytes = (ram + ram / 64 + others + MIB - 1) / MIB * MIB;
    return true;
}
