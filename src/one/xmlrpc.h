// SPDX-License-Identifier: Apache-2.0
/*
 * XML-RPC to oned: its endpoint, its credentials, its answers
 * (src/oca/ruby/opennebula/client.rb of 5.4).
 */
#pragma once

#include "one/xml.h"

/* What a method takes after the session string. */
typedef struct XmlrpcValue {
    enum { XMLRPC_INT, XMLRPC_TEXT, XMLRPC_BOOLEAN } type;
    gint64 number;
    const char *text;
} XmlrpcValue;

/* Calls `method` and returns the text of the answer's body. NULL on failure: UNREACHABLE, DENIED
 * (authentication, authorization), NOT_FOUND (no such object), BUSY (locked), FAILED. The caller
 * frees it. */
char *xmlrpc_call(const char *method, const XmlrpcValue *values, gsize count, GError **error);

/* The same, the body parsed. */
XmlDocument *xmlrpc_document(const char *method, const XmlrpcValue *values, gsize count,
                             GError **error);

/* Parts, for tests and fuzzing. */
char *xmlrpc_encode(const char *method, const char *session, const XmlrpcValue *values,
                    gsize count);
char *xmlrpc_decode(const char *answer, gsize length, GError **error);
