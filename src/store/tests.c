#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/state.h"
#include "store/tests.h"

#define USUAL_RUNS      20
#define USUAL_TEST_RUNS 7
#define NAMED_MAX       100 /* tests that one pattern may name */

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* ---- small statistics ---- */

void times_sort(int64_t *v, size_t n) /* they are few */
{
	for (size_t i = 1; i < n; i++) {
		int64_t one = v[i];
		size_t at = i;
		for (; at && v[at - 1] > one; at--)
			v[at] = v[at - 1];
		v[at] = one;
	}
}

int64_t times_median(int64_t *v, size_t n)
{
	times_sort(v, n);
	return n ? v[(n - 1) / 2] : -1;
}

int64_t times_spread(int64_t *v, size_t n, int64_t median)
{
	for (size_t i = 0; i < n; i++)
		v[i] = v[i] < median ? median - v[i] : v[i] - median;
	return n ? times_median(v, n) * 1483 / 1000 : 0;
}

/* ---- runs ---- */

struct runs_ctx {
	run_fn *fn;
	void *ctx;
};

static int take_run(void *ctx, const struct db_value *row, size_t n)
{
	const struct runs_ctx *x = ctx;
	struct run_info r = {
		.seq = db_number(row[0], 0), .started = db_number(row[1], 0), .duration = db_number(row[2], 0), .series = db_number(row[3], 0),
		.id = db_span(row[4]), .project = db_span(row[5]), .outcome = db_span(row[6]), .cause = db_span(row[7]), .branch = db_span(row[8]),
		.commit = db_span(row[9]), .go = db_span(row[10]), .url = (struct span){ 0 }, .summary = db_span(row[12]), .argv = db_span(row[13]),
		.tests = { db_number(row[14], -1), db_number(row[15], -1), db_number(row[16], -1), db_number(row[17], -1), db_number(row[18], -1),
			   db_number(row[19], -1), db_number(row[20], -1) },
		.findings = db_number(row[21], 0),
	};
	CLEANUP(buf_free) struct buf url = { 0 };
	struct span raw;

	if (db_span(row[11]).n && json_find(db_span(row[11]), "url", &raw) && json_unescape(raw, &url) && !url.bad)
		r.url = buf_view(&url);
	return x->fn(x->ctx, &r);
}

int store_runs(struct store *s, const struct run_filter *q, run_fn *fn, void *ctx, struct err *e)
{
	CLEANUP(buf_free) struct buf sql = { 0 };
	struct db_value args[8];
	size_t n = 0;
	const struct {
		const char *sql;
		bool used;
		struct db_value v;
	} parts[] = {
		{ " AND series = ?%zu", q->series != 0, db_int(q->series) },
		{ " AND project = ?%zu", q->project, db_textz(q->project) },
		{ " AND branch = ?%zu", q->branch, db_textz(q->branch) },
		{ " AND outcome = ?%zu", q->outcome, db_textz(q->outcome) },
		{ " AND started >= ?%zu", q->since != 0, db_int(q->since) },
		{ " AND started < ?%zu", q->before != 0, db_int(q->before) },
	};

	buf_adds(&sql, "SELECT seq, started, duration, series, id, project, outcome, cause, branch, commit_id, go, ci, summary, argv, packages, tests, passed,"
		       " failed, skipped, unfinished, cached, (SELECT count(*) FROM finding f WHERE f.run = run.seq) FROM run WHERE " IS_RUN);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!parts[i].used)
			continue;
		args[n++] = parts[i].v;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		buf_addf(&sql, parts[i].sql, n);
#pragma GCC diagnostic pop
	}
	buf_adds(&sql, " ORDER BY started DESC, seq DESC");
	if (q->limit)
		buf_addf(&sql, " LIMIT %lld", (long long)q->limit);
	if (sql.bad)
		return no_memory(e);
	int64_t r = db_query(s->db, buf_str(&sql), args, n, take_run, &(struct runs_ctx){ fn, ctx }, e);
	return r < 0 ? (int)r : 0;
}

/* ---- what it usually takes ---- */

struct times {
	int64_t v[USUAL_RUNS];
	size_t n;
};

static int take_time(void *ctx, const struct db_value *row, size_t n)
{
	struct times *t = ctx;

	if (t->n < ARRAY_LEN(t->v))
		t->v[t->n++] = db_number(row[0], 0);
	return 0;
}

int store_usual(struct store *s, int64_t series, struct usual *ret, struct err *e)
{
	struct times t = { .n = 0 };
	int64_t r = db_query(s->db, "SELECT duration FROM run WHERE series = ?1 AND outcome = 'passed' ORDER BY started DESC LIMIT 20",
			     DB_ARGS(db_int(series)), take_time, &t, e);

	*ret = (struct usual){ 0 };
	if (r < 0 || !t.n)
		return r < 0 ? (int)r : 0;
	times_sort(t.v, t.n);
	*ret = (struct usual){ (int64_t)t.n, t.v[(t.n - 1) / 2], t.v[(t.n - 1) / 4], t.v[(t.n - 1) - (t.n - 1) / 4] };
	return 0;
}

/* ---- the same for tests ---- */

struct usual_test {
	int64_t id;
	int64_t v[USUAL_TEST_RUNS];
	size_t n;
};
struct usual_tests {
	struct usual_test *v;
	size_t n, cap;
	bool bad;
};

/* Rows come by test. */
static int take_usual(void *ctx, const struct db_value *row, size_t n)
{
	struct usual_tests *u = ctx;
	int64_t id = db_number(row[0], 0);
	struct usual_test *t = u->n ? &u->v[u->n - 1] : NULL;

	if (!t || t->id != id) {
		if (!mem_grow(&u->v, &u->cap, u->n, sizeof(*u->v))) {
			u->bad = true;
			return -ENOMEM;
		}
		t = &u->v[u->n++];
		*t = (struct usual_test){ .id = id };
	}
	if (t->n < USUAL_TEST_RUNS)
		t->v[t->n++] = db_number(row[1], 0);
	return 0;
}

struct name_ctx {
	usual_fn *fn;
	void *ctx;
	int64_t median;
	int said;
};

static int take_name(void *ctx, const struct db_value *row, size_t n)
{
	struct name_ctx *x = ctx;

	x->said = x->fn(x->ctx, db_span(row[0]), db_span(row[1]), x->median);
	return 1;
}

int store_usual_tests(struct store *s, int64_t series, int64_t at_least, usual_fn *fn, void *ctx, struct err *e)
{
	struct usual_tests u = { 0 };
	struct name_ctx x = { .fn = fn, .ctx = ctx };
	/* Twice as long once is no habit; half of at_least is what a median above it can stand on. */
	int64_t r = db_query(s->db, "SELECT test, duration FROM result WHERE run IN (SELECT seq FROM run WHERE series = ?1 AND tests > 0 ORDER BY started DESC LIMIT 7)"
				    " AND result = 1 AND duration >= ?2 ORDER BY test",
			     DB_ARGS(db_int(series), db_int(at_least / 2)), take_usual, &u, e);

	if (u.bad)
		r = no_memory(e);
	for (size_t i = 0; r >= 0 && i < u.n && !x.said; i++) {
		x.median = times_median(u.v[i].v, u.v[i].n);
		if (x.median < at_least)
			continue;
		r = db_query(s->db, "SELECT package, name FROM test WHERE id = ?1", DB_ARGS(db_int(u.v[i].id)), take_name, &x, e);
	}
	mem_free(u.v);
	return r < 0 ? (int)r : x.said < 0 ? x.said : 0;
}

/* ---- the runs of one test ---- */

struct named {
	const char *pattern;
	bool glob;
	struct buf whole;
	int64_t ids[NAMED_MAX];
	struct span package[NAMED_MAX], test[NAMED_MAX];
	size_t n;
	struct arena mem;
};

static bool named_fits(struct named *x, struct span package, struct span test)
{
	if (x->glob ? text_glob(x->pattern, test) : span_eq(span_of(x->pattern), test))
		return true;
	buf_clear(&x->whole);
	buf_span(&x->whole, package);
	buf_addc(&x->whole, '.');
	buf_span(&x->whole, test);
	return x->glob ? text_glob(x->pattern, buf_view(&x->whole)) : span_eq(span_of(x->pattern), buf_view(&x->whole));
}

static int take_named(void *ctx, const struct db_value *row, size_t n)
{
	struct named *x = ctx;
	struct span package = db_span(row[1]), test = db_span(row[2]);

	if (!named_fits(x, package, test))
		return x->whole.bad ? -ENOMEM : 0;
	x->package[x->n] = arena_span(&x->mem, package);
	x->test[x->n] = arena_span(&x->mem, test);
	if (!x->package[x->n].p || !x->test[x->n].p)
		return -ENOMEM;
	x->ids[x->n++] = db_number(row[0], 0);
	return x->n == NAMED_MAX;
}

struct test_runs_ctx {
	test_run_fn *fn;
	void *ctx;
	struct span package, test;
	int said;
};

static int take_test_run(void *ctx, const struct db_value *row, size_t n)
{
	struct test_runs_ctx *x = ctx;
	struct test_run t = {
		.package = x->package, .test = x->test, .run = db_span(row[0]), .commit = db_span(row[1]), .branch = db_span(row[2]),
		.started = db_number(row[3], 0), .ns = db_number(row[4], -1), .result = (enum test_outcome)db_number(row[5], 0),
		.cached = db_number(row[6], 1) == 0,
	};

	x->said = x->fn(x->ctx, &t);
	return x->said ? 1 : 0;
}

/* The runs backwards, each asked for the test. */
static int64_t runs_of(struct store *s, int64_t id, const char *project, int64_t since, int64_t limit, struct test_runs_ctx *c, struct err *e)
{
	return db_query(s->db, project ? "SELECT r.id, r.commit_id, r.branch, r.started, x.duration, x.result, x.attempt FROM run r CROSS JOIN result x WHERE x.run = r.seq"
					 " AND x.test = ?1 AND r.started >= ?2 AND r.project = ?4 ORDER BY r.started DESC, x.attempt DESC LIMIT ?3"
				       : "SELECT r.id, r.commit_id, r.branch, r.started, x.duration, x.result, x.attempt FROM run r CROSS JOIN result x WHERE x.run = r.seq"
					 " AND x.test = ?1 AND r.started >= ?2 ORDER BY r.started DESC, x.attempt DESC LIMIT ?3",
			(const struct db_value[]){ db_int(id), db_int(since), db_int(limit ? limit : INT64_C(1) << 40), db_textz(project) },
			project ? 4 : 3, take_test_run, c, e);
}

int store_test_results(struct store *s, struct span package, struct span test, int64_t since, int64_t limit, test_run_fn *fn, void *ctx, struct err *e)
{
	struct test_runs_ctx c = { .fn = fn, .ctx = ctx, .package = package, .test = test };
	int64_t r = runs_of(s, hash64(package, test), NULL, since, limit, &c, e);

	return r < 0 ? (int)r : c.said < 0 ? c.said : 0;
}

int store_test_runs(struct store *s, const char *project, const char *name, int64_t since, int64_t limit, test_run_fn *fn, void *ctx, struct err *e)
{
	struct named x = { .pattern = name, .glob = strpbrk(name, "*?") };
	struct test_runs_ctx c = { .fn = fn, .ctx = ctx };
	int64_t r = db_query(s->db, "SELECT id, package, name FROM test ORDER BY package, name", NULL, 0, take_named, &x, e);

	if (r == -ENOMEM)
		no_memory(e);
	for (size_t i = 0; r >= 0 && i < x.n && !c.said; i++) {
		c.package = x.package[i];
		c.test = x.test[i];
		r = runs_of(s, x.ids[i], project, since, limit, &c, e);
	}
	buf_free(&x.whole);
	arena_free(&x.mem);
	return r < 0 ? (int)r : c.said < 0 ? c.said : 0;
}
