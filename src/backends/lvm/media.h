// SPDX-License-Identifier: Apache-2.0
/*
 * Install media of gfs2clvm: a file NAME.isox on a file system that all hosts see. It is no logical
 * volume: VMs get a link to the file, and nobody here makes, changes or removes it.
 */
#pragma once

#include "core/driver.h"

bool media_is(const Volume *volume);
bool media_stat(Volume *volume, bool *exists, GError **error);
bool media_attach(const Volume *volume, Host *host, char **device, GError **error);
bool media_open(Volume *volume, Endpoint *endpoint, GError **error);
/* Its record goes, the file stays. */
bool media_remove(const Volume *volume);
