// SPDX-License-Identifier: Apache-2.0
/* What programs of LizardFS, MooseFS and SaunaFS print: a capacity never grows by it. */
#include "backends/mfs/output.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    MfsSpace space = {1000000, 400000, 600000};
    double copies = 2;
    GError *error = NULL;

    bool known = mfs_apply_quota(text, copies, &space, &error);
    g_assert(known == (error == NULL));
    g_clear_error(&error);
    known = mfs_apply_repquota(text, &space, &error);
    g_assert(known == (error == NULL));
    g_clear_error(&error);
    g_assert(space.total <= 1000000 && space.used <= 1000000 && space.available <= 600000);

    known = mfs_parse_copies(text, &copies, &error);
    g_assert(known == (error == NULL) && copies >= 0);
    g_clear_error(&error);
    g_autofree char *goal = mfs_parse_goal(text, &error);
    g_assert((goal != NULL) == (error == NULL));
    g_clear_error(&error);
    return 0;
}
