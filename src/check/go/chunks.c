#include "check/go/chunks.h"

#include "base/mem.h"

/* Behind the end of what begins here with this quote. */
static size_t end_of_quote(struct span t, size_t at, char quote)
{
	for (at++; at < t.n && t.p[at] != quote; at++) {
		if (quote != '`' && t.p[at] == '\\')
			at++;
		else if (quote != '`' && t.p[at] == '\n')
			break; /* no Go */
	}
	return at < t.n ? at + 1 : t.n;
}

static size_t end_of_comment(struct span t, size_t at)
{
	bool line = t.p[at + 1] == '/';
	size_t n = span_find(span_from(t, at + 2), line ? S("\n") : S("*/"));

	return n == SPAN_NONE ? t.n : at + 2 + n + (line ? 0 : 2);
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       (c & 0x80);
}

static void ask(struct gochunks *s, enum gotoken kind, size_t from)
{
	if (s->asks && !s->asked)
		s->asked = s->asks(s->ctx, kind, (struct span){ s->text.p + from, s->at - from });
}

/* Step over one token; true: it is a word that begins a line, or statement, outside of all brackets. */
static bool next_token(struct gochunks *s, struct span *word)
{
	char c = s->text.p[s->at], after = s->at + 1 < s->text.n ? s->text.p[s->at + 1] : 0;
	bool in_line = s->in_line;
	size_t from = s->at;

	s->in_line = c != '\n' && c != ';' && (in_line || (c != ' ' && c != '\t' && c != '\r'));
	if (c == '"' || c == '`' || c == '\'') {
		s->at = end_of_quote(s->text, s->at, c);
		ask(s, GOTOKEN_STRING, from);
	} else if (c == '/' && (after == '/' || after == '*')) {
		s->at = end_of_comment(s->text, s->at);
		s->in_line = in_line;
		ask(s, GOTOKEN_COMMENT, from);
	} else if (is_word(c)) {
		while (s->at < s->text.n && is_word(s->text.p[s->at]))
			s->at++;
		*word = (struct span){ s->text.p + from, s->at - from };
		ask(s, GOTOKEN_WORD, from);
		return !in_line && s->depth == 0;
	} else {
		s->depth += (c == '(' || c == '{' || c == '[') - (c == ')' || c == '}' || c == ']');
		s->depth = s->depth < 0 ? 0 : s->depth;
		s->at++;
	}
	return false;
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
	while (s->at < s->text.n) {
		size_t at = s->at;
		enum gochunk_kind kind;
		struct span word;
		if (!next_token(s, &word) || !begins(word, &kind))
			continue;
		*ret = (struct gochunk){ s->kind, { s->text.p + s->from, at - s->from }, s->init, s->asked };
		s->asked = false;
		s->from = at;
		s->kind = kind;
		s->init = kind == GOCHUNK_FUNC && is_init(span_from(s->text, s->at));
		return true;
	}
	if (s->ended)
		return false;
	s->ended = true;
	*ret = (struct gochunk){ s->kind, span_from(s->text, s->from), s->init, s->asked };
	return true;
}
