#include "parse/gohead.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "parse/unicode.h"

static const struct span mark_of_order = { "\xef\xbb\xbf", 3 }; /* U+FEFF, which may stand before all */

static int line_at(struct span text, size_t at)
{
	int line = 1;

	for (const char *p = text.p, *end = text.p + (at < text.n ? at : text.n);
	     p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		line++;
	return line;
}

static int column_at(struct span text, size_t at)
{
	struct span before = span_head(text, at);
	size_t nl = span_rchr(before, '\n');

	return (int)(nl == SPAN_NONE ? before.n : before.n - nl - 1) + 1;
}

/* ---- how far the head goes: go looks for it in a rough way first, and gives to its parser what it has found ---- */

struct reader {
	struct span t;
	size_t at;
	bool syntax, ended;
};

static bool is_ident(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c >= 0x80;
}

static int peek(struct reader *r)
{
	if (r->at < r->t.n)
		return (unsigned char)r->t.p[r->at];
	r->ended = true;
	return -1;
}

/* Behind the comment that begins here. */
static void skip_comment(struct reader *r)
{
	struct span rest = span_from(r->t, r->at);

	if (span_starts(rest, S("//"))) {
		size_t nl = span_chr(rest, '\n');
		r->at = nl == SPAN_NONE ? r->t.n : r->at + nl + 1;
	} else if (span_starts(rest, S("/*"))) {
		size_t end = span_find(span_from(rest, 2), S("*/"));
		r->syntax |= end == SPAN_NONE;
		r->at = end == SPAN_NONE ? r->t.n : r->at + end + 4;
	} else {
		r->syntax = true;
	}
	r->ended |= r->at >= r->t.n || rest.n < 2;
}

/* Semicolons count as blanks here. */
static int skip(struct reader *r)
{
	int c;

	while (!r->syntax && (c = peek(r)) >= 0) {
		if (c == '/')
			skip_comment(r);
		else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == ';')
			r->at++;
		else
			return c;
	}
	return -1;
}

static void read_keyword(struct reader *r, struct span word)
{
	skip(r);
	if (r->syntax)
		return;
	struct span rest = span_from(r->t, r->at);
	r->ended |= rest.n <= word.n;
	if (!span_starts(rest, word) || (rest.n > word.n && is_ident((unsigned char)rest.p[word.n])))
		r->syntax = true;
	else
		r->at += word.n;
}

static void read_ident(struct reader *r)
{
	int c = skip(r);

	r->syntax |= c < 0 || !is_ident((unsigned char)c);
	while (!r->syntax && (c = peek(r)) >= 0 && is_ident((unsigned char)c))
		r->at++;
}

static void read_string(struct reader *r)
{
	int quote = skip(r), c;

	if (quote != '"' && quote != '`') {
		r->syntax = true;
		return;
	}
	r->at++;
	while ((c = peek(r)) >= 0 && c != quote && !(quote == '"' && c == '\n'))
		r->at += quote == '"' && c == '\\' && r->at + 1 < r->t.n ? 2 : 1;
	r->syntax |= c != quote;
	r->at += c == quote;
}

static void read_import(struct reader *r)
{
	int c = skip(r);

	if (c == '.')
		r->at++;
	else if (c >= 0 && is_ident((unsigned char)c))
		read_ident(r);
	if (!r->syntax)
		read_string(r);
}

static void read_imports(struct reader *r)
{
	read_keyword(r, S("package"));
	if (!r->syntax)
		read_ident(r);
	while (!r->syntax && skip(r) == 'i') {
		read_keyword(r, S("import"));
		if (r->syntax || skip(r) != '(') {
			if (!r->syntax)
				read_import(r);
			continue;
		}
		r->at++;
		while (!r->syntax && skip(r) != ')')
			read_import(r);
		r->at += !r->syntax;
	}
}

/* ---- build lines ---- */

struct head {
	struct span text; /* without the mark of order */
	struct arena *mem;
	struct gohead *ret;
	bool no_memory;
};

__attribute__((format(printf, 4, 5))) static void fault(struct head *h, enum gohead_fault what, size_t at,
							const char *fmt, ...)
{
	char text[240];
	va_list ap;

	if (h->ret->fault)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	h->ret->fault = what;
	h->ret->fault_line = line_at(h->text, at);
	h->ret->fault_column = column_at(h->text, at);
	h->ret->fault_text = arena_str(h->mem, span_of(text));
	h->no_memory |= !h->ret->fault_text;
}

static struct span trim(struct span s)
{
	while (s.n && (s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r')))
		s = span_from(s, 1);
	while (s.n && (s.p[s.n - 1] == ' ' || (s.p[s.n - 1] >= '\t' && s.p[s.n - 1] <= '\r')))
		s.n--;
	return s;
}

static void take_build(struct head *h, struct span line, struct span expr)
{
	struct gohead_line *b = &h->ret->build;
	size_t at = (size_t)(line.p - h->text.p);
	struct constraint_error why;

	if (b->text.p) {
		fault(h, GOHEAD_MULTIPLE, at, "multiple //go:build comments");
		return;
	}
	b->text = arena_span(h->mem, expr.p ? expr : S(""));
	b->line = line_at(h->text, at);
	b->column = column_at(h->text, at);
	h->no_memory |= !b->text.p;
	if (h->no_memory)
		return;
	b->expr = constraint_parse(b->text, h->mem, &why);
	h->no_memory |= !b->expr && !why.text[0];
	/* A second such line is a worse fault, and go sees it first: this one is said at the end. */
	if (!b->expr) {
		const char *text = arena_printf(h->mem, "parsing //go:build line: %s", why.text);
		h->no_memory |= !text;
		h->ret->fault_text = text;
	}
}

/* One line of the head, blanks around it taken off. False: code begins. */
static bool build_line(struct head *h, struct span line, bool *in_comment)
{
	struct span expr = *in_comment ? (struct span){ 0 } : constraint_of_line(line);

	if (expr.p)
		take_build(h, line, expr);
	while (line.n) {
		if (*in_comment) {
			size_t end = span_find(line, S("*/"));
			if (end == SPAN_NONE)
				return true;
			*in_comment = false;
			line = trim(span_from(line, end + 2));
		} else if (span_starts(line, S("//"))) {
			return true;
		} else if (span_starts(line, S("/*"))) {
			*in_comment = true;
			line = trim(span_from(line, 2));
		} else {
			return false;
		}
	}
	return true;
}

static void take_old(struct head *h, struct span top)
{
	struct span rest = top;
	size_t cap = 0;

	while (rest.n && !h->no_memory) {
		struct span line = trim(span_cut(&rest, '\n')), expr = constraint_of_old_line(line);
		if (!expr.p)
			continue;
		if (h->ret->n_old == cap) {
			size_t more = cap ? cap * 2 : 2;
			struct gohead_line *v = arena_alloc(h->mem, more * sizeof(*v));
			if (v && cap)
				memcpy(v, h->ret->old, cap * sizeof(*v));
			h->ret->old = v;
			cap = more;
		}
		expr = arena_span(h->mem, expr);
		h->no_memory |= !expr.p || !h->ret->old;
		if (h->no_memory)
			return;
		size_t at = (size_t)(line.p - h->text.p);
		struct constraint_error why;
		const struct constraint *x = constraint_parse_old(expr, h->mem, &why);
		h->no_memory |= !x && !why.text[0];
		h->ret->old[h->ret->n_old++] = (struct gohead_line){ .text = expr,
								     .line = line_at(h->text, at),
								     .column = column_at(h->text, at),
								     .expr = x };
	}
}

static void read_build_lines(struct head *h, struct span head)
{
	struct span rest = head;
	bool ended = false, in_comment = false;
	size_t top = 0; /* +build lines count above here: the last blank line before anything else */

	while (rest.n && !h->no_memory) {
		struct span line = trim(span_cut(&rest, '\n'));
		if (!line.n && !ended) {
			top = head.n - rest.n;
			continue;
		}
		ended |= !span_starts(line, S("//"));
		if (!build_line(h, line, &in_comment))
			break;
	}
	struct gohead *g = h->ret;
	if (g->build.text.p && !g->build.expr && !g->fault) {
		g->fault = GOHEAD_CONSTRAINT;
		g->fault_line = g->build.line;
		g->fault_column = g->build.column;
	}
	if (!g->build.text.p)
		take_old(h, span_head(head, top));
}

/* ---- the package clause and the imports, as Go's parser takes them ---- */

enum token {
	T_EOF,
	T_IDENT,
	T_KEYWORD,
	T_PACKAGE,
	T_IMPORT,
	T_STRING,
	T_LITERAL,
	T_DOT,
	T_COMMA,
	T_OPEN,
	T_CLOSE,
	T_SEMI,
	T_NEWLINE,
	T_OTHER
};

struct parser {
	struct head *h;
	struct span text; /* the head alone */
	size_t at;
	bool semi; /* a newline here is a semicolon */
	enum token tok;
	struct span lit;
	size_t pos; /* of the token */
	int line;   /* of `at` */
	int tok_line;
	/* The comments that stand directly above the token, if any. */
	size_t doc, doc_end; /* doc_end 0: none */
	int doc_last_line;
	bool failed, package;
};

static void parse_fault(struct parser *p, size_t at, const char *what)
{
	if (!p->failed)
		fault(p->h, GOHEAD_SYNTAX, at, "%s", what);
	p->failed = true;
}

static int byte(const struct parser *p, size_t at)
{
	return at < p->text.n ? (unsigned char)p->text.p[at] : -1;
}

/* Bytes that no Go source may have, in comments and strings too. */
static void check_bytes(struct parser *p, size_t from, size_t to)
{
	for (size_t at = from; at < to && !p->failed;) {
		unsigned char c = (unsigned char)p->text.p[at];
		uint32_t cp = c;
		size_t n = 1;
		if (!c)
			parse_fault(p, at, "illegal character NUL");
		if (c >= 0x80)
			n = utf8_decode(span_from(p->text, at), &cp);
		if (cp == UTF8_BAD)
			parse_fault(p, at, "illegal UTF-8 encoding");
		if (cp == 0xfeff && at)
			parse_fault(p, at, "illegal byte order mark");
		at += n;
	}
}

static void note_comment(struct parser *p, size_t begin, int first_line)
{
	struct span text = span_head(span_from(p->text, begin), p->at - begin);
	int prev = p->tok_line;

	if (p->h->ret->package.p == NULL && span_starts(text, S("// Code generated ")) &&
	    span_ends(span_trim(text), S(" DO NOT EDIT.")))
		p->h->ret->generated = true;
	/* On the line of the token before: not above anything. */
	if (first_line == prev && prev) {
		p->doc_end = 0;
		return;
	}
	if (!p->doc_end || first_line > p->doc_last_line + 1)
		p->doc = begin;
	p->doc_end = p->at;
	p->doc_last_line = p->line;
}

static void comment(struct parser *p)
{
	size_t begin = p->at;
	int first_line = p->line;

	if (byte(p, p->at + 1) == '/') {
		size_t nl = span_chr(span_from(p->text, p->at), '\n');
		p->at = nl == SPAN_NONE ? p->text.n : p->at + nl;
	} else {
		size_t end = span_find(span_from(p->text, p->at + 2), S("*/"));
		if (end == SPAN_NONE) {
			parse_fault(p, begin, "comment not terminated");
			p->at = p->text.n;
			return;
		}
		p->at += end + 4;
		for (size_t i = begin; i < p->at; i++)
			p->line += p->text.p[i] == '\n';
	}
	check_bytes(p, begin, p->at);
	note_comment(p, begin, first_line);
}

/* Does the comment that begins here end the line? */
static bool ends_line(const struct parser *p)
{
	size_t at = p->at;

	while (byte(p, at) == '/' && (byte(p, at + 1) == '/' || byte(p, at + 1) == '*')) {
		struct span rest = span_from(p->text, at);
		size_t end = span_find(span_from(rest, 2), S("*/"));
		if (rest.p[1] == '/' || end == SPAN_NONE ||
		    span_chr(span_head(rest, end + 4), '\n') != SPAN_NONE)
			return true;
		at += end + 4;
		while (byte(p, at) == ' ' || byte(p, at) == '\t' || byte(p, at) == '\r')
			at++;
	}
	return at >= p->text.n || byte(p, at) == '\n';
}

static enum token word_token(struct span w)
{
	static const char *const keywords[] = { "break",   "case",  "chan",   "const",       "continue",
						"default", "defer", "else",   "fallthrough", "for",
						"func",    "go",    "goto",   "if",          "interface",
						"map",     "range", "return", "select",      "struct",
						"switch",  "type",  "var",    NULL };

	if (span_eq(w, S("package")))
		return T_PACKAGE;
	if (span_eq(w, S("import")))
		return T_IMPORT;
	for (size_t i = 0; keywords[i]; i++)
		if (span_eq(w, span_of(keywords[i])))
			return T_KEYWORD;
	return T_IDENT;
}

static void word(struct parser *p)
{
	size_t begin = p->at;

	while (p->at < p->text.n) {
		uint32_t cp;
		size_t n = utf8_decode(span_from(p->text, p->at), &cp);
		if (cp >= 0x80 ? cp == UTF8_BAD || !(unicode_letter(cp) || constraint_digit(cp))
			       : !is_ident((unsigned char)cp))
			break;
		p->at += n;
	}
	p->lit = span_head(span_from(p->text, begin), p->at - begin);
	p->tok = word_token(p->lit);
	p->semi = p->tok == T_IDENT || span_eq(p->lit, S("break")) || span_eq(p->lit, S("continue")) ||
		  span_eq(p->lit, S("fallthrough")) || span_eq(p->lit, S("return"));
}

/* The length of an escape behind its backslash; 0: there is no such. */
static size_t escape(struct span s, uint32_t *cp)
{
	static const char names[] = "abfnrtv\\\"", codes[] = "\a\b\f\n\r\t\v\\\"";
	size_t n = 0, want = 0;
	unsigned base = 16;
	const char *at = s.n && s.p[0] ? strchr(names, s.p[0]) : NULL;

	if (at) {
		*cp = (unsigned char)codes[at - names];
		return 1;
	}
	if (!s.n)
		return 0;
	want = s.p[0] == 'x' ? 2 : s.p[0] == 'u' ? 4 : s.p[0] == 'U' ? 8 : 0;
	size_t skip_letter = want ? 1 : 0;
	if (!want && s.p[0] >= '0' && s.p[0] <= '7') {
		want = 3;
		base = 8;
	}
	uint32_t v = 0;
	for (n = 0; n < want; n++) {
		int d = skip_letter + n < s.n ? hex_digit((unsigned char)s.p[skip_letter + n]) : -1;
		if (d < 0 || (unsigned)d >= base)
			return 0;
		v = v * base + (unsigned)d;
	}
	bool wide = want > 3;
	if (!want || (wide ? v > 0x10ffff || (v >= 0xd800 && v < 0xe000) : v > 255))
		return 0;
	*cp = v;
	return want + skip_letter;
}

static void string(struct parser *p)
{
	size_t begin = p->at;
	int quote = byte(p, p->at++), c;

	while ((c = byte(p, p->at)) >= 0 && c != quote && !(quote == '"' && c == '\n')) {
		uint32_t cp;
		size_t n = 1;
		if (c == '\n')
			p->line++;
		if (c == '\\' && quote == '"') {
			n = 1 + escape(span_from(p->text, p->at + 1), &cp);
			if (n == 1)
				parse_fault(p, p->at, "unknown escape sequence");
		}
		p->at += n;
	}
	if (c != quote)
		parse_fault(p, begin,
			    quote == '`' ? "raw string literal not terminated"
					 : "string literal not terminated");
	else
		p->at++;
	check_bytes(p, begin, p->at);
	p->tok = T_STRING;
	p->lit = span_head(span_from(p->text, begin), p->at - begin);
	p->semi = true;
}

static void other(struct parser *p, int c)
{
	static const struct {
		char c;
		enum token tok;
		bool semi;
	} singles[] = { { '(', T_OPEN, false },  { ')', T_CLOSE, true }, { '.', T_DOT, false },
			{ ',', T_COMMA, false }, { ';', T_SEMI, false }, { ']', T_OTHER, true },
			{ '}', T_OTHER, true } };
	uint32_t cp;
	size_t n = utf8_decode(span_from(p->text, p->at), &cp);

	p->lit = span_head(span_from(p->text, p->at), n);
	p->tok = (c >= '0' && c <= '9') || c == '\'' ? T_LITERAL : T_OTHER;
	p->semi = p->tok == T_LITERAL;
	for (size_t i = 0; i < ARRAY_LEN(singles); i++) {
		if (singles[i].c == c) {
			p->tok = singles[i].tok;
			p->semi = singles[i].semi;
		}
	}
	if (cp == UTF8_BAD || c == 0 || cp == 0xfeff)
		check_bytes(p, p->at, p->at + n);
	else if (c >= 0x80 || c == '#' || c == '$' || c == '?' || c == '@' || c == '\\' || c < ' ' ||
		 c == 0x7f)
		parse_fault(p, p->at, c == '#' ? "illegal character U+0023 '#'" : "illegal character");
	p->at += n;
}

static void next(struct parser *p)
{
	int c;

	p->doc_end = 0;
	for (;;) {
		c = byte(p, p->at);
		bool is_comment = c == '/' && (byte(p, p->at + 1) == '/' || byte(p, p->at + 1) == '*');
		if (p->semi && (c < 0 || c == '\n' || (is_comment && ends_line(p)))) {
			p->semi = false;
			p->pos = p->at;
			p->tok_line = p->line;
			p->lit = S("\n");
			p->tok = T_NEWLINE;
			return;
		}
		if (is_comment) {
			comment(p);
			if (p->failed)
				break;
		} else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			p->line += c == '\n';
			p->at++;
		} else {
			break;
		}
	}
	p->pos = p->at;
	if (p->doc_end && p->doc_last_line + 1 != p->line)
		p->doc_end = 0;
	p->tok_line = p->line;
	if (c < 0 || p->failed) {
		p->tok = T_EOF;
		p->lit = S("EOF");
	} else if (c == '"' || c == '`') {
		string(p);
	} else if (is_ident((unsigned char)c) && !(c >= '0' && c <= '9')) {
		size_t before = p->at;
		word(p);
		if (p->at == before)
			other(p, c);
	} else {
		other(p, c);
	}
}

static void expected(struct parser *p, const char *what)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	bool literal = p->tok == T_IDENT || p->tok == T_STRING || p->tok == T_LITERAL;

	buf_addf(&text, "expected %s, found ", what);
	if (p->tok == T_NEWLINE)
		buf_adds(&text, "newline");
	else
		buf_addf(&text, literal ? "%.*s" : "'%.*s'", (int)(p->lit.n < 80 ? p->lit.n : 80), p->lit.p);
	p->h->no_memory |= text.bad;
	parse_fault(p, p->pos, buf_str(&text));
}

static void expect_semi(struct parser *p)
{
	if (p->tok == T_SEMI || p->tok == T_NEWLINE)
		next(p);
	else if (p->tok == T_COMMA)
		parse_fault(p, p->pos, "expected ';', found ','");
	else if (p->tok != T_CLOSE && !(p->tok == T_OTHER && span_eq(p->lit, S("}"))))
		expected(p, "';'");
}

/* The value of a literal that was checked. */
static struct span unquote(struct span lit, struct arena *mem)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span s = span_head(span_from(lit, 1), lit.n - 2);

	for (size_t at = 0; at < s.n;) {
		uint32_t cp = (unsigned char)s.p[at];
		size_t n = 1;
		if (lit.p[0] == '`') {
			if (s.p[at] != '\r')
				buf_addc(&b, s.p[at]);
		} else if (s.p[at] == '\\') {
			n = 1 + escape(span_from(s, at + 1), &cp);
			char out[4];
			if (s.p[at + 1] == 'u' || s.p[at + 1] == 'U')
				buf_add(&b, out, utf8_encode(cp, out));
			else
				buf_addc(&b, (char)cp);
		} else {
			buf_addc(&b, s.p[at]);
		}
		at += n;
	}
	return b.bad ? (struct span){ 0 } : arena_span(mem, b.len ? buf_view(&b) : S(""));
}

static bool import_path_can_be(struct span s)
{
	for (size_t at = 0; at < s.n;) {
		uint32_t cp;
		at += utf8_decode(span_from(s, at), &cp);
		if (cp == UTF8_BAD || cp == 0xfffd ||
		    (cp < 0x80 ? cp <= ' ' || cp == 0x7f || strchr("!\"#$%&'()*,:;<=>?[\\]^{|}`", (int)cp)
			       : !unicode_print(cp)))
			return false;
	}
	return s.n > 0;
}

/* ---- imports ---- */

static bool room(struct head *h, void *list, size_t n, size_t element)
{
	void **v = list;

	if (n & (n - 1) && n) /* it doubles: full only where n is a power of two */
		return true;
	if (n > 0 && n < 4)
		return true;
	void *more = arena_alloc(h->mem, (n ? n * 2 : 4) * element);
	if (!more) {
		h->no_memory = true;
		return false;
	}
	if (n)
		memcpy(more, *v, n * element);
	*v = more;
	return true;
}

/* Every line of a comment group that begins with #cgo, without the comment's marks. */
static void cgo_lines(struct head *h, struct span doc, size_t doc_at)
{
	struct span rest = doc;
	bool in_block = false;

	while (rest.n && !h->no_memory) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		if (!in_block && span_skip(&line, S("//"))) {
			line = span_trim(line);
		} else {
			in_block |= span_skip(&line, S("/*"));
			size_t end = span_find(line, S("*/"));
			in_block = in_block && end == SPAN_NONE;
			line = span_trim(span_head(line, end));
		}
		if (line.n < 5 || !span_starts(line, S("#cgo")) || (line.p[4] != ' ' && line.p[4] != '\t') ||
		    !room(h, &h->ret->cgo, h->ret->n_cgo, sizeof(*h->ret->cgo)))
			continue;
		size_t at = doc_at + (size_t)(line.p - doc.p);
		struct span text = arena_span(h->mem, line);
		h->no_memory |= !text.p;
		h->ret->cgo[h->ret->n_cgo++] = (struct gohead_line){ .text = text,
								     .line = line_at(h->text, at),
								     .column = column_at(h->text, at) };
	}
}

struct doc {
	size_t at, end; /* end 0: none */
};

static void import_spec(struct parser *p, struct doc *doc)
{
	struct gohead *g = p->h->ret;
	struct gohead_import i = { .line = p->tok_line };
	size_t pos = p->pos;

	if (p->doc_end)
		*doc = (struct doc){ p->doc, p->doc_end };
	if (p->tok == T_IDENT || p->tok == T_DOT) {
		i.name = p->lit;
		next(p);
	}
	if (p->tok != T_STRING) {
		parse_fault(p, p->pos,
			    p->tok == T_LITERAL || p->tok == T_IDENT ? "import path must be a string"
								     : "missing import path");
		return;
	}
	if (p->failed)
		return;
	i.path = unquote(p->lit, p->h->mem);
	if (i.name.p)
		i.name = arena_span(p->h->mem, i.name);
	i.column = column_at(p->text, pos);
	p->h->no_memory |= !i.path.p;
	if (!import_path_can_be(i.path)) {
		/* Said behind all errors of the syntax: go looks at the paths afterwards. */
		if (!g->fault_text)
			g->fault_text = arena_printf(p->h->mem, "invalid import path: %.*s",
						     (int)(i.path.n < 200 ? i.path.n : 200), i.path.p);
		g->fault_line = g->fault_line ? g->fault_line : i.line;
		g->fault_column = g->fault_column ? g->fault_column : i.column;
	}
	next(p);
	expect_semi(p);
	if (p->failed || p->h->no_memory || !room(p->h, &g->imports, g->n_imports, sizeof(*g->imports)))
		return;
	g->imports[g->n_imports++] = i;
	g->embed |= span_eq(i.path, S("embed"));
	if (span_eq(i.path, S("C")) && !g->cgo_line)
		g->cgo_line = i.line;
}

static void import_decl(struct parser *p)
{
	struct doc above = { p->doc, p->doc_end }, own = { 0 };
	struct gohead *g = p->h->ret;
	size_t first = g->n_imports, n = 0;

	next(p);
	if (p->tok != T_OPEN) {
		/* Its own comment would stand between the word and the path. */
		import_spec(p, &own);
		n = 1;
	} else {
		next(p);
		while (p->tok != T_CLOSE && p->tok != T_EOF && !p->failed) {
			struct doc mine = { 0 };
			size_t at = g->n_imports;
			import_spec(p, &mine);
			n++;
			if (g->n_imports > at && span_eq(g->imports[at].path, S("C")) && mine.end)
				cgo_lines(p->h, span_head(span_from(p->text, mine.at), mine.end - mine.at),
					  mine.at);
			own = mine;
		}
		if (p->failed)
			return;
		if (p->tok != T_CLOSE) {
			expected(p, "')'");
			return;
		}
		next(p);
		expect_semi(p);
		if (own.end && n == 1)
			return; /* done above */
	}
	struct doc doc = own.end ? own : above;
	if (n == 1 && doc.end && !p->failed && g->n_imports > first &&
	    span_eq(g->imports[first].path, S("C")))
		cgo_lines(p->h, span_head(span_from(p->text, doc.at), doc.end - doc.at), doc.at);
}

static void parse_head(struct head *h, struct span head)
{
	struct parser p = { .h = h, .text = head, .line = 1 };
	struct gohead *g = h->ret;

	next(&p);
	if (p.tok != T_PACKAGE && !p.failed)
		expected(&p, "'package'");
	if (!p.failed) {
		g->package_line = p.tok_line;
		next(&p);
		if (p.tok != T_IDENT && !p.failed)
			expected(&p, "'IDENT'");
	}
	if (p.failed)
		return;
	struct span name = arena_span(h->mem, p.lit);
	h->no_memory |= !name.p;
	next(&p);
	expect_semi(&p);
	if (p.failed)
		return;
	g->package = name;
	while (p.tok == T_IMPORT && !p.failed && !h->no_memory)
		import_decl(&p);
	if (g->fault_text && !g->fault)
		g->fault = GOHEAD_IMPORT;
	if (g->fault) {
		g->n_imports = g->n_cgo = 0;
		g->cgo_line = 0;
		g->embed = false;
	}
}

/* ---- comments that look like directives ---- */

static bool like(struct span s, const char *word)
{
	size_t n = strlen(word);

	if (s.n < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 32 : s.p[i]) != word[i])
			return false;
	return true;
}

static bool is_mark(struct span text)
{
	static const char *const words[] = { "go:",     "go :", "+build", "export ", "line ",
					     "extern ", "sys ", "sysnb ", "cgo_" };

	text = span_trim(span_from(text, 2));
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (like(text, words[i]))
			return true;
	return false;
}

/* Behind a string or rune that begins at `at`. */
static size_t behind_literal(struct span t, size_t at, int *line)
{
	char quote = t.p[at++];

	if (quote == '`') {
		size_t end = span_chr(span_from(t, at), '`');
		size_t to = end == SPAN_NONE ? t.n : at + end + 1;
		for (; at < to; at++)
			*line += t.p[at] == '\n';
		return to;
	}
	while (at < t.n && t.p[at] != quote && t.p[at] != '\n')
		at += t.p[at] == '\\' && at + 1 < t.n && t.p[at + 1] != '\n' ? 2 : 1;
	return at < t.n && t.p[at] == quote ? at + 1 : at;
}

static bool comment_mark(struct gomarks *m, struct gomark *ret)
{
	struct span t = m->text, rest = span_from(t, m->at);
	bool block = rest.p[1] == '*', alone = !m->code;
	size_t begin = m->at, end = block ? span_find(span_from(rest, 2), S("*/")) : span_chr(rest, '\n');
	int line = m->line;
	size_t line_at_ = m->line_at;

	m->at = end == SPAN_NONE ? t.n : begin + end + (block ? 4 : 0);
	for (size_t i = begin; block && i < m->at; i++) {
		if (t.p[i] == '\n') {
			m->line++;
			m->line_at = i + 1;
			m->code = false;
		}
	}
	struct span text = span_head(rest, m->at - begin);
	text = span_head(text, span_chr(text, '\n'));
	if (text.n && text.p[text.n - 1] == '\r')
		text.n--;
	if (!is_mark(text))
		return false;
	*ret = (struct gomark){ .text = text,
				.line = line,
				.column = (int)(begin - line_at_) + 1,
				.alone = alone,
				.before_package = !m->package };
	return true;
}

bool gomarks_next(struct gomarks *m, struct gomark *ret)
{
	struct span t = m->text;

	if (!m->line)
		m->line = 1;
	while (m->at < t.n) {
		char c = t.p[m->at];
		if (c == '/' && m->at + 1 < t.n && (t.p[m->at + 1] == '/' || t.p[m->at + 1] == '*')) {
			if (comment_mark(m, ret))
				return true;
		} else if (c == '\n') {
			m->line++;
			m->line_at = ++m->at;
			m->code = false;
		} else if (c == '"' || c == '`' || c == '\'') {
			int before = m->line;
			m->at = behind_literal(t, m->at, &m->line);
			m->code = true;
			if (m->line != before)
				m->line_at = m->at - (size_t)column_at(span_head(t, m->at), m->at) + 1;
		} else if (c == ' ' || c == '\t' || c == '\r') {
			m->at++;
		} else {
			/* The first word of code is the package clause. */
			m->package = m->code = true;
			m->at++;
		}
	}
	return false;
}

/* ---- embeds ---- */

/* Where the pattern at the start of s ends; 0: it is malformed. */
static size_t pattern_length(struct span s)
{
	size_t n = 0;

	if (s.p[0] == '`') {
		n = span_chr(span_from(s, 1), '`');
		return n == SPAN_NONE ? 0 : n + 2;
	}
	if (s.p[0] != '"') {
		while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
			n++;
		return n;
	}
	for (n = 1; n < s.n && s.p[n] != '"';) {
		uint32_t cp;
		size_t e = s.p[n] == '\\' ? escape(span_from(s, n + 1), &cp) : 1;
		if (s.p[n] == '\\' && !e)
			return 0;
		n += s.p[n] == '\\' ? e + 1 : 1;
	}
	return n < s.n ? n + 1 : 0;
}

/* All patterns of a line, or none when one is malformed. */
static void take_embeds(struct head *h, const struct gomark *m)
{
	struct span rest = span_from(m->text, sizeof("//go:embed") - 1);
	size_t before = h->ret->n_embeds;

	for (;;) {
		while (rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t'))
			rest = span_from(rest, 1);
		if (!rest.n || h->no_memory)
			return;
		size_t n = pattern_length(rest);
		if (!n || (n < rest.n && rest.p[n] != ' ' && rest.p[n] != '\t')) {
			h->ret->n_embeds = before;
			return;
		}
		struct span p = span_head(rest, n);
		if (!room(h, &h->ret->embeds, h->ret->n_embeds, sizeof(*h->ret->embeds)))
			return;
		p = p.p[0] == '"' || p.p[0] == '`' ? unquote(p, h->mem) : arena_span(h->mem, p);
		h->no_memory |= !p.p;
		h->ret->embeds[h->ret->n_embeds++] =
			(struct gohead_embed){ .pattern = p,
					       .line = m->line,
					       .column = m->column + (int)(rest.p - m->text.p),
					       .behind = !m->alone };
		rest = span_from(rest, n);
	}
}

static void read_embeds(struct head *h)
{
	struct gomarks all = { .text = h->text };
	struct gomark m;

	while (!h->no_memory && gomarks_next(&all, &m)) {
		struct span rest = m.text;
		if (span_skip(&rest, S("//go:embed")) && rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t'))
			take_embeds(h, &m);
	}
}

/* ---- all of it ---- */

/* Go has also looked at the byte behind. */
static bool found_nul(struct head *h, size_t seen)
{
	const char *nul = h->text.n ? memchr(h->text.p, 0, seen < h->text.n ? seen + 1 : h->text.n) : NULL;

	if (nul)
		fault(h, GOHEAD_NUL, (size_t)(nul - h->text.p), "unexpected NUL in input");
	return nul != NULL;
}

static int read_go(struct head *h, bool whole)
{
	struct reader r = { .t = h->text };

	read_imports(&r);
	if (!whole && (r.syntax || r.ended))
		return GOHEAD_MORE;
	size_t seen = r.at < h->text.n ? r.at : h->text.n;
	h->ret->bytes = r.syntax ? h->text.n : seen;
	h->ret->nul_later = r.syntax && h->text.n && memchr(h->text.p, 0, h->text.n);
	if (found_nul(h, seen))
		return 0;
	struct span head = span_head(h->text, h->ret->bytes);
	read_build_lines(h, head);
	if (h->ret->fault == GOHEAD_CONSTRAINT) {
		struct gohead rest = { 0 };
		struct head other = { .text = h->text, .mem = h->mem, .ret = &rest };
		parse_head(&other, head);
		h->ret->later = rest.fault;
		h->no_memory |= other.no_memory;
	}
	if (h->ret->fault)
		return 0;
	parse_head(h, head);
	if (h->ret->embed && !whole)
		return GOHEAD_MORE;
	if (h->ret->embed)
		read_embeds(h);
	return 0;
}

static int read_other(struct head *h, bool whole)
{
	struct reader r = { .t = h->text };

	skip(&r);
	if (!whole && (r.ended || r.syntax))
		return GOHEAD_MORE;
	h->ret->bytes = r.at < h->text.n ? r.at : h->text.n;
	if (found_nul(h, h->ret->bytes))
		return 0;
	if (r.syntax)
		fault(h, GOHEAD_SYNTAX, r.at, "syntax error");
	else
		read_build_lines(h, span_head(h->text, h->ret->bytes));
	return 0;
}

int gohead_read(struct span text, bool whole, enum gohead_kind kind, struct arena *mem, struct gohead *ret)
{
	struct head h = { .text = text.p ? text : S(""), .mem = mem, .ret = ret };

	*ret = (struct gohead){ 0 };
	if (!whole && text.n < 3)
		return GOHEAD_MORE;
	span_skip(&h.text, mark_of_order);
	int r = kind == GOHEAD_GO ? read_go(&h, whole) : read_other(&h, whole);
	return h.no_memory ? -ENOMEM : r;
}

int gohead_expr(const struct gohead *h, struct arena *mem, const struct constraint **ret)
{
	*ret = h->build.text.p ? h->build.expr : NULL;
	for (size_t i = 0; i < h->n_old && !h->build.text.p; i++) {
		if (!h->old[i].expr)
			continue;
		struct constraint *both = *ret ? arena_alloc(mem, sizeof(*both)) : NULL;
		if (*ret && !both)
			return -ENOMEM;
		if (both)
			*both = (struct constraint){ .op = CONSTRAINT_AND, .x = *ret, .y = h->old[i].expr };
		*ret = both ? both : h->old[i].expr;
	}
	return 0;
}
