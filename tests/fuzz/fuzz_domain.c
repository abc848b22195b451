// SPDX-License-Identifier: Apache-2.0
/* A guest's document, which comes out of a device that others may have written to. */
#include "actions/vmm/vmm.h"
#include "fuzz.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    GError *error = NULL;
    guint64 bytes = 0;
    bool changed;

    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), NULL);
    if (document) {
        bool known = checkpoint_size(document, &bytes, &error);
        g_assert(known == (error == NULL) && (!known || (bytes >= MIB && bytes % MIB == 0)));
        g_clear_error(&error);
        g_assert(checkpoint_timeout(bytes) >= 600000);
    }
    g_autofree char *moved =
        domain_relocate(text, "/var/lib/one/datastores", 105, 7, &changed, &error);
    g_assert((moved != NULL) == (error == NULL) && (moved != NULL) == (document != NULL));
    g_clear_error(&error);
    if (!moved)
        return 0;
    /* what was moved once stays */
    g_autofree char *again =
        domain_relocate(moved, "/var/lib/one/datastores", 105, 7, &changed, &error);
    g_assert(again && !changed);
    return 0;
}
