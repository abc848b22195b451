// SPDX-License-Identifier: Apache-2.0
/*
 * XML documents as the played release of oned writes them, after recorded ones (tests/fixtures).
 * All strings are freed by the caller.
 */
#pragma once

#include "verify/world.h"

char *document_datastore(const World *world, const Datastore *datastore);
char *document_image(const World *world, const Image *image);
/* `current_only`: only the last history record, as in what drivers get on stdin. */
char *document_vm(const World *world, const Vm *vm, bool current_only);
char *document_host(const World *world, const Host *host);
char *document_config(const World *world);

/* <DS_DRIVER_ACTION_DATA>; `image` may be NULL, `extra` is XML or NULL. */
char *document_action(const World *world, const Image *image, const Datastore *datastore,
                      const char *extra);
/* The short form that STAT gets. */
char *document_stat(const World *world, const char *path, const Datastore *datastore);
