#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include "base/span.h"

/*
 * The first of a few short words in bytes, in either case of ASCII letters, many bytes at a time: 32 with AVX2, where the processor
 * has it, else 16. Words are written in
 * small letters and have four characters or more; a '#' in one stands for any digit, not among its first three.
 */
#define WORDS_MAX  24
#define WORDS_HEAD 4 /* characters of a word that the search looks at first */

struct words {
	const struct span *words;
	size_t n;
	unsigned char low[WORDS_HEAD][16],
		high[WORDS_HEAD][16];      /* by the halves of a byte: which words may have it there */
	unsigned char pairs[WORDS_MAX][2]; /* what stands at 0 and 2, each pair once */
	size_t n_pairs;
	bool wide;
};

extern bool words_narrow; /* for tests: as if the processor had no AVX2 */

void words_make(struct words *w, const struct span *words, size_t n); /* the words live as long as w */
/* Where the first one begins, and which it is (may be NULL); end: there is none. */
const char *words_find(const struct words *w, const char *p, const char *end, size_t *which);
/* Which one begins at p; their number: none. */
size_t words_at(const struct words *w, const char *p, const char *end);
#endif
