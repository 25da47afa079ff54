#include "base/mem.h"
#include "base/path.h"
#include "check/directive.h"
#include "check/go/golint.h"
#include "check/traps_own.h"

/* B: what the build leaves out without a word. */

/* ---- B01: comments that were meant to be directives ---- */

static bool reads_head(const struct golint *c, struct gohead *ret)
{
	bool fine = gohead_read(c->file->text, true, GOHEAD_GO, c->out->scratch, ret) == 0;

	c->out->bad |= !fine;
	return fine;
}

static struct span first_line(struct span text, uint32_t from)
{
	struct span rest = span_from(text, from);

	return span_trim(span_cut(&rest, '\n'));
}

static bool is_alone(struct span text, uint32_t at)
{
	while (at && (text.p[at - 1] == ' ' || text.p[at - 1] == '\t'))
		at--;
	return at == 0 || text.p[at - 1] == '\n';
}

/* What go makes of it, in words; absent: it is no mistake. */
static const char *lost(struct golint *c, const struct gomark *m, const struct directive *d)
{
	struct span text = c->file->text;
	struct gohead head;

	if (span_eq(d->word, S("build"))) {
		if (!m->before_package || !m->alone ||
		    !directive_expr(d->rest, comment_alone(text, m), c->out->scratch) ||
		    !reads_head(c, &head) || head.build.text.p)
			return NULL;
		return TR("the file is built in every case", "该文件在任何情况下都会被构建");
	}
	if (span_eq(d->word, S("embed")))
		return d->rest.n && m->alone && directive_embeddable(comment_code(text, m->text.p)).p
			       ? TR("the variable below stays empty", "其下方的变量始终为空")
			       : NULL;
	return directive_known(d->word) && directive_meant(text, m, d)
		       ? TR("go does nothing of it", "go 不会执行它")
		       : NULL;
}

/* The directive is two slashes, "go:" and the word, with no blank between. */
static void fix(struct golint *c, struct lint_finding *f, TSNode n, const struct directive *d)
{
	uint32_t from = ts_node_start_byte(n), to = (uint32_t)(d->rest.p - c->file->text.p);

	if (f && !d->block && d->rest.n)
		lint_edit(c->out, f, false, from, to, lint_text(c->out, "//go:%.*s ", SPAN_ARG(d->word)));
}

static void comment(struct golint *c, TSNode n)
{
	struct span text = c->file->text;
	uint32_t from = ts_node_start_byte(n);
	size_t i = from + 2;
	struct directive d;

	/* A line that is indented by more than a space is code that is quoted, or put away for later. */
	i += i < text.n && text.p[i] == ' ';
	if (i + 2 >= text.n || (text.p[i] | 32) != 'g' || (text.p[i + 1] | 32) != 'o')
		return;
	struct gomark m = { .text = first_line(text, from),
			    .alone = is_alone(text, from),
			    .before_package = !c->package.p || text.p + from < c->package.p };
	if (!directive_read(&m, &d) || d.exact)
		return;
	const char *why = lost(c, &m, &d);
	if (why)
		fix(c, golint_say(c, RULE_B01, n, m.text, span_of(why)), n, &d);
}

/* ---- B02: constraints that no build can satisfy ---- */

static void whole_file(struct golint *c, TSNode n)
{
	struct goname name = goname_read(path_base(span_of(c->out->path)), INT32_MAX), none = { 0 };
	struct span before =
		span_head(c->file->text, c->package.p ? (size_t)(c->package.p - c->file->text.p) : 0);
	CLEANUP(buf_free) struct buf written = { 0 };
	const struct constraint *x;
	struct gohead h;

	(void)n;
	if (!c->out->on[RULE_B02] || span_find(before, S("build")) == SPAN_NONE || !reads_head(c, &h))
		return;
	if (gohead_expr(&h, c->out->scratch, &x) < 0) {
		c->out->bad = true;
		return;
	}
	if (!x || expr_can(x, &name, EXPR_ANYWHERE, true) != 0)
		return;
	/* `x && !x` is a way to switch a file off. */
	if (expr_can(x, &none, EXPR_LOGIC, true) == 0)
		return;
	expr_write(x, &name, &written);
	c->out->bad |= written.bad;
	int line = h.build.text.p ? h.build.line : h.old[0].line;
	size_t at = 0, nl;
	while (--line > 0 && (nl = span_chr(span_from(c->file->text, at), '\n')) != SPAN_NONE)
		at += nl + 1;
	size_t end = at + first_line(c->file->text, (uint32_t)at).n;
	lint_say(c->out, RULE_B02, (uint32_t)at, (uint32_t)end, buf_view(&written));
}

const struct golint_hook golint_build[] = {
	{ GO_SOURCE_FILE, whole_file },
	{ GO_COMMENT, comment },
	{ GO_ERROR, NULL },
};
