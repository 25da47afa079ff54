/* Any bytes as plain text: lines, their forms, and the crash blocks in them. */
#include <stdlib.h>

#include "base/mem.h"
#include "parse/crash.h"
#include "parse/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
	struct crash crash;
	bool open;
	uint64_t hash; /* of all that was read, to compare two ways of feeding */
};

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_span(struct span s, struct span line)
{
	check(!s.n || (s.p >= line.p && s.p + s.n <= line.p + line.n) || span_eq(s, S("non-Go function")));
}

static void check_crash(const struct crash *c)
{
	check(c->text.len <= CRASH_TEXT);
	check(c->n_frames >= 0 && c->n_frames <= CRASH_FRAMES && c->n_tests >= 0 && c->n_tests <= CRASH_TESTS);
	check(strlen(c->value) < sizeof(c->value) && strlen(c->test) < sizeof(c->test));
	const struct crash_frame *at = crash_place(c);
	check(!at == !c->n_frames);
	char test[64];
	crash_test(c, test, sizeof(test));
}

static void mix(struct reader *r, struct span s)
{
	r->hash = (r->hash ^ span_hash(s)) * UINT64_C(0x9e3779b97f4a7c15);
}

static void take_line(void *ctx, struct span line, bool cut)
{
	struct reader *r = ctx;
	struct goline g;

	(void)cut;
	goline_read(line, &g);
	check(g.kind == LINE_PLAIN || goline_maybe(line));
	check(g.line >= 0 && g.column >= 0 && g.depth >= 0);
	const struct span all[] = { g.name, g.package, g.file, g.text, g.note };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		check_span(all[i], line);
	if (r->open) {
		r->open = crash_feed(&r->crash, &g, line);
		check_crash(&r->crash);
		if (!r->open)
			mix(r, buf_view(&r->crash.text));
	}
	if (!r->open && crash_begin(&r->crash, &g, line)) {
		r->open = true;
		check_crash(&r->crash);
	}
	mix(r, line);
	r->hash += (uint64_t)g.kind;
}

static uint64_t read_all(struct span input, size_t step)
{
	struct reader *r = mem_zalloc(sizeof(*r));
	check(r != NULL);
	struct lines l = { .fn = take_line, .ctx = r, .max = 700 };

	for (size_t i = 0; i < input.n; i += step) {
		struct span part = span_head(span_from(input, i), step);
		char *mem = mem_dup(part.p, part.n);
		check(mem != NULL);
		lines_feed(&l, (struct span){ mem, part.n });
		mem_free(mem);
	}
	lines_end(&l);
	lines_free(&l);
	uint64_t hash = r->hash + (uint64_t)l.lost;
	crash_free(&r->crash);
	mem_free(r);
	return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = { (const char *)data, size };

	check(read_all(input, size ? size : 1) == read_all(input, 7));
	return 0;
}
