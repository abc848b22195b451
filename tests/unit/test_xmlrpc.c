// SPDX-License-Identifier: Apache-2.0
/* one/xmlrpc.c: calls as oned expects them, answers as it may give them. */
#include "one/xmlrpc.h"
#include "test.h"

#include <string.h>

#define ANSWER(values)                                                                             \
    "<?xml version=\"1.0\"?><methodResponse><params><param><value><array><data>" values            \
    "</data></array></value></param></params></methodResponse>"
#define SUCCESS(body)                                                                              \
    ANSWER("<value><boolean>1</boolean></value><value><string>" body "</string></value>"           \
           "<value><i4>0</i4></value>")
#define FAILURE(body, code)                                                                        \
    ANSWER("<value><boolean>0</boolean></value><value><string>" body "</string></value>"           \
           "<value><i4>" code "</i4></value>")

static void
a_call_carries_session_and_values(void **state)
{
    (void)state;
    const XmlrpcValue values[] = {
        {.type = XMLRPC_INT,     .number = -7   },
        {.type = XMLRPC_BOOLEAN, .number = 5    },
        {.type = XMLRPC_TEXT,    .text = "<a&b>"},
    };
    g_autofree char *text = xmlrpc_encode("one.vm.info", "me:p<&\"'w", values, 3);
    g_autoptr(XmlDocument) document = xml_parse(text, strlen(text), NULL);
    xmlNode *param = xml_find(xml_root(document), "params/param");
    g_autofree char *session = xml_text(param, "value/string");
    g_autofree char *method = xml_text(xml_root(document), "methodName");

    assert_string_equal(method, "one.vm.info");
    assert_string_equal(session, "me:p<&\"'w");
    param = xml_next(param);
    assert_int_equal(xml_number(param, "value/i4", 0), -7);
    param = xml_next(param);
    assert_int_equal(xml_number(param, "value/boolean", 0), 1);
    param = xml_next(param);
    g_autofree char *last = xml_text(param, "value/string");
    assert_string_equal(last, "<a&b>");
    assert_null(xml_next(param));
}

static char *
decode(const char *answer)
{
    GError *error = NULL;
    char *text = xmlrpc_decode(answer, strlen(answer), &error);

    assert_no_error(error);
    return text;
}

static void
a_success_gives_its_body(void **state)
{
    (void)state;
    g_autofree char *text = decode(SUCCESS("&lt;VM&gt;&lt;ID&gt;7&lt;/ID&gt;&lt;/VM&gt;"));
    g_autofree char *bare =
        decode(ANSWER("<value><boolean>1</boolean></value><value>text</value>"));
    g_autofree char *empty = decode(SUCCESS(""));

    assert_string_equal(text, "<VM><ID>7</ID></VM>");
    assert_string_equal(bare, "text");
    assert_string_equal(empty, "");
}

static void
assert_answer_failed(const char *answer, int code, const char *part)
{
    GError *error = NULL;

    assert_null(xmlrpc_decode(answer, strlen(answer), &error));
    assert_failed(error, code, part);
}

static void
oneds_error_codes_become_ours(void **state)
{
    (void)state;
    assert_answer_failed(FAILURE("[one.vm.info] Error getting virtual machine [7].", "1024"),
                         ONEVOL_ERROR_NOT_FOUND, "Error getting virtual machine [7].");
    assert_answer_failed(FAILURE("User couldn't be authenticated", "256"), ONEVOL_ERROR_DENIED,
                         "authenticated");
    assert_answer_failed(FAILURE("Not authorized", "512"), ONEVOL_ERROR_DENIED, "authorized");
    assert_answer_failed(FAILURE("locked", "32768"), ONEVOL_ERROR_BUSY, "locked");
    assert_answer_failed(FAILURE("internal", "8192"), ONEVOL_ERROR_FAILED, "internal");
    assert_answer_failed(FAILURE("x", "nonsense"), ONEVOL_ERROR_FAILED, "x");
    assert_answer_failed(
        ANSWER("<value><boolean>0</boolean></value><value><string>no code</string></value>"),
        ONEVOL_ERROR_FAILED, "no code");
}

static void
an_error_text_becomes_one_line(void **state)
{
    (void)state;
    assert_answer_failed(FAILURE("a\nb\r\n\tc", "8192"), ONEVOL_ERROR_FAILED, "a b c");
}

static void
a_fault_is_an_error(void **state)
{
    (void)state;
    assert_answer_failed("<methodResponse><fault><value><struct><member><name>faultCode</name>"
                         "<value><int>-506</int></value></member><member><name>faultString</name>"
                         "<value><string>Method 'x' not defined</string></value></member></struct>"
                         "</value></fault></methodResponse>",
                         ONEVOL_ERROR_FAILED, "Method 'x' not defined");
}

static void
garbage_is_an_error(void **state)
{
    (void)state;
    assert_answer_failed("", ONEVOL_ERROR_USAGE, "malformed");
    assert_answer_failed("<html><body>502 Bad Gateway</body></html>", ONEVOL_ERROR_FAILED,
                         "not an XML-RPC result");
    assert_answer_failed("<methodResponse/>", ONEVOL_ERROR_FAILED, "not an XML-RPC result");
    assert_answer_failed(ANSWER(""), ONEVOL_ERROR_FAILED, "not an XML-RPC result");
    assert_answer_failed(ANSWER("<value><boolean>1</boolean></value>"), ONEVOL_ERROR_FAILED,
                         "not an XML-RPC result");
    assert_answer_failed("<!DOCTYPE a [<!ENTITY x \"y\">]><methodResponse/>", ONEVOL_ERROR_USAGE,
                         "document type");
}

static void
a_cut_answer_is_never_a_success(void **state)
{
    (void)state;
    const char *whole = SUCCESS("&lt;VM&gt;&lt;/VM&gt;");

    for (gsize length = 0; length < strlen(whole); length++) {
        GError *error = NULL;
        assert_null(xmlrpc_decode(whole, length, &error));
        assert_non_null(error);
        g_error_free(error);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_call_carries_session_and_values),
    cmocka_unit_test(a_success_gives_its_body),
    cmocka_unit_test(oneds_error_codes_become_ours),
    cmocka_unit_test(an_error_text_becomes_one_line),
    cmocka_unit_test(a_fault_is_an_error),
    cmocka_unit_test(garbage_is_an_error),
    cmocka_unit_test(a_cut_answer_is_never_a_success),
};
TEST_MAIN(tests)
