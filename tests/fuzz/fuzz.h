// SPDX-License-Identifier: Apache-2.0
/* A fuzz target is this one function; libFuzzer or replay.c brings main(). */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
