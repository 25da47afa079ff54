#include "base/mem.h"
#include "mod/check_own.h"
#include "base/path.h"
#include "parse/version.h"

/* go and toolchain lines, and whether the go that builds can read the file at all. */

static size_t dots(struct span v)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++)
		n += v.p[i] == '.';
	return n;
}

static void check_go_line(struct check *c, const struct mod_source *file, const struct modfile *m, const struct mod_line *l)
{
	struct spot at = { .file = file, .mod = m, .l = l, .column = l->version_column };
	struct span have = c->o->go, v = l->version;

	if (!have.n)
		return;
	if (c->old && (dots(v) > 1 || span_find(v, S("rc")) != SPAN_NONE || span_find(v, S("beta")) != SPAN_NONE)) {
		check_say(c, RULE_GO_FORM, at,
			  TR("go %.*s cannot read `go %.*s`: before 1.21 such a line has two numbers",
			     "go %.*s 读不懂 `go %.*s`：1.21 之前该行只有两个数字"),
			  SPAN_ARG(have), SPAN_ARG(v));
		return;
	}
	if (goversion_compare(v, have) <= 0)
		return;
	if (c->old)
		check_say_as(c, RULE_GO_NEW, SEV_WARNING, at,
			     TR("go %.*s builds this all the same, and what is newer than it fails to compile: the file wants %.*s",
				"go %.*s 仍会尝试构建，但新特性无法编译：文件要求 %.*s"),
			     SPAN_ARG(have), SPAN_ARG(v));
	else if (c->o->go_local)
		check_say(c, RULE_GO_NEW, at,
			  TR("go %.*s refuses this (GOTOOLCHAIN=local): the file wants %.*s",
			     "go %.*s 会拒绝（GOTOOLCHAIN=local）：文件要求 %.*s"),
			  SPAN_ARG(have), SPAN_ARG(v));
	else
		check_say_as(c, RULE_GO_NEW, SEV_NOTE, at,
			     TR("go %.*s downloads a toolchain first: the file wants %.*s", "go %.*s 会先下载工具链：文件要求 %.*s"),
			     SPAN_ARG(have), SPAN_ARG(v));
}

/* A toolchain line belongs to go 1.21 and later; `default` says nothing, and go takes it out. */
static void check_toolchain(struct check *c, const struct mod_source *file, const struct modfile *m, const struct mod_line *l, bool is_work)
{
	struct spot at = { .file = file, .mod = m, .l = l, .column = l->version_column };
	bool old = goversion_compare(is_work && !m->go.n ? S("1.18") : check_go_of(m), S("1.21")) < 0;

	if (c->old || is_work)
		return;
	if (old || span_eq(l->version, S("default")))
		check_say_as(c, RULE_GO_TOOLCHAIN, c->work ? SEV_WARNING : SEV_ERROR, at,
			     old ? TR("`toolchain %.*s` says nothing beside a go line before 1.21: go wants to take it out",
				      "go 行早于 1.21 时 `toolchain %.*s` 没有意义：go 想删除它")
				 : TR("`toolchain %.*s` says nothing: go wants to take it out", "`toolchain %.*s` 没有意义：go 想删除它"),
			     SPAN_ARG(l->version));
}

void check_go(struct check *c, const struct mod_source *file, const struct modfile *m, bool is_work)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct mod_line *l = &m->lines[i];
		const char *since = mod_verb_since(l->verb);
		if (since && !check_go_at_least(c, since))
			check_say(c, RULE_GO_FORM, (struct spot){ .file = file, .mod = m, .l = l },
				  TR("go %.*s cannot read `%s` lines: they came with go %s", "go %.*s 读不懂 `%s` 行：它始于 go %s"),
				  SPAN_ARG(c->o->go), mod_verb_name(l->verb), since);
		if (l->verb == MOD_GO)
			check_go_line(c, file, m, l);
		if (l->verb == MOD_TOOLCHAIN)
			check_toolchain(c, file, m, l, is_work);
	}
	if (!m->go.n && !m->n_problems)
		check_say(c, RULE_GO_NONE, (struct spot){ .file = file, .mod = m, .line = 1, .column = 1 }, "%s",
			  tx(mod_rules[RULE_GO_NONE].what));
}

/* ---- other files that choose a go ---- */

struct pin {
	const char *file;
	struct span before; /* on the line of the version */
};
static const struct pin pins[] = {
	{ ".go-version", S("") },
	{ ".tool-versions", S("golang ") },
	{ "Dockerfile", S("FROM golang:") },
};

/* The version that the line chooses: 1.22, 1.22.3; absent: none. */
static struct span pinned(struct span line, const struct pin *p, int *column)
{
	const char *begin = line.p;
	size_t n = 0;

	if (!span_skip(&line, p->before))
		return (struct span){ 0 };
	while (line.n && line.p[0] == ' ')
		line = span_from(line, 1);
	span_skip(&line, S("go"));
	while (n < line.n && ((line.p[n] >= '0' && line.p[n] <= '9') || line.p[n] == '.'))
		n++;
	*column = (int)(line.p - begin) + 1;
	line = span_head(line, n);
	return goversion_valid(line) && dots(line) ? line : (struct span){ 0 };
}

/* A version of two numbers means the newest of its patch releases. */
static bool older(struct span pin, struct span want)
{
	return dots(pin) == 1 ? goversion_compare(goversion_language(pin), goversion_language(want)) < 0 : goversion_compare(pin, want) < 0;
}

static void check_pin(struct check *c, const struct pin *p, struct span want, const char *wanted_by)
{
	struct mod_source file;
	int64_t line = 0;

	if (mod_tree_read(c->t, p->file, &file, NULL) < 0 || !file.text.p)
		return;
	c->o->files++;
	c->o->bytes += (int64_t)file.text.n;
	for (struct span rest = file.text; rest.n;) {
		int column = 0;
		struct span v = pinned(span_cut(&rest, '\n'), p, &column);
		line++;
		if (v.n && older(v, want))
			check_say(c, RULE_GO_PIN, (struct spot){ .file = &file, .line = line, .column = column },
				  TR("this chooses go %.*s, and %s wants %.*s", "此处选择 go %.*s，而 %s 要求 %.*s"), SPAN_ARG(v),
				  wanted_by, SPAN_ARG(want));
		if (line > 10000)
			return;
	}
}

void check_pins(struct check *c)
{
	const struct modfile *m = c->work ? &c->t->work : c->t->n ? &c->t->members[0].mod : NULL;

	if (!m || goversion_compare(m->go, S("1.21")) < 0) /* an older line does not bind */
		return;
	for (size_t i = 0; i < ARRAY_LEN(pins); i++)
		check_pin(c, &pins[i], m->go, c->work ? c->t->go_work.shown : c->t->members[0].go_mod.shown);
}
