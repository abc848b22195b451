// SPDX-License-Identifier: Apache-2.0
/*
 * May a user use an object? oned answers that only to the user; a driver asks as oneadmin, who may
 * do everything. So the rule is applied here as oned does it (src/acl/AclManager.cc authorize,
 * src/rm/Request.cc, include/AuthRequest.h of 5.4-7.4): the object's own owner, group and other
 * bits, then all ACLs; locks count; members of the group oneadmin may.
 */
#pragma once

#include "one/xml.h"

typedef enum { ACCESS_IMAGE, ACCESS_VM } AccessKind;

/* `object` is its element in a document of oned. DENIED if the user may not, or is not known. */
bool access_check(gint64 user, AccessKind kind, xmlNode *object, GError **error);

/* Parts, for tests. `zone` -1: not known. */
typedef struct AccessRequest {
    gint64 user;
    const gint64 *groups;
    guint group_count;
    AccessKind kind;
    gint64 zone;
} AccessRequest;

bool access_by_bits(const AccessRequest *request, xmlNode *object);
/* `pool` is one.acl.info's. */
bool access_by_rules(const AccessRequest *request, xmlNode *object, xmlNode *pool);
