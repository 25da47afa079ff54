#include "check/directive.h"

#include "base/mem.h"
#include "check/traps_own.h"

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

/* ---- a comment, taken apart ---- */

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

bool directive_read(const struct gomark *m, struct directive *k)
{
	struct span s = span_from(m->text, 2);
	bool odd = k->block = m->text.p[1] == '*';
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
	/* What is glued to it: //go:build!x and //go:buildlinux are no directives. */
	if (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
		k->exact = false;
	if (k->word.n > 5 && span_starts(k->word, S("build"))) {
		k->rest = span_trim(span_from(s, 5));
		k->word = span_head(k->word, 5);
		k->exact = false;
	}
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

struct span comment_rest(struct span text, const char *at)
{
	struct span rest = span_from(text, (size_t)(at - text.p));

	span_cut(&rest, '\n');
	return rest;
}

static bool prose(struct span line)
{
	struct gomark m = { .text = line };
	struct directive k;

	if (!span_starts(line, S("//")) || line.n < 3 || constraint_of_old_line(line).p)
		return false;
	return !directive_read(&m, &k) && span_trim(span_from(line, 2)).n > 0;
}

bool comment_alone(struct span text, const struct gomark *m)
{
	struct span rest = comment_rest(text, m->text.p);

	return m->alone && !prose(line_before(text, m->text.p)) && !prose(span_trim(span_cut(&rest, '\n')));
}

bool comment_in_prose(struct span text, const struct gomark *m)
{
	struct span rest = comment_rest(text, m->text.p);
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

struct span comment_code(struct span text, const char *at)
{
	struct span rest = comment_rest(text, at);

	while (rest.n) {
		struct span l = span_trim(span_cut(&rest, '\n'));
		if (l.n && !span_starts(l, S("//")))
			return l;
	}
	return (struct span){ 0 };
}

bool directive_known(struct span word)
{
	return one_of(word, directives, ARRAY_LEN(directives));
}

static bool any_known(void *ctx, const struct constraint *t)
{
	(void)ctx;
	return !tag_of_go(t->tag);
}

const struct constraint *directive_expr(struct span expr, bool lone, struct arena *mem)
{
	const struct constraint *x = expr.n ? constraint_parse(expr, mem, NULL) : NULL;

	if (!x || lone || x->op != CONSTRAINT_TAG || !constraint_tags(x, any_known, NULL))
		return x;
	return NULL;
}

struct span directive_embeddable(struct span code)
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

bool directive_meant(struct span text, const struct gomark *m, const struct directive *k)
{
	struct span next = comment_code(text, m->text.p);
	bool func = span_starts(next, S("func ")), lone = comment_alone(text, m);

	if (span_eq(k->word, S("generate")))
		return lone && command_like(k->rest);
	if (span_eq(k->word, S("debug")))
		return lone && m->before_package && span_chr(k->rest, '=') != SPAN_NONE;
	if (span_eq(k->word, S("linkname")) || span_starts(k->word, S("wasm")))
		return func && span_chr(k->rest, '.') != SPAN_NONE && span_chr(k->rest, ' ') != SPAN_NONE;
	return k->rest.n == 0 && (func || span_starts(next, S("type "))) && m->alone;
}

struct span directive_near(struct span word)
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

bool directive_worth(struct span text, bool cgo)
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
