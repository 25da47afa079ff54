#include "check/ci/groovy.h"

#include "base/mem.h"

#define DEPTH_MAX 1000

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       (c & 0x80);
}

/* Behind "${": behind its `}`. Strings in it are not looked into; a quote at its own level would end a one-line string anyway. */
static size_t skip_expression(struct span t, size_t i)
{
	int depth = 1;

	for (; i < t.n && depth; i++) {
		if (t.p[i] == '\n')
			break;
		depth += t.p[i] == '{';
		depth -= t.p[i] == '}';
	}
	return i;
}

/* The string that begins at i: behind it. */
static size_t skip_string(struct span t, size_t i, uint8_t *quote)
{
	char c = t.p[i];
	bool dollar = c == '$',
	     triple = !dollar && c != '/' && i + 2 < t.n && t.p[i + 1] == c && t.p[i + 2] == c;

	*quote = dollar ? 2 : triple ? 3 : 1;
	for (i += *quote; i < t.n; i++) {
		if (t.p[i] == '\n' && *quote == 1 && c != '/')
			return i; /* not ended */
		if (t.p[i] == '\\' && !dollar)
			i++;
		else if (t.p[i] == '$' && i + 1 < t.n && t.p[i + 1] == '{' && c == '"')
			i = skip_expression(t, i + 2) - 1;
		else if (dollar ? t.p[i] == '/' && i + 1 < t.n && t.p[i + 1] == '$'
				: t.p[i] == c &&
					  (!triple || (i + 2 < t.n && t.p[i + 1] == c && t.p[i + 2] == c)))
			return i + *quote;
	}
	return t.n;
}

/* A `/` begins a string where no value stands before it; and it ends on its line, or it is none. */
static bool begins_slashy(const struct groovy *g, size_t i)
{
	if (g->n) {
		const struct groovy_token *t = &g->v[g->n - 1];
		struct span last = { g->text.p + t->from, t->to - t->from };
		bool word = t->kind == GROOVY_WORD && !span_eq(last, S("return"));
		if (word || t->kind == GROOVY_STRING || strchr(")]}", *last.p))
			return false;
	}
	struct span rest = span_head(span_from(g->text, i + 1), 1024);
	size_t nl = span_chr(rest, '\n'), slash = span_chr(rest, '/');
	return slash != SPAN_NONE && slash > 0 && (nl == SPAN_NONE || slash < nl);
}

static bool begins_string(const struct groovy *g, size_t i)
{
	char c = g->text.p[i];

	return c == '"' || c == '\'' || (c == '/' && begins_slashy(g, i)) ||
	       (c == '$' && i + 1 < g->text.n && g->text.p[i + 1] == '/');
}

/* Blanks and comments; whether a line began is kept. */
static size_t skip_blank(struct span t, size_t i, bool *line)
{
	while (i < t.n) {
		struct span rest = span_from(t, i);
		if (t.p[i] == '\n')
			*line = true;
		if (strchr(" \t\r\n\f", t.p[i]) && t.p[i]) {
			i++;
		} else if (span_starts(rest, S("//")) || (i == 0 && span_starts(rest, S("#!")))) {
			size_t nl = span_chr(rest, '\n');
			i = nl == SPAN_NONE ? t.n : i + nl;
		} else if (span_starts(rest, S("/*"))) {
			const char *end = memmem(rest.p + 2, rest.n - 2, "*/", 2);
			i = end ? (size_t)(end - t.p) + 2 : t.n;
		} else {
			break;
		}
	}
	return i;
}

static size_t skip_sign(struct span t, size_t i)
{
	static const char *const two[] = { "->", "==", "!=", "&&", "||", "+=", "-=",
					   "<<", ">=", "<=", "?:", "?.", "=~" };

	for (size_t k = 0; k < ARRAY_LEN(two); k++)
		if (span_starts(span_from(t, i), span_of(two[k])))
			return i + 2;
	return i + 1;
}

struct brackets {
	uint32_t open[DEPTH_MAX];
	size_t n;
};

static void match(struct groovy *g, struct brackets *b, uint32_t at)
{
	char c = g->text.p[g->v[at].from];

	if (strchr("([{", c)) {
		if (b->n == DEPTH_MAX)
			g->cut = true;
		else
			b->open[b->n++] = at;
		return;
	}
	if (!strchr(")]}", c))
		return;
	/* One that was not closed ends with the one around it. */
	char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
	size_t n = b->n;
	while (n && g->text.p[g->v[b->open[n - 1]].from] != wanted && b->n - n < 8)
		n--;
	if (!n || g->text.p[g->v[b->open[n - 1]].from] != wanted)
		return;
	b->n = n - 1;
	g->v[at].match = b->open[n - 1];
	g->v[b->open[n - 1]].match = at;
}

void groovy_read(struct span text, struct groovy *ret)
{
	struct brackets b = { .n = 0 };
	struct groovy *g = ret;

	*g = (struct groovy){ .text = text };
	for (size_t i = 0;;) {
		bool line = i == 0;
		i = skip_blank(text, i, &line);
		if (i >= text.n || g->n >= GROOVY_TOKENS || g->cut)
			break;
		if (!mem_grow(&g->v, &g->cap, g->n, sizeof(*g->v))) {
			g->bad = true;
			return;
		}
		struct groovy_token t = { .starts = line, .from = (uint32_t)i };
		if (begins_string(g, i)) {
			t.kind = GROOVY_STRING;
			i = skip_string(text, i, &t.quote);
		} else if (is_letter(text.p[i])) {
			while (i < text.n && is_letter(text.p[i]))
				i++;
		} else {
			t.kind = GROOVY_SIGN;
			i = skip_sign(text, i);
		}
		t.to = (uint32_t)i;
		g->v[g->n++] = t;
		if (t.kind == GROOVY_SIGN)
			match(g, &b, (uint32_t)g->n - 1);
	}
	g->cut |= g->n >= GROOVY_TOKENS;
}

void groovy_free(struct groovy *g)
{
	mem_free(g->v);
	*g = (struct groovy){ 0 };
}

/* A backslash and what it stands for. */
static size_t put_escape(struct span s, size_t i, uint32_t at, struct mapped *ret)
{
	static const char codes[] = "n\nt\tr\r\\\\'\'\"\"$$";
	char c = i + 1 < s.n ? s.p[i + 1] : '\\';

	if (c == '\n')
		return i + 2; /* the line goes on */
	for (size_t k = 0; codes[k]; k += 2)
		if (codes[k] == c) {
			mapped_as(ret, (struct span){ &codes[k + 1], 1 }, at + (uint32_t)i, 2);
			return i + 2;
		}
	mapped_add(ret, (struct span){ s.p + i, 1 }, at + (uint32_t)i);
	return i + 1;
}

void groovy_string(const struct groovy *g, size_t i, struct mapped *ret)
{
	const struct groovy_token *t = &g->v[i];
	struct span all = groovy_text(g, i);
	uint32_t at = t->from + t->quote;
	char quote = all.n ? *all.p : 0;

	if (all.n < 2u * t->quote)
		return;
	struct span s = { all.p + t->quote, all.n - 2u * t->quote };
	for (size_t k = 0, next; k < s.n; k = next) {
		for (next = k; next < s.n && s.p[next] != '\\' && s.p[next] != '$';)
			next++;
		if (next > k) {
			mapped_add(ret, (struct span){ s.p + k, next - k }, at + (uint32_t)k);
			continue;
		}
		if (s.p[k] == '\\' && quote != '$' && quote != '/') {
			next = put_escape(s, k, at, ret);
			continue;
		}
		next = k + 1;
		if (s.p[k] == '$' && quote == '"' && next < s.n && s.p[next] == '{') {
			next = skip_expression(s, next + 1);
		} else if (s.p[k] == '$' && quote == '"') {
			while (next < s.n && (is_letter(s.p[next]) || s.p[next] == '.'))
				next++;
		}
		if (next > k + 1)
			mapped_mask(ret, '_', at + (uint32_t)k, (uint32_t)(next - k));
		else
			mapped_add(ret, (struct span){ s.p + k, 1 }, at + (uint32_t)k);
	}
}
