#include "parse/gofunc.h"

#include "base/mem.h"
#include "base/text.h"

/* ---- tokens ---- */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_TEXT /* a string or rune */, TOKEN_SIGN /* one character of another kind */ };

struct token {
	enum token_kind kind;
	struct span text;
	int line;
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void skip(struct gofuncs *at, size_t n)
{
	struct span over = span_head(at->rest, n);

	for (size_t i = 0; i < over.n; i++)
		at->line += over.p[i] == '\n';
	at->rest = span_from(at->rest, n);
}

/* Before the package clause, at the beginning of a line; the first one counts. */
static void take_build(struct gofuncs *at, struct span comment)
{
	if (at->package || at->build.p || !span_skip(&comment, S("//go:build")) || !comment.n || (comment.p[0] != ' ' && comment.p[0] != '\t'))
		return;
	at->build = span_trim(comment);
}

/* Blanks and comments. */
static void skip_blanks(struct gofuncs *at)
{
	for (;;) {
		struct span s = at->rest;
		size_t n = 0;
		while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t' || s.p[n] == '\r' || s.p[n] == '\n'))
			n++;
		skip(at, n);
		s = at->rest;
		if (span_starts(s, S("//"))) {
			struct span line = span_head(s, span_chr(s, '\n'));
			take_build(at, line);
			skip(at, line.n);
		} else if (span_starts(s, S("/*"))) {
			size_t end = span_find(span_from(s, 2), S("*/"));
			skip(at, end == SPAN_NONE ? s.n : end + 4);
		} else {
			return;
		}
	}
}

/* A string, rune or raw string at the start of s; one that does not end stops with its line. */
static size_t text_length(struct span s)
{
	size_t n = 1;

	if (s.p[0] == '`') {
		size_t end = span_chr(span_from(s, 1), '`');
		return end == SPAN_NONE ? s.n : end + 2;
	}
	while (n < s.n && s.p[n] != '\n' && s.p[n] != s.p[0])
		n += s.p[n] == '\\' && n + 1 < s.n && s.p[n + 1] != '\n' ? 2 : 1;
	return n < s.n && s.p[n] == s.p[0] ? n + 1 : n;
}

static struct token next_token(struct gofuncs *at)
{
	struct token t = { .kind = TOKEN_END };
	size_t n = 1;

	skip_blanks(at);
	struct span s = at->rest;
	t.line = at->line + 1;
	if (!s.n)
		return t;
	if (is_letter(s.p[0]) || is_digit(s.p[0])) {
		while (n < s.n && (is_letter(s.p[n]) || is_digit(s.p[n])))
			n++;
		t.kind = TOKEN_WORD;
	} else if (s.p[0] == '"' || s.p[0] == '`' || s.p[0] == '\'') {
		n = text_length(s);
		t.kind = TOKEN_TEXT;
	} else {
		t.kind = TOKEN_SIGN;
	}
	t.text = span_head(s, n);
	skip(at, n);
	return t;
}

static struct token peek(const struct gofuncs *at)
{
	struct gofuncs copy = *at;

	return next_token(&copy);
}

static bool is_sign(struct token t, char c)
{
	return t.kind == TOKEN_SIGN && t.text.p[0] == c;
}

/* ---- names ---- */

/* Of the scripts that have two cases; the others' letters may follow "Test" too. */
static bool is_lower(uint32_t c)
{
	static const uint32_t ranges[][2] = { { 'a', 'z' }, { 0xdf, 0xf6 }, { 0xf8, 0xff }, { 0x3ac, 0x3ce }, { 0x430, 0x45f }, { 0x561, 0x587 } };

	if (c >= 0x100 && c < 0x178) /* pairs, the lower one behind */
		return c & 1;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return true;
	}
	return false;
}

/* clang-format off */
static const struct {
	struct span prefix;
	const char *parameter; /* of package testing; NULL: it takes none */
} kinds[] = {
	[GOFUNC_TEST] = { { "Test", 4 }, "T" },
	[GOFUNC_BENCHMARK] = { { "Benchmark", 9 }, "B" },
	[GOFUNC_FUZZ] = { { "Fuzz", 4 }, "F" },
	[GOFUNC_EXAMPLE] = { { "Example", 7 }, NULL },
};
/* clang-format on */

enum gofunc_kind gofunc_named(struct span name)
{
	uint32_t c;

	name = span_head(name, span_chr(name, '/'));
	for (size_t i = 0; i < name.n; i++) {
		if (!is_letter(name.p[i]) && !is_digit(name.p[i]))
			return GOFUNC_OTHER;
	}
	for (size_t i = GOFUNC_TEST; i < ARRAY_LEN(kinds); i++) {
		if (!span_starts(name, kinds[i].prefix))
			continue;
		struct span rest = span_from(name, kinds[i].prefix.n);
		if (rest.n)
			utf8_decode(rest, &c);
		if (!rest.n || !is_lower(c))
			return (enum gofunc_kind)i;
	}
	return GOFUNC_OTHER;
}

bool gotest_name_read(struct span text, struct gotest_name *ret)
{
	size_t at = 0;

	text = span_trim(text);
	while (at < text.n) { /* at the beginning, or behind a dot */
		struct span rest = span_from(text, at);
		if (gofunc_named(rest) != GOFUNC_OTHER) {
			struct span below = rest;
			*ret = (struct gotest_name){ .package = at ? span_head(text, at - 1) : (struct span){ 0 }, .test = rest };
			ret->function = span_cut(&below, '/');
			ret->below = below;
			return at != 1; /* ".TestX" */
		}
		size_t dot = span_chr(rest, '.');
		at = dot == SPAN_NONE ? text.n : at + dot + 1;
	}
	return false;
}

/* ---- declarations ---- */

/* At the token behind '(' or '[': up to its end; the tokens in it go to list. Returns how many there were. */
static size_t take_list(struct gofuncs *at, struct token *list, size_t max)
{
	size_t n = 0;
	int depth = 1;

	for (;;) {
		struct token t = next_token(at);
		if (t.kind == TOKEN_END)
			return n;
		if (is_sign(t, '(') || is_sign(t, '[') || is_sign(t, '{'))
			depth++;
		if ((is_sign(t, ')') || is_sign(t, ']') || is_sign(t, '}')) && --depth == 0)
			return n;
		if (n < max)
			list[n] = t;
		n++;
	}
}

/* "t *testing.T", "*T", "t *tt.T,": as go test has it. */
static bool takes(const struct token *list, size_t n, const char *parameter)
{
	size_t i = 0;

	if (!parameter)
		return n == 0;
	if (n && is_sign(list[n - 1], ','))
		n--;
	if (i < n && list[i].kind == TOKEN_WORD)
		i++;
	if (i >= n || !is_sign(list[i++], '*'))
		return false;
	if (i + 2 < n && list[i].kind == TOKEN_WORD && is_sign(list[i + 1], '.'))
		i += 2;
	return i + 1 == n && list[i].kind == TOKEN_WORD && span_eq(list[i].text, span_of(parameter));
}

/* Behind "func NAME". */
static void read_rest(struct gofuncs *at, struct gofunc *f)
{
	struct token list[8];
	bool generic = is_sign(peek(at), '[');

	if (generic) {
		next_token(at);
		take_list(at, list, 0);
	}
	if (!is_sign(peek(at), '('))
		return;
	next_token(at);
	size_t n = take_list(at, list, ARRAY_LEN(list));
	enum gofunc_kind k = gofunc_named(f->name);
	if (!generic && k != GOFUNC_OTHER && n < ARRAY_LEN(list) && takes(list, n, kinds[k].parameter) && is_sign(peek(at), '{'))
		f->kind = k;
}

bool gofunc_next(struct gofuncs *at, struct gofunc *ret)
{
	for (;;) {
		struct token t = next_token(at);
		if (t.kind == TOKEN_END)
			return false;
		if (is_sign(t, '(') || is_sign(t, '[') || is_sign(t, '{'))
			at->depth++;
		else if ((is_sign(t, ')') || is_sign(t, ']') || is_sign(t, '}')) && at->depth)
			at->depth--;
		if (at->depth || t.kind != TOKEN_WORD)
			continue;
		at->package |= span_eq(t.text, S("package"));
		struct token name = peek(at);
		if (!span_eq(t.text, S("func")) || name.kind != TOKEN_WORD || is_digit(name.text.p[0]))
			continue;
		next_token(at);
		*ret = (struct gofunc){ .name = name.text, .line = name.line };
		read_rest(at, ret);
		return true;
	}
}
