#include "base/mem.h"
#include "base/path.h"
#include "check/go/golint.h"
#include "check/traps_own.h"

/* What the X rules need to know beside the commands of pipelines: facts, which join_across.c judges. */

static void note(struct golint *c, enum lint_fact_kind kind, TSNode at, struct span b)
{
	lint_fact(c->out, kind, ts_node_start_byte(at), ts_node_end_byte(at), c->dir, b, S(""));
}

/* Where the text has the file's build line; 0: nowhere. */
static uint32_t line_at(struct span text, int line)
{
	size_t at = 0, nl;

	while (--line > 0 && (nl = span_chr(span_from(text, at), '\n')) != SPAN_NONE)
		at += nl + 1;
	return (uint32_t)at;
}

/* Of a test file: the tag that somebody must set for it to be built at all; absent: none. */
static struct span tag_of(struct golint *c, uint32_t *from)
{
	struct span head = span_head(c->file->text,
				     c->package.p ? (size_t)(c->package.p - c->file->text.p) : 0),
		    none = { 0 };
	struct goname name = goname_read(path_base(span_of(c->out->path)), INT32_MAX);
	const struct constraint *x;
	struct gohead h;

	if (span_find(head, S("build ")) == SPAN_NONE)
		return none;
	if (gohead_read(c->file->text, true, GOHEAD_GO, c->out->scratch, &h) < 0 ||
	    gohead_expr(&h, c->out->scratch, &x) < 0) {
		c->out->bad = true;
		return none;
	}
	if (!x || expr_can(x, &name, EXPR_UNTAGGED, true) != 0 ||
	    expr_can(x, &name, EXPR_ANYWHERE, true) != 1)
		return none;
	struct span tag = tag_wanted(x, false);
	*from = line_at(c->file->text, h.build.text.p ? h.build.line : h.old[0].line);
	return tag.p && tag_meant_to_run(tag) ? tag : none;
}

static void whole_file(struct golint *c, TSNode n)
{
	uint32_t from = 0;

	(void)n;
	if (!c->test)
		return;
	struct span tag = tag_of(c, &from), rest = span_from(c->file->text, from);
	lint_fact(c->out, FACT_GO_TESTS, from, from + (uint32_t)span_cut(&rest, '\n').n, c->dir,
		  tag.p ? tag : S(""), S(""));
}

static void called(struct golint *c, TSNode n)
{
	if (c->test && span_eq(golint_head(c, n), S("testing.Short")))
		note(c, FACT_GO_SHORT, n, S(""));
}

static void started(struct golint *c, TSNode n)
{
	if (!c->test && !c->goes)
		note(c, FACT_GO_STARTS, n, S(""));
	c->goes = true;
}

static void declared(struct golint *c, TSNode n)
{
	struct span name = c->test ? golint_text(c, go_field(n, GOFIELD_NAME)) : (struct span){ 0 };

	if (span_starts(name, S("Fuzz")) && golint_parameter(c, n, "*testing.F").p)
		note(c, FACT_GO_FUZZ, go_field(n, GOFIELD_NAME), name);
}

const struct golint_hook golint_across[] = {
	{ GO_SOURCE_FILE, whole_file },
	{ GO_CALL_EXPRESSION, called },
	{ GO_GO_STATEMENT, started },
	{ GO_FUNCTION_DECLARATION, declared },
	{ GO_ERROR, NULL },
};

/*
 * A function of a script may hand its arguments to go, an action may take tags as an input, and a service may fuzz: what is written anywhere
 * in a pipeline is not missed.
 */
void lint_note_across(struct lint_file *f)
{
	static const char *const services[] = { "google/oss-fuzz", "clusterfuzzlite",
						"compile_native_go_fuzzer", "compile_go_fuzzer" };
	struct span rest = f->text, tags = S("tags");

	for (size_t at, n = 0; n < 1000 && (at = span_find(rest, tags)) != SPAN_NONE; n++) {
		bool flag = at && (rest.p[at - 1] == '-' || rest.p[at - 1] == '_');
		rest = span_from(rest, at + tags.n);
		if (flag && rest.n && memchr(" =:\"'", *rest.p, 5)) {
			struct span line = rest;
			lint_fact(f, FACT_GO_TAGS, 0, 1, span_head(span_cut(&line, '\n'), 400), S(""), S(""));
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		if (span_find(f->text, span_of(services[i])) != SPAN_NONE) {
			lint_fact(f, FACT_FUZZED, 0, 1, S(""), S(""), S(""));
			return;
		}
}

void gomod_check(struct lint_file *f)
{
	struct span dir = path_dir(span_of(f->path));

	lint_fact(f, FACT_MODULE, 0, 1, span_eq(dir, S(".")) ? S("") : dir, S(""), S(""));
}
