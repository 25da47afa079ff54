#include "check/directive.h"
#include "check/traps_own.h"

/* Traps of lines: comments that were meant to be directives. */

size_t letters_apart(struct span a, struct span b, size_t max)
{
	size_t rows[3][66];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	if (a.n > 64 || b.n > 64 || (a.n > b.n ? a.n - b.n : b.n - a.n) > max)
		return max + 1;
	for (size_t k = 0; k <= b.n; k++)
		before[k] = last[k] = k;
	for (size_t i = 1; i <= a.n; i++) {
		row[0] = i;
		for (size_t k = 1; k <= b.n; k++) {
			size_t d = last[k - 1] + (a.p[i - 1] != b.p[k - 1]);
			d = d < last[k] + 1 ? d : last[k] + 1;
			d = d < row[k - 1] + 1 ? d : row[k - 1] + 1;
			if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] && a.p[i - 2] == b.p[k - 1] &&
			    before[k - 2] + 1 < d)
				d = before[k - 2] + 1;
			row[k] = d;
		}
		size_t *free_ = before;
		before = last;
		last = row;
		row = free_;
	}
	return last[b.n] > max ? max + 1 : last[b.n];
}

struct mark {
	const struct gomark *m;
	struct directive d;
	struct spot at;
};

/* ---- //go:build ---- */

static struct span shown(struct trap_run *c, const struct constraint *x)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	constraint_write(x, &b);
	c->bad |= b.bad;
	return b.bad ? S("") : trap_text(c, "%s", buf_str(&b));
}

static void check_build(struct trap_run *c, const struct src_file *f, struct span text, const struct mark *k)
{
	const struct constraint *x = directive_expr(k->d.rest, comment_alone(text, k->m), &c->mem);

	if (k->d.exact) {
		/* go refuses what is wrong with a line that it sees; of those that it does not see: */
		if (f->kind == SRC_GO || f->head->build.text.p || k->m->before_package || !k->m->alone || !x)
			return;
		trap_say(c, TRAP_BUILD_PLACE, k->at, span_of(TR("it stands below code", "它位于代码之下")));
		return;
	}
	if (!k->m->before_package || !k->m->alone || f->head->build.text.p || !x)
		return;
	const char *why = k->d.block ? TR("It must be a // comment.", "它必须是 // 注释。")
				   : TR("It must begin with //go:build and a blank, in small letters.",
					"必须以小写的 //go:build 加空格开头。");
	trap_say_as(c, TRAP_BUILD_SPACE, f->head->n_old ? SEV_WARNING : SEV_ERROR, k->at,
		    span_trim(k->m->text), span_of(why), shown(c, x));
}

/* ---- // +build ---- */

static bool good_terms(void *ctx, const struct constraint *t)
{
	(void)ctx;
	return !t->bad;
}

static bool lone_terms(void *ctx, const struct constraint *t)
{
	(void)ctx;
	return !t->bad && (tag_of_go(t->tag) || tag_usual(t->tag));
}

/* Why go passes over it. */
static const char *plus_why(struct span text, const struct gomark *m)
{
	struct span rest = comment_rest(text, m->text.p);

	if (m->text.p[1] == '*')
		return TR("it must be a // comment", "它必须是 // 注释");
	while (rest.n) {
		struct span l = span_trim(span_cut(&rest, '\n'));
		if (!l.n)
			return TR("only // comments may stand before it", "它之前只能有 // 注释");
		if (!span_starts(l, S("//")))
			break;
	}
	return TR("there must be a blank line between it and the package clause",
		  "它与 package 子句之间必须有空行");
}

struct plus {
	const struct constraint *all; /* of the lines that do not count, ANDed */
	int line;
};

static void check_plus(struct trap_run *c, const struct src_file *f, struct span text, const struct mark *k,
		       struct plus *p)
{
	const struct gohead *h = f->head;
	struct span line = span_trim(k->m->text), expr = constraint_of_old_line(line);

	for (size_t i = 0; i < h->n_old && !h->build.text.p; i++) {
		if (h->old[i].line != k->at.line)
			continue;
		if (h->old[i].expr && !constraint_tags(h->old[i].expr, good_terms, NULL))
			trap_say(c, TRAP_PLUS_TERM, k->at, line,
				 span_of(trap_built(c, f) ? TR("built", "会构建")
							  : TR("left out", "不构建")));
		return;
	}
	const struct constraint *x = expr.n && k->m->alone ? constraint_parse_old(expr, &c->mem, NULL) : NULL;
	if (!x || f->kind != SRC_GO)
		return;
	if (h->build.text.p && k->m->before_package) {
		struct constraint *both = p->all ? arena_alloc(&c->mem, sizeof(*both)) : NULL;
		if (both)
			*both = (struct constraint){ .op = CONSTRAINT_AND, .x = p->all, .y = x };
		p->line = p->all ? p->line : k->at.line;
		p->all = both ? both : x;
		return;
	}
	if (h->build.text.p || h->fault || (!k->m->before_package && !constraint_tags(x, lone_terms, NULL)) ||
	    !constraint_tags(x, good_terms, NULL) ||
	    (comment_in_prose(text, k->m) && !constraint_tags(x, lone_terms, NULL)))
		return;
	const char *why = k->m->before_package
				  ? plus_why(text, k->m)
				  : TR("it stands below the package clause", "它位于 package 子句之下");
	trap_say_as(c, TRAP_PLUS_BLANK, k->m->before_package ? SEV_ERROR : SEV_WARNING, k->at, line,
		    span_of(why), shown(c, x));
}

static void check_mismatch(struct trap_run *c, const struct src_file *f, const struct plus *p)
{
	const struct constraint *a = p->all, *b = f->head->build.expr;
	const struct goname none = { 0 };

	if (!a || !b)
		return;
	struct constraint not_a = { .op = CONSTRAINT_NOT, .x = a }, not_b = { .op = CONSTRAINT_NOT, .x = b };
	struct constraint one = { .op = CONSTRAINT_AND, .x = a, .y = &not_b },
			  two = { .op = CONSTRAINT_AND, .x = &not_a, .y = b };
	struct constraint differ = { .op = CONSTRAINT_OR, .x = &one, .y = &two };
	if (expr_can(&differ, &none, EXPR_ANYWHERE, true) == 1)
		trap_say(c, TRAP_PLUS_MISMATCH, ((struct spot){ .file = f, .line = p->line }), shown(c, a),
			 shown(c, b));
}

/* ---- //go:embed and the rest ---- */

static void check_other(struct trap_run *c, const struct src_file *f, struct span text, const struct mark *k)
{
	bool known = directive_known(k->d.word);
	struct span line = span_trim(k->m->text);

	if (f->kind != SRC_GO)
		return;
	if (!known && !k->d.block && span_starts(line, S("//go:")) && k->m->alone) {
		struct span real = directive_near(k->d.word);
		if (real.p)
			trap_say(c, TRAP_DIRECTIVE_UNKNOWN, k->at, trap_text(c, "go:%.*s", SPAN_ARG(k->d.word)),
				 trap_text(c, "go:%.*s", SPAN_ARG(real)));
	} else if (k->d.exact && span_eq(k->d.word, S("generate")) && k->at.column > 1) {
		trap_say(c, TRAP_GENERATE_INDENTED, k->at, line);
	} else if (known && !k->d.exact && span_eq(k->d.word, S("embed"))) {
		struct span name = directive_embeddable(comment_code(text, k->m->text.p));
		if (name.p && k->d.rest.n && k->m->alone)
			trap_say(c, TRAP_EMBED_SPACE, k->at, line, trap_text(c, "%.*s", SPAN_ARG(name)));
	} else if (known && !k->d.exact && directive_meant(text, k->m, &k->d)) {
		trap_say(c, TRAP_DIRECTIVE_SPACE, k->at, line,
			 trap_text(c, "go:%.*s%s%.*s", SPAN_ARG(k->d.word), k->d.rest.n ? " " : "",
				   SPAN_ARG(k->d.rest)));
	}
}

/* "// export F" above F in a cgo file: C does not see it. */
static void check_export(struct trap_run *c, const struct src_file *f, struct span text, const struct mark *k)
{
	struct span s = span_from(k->m->text, 2);
	bool blank = s.n && (s.p[0] == ' ' || s.p[0] == '\t');
	s = span_trim(s);
	if (!blank || !f->head->cgo_line || !span_skip(&s, S("export ")))
		return;
	struct span name = span_trim(s), next = comment_code(text, k->m->text.p);
	if (span_skip(&next, S("func ")) && name.n && span_starts(next, name) && next.n > name.n &&
	    next.p[name.n] == '(')
		trap_say(c, TRAP_DIRECTIVE_SPACE, k->at, span_trim(k->m->text),
			 trap_text(c, "export %.*s", SPAN_ARG(name)));
}

static void check_mark(struct trap_run *c, const struct src_file *f, struct span text, struct gomark *m,
		       struct plus *p)
{
	struct mark k = { .m = m, .at = { .file = f, .line = m->line, .column = m->column } };

	if (constraint_of_old_line(span_trim(m->text)).p) {
		check_plus(c, f, text, &k, p);
	} else if (!directive_read(m, &k.d)) {
		check_export(c, f, text, &k);
	} else if (span_eq(k.d.word, S("build"))) {
		check_build(c, f, text, &k);
	} else {
		check_other(c, f, text, &k);
	}
}

/* ---- all files ---- */

static void check_file(struct trap_run *c, const struct src_file *f)
{
	struct span text = trap_read(c, f);
	struct gomarks marks = { .text = text };
	struct plus plus = { 0 };
	struct gomark m;

	if (f->kind == SRC_GO)
		flows_note_source(c, text);
	if (!text.n || !directive_worth(text, f->head->cgo_line > 0))
		return;
	while (!c->bad && gomarks_next(&marks, &m))
		check_mark(c, f, text, &m, &plus);
	check_mismatch(c, f, &plus);
	if (f->kind == SRC_GO && span_find(text, S("//go:linkname")) != SPAN_NONE)
		trap_linknames(c, f, text);
	if (f->kind == SRC_GO && span_find(text, S("//go:embed")) != SPAN_NONE && trap_built(c, f))
		trap_embed_code(c, f, text);
}

void trap_directives(struct trap_run *c)
{
	for (size_t i = 0; i < c->tree->n; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		for (size_t k = 0; k < d->n && trap_looked_at(d) && !c->bad; k++)
			if (d->files[k].head)
				check_file(c, &d->files[k]);
	}
}
