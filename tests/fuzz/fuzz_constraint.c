/* Build constraints, names of files and heads of source files. */
#include <stdlib.h>

#include "base/mem.h"
#include "parse/gohead.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool by_length(void *ctx, struct span tag)
{
	return (tag.n + *(size_t *)ctx) % 2;
}

static bool inside(struct span part, struct span whole)
{
	return !part.p || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* What is printed can be read again, and is printed the same; the part that decides says the same. */
static void constraint(struct span text)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf a = { 0 }, b = { 0 };
	struct constraint_error why;
	const struct constraint *c = constraint_parse(text, &mem, &why);

	check(c || (why.text[0] && why.at <= text.n));
	for (size_t bit = 0; c && bit < 2; bit++) {
		const struct constraint *d = constraint_decider(c, by_length, &bit);
		check(constraint_holds(c, by_length, &bit) == constraint_holds(d, by_length, &bit));
	}
	if (c) {
		constraint_write(c, &a);
		const struct constraint *again = constraint_parse(buf_view(&a), &mem, &why);
		check(again != NULL);
		constraint_write(again, &b);
		check(span_eq(buf_view(&a), buf_view(&b)));
	}
	c = constraint_parse_old(text, &mem, &why);
	check(c || why.text[0]);
	if (c) {
		size_t bit = 0;
		constraint_holds(c, by_length, &bit);
	}
}

static void name(struct span text)
{
	for (int go = 17; go < 28; go += 5) {
		struct goname n = goname_read(text, go);
		check(inside(n.os, text) && inside(n.arch, text));
		check((!n.os.p || go_os_known(n.os, go)) && (!n.arch.p || go_arch_known(n.arch, go)));
	}
}

static void same(const struct gohead *a, const struct gohead *b)
{
	check(a->fault == b->fault && a->fault_line == b->fault_line && a->n_imports == b->n_imports &&
	      a->n_old == b->n_old && a->n_cgo == b->n_cgo);
	check(span_eq(a->package, b->package) && span_eq(a->build.text, b->build.text) &&
	      a->n_embeds == b->n_embeds);
}

/* The whole of it, and what a part of it was enough for. */
static void head(struct span text, enum gohead_kind kind)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct gohead h, part;
	int lines = 1;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	check(gohead_read(text, true, kind, &mem, &h) == 0);
	check(h.bytes <= text.n && h.package_line <= lines && h.build.line <= lines &&
	      h.fault_line <= lines && h.cgo_line <= lines);
	check(!h.fault == !h.fault_text);
	for (size_t i = 0; i < h.n_imports; i++)
		check(h.imports[i].path.n && h.imports[i].line >= h.package_line &&
		      h.imports[i].line <= lines);
	for (size_t i = 0; i < h.n_embeds; i++)
		check(h.embeds[i].pattern.p && h.embeds[i].line <= lines && h.embeds[i].column > 0);
	for (size_t n = text.n / 2; n <= text.n; n += text.n / 4 + 1) {
		int r = gohead_read(span_head(text, n), false, kind, &mem, &part);
		check(r == 0 || r == GOHEAD_MORE);
		if (r == 0)
			same(&h, &part);
	}
}

static void marks(struct span text)
{
	struct gomarks all = { .text = text };
	struct gomark m;
	size_t before = 0;
	int line = 1;

	while (gomarks_next(&all, &m)) {
		check(inside(m.text, text) && m.text.n > 2 && m.text.p[0] == '/');
		check(m.line >= line && m.column > 0 && all.at > before && all.at <= text.n);
		line = m.line;
		before = all.at;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };

	if (!size)
		text.p = "";
	constraint(text);
	name(text);
	head(text, GOHEAD_GO);
	head(text, GOHEAD_OTHER);
	marks(text);
	return 0;
}
