// SPDX-License-Identifier: Apache-2.0
/*
 * How many ssh connections an action makes, where a wrapper of ssh writes a line for each to the
 * file that ONEVOL_VERIFY_SSH_LOG names.
 */
#pragma once

#include "verify/play.h"

/* Before an action: what is in the file already. */
gint64 connections_mark(void);
/* After it: fills row->connections and judges them. One a host, one more for each bulk copy, two
 * when that goes from host to host by way of the front-end. */
void connections_judge(Player *player, const Call *call, gint64 mark, Row *row);
