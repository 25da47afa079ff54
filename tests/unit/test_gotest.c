/* parse/gotest: one line of go test -json. Both string scanners: SSE2 (where there is one) and the portable one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "parse/gotest.h"
#include "parse/lines.h"

/* The same source again, with the portable scanner and other names. */
bool portable_read(struct span line, struct gotest_event *ret);
struct span portable_text(struct jstr s, struct buf *scratch);
#define GOTEST_PORTABLE 1
#define gotest_read portable_read
#define jstr_text portable_text
#include "../../src/parse/gotest.c"
#undef gotest_read
#undef jstr_text

static bool same_jstr(struct jstr a, struct jstr b)
{
	return a.p == b.p && a.n == b.n && a.esc == b.esc && a.tail_nl == b.tail_nl;
}

static void assert_same(const struct gotest_event *a, const struct gotest_event *b)
{
	assert_int_equal(a->action, b->action);
	assert_true(same_jstr(a->time, b->time) && same_jstr(a->package, b->package) && same_jstr(a->test, b->test));
	assert_true(same_jstr(a->output, b->output) && same_jstr(a->failed_build, b->failed_build));
	assert_true(same_jstr(a->import_path, b->import_path) && same_jstr(a->key, b->key) && same_jstr(a->value, b->value));
	assert_true(same_jstr(a->path, b->path) && same_jstr(a->output_type, b->output_type));
	assert_true(a->elapsed >= b->elapsed && a->elapsed <= b->elapsed);
}

/* Read with both, on memory of exactly this size, so that a sanitizer sees a byte too far. */
static bool read_both(struct span line, struct gotest_event *ret, char **mem)
{
	struct gotest_event other;

	free(*mem);
	*mem = malloc(line.n ? line.n : 1);
	assert_non_null(*mem);
	if (line.n)
		memcpy(*mem, line.p, line.n);
	struct span copy = { *mem, line.n };
	bool is = gotest_read(copy, ret);
	assert_int_equal(portable_read(copy, &other), is);
	if (is)
		assert_same(ret, &other);
	return is;
}

static void assert_text(struct jstr s, const char *want)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (!want) {
		assert_null(s.p);
		return;
	}
	assert_non_null(s.p);
	struct span t = jstr_text(s, &b);
	if (!span_eq(t, span_of(want)))
		fail_msg("got '%.*s', want '%s'", SPAN_ARG(t), want);
}

static const struct {
	const char *line;
	enum gotest_action action;
	const char *package, *test, *output;
	double elapsed;
} events[] = {
	{ "{\"Time\":\"2026-11-21T02:39:18.05Z\",\"Action\":\"start\",\"Package\":\"a/b\"}", ACT_START, "a/b", NULL, NULL, -1 },
	{ "{\"Action\":\"run\"}", ACT_RUN, NULL, NULL, NULL, -1 },
	{ "{\"Action\":\"run\"}\r", ACT_RUN, NULL, NULL, NULL, -1 },
	{ "{\"Action\":\"run\",\"Test\":\"\"}", ACT_RUN, NULL, "", NULL, -1 },
	{ "{\"Action\":\"pause\",\"Test\":\"T\"}", ACT_PAUSE, NULL, "T", NULL, -1 },
	{ "{\"Action\":\"cont\",\"Test\":\"T\"}", ACT_CONT, NULL, "T", NULL, -1 },
	{ "{\"Action\":\"pass\",\"Test\":\"T\",\"Elapsed\":0}", ACT_PASS, NULL, "T", NULL, 0 },
	{ "{\"Action\":\"fail\",\"Test\":\"T\",\"Elapsed\":1.25}", ACT_FAIL, NULL, "T", NULL, 1.25 },
	{ "{\"Action\":\"skip\",\"Elapsed\":2.5e-1}", ACT_SKIP, NULL, NULL, NULL, 0.25 },
	{ "{\"Action\":\"bench\",\"Elapsed\":12E1}", ACT_BENCH, NULL, NULL, NULL, 120 },
	{ "{\"ImportPath\":\"a\",\"Action\":\"build-output\",\"Output\":\"# a\\n\"}", ACT_BUILD_OUTPUT, NULL, NULL, "# a\n", -1 },
	{ "{\"ImportPath\":\"a\",\"Action\":\"build-fail\"}", ACT_BUILD_FAIL, NULL, NULL, NULL, -1 },
	{ "{\"Action\":\"attr\",\"Key\":\"k\",\"Value\":\"v w\"}", ACT_ATTR, NULL, NULL, NULL, -1 },
	{ "{\"Action\":\"artifacts\",\"Path\":\"/p\"}", ACT_ARTIFACTS, NULL, NULL, NULL, -1 },
	/* any order, blanks */
	{ "{\"Output\":\"x\",\"Test\":\"T\",\"Package\":\"p\",\"Action\":\"output\",\"Time\":\"t\"}", ACT_OUTPUT, "p", "T", "x", -1 },
	{ " { \"Action\" : \"output\" ,\t\"Output\" : \"x\" } ", ACT_OUTPUT, NULL, NULL, "x", -1 },
	/* text */
	{ "{\"Action\":\"output\",\"Output\":\"a\\tb \\u003c\\u00e9\\ud83d\\ude00 \\\"q\\\" \\\\n\\n\"}", ACT_OUTPUT, NULL, NULL,
	  "a\tb <\xc3\xa9\xf0\x9f\x98\x80 \"q\" \\n\n", -1 },
	{ "{\"Action\":\"output\",\"Output\":\"\\ud83d lone\"}", ACT_OUTPUT, NULL, NULL, "\xef\xbf\xbd lone", -1 },
	{ "{\"Action\":\"output\",\"Output\":\"raw \xff\xfe \xe4\xb8\xad\\n\"}", ACT_OUTPUT, NULL, NULL, "raw \xff\xfe \xe4\xb8\xad\n", -1 },
	{ "{\"Action\":\"output\",\"Output\":\"exactly 16 bytes\\\\\"}", ACT_OUTPUT, NULL, NULL, "exactly 16 bytes\\", -1 },
	/* unknown fields of every kind, unknown actions, duplicates: the last wins */
	{ "{\"X\":{\"Action\":\"run\",\"a\":[1,-2.5e+3,{},[],[[]],\"}\"]},\"Action\":\"pass\",\"Y\":null,\"Z\":true,\"W\":false}", ACT_PASS,
	  NULL, NULL, NULL, -1 },
	{ "{\"Action\":\"melt\",\"Package\":\"p\"}", ACT_UNKNOWN, "p", NULL, NULL, -1 },
	{ "{\"Action\":\"\"}", ACT_UNKNOWN, NULL, NULL, NULL, -1 },
	{ "{\"Action\":\"run\",\"Action\":\"pass\",\"Test\":\"A\",\"Test\":\"B\"}", ACT_PASS, NULL, "B", NULL, -1 },
	{ "{\"Action\":\"run\",\"Test\":null}", ACT_RUN, NULL, NULL, NULL, -1 },
	{ "{\"Action\":\"run\",\"Test\":\"T\",\"Test\":7}", ACT_RUN, NULL, NULL, NULL, -1 },
	{ "{\"Action\":\"run\",\"Elapsed\":\"soon\"}", ACT_RUN, NULL, NULL, NULL, -1 },
	{ "{\"Action\":\"run\",\"Elapsed\":-3}", ACT_RUN, NULL, NULL, NULL, -1 },
	{ "{\"Action\":\"run\",\"Elapsed\":1e999}", ACT_RUN, NULL, NULL, NULL, -1 },
	{ "{\"action\":\"run\",\"Action\":\"fail\",\"Actio\":\"run\",\"Actions\":\"run\"}", ACT_FAIL, NULL, NULL, NULL, -1 },
};

static void events_of_every_kind(void **state)
{
	struct gotest_event e;
	char *mem = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		if (!read_both(span_of(events[i].line), &e, &mem))
			fail_msg("not an event: %s", events[i].line);
		if (e.action != events[i].action)
			fail_msg("action %d, want %d: %s", e.action, events[i].action, events[i].line);
		assert_text(e.package, events[i].package);
		assert_text(e.test, events[i].test);
		assert_text(e.output, events[i].output);
		assert_true(e.elapsed > events[i].elapsed - 1e-9 && e.elapsed < events[i].elapsed + 1e-9);
	}
	free(mem);
}

static void fields_that_are_rare(void **state)
{
	struct gotest_event e;
	char *mem = NULL;

	(void)state;
	assert_true(read_both(S("{\"Time\":\"t\",\"Action\":\"fail\",\"Package\":\"p\",\"FailedBuild\":\"p [p.test]\",\"OutputType\":\"error\","
				"\"Key\":\"k\",\"Value\":\"v\",\"Path\":\"/a\",\"ImportPath\":\"i\"}"), &e, &mem));
	assert_text(e.time, "t");
	assert_text(e.failed_build, "p [p.test]");
	assert_text(e.output_type, "error");
	assert_text(e.key, "k");
	assert_text(e.value, "v");
	assert_text(e.path, "/a");
	assert_text(e.import_path, "i");
	free(mem);
}

static const char *const others[] = {
	"", "{", "}", "{}", "[]", "null", "plain text", "{\"Action\"}", "{\"Action\":}", "{\"Action\":run}", "{\"Action\":7}",
	"{\"Action\":null}", "{\"Package\":\"p\"}", "{\"X\":{\"Action\":\"run\"}}", "[{\"Action\":\"run\"}]", "{\"Action\":\"run\"",
	"{\"Action\":\"run\"}}", "{\"Action\":\"run\"} x", "{\"Action\":\"run\"}{\"Action\":\"run\"}", "x{\"Action\":\"run\"}",
	"{\"Action\":\"run\",}", "{,\"Action\":\"run\"}", "{\"Action\":\"run\" \"Test\":\"T\"}", "{\"Action\":\"run\",\"Test\":\"T}",
	"{\"Action\":\"run\",\"Test\":\"\\x\"}", "{\"Action\":\"run\",\"Test\":\"\\u12g4\"}", "{\"Action\":\"run\",\"Test\":\"\\u12\"}",
	"{\"Action\":\"run\",\"Test\":\"tab\there\"}", "{\"Action\":\"run\",\"E\":01}", "{\"Action\":\"run\",\"E\":1.}",
	"{\"Action\":\"run\",\"E\":.5}", "{\"Action\":\"run\",\"E\":-}", "{\"Action\":\"run\",\"E\":1e}", "{\"Action\":\"run\",\"E\":+1}",
	"{\"Action\":\"run\",\"E\":NaN}", "{\"Action\":\"run\",\"E\":tru}", "{\"Action\":\"run\",\"E\":[1,]}", "{\"Action\":\"run\",\"E\":[1 2]}",
	"{\"Action\":\"run\",\"E\":{\"a\"}}", "{\"Action\":\"run\",\"E\":{\"a\":1,}}", "{\"Action\":\"run\",\"E\":[}", "{\"Action\":\"run\",\"E\":{]}",
	"{\"Action\":\"run\",\"Action\":1}", "{'Action':'run'}", "\xef\xbb\xbf{\"Action\":\"run\"}",
};

static void what_is_not_an_event(void **state)
{
	struct gotest_event e;
	char *mem = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (read_both(span_of(others[i]), &e, &mem))
			fail_msg("taken for an event: %s", others[i]);
	}
	assert_false(read_both(S("{\"Action\":\"run\",\"Test\":\"a\0b\"}"), &e, &mem));
	assert_false(read_both(S("{\"Action\":\"run\"}\0"), &e, &mem));
	free(mem);
}

static const char full[] = "{\"Time\":\"2026-11-21T02:39:18.054174676Z\",\"Action\":\"output\",\"Package\":\"ex.com/fx/p\",\"Test\":\"TestBefore/a\","
			   "\"Elapsed\":1.5,\"X\":[{\"k\":null}],\"Output\":\"--- PASS: \\u003cT\\u003e (0.00s)\\n\"}";

static void a_cut_line_is_never_an_event(void **state)
{
	struct gotest_event e;
	char *mem = NULL;
	size_t n = sizeof(full) - 1;

	(void)state;
	assert_true(read_both((struct span){ full, n }, &e, &mem));
	for (size_t i = 0; i < n; i++)
		assert_false(read_both((struct span){ full, i }, &e, &mem));
	for (size_t i = 1; i < n; i++)
		assert_false(read_both((struct span){ full + i, n - i }, &e, &mem));
	free(mem);
}

static bool inside(struct jstr s, const char *p, size_t n)
{
	return !s.p || (s.p >= p && s.p + s.n <= p + n);
}

static void both_scanners_agree_on_damaged_lines(void **state)
{
	static const char bytes[] = "\"\\{}[],:nu0e-. \t\r\x01\x7f\xff";
	char line[sizeof(full)], *mem = NULL;
	struct gotest_event e;

	(void)state;
	srand(11);
	for (int round = 0; round < 60000; round++) {
		size_t n = sizeof(full) - 1;
		memcpy(line, full, n);
		for (int k = rand() % 3; k >= 0; k--)
			line[(size_t)rand() % n] = bytes[(size_t)rand() % (sizeof(bytes) - 1)];
		if (!read_both((struct span){ line, n }, &e, &mem))
			continue;
		assert_true(inside(e.time, mem, n) && inside(e.package, mem, n) && inside(e.test, mem, n) && inside(e.output, mem, n));
	}
	free(mem);
}

static void strings_of_every_length_and_alignment(void **state)
{
	struct gotest_event e;
	char *mem = NULL;

	(void)state;
	for (size_t n = 0; n < 70; n++) {
		for (size_t at = 0; at <= n; at++) {
			CLEANUP(buf_free) struct buf b = { 0 };
			buf_adds(&b, "{\"Action\":\"output\",\"Output\":\"");
			for (size_t i = 0; i < n; i++)
				buf_adds(&b, i == at ? "\\n" : "x");
			buf_adds(&b, "\"}");
			assert_true(read_both(buf_view(&b), &e, &mem));
			assert_int_equal(e.output.n, n + (at < n));
			assert_int_equal(e.output.esc, at < n);
			assert_int_equal(e.output.tail_nl, n && at == n - 1);
		}
	}
	free(mem);
}

static void nesting_is_bounded(void **state)
{
	struct gotest_event e;
	char *mem = NULL;

	(void)state;
	for (int depth = 100; depth <= 200000; depth *= 20) {
		CLEANUP(buf_free) struct buf b = { 0 };
		buf_adds(&b, "{\"Action\":\"run\",\"X\":");
		for (int i = 0; i < depth; i++)
			buf_addc(&b, '[');
		for (int i = 0; i < depth; i++)
			buf_addc(&b, ']');
		buf_addc(&b, '}');
		assert_int_equal(read_both(buf_view(&b), &e, &mem), depth < 512);
	}
	free(mem);
}

static void a_megabyte_of_output(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 }, scratch = { 0 };
	struct gotest_event e;
	char *mem = NULL;

	(void)state;
	buf_adds(&b, "{\"Action\":\"build-output\",\"Output\":\"");
	for (int i = 0; i < 100000; i++)
		buf_adds(&b, "./a.go:1:2: x\\n");
	buf_adds(&b, "\"}");
	assert_true(read_both(buf_view(&b), &e, &mem));
	assert_true(e.output.esc);
	assert_false(e.output.tail_nl);
	assert_int_equal(jstr_text(e.output, &scratch).n, 1400000);
	free(mem);
}

/* ---- recorded streams ---- */

struct tally {
	int of[ACT_COUNT], plain;
};

static void count_line(void *ctx, struct span line, bool cut)
{
	struct tally *t = ctx;
	struct gotest_event e, f;
	bool is = !cut && gotest_read(line, &e);

	assert_int_equal(is, portable_read(line, &f));
	if (is) {
		assert_same(&e, &f);
		assert_true(gotest_maybe(line));
		t->of[e.action]++;
	} else {
		t->plain += line.n != 0;
	}
}

/* Counted by another JSON reader. */
static const struct {
	const char *name;
	struct tally want;
} streams[] = {
	{ "1.25-panics", { { [ACT_START] = 1, [ACT_RUN] = 3, [ACT_OUTPUT] = 22, [ACT_PASS] = 1, [ACT_FAIL] = 3 }, 0 } },
	{ "1.25-timeout", { { [ACT_START] = 1, [ACT_RUN] = 3, [ACT_OUTPUT] = 49, [ACT_PASS] = 1, [ACT_FAIL] = 1 }, 0 } },
	{ "1.25-race", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 41, [ACT_FAIL] = 2 }, 0 } },
	{ "1.25-raceg", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 23, [ACT_PASS] = 1, [ACT_FAIL] = 1 }, 0 } },
	{ "1.25-sigsegv", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 122, [ACT_FAIL] = 1 }, 0 } },
	{ "1.25-bench", { { [ACT_START] = 1, [ACT_RUN] = 4, [ACT_OUTPUT] = 24, [ACT_FAIL] = 2, [ACT_SKIP] = 1 }, 0 } },
	{ "1.25-buildfail", { { [ACT_START] = 1, [ACT_OUTPUT] = 1, [ACT_FAIL] = 1, [ACT_BUILD_OUTPUT] = 2, [ACT_BUILD_FAIL] = 1 }, 0 } },
	{ "1.25-fake", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 7, [ACT_PASS] = 2 }, 0 } },
	{ "1.25-nonl", { { [ACT_START] = 1, [ACT_RUN] = 3, [ACT_OUTPUT] = 10, [ACT_PASS] = 2, [ACT_FAIL] = 2 }, 0 } },
	{ "1.25-multi", { { [ACT_START] = 6, [ACT_RUN] = 4, [ACT_PAUSE] = 2, [ACT_CONT] = 2, [ACT_OUTPUT] = 21, [ACT_PASS] = 4, [ACT_FAIL] = 4, [ACT_SKIP] = 2, [ACT_BUILD_OUTPUT] = 8, [ACT_BUILD_FAIL] = 4 }, 0 } },
	{ "1.25-goexit", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 18, [ACT_FAIL] = 2 }, 0 } },
	{ "1.25-childio", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 6, [ACT_PASS] = 1, [ACT_FAIL] = 1 }, 0 } },
	{ "1.25-failfast", { { [ACT_START] = 1, [ACT_RUN] = 2, [ACT_OUTPUT] = 8, [ACT_FAIL] = 3 }, 0 } },
	{ "1.25-logafter", { { [ACT_START] = 1, [ACT_RUN] = 2, [ACT_OUTPUT] = 6, [ACT_PASS] = 3 }, 0 } },
	{ "1.25-fuzz", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 15, [ACT_FAIL] = 2 }, 0 } },
	{ "1.25-vetfail", { { [ACT_START] = 1, [ACT_OUTPUT] = 1, [ACT_FAIL] = 1, [ACT_BUILD_OUTPUT] = 3, [ACT_BUILD_FAIL] = 1 }, 0 } },
	{ "1.25-bigline", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 11, [ACT_PASS] = 2, [ACT_FAIL] = 1 }, 0 } },
	{ "1.25-nonlv", { { [ACT_START] = 1, [ACT_RUN] = 3, [ACT_OUTPUT] = 8, [ACT_PASS] = 1, [ACT_FAIL] = 1 }, 0 } },
	{ "1.25-par", { { [ACT_START] = 1, [ACT_RUN] = 2, [ACT_PAUSE] = 2, [ACT_CONT] = 2, [ACT_OUTPUT] = 23, [ACT_FAIL] = 2 }, 0 } },
	{ "1.25-cover", { { [ACT_START] = 2, [ACT_RUN] = 4, [ACT_PAUSE] = 2, [ACT_CONT] = 2, [ACT_OUTPUT] = 18, [ACT_PASS] = 4, [ACT_SKIP] = 2 }, 0 } },
	{ "1.20-panics", { { [ACT_START] = 1, [ACT_RUN] = 3, [ACT_OUTPUT] = 23, [ACT_PASS] = 1, [ACT_FAIL] = 3 }, 0 } },
	{ "1.20-timeout", { { [ACT_START] = 1, [ACT_RUN] = 3, [ACT_OUTPUT] = 49, [ACT_PASS] = 1, [ACT_FAIL] = 1 }, 0 } },
	{ "1.20-race", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 42, [ACT_FAIL] = 2 }, 0 } },
	{ "1.20-fail", { { [ACT_START] = 1, [ACT_RUN] = 2, [ACT_OUTPUT] = 8, [ACT_FAIL] = 3 }, 0 } },
	{ "1.20-fuzz", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 15, [ACT_FAIL] = 2 }, 0 } },
	{ "1.20-buildfail", { {  }, 1 } },
	{ "1.20-stackov", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 55 }, 3 } },
	{ "1.20-cached", { { [ACT_START] = 1, [ACT_RUN] = 4, [ACT_PAUSE] = 2, [ACT_CONT] = 2, [ACT_OUTPUT] = 16, [ACT_PASS] = 4, [ACT_SKIP] = 1 }, 0 } },
	{ "1.20-skipall", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 5, [ACT_PASS] = 1, [ACT_SKIP] = 1 }, 0 } },
	{ "1.20-exit3", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 2, [ACT_FAIL] = 1 }, 0 } },
	{ "1.22-panics", { { [ACT_START] = 1, [ACT_RUN] = 3, [ACT_OUTPUT] = 23, [ACT_PASS] = 1, [ACT_FAIL] = 3 }, 0 } },
	{ "1.22-timeout", { { [ACT_START] = 1, [ACT_RUN] = 3, [ACT_OUTPUT] = 49, [ACT_PASS] = 1, [ACT_FAIL] = 1 }, 0 } },
	{ "1.22-fatalgo", { { [ACT_START] = 1, [ACT_RUN] = 2, [ACT_OUTPUT] = 6, [ACT_PASS] = 1, [ACT_FAIL] = 2 }, 0 } },
	{ "1.22-sigkill", { { [ACT_START] = 1, [ACT_RUN] = 1, [ACT_OUTPUT] = 3, [ACT_FAIL] = 1 }, 0 } },
	{ "1.22-syntaxfail", { {  }, 1 } },
	{ "1.22-importfail", { {  }, 1 } },
	{ "1.22-notests", { { [ACT_START] = 1, [ACT_OUTPUT] = 3, [ACT_PASS] = 1 }, 0 } },
};

static void recorded_streams(void **state)
{
	const char *root = getenv("TOCSIN_SOURCE");
	char path[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		struct err err;
		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/gotest/%s", root ? root : ".", streams[i].name);
		if (file_slurp(path, &b, &err) < 0)
			fail_msg("%s", err.msg);
		for (size_t step = 1; step < 100000; step = step * 7 + 1) {
			struct tally t = { 0 };
			struct lines l = { .fn = count_line, .ctx = &t };
			for (size_t at = 0; at < b.len; at += step)
				lines_feed(&l, span_head(span_from(buf_view(&b), at), step));
			lines_end(&l);
			lines_free(&l);
			if (memcmp(&t, &streams[i].want, sizeof(t)) != 0)
				fail_msg("%s: other counts (run %d, output %d, pass %d, fail %d, plain %d)", streams[i].name, t.of[ACT_RUN],
					 t.of[ACT_OUTPUT], t.of[ACT_PASS], t.of[ACT_FAIL], t.plain);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_of_every_kind),
		cmocka_unit_test(fields_that_are_rare),
		cmocka_unit_test(what_is_not_an_event),
		cmocka_unit_test(a_cut_line_is_never_an_event),
		cmocka_unit_test(both_scanners_agree_on_damaged_lines),
		cmocka_unit_test(strings_of_every_length_and_alignment),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(a_megabyte_of_output),
		cmocka_unit_test(recorded_streams),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
