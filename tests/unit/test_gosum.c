/* parse: go.sum and vendor/modules.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/time.h"
#include "parse/fields.h"
#include "parse/gosum.h"
#include "parse/modulestxt.h"

#define HASH "h1:PQ5V1Zp4NO5Pv4nW1/4FDvHLJCVkvMGyT9gQDSFvQTs="

static const struct {
	const char *line;
	enum gosum_problem problem;
	int column;
} sums[] = {
	{ "a.b/c v1.0.0 " HASH, GOSUM_FINE, 0 },
	{ "a.b/c v1.0.0/go.mod " HASH, GOSUM_FINE, 0 },
	{ "  a.b/c\tv1.0.0+incompatible   " HASH "  ", GOSUM_FINE, 0 },
	{ "a.b/C v0.0.0-20191109021931-daa7c04131f5 " HASH, GOSUM_FINE, 0 },
	{ "golang.org/toolchain v0.0.1-go1.21.0.linux-amd64 " HASH, GOSUM_FINE, 0 },
	{ "a.b/c v1.0.0", GOSUM_FIELDS, 1 },
	{ "a.b/c v1.0.0 " HASH " x", GOSUM_FIELDS, 1 },
	{ "// a comment of mine", GOSUM_FIELDS, 1 },
	{ "<<<<<<< HEAD", GOSUM_MERGE, 1 },
	{ "=======", GOSUM_MERGE, 1 },
	{ ">>>>>>> a branch", GOSUM_MERGE, 1 },
	{ ">>>>>>> abc", GOSUM_MERGE, 1 },
	{ "||||||| merged common ancestors", GOSUM_MERGE, 1 },
	{ "========", GOSUM_FIELDS, 1 },
	{ "<<<<<<<x", GOSUM_FIELDS, 1 },
	{ "\xef\xbb\xbf" "a.b/c v1.0.0 " HASH, GOSUM_PATH, 1 },
	{ "a.b/c!d v1.0.0 " HASH, GOSUM_PATH, 1 },
	{ "a.b/c v1.0 " HASH, GOSUM_VERSION, 7 },
	{ "a.b/c 1.0.0 " HASH, GOSUM_VERSION, 7 },
	{ "a.b/c v1.0.0/go.sum " HASH, GOSUM_VERSION, 7 },
	{ "a.b/c " HASH " v1.0.0", GOSUM_VERSION, 7 },
	{ "a.b/c v1.0.0 h1:", GOSUM_HASH, 14 },
	{ "a.b/c v1.0.0 h1:PQ5V1Zp4NO5Pv4nW1/4FDvHLJCVkvMGyT9gQDSFvQTs", GOSUM_HASH, 14 },
	{ "a.b/c v1.0.0 h1:PQ5V1Zp4NO5Pv4nW1/4FDvHLJCVkvMGyT9gQDSFvQTt=", GOSUM_HASH, 14 }, /* its spare bits are not 0 */
	{ "a.b/c v1.0.0 h1:PQ5V1Zp4NO5Pv4nW1/4FDvHLJCVkvMGyT9gQDSFvQ=s=", GOSUM_HASH, 14 },
	{ "a.b/c v1.0.0 h1:PQ5V1Zp4NO5Pv4nW1_4FDvHLJCVkvMGyT9gQDSFvQTs=", GOSUM_HASH, 14 },
	{ "a.b/c v1.0.0 h2:x", GOSUM_UNKNOWN, 14 },
	{ "a.b/c v1.0.0/go.mod h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=", GOSUM_EMPTY, 21 },
};

static void test_gosum(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
		struct gosum_at at = { .rest = span_of(sums[i].line) };
		struct gosum_line l;
		assert_true(gosum_next(&at, &l));
		if (l.problem != sums[i].problem || (sums[i].column && l.column != sums[i].column))
			fail_msg("'%s': problem %d, column %d", sums[i].line, l.problem, l.column);
		assert_int_equal(l.line, 1);
		if (l.problem == GOSUM_FINE)
			assert_int_equal(l.go_mod, strstr(sums[i].line, "/go.mod") != NULL);
		assert_false(gosum_next(&at, &l));
	}
}

static void test_gosum_file(void **state)
{
	struct span text = { "\na.b v1.0.0/go.mod " HASH "\r\n \t\r\n\nc.d v2.0.0 \0 x y\n", 0 };
	struct gosum_line l;
	unsigned char hash[32];

	text.n = strlen(text.p) + strlen(" x y\n") + 1;
	struct gosum_at at = { .rest = text };
	assert_true(gosum_next(&at, &l) && l.line == 2 && l.crlf && l.go_mod && l.problem == GOSUM_FINE);
	assert_true(span_eq(l.path, S("a.b")) && span_eq(l.version, S("v1.0.0")) && span_eq(l.hash, S(HASH)));
	assert_true(gosum_hash(l.hash, hash) && hash[0] == 0x3d && hash[1] == 0x0e && hash[2] == 0x55 && hash[31] == 0x3b);
	assert_true(gosum_next(&at, &l) && l.line == 5 && !l.crlf && l.problem == GOSUM_BINARY);
	assert_false(gosum_next(&at, &l));
	assert_false(gosum_hash((struct span){ 0 }, NULL));
}

/* A million lines in a time that nobody notices, also where one line is all of it. */
static void test_gosum_size(void **state)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct gosum_line l;
	size_t fine = 0;

	for (int i = 0; i < 1000000; i++)
		buf_adds(&text, "github.com/some-where/module v1.23.4/go.mod " HASH "\n");
	assert_false(text.bad);
	int64_t began = time_mono();
	for (struct gosum_at at = { .rest = buf_view(&text) }; gosum_next(&at, &l);)
		fine += l.problem == GOSUM_FINE;
	int64_t took = time_mono() - began;
	print_message("# 1000000 lines of go.sum in %d ms\n", (int)(took / NSEC_PER_MSEC));
	assert_int_equal(fine, 1000000);
	for (size_t i = 0; i < text.len; i++)
		text.p[i] = text.p[i] == '\n' ? ' ' : text.p[i];
	struct gosum_at at = { .rest = buf_view(&text) };
	assert_true(gosum_next(&at, &l) && l.problem == GOSUM_FIELDS && l.words == 3000000);
	assert_true(time_mono() - began < 20 * NSEC_PER_SEC);
}

/* Words and the blanks between them as Go has them. */
static void test_fields(void **state)
{
	struct span rest = S("\xc2\xa0 a\xc2\x85\xe2\x80\x83" "b\xc3\xa9\v\xe3\x80\x80 \xe2\x80\x8b\xe1\x9a\x80 \xff\xe2"), word;
	static const char *const want[] = { "a", "b\xc3\xa9", "\xe2\x80\x8b", "\xff\xe2" };

	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_true(fields_next(&rest, &word) && span_eq(word, span_of(want[i])));
	assert_false(fields_next(&rest, &word));
	assert_true(span_eq(fields_trim(S("\xe2\x81\x9f\t x y\xc2\xa0\xe2\x80\xa8\r\n")), S("x y")));
	assert_int_equal(fields_trim(S(" \xe3\x80\x80 ")).n, 0);
}

/* Each line: kind letter (Workspace, Module, Note, pAckage, Problem), line, what is in it. */
static void describe(struct span text, struct buf *ret)
{
	struct modulestxt_at at = { .rest = text };
	struct modulestxt_line l;

	while (modulestxt_next(&at, &l)) {
		buf_addf(ret, "%c%d", "WMNAP"[l.kind], (int)l.line);
		struct span all[] = { l.path, l.version, l.new_path, l.new_version, l.go };
		for (size_t i = 0; i < ARRAY_LEN(all); i++)
			buf_addf(ret, " %.*s", all[i].p ? (int)all[i].n : 1, all[i].p ? all[i].p : "-");
		buf_adds(ret, l.explicit ? " explicit;" : ";");
	}
}

static const struct {
	const char *text, *want;
} lists[] = {
	{ "", "" },
	{ "# a.b/c v1.2.3\n## explicit; go 1.17\na.b/c\na.b/c/d\n", "M1 a.b/c v1.2.3 - - -;N2 - - - - 1.17 explicit;A3 a.b/c - - - -;A4 a.b/c/d - - - -;" },
	{ "## workspace\n# a.b v1.0.0\n## go 1.20\n", "W1 - - - - -;M2 a.b v1.0.0 - - -;N3 - - - - 1.20;" },
	{ "# a.b v1.0.0 => ./x\n# c.d => e.f v1.1.0\n# g.h => ../i\n", "M1 a.b v1.0.0 ./x - -;M2 c.d - e.f v1.1.0 -;M3 g.h - ../i - -;" },
	{ "# a.b v1.0.0 => c.d v1.2.3\r\n## explicit\r\na.b\r\n", "M1 a.b v1.0.0 c.d v1.2.3 -;N2 - - - - - explicit;A3 a.b - - - -;" },
	{ "a.b\n## explicit\n## workspace\n", "P1 - - - - -;P2 - - - - -;P3 - - - - -;" },
	{ "# a.b master\na.b\n", "P1 - - - - -;P2 - - - - -;" },
	{ "# a.b v1.0.0 => x y\n# a.b v1.0.0 x\na.b/c\n", "P1 a.b v1.0.0 - - -;P2 a.b v1.0.0 - - -;A3 a.b/c - - - -;" },
	{ "# a.b v1.0.0\n# x\na.b c\n-x\n<<<<<<< HEAD\n#a.b v1.0.0\na.b/e\n", "M1 a.b v1.0.0 - - -;P2 - - - - -;P3 - - - - -;P4 - - - - -;P5 - - - - -;P6 - - - - -;A7 a.b/e - - - -;" },
	{ "# a.b v1.0.0\n## go 1.17;explicit ; x\n\n\na.b", "M1 a.b v1.0.0 - - -;N2 - - - - 1.17 explicit;A5 a.b - - - -;" },
};

static void test_modulestxt(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		describe(span_of(lists[i].text), &b);
		if (strcmp(buf_str(&b), lists[i].want))
			fail_msg("'%s' is '%s', not '%s'", lists[i].text, buf_str(&b), lists[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gosum),
		cmocka_unit_test(test_gosum_file),
		cmocka_unit_test(test_gosum_size),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_modulestxt),
	};

	return cmocka_run_group_tests_name("gosum", tests, NULL, NULL);
}
