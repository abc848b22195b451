// SPDX-License-Identifier: Apache-2.0
#include "one/xmlrpc.h"

#include "base/error.h"
#include "base/log.h"
#include "base/step.h"
#include "http/http.h"

#include <string.h>

/* oned's error codes: include/RequestManager.h of 5.4-7.4 */
enum {
    ONE_AUTHENTICATION = 0x0100,
    ONE_AUTHORIZATION = 0x0200,
    ONE_NO_EXISTS = 0x0400,
    ONE_LOCKED = 0x8000,
};

char *
xmlrpc_encode(const char *method, const char *session, const XmlrpcValue *values, gsize count)
{
    g_autoptr(GString) text = g_string_new("<?xml version=\"1.0\"?><methodCall><methodName>");
    g_autofree char *secret = g_markup_escape_text(session, -1);

    g_string_append_printf(text,
                           "%s</methodName><params><param><value><string>%s</string>"
                           "</value></param>",
                           method, secret);
    for (gsize i = 0; i < count; i++) {
        g_autofree char *escaped =
            values[i].type == XMLRPC_TEXT ? g_markup_escape_text(values[i].text, -1) : NULL;
        g_string_append(text, "<param><value>");
        switch (values[i].type) {
        case XMLRPC_INT:
            g_string_append_printf(text, "<i4>%" G_GINT64_FORMAT "</i4>", values[i].number);
            break;
        case XMLRPC_BOOLEAN:
            g_string_append_printf(text, "<boolean>%d</boolean>", values[i].number != 0);
            break;
        case XMLRPC_TEXT:
            g_string_append_printf(text, "<string>%s</string>", escaped);
            break;
        }
        g_string_append(text, "</value></param>");
    }
    g_string_append(text, "</params></methodCall>");
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static OnevolError
code_of_answer(gint64 number)
{
    switch (number) {
    case ONE_AUTHENTICATION:
    case ONE_AUTHORIZATION:
        return ONEVOL_ERROR_DENIED;
    case ONE_NO_EXISTS:
        return ONEVOL_ERROR_NOT_FOUND;
    case ONE_LOCKED:
        return ONEVOL_ERROR_BUSY;
    default:
        return ONEVOL_ERROR_FAILED;
    }
}

/* <value> holds one typed element, or bare text. */
static char *
value_text(xmlNode *value)
{
    xmlNode *typed = value ? value->children : NULL;

    while (typed && typed->type != XML_ELEMENT_NODE)
        typed = typed->next;
    xmlChar *content = xmlNodeGetContent(typed ? typed : value);
    char *text = g_strdup(content ? (const char *)content : "");
    xmlFree(content);
    return text;
}

char *
xmlrpc_decode(const char *answer, gsize length, GError **error)
{
    g_autoptr(XmlDocument) document = xml_parse(answer, length, error);
    if (!document)
        return NULL;

    xmlNode *root = xml_root(document);
    xmlNode *fault = xml_find(root, "fault");
    if (fault) {
        xmlChar *content = xmlNodeGetContent(fault);
        g_autofree char *said = one_line((const char *)content, 300);
        xmlFree(content);
        set_error(error, ONEVOL_ERROR_FAILED, "oned answered a fault: %s", said);
        return NULL;
    }
    xmlNode *value = xml_find(root, "params/param/value/array/data/value");
    xmlNode *body = value ? xml_next(value) : NULL;
    if (!body) {
        set_error(error, ONEVOL_ERROR_FAILED, "oned's answer is not an XML-RPC result");
        return NULL;
    }
    g_autofree char *success = value_text(value);
    g_autofree char *text = value_text(body);
    if (!strcmp(g_strstrip(success), "1"))
        return g_steal_pointer(&text);

    xmlNode *code = xml_next(body);
    g_autofree char *number = code ? value_text(code) : g_strdup("0");
    g_autofree char *said = one_line(text, 300);
    set_error(error, code_of_answer(g_ascii_strtoll(number, NULL, 10)), "oned answered: %s", said);
    return NULL;
}

/* `variable` names a file, or what `file` in ~/.one or /var/lib/one/.one holds. */
static char *
read_setting(const char *path, const char *file)
{
    g_autofree char *home = g_build_filename(g_get_home_dir(), ".one", file, NULL);
    g_autofree char *common = g_build_filename("/var/lib/one/.one", file, NULL);
    const char *const candidates[] = {path ? path : home, path ? NULL : common, NULL};

    for (const char *const *p = candidates; *p; p++) {
        char *text = NULL;
        if (g_file_get_contents(*p, &text, NULL, NULL))
            return g_strstrip(text);
    }
    return NULL;
}

static char *
endpoint(void)
{
    const char *set = g_getenv("ONE_XMLRPC");
    char *found = set && *set ? g_strdup(set) : read_setting(NULL, "one_endpoint");

    return found && *found ? found : g_strdup("http://localhost:2633/RPC2");
}

static unsigned
timeout_ms(void)
{
    guint64 seconds = 30;
    const char *set = g_getenv("ONE_XMLRPC_TIMEOUT");

    if (set)
        g_ascii_string_to_unsigned(set, 10, 1, 3600, &seconds, NULL);
    return (unsigned)seconds * 1000;
}

char *
xmlrpc_call(const char *method, const XmlrpcValue *values, gsize count, GError **error)
{
    const char *auth = g_getenv("ONE_AUTH");
    g_autofree char *session = read_setting(auth && *auth ? auth : NULL, "one_auth");
    if (!session || !*session) {
        set_error(error, ONEVOL_ERROR_DENIED,
                  "cannot read OpenNebula's credentials (ONE_AUTH or ~/.one/one_auth)");
        return NULL;
    }
    if (step_begin(STEP_READ, method, method, error) == STEP_STOP)
        return NULL;

    g_autofree char *url = endpoint();
    g_autofree char *body = xmlrpc_encode(method, session, values, count);
    HttpOptions options = {
        .timeout_ms = timeout_ms(),
        .limit = XML_SIZE_LIMIT,
        .certificates = g_getenv("ONE_CERT_DIR"),
        .insecure = g_getenv("ONE_DISABLE_SSL_VERIFY") != NULL,
    };
    gint64 start = g_get_monotonic_time();
    g_autoptr(GBytes) answer = http_post(url, "text/xml", body, &options, error);
    if (!answer) {
        g_prefix_error(error, "cannot ask oned (%s): ", method);
        return NULL;
    }
    step_end();
    log_debug("%s took %.1f ms", method, (double)(g_get_monotonic_time() - start) / 1000.0);

    gsize length;
    const char *bytes = g_bytes_get_data(answer, &length);
    char *text = xmlrpc_decode(bytes, length, error);
    if (!text)
        g_prefix_error(error, "%s: ", method);
    return text;
}

XmlDocument *
xmlrpc_document(const char *method, const XmlrpcValue *values, gsize count, GError **error)
{
    g_autofree char *text = xmlrpc_call(method, values, count, error);
    XmlDocument *document = text ? xml_parse(text, strlen(text), error) : NULL;

    if (text && !document)
        g_prefix_error(error, "%s: ", method);
    return document;
}
