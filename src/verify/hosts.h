// SPDX-License-Identifier: Apache-2.0
/*
 * The machines of the played site. Today all of them are this machine under different names; every
 * access to a disk names its host, so that real other machines can be added in one place.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Host {
    char *name; /* as in the host part of transfer lines */
    int id;     /* -1: the front-end when it is no hypervisor */
    bool local; /* files are reached directly */
} Host;
