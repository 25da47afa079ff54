#ifndef CHECK_CI_GROOVY_H
#define CHECK_CI_GROOVY_H

#include "check/ci/mapped.h"

/* Groovy as words, strings and signs: enough to see the steps of a Jenkinsfile. Comments are left out. */
enum groovy_kind {
	GROOVY_WORD,   /* name, number, keyword */
	GROOVY_STRING, /* with its quotes */
	GROOVY_SIGN,   /* one byte; `->`, `==`, `!=`, `&&`, `||`, `+=` and the like begin with theirs */
};
struct groovy_token {
	uint8_t kind, quote; /* quote: bytes of it at each end: 1 or 3; 2 for $/ and /$ */
	bool starts;         /* the first of its line */
	uint32_t from, to;
	uint32_t
		match; /* of ( [ { and their ends: the other one; 0: none (the first token is none of them but by mistake) */
};
#define GROOVY_TOKENS 1000000

struct groovy {
	struct span text;
	struct groovy_token *v;
	size_t n, cap;
	bool cut; /* there were more than GROOVY_TOKENS, or brackets deeper than 1000 */
	bool bad;
};
void groovy_read(struct span text, struct groovy *ret);
void groovy_free(struct groovy *g);
static inline struct span groovy_text(const struct groovy *g, size_t i)
{
	return i < g->n ? (struct span){ g->text.p + g->v[i].from, g->v[i].to - g->v[i].from }
			: (struct span){ 0 };
}
static inline bool groovy_is(const struct groovy *g, size_t i, const char *text)
{
	return i < g->n && g->v[i].kind != GROOVY_STRING && span_eq(groovy_text(g, i), span_of(text));
}
/* What a string says; what an expression puts into it is `_`. */
void groovy_string(const struct groovy *g, size_t i, struct mapped *ret);
#endif
