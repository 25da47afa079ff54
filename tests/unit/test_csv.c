/* parse: tables. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "parse/csv.h"

/* Rows as "[line]a|b|" */
static int read_all(struct span text, struct buf *ret, struct err *e)
{
	CLEANUP(csv_close) struct csv c;
	int r;

	csv_open(&c, text, "t.csv");
	while ((r = csv_next(&c, e)) > 0) {
		buf_addf(ret, "[%d]", c.row_line);
		for (size_t i = 0; i < c.n; i++)
			buf_addf(ret, "%.*s|", SPAN_ARG(c.cells[i]));
	}
	return r;
}

static void expect(const char *text, const char *want)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	struct err e = { 0 };

	assert_int_equal(read_all(span_of(text), &out, &e), 0);
	assert_string_equal(buf_str(&out), want);
}

static void refuse(const char *text, const char *words)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	struct err e = { 0 };

	assert_int_equal(read_all(span_of(text), &out, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, words));
}

static void test_rows(void **state)
{
	expect("", "");
	expect("\n\r\n", "");
	expect("a,b\n1,2\n", "[1]a|b|[2]1|2|");
	expect("a,b\r\n1,2", "[1]a|b|[2]1|2|");
	expect("\xef\xbb\xbf" "a,b\n\n1,\n", "[1]a|b|[3]1||");
	expect("a,b\n,\n", "[1]a|b|[2]||");
	expect("a\n\"\"\n", "[1]a|[2]|");
	expect("a,b\n\"x,y\",\"l1\nl2\"\nz,\n", "[1]a|b|[2]x,y|l1\nl2|[4]z||");
	expect("a\n\"he said \"\"no\"\"\"\n", "[1]a|[2]he said \"no\"|");
	expect("a\nin\"side\n", "[1]a|[2]in\"side|");
	expect("a\nlone\rcr\n", "[1]a|[2]lone\rcr|");
	expect("a;b;c\n1,5;2;3\n", "[1]a|b|c|[2]1,5|2|3|");
	expect("a\tb\n1\t2\n", "[1]a|b|[2]1|2|");
	expect("\"x;y;z\",b\n1,2\n", "[1]x;y;z|b|[2]1|2|");
	expect("标题,状态\n超时,打开\n", "[1]标题|状态|[2]超时|打开|");
}

static void test_refused(void **state)
{
	refuse("a,b\n1,\"open\n2,3\n", "t.csv:2: ");
	refuse("a\n\"x\"y\n", "t.csv:2: ");
	CLEANUP(buf_free) struct buf wide = { 0 };
	for (int i = 0; i < CSV_COLUMNS_MAX + 1; i++)
		buf_adds(&wide, "x,");
	refuse(buf_str(&wide), "1000");
}

static void test_no_memory(void **state)
{
	long n;

	for (n = 1;; n++) {
		CLEANUP(csv_close) struct csv c;
		struct err e = { 0 };
		int r;
		csv_open(&c, S("a,b\n\"x\"\"y\",2\n"), "t.csv");
		fault_seen = 0;
		fault_at = n;
		while ((r = csv_next(&c, &e)) > 0)
			;
		bool hit = fault_seen >= n;
		fault_at = 0;
		if (!hit)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_true(e.msg[0] != '\0');
	}
	assert_true(n > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
