// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/backend.h"

extern const Backend skeleton_backend;
