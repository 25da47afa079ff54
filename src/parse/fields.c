#include "parse/fields.h"

/* Bytes of white space at the start of s (not empty); 0: none. */
static size_t space_at(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	if (p[0] < 0x80)
		return p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r');
	if (p[0] == 0xc2)
		return s.n > 1 && (p[1] == 0x85 || p[1] == 0xa0) ? 2 : 0;
	if (s.n < 3)
		return 0;
	switch (p[0] << 8 | p[1]) {
	case 0xe19a: /* U+1680 */
	case 0xe380: /* U+3000 */ return p[2] == 0x80 ? 3 : 0;
	case 0xe280: /* U+2000 to U+200A, U+2028, U+2029, U+202F */
		return (p[2] >= 0x80 && p[2] <= 0x8a) || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf ? 3 : 0;
	case 0xe281: /* U+205F */ return p[2] == 0x9f ? 3 : 0;
	}
	return 0;
}

/* Printable ASCII is most of what is read. */
static inline bool is_plain(char c)
{
	return c > ' ' && c < 0x7f;
}

bool fields_next(struct span *rest, struct span *ret)
{
	size_t space;

	*ret = *rest;
	if (!rest->n) /* perhaps nowhere */
		return false;
	const char *p = rest->p, *end = p + rest->n;
	while (p < end && !is_plain(*p) && (space = space_at((struct span){ p, (size_t)(end - p) })))
		p += space;
	const char *from = p;
	while (p < end && (is_plain(*p) || !space_at((struct span){ p, (size_t)(end - p) })))
		p++;
	*ret = (struct span){ from, (size_t)(p - from) };
	*rest = (struct span){ p, (size_t)(end - p) };
	return ret->n;
}

/* The white space that ends s, in bytes. */
static size_t space_before(struct span s)
{
	for (size_t n = 1; n <= 3 && n <= s.n; n++) {
		if (space_at(span_from(s, s.n - n)) == n)
			return n;
	}
	return 0;
}

struct span fields_trim(struct span s)
{
	size_t space;

	while (s.n && (space = space_at(s)))
		s = span_from(s, space);
	while (s.n && (space = space_before(s)))
		s.n -= space;
	return s;
}

bool fields_is_conflict(struct span line)
{
	static const char marks[] = "<>|=";

	if (line.n < 7 || !line.p[0] || !strchr(marks, line.p[0]))
		return false;
	for (size_t i = 1; i < 7; i++) {
		if (line.p[i] != line.p[0])
			return false;
	}
	return line.n == 7 || line.p[7] == ' ' || line.p[7] == '\r';
}
