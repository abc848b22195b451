// SPDX-License-Identifier: Apache-2.0
/* The driver's message: base64 or XML, then everything that is read out of it. */
#include "fuzz.h"
#include "one/facts.h"
#include "one/request.h"

static void
read_facts(XmlDocument *document, xmlNode *node)
{
    g_autoptr(OneDatastore) store = one_datastore_new(document, node, NULL);
    g_autoptr(OneImage) image = one_image_new(document, node);
    g_autoptr(OneVm) vm = one_vm_new(document, node);

    g_free(one_image_attribute(image, "MD5"));
    if (store) {
        g_free(one_datastore_attribute(store, "SAFE_DIRS"));
        one_datastore_flag(store, "CONVERT", true);
    }
    for (gint64 id = -1; id < 3; id++)
        one_vm_disk(vm, id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(XmlDocument) document = document_decode((const char *)data, size, NULL);

    if (!document)
        return 0;
    xmlNode *root = xml_root(document);
    read_facts(document, root);
    for (const char *const *name = (const char *const[]){"IMAGE", "DATASTORE", "VM", NULL}; *name;
         name++)
        if (xml_find(root, *name))
            read_facts(document, xml_find(root, *name));
    return 0;
}
