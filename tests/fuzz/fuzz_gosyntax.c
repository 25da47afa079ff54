/* Go source, or what claims to be: the walk, the rules over it, and what runs at start. */
#include <stdlib.h>

#include "base/mem.h"
#include "check/go/chunks.h"
#include "check/go/initwork.h"
#include "check/go/late.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool inside(struct span part, struct span whole)
{
	return !part.p || !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static enum gostep see(void *ctx, const struct gowalk *w)
{
	struct gocall c;
	size_t *n = ctx;

	check(w->depth <= GOFILE_DEPTH && ts_node_eq(w->up[w->depth], w->node));
	check(inside(go_text(w->file, w->node), w->file->text) && go_line(w->node) > 0);
	if (go_call(w->file, w->node, &c))
		check(inside(c.name, w->file->text) && inside(c.on, w->file->text));
	++*n;
	return *n % 101 == 0 ? GOSTEP_OVER : GOSTEP_INTO;
}

static void said(void *ctx, enum register_id rule, TSNode at, const char *text)
{
	(void)ctx;
	check(rule < REGISTER_RULES && at.id && *text);
}

static void start(struct syntax *p, struct span text)
{
	CLEANUP(buf_free) struct buf part = { 0 };
	struct map vars = { 0 };
	struct init_does does = { 0 };
	struct gofile f;

	go_init_part(text, &part);
	check(part.len <= text.n + sizeof("package p\n"));
	if (part.len && gofile_parse(p, buf_view(&part), &f, NULL) == 0) {
		check(go_init_variables(&f, &vars));
		go_init_does(&f, &vars, text.n & 1, &does);
		check(does.functions >= 0 && does.variables >= 0);
		gofile_free(&f);
	}
	map_free(&vars);
}

/* The parts lie in order, and a tree of them alone is one of the same bytes. */
static void in_parts(struct syntax *p, struct span text, struct arena *mem)
{
	size_t n = 0, walked = 0;
	const struct span *parts = go_late_parts(text, NULL, mem, &n);
	struct gofile f;

	check(parts != NULL);
	for (size_t i = 0; i < n; i++)
		check(inside(parts[i], text) && (i == 0 || parts[i].p >= parts[i - 1].p + parts[i - 1].n));
	if (n && gofile_parse_parts(p, text, parts, n, &f, NULL) == 0) {
		check(gofile_walk(&f, f.root, see, &walked) == 0);
		gofile_free(&f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct syntax *parser;
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct span text = { (const char *)data, size };
	struct go_registered r;
	struct goimports imports;
	struct gofile f;
	size_t n = 0;

	if (!parser)
		check(gosyntax_open(&parser, NULL) == 0);
	start(parser, text);
	if (gofile_parse(parser, text, &f, NULL) < 0)
		return 0;
	check(gofile_walk(&f, f.root, see, &n) == 0 && n > 0);
	check(gofile_imports(&f, &mem, &imports) == 0);
	for (size_t i = 0; i < imports.n; i++)
		check(inside(imports.v[i].name, text) && inside(imports.v[i].path, text) &&
		      imports.v[i].path.n);
	check(go_late_find(&f, &imports, &mem, said, NULL) == 0);
	in_parts(parser, text, &mem);
	if (go_registers(&f, &imports, &r))
		check(inside(r.call, text) && inside(r.detail, text));
	gofile_free(&f);
	return 0;
}
