// SPDX-License-Identifier: Apache-2.0
#include "one/access.h"

#include "base/error.h"
#include "one/xmlrpc.h"

#include <string.h>

/* include/AclRule.h, include/PoolObjectSQL.h, include/AuthRequest.h */
#define RULE_ONE 0x0000000100000000ull
#define RULE_GROUP 0x0000000200000000ull
#define RULE_ALL 0x0000000400000000ull
#define RULE_ID 0x00000000ffffffffull
#define OBJECT_VM 0x0000001000000000ull
#define OBJECT_IMAGE 0x0000008000000000ull
#define RIGHT_USE 1u

static bool
is_in_group(const AccessRequest *request, gint64 group)
{
    for (guint i = 0; i < request->group_count; i++)
        if (request->groups[i] == group)
            return true;
    return false;
}

bool
access_by_bits(const AccessRequest *request, xmlNode *object)
{
    if (xml_number(object, "PERMISSIONS/OTHER_U", 0) == 1)
        return true;
    if (xml_number(object, "PERMISSIONS/OWNER_U", 0) == 1 &&
        xml_number(object, "UID", -1) == request->user)
        return true;
    return xml_number(object, "PERMISSIONS/GROUP_U", 0) == 1 &&
           is_in_group(request, xml_number(object, "GID", -1));
}

/* A field of a rule, in hex without a prefix. */
static guint64
field(xmlNode *rule, const char *name)
{
    g_autofree char *text = xml_text(rule, name);
    guint64 value = 0;

    if (text)
        g_ascii_string_to_unsigned(text, 16, 0, G_MAXUINT64, &value, NULL);
    return value;
}

static bool
is_for_user(const AccessRequest *request, guint64 user)
{
    if (user == RULE_ALL || user == (RULE_ONE | (guint64)request->user))
        return true;
    return (user & ~RULE_ID) == RULE_GROUP && is_in_group(request, (gint64)(user & RULE_ID));
}

static bool
is_for_object(const AccessRequest *request, xmlNode *object, guint64 resource)
{
    guint64 type = request->kind == ACCESS_VM ? OBJECT_VM : OBJECT_IMAGE;
    gint64 id = xml_number(object, "ID", -1), group = xml_number(object, "GID", -1);

    if ((resource & (type | RULE_ALL)) == (type | RULE_ALL))
        return true;
    if (group >= 0 &&
        (resource & (type | RULE_GROUP | RULE_ID)) == (type | RULE_GROUP | (guint64)group))
        return true;
    return id >= 0 && (resource & (type | RULE_ONE | RULE_ID)) == (type | RULE_ONE | (guint64)id);
}

static bool
is_for_zone(const AccessRequest *request, guint64 zone)
{
    if (zone & RULE_ALL)
        return true;
    return request->zone >= 0 &&
           (zone & (RULE_ONE | RULE_ID)) == (RULE_ONE | (guint64)request->zone);
}

bool
access_by_rules(const AccessRequest *request, xmlNode *object, xmlNode *pool)
{
    for (xmlNode *rule = xml_find(pool, "ACL"); rule; rule = xml_next(rule))
        if ((field(rule, "RIGHTS") & RIGHT_USE) && is_for_user(request, field(rule, "USER")) &&
            is_for_object(request, object, field(rule, "RESOURCE")) &&
            is_for_zone(request, field(rule, "ZONE")))
            return true;
    return false;
}

/* Rules may be for one zone of a federation. */
static gint64
own_zone(void)
{
    g_autoptr(XmlDocument) document = xmlrpc_document("one.system.config", NULL, 0, NULL);

    return document ? xml_number(xml_root(document), "FEDERATION/ZONE_ID", -1) : -1;
}

static GArray *
groups_of(xmlNode *user)
{
    GArray *groups = g_array_new(FALSE, FALSE, sizeof(gint64));
    gint64 group = xml_number(user, "GID", -1);

    g_array_append_val(groups, group);
    for (xmlNode *id = xml_find(user, "GROUPS/ID"); id; id = xml_next(id)) {
        group = xml_number(id, "", -1);
        g_array_append_val(groups, group);
    }
    return groups;
}

static bool
refuse(gint64 user, AccessKind kind, xmlNode *object, GError **error)
{
    return set_error(error, ONEVOL_ERROR_DENIED,
                     "user %" G_GINT64_FORMAT " may not use %s %" G_GINT64_FORMAT, user,
                     kind == ACCESS_VM ? "VM" : "image", xml_number(object, "ID", -1));
}

bool
access_check(gint64 user, AccessKind kind, xmlNode *object, GError **error)
{
    XmlrpcValue id = {.type = XMLRPC_INT, .number = user};

    if (user == 0)
        return true;
    if (user < 0)
        return refuse(user, kind, object, error);
    g_autoptr(XmlDocument) document = xmlrpc_document("one.user.info", &id, 1, error);
    if (!document)
        return false;
    g_autoptr(GArray) groups = groups_of(xml_root(document));
    AccessRequest request = {.user = user,
                             .groups = (const gint64 *)(gpointer)groups->data,
                             .group_count = groups->len,
                             .kind = kind,
                             .zone = -1};
    if (is_in_group(&request, 0))
        return true;
    /* 1: not even to be used */
    if (xml_number(object, "LOCK/LOCKED", 0) == 1)
        return refuse(user, kind, object, error);
    if (access_by_bits(&request, object))
        return true;
    g_autoptr(XmlDocument) pool = xmlrpc_document("one.acl.info", NULL, 0, error);
    if (!pool)
        return false;
    request.zone = own_zone();
    return access_by_rules(&request, object, xml_root(pool)) || refuse(user, kind, object, error);
}
