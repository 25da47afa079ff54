/* The judge: small streams whose verdict is known; the same bytes fed in any pieces give the same report. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "diagnose/judge.h"

#define EV(action, rest) "{\"Action\":\"" action "\",\"Package\":\"m/p\"" rest "}\n"
#define RUN(t) EV("run", ",\"Test\":\"" t "\"")
#define OUT(t, o) EV("output", ",\"Test\":\"" t "\",\"Output\":\"" o "\"")
#define POUT(o) EV("output", ",\"Output\":\"" o "\"")
#define END(a, t) EV(a, ",\"Test\":\"" t "\",\"Elapsed\":0.01")
#define START EV("start", "")
#define PEND(a) EV(a, ",\"Elapsed\":0.1")
#define PASS1(t) RUN(t) OUT(t, "=== RUN   " t "\\n") OUT(t, "--- PASS: " t " (0.00s)\\n") END("pass", t)
#define FAIL1(t) RUN(t) OUT(t, "    a_test.go:12: got 3, want 4\\n") OUT(t, "--- FAIL: " t " (0.00s)\\n") END("fail", t)

struct row {
	const char *name, *out, *err;
	int code; /* -1: explain */
	enum outcome outcome;
	enum cause cause;
	int run, failed; /* -2: do not look */
	bool text;       /* a command whose stdout is not -json */
};

static const struct row rows[] = {
	{ "all pass", START PASS1("TestA") POUT("PASS\\n") POUT("ok  \\tm/p\\t0.1s\\n") PEND("pass"), "", 0, OUTCOME_PASSED, CAUSE_NONE, 1, 0, 0 },
	{ "one fails", START PASS1("TestA") FAIL1("TestB") POUT("FAIL\\n") POUT("FAIL\\tm/p\\t0.1s\\n") PEND("fail"), "", 1,
	  OUTCOME_FAILED, CAUSE_TEST_FAIL, 2, 1, 0 },
	{ "TestMain drops the code", START FAIL1("TestB") POUT("FAIL\\n") POUT("ok  \\tm/p\\t0.1s\\n") PEND("pass"), "", 0,
	  OUTCOME_MASKED, CAUSE_TEST_EXIT_MASKED, 1, 1, 0 },
	{ "a printed ghost failure", START PASS1("TestA") END("fail", "TestGhost") POUT("PASS\\n") POUT("ok  \\tm/p\\t0.1s\\n") PEND("pass"),
	  "", 0, OUTCOME_PASSED, CAUSE_NONE, 1, 0, 0 },
	{ "exit 0 inside a test", START PASS1("TestA") RUN("TestB") OUT("TestB", "=== RUN   TestB\\n") END("pass", "TestB")
	  POUT("ok  \\tm/p\\t0.1s\\n") PEND("pass"), "", 0, OUTCOME_MASKED, CAUSE_TEST_EXIT, -2, -2, 0 },
	{ "no test to run", START POUT("testing: warning: no tests to run\\n") POUT("PASS\\n") POUT("ok  \\tm/p\\t0.1s [no tests to run]\\n")
	  PEND("pass"), "", 0, OUTCOME_EMPTY, CAUSE_TEST_EMPTY, 0, 0, 0 },
	{ "a package that never ends, exit 0", START RUN("TestA"), "", 0, OUTCOME_MASKED, CAUSE_TEST_UNFINISHED, 1, 0, 0 },
	{ "exit 1 and nothing to show for it", START PASS1("TestA") POUT("PASS\\n") POUT("ok  \\tm/p\\t0.1s\\n") PEND("pass"), "", 1,
	  OUTCOME_FAILED, CAUSE_PROC_EXIT, 1, 0, 0 },
	{ "os.Exit(3) in a test", START RUN("TestA") OUT("TestA", "=== RUN   TestA\\n") POUT("FAIL\\tm/p\\t0.1s\\n") PEND("fail"), "", 1,
	  OUTCOME_FAILED, CAUSE_TEST_EXIT, 1, 0, 0 },
	{ "panic in a goroutine", START RUN("TestA") OUT("TestA", "panic: boom\\n") OUT("TestA", "\\n") OUT("TestA", "goroutine 7 [running]:\\n")
	  OUT("TestA", "m/p.TestA.func1()\\n") OUT("TestA", "\\t/src/p/a_test.go:9 +0x1d\\n") POUT("FAIL\\tm/p\\t0.1s\\n") PEND("fail"), "", 1,
	  OUTCOME_FAILED, CAUSE_TEST_PANIC, 1, 0, 0 },
	{ "compile error, 1.19", "FAIL\tm/p [build failed]\nFAIL\n", "# m/p [m/p.test]\n./a_test.go:3:6: undefined: x\n", 2,
	  OUTCOME_FAILED, CAUSE_BUILD_COMPILE, -2, -2, 0 },
	{ "words in the output of a command that succeeded", "--- FAIL: TestX (0.00s)\nFAIL\nexit status 1\n", "panic: not really\n", 0,
	  OUTCOME_PASSED, CAUSE_NONE, -2, -2, 1 },
	{ "plain text, a test fails", "--- FAIL: TestB (0.00s)\n    a_test.go:12: got 3, want 4\nFAIL\nFAIL\tm/p\t0.1s\nFAIL\n", "", 1,
	  OUTCOME_FAILED, CAUSE_TEST_FAIL, -1, 1, 1 },
	{ "a bare status", "", "something broke\n", 3, OUTCOME_FAILED, CAUSE_PROC_EXIT, -1, -1, 1 },
	{ "a saved log", "ok  \tm/p\t0.1s\nFAIL\tm/q [build failed]\n", "", -1, OUTCOME_FAILED, CAUSE_BUILD_COMPILE, -1, 0, 1 },
	{ "a saved log that says nothing", "hello\nworld\n", "", -1, OUTCOME_NONE, CAUSE_NONE, -1, -1, 1 },
};

static void feed(struct judge *j, enum stream s, const char *text, size_t piece)
{
	struct span rest = span_of(text);

	while (rest.n) {
		struct span head = span_head(rest, piece);
		char copy[64];
		memcpy(copy, head.p, head.n <= sizeof(copy) ? head.n : 0); /* the judge must not keep our bytes */
		judge_feed(j, s, head.n <= sizeof(copy) ? (struct span){ copy, head.n } : head);
		memset(copy, '#', sizeof(copy));
		rest = span_from(rest, piece);
	}
}

static int judge_row(const struct row *row, size_t piece, struct report *r)
{
	struct judge_config c = { .explain = row->code < 0, .json_out = row->code >= 0 && !row->text };
	struct judge *j;
	struct err e;

	*r = (struct report){ .is_run = row->code >= 0 };
	if (row->code >= 0)
		r->ending = (struct ending){ .how = END_EXIT, .code = row->code };
	int ret = judge_new(&c, &j, &e);
	if (ret < 0)
		return ret;
	feed(j, STREAM_OUT, row->out, piece);
	feed(j, STREAM_ERR, row->err, piece);
	ret = judge_finish(j, r, &e);
	judge_free(j);
	return ret;
}

static void verdicts(void **state)
{
	(void)state;
	static const size_t pieces[] = { 1, 7, 64, 100000 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			struct report r;
			assert_int_equal(judge_row(&rows[i], pieces[k], &r), 0);
			if (r.outcome != rows[i].outcome || r.cause != rows[i].cause)
				fail_msg("%s: %s %s, expected %s %s", rows[i].name, outcome_word(r.outcome), cause_table[r.cause].id,
					 outcome_word(rows[i].outcome), cause_table[rows[i].cause].id);
			if (rows[i].run != -2)
				assert_int_equal(r.tests.run, rows[i].run);
			if (rows[i].failed != -2)
				assert_int_equal(r.tests.failed, rows[i].failed);
			report_free(&r);
		}
	}
}

static void places_and_messages(void **state)
{
	(void)state;
	struct report r;

	assert_int_equal(judge_row(&rows[1], 100000, &r), 0);
	assert_true(span_eq(r.findings[0].message, S("got 3, want 4")));
	assert_true(span_eq(r.findings[0].file, S("a_test.go")));
	assert_int_equal(r.findings[0].line, 12);
	assert_true(span_eq(r.findings[0].test, S("TestB")));
	assert_string_equal(r.summary, "1 of 2 tests failed in 1 of 1 packages");
	report_free(&r);
	assert_int_equal(judge_row(&rows[9], 100000, &r), 0);
	assert_true(span_eq(r.findings[0].test, S("TestA")));
	assert_int_equal(r.findings[0].line, 9);
	report_free(&r);
}

static const char *const masked_argv[] = { "go", "vet", "./...", NULL };

static void masked_by_a_pipe(void **state)
{
	(void)state;
	static const struct { bool allowed, recovered, below_test; enum outcome outcome; } cases[] = {
		{ false, false, false, OUTCOME_MASKED }, { true, false, false, OUTCOME_PASSED },
		{ false, true, false, OUTCOME_PASSED }, { false, false, true, OUTCOME_PASSED },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct judge_config c = { 0 };
		struct nested n = { .argv = { (const char **)masked_argv, 3 }, .how = END_EXIT, .code = 1,
				    .allowed = cases[i].allowed, .recovered = cases[i].recovered, .below_test = cases[i].below_test };
		struct report r = { .is_run = true, .ending = { .how = END_EXIT } };
		struct judge *j;
		struct err e;
		assert_int_equal(judge_new(&c, &j, &e), 0);
		feed(j, STREAM_ERR, "# m/p\n./a.go:3:2: fmt.Printf format %d has arg \"x\" of wrong type string\n", 1000);
		judge_nested(j, &n);
		assert_int_equal(judge_finish(j, &r, &e), 0);
		judge_free(j);
		assert_int_equal(r.outcome, cases[i].outcome);
		assert_int_equal(r.cause, cases[i].outcome == OUTCOME_MASKED ? CAUSE_PIPE_MASKED : CAUSE_NONE);
		if (r.outcome == OUTCOME_MASKED) {
			assert_int_equal(r.findings[0].line, 3);
			assert_true(r.commands[0].masked);
		}
		for (size_t k = 0; r.outcome == OUTCOME_PASSED && k < r.n_findings; k++)
			assert_int_not_equal(r.findings[k].severity, SEV_ERROR);
		report_free(&r);
	}
}

static void every_failed_allocation_is_an_error_not_a_crash(void **state)
{
	(void)state;
	long at;

	for (at = 1; at < 5000; at++) {
		struct report r;
		fault_at = at, fault_seen = 0;
		judge_row(&rows[9], 7, &r);
		bool hit = fault_seen >= fault_at;
		fault_at = 0;
		report_free(&r);
		if (!hit)
			break;
	}
	assert_true(at > 10 && at < 5000);
}

static void memory_does_not_grow_with_the_stream(void **state)
{
	(void)state;
	struct judge_config c = { .explain = true };
	struct report r = { 0 };
	struct judge *j;
	struct err e;
	char line[512];

	assert_int_equal(judge_new(&c, &j, &e), 0);
	fault_at = 0x7fffffff; /* counts the allocations */
	long before = 0;
	for (int i = 0; i < 40000; i++) {
		if (i == 20000)
			before = fault_seen;
		int n = snprintf(line, sizeof(line), RUN("Test%d") OUT("Test%d", "--- PASS: Test%d (0.00s)\\n") END("pass", "Test%d"), i, i, i, i);
		judge_feed(j, STREAM_OUT, (struct span){ line, (size_t)n });
	}
	assert_true(fault_seen - before < 20); /* the steady state allocates nothing an event */
	fault_at = 0;
	assert_int_equal(judge_finish(j, &r, &e), 0);
	judge_free(j);
	report_free(&r);
}

/* A program without tests: the panics that it recovered, in two streams and any pieces. In what tests print they are their own business. */
#define SERVED "2026/11/21 02:00:00 http: panic serving 127.0.0.1:1: boom\ngoroutine 9 [running]:\nnet/http.(*conn).serve.func1()\n\t/go/server.go:1 +0x1\n" \
	"panic({0x1, 0x2})\n\t/go/panic.go:1 +0x1\nmain.broken(0x1)\n\t/src/main.go:29 +0x1\n\n"
static const struct {
	const char *out, *err;
	bool asked, go_test;
	int code;
	size_t findings;
	int64_t count;
	enum outcome outcome;
} recovering[] = {
	{ "", SERVED SERVED, true, false, 0, 1, 2, OUTCOME_PASSED }, { SERVED, SERVED, true, false, 0, 1, 2, OUTCOME_PASSED },
	{ "", SERVED SERVED, false, false, 0, 0, 0, OUTCOME_PASSED }, { "ok  \tm/p\t0.1s\n", SERVED, true, false, 0, 0, 0, OUTCOME_PASSED },
	{ "", SERVED, true, true, 0, 0, 0, OUTCOME_PASSED }, { "", SERVED, true, false, 3, 2, 1, OUTCOME_FAILED },
};

static void panics_that_were_recovered(void **state)
{
	static const char *const server[] = { "./srv", "-v", NULL }, *const test[] = { "go", "test", NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(recovering) * 2; i++) {
		const struct argv argv = { (const char **)(recovering[i / 2].go_test ? test : server), 2 };
		struct judge_config c = { .argv = argv, .recovered = recovering[i / 2].asked };
		struct report r = { .is_run = true, .ending = { .how = END_EXIT, .code = recovering[i / 2].code } };
		struct judge *j;
		struct err e;

		assert_int_equal(judge_new(&c, &j, &e), 0);
		for (int s = 0; s < 2; s++) {
			struct span all = span_of(s ? recovering[i / 2].err : recovering[i / 2].out);
			size_t piece = i % 2 ? 7 : all.n + 1;
			for (; all.n; all = span_from(all, piece < all.n ? piece : all.n))
				judge_feed(j, s ? STREAM_ERR : STREAM_OUT, span_head(all, piece));
		}
		assert_int_equal(judge_finish(j, &r, &e), 0);
		assert_int_equal(r.outcome, recovering[i / 2].outcome);
		assert_int_equal(r.n_findings, recovering[i / 2].findings);
		if (r.n_findings) {
			const struct finding *f = &r.findings[r.n_findings - 1];
			assert_true(f->cause == CAUSE_GO_PANIC_RECOVERED && f->severity == SEV_WARNING && f->line == 29 && f->count == recovering[i / 2].count);
		}
		judge_free(j);
		report_free(&r);
	}
}

/* Who swallowed the status, as far as the calling command tells. */
static const struct {
	const char *script, *advice;
} eaters[] = {
	{ "make ci -> sh -c 'go vet ./... 2>&1 | tee vet.log'", "`tee`" }, { "sh -c 'go vet ./... |& /usr/bin/grep -v x'", "`grep`" },
	{ "bash -e -c 'GOFLAGS=-x go vet ./... >log 2>&1 || true'", "`|| true`" }, { "make ci -> sh -c 'go vet ./... || :'", "`|| :`" },
	{ "sh -c 'go vet ./...; echo done'", "`set -e`" }, { "sh -c 'go vet ./... && echo ok; echo end'", "(`echo`)" },
	{ "sh -c 'go vet ./... & wait'", "`wait $p`" }, { "sh -c 'if ! go vet ./...; then echo no; fi'", "`exit 1`" },
	{ "sh -c 'echo $(go vet ./...)'", "$(…) loses" }, { "sh -c 'echo `go vet ./...`'", "$(…) loses" },
	{ "make -k ci", "`-` before the recipe line" }, { "make ci -> sh -c 'go vet ./...'", "`-` before the recipe line" },
	{ "find . -name go.mod -execdir go vet ./... ;", "xargs" }, { "/bin/bash -e ./ci/build.sh all", "In build.sh" },
	{ "sh -c 'echo \"a | b\" && go vet ./... | cat'", "`cat`" }, { "sh -c 'go vet $PKGS \"| x\" || true'", "`|| true`" },
	{ "python3 ci.py", "`set -euo pipefail`, no" }, { "sh -c 'make it so'", "`set -euo pipefail`, no" }, { NULL, "`set -euo pipefail`, no" },
};

static void masked_says_who_swallowed_it(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(eaters); i++) {
		struct judge_config c = { 0 };
		struct nested n = { .argv = { (const char **)masked_argv, 3 }, .how = END_EXIT, .code = 1, .script = eaters[i].script };
		struct report r = { .is_run = true, .ending = { .how = END_EXIT } };
		struct judge *j;
		struct err e;
		assert_int_equal(judge_new(&c, &j, &e), 0);
		judge_nested(j, &n);
		assert_int_equal(judge_finish(j, &r, &e), 0);
		judge_free(j);
		assert_int_equal(r.cause, CAUSE_PIPE_MASKED);
		if (span_find(r.findings[0].advice, span_of(eaters[i].advice)) == SPAN_NONE ||
		    span_find(r.findings[0].advice, S("tocsin allow -- go")) == SPAN_NONE)
			fail_msg("%s: %.*s", eaters[i].script ? eaters[i].script : "(none)", SPAN_ARG(r.findings[0].advice));
		report_free(&r);
	}
}

/* What a test or a command printed a lot of: the beginning, a mark, the end. */
static const struct long_row {
	const char *name, *head, *line, *tail; /* line: %d is its number */
	int lines, code;
	bool json;
	enum cause cause;
	const char *shown[4];
	const char *hidden;
} long_rows[] = {
	{ "os.Exit, -json", START RUN("TestA") OUT("TestA", "=== RUN   TestA\\n") OUT("TestA", "the first words\\n"),
	  OUT("TestA", "row \\\"%d\\\" of a long print\\n"), OUT("TestA", "giving up\\n") POUT("FAIL\\tm/p\\t0.1s\\n") PEND("fail"), 3000, 1, true,
	  CAUSE_TEST_EXIT, { "=== RUN   TestA\nthe first words\nrow \"0\" of", "row \"2999\" of a long print\ngiving up" }, "row \"1500\"" },
	{ "os.Exit, text", "ok  \tm/o\t0.1s\nthe first words\n", "row %d of a long print\n", "giving up\nexit status 3\nFAIL\tm/p\t0.1s\nFAIL\n", 3000, 1, false,
	  CAUSE_TEST_EXIT, { "the first words\nrow 0 of", "row 2999 of a long print\ngiving up" }, "row 1500" },
	{ "os.Exit, text with -v", "=== RUN   TestA\nthe first words\n", "row %d of a long print\n", "giving up\nexit status 3\nFAIL\tm/p\t0.1s\nFAIL\n",
	  3000, 1, false, CAUSE_TEST_EXIT, { "=== RUN   TestA\nthe first words\nrow 0 of", "row 2999 of a long print\ngiving up" }, "row 1500" },
	{ "a test that never ended", START RUN("TestA") OUT("TestA", "=== RUN   TestA\\n") OUT("TestA", "the first words\\n"),
	  OUT("TestA", "row %d of a long print\\n"), OUT("TestA", "the last words\\n"), 3000, 0, true,
	  CAUSE_TEST_UNFINISHED, { "=== RUN   TestA\nthe first words\nrow 0 of", "row 2999 of a long print\nthe last words" }, "row 1500" },
	{ "the binary hung", START RUN("TestA") OUT("TestA", "=== RUN   TestA\\n") OUT("TestA", "the first words\\n"),
	  OUT("TestA", "row %d of a long print\\n"), OUT("TestA", "*** Test killed with quit: ran too long (11m0s).\\n") POUT("FAIL\\tm/p\\t660.1s\\n") PEND("fail"), 3000, 1, true,
	  CAUSE_TEST_TIMEOUT, { "the first words\nrow 0 of", "row 2999 of a long print\n*** Test killed" }, "row 1500" },
	{ "a bare status", "the first words\n", "row %d of a long print\n", "giving up\n", 3000, 3, false,
	  CAUSE_PROC_EXIT, { "the first words\nrow 0 of", "row 2999 of a long print\ngiving up" }, "row 1500" },
	{ "a failure in the middle", START RUN("TestA") OUT("TestA", "=== RUN   TestA\\n") OUT("TestA", "the first words\\n"),
	  OUT("TestA", "row %d of a long print\\n"), OUT("TestA", "--- FAIL: TestA (0.00s)\\n") END("fail", "TestA") POUT("FAIL\\n") PEND("fail"), 3000, 1, true,
	  CAUSE_TEST_FAIL, { "the first words\nrow 0 of", "\n    a_test.go:12: got 3, want 4\n", "row 2999 of a long print" }, "row 1000" },
	{ "lines without end", START RUN("TestA") OUT("TestA", "=== RUN   TestA\\n"), OUT("TestA", "\\u0041\\\\%d "), OUT("TestA", "--- FAIL: TestA (0.00s)\\n") END("fail", "TestA")
	  POUT("FAIL\\n") PEND("fail"), 9000, 1, true, CAUSE_TEST_FAIL, { "A\\0 A\\1 A\\2" }, "u0041" },
};

static void excerpts_show_both_ends(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(long_rows); i++) {
		const struct long_row *row = &long_rows[i];
		struct judge_config c = { .json_out = row->json };
		struct report r = { .is_run = true, .ending = { .how = END_EXIT, .code = row->code } };
		char line[512];
		struct judge *j;
		struct err e;
		assert_int_equal(judge_new(&c, &j, &e), 0);
		feed(j, STREAM_OUT, row->head, 1000);
		for (int k = 0; k < row->lines; k++) {
			size_t at = span_find(span_of(row->line), S("%d"));
			snprintf(line, sizeof(line), "%.*s%d%s", (int)at, row->line, k, row->line + at + 2);
			judge_feed(j, STREAM_OUT, span_of(line));
			if (k == row->lines / 2 && row->cause == CAUSE_TEST_FAIL && row->shown[1])
				feed(j, STREAM_OUT, OUT("TestA", "    a_test.go:12: got 3, want 4\\n"), 1000);
		}
		feed(j, STREAM_OUT, row->tail, 1000);
		assert_int_equal(judge_finish(j, &r, &e), 0);
		judge_free(j);
		assert_true(r.n_findings > 0);
		struct span x = r.findings[0].excerpt;
		size_t n = 0;
		for (struct span rest = x; rest.n; n++)
			span_cut(&rest, '\n');
		bool right = r.cause == row->cause && x.n <= 4096 && n <= 40 && span_find(x, span_of(row->hidden)) == SPAN_NONE &&
			     (!row->shown[1] || span_find(x, S(" lines left out …\n")) != SPAN_NONE);
		for (size_t k = 0; k < ARRAY_LEN(row->shown) && row->shown[k]; k++)
			right &= span_find(x, span_of(row->shown[k])) != SPAN_NONE;
		if (!right)
			fail_msg("%s: %s, %zu bytes, %zu lines: %.*s", row->name, cause_table[r.cause].id, x.n, n, SPAN_ARG(x));
		report_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(places_and_messages),
		cmocka_unit_test(panics_that_were_recovered),
		cmocka_unit_test(masked_by_a_pipe),
		cmocka_unit_test(masked_says_who_swallowed_it),
		cmocka_unit_test(excerpts_show_both_ends),
		cmocka_unit_test(every_failed_allocation_is_an_error_not_a_crash),
		cmocka_unit_test(memory_does_not_grow_with_the_stream),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
