/* diagnose/match: every golden case of tests/golden/causes, every MATCH row, precedence and hostile text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <dirent.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "diagnose/match.h"

enum { CASES_MAX = 1000 };

/* A case: ";; cause ID CLASSES" (or "none -"), ";; where WORD…", more ";; " lines, then the text. */
struct golden {
	char name[200], cause[64], classes[16];
	unsigned where;
	struct buf file;
	struct span text;
};

static const struct { struct span word; unsigned bit; } places[] = {
	{ { "go", 2 }, IN_GO }, { { "build", 5 }, IN_BUILD }, { { "test", 4 }, IN_TEST },
	{ { "any", 3 }, IN_ANY }, { { "passed", 6 }, IN_PASSED },
};

static struct match *m;

static int begin(void **state)
{
	struct err e;

	(void)state;
	return match_new(&m, &e);
}

static int end(void **state)
{
	(void)state;
	match_free(m);
	return 0;
}

static const struct cause_match *matched(const char *text, unsigned where)
{
	return match_text(m, span_of(text), where);
}

static void assert_cause(const char *text, unsigned where, enum cause c)
{
	const struct cause_match *row = matched(text, where);
	enum cause got = row ? row->cause : CAUSE_NONE;

	if (got != c)
		fail_msg("\"%.200s\": %s instead of %s", text, got ? cause_table[got].id : "none", c ? cause_table[c].id : "none");
}

/* ---- golden cases ---- */

static unsigned where_bits(struct span words)
{
	unsigned bits = 0;

	while (words.n) {
		struct span w = span_cut(&words, ' ');
		for (size_t i = 0; i < ARRAY_LEN(places); i++) {
			if (span_eq(w, places[i].word))
				bits |= places[i].bit;
		}
	}
	return bits;
}

static void copy(char *to, size_t size, struct span s)
{
	snprintf(to, size, "%.*s", SPAN_ARG(s));
}

static void golden_read(struct golden *g, const char *dir, const char *name)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct err e;

	copy(g->name, sizeof(g->name), span_of(name));
	path_join(&path, dir, name);
	g->file = (struct buf){ 0 };
	if (file_slurp(buf_str(&path), &g->file, &e) < 0)
		fail_msg("%s", e.msg);
	g->text = buf_view(&g->file);
	while (span_starts(g->text, S(";; "))) {
		struct span line = span_cut(&g->text, '\n');
		span_skip(&line, S(";; "));
		if (span_skip(&line, S("cause "))) {
			copy(g->cause, sizeof(g->cause), span_cut(&line, ' '));
			copy(g->classes, sizeof(g->classes), line);
		} else if (span_skip(&line, S("where "))) {
			g->where = where_bits(line);
		}
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct golden *)a)->name, ((const struct golden *)b)->name);
}

static size_t golden_load(struct golden *all)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	const char *root = getenv("TOCSIN_SOURCE");
	struct dirent *d;
	size_t n = 0;

	path_join(&dir, root ? root : ".", "tests/golden/causes");
	DIR *h = opendir(buf_str(&dir));
	if (!h)
		fail_msg("no folder %s: run from the top of the source, or set TOCSIN_SOURCE", buf_str(&dir));
	while ((d = readdir(h)) && n < CASES_MAX) {
		if (span_ends(span_of(d->d_name), S(".txt")))
			golden_read(&all[n++], buf_str(&dir), d->d_name);
	}
	closedir(h);
	qsort(all, n, sizeof(*all), by_name);
	return n;
}

/* The number of things that are wrong with one case. */
static int golden_check(const struct golden *g, bool *hit)
{
	bool none = !strcmp(g->cause, "none");
	int wrong = 0;

	if (!g->where || (!none && !cause_by_id(span_of(g->cause)))) {
		print_message("# %s: its header names no known cause or place\n", g->name);
		return 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (!(g->where & places[i].bit))
			continue;
		const struct cause_match *row = match_text(m, g->text, places[i].bit);
		if (row)
			hit[row - cause_matches] = true;
		bool right = row ? !none && !strcmp(cause_table[row->cause].id, g->cause) && !strcmp(row->classes, g->classes) : none;
		if (right)
			continue;
		wrong++;
		print_message("# %s in %.*s: %s %s (%s) instead of %s %s\n", g->name, SPAN_ARG(places[i].word),
			      row ? cause_table[row->cause].id : "none", row ? row->classes : "", row ? row->literals : "", g->cause, g->classes);
	}
	return wrong;
}

static void golden_cases(void **state)
{
	struct golden *all = calloc(CASES_MAX, sizeof(*all));
	bool *hit = calloc(cause_match_count, sizeof(*hit));
	int wrong = 0;

	(void)state;
	assert_true(all && hit);
	size_t n = golden_load(all);
	assert_true(n > 200);
	for (size_t i = 0; i < n; i++)
		wrong += golden_check(&all[i], hit);
	for (size_t i = 0; i < cause_match_count; i++) {
		if (hit[i])
			continue;
		wrong++;
		print_message("# no golden case for %s \"%s\"\n", cause_table[cause_matches[i].cause].id, cause_matches[i].literals);
	}
	for (size_t i = 0; i < n; i++)
		buf_free(&all[i].file);
	free(all);
	free(hit);
	assert_int_equal(wrong, 0);
}

/* ---- rules ---- */

#define REFUSED "go: m@v1.0.0: Get \"https://p.example/m/@v/v1.0.0.mod\": dial tcp 1.2.3.4:443: connect: connection refused\n"
#define MISMATCH "verifying m@v1.0.0: checksum mismatch\n\tdownloaded: h1:a\n\tgo.sum: h1:b\n"
#define NO_HOST "go: n@v1.0.0: Get \"https://q.example/n/@v/list\": dial tcp: lookup q.example: no such host\n"
#define FULL "go: writing stat cache: no space left on device\n"
#define MISSING "a.go:3:8: no required module provides package x.example/y; to add it:\n"

static void precedence(void **state)
{
	(void)state;
	assert_cause(MISMATCH FULL REFUSED MISSING, IN_GO, CAUSE_MOD_CHECKSUM);
	assert_cause(FULL REFUSED MISSING, IN_GO, CAUSE_PROC_NO_SPACE);
	assert_cause(REFUSED MISSING, IN_GO, CAUSE_MOD_CONNECT);
	assert_cause(MISSING REFUSED, IN_GO, CAUSE_MOD_CONNECT);
	assert_cause(REFUSED NO_HOST, IN_GO, CAUSE_MOD_DNS);
	assert_cause(NO_HOST REFUSED, IN_GO, CAUSE_MOD_CONNECT);
	assert_cause(MISSING, IN_GO, CAUSE_BUILD_PACKAGE);
}

static void only_where_believed(void **state)
{
	(void)state;
	assert_cause(REFUSED, IN_TEST, CAUSE_NONE);
	assert_cause(REFUSED, IN_PASSED, CAUSE_NONE);
	assert_cause("dial tcp 127.0.0.1:5432: connect: connection refused", IN_ANY, CAUSE_NONE);
	assert_cause(REFUSED, IN_TEST | IN_GO, CAUSE_MOD_CONNECT);
	assert_cause("", IN_GO, CAUSE_NONE);
	assert_cause("go", IN_GO, CAUSE_NONE);
}

static void server_words(void **state)
{
	(void)state;
	assert_cause("go: m@v1: reading https://p/m/@v/v1.info: 503 Service Unavailable\n\tserver response: " MISMATCH, IN_GO, CAUSE_MOD_PROXY);
	/* what follows the answer is go's again */
	assert_cause("go: m@v1: new words\n\tserver response:\n\t" FULL "\t404 Not Found\n" REFUSED, IN_GO, CAUSE_MOD_CONNECT);
	assert_cause("go: m@v1: new words\n\tserver response: one line\n\tconnect: connection refused\n", IN_GO, CAUSE_MOD_CONNECT);
	assert_cause("server response: not at the start of an indented line, no space left on device\n", IN_GO, CAUSE_PROC_NO_SPACE);
}

static void hostile_text(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 20000; i++)
		buf_adds(&b, "verifying panic: reading http undefined: Get \"http --- FAIL: x: permission denied fork/exec ");
	match_text(m, buf_view(&b), IN_GO | IN_BUILD | IN_TEST | IN_ANY); /* one line of megabytes: it ends, that is all */
	buf_clear(&b);
	for (int i = 0; i < 50000; i++)
		buf_add(&b, "\0\xff\x1b[31m\r", 8);
	buf_adds(&b, "\n" REFUSED);
	assert_non_null(match_text(m, buf_view(&b), IN_GO));
	buf_adds(&b, "go: a lone end: unexpected EO");
	assert_non_null(match_text(m, buf_view(&b), IN_GO));
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Not a benchmark: catches a scan that has become ten times too slow. */
static void speed(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	(void)state;
	while (b.len < 32u << 20)
		buf_adds(&b, "2026-01-01T00:00:00Z level=info msg=\"order 81 was stored, two items, paid by card\" ms=17\n");
	double from = cpu_seconds();
	assert_null(match_text(m, buf_view(&b), IN_GO | IN_ANY));
	double mb_s = (double)b.len / 1e6 / (cpu_seconds() - from);
	print_message("# scan %.0f MB/s\n", mb_s);
	assert_true(mb_s > 20);
}

static void without_memory(void **state)
{
	struct match *own;
	struct err e;

	(void)state;
	for (long at = 1; at < 20; at++) {
		fault_seen = 0;
		fault_at = at;
		if (match_new(&own, &e) < 0)
			continue;
		match_text(own, S("x\n\tserver response: y\n" REFUSED), IN_GO); /* a match or none, no more is promised */
		fault_at = 0;
		assert_non_null(match_text(own, S(REFUSED), IN_GO)); /* it recovers */
		match_free(own);
	}
	fault_at = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_cases), cmocka_unit_test(precedence), cmocka_unit_test(only_where_believed),
		cmocka_unit_test(server_words), cmocka_unit_test(hostile_text), cmocka_unit_test(speed),
		cmocka_unit_test(without_memory),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
