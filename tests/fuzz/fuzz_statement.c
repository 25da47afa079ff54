/* Any bytes as a statement of signed modules: refused with a sentence, or written again it reads the same; and as a file that changed. */
#include <stdlib.h>

#include "base/mem.h"
#include "mod/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void count(void *ctx, int64_t was, int64_t now, struct span line)
{
	int64_t *n = ctx;

	check((was > 0) != (now > 0));
	check(now == 0 || line.p);
	++*n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(statement_free) struct statement s = { 0 };
	CLEANUP(statement_free) struct statement again = { 0 };
	CLEANUP(buf_free) struct buf one = { 0 };
	CLEANUP(buf_free) struct buf two = { 0 };
	struct span text = { (const char *)data, size };
	struct err e = { 0 };
	int64_t n = 0;

	if (statement_read(text, "f", &s, &e) < 0) {
		check(e.msg[0]);
		return 0;
	}
	statement_write(&s, &one);
	check(statement_read(buf_view(&one), "f", &again, &e) == 0 && again.n == s.n);
	statement_write(&again, &two);
	check(span_eq(buf_view(&one), buf_view(&two)));
	for (size_t i = 0; i < s.n && i < 4; i++) {
		n = 0;
		check(stated_diff(&s.files[i], text, count, &n) == n);
	}
	return 0;
}
