// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/driver.h"

/* Volumes as LINSTOR resources, one volume each, on DRBD or without. A volume's name is the
 * resource definition's. */
extern const Backend linstor_backend;

/* Of LINBIT's driver: OpenNebula-Image-ID. */
extern const Naming linstor_naming;
/* Of linstor_un: one-image-ID. */
extern const Naming linstor_un_naming;
