// SPDX-License-Identifier: Apache-2.0
/*
 * A session: requests of one action of the front-end, over stdin and stdout.
 *
 * It ends at the end of stdin, after 30 s of silence, or by a signal. Then, in this order: workers
 * are ended, builds that nobody finished are dropped, locks are released. What was finished stays.
 */
#pragma once

/* The program's exit status. */
int agent_serve(const char *build);
