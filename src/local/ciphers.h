// SPDX-License-Identifier: Apache-2.0
/*
 * Which cipher a bulk connection takes: ssh prefers ChaCha20, yet AES-GCM costs a third less of
 * both ends' time where the processor has instructions for AES, and most have.
 */
#pragma once

#include <glib.h>

/* A word for ssh's -o, "Ciphers=…": those that its configuration allows for `host`, the quickest
 * first. NULL: leave them as they are. The caller frees it. */
char *ciphers_for(const char *host);

/* The same from what `ssh -G` printed. */
char *ciphers_ordered(const char *printed);
