/* mod/sums: a go.sum read piece by piece has the lines that it has in memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mod/sums.h"

#define ZERO "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static char file[] = "/tmp/tocsin-test-sums-XXXXXX";

static int setup(void **state)
{
	int fd = mkstemp(file);

	fd_close(fd);
	return fd < 0;
}

static int teardown(void **state)
{
	return unlink(file);
}

static void write_text(struct span text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	assert_int_equal(fclose(f), 0);
}

static void same(struct span text)
{
	const struct mod_source whole = { .shown = "go.sum", .text = text }, large = { .shown = "go.sum", .text = S(""), .large = file };
	CLEANUP(sums_close) struct sums a = { .fd = -1 };
	CLEANUP(sums_close) struct sums b = { .fd = -1 };
	struct gosum_line x, y;
	struct err e;
	int n = 1;

	write_text(text);
	assert_int_equal(sums_open(&whole, &a, &e), 0);
	assert_int_equal(sums_open(&large, &b, &e), 0);
	while (n) {
		n = sums_next(&a, &x, &e);
		assert_int_equal(sums_next(&b, &y, &e), n);
		if (!n)
			break;
		assert_int_equal(x.line, y.line);
		assert_int_equal(x.problem, y.problem);
		assert_int_equal(x.crlf, y.crlf);
		assert_true(span_eq(x.text, y.text) && span_eq(x.path, y.path) && span_eq(x.version, y.version) && span_eq(x.hash, y.hash));
	}
	assert_int_equal(sums_next(&b, &y, &e), 0);
}

static void test_same(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	same(S(""));
	same(S("\n"));
	same(S("a.test v1.0.0 " ZERO));
	same(S("a.test v1.0.0 " ZERO "\r\n\nb.test v1 " ZERO "\n<<<<<<< x\n"));
	for (int i = 0; b.len < (3 << 20) + 77; i++) {
		buf_addf(&b, "a.test/m%d v1.0.%d%s " ZERO "%s\n", i / 2, i % 7, i & 1 ? "/go.mod" : "", i % 1000 ? "" : "\n\r");
		if (i % 5000 == 4999) { /* a line that goes over pieces */
			assert_true(buf_need(&b, 1 << 20));
			memset(b.p + b.len, 'x', 1 << 20);
			b.len += 1 << 20;
			buf_addc(&b, '\n');
		}
	}
	same(buf_view(&b));
	buf_adds(&b, "a.test v1.0.0 " ZERO); /* without an end */
	same(buf_view(&b));
}

static int read_all(struct err *e)
{
	const struct mod_source large = { .shown = "go.sum", .text = S(""), .large = file };
	CLEANUP(sums_close) struct sums s = { .fd = -1 };
	struct gosum_line l;
	int r = sums_open(&large, &s, e);

	while (r >= 0 && (r = sums_next(&s, &l, e)) > 0)
		;
	return r;
}

static void test_failures(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct err e = { 0 };

	for (int i = 0; i < 40000; i++)
		buf_addf(&b, "a.test/m%d v1.0.0 " ZERO "\n", i);
	write_text(buf_view(&b));
	for (fault_at = 1, fault_seen = 0;; fault_at++) {
		fault_seen = 0;
		int r = read_all(&e);
		if (fault_seen < fault_at) {
			assert_int_equal(r, 0);
			break;
		}
		assert_true(r == -ENOMEM || r == -EIO);
	}
	assert_true(fault_at > 3);
	fault_at = 0;

	buf_clear(&b);
	assert_true(buf_need(&b, SUMS_LINE_MAX + (2 << 20)));
	buf_adds(&b, "a.test v1.0.0 " ZERO "\n");
	memset(b.p + b.len, 'y', SUMS_LINE_MAX + (1 << 20));
	b.len += SUMS_LINE_MAX + (1 << 20);
	write_text(buf_view(&b));
	assert_int_equal(read_all(&e), -EFBIG);
	assert_non_null(strstr(e.msg, "go.sum:2: "));
	write_text(S(""));

	const struct mod_source gone = { .shown = "go.sum", .text = S(""), .large = "/nowhere/go.sum" };
	struct sums s;
	assert_int_equal(sums_open(&gone, &s, &e), -ENOENT);
	sums_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_same), cmocka_unit_test(test_failures) };

	return cmocka_run_group_tests_name("sums", tests, setup, teardown);
}
