/* parse: heads of HTTP requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "parse/httphead.h"

static void test_heads(void **ctx)
{
	static const struct {
		const char *text;
		int want;
	} rows[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1 },
		{ "GET / HTTP/1.0\r\n\r\n", 1 },
		{ "HEAD /x?y HTTP/1.1\r\nhOsT:\r\nA: b\r\n\r\nrest", 1 },
		{ "GET / HTTP/1.1\r\nHost: a\r\n", 0 },
		{ "", 0 },
		{ "GET / HT", 0 },
		{ "GET / HTTP/1.1\r\n\r\n", -400 },
		{ "\r\n", -400 },
		{ "GET / HTTP/1.1\nHost: a\n\n", -400 },
		{ "GET /\r\n\r\n", -400 },
		{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", -400 },
		{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", -400 },
		{ "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", -400 },
		{ "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", -400 },
		{ "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nno colon\r\n\r\n", -400 },
		{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", -505 },
		{ "GET / HTTP/1.x\r\nHost: a\r\n\r\n", -400 },
	};
	struct http_head h;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = http_head_read(span_of(rows[i].text), &h);
		if (r != rows[i].want)
			fail_msg("%zu: %d, not %d", i, r, rows[i].want);
	}
}

static void test_parts(void **ctx)
{
	static const char text[] =
		"POST /a/b?c=d HTTP/1.1\r\nAccept: */*\r\nHost:  localhost:80 \r\n\r\nbody";
	struct http_head h;

	for (size_t n = 0; n < sizeof(text) - 5; n++) /* piece by piece: never too early */
		assert_int_equal(http_head_read((struct span){ text, n }, &h), 0);
	assert_int_equal(http_head_read(span_of(text), &h), 1);
	assert_true(span_eq(h.method, S("POST")) && span_eq(h.target, S("/a/b?c=d")) &&
		    span_eq(h.host, S("localhost:80")) && h.minor == 1);
	assert_int_equal(h.length, sizeof(text) - 5);
}

static void test_too_long(void **ctx)
{
	static char text[HTTP_HEAD_MAX + 100];
	struct http_head h;

	memset(text, 'a', sizeof(text));
	memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
	assert_int_equal(http_head_read((struct span){ text, HTTP_HEAD_MAX - 1 }, &h), 0);
	assert_int_equal(http_head_read((struct span){ text, sizeof(text) }, &h), -431);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_heads), cmocka_unit_test(test_parts),
					    cmocka_unit_test(test_too_long) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
