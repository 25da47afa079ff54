#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/attempt.h"

/* --rerun-fails: run again only what failed, package by package, and merge what comes of it. */

struct failed {
	struct span package, test; /* in the session's memory */
};

struct round {
	struct session *s;
	struct failed *list; /* still failing */
	size_t n;
	struct report last; /* of the last package that failed again: its findings */
	int64_t duration;
	int code; /* the last non-zero status */
	struct report *whole;
	struct finding *again; /* findings of this round, in whole->mem */
	size_t n_again, cap_again;
};

/* A re-run proves something only when nothing but plain test failures went wrong. */
static const char *refuse(const struct session *s, const struct report *r, size_t n)
{
	if (r->outcome != OUTCOME_FAILED || !n)
		return r->outcome == OUTCOME_FAILED
			       ? TR("failed tests are not run again: no single test failed",
				    "不重跑失败的测试：没有单个测试失败")
			       : NULL;
	for (size_t i = 0; i < r->n_findings; i++) {
		const struct finding *f = &r->findings[i];
		if (f->severity == SEV_ERROR && f->cause != CAUSE_TEST_FAIL)
			return TR(
				"failed tests are not run again: something else went wrong too, so some tests may not have run",
				"不重跑失败的测试：还有其他错误，部分测试可能没有运行");
	}
	if (r->tests.unfinished > 0)
		return TR("failed tests are not run again: some tests never ended",
			  "不重跑失败的测试：有测试没有结束");
	if ((int64_t)n > s->o->rerun_max)
		return TR("failed tests are not run again: more failed than --rerun-max-failures allows",
			  "不重跑失败的测试：失败数超过 --rerun-max-failures 的限制");
	return NULL;
}

/* A parent fails with its subtest: the subtest alone is run again. */
static bool has_failed_child(const struct failed_test *t, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++) {
		if (i != at && span_eq(t[i].package, t[at].package) && t[i].test.n > t[at].test.n &&
		    span_starts(t[i].test, t[at].test) && t[i].test.p[t[at].test.n] == '/')
			return true;
	}
	return false;
}

static bool listed(const struct failed *l, size_t n, struct failed_test t)
{
	for (size_t i = 0; i < n; i++) {
		if (span_eq(l[i].package, t.package) && span_eq(l[i].test, t.test))
			return true;
	}
	return false;
}

static size_t collect(struct session *s, struct failed **ret)
{
	const struct failed_test *t;
	size_t n = judge_failed_tests(s->judge, &t), kept = 0;
	struct failed *list = arena_alloc(&s->mem, (n + 1) * sizeof(*list));

	for (size_t i = 0; list && i < n && n < 100000; i++) {
		if ((n < 2000 && has_failed_child(t, n, i)) || listed(list, kept, t[i]))
			continue;
		list[kept++] =
			(struct failed){ arena_span(&s->mem, t[i].package), arena_span(&s->mem, t[i].test) };
	}
	*ret = list;
	return list ? kept : 0;
}

static struct argv copy_argv(struct arena *mem, const struct argv *a)
{
	struct argv c = { arena_alloc(mem, (a->n + 1) * sizeof(char *)), 0 };

	for (size_t i = 0; c.v && i < a->n; i++)
		c.v[c.n++] = arena_str(mem, span_of(a->v[i]));
	return c;
}

static void keep_finding(struct round *t, const struct finding *f)
{
	struct arena *mem = &t->whole->mem;

	if (t->n_again == t->cap_again) {
		size_t cap = t->cap_again ? t->cap_again * 2 : 8;
		struct finding *v = arena_alloc(mem, cap * sizeof(*v));
		if (!v)
			return;
		if (t->n_again)
			memcpy(v, t->again, t->n_again * sizeof(*v));
		t->again = v;
		t->cap_again = cap;
	}
	struct finding c = *f;
	c.package = arena_span(mem, f->package);
	c.test = arena_span(mem, f->test);
	c.file = arena_span(mem, f->file);
	c.message = arena_span(mem, f->message);
	c.excerpt = arena_span(mem, f->excerpt);
	c.advice = arena_span(mem, f->advice);
	c.command = f->command.n ? copy_argv(mem, &f->command) : f->command;
	c.places = arena_alloc(mem, (f->n_places + 1) * sizeof(*c.places));
	c.n_places = c.places ? f->n_places : 0;
	for (size_t i = 0; i < c.n_places; i++)
		c.places[i] = (struct place){ arena_span(mem, f->places[i].package),
					      arena_span(mem, f->places[i].file), f->places[i].line };
	t->again[t->n_again++] = c;
}

/* The tests of one package, from list[at] on: run again. Those that still fail go to `left`. */
static int rerun_package(struct round *t, const struct span *tests, size_t n, struct span package,
			 struct failed *left, size_t *n_left, struct err *e)
{
	struct session *s = t->s;
	struct argv argv;
	struct report r;

	int can = gocmd_rerun(&s->mem, &s->user, package, tests, n, &argv, e);
	if (can < 0)
		return can;
	if (can == 0) {
		for (size_t i = 0; i < n; i++)
			left[(*n_left)++] = (struct failed){ package, tests[i] };
		return 0;
	}
	int done = attempt_run(s, &argv, true, &r, e);
	if (done < 0)
		return done;
	t->duration += r.duration_ns;
	if (r.outcome != OUTCOME_PASSED) {
		struct failed *now;
		size_t k = collect(s, &now);
		bool plain = r.outcome == OUTCOME_FAILED && k;
		for (size_t i = 0; i < (plain ? k : n); i++)
			left[(*n_left)++] = plain ? now[i] : (struct failed){ package, tests[i] };
		for (size_t i = 0; i < r.n_findings; i++)
			keep_finding(t, &r.findings[i]);
		if (r.ending.how == END_EXIT && r.ending.code)
			t->code = r.ending.code;
	}
	if (r.ending.stop == STOP_SIGNAL)
		s->stopped = r.ending.sig ? r.ending.sig : 2;
	report_free(&r);
	return 0;
}

static int one_round(struct round *t, struct err *e)
{
	struct arena *mem = &t->s->mem;
	size_t n_left = 0, n = t->n;
	struct failed *left = arena_alloc(mem, (n * 64 + 1) * sizeof(*left));
	struct span *tests = arena_alloc(mem, (n + 1) * sizeof(*tests));
	bool *done = arena_alloc(mem, n + 1);
	int r = 0;

	if (!left || !tests || !done)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	t->duration = 0;
	t->n_again = 0;
	junit_again(t->s->junit, false);
	for (size_t i = 0; r == 0 && i < n; i++) {
		size_t k = 0;
		for (size_t j = i; j < n && !done[i]; j++) {
			if (!span_eq(t->list[j].package, t->list[i].package))
				continue;
			tests[k++] = t->list[j].test;
			if (j != i)
				done[j] = true;
		}
		if (k && n_left + k + 64 < n * 64 + 64)
			r = rerun_package(t, tests, k, t->list[i].package, left, &n_left, e);
		if (t->s->stopped)
			break;
	}
	t->list = left;
	t->n = n_left;
	return r;
}

static bool still(const struct round *t, const struct finding *f)
{
	for (size_t i = 0; i < t->n; i++) {
		if (span_eq(t->list[i].package, f->package) && span_eq(t->list[i].test, f->test))
			return true;
	}
	return false;
}

/* What failed and then passed is a warning; what failed every time keeps its newest evidence. */
static void merge(struct round *t, size_t rounds)
{
	struct report *r = t->whole;
	struct finding *list = arena_alloc(&r->mem, (r->n_findings + t->n_again + 1) * sizeof(*list));
	size_t n = 0;

	if (!list)
		return;
	for (size_t i = 0; i < t->n_again; i++)
		list[n++] = t->again[i];
	for (size_t i = 0; i < r->n_findings; i++) {
		struct finding f = r->findings[i];
		if (f.severity == SEV_ERROR && still(t, &f))
			continue;
		if (f.severity == SEV_ERROR) {
			f.cause = CAUSE_TEST_UNSTABLE;
			f.severity = SEV_WARNING;
			f.classes = "T";
			f.advice = (struct span){ 0 };
		}
		list[n++] = f;
	}
	r->findings = list;
	r->n_findings = n;
	r->cap_findings = n + 1;
	if (r->tests.run >= 0 && r->tests.failed >= 0) {
		int64_t failed = t->n ? (r->tests.failed < (int64_t)t->n ? r->tests.failed : (int64_t)t->n)
				      : 0;
		r->tests.passed += r->tests.failed - failed;
		r->tests.failed = failed;
	}
	if (t->n) {
		r->summary = arena_printf(&r->mem,
					  TR("%zu of the failed tests failed again (re-runs: %zu)",
					     "%zu 个测试重跑后仍然失败（重跑 %zu 次）"),
					  t->n, rounds);
		r->cause = n ? list[0].cause : r->cause;
		return;
	}
	r->outcome = OUTCOME_UNSTABLE;
	r->cause = CAUSE_TEST_UNSTABLE;
	r->summary = arena_printf(&r->mem,
				  TR("every test that failed passed when run again (re-runs: %zu)",
				     "失败的测试重跑后全部通过（重跑 %zu 次）"),
				  rounds);
	r->ending.code = 0;
}

int rerun_fails(struct session *s, struct report *r, struct err *e)
{
	struct round t = { .s = s, .whole = r };
	char text[160];
	size_t rounds = 0;

	if (r->outcome == OUTCOME_PASSED || r->outcome == OUTCOME_EMPTY)
		return 0;
	t.n = collect(s, &t.list);
	const char *why = refuse(s, r, t.n);
	if (why)
		session_note(s, why);
	if (why || r->outcome != OUTCOME_FAILED)
		return 0;
	while (t.n && rounds < (size_t)s->o->rerun && !s->stopped) {
		snprintf(text, sizeof(text),
			 TR("running %zu failed test%s again (%zu of %lld)",
			    "重跑 %zu 个失败的测试%s（第 %zu 次，最多 %lld 次）"),
			 t.n, TR(t.n == 1 ? "" : "s", ""), rounds + 1, (long long)s->o->rerun);
		view_say(&s->view, text);
		int n = one_round(&t, e);
		if (n < 0)
			return n;
		rounds++;
		attempt_add(s, t.n ? OUTCOME_FAILED : OUTCOME_PASSED,
			    t.n && t.n_again ? t.again[0].cause
			    : t.n            ? CAUSE_TEST_FAIL
					     : CAUSE_NONE,
			    t.duration);
		r->duration_ns += t.duration;
	}
	if (rounds && !s->stopped)
		merge(&t, rounds);
	return 0;
}
