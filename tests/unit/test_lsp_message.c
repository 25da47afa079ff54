#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/lsp_message.h"

/* What an editor sends, taken apart. */

static void test_frame(void **state)
{
	static const struct {
		const char *in;
		int result;
		size_t body, n;
	} rows[] = {
		{ "", 0, 0, 0 },
		{ "Content-Length: 2\r\n", 0, 0, 0 },
		{ "Content-Length: 2\r\n\r\n{}", 1, 21, 2 },
		{ "Content-Length: 2\r\nContent-Type: x\r\n\r\n", 1, 38, 2 },
		{ "Content-Type: x\r\n\r\n", -1, 0, 0 },
		{ "Content-Length: -1\r\n\r\n", -1, 0, 0 },
		{ "Content-Length: two\r\n\r\n", -1, 0, 0 },
		{ "Content-Length: 99999999999999999999\r\n\r\n", -1, 0, 0 },
		{ "Content-Length: 67108865\r\n\r\n", -1, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t body = 0, n = 0;
		assert_int_equal(lsp_frame(span_of(rows[i].in), &body, &n), rows[i].result);
		assert_int_equal(body, rows[i].body);
		assert_int_equal(n, rows[i].n);
	}
}

static void test_no_end(void **state)
{
	char *much = mem_alloc(5000);
	size_t body, n;

	memset(much, 'x', 5000);
	assert_int_equal(lsp_frame((struct span){ much, 5000 }, &body, &n), -1);
	assert_int_equal(lsp_frame((struct span){ much, 4000 }, &body, &n), 0);
	mem_free(much);
}

static void test_request(void **state)
{
	static const struct {
		const char *in, *method, *id; /* method NULL: no request */
	} rows[] = {
		{ "{\"id\":7,\"method\":\"shutdown\"}", "shutdown", "7" },
		{ "{\"method\":\"exit\",\"params\":{\"id\":1,\"method\":\"no\"}}", "exit", "" },
		{ "{\"id\":\"a\\\"b\",\"method\":\"x\"}", "x", "\"a\\\"b\"" },
		{ "{\"id\":[1],\"result\":null}", "", "" },
		{ "[]", NULL, NULL },
		{ "{\"id\":7", NULL, NULL },
		{ "", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lsp_request q;
		bool fine = lsp_request_read(span_of(rows[i].in), &q);
		assert_int_equal(fine, rows[i].method != NULL);
		if (fine) {
			assert_true(span_eq(q.method, span_of(rows[i].method)));
			assert_true(span_eq(q.id, span_of(rows[i].id)));
		}
	}
}

static void test_values(void **state)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	struct lsp_request q;

	assert_true(lsp_request_read(
		S("{\"params\":{\"a\":\"\\u4e2d\\n\",\"b\":9223372036854775807,\"c\":-5,\"d\":3}}"), &q));
	assert_true(lsp_text(&q, "params.a", &out));
	assert_string_equal(buf_str(&out), "中\n");
	assert_false(lsp_text(&q, "params.none", &out));
	assert_int_equal(lsp_int(&q, "params.b"), INT32_MAX); /* one more is still a number */
	assert_int_equal(lsp_int(&q, "params.c"), 0);
	assert_int_equal(lsp_int(&q, "params.d"), 3);
	assert_int_equal(lsp_int(&q, "params.a"), 0);
}

static void test_change(void **state)
{
	CLEANUP(buf_free) struct buf out = { 0 };

	assert_true(lsp_last_change(
		S("{\"params\":{\"contentChanges\":[{\"text\":\"a\"},{\"text\":\"b\"}],\"text\":\"c\"}}"),
		&out));
	assert_string_equal(buf_str(&out), "b");
	assert_false(lsp_last_change(S("{\"params\":{\"contentChanges\":[]}}"), &out));
	assert_false(lsp_last_change(S("{\"params\":{\"contentChanges\":[{\"text\":1}]}}"), &out));
	assert_false(lsp_last_change(S("{\"contentChanges\":"), &out));
}

static void test_path(void **state)
{
	static const struct {
		const char *uri, *path; /* NULL: none */
	} rows[] = {
		{ "file:///a%20b.go", "/a b.go" }, { "file://host/a", "/a" },   { "file:///%zz%4", "/%zz%4" },
		{ "file:///a%00b", NULL },         { "http:///a", NULL },       { "file://", NULL },
		{ "file:///%e4%b8%ad", "/中" },    { "file:///%2E%2e", "/.." },
	};
	CLEANUP(buf_free) struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(lsp_path(span_of(rows[i].uri), &out), rows[i].path != NULL);
		if (rows[i].path)
			assert_string_equal(buf_str(&out), rows[i].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame),  cmocka_unit_test(test_no_end), cmocka_unit_test(test_request),
		cmocka_unit_test(test_values), cmocka_unit_test(test_change), cmocka_unit_test(test_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
