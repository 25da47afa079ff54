#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H
/* tests/golden/modules/vectors.tsv: answers recorded from golang.org/x/mod and Go's standard library. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"

#define FIELDS_MAX 9

struct vector {
	struct span field[FIELDS_MAX]; /* without the kind; decoded */
	char text[512];
};

static int vector_hex(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

static void vector_read(struct span line, struct vector *v)
{
	size_t at = 0;

	assert_true(line.n < sizeof(v->text));
	*v = (struct vector){ 0 };
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		struct span f = span_cut(&line, '\t');
		v->field[i].p = v->text + at;
		for (size_t k = 0; k < f.n; k++, v->field[i].n++) {
			bool escape = f.p[k] == '%';
			v->text[at++] = escape ? (char)(vector_hex(f.p[k + 1]) << 4 | vector_hex(f.p[k + 2])) : f.p[k];
			k += escape ? 2 : 0;
		}
	}
}

static void vectors_slurp(struct buf *text)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	const char *root = getenv("TOCSIN_SOURCE");
	struct err e;

	buf_addf(&path, "%s/tests/golden/modules/vectors.tsv", root ? root : ".");
	if (file_slurp(buf_str(&path), text, &e) < 0)
		fail_msg("%s: run from the top of the source, or set TOCSIN_SOURCE", e.msg);
}

static bool is_one(struct span s)
{
	return span_eq(s, S("1"));
}

/* Calls f for each row of this kind; there must be some. */
static void vectors_each(const char *kind, void (*f)(const struct vector *v))
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct vector v;
	size_t n = 0;

	vectors_slurp(&text);
	for (struct span rest = buf_view(&text); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		if (!span_eq(span_cut(&line, '\t'), span_of(kind)))
			continue;
		vector_read(line, &v);
		f(&v);
		n++;
	}
	assert_true(n > 40);
}

#define EXPECT(v, holds)                                                                                             \
	do {                                                                                                         \
		if (!(holds))                                                                                        \
			fail_msg("'%.*s' '%.*s': not " #holds, SPAN_ARG((v)->field[0]), SPAN_ARG((v)->field[1]));     \
	} while (0)
#endif
