// SPDX-License-Identifier: Apache-2.0
/*
 * What the products' programs print about space, in plain numbers (-n). Strict: a line that is not
 * as expected is CORRUPT, since a wrong guess would become a wrong capacity.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The space of a directory. */
typedef struct MfsSpace {
    guint64 total, used, available;
} MfsSpace;

/* Narrows `space` to what quotas leave, as `mfsgetquota -n DIRECTORY...` prints them. Hard limits
 * count, soft ones where there is no hard one: they become hard after their grace period. `copies`
 * is how often each byte is stored. */
bool mfs_apply_quota(const char *text, double copies, MfsSpace *space, GError **error);
/* The same for `repquota -n -d DIRECTORY` of LizardFS and SaunaFS. */
bool mfs_apply_repquota(const char *text, MfsSpace *space, GError **error);
/* The goal's or storage class's name in "DIRECTORY: NAME". NULL on failure. */
char *mfs_parse_goal(const char *text, GError **error);
/* Of `dirinfo -n DIRECTORY`: how much disk a byte takes; 0 if there is nothing to tell it from. */
bool mfs_parse_copies(const char *text, double *copies, GError **error);
