#include "check/go/chunks.h"

#include "base/mem.h"

/* What a byte begins: looked up, as this is done for every byte of a tree. */
enum class { OTHER, WORD, BLANK, QUOTE, SLASH, OPEN, CLOSE };
static const unsigned char class_of[256] = {
	['a' ... 'z'] = WORD,   ['A' ... 'Z'] = WORD, ['0' ... '9'] = WORD, ['_'] = WORD,
	[0x80 ... 0xff] = WORD, [' '] = BLANK,        ['\t'] = BLANK,       ['\r'] = BLANK,
	['"'] = QUOTE,          ['`'] = QUOTE,        ['\''] = QUOTE,       ['/'] = SLASH,
	['('] = OPEN,           ['{'] = OPEN,         ['['] = OPEN,         [')'] = CLOSE,
	['}'] = CLOSE,          [']'] = CLOSE,
};

/* Behind the end of what begins here with this quote. */
static size_t end_of_quote(struct span t, size_t at, char quote)
{
	if (quote == '`') {
		size_t n = span_chr(span_from(t, at + 1), '`');
		return n == SPAN_NONE ? t.n : at + n + 2;
	}
	for (at++; at < t.n && t.p[at] != quote; at++) {
		if (t.p[at] == '\\')
			at++;
		else if (t.p[at] == '\n')
			break; /* no Go */
	}
	return at < t.n ? at + 1 : t.n;
}

static size_t end_of_comment(struct span t, size_t at)
{
	struct span rest = span_from(t, at + 2);

	if (t.p[at + 1] == '/') {
		size_t n = span_chr(rest, '\n');
		return n == SPAN_NONE ? t.n : at + 2 + n;
	}
	size_t n = span_find(rest, S("*/"));
	return n == SPAN_NONE ? t.n : at + 2 + n + 2;
}

static bool begins_comment(struct span t, size_t at)
{
	return at + 1 < t.n && (t.p[at + 1] == '/' || t.p[at + 1] == '*');
}

/* The next token, blanks passed over. *first: it begins a line, or a statement, outside of all brackets. false: no more. */
static bool next_token(struct gochunks *s, enum gotoken *kind, struct span *token, bool *first)
{
	const unsigned char *t = (const unsigned char *)s->text.p;
	size_t at = s->at, n = s->text.n, from;

	while (at < n && class_of[t[at]] == BLANK)
		at++;
	if ((from = at) >= n)
		return false;
	enum class c = class_of[t[at]];
	*first = !s->in_line && s->depth == 0;
	*kind = GOTOKEN_SIGN;
	if (c == WORD) {
		while (++at < n && class_of[t[at]] == WORD)
			;
		*kind = GOTOKEN_WORD;
		s->in_line = true;
	} else if (c == QUOTE) {
		at = end_of_quote(s->text, at, (char)t[at]);
		*kind = GOTOKEN_STRING;
		s->in_line = true;
	} else if (c == SLASH && begins_comment(s->text, at)) {
		at = end_of_comment(s->text, at);
		*kind = GOTOKEN_COMMENT;
	} else {
		s->depth += (c == OPEN) - (c == CLOSE);
		s->depth = s->depth < 0 ? 0 : s->depth;
		s->in_line = t[at] != '\n' && t[at] != ';';
		at++;
	}
	s->at = at;
	*token = (struct span){ s->text.p + from, at - from };
	return true;
}

/* Is it `func init(`? */
static bool is_init(struct span rest)
{
	rest = span_trim(span_head(rest, 64));
	if (!span_skip(&rest, S("init")))
		return false;
	rest = span_trim(rest);
	return rest.n && rest.p[0] == '(';
}

static bool begins(struct span word, enum gochunk_kind *kind)
{
	static const struct {
		struct span word;
		enum gochunk_kind kind;
	} rows[] = { { S("import"), GOCHUNK_IMPORT },
		     { S("const"), GOCHUNK_CONST },
		     { S("type"), GOCHUNK_TYPE },
		     { S("var"), GOCHUNK_VAR },
		     { S("func"), GOCHUNK_FUNC } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_eq(word, rows[i].word)) {
			*kind = rows[i].kind;
			return true;
		}
	return false;
}

bool gochunks_next(struct gochunks *s, struct gochunk *ret)
{
	enum gotoken token;
	struct span what;
	bool first;

	while (next_token(s, &token, &what, &first)) {
		enum gochunk_kind kind;
		if (token != GOTOKEN_WORD || !first || !begins(what, &kind)) {
			if (s->sees)
				s->sees(s->ctx, token, what);
			continue;
		}
		size_t at = (size_t)(what.p - s->text.p);
		*ret = (struct gochunk){ s->kind, { s->text.p + s->from, at - s->from }, s->init };
		s->from = at;
		s->kind = kind;
		s->init = kind == GOCHUNK_FUNC && is_init(span_from(s->text, s->at));
		return true;
	}
	if (s->ended)
		return false;
	s->ended = true;
	*ret = (struct gochunk){ s->kind, span_from(s->text, s->from), s->init };
	return true;
}
