#include "parse/constraint.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "parse/unicode.h"

/* ---- lines ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What Go's TrimSpace takes off in ASCII; other blanks make no line of ours. */
static struct span trim(struct span s)
{
	while (s.n && strchr(" \t\n\v\f\r", s.p[0]) && s.p[0])
		s = span_from(s, 1);
	while (s.n && strchr(" \t\n\v\f\r", s.p[s.n - 1]) && s.p[s.n - 1])
		s.n--;
	return s;
}

/* Behind the prefix comes a blank, or nothing. */
static struct span behind(struct span rest)
{
	struct span ret = trim(rest);

	return rest.n && ret.n == rest.n ? (struct span){ 0 } : ret;
}

struct span constraint_of_line(struct span line)
{
	line = trim(line);
	return span_skip(&line, S("//go:build")) ? behind(line) : (struct span){ 0 };
}

struct span constraint_of_old_line(struct span line)
{
	line = trim(line);
	if (!span_skip(&line, S("//")))
		return (struct span){ 0 };
	line = trim(line);
	return span_skip(&line, S("+build")) ? behind(line) : (struct span){ 0 };
}

/* ---- tags ---- */

/* The decimal digits beyond ASCII: each first of a run of ten (Unicode 15.0, category Nd). */
static const uint32_t digits[] = {
	0x660,   0x6f0,   0x7c0,   0x966,   0x9e6,   0xa66,   0xae6,   0xb66,   0xbe6,   0xc66,
	0xce6,   0xd66,   0xde6,   0xe50,   0xed0,   0xf20,   0x1040,  0x1090,  0x17e0,  0x1810,
	0x1946,  0x19d0,  0x1a80,  0x1a90,  0x1b50,  0x1bb0,  0x1c40,  0x1c50,  0xa620,  0xa8d0,
	0xa900,  0xa9d0,  0xa9f0,  0xaa50,  0xabf0,  0xff10,  0x104a0, 0x10d30, 0x11066, 0x110f0,
	0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
	0x11c50, 0x11d50, 0x11da0, 0x11f50, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2,
	0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4d0, 0x1e950, 0x1fbf0,
};

bool constraint_digit(uint32_t c)
{
	for (size_t i = 0; i < ARRAY_LEN(digits); i++)
		if (c >= digits[i] && c < digits[i] + 10)
			return true;
	return false;
}

static bool in_tag(uint32_t c)
{
	if (c < 0x80)
		return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		       c == '_' || c == '.';
	return c != UTF8_BAD && (unicode_letter(c) || constraint_digit(c));
}

static size_t tag_length(struct span s)
{
	size_t at = 0;
	uint32_t c;

	while (at < s.n) {
		size_t n = utf8_decode(span_from(s, at), &c);
		if (!in_tag(c))
			break;
		at += n;
	}
	return at;
}

/* ---- expressions ---- */

struct parser {
	struct span text;
	size_t at, pos;          /* the next byte; where the last token began */
	struct span tok;         /* empty: the end */
	bool tag, failed, ended; /* failed; because the text ended */
	int size;
	struct arena *mem;
	struct constraint_error *why;
};

__attribute__((format(printf, 3, 4))) static const struct constraint *fail(struct parser *p, size_t at,
									   const char *fmt, ...)
{
	va_list ap;

	if (!p->failed) {
		p->why->at = at;
		va_start(ap, fmt);
		vsnprintf(p->why->text, sizeof(p->why->text), fmt, ap);
		va_end(ap);
	}
	p->failed = true;
	return NULL;
}

static void take(struct parser *p, size_t n)
{
	p->pos = p->at;
	p->tok = span_head(span_from(p->text, p->at), n);
	p->at += n;
}

static void lex(struct parser *p)
{
	p->tag = false;
	while (p->at < p->text.n && is_blank(p->text.p[p->at]))
		p->at++;
	struct span rest = span_from(p->text, p->at);
	if (!rest.n) {
		take(p, 0);
		return;
	}
	char c = rest.p[0];
	if (c == '(' || c == ')' || c == '!') {
		take(p, 1);
	} else if (c == '&' || c == '|') {
		if (rest.n < 2 || rest.p[1] != c)
			fail(p, p->at, "invalid syntax at %c", c);
		else
			take(p, 2);
	} else {
		size_t n = tag_length(rest);
		if (!n) {
			uint32_t cp;
			size_t bytes = utf8_decode(rest, &cp);
			fail(p, p->at, "invalid syntax at %.*s", cp == UTF8_BAD ? 3 : (int)bytes,
			     cp == UTF8_BAD ? "\xef\xbf\xbd" : rest.p);
			return;
		}
		take(p, n);
		p->tag = true;
	}
}

static const struct constraint *node(struct parser *p, struct constraint c)
{
	struct constraint *ret = arena_alloc(p->mem, sizeof(*ret));

	if (!ret) {
		p->why->text[0] = '\0';
		p->failed = true;
		return NULL;
	}
	*ret = c;
	return ret;
}

static const struct constraint *parse_or(struct parser *p);

static const struct constraint *parse_atom(struct parser *p)
{
	if (span_eq(p->tok, S("("))) {
		size_t at = p->pos;
		const struct constraint *x = parse_or(p);
		if (p->failed) {
			if (p->ended)
				snprintf(p->why->text, sizeof(p->why->text), "missing close paren");
			return NULL;
		}
		if (!span_eq(p->tok, S(")")))
			return fail(p, at, "missing close paren");
		lex(p);
		return p->failed ? NULL : x;
	}
	if (!p->tag && !p->tok.n) {
		p->ended = true;
		return fail(p, p->pos, "unexpected end of expression");
	}
	if (!p->tag)
		return fail(p, p->pos, "unexpected token %.*s", (int)(p->tok.n < 80 ? p->tok.n : 80),
			    p->tok.p);
	struct span tag = p->tok;
	lex(p);
	return p->failed ? NULL : node(p, (struct constraint){ .op = CONSTRAINT_TAG, .tag = tag });
}

static const struct constraint *parse_not(struct parser *p)
{
	if (++p->size > CONSTRAINT_TERMS)
		return fail(p, p->pos, "build expression too large");
	lex(p);
	if (p->failed || !span_eq(p->tok, S("!")))
		return p->failed ? NULL : parse_atom(p);
	lex(p);
	if (!p->failed && span_eq(p->tok, S("!")))
		return fail(p, p->pos, "double negation not allowed");
	const struct constraint *x = p->failed ? NULL : parse_atom(p);
	return x ? node(p, (struct constraint){ .op = CONSTRAINT_NOT, .x = x }) : NULL;
}

static const struct constraint *parse_and(struct parser *p)
{
	const struct constraint *x = parse_not(p);

	while (x && span_eq(p->tok, S("&&"))) {
		const struct constraint *y = parse_not(p);
		x = y ? node(p, (struct constraint){ .op = CONSTRAINT_AND, .x = x, .y = y }) : NULL;
	}
	return x;
}

static const struct constraint *parse_or(struct parser *p)
{
	const struct constraint *x = parse_and(p);

	while (x && span_eq(p->tok, S("||"))) {
		const struct constraint *y = parse_and(p);
		x = y ? node(p, (struct constraint){ .op = CONSTRAINT_OR, .x = x, .y = y }) : NULL;
	}
	return x;
}

const struct constraint *constraint_parse(struct span text, struct arena *mem, struct constraint_error *why)
{
	struct constraint_error mine;
	struct parser p = { .text = text, .mem = mem, .why = why ? why : &mine };

	*p.why = (struct constraint_error){ 0 };
	const struct constraint *x = parse_or(&p);
	if (x && p.tok.n)
		return fail(&p, p.pos, "unexpected token %.*s", (int)(p.tok.n < 80 ? p.tok.n : 80), p.tok.p);
	return x;
}

/* ---- the old form: lines are ANDed, words of a line ORed, commas AND, ! negates ---- */

static const struct constraint *old_term(struct parser *p, struct span word)
{
	struct span ignore = S("ignore");
	bool negated = false;

	if (span_starts(word, S("!!")) || span_eq(word, S("!")))
		return node(p, (struct constraint){ .op = CONSTRAINT_TAG, .tag = ignore, .bad = true });
	negated = span_skip(&word, S("!"));
	bool good = word.n && tag_length(word) == word.n;
	const struct constraint *x = node(
		p, (struct constraint){ .op = CONSTRAINT_TAG, .tag = good ? word : ignore, .bad = !good });
	return x && negated ? node(p, (struct constraint){ .op = CONSTRAINT_NOT, .x = x }) : x;
}

static const struct constraint *joined(struct parser *p, enum constraint_op op, const struct constraint *x,
				       const struct constraint *y)
{
	if (!x || !y)
		return x ? x : y;
	if (++p->size > CONSTRAINT_OLD_TERMS)
		return fail(p, 0, "expression too complex for // +build lines");
	return node(p, (struct constraint){ .op = op, .x = x, .y = y });
}

static struct span next_word(struct span *rest)
{
	*rest = trim(*rest);
	size_t n = 0;
	while (n < rest->n && (!strchr(" \t\n\v\f\r", rest->p[n]) || !rest->p[n]))
		n++;
	struct span word = span_head(*rest, n);
	*rest = span_from(*rest, n);
	return word;
}

const struct constraint *constraint_parse_old(struct span text, struct arena *mem,
					      struct constraint_error *why)
{
	struct constraint_error mine;
	struct parser p = { .text = text, .mem = mem, .why = why ? why : &mine };
	const struct constraint *x = NULL;

	*p.why = (struct constraint_error){ 0 };
	for (struct span word; (word = next_word(&text)).n && !p.failed;) {
		const struct constraint *y = NULL;
		bool more = true;
		while (more && !p.failed) {
			more = span_chr(word, ',') != SPAN_NONE;
			y = joined(&p, CONSTRAINT_AND, y, old_term(&p, span_cut(&word, ',')));
		}
		x = joined(&p, CONSTRAINT_OR, x, y);
	}
	if (p.failed)
		return NULL;
	return x ? x : old_term(&p, S("!"));
}

/* ---- what comes of it ---- */

/* Chains lean to the left: that side is walked in a loop, so that depth is bounded by the parentheses alone. */
bool constraint_holds(const struct constraint *c, constraint_is_fn *is, void *ctx)
{
	switch (c->op) {
	case CONSTRAINT_TAG: return is(ctx, c->tag);
	case CONSTRAINT_NOT: return !constraint_holds(c->x, is, ctx);
	case CONSTRAINT_AND: return constraint_holds(c->x, is, ctx) && constraint_holds(c->y, is, ctx);
	case CONSTRAINT_OR: return constraint_holds(c->x, is, ctx) || constraint_holds(c->y, is, ctx);
	}
	return false;
}

const struct constraint *constraint_decider(const struct constraint *c, constraint_is_fn *is, void *ctx)
{
	while (c->op == CONSTRAINT_AND || c->op == CONSTRAINT_OR) {
		/* One part alone can make an AND false, or an OR true. */
		bool wanted = c->op == CONSTRAINT_OR;
		if (constraint_holds(c->x, is, ctx) == wanted)
			c = c->x;
		else if (constraint_holds(c->y, is, ctx) == wanted)
			c = c->y;
		else
			break;
	}
	return c;
}

static void write_part(const struct constraint *c, enum constraint_op in, struct buf *ret)
{
	bool parens = (c->op == CONSTRAINT_OR && in == CONSTRAINT_AND) ||
		      (c->op == CONSTRAINT_AND && in == CONSTRAINT_OR) ||
		      ((c->op == CONSTRAINT_OR || c->op == CONSTRAINT_AND) && in == CONSTRAINT_NOT);

	buf_adds(ret, parens ? "(" : "");
	constraint_write(c, ret);
	buf_adds(ret, parens ? ")" : "");
}

void constraint_write(const struct constraint *c, struct buf *ret)
{
	switch (c->op) {
	case CONSTRAINT_TAG: buf_span(ret, c->tag); break;
	case CONSTRAINT_NOT:
		buf_addc(ret, '!');
		write_part(c->x, c->op, ret);
		break;
	case CONSTRAINT_AND:
	case CONSTRAINT_OR:
		write_part(c->x, c->op, ret);
		buf_adds(ret, c->op == CONSTRAINT_AND ? " && " : " || ");
		write_part(c->y, c->op, ret);
		break;
	}
}

bool constraint_tags(const struct constraint *c, constraint_tag_fn *fn, void *ctx)
{
	if (c->op == CONSTRAINT_TAG)
		return fn(ctx, c);
	return constraint_tags(c->x, fn, ctx) && (!c->y || constraint_tags(c->y, fn, ctx));
}

/* ---- names of files ---- */

const struct go_platform_name go_oses[] = {
	{ "aix", 0, true },      { "android", 0, true }, { "darwin", 0, true },  { "dragonfly", 0, true },
	{ "freebsd", 0, true },  { "hurd", 0, true },    { "illumos", 0, true }, { "ios", 0, true },
	{ "js", 0, false },      { "linux", 0, true },   { "nacl", 0, false },   { "netbsd", 0, true },
	{ "openbsd", 0, true },  { "plan9", 0, false },  { "solaris", 0, true }, { "wasip1", 21, false },
	{ "windows", 0, false }, { "zos", 0, false },
};
const size_t go_oses_n = ARRAY_LEN(go_oses);

const struct go_platform_name go_arches[] = {
	{ "386", 0, false },       { "amd64", 0, false },       { "amd64p32", 0, false },
	{ "arm", 0, false },       { "armbe", 0, false },       { "arm64", 0, false },
	{ "arm64be", 0, false },   { "loong64", 0, false },     { "mips", 0, false },
	{ "mipsle", 0, false },    { "mips64", 0, false },      { "mips64le", 0, false },
	{ "mips64p32", 0, false }, { "mips64p32le", 0, false }, { "ppc", 0, false },
	{ "ppc64", 0, false },     { "ppc64le", 0, false },     { "riscv", 0, false },
	{ "riscv64", 0, false },   { "s390", 0, false },        { "s390x", 0, false },
	{ "sparc", 0, false },     { "sparc64", 0, false },     { "wasm", 0, false },
};
const size_t go_arches_n = ARRAY_LEN(go_arches);

static const struct go_platform_name *known(const struct go_platform_name *v, size_t n, struct span name,
					    int go)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].name[0] == (name.n ? name.p[0] : '\0') && span_eq(span_of(v[i].name), name))
			return v[i].since <= go ? &v[i] : NULL;
	return NULL;
}

bool go_os_known(struct span name, int go)
{
	return known(go_oses, go_oses_n, name, go);
}

bool go_arch_known(struct span name, int go)
{
	return known(go_arches, go_arches_n, name, go);
}

bool go_os_unix(struct span name)
{
	const struct go_platform_name *os = known(go_oses, go_oses_n, name, INT32_MAX);

	return os && os->unix_;
}

/* The last part behind '_', which is taken off; absent: there is no '_' any more. */
static struct span last_part(struct span *s)
{
	size_t at = span_rchr(*s, '_');
	struct span ret = { 0 };

	if (at != SPAN_NONE) {
		ret = span_from(*s, at + 1);
		*s = span_head(*s, at);
	}
	return ret;
}

struct goname goname_read(struct span name, int go)
{
	struct goname ret = { 0 };
	struct span rest = span_head(name, span_chr(name, '.'));
	struct span last = last_part(&rest);

	if (last.p && span_eq(last, S("test")))
		last = last_part(&rest);
	if (!last.p)
		return ret;
	if (go_arch_known(last, go)) {
		struct span os = last_part(&rest);
		ret.arch = last;
		if (os.p && go_os_known(os, go))
			ret.os = os;
	} else if (go_os_known(last, go)) {
		ret.os = last;
	}
	return ret;
}
