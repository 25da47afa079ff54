/* base: the line diff. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/diff.h"
#include "base/mem.h"

static void add_line(void *ctx, enum diff_kind kind, struct span line)
{
	buf_addf(ctx, "%c%.*s|", " -+"[kind], SPAN_ARG(line));
}

static void expect(const char *a, const char *b, const char *want, int64_t changed)
{
	CLEANUP(buf_free) struct buf out = { 0 };

	assert_int_equal(diff_lines(span_of(a), span_of(b), add_line, &out), changed);
	assert_string_equal(buf_str(&out), want);
}

static void test_lines(void **state)
{
	expect("", "", "", 0);
	expect("a\nb\n", "a\nb", " a| b|", 0);
	expect("a\r\nb\r\n", "a\nb\n", " a| b|", 0);
	expect("", "a\n", "+a|", 1);
	expect("a\n", "", "-a|", 1);
	expect("a\nb\nc\n", "a\nc\n", " a|-b| c|", 1);
	expect("a\nc\n", "a\nb\nc\n", " a|+b| c|", 1);
	expect("a\nx\nc\n", "a\ny\nc\n", " a|-x|+y| c|", 2);
	expect("a\nb\nc\nd\n", "b\nc\ne\nd\n", "-a| b| c|+e| d|", 2);
	expect("\n\n", "\n", " |-|", 1);
	expect("x\na\nb\ny\na\nb\n", "a\nb\na\nb\n", "-x| a| b|-y| a| b|", 2);
}

struct count {
	size_t same, old, new;
};

static void count_line(void *ctx, enum diff_kind kind, struct span line)
{
	struct count *c = ctx;

	(void)line;
	*(kind == DIFF_SAME ? &c->same : kind == DIFF_OLD ? &c->old : &c->new) += 1;
}

/* Too many changed lines: what lies between the common ends is all taken for changed, at once. */
static void test_bound(void **state)
{
	CLEANUP(buf_free) struct buf a = { 0 };
	CLEANUP(buf_free) struct buf other = { 0 };
	struct count c = { 0 };

	buf_adds(&a, "head\n");
	buf_adds(&other, "head\n");
	for (int i = 0; i < 5000; i++) {
		buf_addf(&a, "line %d\nold\n", i);
		buf_addf(&other, "line %d\nnew\n", i);
	}
	buf_adds(&a, "tail\n");
	buf_adds(&other, "tail\n");
	assert_int_equal(diff_lines(buf_view(&a), buf_view(&other), count_line, &c), 2 * 9999);
	assert_int_equal(c.same, 3); /* head, the first line, tail */
	assert_int_equal(c.old, 9999);
	assert_int_equal(c.new, 9999);
}

/* Small texts of two letters: the result leads from the one to the other, and no shorter one was found by brute force. */
static size_t brute(const char *a, const char *b)
{
	if (!*a || !*b)
		return strlen(a) + strlen(b);
	if (*a == *b)
		return brute(a + 1, b + 1);
	size_t x = brute(a + 1, b), y = brute(a, b + 1);
	return 1 + (x < y ? x : y);
}

static void test_shortest(void **state)
{
	for (unsigned i = 0; i < 4096; i++) {
		char a[7] = "", b[7] = "", ta[13] = "", tb[13] = "";
		unsigned bits = i * 2654435761u >> 12;
		for (unsigned k = 0; k < 6; k++) {
			a[k] = "ab"[bits >> k & 1];
			b[k] = "ab"[bits >> (k + 6) & 1];
			snprintf(ta + 2 * k, 3, "%c\n", a[k]);
			snprintf(tb + 2 * k, 3, "%c\n", b[k]);
		}
		struct count c = { 0 };
		assert_int_equal(diff_lines(span_of(ta), span_of(tb), count_line, &c), (int64_t)brute(a, b));
		assert_int_equal(c.same + c.old, 6);
		assert_int_equal(c.same + c.new, 6);
	}
}

static void test_no_memory(void **state)
{
	struct count c = { 0 };
	long n;

	for (n = 1;; n++) {
		c = (struct count){ 0 };
		fault_seen = 0;
		fault_at = n;
		int64_t r = diff_lines(S("a\nb\n"), S("a\nc\n"), count_line, &c);
		bool hit = fault_seen >= n;
		fault_at = 0;
		if (!hit)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(c.same + c.old + c.new, 0);
	}
	assert_true(n > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_shortest),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
