#include "base/text.h"
#include "parse/fields.h"
#include "parse/modfile_own.h"
#include "parse/unicode.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static const bool mark[256] = { ['('] = true, [')'] = true, ['['] = true, [']'] = true, ['{'] = true, ['}'] = true, [','] = true };

static bool is_mark(char c)
{
	return mark[(unsigned char)c];
}

/* Bytes of the character of a word at the start of s; 0: it is none. */
static size_t word_char(struct span s)
{
	unsigned char c = (unsigned char)s.p[0];
	uint32_t cp;

	if (c < 0x80)
		return c > ' ' && c < 0x7f && !is_mark((char)c);
	size_t n = utf8_decode(s, &cp);
	return unicode_print(cp) ? n : 0;
}

/* A string at the start of s, with its quotes; 0: it has no end. */
static size_t string_length(struct span s)
{
	char quote = s.p[0];

	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == quote)
			return i + 1;
		if (s.p[i] == '\\' && quote == '"')
			i++;
	}
	return 0;
}

static bool fail(struct mod_words *w, int fault, struct span line, size_t at)
{
	uint32_t cp;

	w->fault = fault;
	w->fault_column = (int)at + 1;
	w->fault_text = at < line.n ? span_head(span_from(line, at), utf8_decode(span_from(line, at), &cp))
				    : S("");
	return false;
}

/* How long the word at `at` is; false: a fault. */
static bool word_length(struct span line, size_t at, struct mod_words *w, size_t *ret)
{
	struct span s = span_from(line, at);
	size_t n = 0, step;

	if (s.p[0] == '"' || s.p[0] == '`') {
		*ret = string_length(s);
		return *ret || fail(w, WORDS_STRING, line, at);
	}
	*ret = 1;
	if (is_mark(s.p[0]))
		return true;
	while (n < s.n && (step = word_char(span_from(s, n)))) {
		if (s.p[n] == '/' && n + 1 < s.n && s.p[n + 1] == '/')
			break;
		if (s.p[n] == '/' && n + 1 < s.n && s.p[n + 1] == '*')
			return fail(w, WORDS_BLOCK_COMMENT, line, at + n);
		n += step;
	}
	*ret = n;
	return n || fail(w, WORDS_BYTE, line, at);
}

void mod_words_read(struct span line, struct mod_words *ret)
{
	size_t at = 0, n;

	ret->n = 0;
	ret->has_comment = false;
	ret->comment = (struct span){ 0 };
	ret->fault = WORDS_FINE;
	for (;; at += n) {
		while (at < line.n && is_blank(line.p[at]))
			at++;
		if (at == line.n)
			return;
		if (line.p[at] == '/' && at + 1 < line.n && line.p[at + 1] == '/') {
			ret->has_comment = true;
			ret->comment = fields_trim(span_from(line, at + 2));
			return;
		}
		if (!word_length(line, at, ret, &n))
			return;
		ret->before_last = ret->last;
		ret->last = (struct mod_word){ span_head(span_from(line, at), n), (int)at + 1 };
		if (ret->n < WORDS_MAX)
			ret->word[ret->n] = ret->last;
		ret->n++;
	}
}

/* ---- strings ---------------------------------------------------------------------------------------------- */

/* n digits of this base; false: fewer. */
static bool cut_digits(struct span *s, size_t n, unsigned base, uint32_t *ret)
{
	*ret = 0;
	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int d = hex_digit(s->p[i]);
		if (d < 0 || d >= (int)base)
			return false;
		*ret = *ret * base + (unsigned)d;
	}
	*s = span_from(*s, n);
	return true;
}

/* Behind a backslash; what it means goes to out. */
static bool unescape(struct span *s, char **out)
{
	static const char names[] = "abfnrtv\\\"", bytes[] = "\a\b\f\n\r\t\v\\\"";
	char c = s->n ? s->p[0] : '\0';
	const char *name = c ? strchr(names, c) : NULL;
	uint32_t v;

	if (name) {
		*(*out)++ = bytes[name - names];
		*s = span_from(*s, 1);
		return true;
	}
	if (c >= '0' && c <= '7') {
		if (!cut_digits(s, 3, 8, &v) || v > 255)
			return false;
		*(*out)++ = (char)v;
		return true;
	}
	*s = span_from(*s, 1);
	if (c == 'x' && cut_digits(s, 2, 16, &v)) {
		*(*out)++ = (char)v;
		return true;
	}
	if ((c != 'u' && c != 'U') || !cut_digits(s, c == 'u' ? 4 : 8, 16, &v) || v > 0x10ffff ||
	    (v >= 0xd800 && v < 0xe000))
		return false;
	*out += utf8_encode(v, *out);
	return true;
}

/* body: between the quotes. Each step writes at most three bytes for one that it reads, or fewer than it reads. */
static enum mod_text unquote(struct arena *mem, struct span body, struct span *ret)
{
	char *text = arena_alloc(mem, 3 * body.n + 1), *out = text;

	if (!text)
		return MOD_TEXT_NO_MEMORY;
	while (body.n) {
		uint32_t cp;
		if (span_skip(&body, S("\\"))) {
			if (!unescape(&body, &out))
				return MOD_TEXT_BAD;
			continue;
		}
		size_t n = utf8_decode(body, &cp);
		out += utf8_encode(cp == UTF8_BAD ? 0xfffd : cp, out);
		body = span_from(body, n);
	}
	*ret = (struct span){ text, (size_t)(out - text) };
	return MOD_TEXT_FINE;
}

static bool is_ascii_without(struct span s, const char *marks)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80 || (s.p[i] && strchr(marks, s.p[i])))
			return false;
	}
	return true;
}

enum mod_text mod_word_text(struct arena *mem, struct span raw, struct span *ret)
{
	*ret = raw;
	if (raw.p[0] != '"') {
		bool quotes = span_chr(raw, '"') != SPAN_NONE || span_chr(raw, '\'') != SPAN_NONE ||
			      span_chr(raw, '`') != SPAN_NONE;
		return quotes ? MOD_TEXT_BAD : MOD_TEXT_FINE;
	}
	struct span body = { raw.p + 1, raw.n - 2 };
	if (!is_ascii_without(body, "\\"))
		return unquote(mem, body, ret);
	*ret = body;
	return MOD_TEXT_FINE;
}
