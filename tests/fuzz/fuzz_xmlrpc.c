// SPDX-License-Identifier: Apache-2.0
/* What an oned, or whoever answers in its place, sends back. */
#include "fuzz.h"
#include "one/xmlrpc.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GError *error = NULL;
    g_autofree char *text = xmlrpc_decode((const char *)data, size, &error);

    g_assert((text == NULL) == (error != NULL));
    g_assert(!error || g_utf8_validate(error->message, -1, NULL));
    g_clear_error(&error);
    return 0;
}
