#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "diagnose/state.h"

/* ---- tests: pooled, so that a long stream allocates nothing an event ---- */

static struct jtest *pool_take(struct judge *j)
{
	struct jtest *t = j->pool;

	if (t)
		j->pool = t->next;
	else
		t = mem_zalloc(sizeof(*t));
	if (!t) {
		j->no_memory = true;
		return NULL;
	}
	return t;
}

static void pool_give(struct judge *j, struct jtest *t)
{
	struct jtest keep = { .name = t->name, .name_cap = t->name_cap, .out = t->out, .next = j->pool };

	j->out_total -= kept_size(&t->out);
	kept_clear(&keep.out);
	*t = keep;
	j->pool = t;
}

void pool_free(struct judge *j)
{
	for (struct jtest *t = j->pool, *next; t; t = next) {
		next = t->next;
		mem_free(t->name);
		kept_free(&t->out);
		mem_free(t);
	}
	j->pool = NULL;
}

static bool test_rename(struct jtest *t, struct span name)
{
	if (name.n + 1 > t->name_cap) {
		char *p = mem_resize(t->name, name.n + 32);
		if (!p)
			return false;
		t->name = p;
		t->name_cap = name.n + 32;
	}
	name_copy(t->name, t->name_cap, name);
	t->name_len = name.n;
	return true;
}

static struct jtest *test_new(struct judge *j, struct jpkg *p, struct span name)
{
	struct jtest *t = pool_take(j);

	if (!t)
		return NULL;
	if (!test_rename(t, name) || !map_put(&p->tests, (struct span){ t->name, t->name_len }, t)) {
		pool_give(j, t);
		j->no_memory = true;
		return NULL;
	}
	t->order = j->order++;
	t->seconds = -1;
	return t;
}

struct jtest *test_start(struct judge *j, struct jpkg *p, struct span name)
{
	struct jtest *t = map_get(&p->tests, name);

	if (t) { /* the same name runs again without an end: -count with a lost event */
		t->ran = true;
		return t;
	}
	t = test_new(j, p, name);
	if (t)
		t->ran = true;
	return t;
}

void test_append(struct judge *j, struct jtest *t, struct span raw)
{
	size_t before = kept_size(&t->out);

	if (t->out.b.len + raw.n <= OUT_MAX && j->out_total + raw.n > OUT_TOTAL) {
		limit_say(j, TR("output of running tests above 12 MiB in all was not kept for excerpts",
				"运行中测试的输出总计超过 12 MiB 的部分未保留用于摘录"));
		return;
	}
	kept_add(&t->out, raw);
	j->out_total += kept_size(&t->out) - before; /* may shrink */
}

/* ---- packages ---- */

void pkg_reset(struct judge *j, struct jpkg *p)
{
	struct jtest *t;
	char *name = p->name;
	struct map tests = p->tests;
	struct kept out = p->out;
	struct crash *crash = p->crash, *race = p->race;
	bool soft = p->soft;
	size_t at = 0;

	while ((t = map_next(&tests, &at)))
		pool_give(j, t);
	map_clear(&tests);
	if (tests.cap > 1024)
		map_free(&tests);
	while ((t = p->failed)) {
		p->failed = t->next;
		pool_give(j, t);
	}
	kept_clear(&out);
	if (crash)
		crash_clear(crash);
	if (race)
		crash_clear(race);
	*p = (struct jpkg){ .name = name, .tests = tests, .out = out, .crash = crash, .race = race,
			    .exit_status = -1, .soft = soft };
	p->failed_end = &p->failed;
}

void pkg_free(struct judge *j, struct jpkg *p)
{
	pkg_reset(j, p);
	map_free(&p->tests);
	kept_free(&p->out);
	if (p->crash)
		crash_free(p->crash);
	if (p->race)
		crash_free(p->race);
	mem_free(p->crash);
	mem_free(p->race);
	p->crash = p->race = NULL;
}

static struct jpkg *pkg_new(struct judge *j, struct span name)
{
	struct jpkg *p = mem_zalloc(sizeof(*p));
	char *z = mem_dup(name.p, name.n);

	if (!p || !z || !map_put(&j->packages, (struct span){ z, name.n }, p)) {
		mem_free(p);
		mem_free(z);
		j->no_memory = true;
		return NULL;
	}
	p->name = z;
	p->soft = !(j->cfg.json_out || j->cfg.explain);
	p->exit_status = -1;
	p->failed_end = &p->failed;
	p->order = j->order++;
	return p;
}

struct jpkg *pkg_get(struct judge *j, struct span name)
{
	struct jpkg *p = j->last_pkg;

	if (!name.n)
		name = S("");
	if (p && p->name && strncmp(p->name, name.p, name.n) == 0 && p->name[name.n] == '\0')
		return p;
	p = map_get(&j->packages, name);
	if (!p) {
		if (j->packages.count >= PACKAGES_MAX) {
			limit_say(j, TR("more than 100,000 packages ran at once; the rest are not judged one by one",
					"同时运行的包超过 100000 个，其余未逐一判断"));
			return NULL;
		}
		p = pkg_new(j, name);
	}
	j->last_pkg = p;
	return p;
}

/* An ended package is forgotten: only what is wrong with it is kept. */
static void pkg_forget(struct judge *j, struct jpkg *p)
{
	if (!p->name || map_get(&j->packages, span_of(p->name)) != p)
		return;
	map_del(&j->packages, span_of(p->name));
	if (j->last_pkg == p)
		j->last_pkg = NULL;
	pkg_free(j, p);
	mem_free(p->name);
	mem_free(p);
}

static void count_skipped(struct judge *j, struct jpkg *p, struct jtest *t)
{
	j->skipped_total++;
	if (j->n_skipped == SKIPPED_MAX || !p->name)
		return;
	j->skipped[j->n_skipped++] = (struct named_time){
		arena_span(&j->mem, span_of(p->name)), arena_span(&j->mem, (struct span){ t->name, t->name_len }), -1 };
}

static void count_slow(struct judge *j, struct jpkg *p, struct jtest *t)
{
	int64_t ns = t->seconds > 0 ? (int64_t)(t->seconds * 1e9) : 0;
	size_t i = j->n_slowest;

	if (ns < NSEC_PER_SEC / 10 || !p->name || (i == SLOWEST_MAX && j->slowest[i - 1].ns >= ns))
		return;
	if (i == SLOWEST_MAX)
		i--;
	else
		j->n_slowest++;
	for (; i && j->slowest[i - 1].ns < ns; i--)
		j->slowest[i] = j->slowest[i - 1];
	j->slowest[i] = (struct named_time){ arena_span(&j->mem, span_of(p->name)),
					     arena_span(&j->mem, (struct span){ t->name, t->name_len }), ns };
}

static void keep_failed(struct judge *j, struct jpkg *p, struct jtest *t)
{
	p->n_failed++;
	if (p->n_failed_kept == FAILED_MAX) {
		limit_say(j, TR("more than 1,000 tests of one package failed; the rest are counted only",
				"单个包失败的测试超过 1000 个，其余只计数"));
		pool_give(j, t);
		return;
	}
	p->n_failed_kept++;
	t->next = NULL;
	p->last_failed = t;
	*p->failed_end = t;
	p->failed_end = &t->next;
}

static void say_test_end(struct judge *j, struct jpkg *p, struct jtest *t)
{
	struct notice n = { .kind = NOTICE_TEST_END, .package = span_of(p->name), .test = { t->name, t->name_len },
			    .result = t->result, .seconds = t->seconds };

	if (!j->cfg.notice)
		return;
	if (t->result == RESULT_FAIL || t->result == RESULT_SKIP)
		n.text = kept_text(&t->out, &j->scratch2);
	notify(j, &n);
}

/* A result of a test that nobody saw start, where starts are seen: a print, or a benchmark before Go 1.20. */
static bool is_printed(const struct jpkg *p, const struct jtest *t)
{
	return !t->ran && p->verbose;
}

static void mark_parents(struct jpkg *p, struct span name)
{
	size_t at;

	while ((at = span_rchr(name, '/')) != SPAN_NONE) {
		name = span_head(name, at);
		struct jtest *parent = map_get(&p->tests, name);
		if (parent)
			parent->child_failed = true;
	}
}

void test_end(struct judge *j, struct jpkg *p, struct span name, enum result result, double seconds)
{
	struct jtest *t = map_get(&p->tests, name);
	bool ghost = !t || !t->ran;

	if (!t)
		t = test_new(j, p, name);
	if (!t)
		return;
	map_del(&p->tests, name);
	if (p->current == t)
		p->current = NULL;
	t->result = result;
	t->seconds = seconds;
	if (ghost && result != RESULT_FAIL) { /* forged, or text without -v: nobody saw it start */
		p->ghosts++;
		pool_give(j, t);
		return;
	}
	if (result == RESULT_FAIL) {
		mark_parents(p, name);
		if (!is_printed(p, t)) /* else it is said when the package's end has shown that it is no print */
			say_test_end(j, p, t);
		keep_failed(j, p, t);
		return;
	}
	if (result == RESULT_PASS && !t->framed && !p->unframed[0] && p->verbose && t->out.escaped)
		name_copy(p->unframed, sizeof(p->unframed), name);
	p->passed += result == RESULT_PASS;
	p->skipped += result == RESULT_SKIP;
	say_test_end(j, p, t);
	if (result == RESULT_SKIP)
		count_skipped(j, p, t);
	count_slow(j, p, t);
	pool_give(j, t);
}

/* ---- one line of output ---- */

static bool is_crash_start(enum line_kind k)
{
	return k == LINE_PANIC || k == LINE_FATAL || k == LINE_FATAL_SIGNAL || k == LINE_TEST_TIMEOUT ||
	       k == LINE_AFTER_END || k == LINE_OS_EXIT_0 || k == LINE_RUNTIME;
}

static struct crash *crash_slot(struct judge *j, struct crash **slot)
{
	if (!*slot)
		*slot = mem_zalloc(sizeof(**slot));
	if (!*slot)
		j->no_memory = true;
	return *slot;
}

static bool feed_open(struct jpkg *p, const struct goline *g, struct span line)
{
	if (p->crash_open) {
		p->crash_open = crash_feed(p->crash, g, line);
		if (p->crash_open)
			return true;
	}
	if (p->race_open) {
		p->race_open = crash_feed(p->race, g, line);
		if (p->race_open)
			return true;
	}
	return false;
}

static void open_crash(struct judge *j, struct jpkg *p, struct jtest *t, const struct goline *g, struct span line)
{
	struct crash *c = crash_slot(j, &p->crash);

	if (!c)
		return;
	if (!crash_begin(c, g, line)) /* the last one is what ended the program */
		return;
	p->crash_open = true;
	name_copy(p->crash_test, sizeof(p->crash_test), t ? (struct span){ t->name, t->name_len } : S(""));
	p->after_end = g->kind == LINE_AFTER_END;
	if (p->after_end)
		name_copy(p->crash_test, sizeof(p->crash_test), g->name);
	p->os_exit_0 = g->kind == LINE_OS_EXIT_0;
}

static void open_race(struct judge *j, struct jpkg *p, struct jtest *t, const struct goline *g, struct span line)
{
	if (p->races++)
		return; /* the first is shown */
	struct crash *c = crash_slot(j, &p->race);
	if (!c)
		return;
	p->race_open = crash_begin(c, g, line);
}

static void note_outside(struct jpkg *p, const struct goline *g) /* lines that only mean something outside tests */
{
	switch (g->kind) {
	case LINE_PASS:
		p->pass_line = true;
		break;
	case LINE_FAIL:
		p->fail_line = true;
		break;
	case LINE_PKG_OK:
		p->said_failed = false;
		p->cached = g->cached;
		if (span_find(g->note, S("[no tests to run]")) != SPAN_NONE)
			p->no_tests = true;
		break;
	case LINE_PKG_FAIL:
		p->said_failed = p->name && span_eq(g->package, span_of(p->name));
		name_copy(p->reason, sizeof(p->reason), g->note);
		break;
	case LINE_PKG_NO_FILES:
		p->no_files = true;
		break;
	case LINE_NO_TESTS:
		p->no_tests = true;
		break;
	default:
		break;
	}
}

static void note_anywhere(struct jpkg *p, struct jtest *t, const struct goline *g)
{
	switch (g->kind) {
	case LINE_RACE_IN_TEST:
		if (t)
			t->race = true;
		break;
	case LINE_RACE_FOUND:
		p->race_outside = true;
		break;
	case LINE_IO_INCOMPLETE:
		p->io_incomplete = true;
		break;
	case LINE_TEST_KILLED:
		p->wedged = true;
		break;
	case LINE_EXIT_STATUS:
		p->exit_status = (int)g->number;
		break;
	case LINE_SIGNAL:
		name_copy(p->signal, sizeof(p->signal), g->name);
		break;
	case LINE_FUZZ_INPUT:
		p->fuzz = true;
		if (t)
			t->fuzz = true;
		break;
	case LINE_FRAME:
		if (p->printed_stack && span_eq(g->name, S("panic")) && !p->printed_panic[0])
			name_copy(p->printed_panic, sizeof(p->printed_panic), t ? (struct span){ t->name, t->name_len } : S("?"));
		break;
	case LINE_GOROUTINE:
		p->printed_stack = true;
		break;
	default:
		break;
	}
}

void pkg_line(struct judge *j, struct jpkg *p, struct jtest *t, const struct goline *g, struct span line)
{
	if (feed_open(p, g, line))
		return;
	if (is_crash_start(g->kind))
		open_crash(j, p, t, g, line);
	else if (g->kind == LINE_RACE)
		open_race(j, p, t, g, line);
	else if (t && (g->kind == LINE_TEST_PASS || g->kind == LINE_TEST_FAIL || g->kind == LINE_TEST_SKIP))
		t->framed |= span_eq(g->name, (struct span){ t->name, t->name_len });
	note_anywhere(p, t, g);
	if (!t)
		note_outside(p, g);
}

/* ---- the end of a package ---- */

/* A test whose end was glued to a print without newline: "text--- PASS: T (0.00s)". */
static enum result glued_end(struct judge *j, struct jtest *t)
{
	static const struct { struct span mark; enum result r; } marks[] = {
		{ { "--- PASS: ", 10 }, RESULT_PASS }, { { "--- FAIL: ", 10 }, RESULT_FAIL }, { { "--- SKIP: ", 10 }, RESULT_SKIP },
	};
	struct span name = { t->name, t->name_len };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		struct span rest = buf_view(&t->out.b);
		size_t at;
		while ((at = span_find(rest, marks[i].mark)) != SPAN_NONE) {
			rest = span_from(rest, at + marks[i].mark.n);
			if (span_starts(rest, name) && span_starts(span_from(rest, name.n), S(" (")))
				return marks[i].r;
		}
	}
	return RESULT_NONE;
}

static bool is_benchmark(const struct jtest *t)
{
	return !strncmp(t->name, "Benchmark", 9);
}

/* Take the tests that never ended out of the running ones; gives the first true one's name. */
static int64_t take_unfinished(struct judge *j, struct jpkg *p, char *first, size_t size)
{
	struct jtest *t, *oldest = NULL;
	int64_t n = 0;
	size_t at = 0;

	first[0] = '\0';
	while ((t = map_next(&p->tests, &at))) {
		enum result r = glued_end(j, t);
		if (r == RESULT_NONE && is_benchmark(t))
			r = RESULT_PASS;
		if (r == RESULT_NONE && t->ran) {
			n++;
			if (!oldest || t->order > oldest->order)
				oldest = t; /* the youngest: the innermost test that was running */
		}
		p->passed += r == RESULT_PASS;
		p->skipped += r == RESULT_SKIP;
		if (r == RESULT_FAIL) {
			map_del(&p->tests, (struct span){ t->name, t->name_len });
			if (p->current == t)
				p->current = NULL;
			t->result = RESULT_FAIL;
			t->ran = true;
			keep_failed(j, p, t);
		}
	}
	if (oldest)
		name_copy(first, size, (struct span){ oldest->name, oldest->name_len });
	return n;
}

static void remember_failed(struct judge *j, struct jpkg *p, struct span test)
{
	if (j->n_failed == j->cap_failed) {
		size_t cap = j->cap_failed ? j->cap_failed * 2 : 16;
		struct failed_test *f = mem_resize(j->failed, cap * sizeof(*f));
		if (!f) {
			j->no_memory = true;
			return;
		}
		j->failed = f;
		j->cap_failed = cap;
	}
	j->failed[j->n_failed++] = (struct failed_test){ arena_span(&j->mem, span_of(p->name)), arena_span(&j->mem, test) };
}

static bool has_failed_child(struct jpkg *p, struct jtest *t)
{
	if (t->child_failed)
		return true;
	for (struct jtest *c = p->failed; c; c = c->next) {
		if (c->name_len > t->name_len && c->name[t->name_len] == '/' && !memcmp(c->name, t->name, t->name_len))
			return true;
	}
	return false;
}

static struct span test_out(struct judge *j, struct jtest *t)
{
	return kept_text(&t->out, &j->scratch);
}

/* The output of a test that never ended, or of a failed one; else the package's own. */
static struct span own_words(struct judge *j, struct jpkg *p, const char *test)
{
	struct jtest *t = test && *test ? map_get(&p->tests, span_of(test)) : NULL;

	return t && t->out.b.len ? test_out(j, t) : kept_text(&p->out, &j->scratch);
}

/* Is the failed test t the one that the crash speaks of (or a parent or child of it)? */
static bool same_branch(struct span a, struct span b)
{
	struct span l = a.n < b.n ? a : b, s = a.n < b.n ? b : a;

	return l.n && span_starts(s, l) && (s.n == l.n || s.p[l.n] == '/');
}

static void crash_culprit(struct jpkg *p, char *ret, size_t size)
{
	char top[200];

	name_copy(ret, size, span_of(p->crash_test));
	if (p->after_end || p->crash->kind == CRASH_TIMEOUT)
		return;
	if (crash_test(p->crash, top, sizeof(top)) && !same_branch(span_of(ret), span_of(top)))
		name_copy(ret, size, span_of(top));
}

static void crash_fill(struct judge *j, struct jfinding *f, struct jpkg *p, const struct crash *c)
{
	const struct crash_frame *at = crash_place(c);

	f->from_test = p->name != NULL;
	f->f.package = arena_span(&j->mem, span_of(p->name));
	if (at)
		finding_file(j, f, f->f.package, span_of(at->file), at->line);
	finding_text(j, &f->f.excerpt, buf_view(&c->text));
}

static struct jfinding *timeout_finding(struct judge *j, struct jpkg *p, const char *unfinished)
{
	struct jfinding *f = finding_new(j, CAUSE_TEST_TIMEOUT, p->soft);
	const char *test = unfinished;
	char top[200];

	if (!f)
		return NULL;
	if (p->crash && p->crash->kind == CRASH_TIMEOUT) {
		if (!test[0] && crash_test(p->crash, top, sizeof(top))) /* no list before Go 1.20, no name without -v */
			test = top;
		/* the innermost running test: the last of the list that has no child in it */
		if (p->crash->n_tests)
			test = p->crash->tests[p->crash->n_tests - 1];
		crash_fill(j, f, p, p->crash);
		buf_clear(&j->scratch);
		buf_addf(&j->scratch, TR("test timed out after %s", "测试在 %s 后超时"), p->crash->value);
		for (int i = 0; i < p->crash->n_tests; i++)
			buf_addf(&j->scratch, "%s %s", i ? "," : TR("; running:", "；运行中："), p->crash->tests[i]);
		finding_line(j, &f->f.message, buf_view(&j->scratch));
	} else {
		finding_line(j, &f->f.message, span_of(TR("the test binary hung past its deadline and was killed",
							     "测试程序超过期限仍未退出，被杀死")));
		excerpt_make(j, own_words(j, p, unfinished), EXCERPT_ENDS, &f->f.excerpt);
	}
	f->f.package = arena_span(&j->mem, span_of(p->name));
	f->f.test = test[0] ? arena_span(&j->mem, span_of(test)) : (struct span){ 0 };
	return f;
}

static enum cause test_crash_cause(struct jpkg *p)
{
	if (p->after_end)
		return CAUSE_TEST_AFTER_END;
	if (p->os_exit_0)
		return CAUSE_TEST_EXIT;
	return crash_cause(p->crash, true);
}

static struct jfinding *crash_finding(struct judge *j, struct jpkg *p, char *culprit, size_t size)
{
	struct jfinding *f = finding_new(j, test_crash_cause(p), p->soft);

	if (!f)
		return NULL;
	crash_culprit(p, culprit, size);
	crash_fill(j, f, p, p->crash);
	f->f.test = culprit[0] ? arena_span(&j->mem, span_of(culprit)) : (struct span){ 0 };
	finding_line(j, &f->f.message, span_of(p->crash->value));
	return f;
}

static enum cause signal_cause(const char *name)
{
	if (!strncmp(name, "killed", 6))
		return CAUSE_PROC_KILLED;
	if (!strncmp(name, "segmentation", 12) || !strncmp(name, "bus error", 9) || !strncmp(name, "abort", 5) ||
	    !strncmp(name, "illegal", 7) || !strncmp(name, "floating", 8))
		return CAUSE_GO_CGO_CRASH;
	return CAUSE_PROC_SIGNAL;
}

static struct jfinding *plain_finding(struct judge *j, struct jpkg *p, enum cause c, const char *test, const char *message)
{
	struct jfinding *f = finding_new(j, c, p->soft);

	if (!f)
		return NULL;
	f->from_test = true;
	f->f.package = arena_span(&j->mem, span_of(p->name));
	f->f.test = test && *test ? arena_span(&j->mem, span_of(test)) : (struct span){ 0 };
	finding_line(j, &f->f.message, span_of(message));
	excerpt_make(j, own_words(j, p, test), EXCERPT_ENDS, &f->f.excerpt);
	return f;
}

static void race_place(struct judge *j, struct jfinding *f, struct jpkg *p)
{
	if (p->race && p->race->kind == CRASH_RACE)
		crash_fill(j, f, p, p->race);
}

static void failed_test_finding(struct judge *j, struct jpkg *p, struct jtest *t)
{
	struct span out = t->out.b.len ? test_out(j, t) : kept_text(&p->out, &j->scratch), message, file; /* 1.19's fuzz targets have no run */
	int line;
	const struct cause_match *m = match_text(j->match, span_head(out, OUT_MAX), IN_TEST);
	enum cause c = t->race ? CAUSE_TEST_RACE : t->fuzz ? CAUSE_TEST_FUZZ : CAUSE_TEST_FAIL;

	if (m && c == CAUSE_TEST_FAIL && m->classes[0] == 'R')
		c = m->cause;
	struct jfinding *f = finding_new(j, c, p->soft);
	if (!f)
		return;
	if (m && c == m->cause)
		f->f.classes = m->classes;
	f->from_test = true;
	f->f.order = t->order;
	f->f.package = arena_span(&j->mem, span_of(p->name));
	f->f.test = arena_span(&j->mem, (struct span){ t->name, t->name_len });
	test_message(out, &message, &file, &line);
	if (file.p)
		finding_file(j, f, f->f.package, file, line);
	finding_line(j, &f->f.message, message.n ? message : span_of(TR("failed without a message", "失败，没有给出信息")));
	excerpt_make(j, out, EXCERPT_TEST, &f->f.excerpt);
	if (c == CAUSE_TEST_RACE && p->race) {
		f->f.file = (struct span){ 0 };
		race_place(j, f, p);
		finding_line(j, &f->f.message, span_of(TR("data race", "数据竞争")));
	}
	finding_say(j, f);
}

/* A fuzz target fails twice under one name, once as its own input; -count repeats names: one finding each. */
static void fold_same_names(struct judge *j, struct jpkg *p)
{
	for (struct jtest *t = p->failed; t; t = t->next) {
		t->fuzz |= p->fuzz && !strncmp(t->name, "Fuzz", 4);
		for (struct jtest *c = p->failed; c != t; c = c->next) {
			if (c->folded || c->name_len != t->name_len || memcmp(c->name, t->name, t->name_len))
				continue;
			t->folded = true;
			c->ran |= t->ran;
			c->race |= t->race;
			if (c->out.escaped == t->out.escaped)
				test_append(j, c, buf_view(&t->out.b)); /* bounded and counted */
			break;
		}
	}
}

/* Every failed test that the package's crash does not explain. A parent fails only through its children. */
static int64_t failed_tests(struct judge *j, struct jpkg *p, const char *crashed)
{
	int64_t n = 0;
	bool real = false;

	fold_same_names(j, p);
	for (struct jtest *t = p->failed; t; t = t->next)
		real |= t->ran;
	for (struct jtest *t = p->failed; t; t = t->next) {
		struct span name = { t->name, t->name_len };
		if (real && is_printed(p, t)) {
			p->n_failed--; /* a ghost: printed, never started */
			continue;
		}
		if (is_printed(p, t))
			say_test_end(j, p, t);
		n++;
		if (t->folded || has_failed_child(p, t))
			continue;
		remember_failed(j, p, name);
		if (crashed && crashed[0] && same_branch(span_of(crashed), name))
			continue;
		failed_test_finding(j, p, t);
	}
	return n;
}

static bool build_reason(const char *reason)
{
	return !strncmp(reason, "[build failed]", 14) || !strncmp(reason, "[setup failed]", 14);
}

static bool is_build_cause(const struct finding *f)
{
	const char *id = cause_table[f->cause].id;

	return !strncmp(id, "build.", 6) || !strncmp(id, "mod.", 4);
}

static struct jfinding *build_culprit(struct judge *j, struct span package, struct span failed_build)
{
	struct jbuild *b = failed_build.n ? map_get(&j->builds, failed_build) : NULL;

	if (b && b->finding < 0 && b->block.kind != BLOCK_NONE) {
		struct jfinding *made = block_finding(j, &b->block, false, false);
		b->finding = made ? (int)(made - j->findings) : -1;
	}
	if (b && b->finding >= 0)
		return &j->findings[b->finding];
	for (size_t i = 0; i < j->n_findings; i++) { /* the block of this package, else any build error */
		if (is_build_cause(&j->findings[i].f) && span_eq(j->findings[i].f.package, package))
			return &j->findings[i];
	}
	for (size_t i = 0; i < j->n_findings; i++) {
		if (is_build_cause(&j->findings[i].f))
			return &j->findings[i];
	}
	return NULL;
}

/* Make a package a place of the build error that took it down. False: no such error is known (yet). */
bool blame_build(struct judge *j, struct span package, bool soft, struct span failed_build)
{
	struct jfinding *f = build_culprit(j, package, failed_build);

	if (!f)
		return false;
	f->soft &= soft;
	for (size_t i = 0; i < f->f.n_places; i++) { /* the package that has the error is a place already */
		if (span_eq(f->f.places[i].package, package))
			return true;
	}
	finding_place(j, f, package, (struct span){ 0 }, 0);
	return true;
}

/* Its diagnostics may come later, on the other stream: the end of the run decides. */
static void failed_build_later(struct judge *j, struct jpkg *p)
{
	const struct cause_match *m = match_text(j->match, kept_text(&p->out, &j->scratch), IN_BUILD | IN_GO);
	struct jfinding *f;

	if (!m && j->unblamed.len < (1 << 20) && p->name) {
		buf_adds(&j->unblamed, p->name);
		buf_addc(&j->unblamed, '\0');
		return;
	}
	f = plain_finding(j, p, m ? m->cause : CAUSE_BUILD_COMPILE, NULL, p->reason);
	if (f && m)
		f->f.classes = m->classes;
}

static bool glued_failure(struct span said, struct span *name)
{
	size_t at = span_find(said, S("--- FAIL: ")), end;

	if (at == SPAN_NONE)
		return false;
	*name = span_from(said, at + 10);
	end = span_find(*name, S(" ("));
	if (end == SPAN_NONE || end == 0 || span_chr(span_head(*name, end), '\n') != SPAN_NONE)
		return false;
	*name = span_head(*name, end);
	return true;
}

/* A package that failed although no test of it failed and nothing crashed. */
static void unexplained(struct judge *j, struct jpkg *p, const char *unfinished)
{
	struct span said = own_words(j, p, unfinished), name, message, file;
	const struct cause_match *m = match_text(j->match, said, IN_TEST);
	struct jfinding *f;
	int line;

	if (m) {
		test_message(said, &message, &file, &line);
		message = arena_span(&j->mem, message); /* said does not outlive the next finding */
		f = plain_finding(j, p, m->cause, unfinished, "");
		if (f) {
			f->f.classes = m->classes;
			f->f.advice = span_of(m->advice.en ? tx(m->advice) : NULL);
			finding_line(j, &f->f.message, message);
		}
		return;
	}
	if (glued_failure(said, &name)) { /* a print without newline hid the frame line */
		name = arena_span(&j->mem, name);
		f = plain_finding(j, p, CAUSE_TEST_FAIL, unfinished, TR("failed; its output does not end its line", "失败；输出末尾没有换行"));
		if (f)
			f->f.test = name;
		return;
	}
	f = plain_finding(j, p, CAUSE_TEST_EXIT, unfinished,
			  unfinished[0] ? TR("the test binary left while this test was running (os.Exit or log.Fatal?)",
					     "测试程序在此测试运行时退出（os.Exit 或 log.Fatal？）") :
					  TR("the test binary ended with a failure status although no test failed",
					     "没有测试失败，测试程序却以失败状态退出"));
	if (f && p->exit_status >= 0) {
		buf_clear(&j->scratch);
		buf_addf(&j->scratch, "%.*s: exit status %d", SPAN_ARG(f->f.message), p->exit_status);
		finding_line(j, &f->f.message, buf_view(&j->scratch));
	}
}

/* The causes of one failed package, by precedence: build, signal, time-out, fatal, panic, race, leaked child, exit. */
static void explain_failure(struct judge *j, struct jpkg *p, struct span failed_build, const char *unfinished, int64_t n_open)
{
	char culprit[200] = "";
	struct jfinding *f = NULL;

	if (failed_build.n || build_reason(p->reason)) {
		struct jbuild *b = failed_build.n ? map_get(&j->builds, failed_build) : NULL;
		if (b && b->finding < 0 && !strncmp(p->reason, "[setup", 6)) /* its id is what could not be loaded */
			name_copy(b->block.package, sizeof(b->block.package), span_of(p->name));
		if (!blame_build(j, span_of(p->name), p->soft, failed_build))
			failed_build_later(j, p);
		return;
	}
	if (p->signal[0] && !p->wedged && !(p->crash && p->crash->kind == CRASH_TIMEOUT)) {
		buf_clear(&j->scratch);
		buf_addf(&j->scratch, TR("the test binary was ended by a signal: %s", "测试程序被信号终止：%s"), p->signal);
		f = plain_finding(j, p, signal_cause(p->signal), unfinished, buf_str(&j->scratch));
		name_copy(culprit, sizeof(culprit), span_of(unfinished));
	} else if (p->wedged || (p->crash && p->crash->kind == CRASH_TIMEOUT)) {
		f = timeout_finding(j, p, unfinished);
	} else if (p->crash && p->crash->kind != CRASH_NONE) {
		f = crash_finding(j, p, culprit, sizeof(culprit));
	} else if (p->io_incomplete) {
		f = plain_finding(j, p, CAUSE_TEST_IO_INCOMPLETE, NULL,
				  TR("a child process that the tests started still holds the output",
				     "测试启动的子进程仍占用输出"));
	}
	if (f)
		finding_say(j, f);
	int64_t failed = failed_tests(j, p, culprit);
	if (!f && !failed && p->races) {
		f = plain_finding(j, p, CAUSE_TEST_RACE, NULL, TR("data race outside of a test", "测试之外的数据竞争"));
		if (f)
			race_place(j, f, p);
	} else if (!f && (!failed || n_open)) {
		if (!failed || unfinished[0])
			unexplained(j, p, unfinished);
	}
}

static struct jfinding *suspicion(struct judge *j, struct jpkg *p, enum cause c, const char *test, const char *message)
{
	struct jfinding *f = plain_finding(j, p, c, test, message);

	if (f) {
		f->f.severity = SEV_WARNING;
		f->soft = false;
	}
	return f;
}

/* What a passing package shows all the same. Hard evidence says masked; words are warnings. */
static void doubt_success(struct judge *j, struct jpkg *p, const char *unfinished)
{
	struct jfinding *f;
	bool failing = false, sure = !p->soft || (j->is_go_test && (p->verbose || j->asked_verbose));

	for (struct jtest *t = p->failed; t; t = t->next)
		failing |= t->ran;
	if (!p->pass_line && (failing || (p->fail_line && (p->n_failed || p->started)))) {
		struct jtest *t = p->failed;
		f = plain_finding(j, p, CAUSE_TEST_EXIT_MASKED, t ? t->name : NULL,
				  TR("tests failed, yet the test binary exited 0: TestMain drops the result of m.Run()",
				     "有测试失败，测试程序却以 0 退出：TestMain 丢弃了 m.Run() 的结果"));
		if (f)
			f->soft = !sure;
		failed_tests(j, p, NULL);
		return;
	}
	p->n_failed = 0; /* a lone PASS contradicts them: printed by a test */
	if (!p->pass_line && (unfinished[0] || p->unframed[0]) && sure) {
		f = plain_finding(j, p, CAUSE_TEST_EXIT, unfinished[0] ? unfinished : p->unframed,
				  TR("the test binary exited 0 in the middle of this test; the tests after it never ran",
				     "测试程序在此测试中途以 0 退出，之后的测试都没有运行"));
		if (f)
			f->soft = false;
	} else if (unfinished[0] && !p->soft) {
		suspicion(j, p, CAUSE_TEST_UNFINISHED, unfinished,
			  TR("started and never ended, although the package passed", "开始后没有结束，但包显示通过"));
	}
	if (p->crash && p->crash->kind != CRASH_NONE && p->crash->n_frames) {
		f = suspicion(j, p, p->crash->kind == CRASH_RACE ? CAUSE_TEST_RACE : CAUSE_TEST_PANIC_SWALLOWED, p->crash_test, p->crash->value);
		if (f)
			crash_fill(j, f, p, p->crash);
	} else if (p->printed_panic[0]) {
		suspicion(j, p, CAUSE_TEST_PANIC_SWALLOWED, p->printed_panic[0] == '?' ? NULL : p->printed_panic,
			  TR("the stack of a recovered panic was printed", "打印了已被 recover 的 panic 的调用栈"));
	}
	if (p->races && p->race) {
		f = suspicion(j, p, CAUSE_TEST_RACE, NULL, TR("data race in a package that passed", "通过的包中有数据竞争"));
		if (f)
			race_place(j, f, p);
	}
}

static void add_up(struct judge *j, struct jpkg *p, enum result result, int64_t open)
{
	bool build = build_reason(p->reason);

	j->packages_seen++;
	j->packages_ok += result == RESULT_PASS;
	j->packages_failed += result == RESULT_FAIL;
	j->packages_no_files += result == RESULT_SKIP || p->no_files;
	j->cached += p->cached;
	j->passed += p->passed;
	j->n_failed_tests += p->n_failed;
	j->skipped_tests += p->skipped;
	j->unfinished += open;
	j->run += p->passed + p->n_failed + p->skipped + open;
	j->truly_run += p->no_tests ? 0 : p->passed + p->n_failed + open;
	if (p->verbose || p->started)
		j->verbose_packages++;
	else if (!p->no_files && !build && result != RESULT_SKIP)
		j->quiet_packages++;
	if (result == RESULT_PASS && p->name && !p->no_files) {
		bool none = p->no_tests || ((p->started || p->verbose || j->asked_verbose) && !p->pass_line && !p->passed &&
					    !p->n_failed && !p->skipped && !open);
		bool skipped = p->skipped && !p->passed && !p->n_failed && !open;
		j->packages_no_tests += none || skipped;
		if (none && !p->no_tests && (!p->soft || j->asked_verbose))
			suspicion(j, p, CAUSE_TEST_EMPTY, NULL,
				  TR("the test binary exited 0 without running a test (os.Exit in init or TestMain?)",
				     "测试程序没有运行任何测试就以 0 退出（init 或 TestMain 里有 os.Exit？）"));
		else if (none && p->no_tests)
			suspicion(j, p, CAUSE_TEST_EMPTY, NULL, TR("no tests to run", "没有要运行的测试"));
	}
}

static void remember_name(struct judge *j, struct jpkg *p)
{
	if (j->cfg.packages && p->name && j->requested_seen.len < (1 << 20)) {
		buf_adds(&j->requested_seen, p->name);
		buf_addc(&j->requested_seen, '\0');
	}
}

void pkg_end(struct judge *j, struct jpkg *p, enum result result, double seconds, struct span failed_build)
{
	char unfinished[300];
	int64_t open = take_unfinished(j, p, unfinished, sizeof(unfinished));

	remember_name(j, p);
	if (result == RESULT_FAIL)
		explain_failure(j, p, failed_build, unfinished, open);
	else if (result == RESULT_PASS)
		doubt_success(j, p, unfinished);
	add_up(j, p, result, open);
	notify(j, &(struct notice){ .kind = NOTICE_PKG_END, .package = span_of(p->name), .result = result, .seconds = seconds,
				    .cached = p->cached, .no_tests = p->no_tests || p->no_files,
				    .text = span_of(p->reason) });
	pkg_reset(j, p);
	pkg_forget(j, p);
}

/* The stream stopped inside this package. */
void pkg_abandon(struct judge *j, struct jpkg *p, bool said_success)
{
	char unfinished[300], culprit[200] = "";
	int64_t open = take_unfinished(j, p, unfinished, sizeof(unfinished));
	struct jfinding *f = NULL;

	bool only_words = !j->packages_seen && j->json_events && kept_size(&p->out); /* 1.19 has no start event */
	if (!p->started && !p->verbose && !open && !p->n_failed && !only_words)
		return;
	if (p->crash && p->crash->kind == CRASH_TIMEOUT)
		f = timeout_finding(j, p, unfinished);
	else if (p->crash && p->crash->kind != CRASH_NONE)
		f = crash_finding(j, p, culprit, sizeof(culprit));
	failed_tests(j, p, culprit);
	if (!f && said_success && p->unframed[0]) /* "ok" and the package's end are credited to the test that left */
		f = plain_finding(j, p, CAUSE_TEST_EXIT, p->unframed,
				  TR("the test binary exited 0 in the middle of this test; the tests after it never ran",
				     "测试程序在此测试中途以 0 退出，之后的测试都没有运行"));
	if (!f && !p->n_failed)
		f = plain_finding(j, p, CAUSE_TEST_UNFINISHED, unfinished,
				  TR("the package never ended: its results are lost", "包没有结束，结果丢失"));
	if (f && !said_success && f->f.cause == CAUSE_TEST_UNFINISHED)
		f->f.severity = SEV_NOTE; /* what ended the run explains it */
	add_up(j, p, RESULT_NONE, open);
}
