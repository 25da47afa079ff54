#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A view of bytes that somebody else owns. Not NUL-terminated. An absent one has p == NULL. */
struct span {
	const char *p;
	size_t n;
};

#define S(lit) ((struct span){ "" lit, sizeof(lit) - 1 })
#define SPAN_ARG(s) (int)(s).n, (s).p ? (s).p : "" /* for "%.*s" */

static inline struct span span_of(const char *z) /* NULL gives the absent span */
{
	return (struct span){ z, z ? strlen(z) : 0 };
}

static inline struct span span_from(struct span s, size_t at) /* the rest from byte at */
{
	size_t skip = at < s.n ? at : s.n;

	return (struct span){ skip ? s.p + skip : s.p, s.n - skip };
}

static inline struct span span_head(struct span s, size_t n) /* at most the first n bytes */
{
	return (struct span){ s.p, s.n < n ? s.n : n };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_starts(struct span s, struct span with)
{
	return s.n >= with.n && (with.n == 0 || memcmp(s.p, with.p, with.n) == 0);
}

static inline bool span_ends(struct span s, struct span with)
{
	return s.n >= with.n && memcmp(s.p + s.n - with.n, with.p, with.n) == 0;
}

/* If s starts with `with`, step over it. */
static inline bool span_skip(struct span *s, struct span with)
{
	if (!span_starts(*s, with))
		return false;
	*s = span_from(*s, with.n);
	return true;
}

#define SPAN_NONE ((size_t)-1)
size_t span_find(struct span s, struct span what); /* offset or SPAN_NONE */
size_t span_chr(struct span s, char c);
size_t span_rchr(struct span s, char c);
/* Cut *rest at the first c: the part before it, *rest behind it. Without c: all, *rest empty. */
struct span span_cut(struct span *rest, char c);
struct span span_trim(struct span s); /* blanks, tabs, CR, LF at both ends */
bool span_int(struct span s, int64_t *ret); /* the whole span is a decimal number; no overflow */
uint64_t span_hash(struct span s);
#endif
