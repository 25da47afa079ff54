#include "base/words.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

bool words_narrow;

static bool is_letter(unsigned char c)
{
	return c >= 'a' && c <= 'z';
}

static bool fits(struct span word, const char *p, const char *end)
{
	if ((size_t)(end - p) < word.n)
		return false;
	for (size_t i = 0; i < word.n; i++) {
		unsigned char want = (unsigned char)word.p[i], c = (unsigned char)p[i];
		if (want == '#' ? c < '0' || c > '9' : c != want && !(is_letter(want) && (c | 0x20) == want))
			return false;
	}
	return true;
}

size_t words_at(const struct words *w, const char *p, const char *end)
{
	size_t i = 0;

	while (i < w->n && !fits(w->words[i], p, end))
		i++;
	return i;
}

/* ---- tables ---- */

static void allow(struct words *w, size_t at, unsigned char c, unsigned char bit)
{
	w->low[at][c & 15] |= bit;
	w->high[at][c >> 4] |= bit;
}

static void learn(struct words *w, struct span word, unsigned char bit)
{
	for (size_t at = 0; at < WORDS_HEAD; at++) {
		unsigned char c = (unsigned char)word.p[at];
		for (unsigned char d = '0'; c == '#' && d <= '9'; d++)
			allow(w, at, d, bit);
		if (c == '#')
			continue;
		allow(w, at, c, bit);
		if (is_letter(c))
			allow(w, at, c & ~0x20, bit);
	}
}

static void learn_pair(struct words *w, struct span word)
{
	unsigned char a = (unsigned char)word.p[0] | 0x20, c = (unsigned char)word.p[2] | 0x20;

	for (size_t i = 0; i < w->n_pairs; i++) {
		if (w->pairs[i][0] == a && w->pairs[i][1] == c)
			return;
	}
	w->pairs[w->n_pairs][0] = a;
	w->pairs[w->n_pairs++][1] = c;
}

/* Words that begin alike share a bit, which costs nothing; of more than eight others some share one, and look-alikes are compared. */
static size_t bit_of(const struct words *w, size_t i, const unsigned char *bits, size_t *used)
{
	for (size_t k = 0; k < i; k++) {
		if (!memcmp(w->words[k].p, w->words[i].p, 2))
			return bits[k];
	}
	return (*used)++ % 8;
}

void words_make(struct words *w, const struct span *words, size_t n)
{
	unsigned char bits[WORDS_MAX];
	size_t used = 0;

	*w = (struct words){ .words = words, .n = n < WORDS_MAX ? n : WORDS_MAX };
	for (size_t i = 0; i < w->n; i++) {
		bits[i] = (unsigned char)bit_of(w, i, bits, &used);
		learn(w, words[i], (unsigned char)(1u << bits[i]));
		learn_pair(w, words[i]);
	}
#ifdef __x86_64__
	w->wide = __builtin_cpu_supports("avx2") && !words_narrow;
#endif
}

/* ---- the search ---- */

static const char *find_slowly(const struct words *w, const char *p, const char *end, size_t *which)
{
	for (; p < end; p++) {
		unsigned char c = (unsigned char)*p;
		if (c < 128 && (w->low[0][c & 15] & w->high[0][c >> 4]) &&
		    (*which = words_at(w, p, end)) < w->n)
			return p;
	}
	return end;
}

typedef unsigned char v16 __attribute__((vector_size(16)));

static inline v16 load(const char *p)
{
	v16 v;

	memcpy(&v, p, sizeof(v));
	return v | 0x20;
}

static const char *find_narrow(const struct words *w, const char *p, const char *end, size_t *which)
{
	for (; end - p >= 18; p += 16) {
		v16 a = load(p), c = load(p + 2), hit = { 0 };
		uint64_t any[2];
		for (size_t i = 0; i < w->n_pairs; i++)
			hit |= (v16)((a == w->pairs[i][0]) & (c == w->pairs[i][1]));
		memcpy(any, &hit, sizeof(any));
		if (!(any[0] | any[1]))
			continue;
		for (int i = 0; i < 16; i++) {
			if (hit[i] && (*which = words_at(w, p + i, end)) < w->n)
				return p + i;
		}
	}
	return find_slowly(w, p, end, which);
}

#ifdef __x86_64__
/* Each half of a byte looks up which words may have it at that place; what is left of all eight looks is a likely word. */
static __attribute__((target("avx2"))) const char *find_wide(const struct words *w, const char *p,
							     const char *end, size_t *which)
{
	const __m256i half = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
	__m256i low[WORDS_HEAD], high[WORDS_HEAD];

	for (size_t k = 0; k < WORDS_HEAD; k++) {
		low[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)w->low[k]));
		high[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)w->high[k]));
	}
	for (; end - p >= 32 + WORDS_HEAD - 1; p += 32) {
		__m256i hit = _mm256_set1_epi8(-1);
		for (int k = 0; k < WORDS_HEAD; k++) {
			__m256i v = _mm256_loadu_si256((const __m256i *)(p + k));
			__m256i upper = _mm256_and_si256(_mm256_srli_epi16(v, 4), half);
			hit = _mm256_and_si256(hit, _mm256_and_si256(_mm256_shuffle_epi8(low[k], v),
								     _mm256_shuffle_epi8(high[k], upper)));
		}
		unsigned likely = ~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(hit, zero));
		for (; likely; likely &= likely - 1) {
			const char *at = p + __builtin_ctz(likely);
			if ((*which = words_at(w, at, end)) < w->n)
				return at;
		}
	}
	return find_slowly(w, p, end, which);
}
#endif

const char *words_find(const struct words *w, const char *p, const char *end, size_t *which)
{
	size_t none;

	if (!which)
		which = &none;
	*which = w->n;
#ifdef __x86_64__
	if (w->wide)
		return find_wide(w, p, end, which);
#endif
	return find_narrow(w, p, end, which);
}
