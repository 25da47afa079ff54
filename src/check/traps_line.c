#include "check/traps_own.h"

/* Traps of lines: comments that were meant to be directives. */

static const char *const directives[] = {
	"build",
	"embed",
	"generate",
	"debug",
	"linkname",
	"noinline",
	"nosplit",
	"noescape",
	"norace",
	"nocheckptr",
	"notinheap",
	"nointerface",
	"systemstack",
	"nowritebarrier",
	"nowritebarrierrec",
	"yeswritebarrierrec",
	"uintptrescapes",
	"uintptrkeepalive",
	"registerparams",
	"wasmimport",
	"wasmexport",
	"binary-only-package",
	"fix",
	"cgo_export_dynamic",
	"cgo_export_static",
	"cgo_import_dynamic",
	"cgo_import_static",
	"cgo_dynamic_linker",
	"cgo_ldflag",
	"cgo_unsafe_args",
	"nosumcheck",
	"norace",
};
/* Of other compilers and of tools: never taken for a mistyped one. */
static const char *const foreign[] = {
	"inline",    "export",      "extern", "section",  "align",  "volatile",
	"interrupt", "wasm-module", "bytes",  "noheap",   "packed", "nobounds",
	"variadic",  "builds",      "import", "platform", "link",   "embedded"
};

static bool one_of(struct span word, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(word, span_of(v[i])))
			return true;
	return false;
}

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

/* ---- a comment, taken apart ---- */

struct mark {
	const struct gomark *m;
	struct span word, rest; /* "build", "linux && amd64" */
	bool exact;             /* the letters and blanks are those of a directive */
	bool block;             /* of C */
	struct spot at;
};

static char low(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static bool is_word(char c)
{
	return (low(c) >= 'a' && low(c) <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static struct span blanks(struct span s, bool *seen)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s = span_from(s, 1);
		*seen = true;
	}
	return s;
}

/* "go:WORD rest" in any spelling; false: it is nothing of that kind. */
static bool take_apart(struct mark *k)
{
	struct span s = span_from(k->m->text, 2);
	bool odd = k->block = k->m->text.p[1] == '*';
	char lowered[64];

	if (k->block && span_ends(s, S("*/")))
		s = span_head(s, s.n - 2);
	s = blanks(s, &odd);
	if (s.n < 3 || low(s.p[0]) != 'g' || low(s.p[1]) != 'o')
		return false;
	odd |= s.p[0] != 'g' || s.p[1] != 'o';
	s = blanks(span_from(s, 2), &odd);
	if (!s.n || s.p[0] != ':')
		return false;
	s = blanks(span_from(s, 1), &odd);
	size_t n = 0;
	while (n < s.n && is_word(s.p[n]))
		n++;
	if (!n || n >= sizeof(lowered))
		return false;
	k->word = span_head(s, n);
	k->rest = span_trim(span_from(s, n));
	k->exact = !odd;
	for (size_t i = 0; i < n; i++) {
		lowered[i] = low(s.p[i]);
		k->exact &= lowered[i] == s.p[i];
	}
	for (size_t i = 0; i < ARRAY_LEN(directives); i++)
		if (span_eq((struct span){ lowered, n }, span_of(directives[i])))
			k->word = span_of(directives[i]);
	/* What is glued to it: //go:build!x is no directive. */
	if (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
		k->exact = false;
	return true;
}

/* ---- what is around it ---- */

static struct span line_before(struct span text, const char *at)
{
	struct span head = span_head(text, (size_t)(at - text.p));
	size_t nl = span_rchr(head, '\n');

	if (nl == SPAN_NONE)
		return S("");
	head = span_head(head, nl);
	nl = span_rchr(head, '\n');
	return span_trim(nl == SPAN_NONE ? head : span_from(head, nl + 1));
}

static struct span rest_behind(struct span text, const char *at)
{
	struct span rest = span_from(text, (size_t)(at - text.p));

	span_cut(&rest, '\n');
	return rest;
}

static bool prose(struct span line)
{
	struct gomark m = { .text = line };
	struct mark k = { .m = &m };

	if (!span_starts(line, S("//")) || line.n < 3 || constraint_of_old_line(line).p)
		return false;
	return !take_apart(&k) && span_trim(span_from(line, 2)).n > 0;
}

/* Not a line of a paragraph. */
static bool alone(struct span text, const struct gomark *m)
{
	struct span rest = rest_behind(text, m->text.p);

	return m->alone && !prose(line_before(text, m->text.p)) && !prose(span_trim(span_cut(&rest, '\n')));
}

/* Is there a sentence anywhere in the comment that m is a line of? */
static bool in_prose(struct span text, const struct gomark *m)
{
	struct span rest = rest_behind(text, m->text.p);
	bool seen = false, passed = false;

	/* Comments are short: from the start of the one that it is in. */
	for (const char *at = m->text.p;;) {
		struct span before = line_before(text, at);
		if (!span_starts(before, S("//")))
			break;
		at = before.p;
		seen |= prose(before);
	}
	while (rest.n && !passed) {
		struct span l = span_trim(span_cut(&rest, '\n'));
		passed = !span_starts(l, S("//"));
		seen |= prose(l);
	}
	return seen;
}

/* The next line that is no comment and not blank. */
static struct span next_code(struct span text, const char *at)
{
	struct span rest = rest_behind(text, at);

	while (rest.n) {
		struct span l = span_trim(span_cut(&rest, '\n'));
		if (l.n && !span_starts(l, S("//")))
			return l;
	}
	return (struct span){ 0 };
}

/* ---- //go:build ---- */

static bool any_known(void *ctx, const struct constraint *t)
{
	(void)ctx;
	return !tag_of_go(t->tag);
}

/* An expression, and no sentence that happens to look like one. */
static const struct constraint *meant(struct trap_run *c, struct span expr, bool lone)
{
	const struct constraint *x = expr.n ? constraint_parse(expr, &c->mem, NULL) : NULL;

	if (!x || lone || x->op != CONSTRAINT_TAG || !constraint_tags(x, any_known, NULL))
		return x;
	return NULL;
}

static struct span shown(struct trap_run *c, const struct constraint *x)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	constraint_write(x, &b);
	c->bad |= b.bad;
	return b.bad ? S("") : trap_text(c, "%s", buf_str(&b));
}

static void check_build(struct trap_run *c, const struct src_file *f, struct span text, const struct mark *k)
{
	const struct constraint *x = meant(c, k->rest, alone(text, k->m));

	if (k->exact) {
		/* go refuses what is wrong with a line that it sees; of those that it does not see: */
		if (f->kind == SRC_GO || f->head->build.text.p || k->m->before_package || !k->m->alone || !x)
			return;
		trap_say(c, TRAP_BUILD_PLACE, k->at, span_of(TR("it stands below code", "它位于代码之下")));
		return;
	}
	if (!k->m->before_package || !k->m->alone || f->head->build.text.p || !x)
		return;
	const char *why = k->block ? TR("It must be a // comment.", "它必须是 // 注释。")
				   : TR("It must begin with //go:build and a blank, in small letters.",
					"必须以小写的 //go:build 加空格开头。");
	trap_say_as(c, TRAP_BUILD_SPACE, f->head->n_old ? SEV_WARNING : SEV_ERROR, k->at,
		    span_trim(k->m->text), span_of(why), shown(c, x));
}

/* //go:buildlinux */
static bool glued(const struct mark *k)
{
	return k->word.n > 5 && span_starts(k->word, S("build")) && !span_eq(k->word, S("build"));
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
	struct span rest = rest_behind(text, m->text.p);

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
	    (in_prose(text, k->m) && !constraint_tags(x, lone_terms, NULL)))
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

/* The name that a var declaration without a value begins with, of a type that can be embedded; absent: it is none. */
static struct span embeddable(struct span code)
{
	static const char *const types[] = { "string", "[]byte", "embed.FS" };
	bool seen = false, var = span_skip(&code, S("var "));
	size_t n = 0;

	code = span_trim(code);
	while (n < code.n && is_word(code.p[n]))
		n++;
	struct span name = span_head(code, n), type = blanks(span_from(code, n), &seen);
	size_t end = span_find(type, S("//"));
	type = span_trim(span_head(type, end));
	if (!n || !seen || !type.n || span_chr(type, '=') != SPAN_NONE || span_chr(type, '(') != SPAN_NONE)
		return (struct span){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (span_eq(type, span_of(types[i])))
			return name;
	return var && span_ends(type, S(".FS")) ? name : (struct span){ 0 };
}

static bool command_like(struct span s)
{
	if (!s.n || !is_word(s.p[0]))
		return false;
	struct span first = span_cut(&s, ' ');
	static const char *const prose_words[] = { "is",       "line",      "lines",      "comment",
						   "comments", "directive", "directives", "the",
						   "command",  "commands",  "and",        "or" };

	return s.n && !one_of(first, prose_words, ARRAY_LEN(prose_words)) && first.p[first.n - 1] != ':' &&
	       first.p[first.n - 1] != ',';
}

/* A known directive in a spelling that makes a comment of it. Is it surely meant? */
static bool surely(struct span text, const struct mark *k)
{
	struct span next = next_code(text, k->m->text.p);
	bool func = span_starts(next, S("func ")), lone = alone(text, k->m);

	if (span_eq(k->word, S("generate")))
		return lone && command_like(k->rest);
	if (span_eq(k->word, S("debug")))
		return lone && k->m->before_package && span_chr(k->rest, '=') != SPAN_NONE;
	if (span_eq(k->word, S("linkname")) || span_starts(k->word, S("wasm")))
		return func && span_chr(k->rest, '.') != SPAN_NONE && span_chr(k->rest, ' ') != SPAN_NONE;
	return k->rest.n == 0 && (func || span_starts(next, S("type "))) && k->m->alone;
}

/* A real directive that is a letter or two away, and no other tool's. */
static struct span near(struct span word)
{
	struct span best = { 0 };
	size_t least = 3;

	if (one_of(word, foreign, ARRAY_LEN(foreign)))
		return best;
	for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
		struct span d = span_of(directives[i]);
		size_t max = d.n > 6 && word.n > 6 ? 2 : d.n > 4 ? 1 : 0, far = letters_apart(word, d, max);
		if (far <= max && far < least) {
			least = far;
			best = d;
		}
	}
	return best;
}

static void check_other(struct trap_run *c, const struct src_file *f, struct span text, const struct mark *k)
{
	bool known = one_of(k->word, directives, ARRAY_LEN(directives));
	struct span line = span_trim(k->m->text);

	if (f->kind != SRC_GO)
		return;
	if (!known && !k->block && span_starts(line, S("//go:")) && k->m->alone) {
		struct span real = near(k->word);
		if (real.p)
			trap_say(c, TRAP_DIRECTIVE_UNKNOWN, k->at, trap_text(c, "go:%.*s", SPAN_ARG(k->word)),
				 trap_text(c, "go:%.*s", SPAN_ARG(real)));
	} else if (k->exact && span_eq(k->word, S("generate")) && k->at.column > 1) {
		trap_say(c, TRAP_GENERATE_INDENTED, k->at, line);
	} else if (known && !k->exact && span_eq(k->word, S("embed"))) {
		struct span name = embeddable(next_code(text, k->m->text.p));
		if (name.p && k->rest.n && k->m->alone)
			trap_say(c, TRAP_EMBED_SPACE, k->at, line, trap_text(c, "%.*s", SPAN_ARG(name)));
	} else if (known && !k->exact && surely(text, k)) {
		trap_say(c, TRAP_DIRECTIVE_SPACE, k->at, line,
			 trap_text(c, "go:%.*s%s%.*s", SPAN_ARG(k->word), k->rest.n ? " " : "",
				   SPAN_ARG(k->rest)));
	}
}

/* "// export F" above F in a cgo file: C does not see it. */
static void check_export(struct trap_run *c, const struct src_file *f, struct span text, const struct mark *k)
{
	struct span s = span_from(k->m->text, 2);
	bool blank = false;

	s = blanks(s, &blank);
	if (!blank || !f->head->cgo_line || !span_skip(&s, S("export ")))
		return;
	struct span name = span_trim(s), next = next_code(text, k->m->text.p);
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
	} else if (!take_apart(&k)) {
		check_export(c, f, text, &k);
	} else if (span_eq(k.word, S("build"))) {
		check_build(c, f, text, &k);
	} else if (glued(&k)) {
		k.rest = span_trim((struct span){
			k.word.p + 5, k.word.n - 5 + (size_t)(k.rest.p + k.rest.n - (k.word.p + k.word.n)) });
		k.exact = false;
		check_build(c, f, text, &k);
	} else {
		check_other(c, f, text, &k);
	}
}

/* ---- all files ---- */

/* Is there anything like "go:", "+build" or "export" in it? Most files have none, and are not read further. */
static bool worth_it(struct span text, bool cgo)
{
	for (struct span rest = text; rest.n;) {
		size_t at = span_chr(rest, ':');
		if (at == SPAN_NONE)
			break;
		size_t i = at;
		while (i && rest.p[i - 1] == ' ')
			i--;
		if (i > 3 && low(rest.p[i - 1]) == 'o' && low(rest.p[i - 2]) == 'g' &&
		    !(low(rest.p[i - 3]) >= 'a' && low(rest.p[i - 3]) <= 'z'))
			return true;
		rest = span_from(rest, at + 1);
	}
	return span_find(text, S("+build")) != SPAN_NONE ||
	       (cgo && span_find(text, S("export ")) != SPAN_NONE);
}

static void check_file(struct trap_run *c, const struct src_file *f)
{
	struct span text = trap_read(c, f);
	struct gomarks marks = { .text = text };
	struct plus plus = { 0 };
	struct gomark m;

	if (f->kind == SRC_GO)
		flows_note_source(c, text);
	if (!text.n || !worth_it(text, f->head->cgo_line > 0))
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
