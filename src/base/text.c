#include "base/text.h"

#include <stdio.h>

#include "base/mem.h"

size_t utf8_decode(struct span s, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s.p;
	size_t len = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;
	uint32_t v = len <= 1 ? p[0] : p[0] & (0x7fu >> len);

	*cp = UTF8_BAD;
	if (!len || len > s.n)
		return 1;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 1;
	*cp = v;
	return len;
}

struct span utf8_head(struct span s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max && ((unsigned char)s.p[max] & 0xc0) == 0x80)
		max--;
	return span_head(s, max);
}

size_t utf8_encode(uint32_t cp, char out[4])
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

struct range {
	uint32_t from, to;
};

static bool in_ranges(uint32_t cp, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (cp >= r[i].from && cp <= r[i].to)
			return true;
	}
	return false;
}

/* Unicode East Asian Width W and F, and the combining marks that meet us in practice. */
int utf8_cell(uint32_t cp)
{
	static const struct range wide[] = {
		{ 0x1100, 0x115f }, { 0x231a, 0x231b }, { 0x23e9, 0x23ec }, { 0x2614, 0x2615 }, { 0x2648, 0x2653 },
		{ 0x26a1, 0x26a1 }, { 0x2705, 0x2705 }, { 0x274c, 0x274c }, { 0x2753, 0x2755 }, { 0x2757, 0x2757 },
		{ 0x2e80, 0x303e }, { 0x3041, 0x33ff }, { 0x3400, 0x4dbf }, { 0x4e00, 0x9fff }, { 0xa000, 0xa4cf },
		{ 0xa960, 0xa97f }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f }, { 0xff00, 0xff60 },
		{ 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
	};
	static const struct range none[] = {
		{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x0610, 0x061a }, { 0x064b, 0x065f },
		{ 0x200b, 0x200f }, { 0x202a, 0x202e }, { 0x2060, 0x2064 }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
		{ 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0xe0100, 0xe01ef },
	};

	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return 0;
	if (cp < 0x300)
		return 1;
	if (in_ranges(cp, none, ARRAY_LEN(none)))
		return 0;
	return in_ranges(cp, wide, ARRAY_LEN(wide)) ? 2 : 1;
}

size_t text_width(struct span s)
{
	size_t w = 0;
	uint32_t cp;

	while (s.n) {
		s = span_from(s, utf8_decode(s, &cp));
		w += cp == UTF8_BAD ? 1 : (size_t)utf8_cell(cp);
	}
	return w;
}

struct span text_fit(struct span s, size_t columns)
{
	struct span rest = s;
	uint32_t cp;

	while (rest.n) {
		size_t n = utf8_decode(rest, &cp);
		size_t w = cp == UTF8_BAD ? 1 : (size_t)utf8_cell(cp);
		if (w > columns)
			break;
		columns -= w;
		rest = span_from(rest, n);
	}
	return span_head(s, s.n - rest.n);
}

size_t ansi_length(struct span s)
{
	if (s.n < 2)
		return 1;
	if (s.p[1] == '[') { /* CSI: parameters, then a final byte */
		for (size_t i = 2; i < s.n; i++) {
			if (s.p[i] >= 0x40 && s.p[i] <= 0x7e)
				return i + 1;
			if (s.p[i] < 0x20)
				return i;
		}
		return s.n;
	}
	if (s.p[1] == ']') { /* OSC: up to BEL or ST */
		for (size_t i = 2; i < s.n; i++) {
			if (s.p[i] == '\a')
				return i + 1;
			if (s.p[i] == 0x1b)
				return i + 1 < s.n && s.p[i + 1] == '\\' ? i + 2 : i;
			if (s.p[i] == '\n')
				return i;
		}
		return s.n;
	}
	return s.p[1] >= 0x20 && s.p[1] < 0x7f ? 2 : 1;
}

bool ansi_strip(struct span s, struct buf *ret)
{
	bool any = false;

	while (s.n) {
		size_t esc = span_chr(s, 0x1b);
		buf_span(ret, span_head(s, esc));
		if (esc == SPAN_NONE)
			break;
		any = true;
		s = span_from(s, esc);
		s = span_from(s, ansi_length(s));
	}
	return any;
}

static bool is_deceptive(uint32_t cp) /* direction overrides, line separators, BOM */
{
	return (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0x2028 || cp == 0x2029 ||
	       cp == 0x200e || cp == 0x200f || cp == 0xfeff || (cp >= 0x80 && cp < 0xa0);
}

void text_clean(struct span s, bool multiline, struct buf *ret)
{
	uint32_t cp;

	while (s.n) {
		size_t run = 0;
		while (run < s.n && s.p[run] >= 0x20 && s.p[run] < 0x7f)
			run++;
		buf_add(ret, s.p, run);
		s = span_from(s, run);
		if (!s.n)
			break;
		unsigned char c = (unsigned char)s.p[0];
		if (c == 0x1b) {
			s = span_from(s, ansi_length(s));
			continue;
		}
		size_t n = utf8_decode(s, &cp);
		if (cp == UTF8_BAD)
			buf_adds(ret, "\xef\xbf\xbd");
		else if (c == '\t' || (c == '\n' && multiline))
			buf_addc(ret, (char)c);
		else if (c == '\r' && multiline && s.n > 1 && s.p[1] == '\n')
			; /* CRLF becomes LF */
		else if (c < 0x20 || c == 0x7f)
			buf_addf(ret, "\\x%02x", c);
		else if (is_deceptive(cp))
			buf_addf(ret, "\\u%04x", cp);
		else
			buf_add(ret, s.p, n);
		s = span_from(s, n);
	}
}

static size_t edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), row[65];

	if (la > 64 || lb > 64)
		return 99;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diag = row[0];
		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diag + (a[i - 1] != b[j - 1]);
			diag = row[j];
			best = best < row[j] + 1 ? best : row[j] + 1;
			row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
		}
	}
	return row[lb];
}

const char *text_nearest(const char *typed, const char *const *candidates, size_t n)
{
	const char *best = NULL;
	size_t least = strlen(typed) / 3 + 2;

	for (size_t i = 0; i < n; i++) {
		size_t d = edit_distance(typed, candidates[i]);
		if (!strncmp(typed, candidates[i], strlen(typed)) && strlen(typed) >= 2)
			d = 1;
		if (d < least) {
			least = d;
			best = candidates[i];
		}
	}
	return best;
}

bool text_glob(const char *p, struct span s)
{
	const char *star = NULL;
	size_t i = 0, back = 0;

	while (i < s.n) {
		if (*p == '*') {
			star = p++;
			back = i;
		} else if (*p && (*p == '?' || *p == s.p[i])) {
			p++;
			i++;
		} else if (star) {
			p = star + 1;
			i = ++back;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return !*p;
}

size_t text_find_fold(struct span s, struct span what)
{
	for (size_t at = 0; at + what.n <= s.n; at++) {
		size_t i = 0;
		while (i < what.n && (s.p[at + i] >= 'A' && s.p[at + i] <= 'Z' ? s.p[at + i] | 32 : s.p[at + i]) == what.p[i])
			i++;
		if (i == what.n)
			return at;
	}
	return SPAN_NONE;
}
