// SPDX-License-Identifier: Apache-2.0
/*
 * The paths in a saved guest's document, after the VM has moved to another system datastore.
 *
 * Everything in VMDIR counts, not only disks: firmware variables, sockets, kernels. oned writes
 * paths with two slashes at times.
 */
#include "actions/vmm/vmm.h"

#include "base/error.h"

#include <string.h>

typedef struct Relocation {
    const char *datastores;
    gint64 ds_id, vm_id;
    bool changed;
} Relocation;

/* Behind one or more slashes, or NULL. */
static const char *
slashes(const char *text)
{
    return *text == '/' ? text + strspn(text, "/") : NULL;
}

/* Behind `path` at `text`, slashes counting as one, or NULL. */
static const char *
pass(const char *text, const char *path)
{
    while (text && *path) {
        if (*path == '/') {
            text = slashes(text);
            path += strspn(path, "/");
        } else {
            text = *text == *path++ ? text + 1 : NULL;
        }
    }
    return text;
}

static const char *
pass_number(const char *text, gint64 *number)
{
    gsize digits = text ? strspn(text, "0123456789") : 0;

    if (digits == 0 || digits > 10)
        return NULL;
    *number = g_ascii_strtoll(text, NULL, 10);
    return text + digits;
}

/* The end of a DATASTORES/<number>/<this VM> that begins at `text`, or NULL. */
static const char *
pass_directory(const Relocation *to, const char *text, gint64 *ds_id)
{
    gint64 vm_id;
    const char *end = pass(text, to->datastores);

    end = end ? slashes(end) : NULL;
    end = end ? pass_number(end, ds_id) : NULL;
    end = end ? slashes(end) : NULL;
    end = end ? pass_number(end, &vm_id) : NULL;
    return end && vm_id == to->vm_id && (!*end || strchr("/,:;\"' \t\n", *end)) ? end : NULL;
}

/* NULL if nothing is to be changed. */
static char *
relocated(Relocation *to, const char *text)
{
    g_autoptr(GString) out = g_string_new(NULL);
    bool changed = false, inside = false; /* of another path */

    while (*text) {
        gint64 ds_id;
        const char *end = *text == '/' && !inside ? pass_directory(to, text, &ds_id) : NULL;
        if (!end || ds_id == to->ds_id) {
            /* a run of slashes is one place to begin at */
            gsize length = *text == '/' ? strspn(text, "/") : 1;
            g_string_append_len(out, text, (gssize)length);
            text += length;
            inside = g_ascii_isalnum(text[-1]) || strchr("._-", text[-1]);
            continue;
        }
        g_string_append_printf(out, "%s/%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT, to->datastores,
                               to->ds_id, to->vm_id);
        text = end;
        changed = inside = true;
    }
    to->changed |= changed;
    return changed ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

/* Attributes and texts hold their values in text nodes. */
static void
relocate_texts(Relocation *to, xmlNode *node)
{
    for (; node; node = node->next) {
        bool text = node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE;
        g_autofree char *moved =
            text && node->content ? relocated(to, (const char *)node->content) : NULL;
        if (moved) /* of a text node: as it stands, nothing is parsed */
            xmlNodeSetContent(node, (const xmlChar *)moved);
        if (node->type != XML_ELEMENT_NODE)
            continue;
        for (xmlAttr *attribute = node->properties; attribute; attribute = attribute->next)
            relocate_texts(to, attribute->children);
        relocate_texts(to, node->children);
    }
}

char *
domain_relocate(const char *text, const char *datastores, gint64 ds_id, gint64 vm_id, bool *changed,
                GError **error)
{
    Relocation to = {.datastores = datastores, .ds_id = ds_id, .vm_id = vm_id};
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), error);

    *changed = false;
    if (!document)
        return NULL;
    relocate_texts(&to, xml_root(document));
    *changed = to.changed;
    return xml_text_of(document);
}
