// SPDX-License-Identifier: Apache-2.0
/*
 * The programs of LizardFS, MooseFS and SaunaFS: one family, three products, and sites that have
 * the tools of one and the servers of another. What a host has is found out there, once an action.
 */
#pragma once

#include "remote/host.h"

typedef enum {
    MFS_SNAPSHOT,
    MFS_SET_GOAL,
    MFS_GET_GOAL,
    MFS_SET_TRASHTIME,
    MFS_QUOTA,     /* of many directories: mfs_parse_quota() */
    MFS_QUOTA_ONE, /* of one directory: mfs_parse_repquota() */
    MFS_INFO,
    MFS_TOOLS
} MfsTool;

/* The words that `tool`'s command begins with on `host`. `driver` says whose programs are preferred
 * there. *command is NULL where the product that the host has lacks this tool; NOT_FOUND if the
 * host has none of the products. The caller frees it. */
bool mfs_command(Host *host, const char *driver, MfsTool tool, Argv **command, GError **error);
