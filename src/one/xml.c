// SPDX-License-Identifier: Apache-2.0
#include "one/xml.h"

#include "base/error.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <string.h>

struct XmlDocument {
    int references;
    xmlDoc *tree;
};

static void
refuse_document_type(void *context, G_GNUC_UNUSED const xmlChar *name,
                     G_GNUC_UNUSED const xmlChar *external, G_GNUC_UNUSED const xmlChar *location)
{
    xmlParserCtxt *parser = context;

    parser->_private = parser;
    xmlStopParser(parser);
}

XmlDocument *
xml_parse(const char *text, gsize length, GError **error)
{
    if (length > XML_SIZE_LIMIT) {
        set_error(error, ONEVOL_ERROR_USAGE, "the XML document is larger than %u MiB",
                  XML_SIZE_LIMIT >> 20);
        return NULL;
    }
    if (memchr(text, '\0', length)) { /* the parser would stop there and call it well-formed */
        set_error(error, ONEVOL_ERROR_USAGE, "the XML document is malformed: it holds a NUL byte");
        return NULL;
    }
    xmlParserCtxt *parser = xmlCreateMemoryParserCtxt(length ? text : " ", MAX((int)length, 1));
    if (!parser) {
        set_error(error, ONEVOL_ERROR_USAGE, "the XML document cannot be read");
        return NULL;
    }
    xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                  XML_PARSE_NOCDATA | XML_PARSE_HUGE);
    parser->sax->internalSubset = refuse_document_type;
    xmlParseDocument(parser);

    xmlDoc *tree = parser->myDoc;
    bool has_type = parser->_private != NULL, well = parser->wellFormed;
    const xmlError *said = xmlCtxtGetLastError(parser);
    g_autofree char *reason = one_line(said && said->message ? said->message : "no element", 200);
    int line = said ? said->line : 0;
    xmlFreeParserCtxt(parser);

    if (has_type || !well || !tree || !xmlDocGetRootElement(tree)) {
        if (tree)
            xmlFreeDoc(tree);
        if (has_type)
            set_error(error, ONEVOL_ERROR_USAGE,
                      "the XML document has a document type (entities), which is refused");
        else
            set_error(error, ONEVOL_ERROR_USAGE, "the XML document is malformed: %s (line %d)",
                      reason, line);
        return NULL;
    }
    XmlDocument *document = g_new0(XmlDocument, 1);
    document->references = 1;
    document->tree = tree;
    return document;
}

XmlDocument *
xml_ref(XmlDocument *document)
{
    document->references++;
    return document;
}

void
xml_unref(XmlDocument *document)
{
    if (!document || --document->references > 0)
        return;
    xmlFreeDoc(document->tree);
    g_free(document);
}

xmlNode *
xml_root(const XmlDocument *document)
{
    return xmlDocGetRootElement(document->tree);
}

char *
xml_text_of(const XmlDocument *document)
{
    xmlChar *text = NULL;
    int length = 0;

    xmlDocDumpMemoryEnc(document->tree, &text, &length, "UTF-8");
    char *copy = g_strndup((const char *)text, (gsize)length);
    xmlFree(text);
    return copy;
}

static xmlNode *
first_named(xmlNode *node, const char *name, size_t length)
{
    for (; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE && strlen((const char *)node->name) == length &&
            !strncmp((const char *)node->name, name, length))
            return node;
    return NULL;
}

xmlNode *
xml_find(xmlNode *node, const char *path)
{
    while (node && *path) {
        size_t length = strcspn(path, "/");
        node = first_named(node->children, path, length);
        path += length + (path[length] == '/');
    }
    return node;
}

xmlNode *
xml_next(xmlNode *node)
{
    return first_named(node->next, (const char *)node->name, strlen((const char *)node->name));
}

char *
xml_text(xmlNode *node, const char *path)
{
    xmlNode *found = xml_find(node, path);
    if (!found)
        return NULL;

    xmlChar *content = xmlNodeGetContent(found);
    char *text = g_strstrip(g_strdup((const char *)content));
    xmlFree(content);
    if (!*text)
        g_clear_pointer(&text, g_free);
    return text;
}

bool
xml_text_is(xmlNode *node, const char *path, const char *value)
{
    g_autofree char *text = xml_text(node, path);
    return text && !g_ascii_strcasecmp(text, value);
}

gint64
xml_number(xmlNode *node, const char *path, gint64 otherwise)
{
    g_autofree char *text = xml_text(node, path);
    gint64 number;

    return text && g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, &number, NULL)
               ? number
               : otherwise;
}
