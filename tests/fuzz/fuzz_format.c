// SPDX-License-Identifier: Apache-2.0
/* First bytes of an image: what is called supported must not lead to another file. */
#include "core/format.h"
#include "fuzz.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ImageFormat format = {0};
    GError *error = NULL;
    bool known = format_detect(data, MIN(size, FORMAT_HEAD_LIMIT), size, &format, &error);

    g_assert(known == (error == NULL));
    if (known && format.supported && !strcmp(format.name, "qcow2")) {
        static const uint8_t none[12];
        g_assert(memcmp(data + 8, none, 8) == 0 && memcmp(data + 16, none, 4) == 0);
    }
    g_assert(!known || format.needs <= FORMAT_HEAD_LIMIT);
    g_assert(!known || !format.supported || format.needs == 0);
    g_clear_error(&error);
    return 0;
}
