/* parse/lines: cutting a byte stream into lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "parse/lines.h"

/* Every line as "<text>" or, cut, "<text~>". */
static void note_line(void *ctx, struct span line, bool cut)
{
	struct buf *b = ctx;

	buf_addc(b, '<');
	buf_span(b, line);
	buf_adds(b, cut ? "~>" : ">");
}

static int64_t cut_up(struct span input, size_t max, size_t step, struct buf *ret)
{
	struct lines l = { .fn = note_line, .ctx = ret, .max = max };

	for (size_t i = 0; i < input.n; i += step)
		lines_feed(&l, span_head(span_from(input, i), step));
	lines_end(&l);
	assert_false(l.bad);
	assert_false(l.cutting);
	lines_free(&l);
	return l.lost;
}

static const struct {
	struct span input;
	size_t max;
	const char *lines;
	int64_t lost;
} rows[] = {
	{ { "", 0 }, 0, "", 0 },
	{ { "\n", 1 }, 0, "<>", 0 },
	{ { "a\nb\n", 4 }, 0, "<a><b>", 0 },
	{ { "a\r\nb\r\n", 6 }, 0, "<a><b>", 0 },
	{ { "a\r\r\n", 4 }, 0, "<a\r>", 0 },
	{ { "a\rb\n", 4 }, 0, "<a\rb>", 0 },
	{ { "\r\n\n", 3 }, 0, "<><>", 0 },
	{ { "no end", 6 }, 0, "<no end>", 0 },
	{ { "no end\r", 7 }, 0, "<no end>", 0 },
	{ { "\xff\xfe\n\xe4\xb8\n", 6 }, 0, "<\xff\xfe><\xe4\xb8>", 0 },
	{ { "abcd\n", 5 }, 4, "<abcd>", 0 },
	{ { "abcd\r\n", 6 }, 4, "<abcd>", 0 },
	{ { "abcd", 4 }, 4, "<abcd>", 0 },
	{ { "abcde\nx\n", 8 }, 4, "<abcd~><x>", 1 },
	{ { "abcde\r\nx\n", 9 }, 4, "<abcd~><x>", 2 },
	{ { "abcd\rz\nx\n", 9 }, 4, "<abcd~><x>", 2 },
	{ { "abcdefghijkl", 12 }, 4, "<abcd~>", 8 },
	{ { "ab\nabcdefgh\ncd\n", 15 }, 4, "<ab><abcd~><cd>", 4 },
};

static void a_table_of_inputs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t step = 1; step <= 16; step++) {
			CLEANUP(buf_free) struct buf b = { 0 };
			int64_t lost = cut_up(rows[i].input, rows[i].max, step, &b);
			assert_string_equal(buf_str(&b), rows[i].lines);
			assert_int_equal(lost, rows[i].lost);
		}
	}
}

static void a_nul_is_a_byte_like_any_other(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = { 0 };

	cut_up(S("a\0b\n\0\n"), 0, 3, &b);
	assert_int_equal(b.len, 8);
	assert_memory_equal(b.p, "<a\0b><\0>", 8);
}

static void any_cutting_of_the_input_gives_the_same_lines(void **state)
{
	static const char alphabet[] = "ab\r\n\n\0\xff{";
	char text[300];

	(void)state;
	srand(7);
	for (int round = 0; round < 300; round++) {
		size_t n = (size_t)rand() % sizeof(text), max = (size_t)rand() % 12;
		for (size_t i = 0; i < n; i++)
			text[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		CLEANUP(buf_free) struct buf whole = { 0 };
		int64_t lost = cut_up((struct span){ text, n }, max, n + 1, &whole);
		for (size_t step = 1; step < 9; step++) {
			CLEANUP(buf_free) struct buf part = { 0 };
			assert_int_equal(cut_up((struct span){ text, n }, max, step, &part), lost);
			assert_true(span_eq(buf_view(&part), buf_view(&whole)));
		}
	}
}

static size_t longest;

static void note_length(void *ctx, struct span line, bool cut)
{
	(void)cut;
	longest = line.n > longest ? line.n : longest;
	++*(int *)ctx;
}

static void a_line_without_end_takes_bounded_memory(void **state)
{
	static char block[65536];
	int lines = 0;
	struct lines l = { .fn = note_length, .ctx = &lines };

	(void)state;
	memset(block, 'x', sizeof(block));
	longest = 0;
	for (int i = 0; i < 4096; i++) /* 256 MiB */
		lines_feed(&l, (struct span){ block, sizeof(block) });
	assert_true(l.part.cap <= (size_t)2 << 20);
	lines_feed(&l, S("\nnext\n"));
	lines_end(&l);
	assert_int_equal(lines, 2);
	assert_int_equal(longest, 1 << 20);
	assert_int_equal(l.lost, (4096 * INT64_C(65536)) - (1 << 20));
	lines_free(&l);
}

static void a_whole_line_is_not_copied(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct lines l = { .fn = note_line, .ctx = &b };

	(void)state;
	lines_feed(&l, S("one\ntwo\nthree\n"));
	assert_null(l.part.p);
	lines_free(&l);
}

static void it_survives_when_memory_is_out(void **state)
{
	(void)state;
	for (long at = 1; at < 4; at++) {
		int lines = 0;
		struct lines l = { .fn = note_length, .ctx = &lines };
		fault_seen = 0;
		fault_at = at;
		lines_feed(&l, S("half"));
		lines_feed(&l, S(" a line that is rather longer than sixty-four bytes, so that the buffer must grow again"));
		lines_feed(&l, S("\nwhole\nrest"));
		lines_end(&l);
		fault_at = 0;
		assert_int_equal(lines, 3);
		assert_int_equal(l.bad, fault_seen >= at);
		lines_free(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_of_inputs),
		cmocka_unit_test(a_nul_is_a_byte_like_any_other),
		cmocka_unit_test(any_cutting_of_the_input_gives_the_same_lines),
		cmocka_unit_test(a_line_without_end_takes_bounded_memory),
		cmocka_unit_test(a_whole_line_is_not_copied),
		cmocka_unit_test(it_survives_when_memory_is_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
