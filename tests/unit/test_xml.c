// SPDX-License-Identifier: Apache-2.0
/* one/xml.c: documents of strangers. */
#include "one/xml.h"
#include "test.h"

#include <string.h>

static XmlDocument *
parse(const char *text)
{
    GError *error = NULL;
    XmlDocument *document = xml_parse(text, strlen(text), &error);

    assert_no_error(error);
    return document;
}

static void
assert_refused(const char *text, const char *part)
{
    GError *error = NULL;

    assert_null(xml_parse(text, strlen(text), &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, part);
}

static void
values_are_found_by_path(void **state)
{
    (void)state;
    g_autoptr(XmlDocument) document =
        parse("<VM><ID>7</ID><TEMPLATE><DISK><ID>0</ID></DISK><DISK><ID> 1 </ID></DISK>"
              "<DISKX/></TEMPLATE></VM>");
    xmlNode *root = xml_root(document);
    g_autofree char *id = xml_text(root, "ID");
    xmlNode *disk = xml_find(root, "TEMPLATE/DISK");

    assert_string_equal(id, "7");
    assert_int_equal(xml_number(disk, "ID", -1), 0);
    disk = xml_next(disk);
    assert_int_equal(xml_number(disk, "ID", -1), 1);
    assert_null(xml_next(disk));
    assert_null(xml_find(root, "TEMPLATE/DIS"));
    assert_null(xml_find(root, "ID/TEMPLATE"));
    assert_ptr_equal(xml_find(root, ""), root);
}

static void
cdata_and_character_references_are_text(void **state)
{
    (void)state;
    g_autoptr(XmlDocument) document =
        parse("<A><B><![CDATA[a <b> & 'c']]></B><C>&lt;&amp;&#65;</C><D>x<![CDATA[y]]>z</D></A>");
    g_autofree char *b = xml_text(xml_root(document), "B");
    g_autofree char *c = xml_text(xml_root(document), "C");
    g_autofree char *d = xml_text(xml_root(document), "D");

    assert_string_equal(b, "a <b> & 'c'");
    assert_string_equal(c, "<&A");
    assert_string_equal(d, "xyz");
}

static void
empty_and_missing_elements_are_null(void **state)
{
    (void)state;
    g_autoptr(XmlDocument) document = parse("<A><B/><C></C><D> \n </D><E><![CDATA[]]></E></A>");

    for (const char *const *name = (const char *const[]){"B", "C", "D", "E", "F", NULL}; *name;
         name++)
        assert_null(xml_text(xml_root(document), *name));
}

static void
numbers_fall_back_when_they_are_none(void **state)
{
    (void)state;
    g_autoptr(XmlDocument) document =
        parse("<A><B>12</B><C>-3</C><D>1x</D><E/><F>99999999999999999999</F><G>1.5</G></A>");
    xmlNode *root = xml_root(document);

    assert_int_equal(xml_number(root, "B", 9), 12);
    assert_int_equal(xml_number(root, "C", 9), -3);
    for (const char *const *name = (const char *const[]){"D", "E", "F", "G", "H", NULL}; *name;
         name++)
        assert_int_equal(xml_number(root, *name, 9), 9);
    assert_true(xml_text_is(root, "B", "12"));
    assert_false(xml_text_is(root, "H", ""));
}

static void
document_types_and_entities_are_refused(void **state)
{
    (void)state;
    assert_refused("<!DOCTYPE A><A/>", "document type");
    assert_refused("<!DOCTYPE A [<!ENTITY x \"y\">]><A>&x;</A>", "document type");
    assert_refused("<!DOCTYPE A [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><A>&x;</A>",
                   "document type");
    assert_refused("<!DOCTYPE A SYSTEM \"http://127.0.0.1:9/x.dtd\"><A/>", "document type");
    assert_refused("<?xml version=\"1.0\"?>\n<!DOCTYPE A PUBLIC \"a\" \"b\"><A/>", "document type");
    assert_refused("<A>&undefined;</A>", "malformed");
}

/* Without a bound this is gigabytes. */
static void
a_billion_laughs_are_refused(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new("<!DOCTYPE A [<!ENTITY a0 \"ha\">");

    for (int i = 1; i < 12; i++)
        g_string_append_printf(text, "<!ENTITY a%d \"&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;\">",
                               i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    g_string_append(text, "]><A>&a11;</A>");
    assert_refused(text->str, "document type");
}

static void
malformed_documents_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",         "   ",      "x",           "<A>",         "<A></B>",
        "<A/><B/>", "<A x=1/>", "<A>\x01</A>", "<A>\xff</A>", "<A",
        "<?xml?>",  "<!-- -->", "<A>&#0;</A>", "<A/>tail"};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_refused(rows[i], "malformed");
}

static void
bytes_behind_a_nul_are_not_trusted(void **state)
{
    (void)state;
    GError *error = NULL;

    assert_null(xml_parse("<A/>\0<B/>", 9, &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "malformed");
}

static void
deep_nesting_is_no_crash(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new(NULL);
    const int depth = 500000;

    for (int i = 0; i < depth; i++)
        g_string_append(text, "<A>");
    GError *error = NULL;
    assert_null(xml_parse(text->str, text->len, &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "malformed");

    g_string_append(text, "x");
    for (int i = 0; i < depth; i++)
        g_string_append(text, "</A>");
    /* parsed or refused, but alive */
    g_autoptr(XmlDocument) document = xml_parse(text->str, text->len, NULL);
    g_autofree char *content = document ? xml_text(xml_root(document), "") : g_strdup("x");
    assert_string_equal(content, "x");
}

static void
large_documents_are_refused_before_they_are_parsed(void **state)
{
    (void)state;
    gsize length = XML_SIZE_LIMIT + 1;
    g_autofree char *text = g_malloc(length);
    GError *error = NULL;

    memset(text, 'x', length);
    assert_null(xml_parse(text, length, &error));
    assert_failed(error, ONEVOL_ERROR_USAGE, "larger than 32 MiB");
}

static void
a_text_of_16_mib_is_no_problem(void **state)
{
    (void)state;
    gsize length = 16 << 20;
    g_autofree char *fill = g_strnfill(length, 'x');
    g_autofree char *text = g_strconcat("<A>", fill, "</A>", NULL);
    g_autoptr(XmlDocument) document = parse(text);
    g_autofree char *back = xml_text(xml_root(document), "");

    assert_int_equal(strlen(back), length);
}

static void
references_are_counted(void **state)
{
    (void)state;
    XmlDocument *document = parse("<A/>");
    XmlDocument *again = xml_ref(document);

    xml_unref(document);
    assert_non_null(xml_root(again));
    xml_unref(again);
    xml_unref(NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(values_are_found_by_path),
    cmocka_unit_test(cdata_and_character_references_are_text),
    cmocka_unit_test(empty_and_missing_elements_are_null),
    cmocka_unit_test(numbers_fall_back_when_they_are_none),
    cmocka_unit_test(document_types_and_entities_are_refused),
    cmocka_unit_test(a_billion_laughs_are_refused),
    cmocka_unit_test(malformed_documents_are_refused),
    cmocka_unit_test(bytes_behind_a_nul_are_not_trusted),
    cmocka_unit_test(deep_nesting_is_no_crash),
    cmocka_unit_test(large_documents_are_refused_before_they_are_parsed),
    cmocka_unit_test(a_text_of_16_mib_is_no_problem),
    cmocka_unit_test(references_are_counted),
};
TEST_MAIN(tests)
