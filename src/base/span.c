#include "base/span.h"

size_t span_find(struct span s, struct span what)
{
	const char *at = s.n ? memmem(s.p, s.n, what.p, what.n) : NULL;

	return at ? (size_t)(at - s.p) : SPAN_NONE;
}

size_t span_chr(struct span s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : SPAN_NONE;
}

size_t span_rchr(struct span s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : SPAN_NONE;
}

struct span span_cut(struct span *rest, char c)
{
	size_t at = span_chr(*rest, c);
	struct span head = span_head(*rest, at);

	*rest = at == SPAN_NONE ? span_from(*rest, rest->n) : span_from(*rest, at + 1);
	return head;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
	while (s.n && is_blank(s.p[0]))
		s.p++, s.n--;
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool span_int(struct span s, int64_t *ret)
{
	bool neg = s.n && s.p[0] == '-';
	int64_t v = 0;

	if (neg)
		s = span_from(s, 1);
	if (!s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, s.p[i] - '0', &v))
			return false;
	}
	*ret = neg ? -v : v;
	return true;
}

/* wyhash-like mixing of 8 bytes a step: short keys dominate here (package and test names). */
uint64_t span_hash(struct span s)
{
	const uint64_t k = 0x9e3779b97f4a7c15u;
	uint64_t h = k ^ s.n, w;
	const char *p = s.p;
	size_t n = s.n;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * k;
		h ^= h >> 32;
	}
	w = 0;
	if (n)
		memcpy(&w, p, n);
	h = (h ^ w) * k;
	return h ^ (h >> 29);
}
