#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/state.h"
#include "store/tests.h"

/*
 * Tests over time: the last runs of one command on one branch beside each other (docs/flaky.md). What all tests share
 * (a slower machine) is taken out first.
 */
#define LINES_MAX   8  /* commands and branches that are looked at: those that ran last */
#define LINE_AGE    (14 * DAY_NSEC) /* how much older than the newest run */
#define RUNS_MAX    16 /* of a line: the newest, and some of the 90 before them */
#define ROWS_MAX    250000 /* results that are read; the first line is read whole */
#define NEAR        6  /* the newest ones, of which all tests are looked at */
#define RECENT      3  /* what is called "now" */
#define EARLIER_MIN 5
#define GONE_MIN    3  /* runs that had it, one after the other */
#define TESTS_MAX   200000
#define FLOOR       (20 * NSEC_PER_MSEC) /* a change below it is nobody's business */
#define KEEP_MIN    (10 * NSEC_PER_MSEC) /* what go can measure */
#define SHARED_MIN  10 /* tests that must agree that the machine is slower */
#define NAMES_MAX   4000

struct tr_run {
	int64_t seq, started, cached;
	bool complete;
	struct span id, commit;
};

struct tr_test {
	int64_t id;
	bool used;
	uint32_t ran, passed, failed, skipped; /* a bit a run, the newest first */
	int64_t ns[RUNS_MAX]; /* 0: not known, or a copy from go's cache */
	int64_t now, before, noise; /* of those that may have become slower */
	uint32_t since; /* the run where it did */
};

struct tr_line {
	struct tr_run runs[RUNS_MAX];
	size_t n;
	uint32_t complete; /* a bit a run */
	struct tr_test *tests; /* open addressing */
	size_t cap, count;
	double shared;     /* how much slower all are */
};

struct candidate {
	struct test_trend t;
	int64_t id;
	double weight;
	uint32_t depth;  /* runs since it was there: which one is looked at */
	bool dropped;
};

struct trends {
	struct store *s;
	struct err *e;
	struct arena mem;
	struct tr_line line;
	size_t run; /* that is being read */
	size_t rows, at_line;
	struct candidate *list;
	size_t n, cap, from; /* from: of this line */
	bool no_mem;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* ---- reading ---- */

static struct tr_test *slot(struct tr_line *l, int64_t id)
{
	size_t at = (size_t)id & (l->cap - 1);

	while (l->tests[at].used && l->tests[at].id != id)
		at = (at + 1) & (l->cap - 1);
	return &l->tests[at];
}

static bool grow(struct tr_line *l)
{
	struct tr_line old = *l;

	l->cap = old.cap ? old.cap * 2 : 1024;
	l->tests = mem_zalloc(l->cap * sizeof(*l->tests));
	if (!l->tests) {
		l->tests = old.tests;
		l->cap = old.cap;
		return false;
	}
	for (size_t i = 0; i < old.cap; i++) {
		if (old.tests[i].used)
			*slot(l, old.tests[i].id) = old.tests[i];
	}
	mem_free(old.tests);
	return true;
}

static int take_result(void *ctx, const struct db_value *row, size_t n)
{
	struct trends *x = ctx;
	struct tr_line *l = &x->line;
	int64_t id = db_number(row[0], 0), result = db_number(row[1], 0), ns = db_number(row[2], -1);
	uint32_t bit = UINT32_C(1) << x->run;

	if (l->count * 4 >= l->cap * 3 && !grow(l)) {
		x->no_mem = true;
		return -ENOMEM;
	}
	struct tr_test *t = slot(l, id);
	if (!t->used) {
		if (l->count == TESTS_MAX)
			return 0;
		*t = (struct tr_test){ .id = id, .used = true };
		l->count++;
	}
	x->rows++;
	t->ran |= bit;
	t->passed |= result == TEST_PASS ? bit : 0;
	t->failed |= result == TEST_FAIL ? bit : 0;
	t->skipped |= result == TEST_SKIP ? bit : 0;
	if (result == TEST_PASS && ns > 0)
		t->ns[x->run] = ns;
	return 0;
}

static int load_results(struct trends *x)
{
	struct tr_line *l = &x->line;

	for (x->run = 0; x->run < l->n; x->run++) {
		int64_t r = db_query(x->s->db, x->run < NEAR ? "SELECT test, result, duration FROM result WHERE run = ?1"
							     : "SELECT test, result, duration FROM result WHERE run = ?1 AND result = 1 AND duration >= 10000000",
				     DB_ARGS(db_int(l->runs[x->run].seq)), take_result, x, x->e);
		if (r < 0)
			return x->no_mem ? no_memory(x->e) : (int)r;
	}
	return 0;
}

static int take_run(void *ctx, const struct db_value *row, size_t n)
{
	struct trends *x = ctx;
	struct tr_run *r = &x->line.runs[x->line.n];

	*r = (struct tr_run){ db_number(row[0], 0), db_number(row[1], 0), db_number(row[2], 0), db_number(row[3], 0) == 0, arena_span(&x->mem, db_span(row[4])),
			      row[5].type == DB_NULL ? (struct span){ 0 } : arena_span(&x->mem, db_span(row[5])) };
	if (!r->id.p || (!r->commit.p && row[5].type != DB_NULL))
		return x->no_mem = true, -ENOMEM;
	x->line.complete |= r->complete ? UINT32_C(1) << x->line.n : 0;
	return ++x->line.n == RUNS_MAX;
}

#define OF_LINE "FROM run WHERE series = ?1 AND COALESCE(branch, '') = ?2 AND tests > 0 AND outcome IN ('passed', 'failed', 'unstable', 'masked')"

/*
 * The newest runs, and every n-th of those before them, so that a busy day is not all of the past. A run is complete when nothing
 * but tests failed: a build error or a crash hides the tests behind it.
 */
static int load_runs(struct trends *x, int64_t series, struct span branch)
{
	static const char sql[] =
		"SELECT seq, started, cached, (SELECT count(*) FROM finding f JOIN fault o ON o.seq = f.fault WHERE f.run = run.seq AND o.severity = 2 AND o.cause"
		" NOT IN ('test.fail', 'test.race', 'test.unstable', 'test.fuzz', 'pipe.masked', 'test.exit_masked')) + CASE WHEN unfinished > 0 THEN 1 ELSE 0 END,"
		" id, commit_id FROM run JOIN (SELECT picked, row_number() OVER (ORDER BY at DESC) AS n FROM (SELECT seq AS picked, started AS at " OF_LINE
		" ORDER BY started DESC LIMIT 96) AS newest) AS numbered ON picked = seq WHERE n <= 6 OR (n - 6) % ?3 = 0 ORDER BY started DESC LIMIT 16";
	int64_t n = 0;

	int64_t r = db_get(x->s->db, "SELECT count(*) FROM (SELECT seq " OF_LINE " LIMIT 96) AS newest", DB_ARGS(db_int(series), db_text(branch)), 0, &n, x->e);
	int64_t each = (n - NEAR) / (RUNS_MAX - NEAR);
	if (r == 0)
		r = db_query(x->s->db, sql, DB_ARGS(db_int(series), db_text(branch), db_int(each < 1 ? 1 : each)), take_run, x, x->e);
	return r < 0 ? x->no_mem ? no_memory(x->e) : (int)r : 0;
}

/* ---- slow ones ---- */

/*
 * The durations that were measured, the newest first. go's cache answers with the old figure: where packages came from it, a
 * figure that is the one before is left out.
 */
static size_t measured(const struct tr_line *l, const struct tr_test *t, int64_t *ret, size_t *at)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (!t->ns[i])
			continue;
		size_t o = i + 1;
		while (o < l->n && !t->ns[o])
			o++;
		if (l->runs[i].cached > 0 && o < l->n && t->ns[o] == t->ns[i])
			continue;
		if (at)
			at[n] = i;
		ret[n++] = t->ns[i];
	}
	return n;
}

/* What it takes now, what it took before, and from which run on. False: too little is known, or it is too quick to matter. */
static bool pace_of(const struct tr_line *l, struct tr_test *t)
{
	int64_t v[RUNS_MAX], some[RUNS_MAX];
	size_t at[RUNS_MAX], n = 0, recent, since = 0;

	for (size_t i = 0; i < l->n && i < RECENT; i++)
		n += t->ns[i] >= FLOOR;
	if (!n)
		return false;
	n = measured(l, t, v, at);
	if (n < EARLIER_MIN + 1 || at[0] >= RECENT)
		return false;
	recent = n - EARLIER_MIN < RECENT ? n - EARLIER_MIN : RECENT;
	memcpy(some, v, recent * sizeof(*some));
	t->now = times_median(some, recent);
	memcpy(some, v + recent, (n - recent) * sizeof(*some));
	t->before = times_median(some, n - recent);
	t->noise = times_spread(some, n - recent, t->before);
	while (since + 1 < n && v[since + 1] > t->before + (t->now - t->before) / 2)
		since++;
	t->since = (uint32_t)at[since];
	return true;
}

static int by_ratio(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The median of now / before over all tests that are long enough: above 1, the machine is slower. */
static int find_shared(struct trends *x)
{
	struct tr_line *l = &x->line;
	CLEANUP(mem_free) double *v = mem_alloc((l->count + 1) * sizeof(*v));
	size_t n = 0;

	l->shared = 1;
	if (!v)
		return no_memory(x->e);
	for (size_t i = 0; i < l->cap; i++) {
		struct tr_test *t = &l->tests[i];
		if (t->used && pace_of(l, t) && t->before >= FLOOR)
			v[n++] = (double)t->now / (double)t->before;
	}
	if (n < SHARED_MIN)
		return 0;
	qsort(v, n, sizeof(*v), by_ratio);
	l->shared = v[n / 2] > 1 ? v[n / 2] : 1;
	return 0;
}

static struct candidate *add(struct trends *x, enum test_change what, const struct tr_test *t, size_t run)
{
	if (!mem_grow(&x->list, &x->cap, x->n, sizeof(*x->list))) {
		x->no_mem = true;
		return NULL;
	}
	struct candidate *c = &x->list[x->n++];
	*c = (struct candidate){ .id = t->id,
				 .t = { .what = what, .count = 1, .run = x->line.runs[run].id, .commit = x->line.runs[run].commit, .at = x->line.runs[run].started } };
	return c;
}

/* What it must have been slower by, beside what the machine gives. */
static int64_t margin(const struct tr_test *t)
{
	int64_t m = t->noise * 3;

	m = m > FLOOR ? m : FLOOR;
	return m > t->before / 5 ? m : t->before / 5;
}

static void find_slower(struct trends *x, const struct tr_test *t)
{
	int64_t base = (int64_t)((double)t->before * x->line.shared);

	if (!t->now || t->now <= base + margin(t))
		return;
	struct candidate *c = add(x, TEST_SLOWER, t, t->since);
	if (!c)
		return;
	c->t.now = t->now;
	c->t.before = t->before;
	c->t.noise = t->noise;
	c->weight = (double)(t->now - base);
}

static void find_slowest(struct trends *x, const struct tr_test *t)
{
	int64_t v[RUNS_MAX], now[RECENT];
	size_t at[RUNS_MAX], n = measured(&x->line, t, v, at), recent = n < RECENT ? n : RECENT;

	if (!n || !(t->ran & 1))
		return;
	memcpy(now, v, recent * sizeof(*now));
	int64_t median = times_median(now, recent);
	struct candidate *c = median >= KEEP_MIN ? add(x, TEST_SLOWEST, t, at[0]) : NULL;
	if (!c)
		return;
	c->t.now = median;
	c->t.before = n > recent ? times_median(v + recent, n - recent) : 0;
	c->weight = (double)median;
}

/* ---- those that do not run any more ---- */

/* How many of the newest complete runs, one after the other, have the bit in `with` and not in `without`; *rest: bits of the others that are near. */
static size_t streak(const struct tr_line *l, uint32_t bits, bool want, uint32_t *rest, size_t *first)
{
	size_t n = 0;
	bool over = false;

	*rest = 0;
	*first = 0;
	for (size_t i = 0; i < l->n && i < NEAR; i++) {
		uint32_t bit = UINT32_C(1) << i;
		if (!(l->complete & bit))
			continue;
		over |= !!(bits & bit) != want;
		if (over) {
			*rest |= bit;
		} else {
			n++;
			*first = i;
		}
	}
	return n;
}

static bool is_near(size_t n, uint32_t rest)
{
	return n >= 1 && n <= NEAR - GONE_MIN && rest;
}

static void find_missing(struct trends *x, const struct tr_test *t)
{
	uint32_t rest;
	size_t first, n = streak(&x->line, t->skipped, true, &rest, &first);

	if (is_near(n, rest) && (t->passed & rest) == rest) {
		add(x, TEST_SKIPPED, t, first);
		return;
	}
	n = streak(&x->line, t->ran, false, &rest, &first);
	if (!is_near(n, rest) || (t->ran & rest) != rest || __builtin_popcount(rest) < GONE_MIN)
		return;
	struct candidate *c = add(x, TEST_GONE, t, first);
	if (c)
		c->depth = (uint32_t)first;
}

/* ---- names ---- */

struct name_ctx {
	struct arena *mem;
	struct candidate *c;
};

static int take_name(void *ctx, const struct db_value *row, size_t n)
{
	struct name_ctx *x = ctx;

	x->c->t.package = arena_span(x->mem, db_span(row[0]));
	x->c->t.test = arena_span(x->mem, db_span(row[1]));
	return x->c->t.package.p && x->c->t.test.p ? 1 : -ENOMEM;
}

static int by_weight(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->t.what != y->t.what)
		return x->t.what < y->t.what ? -1 : 1;
	if (x->weight < y->weight || x->weight > y->weight)
		return x->weight > y->weight ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* Of those that are ordered by a number the most that can be told (a parent and its subtest take two) are named; the others all. */
static int name_all(struct trends *x, size_t limit)
{
	size_t seen = 0, kept = x->from;

	if (x->n > x->from)
		qsort(x->list + x->from, x->n - x->from, sizeof(*x->list), by_weight);
	for (size_t i = x->from; i < x->n; i++) {
		bool first = i == x->from || x->list[i - 1].t.what != x->list[i].t.what;
		struct candidate c = x->list[i];
		seen = first ? 1 : seen + 1;
		if (seen > (c.weight > 0 ? limit * 4 : NAMES_MAX))
			continue;
		int64_t r = db_query(x->s->db, "SELECT package, name FROM test WHERE id = ?1", DB_ARGS(db_int(c.id)), take_name, &(struct name_ctx){ &x->mem, &c }, x->e);
		if (r < 0)
			return r == -ENOMEM ? no_memory(x->e) : (int)r;
		if (c.t.package.p && c.t.test.p)
			x->list[kept++] = c;
	}
	x->n = kept;
	return 0;
}

/* ---- what stands for others ---- */

static int by_name(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int r = (int)x->t.what - (int)y->t.what;

	if (r)
		return r;
	r = strcmp(x->t.package.p, y->t.package.p);
	r = r ? r : strcmp(x->t.test.p, y->t.test.p);
	return r ? r : x->t.at > y->t.at ? -1 : x->t.at < y->t.at;
}

static bool is_below(const struct candidate *child, const struct candidate *parent)
{
	return span_eq(child->t.package, parent->t.package) && child->t.test.n > parent->t.test.n && span_starts(child->t.test, parent->t.test) &&
	       child->t.test.p[parent->t.test.n] == '/';
}

/* A subtest that is gone or skipped with its parent is counted there. A parent that is slow by one of its subtests is not told beside it. */
static void fold_children(struct trends *x)
{
	for (size_t i = x->from; i < x->n; i++) {
		struct candidate *p = &x->list[i];
		for (size_t k = i + 1; k < x->n && !p->dropped && x->list[k].t.what == p->t.what && span_eq(x->list[k].t.package, p->t.package) &&
				       span_starts(x->list[k].t.test, p->t.test); k++) {
			struct candidate *c = &x->list[k];
			if (!is_below(c, p) || c->dropped)
				continue;
			if (p->t.what >= TEST_SKIPPED) {
				c->dropped = true;
				p->t.count++;
			} else if (c->weight >= p->weight * 0.8) {
				p->dropped = true;
			}
		}
	}
}

static int64_t ask_count(struct trends *x, const char *sql, struct span package, struct span test, size_t run)
{
	const struct db_value args[] = { db_int(x->line.runs[run].seq), db_text(package), db_text(test) };
	int64_t n = 0;
	int r = db_get(x->s->db, sql, args, test.p ? 3 : 2, 0, &n, x->e);

	return r < 0 ? r : n;
}

/* Below a test that failed or was skipped nothing can be called gone. */
static int parent_explains(struct trends *x, const struct candidate *c)
{
	struct span parent = c->t.test;

	for (size_t at; (at = span_rchr(parent, '/')) != SPAN_NONE;) {
		parent = span_head(parent, at);
		int64_t n = ask_count(x, "SELECT count(*) FROM test t JOIN result r ON r.test = t.id WHERE r.run = ?1 AND r.result <> 1 AND t.package = ?2 AND t.name = ?3",
				      c->t.package, parent, c->depth);
		if (n)
			return n < 0 ? (int)n : 1;
	}
	return 0;
}

/* All tests of a package: the package is gone. */
static int fold_packages(struct trends *x)
{
	for (size_t i = x->from, end; i < x->n; i = end) {
		struct candidate *c = &x->list[i];
		int64_t count = 0;
		for (end = i + 1; end < x->n && x->list[end].t.what == c->t.what && span_eq(x->list[end].t.package, c->t.package);)
			end++;
		if (c->t.what != TEST_GONE)
			continue;
		int64_t left = ask_count(x, "SELECT count(*) FROM test t JOIN result r ON r.test = t.id WHERE r.run = ?1 AND t.package = ?2", c->t.package, (struct span){ 0 }, 0);
		if (left < 0)
			return (int)left;
		for (size_t k = i; k < end && !left; k++) {
			count += x->list[k].dropped ? 0 : x->list[k].t.count;
			x->list[k].dropped = k != i;
		}
		if (left)
			continue;
		c->t.test = S("");
		c->t.count = count;
	}
	return 0;
}

static int settle(struct trends *x, size_t limit)
{
	int r = name_all(x, limit);

	if (r < 0)
		return r;
	for (size_t i = x->from; i < x->n; i++) {
		struct candidate *c = &x->list[i];
		r = c->t.what == TEST_GONE && span_chr(c->t.test, '/') != SPAN_NONE ? parent_explains(x, c) : 0;
		if (r < 0)
			return r;
		c->dropped = r > 0;
	}
	if (x->n > x->from)
		qsort(x->list + x->from, x->n - x->from, sizeof(*x->list), by_name);
	fold_children(x);
	return fold_packages(x);
}

/* ---- lines ---- */

static void line_free(struct tr_line *l)
{
	mem_free(l->tests);
	*l = (struct tr_line){ 0 };
}

static int look_at(struct trends *x, int64_t series, struct span branch, size_t limit)
{
	x->from = x->n;
	line_free(&x->line);
	int r = load_runs(x, series, branch);
	if (r == 0 && x->line.n)
		r = load_results(x);
	if (r == 0)
		r = find_shared(x);
	for (size_t i = 0; r == 0 && i < x->line.cap; i++) {
		const struct tr_test *t = &x->line.tests[i];
		if (!t->used)
			continue;
		find_slowest(x, t);
		find_slower(x, t);
		find_missing(x, t);
	}
	if (x->no_mem)
		r = no_memory(x->e);
	return r < 0 ? r : settle(x, limit);
}

struct lines {
	struct { int64_t series; struct span branch; } v[LINES_MAX];
	size_t n;
	int64_t newest;
	struct arena *mem;
};

static int take_line(void *ctx, const struct db_value *row, size_t n)
{
	struct lines *l = ctx;
	int64_t last = db_number(row[2], 0);

	if (!l->n)
		l->newest = last;
	if (last < l->newest - LINE_AGE)
		return 1;
	l->v[l->n].series = db_number(row[0], 0);
	l->v[l->n].branch = arena_span(l->mem, db_span(row[1]));
	return !l->v[l->n].branch.p ? -ENOMEM : ++l->n == LINES_MAX;
}

/* The newest run may be on a clock that is wrong: nothing behind `now` counts but for a day. */
static int load_lines(struct trends *x, const char *project, int64_t now, struct lines *ret)
{
	const struct db_value args[] = { db_int(now + DAY_NSEC), db_textz(project) };

	ret->mem = &x->mem;
	int64_t r = db_query(x->s->db, project ? "SELECT series, COALESCE(branch, ''), max(started) FROM run WHERE tests > 0 AND started <= ?1 AND project = ?2"
						 " GROUP BY series, COALESCE(branch, '') ORDER BY 3 DESC, 1 LIMIT 8"
					       : "SELECT series, COALESCE(branch, ''), max(started) FROM run WHERE tests > 0 AND started <= ?1"
						 " GROUP BY series, COALESCE(branch, '') ORDER BY 3 DESC, 1 LIMIT 8",
			     args, project ? 2 : 1, take_line, ret, x->e);
	return r == -ENOMEM ? no_memory(x->e) : r < 0 ? (int)r : 0;
}

/* One test runs in several lines: the first one, which ran last, speaks for it. */
static void drop_doubles(struct trends *x)
{
	const struct candidate *a = NULL;

	for (size_t i = 0; i < x->n; i++) {
		struct candidate *b = &x->list[i];
		if (b->dropped)
			continue;
		if (a && a->t.what == b->t.what && span_eq(a->t.package, b->t.package) && span_eq(a->t.test, b->t.test))
			b->dropped = true;
		else
			a = b;
	}
}

static int by_story(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->t.what != y->t.what)
		return x->t.what < y->t.what ? -1 : 1;
	if (x->weight < y->weight || x->weight > y->weight)
		return x->weight > y->weight ? -1 : 1;
	if (x->t.at != y->t.at)
		return x->t.at > y->t.at ? -1 : 1;
	return by_name(a, b);
}

static int tell(struct trends *x, size_t limit, trend_fn *fn, void *ctx)
{
	size_t told[TEST_CHANGES] = { 0 };
	int r = 0;

	if (x->n)
		qsort(x->list, x->n, sizeof(*x->list), by_name);
	drop_doubles(x);
	if (x->n)
		qsort(x->list, x->n, sizeof(*x->list), by_story);
	for (size_t i = 0; r == 0 && i < x->n; i++) {
		if (!x->list[i].dropped && told[x->list[i].t.what]++ < limit)
			r = fn(ctx, &x->list[i].t);
	}
	return r < 0 ? r : 0;
}

int store_test_trends(struct store *s, const char *project, int64_t now, size_t limit, trend_fn *fn, void *ctx, struct err *e)
{
	struct trends x = { .s = s, .e = e };
	struct lines lines = { .n = 0 };
	int r = load_lines(&x, project, now, &lines);

	for (; r == 0 && x.at_line < lines.n && x.rows < ROWS_MAX; x.at_line++)
		r = look_at(&x, lines.v[x.at_line].series, lines.v[x.at_line].branch, limit);
	bool more = x.rows >= ROWS_MAX && x.at_line < lines.n;
	if (r == 0)
		r = tell(&x, limit, fn, ctx);
	line_free(&x.line);
	mem_free(x.list);
	arena_free(&x.mem);
	return r < 0 ? r : more;
}
