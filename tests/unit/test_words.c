/* base/words: the search for words, sixteen and thirty-two bytes at a time, beside one that goes byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/words.h"

#define P(lit)                       \
	{                            \
		lit, sizeof(lit) - 1 \
	}

static const struct span few[] = { P("panic"), P("goroutine "), P("\nf1### "), P(" race") };
static const struct span many[] = {
	P("panic"), P("goroutine "), P("fata"),     P("fail"),     P("runtime"),
	P("exit"),  P(" race"),      P("signal"),   P("sigsegv"),  P("sigquit"),
	P("ftl "),  P("ftl\x1b"),    P("\nf0### "), P("\nf1### "), P("sigh"),
};

static const char *find_plainly(const struct words *w, const char *p, const char *end, size_t *which)
{
	while (p < end && (*which = words_at(w, p, end)) == w->n)
		p++;
	if (p == end)
		*which = w->n;
	return p;
}

/* Every hit from the begin to the end, by both searches; what is behind the end must not be read, or the sanitizer says so. */
static void compare(const struct words *w, const char *text, size_t n)
{
	char *copy = malloc(n ? n : 1);
	size_t which, want;

	assert_non_null(copy);
	memcpy(copy, text, n);
	for (const char *p = copy, *end = copy + n; p <= end; p++) {
		const char *found = words_find(w, p, end, &which);
		const char *plain = find_plainly(w, p, end, &want);
		assert_ptr_equal(found, plain);
		assert_int_equal(which, want);
		if (p == end || (p = found) == end)
			break;
	}
	free(copy);
}

/* Parts of words, in either case, with bytes of all kinds between them; every length, so that a word stands at every place of a block. */
static size_t make(unsigned *seed, char *ret, size_t max)
{
	size_t n = 0;

	while (n < max) {
		unsigned r = *seed = *seed * 1103515245u + 12345u;
		const struct span *word = &many[r / 65536 % ARRAY_LEN(many)];
		size_t head = r / 2048 % (word->n + 2);
		for (size_t i = 0; i < head && n < max; i++) {
			char c = i < word->n ? word->p[i] : 'x';
			c = c == '#' ? (char)('0' + r % 10) : c;
			ret[n++] = r & 1024 && c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
		}
		if (n < max && r & 4096)
			ret[n++] = (char)(r >> 20);
	}
	return n;
}

static void all_ways_find_the_same(void **state)
{
	struct words w;
	char text[260];
	unsigned seed = 7;

	(void)state;
	for (int narrow = 0; narrow < 2; narrow++) {
		words_narrow = narrow;
		for (size_t i = 0; i < 6000; i++) {
			size_t n = make(&seed, text, i % sizeof(text));
			words_make(&w, i & 1 ? few : many, i & 1 ? ARRAY_LEN(few) : ARRAY_LEN(many));
			compare(&w, text, n);
		}
	}
	words_narrow = false;
}

static void a_word_is_found_at_every_place(void **state)
{
	char text[128];
	struct words w;
	size_t which;

	(void)state;
	words_make(&w, many, ARRAY_LEN(many));
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		for (size_t at = 0; at + many[i].n <= sizeof(text); at++) {
			memset(text, '.', sizeof(text));
			for (size_t k = 0; k < many[i].n; k++)
				text[at + k] = many[i].p[k] == '#' ? '7' : many[i].p[k];
			assert_ptr_equal(words_find(&w, text, text + sizeof(text), &which), text + at);
			assert_int_equal(which, i);
			assert_ptr_equal(words_find(&w, text, text + at + many[i].n - 1, NULL),
					 text + at + many[i].n - 1);
		}
	}
}

static void only_letters_have_two_cases(void **state)
{
	struct words w;

	(void)state;
	words_make(&w, few, ARRAY_LEN(few));
	assert_int_equal(words_at(&w, "PaNiC", (char *)"PaNiC" + 5), 0);
	for (const char *const *s =
		     (const char *const[]){ "*F1121 ", "\nF1x21 ", "\nF1121\n", "\0race", "panik", NULL };
	     *s; s++) {
		const char *end = *s + (**s ? strlen(*s) : 5);
		assert_ptr_equal(words_find(&w, *s, end, NULL), end);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_ways_find_the_same),
		cmocka_unit_test(a_word_is_found_at_every_place),
		cmocka_unit_test(only_letters_have_two_cases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
