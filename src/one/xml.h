// SPDX-License-Identifier: Apache-2.0
/*
 * OpenNebula's documents, read with libxml2: no network, no document type and so no entities, a
 * bounded size. Values are looked up by plain element paths ("TEMPLATE/DRIVER").
 */
#pragma once

#include <glib.h>
#include <libxml/tree.h>
#include <stdbool.h>

#define XML_SIZE_LIMIT (32u << 20)

typedef struct XmlDocument XmlDocument; /* counted: xml_ref, xml_unref */

/* NULL for malformed text, a document type, or more than XML_SIZE_LIMIT bytes. */
XmlDocument *xml_parse(const char *text, gsize length, GError **error);
XmlDocument *xml_ref(XmlDocument *document);
void xml_unref(XmlDocument *document);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(XmlDocument, xml_unref)

xmlNode *xml_root(const XmlDocument *document);

/* The document as text again. The caller frees it. */
char *xml_text_of(const XmlDocument *document);

/* First element at `path` below `node`, or NULL. */
xmlNode *xml_find(xmlNode *node, const char *path);
/* The next brother of the same name, or NULL. */
xmlNode *xml_next(xmlNode *node);

/* The text at `path`, blanks at both ends removed; NULL if missing or empty. Caller frees. */
char *xml_text(xmlNode *node, const char *path);
bool xml_text_is(xmlNode *node, const char *path, const char *value);
/* A decimal number; `otherwise` if missing or no number. */
gint64 xml_number(xmlNode *node, const char *path, gint64 otherwise);
