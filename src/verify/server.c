// SPDX-License-Identifier: Apache-2.0
#include "verify/server.h"

#include "base/error.h"
#include "verify/documents.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#define BODY_LIMIT (1u << 20)

enum { CODE_AUTHENTICATION = 0x100, CODE_NO_EXISTS = 0x400 };

struct Server {
    World *world;
    struct MHD_Daemon *daemon;
    unsigned port;
    int calls; /* atomic */
    int mood;  /* atomic */
};

/* One call: its name and its parameters as text. */
typedef struct Request {
    char *method;
    GPtrArray *parameters;
} Request;

typedef struct Answer {
    bool success;
    char *body; /* NULL: no such method */
    int code;
} Answer;

static void
answer_set(Answer *answer, char *document)
{
    answer->success = true;
    answer->body = document;
}

static void
answer_missing(Answer *answer, const char *method, const char *kind, int id)
{
    answer->body = g_strdup_printf("[%s] Error getting %s [%d].", method, kind, id);
    answer->code = CODE_NO_EXISTS;
}

static int
parameter_int(const Request *request, guint index)
{
    if (request->parameters->len <= index)
        return -1;
    return (int)g_ascii_strtoll(request->parameters->pdata[index], NULL, 10);
}

static void
answer_object(const World *world, const Request *request, Answer *answer)
{
    int id = parameter_int(request, 1);

    if (strcmp(request->method, "one.vm.info") == 0) {
        const Vm *vm = world_find_vm(world, id);
        if (vm)
            answer_set(answer, document_vm(world, vm, false));
        else
            answer_missing(answer, request->method, "virtual machine", id);
    } else if (strcmp(request->method, "one.image.info") == 0) {
        const Image *image = world_find_image(world, id);
        if (image)
            answer_set(answer, document_image(world, image));
        else
            answer_missing(answer, request->method, "image", id);
    } else if (strcmp(request->method, "one.datastore.info") == 0) {
        const Datastore *datastore = world_find_datastore(world, id);
        if (datastore)
            answer_set(answer, document_datastore(world, datastore));
        else
            answer_missing(answer, request->method, "datastore", id);
    } else if (strcmp(request->method, "one.host.info") == 0) {
        if (id >= 0 && id < (int)world->hosts->len)
            answer_set(answer, document_host(world, world->hosts->pdata[id]));
        else
            answer_missing(answer, request->method, "host", id);
    } else if (strcmp(request->method, "one.cluster.info") == 0) {
        answer_set(answer, g_strdup("<CLUSTER><ID>0</ID><NAME>default</NAME><HOSTS/><TEMPLATE/>"
                                    "</CLUSTER>"));
    }
}

typedef char *(*PoolDocument)(const World *world, gconstpointer object);

static char *
pool(const World *world, const char *name, GPtrArray *objects, PoolDocument document)
{
    GString *xml = g_string_new(NULL);

    g_string_append_printf(xml, "<%s>", name);
    for (guint i = 0; i < objects->len; i++) {
        g_autofree char *object = document(world, objects->pdata[i]);
        g_string_append(xml, object);
    }
    g_string_append_printf(xml, "</%s>", name);
    return g_string_free(xml, FALSE);
}

static char *
pool_vm(const World *world, gconstpointer object)
{
    return document_vm(world, object, true);
}

static char *
vm_set(const World *world, const char *ids)
{
    GString *xml = g_string_new("<VM_POOL>");
    g_auto(GStrv) words = g_strsplit(ids, ",", -1);

    for (char **word = words; *word; word++) {
        const Vm *vm = world_find_vm(world, (int)g_ascii_strtoll(*word, NULL, 10));
        g_autofree char *document = vm ? document_vm(world, vm, true) : NULL;
        g_string_append(xml, document ? document : "");
    }
    g_string_append(xml, "</VM_POOL>");
    return g_string_free(xml, FALSE);
}

static void
answer_pool(const World *world, const Request *request, Answer *answer)
{
    const char *method = request->method;

    if (strcmp(method, "one.hostpool.info") == 0)
        answer_set(answer, pool(world, "HOST_POOL", world->hosts, (PoolDocument)document_host));
    else if (strcmp(method, "one.datastorepool.info") == 0)
        answer_set(answer, pool(world, "DATASTORE_POOL", world->datastores,
                                (PoolDocument)document_datastore));
    else if (strcmp(method, "one.imagepool.info") == 0)
        answer_set(answer, pool(world, "IMAGE_POOL", world->images, (PoolDocument)document_image));
    else if (strcmp(method, "one.vmpool.info") == 0 ||
             strcmp(method, "one.vmpool.infoextended") == 0)
        answer_set(answer, pool(world, "VM_POOL", world->vms, pool_vm));
    else if (strcmp(method, "one.vmpool.infoset") == 0 && request->parameters->len > 1 &&
             release_from(world->release, RELEASE(6, 0, 0)))
        answer_set(answer, vm_set(world, request->parameters->pdata[1]));
    else if (strcmp(method, "one.system.version") == 0)
        answer_set(answer, g_strdup(world->release->text));
    else if (strcmp(method, "one.system.config") == 0)
        answer_set(answer, document_config(world));
}

static void
answer_request(Server *server, const Request *request, Answer *answer)
{
    const char *session = request->parameters->len ? request->parameters->pdata[0] : "";

    if (strcmp(session, SERVER_SESSION) != 0) {
        answer->body =
            g_strdup_printf("[%s] User couldn't be authenticated, aborting call.", request->method);
        answer->code = CODE_AUTHENTICATION;
        return;
    }
    g_mutex_lock(&server->world->lock);
    answer_object(server->world, request, answer);
    if (!answer->body)
        answer_pool(server->world, request, answer);
    g_mutex_unlock(&server->world->lock);
}

static char *
answer_text(const Answer *answer, const char *method)
{
    g_autofree char *escaped = g_markup_escape_text(answer->body ? answer->body : "", -1);

    if (!answer->body)
        return g_strdup_printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<methodResponse>\r\n"
                               "<fault><value><struct><member><name>faultCode</name><value><i4>-506"
                               "</i4></value></member><member><name>faultString</name><value>"
                               "<string>Method '%s' not defined</string></value></member></struct>"
                               "</value></fault>\r\n</methodResponse>\r\n",
                               method);
    return g_strdup_printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<methodResponse>\r\n"
                           "<params>\r\n<param><value><array><data>\r\n<value><boolean>%d</boolean>"
                           "</value>\r\n<value><string>%s</string></value>\r\n<value><i4>%d</i4>"
                           "</value>\r\n</data></array></value></param>\r\n</params>\r\n"
                           "</methodResponse>\r\n",
                           answer->success, escaped, answer->code);
}

/* The text of <value>: of its one child element, or its own. */
static char *
value_text(xmlNode *value)
{
    xmlNode *inner = xmlFirstElementChild(value);
    xmlChar *content = xmlNodeGetContent(inner ? inner : value);
    char *copy = g_strdup((const char *)content);

    xmlFree(content);
    return copy;
}

static xmlNode *
child_named(xmlNode *parent, const char *name)
{
    for (xmlNode *node = parent ? xmlFirstElementChild(parent) : NULL; node;
         node = xmlNextElementSibling(node))
        if (xmlStrEqual(node->name, (const xmlChar *)name))
            return node;
    return NULL;
}

static bool
request_parse(const char *body, size_t length, Request *request)
{
    xmlDoc *document = xmlReadMemory(body, (int)length, NULL, NULL,
                                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlNode *root = document ? xmlDocGetRootElement(document) : NULL;
    xmlNode *method = child_named(root, "methodName");
    xmlNode *parameters = child_named(root, "params");

    request->parameters = g_ptr_array_new_with_free_func(g_free);
    request->method = method ? value_text(method) : NULL;
    for (xmlNode *node = parameters ? xmlFirstElementChild(parameters) : NULL; node;
         node = xmlNextElementSibling(node)) {
        xmlNode *value = child_named(node, "value");
        g_ptr_array_add(request->parameters, value ? value_text(value) : g_strdup(""));
    }
    xmlFreeDoc(document);
    return request->method != NULL;
}

static char *
respond(Server *server, const GString *body)
{
    Request request = {0};
    Answer answer = {0};
    char *text = NULL;

    if (g_atomic_int_get(&server->mood) == SERVER_GARBAGE)
        return g_strdup("<html><body>It works!</body></html>");
    if (request_parse(body->str, body->len, &request)) {
        answer_request(server, &request, &answer);
        text = answer_text(&answer, request.method);
    }
    g_ptr_array_unref(request.parameters);
    g_free(request.method);
    g_free(answer.body);
    return text;
}

static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, G_GNUC_UNUSED const char *url,
           const char *method, G_GNUC_UNUSED const char *version, const char *data, size_t *length,
           void **state)
{
    Server *server = context;
    GString *body = *state;

    if (!body) {
        *state = g_string_new(NULL);
        return MHD_YES;
    }
    if (*length > 0) {
        if (body->len + *length > BODY_LIMIT)
            return MHD_NO;
        g_string_append_len(body, data, (gssize)*length);
        *length = 0;
        return MHD_YES;
    }
    g_atomic_int_inc(&server->calls);
    char *text = strcmp(method, "POST") == 0 ? respond(server, body) : NULL;
    unsigned status = text ? MHD_HTTP_OK : MHD_HTTP_BAD_REQUEST;
    if (!text)
        text = g_strdup("Call XML not a proper XML-RPC call.");
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
    g_free(text);
    MHD_add_response_header(response, "Content-Type", "text/xml; charset=utf-8");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static void
on_completed(G_GNUC_UNUSED void *context, G_GNUC_UNUSED struct MHD_Connection *connection,
             void **state, G_GNUC_UNUSED enum MHD_RequestTerminationCode code)
{
    if (*state)
        g_string_free(*state, TRUE);
    *state = NULL;
}

Server *
server_start(World *world, GError **error)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    Server *server = g_new0(Server, 1);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->world = world;
    server->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR,
        &address, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        server->daemon ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info) {
        set_error_errno(error, errno, "cannot start the XML-RPC server");
        server_stop(server);
        return NULL;
    }
    server->port = info->port;
    return server;
}

void
server_stop(Server *server)
{
    if (!server)
        return;
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    g_free(server);
}

unsigned
server_port(const Server *server)
{
    return server->port;
}

void
server_set_mood(Server *server, ServerMood mood)
{
    g_atomic_int_set(&server->mood, (int)mood);
}

unsigned
server_take_calls(Server *server)
{
    int calls = g_atomic_int_get(&server->calls);

    g_atomic_int_add(&server->calls, -calls);
    return (unsigned)calls;
}
