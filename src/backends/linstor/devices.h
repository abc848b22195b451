// SPDX-License-Identifier: Apache-2.0
/*
 * Volumes on hosts: attach, detach, and the content of a volume to read or write.
 *
 * A host without a replica gets the device over the network. LINSTOR answers when DRBD is up; udev
 * makes the device node a moment later, so the host is asked until it is there.
 */
#pragma once

#include "backends/linstor/store.h"
#include "core/backend.h"

bool linstor_attach(Volume *volume, Host *host, AttachMode mode, char **device, GError **error);
bool linstor_detach(Volume *volume, Host *host, AttachMode mode, GError **error);
bool linstor_open(Volume *volume, Endpoint *endpoint, GError **error);
bool linstor_close(Volume *volume, Endpoint *endpoint, GError **error);

/* Another definition than the volume's own, for it: a snapshot's content. */
bool linstor_open_named(Volume *volume, const char *name, Endpoint *endpoint, GError **error);
bool linstor_close_named(Volume *volume, const char *name, Endpoint *endpoint, GError **error);

/* For tests: where device nodes are, instead of /dev. Kept by reference. */
void linstor_devices_are_in(const char *directory);
