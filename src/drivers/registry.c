// SPDX-License-Identifier: Apache-2.0
#include "drivers/rows.h"

const Driver *const drivers[] = {
    &driver_reflink, &driver_reflink_local, &driver_lizardfs, &driver_moosefs,  &driver_saunafs,
    &driver_linstor, &driver_linstor_un,    &driver_clvm,     &driver_gfs2clvm, NULL,
};
