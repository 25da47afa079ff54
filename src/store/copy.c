#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "store/copying.h"
#include "store/upkeep.h"

/*
 * From any store to any other. First the faults, without counts; then the runs, the oldest first, some in one transaction,
 * each with what it adds to the counts of its faults; then what was decided and noted; then alerts. A run that is there is
 * passed over, so that a copy that was interrupted goes on where it was, and copying again adds what is new.
 * Numbers (seq) are each store's own: runs get new ones, faults keep theirs (T-n) when the target has no faults.
 * The source is read as it was at the beginning.
 */
#define PAGE_RUNS  256
#define PAGE_ROWS  40000 /* others wait for one page; a finding counts for four */
#define FLUSH_ROWS 8192

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* ---- rows in memory ---- */

static bool is_storable(struct span s)
{
	uint32_t cp;

	if (memchr(s.p, 0, s.n))
		return false;
	while (s.n) {
		s = span_from(s, utf8_decode(s, &cp));
		if (cp == UTF8_BAD)
			return false;
	}
	return true;
}

static struct span storable(struct arena *mem, struct span s)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	uint32_t cp;

	while (s.n) {
		size_t n = utf8_decode(s, &cp);
		if (cp == UTF8_BAD || cp == 0)
			buf_adds(&b, "\xef\xbf\xbd");
		else
			buf_add(&b, s.p, n);
		s = span_from(s, n);
	}
	return b.bad ? (struct span){ 0 } : arena_span(mem, buf_view(&b));
}

int value_keep(struct arena *mem, bool postgres, struct db_value v, struct db_value *ret, struct err *e)
{
	*ret = v;
	if (v.type != DB_TEXT && v.type != DB_BLOB)
		return 0;
	if (v.s.n == 0)
		ret->s = S("");
	else if (postgres && v.type == DB_TEXT && !is_storable(v.s))
		ret->s = storable(mem, v.s);
	else
		ret->s = arena_span(mem, v.s);
	return ret->s.p ? 0 : no_memory(e);
}

int rowset_add(struct rowset *x, const struct db_value *row, struct err *e)
{
	if (!x->v || (x->n + 1) * x->columns > x->cap) {
		size_t cap = x->cap ? x->cap * 2 : 64 * x->columns;
		struct db_value *v = mem_resize(x->v, cap * sizeof(*v));
		if (!v)
			return no_memory(e);
		x->v = v;
		x->cap = cap;
	}
	memcpy(x->v + x->n++ * x->columns, row, x->columns * sizeof(*row));
	return 0;
}

void rowset_clear(struct rowset *x)
{
	arena_free(&x->mem);
	x->n = 0;
}

void rowset_free(struct rowset *x)
{
	arena_free(&x->mem);
	mem_free(x->v);
}

int rowset_put(struct rowset *x, struct store *to, const char *sql_sqlite, const char *sql_postgres, struct err *e)
{
	int r = db_bulk(to->db, DB_SQL(to->db, sql_sqlite, sql_postgres), &(struct db_rows){ x->types, x->columns, x->n, x->v }, e);

	rowset_clear(x);
	return r;
}

/* ---- a page of runs ---- */

#define RUN_COLUMNS "id, project, series, started, duration, outcome, cause, exit_code, signal, summary, argv, cwd, branch, base, commit_id, tree, go," \
	" modules, ci, resources, limits, packages, tests, passed, failed, skipped, unfinished, cached, size"
#define RUN_COUNT 29
enum { RUN_STARTED = 3, RUN_BRANCH = 12, RUN_MODULES = 17, RUN_TESTS = 22 };

struct page_run {
	int64_t from, to; /* seq; to 0: it was there */
	int64_t started, modules;
	struct db_value branch;
	struct db_value v[RUN_COUNT];
};

struct page {
	struct copying *c;
	struct arena mem;
	struct page_run runs[PAGE_RUNS];
	size_t n;
	int64_t after, weight;
	struct err *e;
	struct copied count; /* of this page: counted when it is committed */
	/* of the table at hand */
	const struct child *child;
	struct rowset rows, sights;
};

static int take_run(void *ctx, const struct db_value *row, size_t n)
{
	struct page *p = ctx;
	struct page_run *x = &p->runs[p->n];
	int r = 0;

	x->from = db_number(row[0], 0);
	for (size_t i = 0; r == 0 && i < RUN_COUNT; i++)
		r = value_keep(&p->mem, p->c->to->db->postgres, row[i + 1], &x->v[i], p->e);
	x->started = db_number(x->v[RUN_STARTED], 0);
	x->modules = db_number(x->v[RUN_MODULES], 0);
	x->branch = x->v[RUN_BRANCH].type == DB_TEXT ? x->v[RUN_BRANCH] : db_text(S(""));
	p->weight += db_number(x->v[RUN_TESTS], 0) + 4 * db_number(row[1 + RUN_COUNT], 0);
	p->n++;
	return r < 0 ? r : p->weight >= PAGE_ROWS;
}

static int take_seq(void *ctx, const struct db_value *row, size_t n)
{
	*(int64_t *)ctx = db_number(row[0], 0);
	return 0;
}

static int take_blob(void *ctx, const struct db_value *row, size_t n)
{
	struct page *p = ctx;
	int64_t r = db_run(p->c->to->db, "INSERT INTO blob(id, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING", row, 2, p->e);

	return r < 0 ? (int)r : 0;
}

static int put_run(struct page *p, struct page_run *x, int64_t last_modules, struct err *e)
{
	static const char sql[] = "INSERT INTO run(" RUN_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,"
		" ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29) ON CONFLICT (id) DO NOTHING RETURNING seq";
	int64_t n = 0;

	x->to = 0;
	p->e = e;
	if (x->modules && x->modules != last_modules)
		n = db_query(p->c->from->db, "SELECT id, body FROM blob WHERE id = ?1", DB_ARGS(db_int(x->modules)), take_blob, p, e);
	if (n >= 0)
		n = db_query(p->c->to->db, sql, x->v, RUN_COUNT, take_seq, &x->to, e);
	if (n >= 0 && x->to)
		p->count.runs++;
	else if (n >= 0)
		p->count.there++;
	return n < 0 ? (int)n : 0;
}

static const struct page_run *run_of(const struct page *p, int64_t seq)
{
	for (size_t lo = 0, hi = p->n; lo < hi;) {
		size_t mid = (lo + hi) / 2;
		if (p->runs[mid].from == seq)
			return &p->runs[mid];
		if (p->runs[mid].from < seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* ---- what belongs to runs ---- */

struct child {
	const char *select; /* of the runs ?1 … ?2; the first column is the run */
	const char *table, *columns;
	size_t n;
	enum db_type types[9];
};

/* clang-format off */
static const struct child children[] = {
	{ "SELECT run, n, outcome, cause, duration FROM attempt WHERE run BETWEEN ?1 AND ?2 ORDER BY run, n", "attempt", "run, n, outcome, cause, duration",
	  5, { DB_INT, DB_INT, DB_TEXT, DB_TEXT, DB_INT } },
	{ "SELECT run, n, argv, cwd, script, code, signal, duration, flags FROM command WHERE run BETWEEN ?1 AND ?2 ORDER BY run, n", "command",
	  "run, n, argv, cwd, script, code, signal, duration, flags", 9, { DB_INT, DB_INT, DB_TEXT, DB_TEXT, DB_TEXT, DB_INT, DB_INT, DB_INT, DB_INT } },
	{ "SELECT run, test, attempt, result, duration FROM result WHERE run BETWEEN ?1 AND ?2 ORDER BY run, test, attempt", "result",
	  "run, test, attempt, result, duration", 5, { DB_INT, DB_INT, DB_INT, DB_INT, DB_INT } },
};
static const struct child findings = { "SELECT run, n, fault, body FROM finding WHERE run BETWEEN ?1 AND ?2 ORDER BY run, n", "finding", "run, n, fault, body",
	4, { DB_INT, DB_INT, DB_INT, DB_BLOB } };
static const struct child tests = { "SELECT t.id, t.package, t.name, t.first_seen FROM test t WHERE t.id IN (SELECT test FROM result WHERE run BETWEEN ?1 AND ?2)", "test",
	"id, package, name, first_seen", 4, { DB_INT, DB_TEXT, DB_TEXT, DB_INT } };
/* clang-format on */

static int flush_child(struct page *p, struct err *e)
{
	int r = db_insert(p->c->to->db, p->child->table, p->child->columns, &(struct db_rows){ p->rows.types, p->rows.columns, p->rows.n, p->rows.v }, e);

	rowset_clear(&p->rows);
	return r;
}

static int keep_row(struct page *p, const struct db_value *row, struct db_value *v)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->child->n; i++)
		r = value_keep(&p->rows.mem, p->c->to->db->postgres, row[i], &v[i], p->e);
	return r;
}

static int take_child(void *ctx, const struct db_value *row, size_t n)
{
	struct page *p = ctx;
	struct db_value v[ROWSET_COLUMNS];
	bool is_test = p->child == &tests;
	const struct page_run *x = is_test ? NULL : run_of(p, db_number(row[0], 0));

	if (!is_test && (!x || !x->to))
		return 0;
	int r = keep_row(p, row, v);
	if (x)
		v[0] = db_int(x->to);
	if (r == 0)
		r = rowset_add(&p->rows, v, p->e);
	return r == 0 && p->rows.n >= FLUSH_ROWS ? flush_child(p, p->e) : r;
}

/* One sight a fault and run, as recording counts them. */
static int add_sight(struct page *p, const struct page_run *x, int64_t fault)
{
	struct rowset *s = &p->sights;

	for (size_t i = s->n; i > 0 && s->v[(i - 1) * s->columns + 4].i == x->from; i--) {
		if (s->v[(i - 1) * s->columns].i == fault)
			return 0;
	}
	struct db_value v[] = { db_int(fault), db_int(x->started / DAY_NSEC), x->branch, db_int(x->started), db_int(x->from) };
	return rowset_add(s, v, p->e);
}

static int take_finding(void *ctx, const struct db_value *row, size_t n)
{
	struct page *p = ctx;
	const struct page_run *x = run_of(p, db_number(row[0], 0));
	const struct mapped *m = copy_find(p->c, db_number(row[2], 0));
	struct db_value v[4] = { db_int(x ? x->to : 0), row[1], db_int(m ? m->sights : 0) };

	if (!x || !x->to)
		return 0;
	if (!m)
		return err_set(p->e, EUCLEAN, TR("the store %s has a finding without its fault: `tocsin store check` says more", "存储 %s 有一条发现缺少对应故障：`tocsin store check` 可查看详情"), p->c->from->db->name);
	int r = row[3].type == DB_NULL && !m->unlike ? 0 : copy_body(p->c, m, db_span(row[3]), &p->rows.mem, &v[3], p->e);
	if (r == 0)
		r = rowset_add(&p->rows, v, p->e);
	if (r == 0)
		r = add_sight(p, x, m->sights);
	p->count.findings++;
	return r == 0 && p->rows.n >= FLUSH_ROWS ? flush_child(p, p->e) : r;
}

static int copy_child(struct page *p, const struct child *child, db_row_fn *take, struct err *e)
{
	p->child = child;
	p->e = e;
	rowset_clear(&p->rows);
	p->rows.columns = child->n;
	memcpy(p->rows.types, child->types, sizeof(child->types));
	int64_t n = db_query(p->c->from->db, child->select, DB_ARGS(db_int(p->runs[0].from), db_int(p->runs[p->n - 1].from)), take, p, e);
	return n < 0 ? (int)n : flush_child(p, e);
}

#define SIGHTS "unnest(?1::bigint[], ?2::bigint[], ?3::text[], ?4::bigint[], ?5::bigint[]) u(f, d, b, t, run)"

static int count_sights(struct page *p, struct err *e)
{
	/* clang-format off */
	static const struct { const char *sqlite, *postgres; } steps[] = {
		{ "UPDATE fault SET count = count + 1 WHERE seq = ?1 AND ?5 IS NOT NULL", /* every column is bound: each has its place */
		  "WITH u AS (SELECT f, count(*) n FROM " SIGHTS " GROUP BY f), l AS (SELECT seq FROM fault WHERE seq IN (SELECT f FROM u) ORDER BY seq FOR UPDATE)"
		  " UPDATE fault SET count = count + u.n FROM u, l WHERE fault.seq = u.f AND l.seq = u.f" },
		{ "INSERT INTO fault_day(fault, day, count) SELECT ?1, ?2, 1 WHERE ?5 IS NOT NULL ON CONFLICT (fault, day) DO UPDATE SET count = count + 1",
		  "INSERT INTO fault_day(fault, day, count) SELECT f, d, count(*) FROM " SIGHTS " GROUP BY f, d ORDER BY f, d ON CONFLICT (fault, day) DO UPDATE SET count = fault_day.count + excluded.count" },
		{ "INSERT INTO fault_branch(fault, branch, count, first_seen, last_seen) SELECT ?1, ?3, 1, ?4, ?4 WHERE ?5 IS NOT NULL ON CONFLICT (fault, branch) DO UPDATE SET"
		  " count = count + 1, first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)",
		  "INSERT INTO fault_branch(fault, branch, count, first_seen, last_seen) SELECT f, b, count(*), min(t), max(t) FROM " SIGHTS " GROUP BY f, b ORDER BY f, b"
		  " ON CONFLICT (fault, branch) DO UPDATE SET count = fault_branch.count + excluded.count, first_seen = least(fault_branch.first_seen, excluded.first_seen),"
		  " last_seen = greatest(fault_branch.last_seen, excluded.last_seen)" },
	};
	/* clang-format on */
	const struct db_rows rows = { p->sights.types, p->sights.columns, p->sights.n, p->sights.v };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(steps); i++)
		r = db_bulk(p->c->to->db, DB_SQL(p->c->to->db, steps[i].sqlite, steps[i].postgres), &rows, e);
	return r;
}

static int copy_page(struct store *s, void *ctx, struct err *e)
{
	struct page *p = ctx;
	int64_t modules = 0;
	int r = 0;

	p->count = (struct copied){ 0 };
	p->sights.n = 0;
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		r = put_run(p, &p->runs[i], modules, e);
		modules = p->runs[i].modules;
	}
	if (r < 0 || !p->count.runs) /* all of them were there */
		return r;
	r = copy_child(p, &tests, take_child, e);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(children); i++)
		r = copy_child(p, &children[i], take_child, e);
	if (r == 0)
		r = copy_child(p, &findings, take_finding, e);
	return r == 0 ? count_sights(p, e) : r;
}

static int copy_runs(struct copying *c, progress_fn *fn, void *ctx, struct err *e)
{
	static const enum db_type sight_types[] = { DB_INT, DB_INT, DB_TEXT, DB_INT, DB_INT };
	CLEANUP(mem_free) struct page *p = mem_zalloc(sizeof(*p));
	int64_t all = 0, done = 0;

	if (!p)
		return no_memory(e);
	p->c = c;
	p->e = e;
	p->after = INT64_MIN;
	p->sights.columns = ARRAY_LEN(sight_types);
	memcpy(p->sights.types, sight_types, sizeof(sight_types));
	int r = db_get(c->from->db, "SELECT count(*) FROM run", NULL, 0, 0, &all, e);
	while (r == 0) {
		p->n = 0;
		p->weight = 0;
		arena_free(&p->mem);
		int64_t n = db_query(c->from->db, "SELECT seq, " RUN_COLUMNS ", (SELECT count(*) FROM finding WHERE finding.run = run.seq) FROM run WHERE seq > ?1 ORDER BY seq LIMIT ?2", DB_ARGS(db_int(p->after), db_int(PAGE_RUNS)), take_run, p, e);
		r = n < 0 ? (int)n : 0;
		if (r < 0 || !p->n)
			break;
		p->after = p->runs[p->n - 1].from;
		r = store_transact(c->to, copy_page, p, e);
		if (r < 0)
			break;
		c->count->runs += p->count.runs;
		c->count->there += p->count.there;
		c->count->findings += p->count.findings;
		done += (int64_t)p->n;
		if (fn)
			fn(ctx, done, all);
	}
	arena_free(&p->mem);
	rowset_free(&p->rows);
	rowset_free(&p->sights);
	return r;
}

/* ---- alerts, and all of it ---- */

struct alerts {
	struct copying *c;
	struct err *e;
	struct arena mem;
	int64_t added;
};

static int take_alert(void *ctx, const struct db_value *row, size_t n)
{
	struct alerts *a = ctx;
	struct db_value v[12];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(v); i++)
		r = value_keep(&a->mem, a->c->to->db->postgres, row[i], &v[i], a->e);
	if (r < 0)
		return r;
	int64_t m = db_run(a->c->to->db, "INSERT INTO alert(id, run, channel, state, attempts, next_attempt, lease_until, lease_by, created, updated, body, error)"
			   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (id) DO NOTHING", v, ARRAY_LEN(v), a->e);
	arena_free(&a->mem);
	a->added += m > 0;
	return m < 0 ? (int)m : 0;
}

static int copy_alerts(struct store *s, void *ctx, struct err *e)
{
	struct alerts *a = ctx;

	a->e = e;
	a->added = 0;
	int64_t n = db_query(a->c->from->db, "SELECT id, run, channel, state, attempts, next_attempt, lease_until, lease_by, created, updated, body, error FROM alert ORDER BY id",
			     NULL, 0, take_alert, a, e);
	arena_free(&a->mem);
	return n < 0 ? (int)n : 0;
}

static int begin_reading(struct store *from, struct err *e)
{
	int r = from->db->postgres ? db_script(from->db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", e) : db_begin(from->db, false, e);

	from->db->in_transaction = r == 0;
	return r;
}

int store_copy(struct store *from, struct store *to, progress_fn *fn, void *ctx, struct copied *ret, struct err *e)
{
	struct copying c = { .from = from, .to = to, .count = ret, .body_of = -1 };
	struct alerts a = { .c = &c };
	struct err local;

	e = e ? e : &local;
	*ret = (struct copied){ 0 };
	int r = store_unhurried(from, e);
	if (r == 0)
		r = store_unhurried(to, e);
	if (r == 0)
		r = begin_reading(from, e);
	if (r == 0)
		r = copy_faults(&c, e);
	if (r == 0)
		r = copy_runs(&c, fn, ctx, e);
	if (r == 0)
		r = copy_facts(&c, e);
	if (r == 0) {
		r = store_transact(to, copy_alerts, &a, e);
		ret->alerts = a.added;
	}
	db_rollback(from->db);
	buf_free(&c.body_from);
	buf_free(&c.body_to);
	mem_free(c.map);
	return r;
}
