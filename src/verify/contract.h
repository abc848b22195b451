// SPDX-License-Identifier: Apache-2.0
/*
 * What a runner makes of an action's exit status, stdout and stderr
 * (src/mad/ruby/{CommandManager,DriverExecHelper}.rb).
 */
#pragma once

#include "verify/play.h"
#include "verify/release.h"

#include "base/command.h"

/* The status as that release finds it; takes the runner's own "ExitCode:" line out of stderr. */
int contract_status(const Release *release, CommandResult *result);

/* Adds to the row what oned or a user would stumble over. */
void contract_judge(const Release *release, const Call *call, int status,
                    const CommandResult *result, Row *row);
