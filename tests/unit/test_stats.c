/*
 * Tests over time, flakiness and numbers (store/tests.c, flaky.c, trends.c, stats.c), on made-up runs whose answers are known;
 * the same on SQLite and on PostgreSQL.
 * suite: postgres (run through tests/helpers/pg)
 * suite: takes 7
 */
#include <limits.h>

#include "stored.h"

#include "cli/usual.h"
#include "model/cause.h"

#define MS NSEC_PER_MSEC

/* ---- runs that are made up ---- */

static struct {
	const char *commit, *job, *project, *branch;
	bool ci, tree_known;
	uint64_t tree;
	const char *argv[5];
	size_t n_argv;
	int64_t cached;
	bool silent; /* the text names no passed tests */
	int attempts;
	enum cause other; /* a finding beside the tests */
	int64_t at, took;
} next;

static struct report *now_run;

static void defaults(void)
{
	memset(&next, 0, sizeof(next));
	next.commit = "c1";
	next.project = "o/r";
	next.branch = "main";
	next.ci = true;
	next.argv[0] = "go";
	next.argv[1] = "test";
	next.argv[2] = "./...";
	next.n_argv = 3;
	next.attempts = 1;
	next.at = NOW;
	next.took = 10 * NSEC_PER_SEC;
}

static void run_begin(void)
{
	struct report *r = calloc(1, sizeof(*r));

	now_run = r;
	r->is_run = true;
	r->argv = (struct argv){ next.argv, next.n_argv };
	r->cwd = ".";
	r->project = next.project;
	r->started = next.at += NSEC_PER_SEC;
	r->duration_ns = next.took;
	r->ending.how = END_EXIT;
	r->ci.commit = next.commit;
	r->ci.branch = next.branch;
	r->ci.name = next.ci ? "github" : NULL;
	r->ci.job = next.job;
	r->tree_known = next.tree_known;
	r->tree = next.tree;
	r->go_version = "go1.26.8";
	ulid_make(r->started, r->id);
	for (int i = 0; i < next.attempts; i++) {
		if (!r->attempts)
			r->attempts = arena_alloc(&r->mem, 8 * sizeof(*r->attempts));
		r->attempts[r->n_attempts++] = (struct attempt){ i + 1, OUTCOME_FAILED, CAUSE_TEST_FAIL, NSEC_PER_SEC };
	}
	r->results = arena_alloc(&r->mem, 512 * sizeof(*r->results));
	r->tests.cached_packages = next.cached;
}

static void result_of(const char *package, const char *test, enum test_outcome o, int attempt, int64_t ns)
{
	struct report *r = now_run;

	r->results[r->n_results++] = (struct test_result){ span_of(package), arena_span(&r->mem, span_of(test)), o, attempt, ns };
	r->tests.run++;
	r->tests.passed += o == TEST_PASS;
	r->tests.skipped += o == TEST_SKIP;
	r->tests.failed += o == TEST_FAIL;
	if (o != TEST_FAIL)
		return;
	struct finding *f = report_add(r);
	f->cause = CAUSE_TEST_FAIL;
	f->severity = SEV_ERROR;
	f->classes = "P";
	f->package = span_of(package);
	f->test = r->results[r->n_results - 1].test;
	f->message = f->excerpt = S("it failed");
}

static void result(const char *test, enum test_outcome o)
{
	result_of("example.com/m", test, o, 1, 100 * MS);
}

static void run_end(void)
{
	const struct record_config config = { .now = next.at };
	struct report *r = now_run;

	if (next.other) {
		struct finding *f = report_add(r);
		f->cause = next.other;
		f->severity = SEV_ERROR;
		f->classes = "P";
		f->package = S("example.com/other");
		f->message = f->excerpt = S("undefined: x");
	}
	r->outcome = r->n_findings ? OUTCOME_FAILED : OUTCOME_PASSED;
	r->cause = r->n_findings ? r->findings[0].cause : CAUSE_NONE;
	r->exit_code = r->n_findings ? 1 : 0;
	if (next.silent)
		r->tests = (struct test_counts){ -1, -1, -1, -1, -1, -1, -1 };
	fine(store_record(store, r, &config, &e));
	report_free(r);
	free(r);
}

/* One run of one test a letter: p, f, s. */
static void runs_of(const char *test, const char *letters)
{
	for (; *letters; letters++) {
		run_begin();
		result(test, *letters == 'p' ? TEST_PASS : *letters == 'f' ? TEST_FAIL : TEST_SKIP);
		result("TestSteady", TEST_PASS);
		run_end();
	}
}

/* ---- flaky ---- */

static struct flaky found[20];
static char found_names[20][64];
static size_t n_found;

static int hear_flaky(void *ctx, const struct flaky *f)
{
	(void)ctx;
	assert_true(n_found < 20);
	snprintf(found_names[n_found], sizeof(found_names[0]), "%.*s", SPAN_ARG(f->test));
	found[n_found++] = *f;
	return 0;
}

static void ask_flaky(const char *project)
{
	n_found = 0;
	fine(store_flaky(store, project, NOW - DAY, hear_flaky, NULL, &e));
}

static void flaky_is_counted(void **state)
{
	(void)state;
	defaults();
	runs_of("TestFlips", "pfpfpp"); /* 5 pairs, 4 of them differ */
	next.commit = "c2";
	runs_of("TestFlips", "ppp"); /* 2 more */
	ask_flaky(NULL);
	assert_int_equal(n_found, 1);
	assert_string_equal(found_names[0], "TestFlips");
	assert_int_equal(found[0].flips, 4);
	assert_int_equal(found[0].pairs, 7);
	assert_int_equal(found[0].commits, 1);
	assert_int_equal(found[0].failed, 2);
	assert_int_equal(found[0].runs, 9);
	assert_true(found[0].score > 0.363 && found[0].score < 0.364); /* 4 / (7 + 4) */
	assert_true(found[0].fault > 0);
	ask_flaky("o/r");
	assert_int_equal(n_found, 1);
	ask_flaky("o/another");
	assert_int_equal(n_found, 0);
}

static void broken_and_fixed_is_not_flaky(void **state)
{
	(void)state;
	defaults();
	runs_of("TestBroken", "ppp");
	next.commit = "c2";
	runs_of("TestBroken", "fff");
	next.commit = "c3";
	runs_of("TestBroken", "pp");
	ask_flaky(NULL);
	assert_int_equal(n_found, 0);
}

static void other_circumstances_do_not_count(void **state)
{
	(void)state;
	defaults();
	next.ci = false; /* what was not committed is not known */
	runs_of("TestLocal", "pf");
	next.tree_known = true; /* it is, and it differs */
	runs_of("TestTree", "p");
	next.tree = 7;
	runs_of("TestTree", "f");
	defaults();
	next.at += 100 * NSEC_PER_SEC;
	runs_of("TestRace", "p");
	next.argv[3] = "-race";
	next.n_argv = 4;
	runs_of("TestRace", "f");
	next.job = "windows";
	runs_of("TestRace", "p");
	ask_flaky(NULL);
	assert_int_equal(n_found, 0);
	next.job = NULL;
	next.argv[3] = "-v"; /* changes nothing of the tests */
	runs_of("TestRace", "f");
	ask_flaky(NULL);
	assert_int_equal(n_found, 1);
}

static void same_tree_counts(void **state)
{
	(void)state;
	defaults();
	next.ci = false;
	next.tree_known = true;
	next.tree = 42;
	runs_of("TestLocal", "pf");
	ask_flaky(NULL);
	assert_int_equal(n_found, 1);
	assert_int_equal(found[0].flips, 1);
}

static void tried_again_in_one_run(void **state)
{
	(void)state;
	defaults();
	next.ci = false; /* needs no known state */
	next.attempts = 2;
	run_begin();
	result_of("example.com/m", "TestAgain", TEST_FAIL, 1, 0);
	result_of("example.com/m", "TestAgain", TEST_PASS, 2, 0);
	result_of("example.com/m", "TestReallyBroken", TEST_FAIL, 1, 0);
	result_of("example.com/m", "TestReallyBroken", TEST_FAIL, 2, 0);
	run_end();
	ask_flaky(NULL);
	assert_int_equal(n_found, 1);
	assert_string_equal(found_names[0], "TestAgain");
	assert_int_equal(found[0].reruns, 1);
	assert_true(found[0].score > 0.199 && found[0].score < 0.201); /* 1 / (1 + 4) */
}

static void a_wrecked_run_says_nothing(void **state)
{
	char name[32];

	(void)state;
	defaults();
	for (int run = 0; run < 3; run++) {
		run_begin();
		for (int i = 0; i < 30; i++) {
			snprintf(name, sizeof(name), "TestMany%d", i);
			result(name, run == 1 ? TEST_FAIL : TEST_PASS);
		}
		run_end();
	}
	ask_flaky(NULL);
	assert_int_equal(n_found, 0);
}

static void a_parent_is_not_told_beside_its_subtest(void **state)
{
	(void)state;
	defaults();
	for (int run = 0; run < 4; run++) {
		run_begin();
		result("TestTable", run % 2 ? TEST_FAIL : TEST_PASS);
		result("TestTable/slow", run % 2 ? TEST_FAIL : TEST_PASS);
		result("TestTable/fast", TEST_PASS);
		run_end();
	}
	ask_flaky(NULL);
	assert_int_equal(n_found, 1);
	assert_string_equal(found_names[0], "TestTable/slow");
}

static void a_silent_pass_counts(void **state)
{
	(void)state;
	defaults();
	next.silent = true;
	run_begin();
	result("TestQuiet", TEST_FAIL);
	run_end();
	run_begin(); /* the same command passed */
	run_end();
	ask_flaky(NULL);
	assert_int_equal(n_found, 1);
	assert_string_equal(found_names[0], "TestQuiet");
}

static void the_worst_comes_first(void **state)
{
	(void)state;
	defaults();
	runs_of("TestRare", "ppppppppfpp");
	next.commit = "c9";
	runs_of("TestOften", "pfpfpfpfpf");
	ask_flaky(NULL);
	assert_int_equal(n_found, 2);
	assert_string_equal(found_names[0], "TestOften");
	assert_string_equal(found_names[1], "TestRare");
}

/* ---- over time ---- */

static struct {
	enum test_change what;
	char name[96];
	int64_t now, before, noise, count;
	char commit[16];
} trends[40];
static size_t n_trends;

static int hear_trend(void *ctx, const struct test_trend *t)
{
	(void)ctx;
	assert_true(n_trends < 40);
	trends[n_trends].what = t->what;
	snprintf(trends[n_trends].name, sizeof(trends[0].name), "%.*s %.*s", SPAN_ARG(t->package), SPAN_ARG(t->test));
	snprintf(trends[n_trends].commit, sizeof(trends[0].commit), "%.*s", SPAN_ARG(t->commit));
	trends[n_trends].now = t->now;
	trends[n_trends].before = t->before;
	trends[n_trends].noise = t->noise;
	trends[n_trends++].count = t->count;
	return 0;
}

static size_t ask_trends(enum test_change what)
{
	size_t n = 0;

	n_trends = 0;
	fine(store_test_trends(store, NULL, next.at, 10, hear_trend, NULL, &e));
	for (size_t i = 0; i < n_trends; i++) {
		if (trends[i].what == what)
			trends[n++] = trends[i];
	}
	return n;
}

static void slow_run(int64_t grown, int64_t steady, const char *commit)
{
	next.commit = commit;
	run_begin();
	result_of("example.com/m", "TestGrows", TEST_PASS, 1, grown);
	result_of("example.com/m", "TestSteady", TEST_PASS, 1, steady);
	run_end();
}

static void slower_than_its_noise(void **state)
{
	static const int64_t noise[] = { 0, 10, -10, 5, -5, 20, -15 };

	(void)state;
	defaults();
	for (size_t i = 0; i < ARRAY_LEN(noise); i++)
		slow_run((1000 + noise[i]) * MS, (500 + noise[i]) * MS, "old");
	assert_int_equal(ask_trends(TEST_SLOWER), 0);
	slow_run(1800 * MS, 510 * MS, "new");
	assert_int_equal(ask_trends(TEST_SLOWER), 0); /* one of three may be chance */
	slow_run(1810 * MS, 505 * MS, "newer");
	assert_int_equal(ask_trends(TEST_SLOWER), 1);
	assert_string_equal(trends[0].name, "example.com/m TestGrows");
	assert_string_equal(trends[0].commit, "new");
	assert_int_equal(trends[0].now, 1800 * MS);
	assert_int_equal(trends[0].before, 1000 * MS); /* of the six that are left: -15 -10 -5 0 5 10 … */
	assert_true(trends[0].noise > 0 && trends[0].noise < 40 * MS);
	assert_int_equal(ask_trends(TEST_SLOWEST), 2);
	assert_string_equal(trends[0].name, "example.com/m TestGrows");
}

/* A copy that go's cache gives is no measurement. */
static void cached_results_do_not_count(void **state)
{
	(void)state;
	defaults();
	slow_run(1000 * MS, 500 * MS, "old");
	next.cached = 1;
	for (int i = 0; i < 7; i++)
		slow_run(1000 * MS, 500 * MS, "old");
	next.cached = 0;
	slow_run(1800 * MS, 500 * MS, "new");
	slow_run(1800 * MS, 500 * MS, "new");
	assert_int_equal(ask_trends(TEST_SLOWER), 0); /* one earlier result, not eight */
}

static void a_slower_machine_is_not_a_slower_test(void **state)
{
	char name[32];

	(void)state;
	defaults();
	for (int run = 0; run < 12; run++) {
		run_begin();
		for (int i = 0; i < 20; i++) {
			snprintf(name, sizeof(name), "TestMany%d", i);
			int64_t ns = (200 + i * 10) * MS * (run < 9 ? 1 : 2);
			result_of("example.com/m", name, TEST_PASS, 1, i == 3 && run >= 9 ? ns * 3 : ns);
		}
		run_end();
	}
	assert_int_equal(ask_trends(TEST_SLOWER), 1);
	assert_string_equal(trends[0].name, "example.com/m TestMany3");
}

static void set_run(bool whole, enum test_outcome parent, enum test_outcome skip)
{
	run_begin();
	result("TestKept", TEST_PASS);
	result("TestSkips", skip);
	result("TestParent", parent);
	if (whole) {
		result("TestGone", TEST_PASS);
		result("TestGone/a", TEST_PASS);
		result("TestGone/b", TEST_PASS);
		result("TestParent/later", TEST_PASS);
		result_of("example.com/old", "TestX", TEST_PASS, 1, 0);
		result_of("example.com/old", "TestY", TEST_PASS, 1, 0);
	}
	run_end();
}

static void gone_and_skipped(void **state)
{
	(void)state;
	defaults();
	for (int i = 0; i < 4; i++)
		set_run(true, TEST_PASS, TEST_PASS);
	next.other = CAUSE_BUILD_COMPILE;
	next.commit = "broken"; /* a build that failed hides tests */
	set_run(false, TEST_PASS, TEST_PASS);
	next.other = CAUSE_NONE;
	assert_int_equal(ask_trends(TEST_GONE), 0);
	next.commit = "c5";
	set_run(false, TEST_FAIL, TEST_SKIP);
	assert_int_equal(ask_trends(TEST_SKIPPED), 1);
	assert_string_equal(trends[0].name, "example.com/m TestSkips");
	assert_string_equal(trends[0].commit, "c5");
	assert_int_equal(ask_trends(TEST_GONE), 2); /* TestParent/later: its parent failed before it */
	assert_string_equal(trends[0].name, "example.com/m TestGone");
	assert_int_equal(trends[0].count, 3);
	assert_string_equal(trends[1].name, "example.com/old ");
	assert_int_equal(trends[1].count, 2);
	next.commit = "c6";
	set_run(true, TEST_PASS, TEST_PASS); /* all is back */
	assert_int_equal(ask_trends(TEST_GONE), 0);
	assert_int_equal(ask_trends(TEST_SKIPPED), 0);
}

/* A branch that has not got a test yet does not make it gone. */
static void branches_are_apart(void **state)
{
	(void)state;
	defaults();
	for (int i = 0; i < 4; i++)
		set_run(true, TEST_PASS, TEST_PASS);
	next.branch = "feature";
	set_run(false, TEST_PASS, TEST_PASS);
	assert_int_equal(ask_trends(TEST_GONE), 0);
}

/* ---- what it usually takes ---- */

static int64_t usual_grows;
static int hear_usual(void *ctx, struct span package, struct span test, int64_t median)
{
	++*(int *)ctx;
	if (span_eq(package, S("example.com/m")) && span_eq(test, S("TestGrows")))
		usual_grows = median;
	return 0;
}

static void usually(void **state)
{
	const char *words[] = { "go", "test", "./...", NULL };
	struct report r = { .argv = { words, 3 }, .cwd = ".", .project = "o/r" };
	struct usual u;
	int n = 0;

	(void)state;
	defaults();
	fine(store_usual(store, store_series(&r), &u, &e));
	assert_int_equal(u.n, 0);
	for (int i = 1; i <= 5; i++) {
		next.took = i * 10 * NSEC_PER_SEC;
		slow_run(i * 100 * MS, 10 * MS, "c");
	}
	runs_of("TestOther", "f"); /* did not pass */
	fine(store_usual(store, store_series(&r), &u, &e));
	assert_int_equal(u.n, 5);
	assert_int_equal(u.median, 30 * NSEC_PER_SEC);
	assert_int_equal(u.low, 20 * NSEC_PER_SEC);
	assert_int_equal(u.high, 40 * NSEC_PER_SEC);
	fine(store_usual_tests(store, store_series(&r), 200 * MS, hear_usual, &n, &e));
	assert_int_equal(n, 1);
	assert_int_equal(usual_grows, 300 * MS);
}

/* What the live view says of it. */
static void said(const struct usual_times *u, int64_t elapsed, const char *expected)
{
	struct buf b = { 0 };

	usual_say_run(&b, u, elapsed);
	assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
}

static void usually_said(void **state)
{
	const char *words[] = { "go", "test", "./...", NULL };
	struct report r = { .argv = { words, 3 }, .cwd = ".", .project = "o/r" };
	struct usual_times u;
	struct buf b = { 0 };

	(void)state;
	defaults();
	for (int i = 0; i < 2; i++)
		slow_run(4000 * MS, 10 * MS, "c");
	fine(usual_load(store, store_series(&r), &u, &e));
	said(&u, 0, ""); /* two runs are no habit */
	usual_free(&u);
	next.took = 200 * NSEC_PER_SEC;
	for (int i = 0; i < 3; i++)
		slow_run(4000 * MS, 10 * MS, "c");
	fine(usual_load(store, store_series(&r), &u, &e));
	said(&u, 0, ", about 3m left");
	said(&u, 140 * NSEC_PER_SEC, ", about 60s left");
	said(&u, 196 * NSEC_PER_SEC, ", about 4s left");
	said(&u, 500 * NSEC_PER_SEC, ", usually 3m20s");
	assert_int_equal(usual_test(&u, S("example.com/m"), S("TestGrows")), 4000 * MS);
	assert_int_equal(usual_test(&u, S("example.com/m"), S("TestSteady")), 0); /* too quick to be told */
	assert_int_equal(usual_test(NULL, S("example.com/m"), S("TestGrows")), 0);
	usual_say_test(&b, 4000 * MS, 4500 * MS);
	assert_string_equal(buf_str(&b), "");
	usual_say_test(&b, 4000 * MS, 6000 * MS);
	assert_string_equal(buf_str(&b), ", usually takes 4.00s");
	buf_free(&b);
	usual_free(&u);
}

static int hear_run(void *ctx, const struct run_info *r)
{
	assert_int_equal(r->findings, r->tests.failed);
	++*(int *)ctx;
	return 0;
}

static int hear_test_run(void *ctx, const struct test_run *t)
{
	assert_true(span_starts(t->test, S("TestFlips")) && t->run.n == 26);
	*(int *)ctx = *(int *)ctx * 10 + (t->result == TEST_FAIL);
	return 0;
}

static void runs_are_found(void **state)
{
	int n = 0;

	(void)state;
	defaults();
	runs_of("TestFlips", "pfp");
	next.branch = "other";
	next.project = "o/r2";
	runs_of("TestFlips", "ff");
	fine(store_runs(store, &(struct run_filter){ 0 }, hear_run, &n, &e));
	assert_int_equal(n, 5);
	n = 0;
	fine(store_runs(store, &(struct run_filter){ .project = "o/r", .branch = "main", .outcome = "passed", .since = NOW, .before = NOW + DAY, .limit = 10 }, hear_run, &n, &e));
	assert_int_equal(n, 2);
	n = 0;
	fine(store_test_runs(store, NULL, "example.com/m.TestFlips", 0, 4, hear_test_run, &n, &e));
	assert_int_equal(n, 1101); /* the newest first */
	n = 0;
	fine(store_test_runs(store, "o/r", "TestFl*", 0, 0, hear_test_run, &n, &e));
	assert_int_equal(n, 10);
	n = 0;
	fine(store_test_runs(store, NULL, "TestNone", 0, 0, hear_test_run, &n, &e));
	assert_int_equal(n, 0);
}

/* ---- numbers ---- */

static void resolve(const char *test, int64_t at)
{
	int64_t seq = -1;

	fine(db_get(store->db, "SELECT seq FROM fault WHERE test = ?1", DB_ARGS(db_textz(test)), -1, &seq, &e));
	assert_true(seq > 0);
	fine(store_fault_change(store, seq, &(struct fault_change){ .kind = CHANGE_RESOLVED, .at = at, .text = "fixed" }, &e));
}

static void numbers(void **state)
{
	struct arena mem = { 0 };
	struct stats s;

	(void)state;
	defaults();
	next.at = NOW - 3 * DAY;
	runs_of("TestA", "fpf");
	next.at = NOW - 2 * DAY;
	runs_of("TestB", "fp");
	next.project = "o/second";
	next.at = NOW - DAY;
	next.other = CAUSE_BUILD_COMPILE;
	runs_of("TestC", "p");
	resolve("TestA", NOW - 2 * DAY + NSEC_PER_SEC); /* seen for a day */
	resolve("TestB", NOW + NSEC_PER_SEC);           /* two days */
	fine(store_stats(store, NULL, NOW - 10 * DAY, NOW + DAY / 4, &mem, &s, &e));
	assert_int_equal(s.runs, 6);
	assert_int_equal(s.outcomes[OUTCOME_PASSED], 2);
	assert_int_equal(s.outcomes[OUTCOME_FAILED], 4);
	assert_int_equal(s.findings, 4);
	assert_int_equal(s.faults, 3);
	assert_int_equal(s.new_faults, 3);
	assert_int_equal(s.states[FAULT_RESOLVED], 2);
	assert_int_equal(s.states[FAULT_OPEN], 1);
	assert_int_equal(s.mttr_n, 2);
	assert_int_equal(s.mttr / NSEC_PER_SEC, 3 * 86400 / 2);
	assert_int_equal(s.n_causes, 2);
	assert_string_equal(s.causes[0].cause, "test.fail");
	assert_int_equal(s.causes[0].findings, 3);
	assert_int_equal(s.causes[0].faults, 2);
	assert_int_equal(s.n_projects, 2);
	assert_string_equal(s.projects[0].project, "o/r");
	assert_int_equal(s.projects[0].failed, 3);
	assert_int_equal(s.n_top, 3);
	assert_int_equal(s.top[0].count, 2);
	assert_true(s.n_days >= 10);
	fine(store_stats(store, "o/second", NOW - 10 * DAY, NOW + DAY / 4, &mem, &s, &e));
	assert_int_equal(s.runs, 1);
	assert_int_equal(s.findings, 1);
	assert_int_equal(s.faults, 1);
	assert_int_equal(s.mttr_n, 0);
	fine(store_stats(store, NULL, 0, NOW + DAY / 4, &mem, &s, &e)); /* all there is: from the first run on */
	assert_int_equal(s.runs, 6);
	assert_true(s.n_days <= 5);
	arena_free(&mem);
}

static int count_row(void *ctx, const struct run_info *r)
{
	(*(int *)ctx)++;
	return 0;
}

/* What a living service shows is a finding at once, and no run. */
static void a_moment_is_no_run(void **state)
{
	struct report r = { .is_run = true, .argv = { (const char *[]){ "./srv", NULL }, 1 }, .cwd = ".", .project = "o/r", .started = NOW - DAY, .tests = { -1, -1, -1, -1, -1, -1, -1 } };
	const struct record_config config = { .now = NOW };
	struct arena mem = { 0 };
	struct store_info info;
	struct stats s;
	int rows = 0;

	(void)state;
	struct finding *f = report_add(&r);
	*f = (struct finding){ .cause = CAUSE_GO_PANIC_RECOVERED, .severity = SEV_WARNING, .classes = "P", .message = S("net/http: boom"), .file = S("main.go"), .line = 3 };
	fine(store_record(store, &r, &config, &e));
	report_free(&r);
	fine(store_stats(store, NULL, NOW - 10 * DAY, NOW, &mem, &s, &e));
	assert_int_equal(s.runs, 0);
	assert_int_equal(s.findings, 1);
	assert_int_equal(s.faults, 1);
	fine(store_runs(store, &(struct run_filter){ 0 }, count_row, &rows, &e));
	assert_int_equal(rows, 0);
	fine(store_describe(store, &info, &e));
	assert_int_equal(info.runs, 0);
	arena_free(&mem);
}

static void an_empty_store(void **state)
{
	struct arena mem = { 0 };
	struct stats s;

	(void)state;
	defaults();
	ask_flaky(NULL);
	assert_int_equal(n_found, 0);
	assert_int_equal(ask_trends(TEST_GONE), 0);
	fine(store_stats(store, NULL, 0, NOW, &mem, &s, &e));
	assert_int_equal(s.runs, 0);
	assert_int_equal(s.n_days, 1);
	arena_free(&mem);
}

/* ---- every step fails once ---- */

static int one_pass(int what)
{
	struct arena mem = { 0 };
	struct stats s;
	int r;

	n_found = n_trends = 0;
	if (what == 0)
		r = store_flaky(store, NULL, NOW - DAY, hear_flaky, NULL, &e);
	else if (what == 1)
		r = store_test_trends(store, NULL, next.at, 10, hear_trend, NULL, &e);
	else
		r = store_stats(store, NULL, 0, NOW + DAY, &mem, &s, &e);
	arena_free(&mem);
	return r;
}

static void every_failure_is_an_error(void **state)
{
	(void)state;
	defaults();
	runs_of("TestFlips", "pfpfppfp");
	for (int i = 0; i < 4; i++)
		set_run(true, TEST_PASS, TEST_PASS);
	set_run(false, TEST_PASS, TEST_SKIP);
	for (int what = 0; what < 3; what++) {
		assert_true(one_pass(what) >= 0);
		fault_seen = 0;
		fault_at = LONG_MAX;
		one_pass(what);
		long points = fault_seen;
		assert_true(points > 3);
		for (long at = 1; at <= points; at++) {
			fault_seen = 0;
			fault_at = at;
			memset(&e, 0, sizeof(e));
			int r = one_pass(what);
			fault_at = 0;
			if (r >= 0)
				print_error("# what %d: failure %ld of %ld was not told\n", what, at, points);
			assert_true(r < 0);
			assert_true(e.msg[0]);
		}
	}
}

#define BOTH(f) \
	{ #f " (sqlite)", f, setup, teardown, &kinds[0] }, { #f " (postgres)", f, setup, teardown, &kinds[1] }

int main(void)
{
	static bool kinds[] = { false, true };
	const struct CMUnitTest tests[] = {
		BOTH(flaky_is_counted), BOTH(broken_and_fixed_is_not_flaky), BOTH(other_circumstances_do_not_count), BOTH(same_tree_counts),
		BOTH(tried_again_in_one_run), BOTH(a_wrecked_run_says_nothing), BOTH(a_parent_is_not_told_beside_its_subtest), BOTH(a_silent_pass_counts),
		BOTH(the_worst_comes_first), BOTH(slower_than_its_noise), BOTH(cached_results_do_not_count), BOTH(a_slower_machine_is_not_a_slower_test),
		BOTH(gone_and_skipped), BOTH(branches_are_apart), BOTH(usually), BOTH(usually_said), BOTH(runs_are_found), BOTH(numbers), BOTH(a_moment_is_no_run),
		BOTH(an_empty_store),
		BOTH(every_failure_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
