#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/path.h"
#include "store/state.h"
#include "store/tests.h"

/*
 * Which tests give both results at one state of the code (docs/flaky.md). Failed results are few and have an index; the
 * others are asked for only where a failure makes them interesting.
 */
#define RUNS_MAX    20000 /* of the window, the newest */
#define FAILED_MAX  400000
#define LOOKUPS_MAX 5000 /* runs that are asked for a test */
#define TOLD_MAX    100   /* tests */
#define GROUP_MAX   64    /* runs of one state, the newest */
#define PRIOR       4     /* as if so many more pairs had shown no flip */
#define AT_ONCE     8     /* runs in one question */
/* A run in which most tests failed says something of its machine. */
#define WRECK_MIN 10
#define WRECK_OF  2

struct fl_run {
	int64_t seq, started, series, state;
	bool known;     /* state says what was tested */
	bool wreck;     /* does not count */
	bool silent;    /* passed, but its text did not name the tests that did */
	bool retried;   /* it tried again; of the first of a state: one of them did */
	uint32_t group; /* index of the first of its state in by_state */
	uint32_t in_group;
};

struct fl_fail {
	int64_t test;
	uint32_t run; /* index in runs */
};

struct verdict_at { /* one result of a test */
	int64_t started, attempt;
	uint32_t run;
	bool failed;
};

struct found {
	int64_t test;
	struct flaky f;
	uint32_t passed_in, failed_in; /* the newest evidence */
	int64_t evidence_at;
	bool dropped;
};

struct search {
	struct store *s;
	struct err *e;
	struct arena mem;
	struct fl_run *runs; /* by seq */
	size_t n_runs, cap_runs;
	uint32_t *by_state;
	uint32_t *failed_in; /* of the test at hand: failures in each group */
	struct fl_fail *fails; /* by test, run */
	size_t n_fails, cap_fails;
	struct found *found;
	size_t n_found, cap_found;
	int64_t lookups;
	bool more; /* a bound was hit */
	bool no_mem;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* ---- the state of the code that a run saw ---- */

/* Flags of `go test` that change what is built or asked of a test; with others the same tests run. */
static bool changes_build(struct span word)
{
	static const char *const flags[] = { "tags", "race", "msan", "asan", "gcflags", "ldflags", "asmflags", "mod", "modfile", "overlay", "short", "cover", "covermode",
		"coverpkg", "cpu", "pgo", "buildmode", "compiler", "gccgoflags", "toolexec", "C", "args" };

	if (!span_skip(&word, S("-")))
		return false;
	span_skip(&word, S("-"));
	struct span name = span_cut(&word, '=');
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (span_eq(name, span_of(flags[i])))
			return true;
	}
	return false;
}

/* The words of a go command that matter, of another command all; a flag brings the word behind it along. */
static void add_command(struct buf *b, struct span argv)
{
	struct json_in j = { .text = argv };
	CLEANUP(buf_free) struct buf word = { 0 };
	bool go = false, next = false;
	enum json_tok t;

	for (int i = 0; (t = json_next(&j)) > JSON_END;) {
		if (t != JSON_STR)
			continue;
		buf_clear(&word);
		json_unescape(j.value, &word);
		b->bad |= word.bad;
		struct span w = buf_view(&word);
		if (i++ == 0) {
			go = span_eq(path_base(w), S("go"));
			w = path_base(w);
		}
		bool matters = !go || next || changes_build(w);
		next = go && changes_build(w) && span_chr(w, '=') == SPAN_NONE;
		if (!matters)
			continue;
		buf_span(b, w);
		buf_addc(b, '\0');
	}
}

enum { R_SEQ, R_STARTED, R_SERIES, R_PROJECT, R_COMMIT, R_TREE, R_CI, R_GO, R_ARGV, R_ATTEMPTS, R_TESTS, R_FAILED, R_OUTCOME };

static void read_state(const struct db_value *row, struct fl_run *r, struct buf *b)
{
	struct span commit = db_span(row[R_COMMIT]), ci = db_span(row[R_CI]), job = { 0 };

	r->known = commit.n && (row[R_TREE].type == DB_INT || ci.n);
	if (!r->known)
		return;
	if (ci.n && !json_find(ci, "job", &job))
		job = (struct span){ 0 };
	buf_clear(b);
	buf_span(b, db_span(row[R_PROJECT]));
	buf_addf(b, "%c%.*s%c%lld%c%.*s%c", 0, SPAN_ARG(commit), 0, (long long)db_number(row[R_TREE], 0), 0, SPAN_ARG(job), 0);
	buf_span(b, db_span(row[R_GO]));
	buf_addc(b, '\0');
	add_command(b, db_span(row[R_ARGV]));
	r->state = hash64(buf_view(b), (struct span){ 0 });
}

static int take_run(void *ctx, const struct db_value *row, size_t n)
{
	struct search *x = ctx;
	CLEANUP(buf_free) struct buf b = { 0 };
	int64_t tests = db_number(row[R_TESTS], 0), failed = db_number(row[R_FAILED], 0);

	if (!mem_grow(&x->runs, &x->cap_runs, x->n_runs, sizeof(*x->runs))) {
		x->no_mem = true;
		return -ENOMEM;
	}
	struct fl_run *r = &x->runs[x->n_runs++];
	*r = (struct fl_run){ .seq = db_number(row[R_SEQ], 0), .started = db_number(row[R_STARTED], 0), .series = db_number(row[R_SERIES], 0),
		.retried = db_number(row[R_ATTEMPTS], 1) > 1, .wreck = failed >= WRECK_MIN && failed > tests / WRECK_OF,
		.silent = row[R_TESTS].type == DB_NULL && span_eq(db_span(row[R_OUTCOME]), S("passed")) };
	read_state(row, r, &b);
	x->no_mem |= b.bad;
	return b.bad ? -ENOMEM : 0;
}

static int by_seq(const void *a, const void *b)
{
	const struct fl_run *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int by_state(const void *a, const void *b, void *ctx)
{
	const struct fl_run *runs = ctx, *x = &runs[*(const uint32_t *)a], *y = &runs[*(const uint32_t *)b];

	if (x->known != y->known)
		return x->known ? -1 : 1;
	if (x->known && x->state != y->state)
		return x->state < y->state ? -1 : 1;
	if (x->started != y->started)
		return x->started < y->started ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int group_runs(struct search *x)
{
	x->by_state = mem_alloc((x->n_runs + 1) * sizeof(*x->by_state));
	x->failed_in = mem_zalloc((x->n_runs + 1) * sizeof(*x->failed_in));
	if (!x->by_state || !x->failed_in)
		return no_memory(x->e);
	if (x->n_runs)
		qsort(x->runs, x->n_runs, sizeof(*x->runs), by_seq);
	for (uint32_t i = 0; i < x->n_runs; i++)
		x->by_state[i] = i;
	qsort_r(x->by_state, x->n_runs, sizeof(*x->by_state), by_state, x->runs);
	for (uint32_t i = 0, first = 0; i < x->n_runs; i++) {
		struct fl_run *one = &x->runs[x->by_state[i]], *head = &x->runs[x->by_state[first]];
		if (!one->known || !head->known || one->state != head->state) {
			first = i;
			head = one;
		}
		one->group = first;
		head->in_group++;
		head->retried |= one->retried;
	}
	return 0;
}

static int load_runs(struct search *x, const char *project, int64_t since)
{
	CLEANUP(buf_free) struct buf sql = { 0 };
	const struct db_value args[] = { db_int(since), db_textz(project) };

	buf_addf(&sql, "SELECT seq, started, series, project, commit_id, tree, ci, go, argv, (SELECT count(*) FROM attempt a WHERE a.run = run.seq), tests, failed, outcome"
		 " FROM run WHERE started >= ?1 AND " IS_RUN " AND (tests > 0 OR tests IS NULL)%s ORDER BY started DESC LIMIT %d", project ? " AND project = ?2" : "", RUNS_MAX + 1);
	if (sql.bad)
		return no_memory(x->e);
	int64_t r = db_query(x->s->db, buf_str(&sql), args, project ? 2 : 1, take_run, x, x->e);
	if (r < 0)
		return x->no_mem ? no_memory(x->e) : (int)r;
	if (x->n_runs > RUNS_MAX) {
		x->n_runs = RUNS_MAX;
		x->more = true;
	}
	return group_runs(x);
}

static const struct fl_run *head_of(const struct search *x, const struct fl_run *r)
{
	return &x->runs[x->by_state[r->group]];
}

/* ---- failures ---- */

static int take_fail(void *ctx, const struct db_value *row, size_t n)
{
	struct search *x = ctx;
	const struct fl_run key = { .seq = db_number(row[1], 0) };
	const struct fl_run *r = bsearch(&key, x->runs, x->n_runs, sizeof(*x->runs), by_seq);
	int64_t test = db_number(row[0], 0);

	if (!r || r->wreck)
		return 0;
	if (x->n_fails) { /* several attempts of one run */
		const struct fl_fail *last = &x->fails[x->n_fails - 1];
		if (last->test == test && last->run == r - x->runs)
			return 0;
	}
	if (x->n_fails == FAILED_MAX) {
		x->more = true;
		return 1;
	}
	if (!mem_grow(&x->fails, &x->cap_fails, x->n_fails, sizeof(*x->fails))) {
		x->no_mem = true;
		return -ENOMEM;
	}
	x->fails[x->n_fails++] = (struct fl_fail){ test, (uint32_t)(r - x->runs) };
	return 0;
}

static int load_fails(struct search *x)
{
	if (!x->n_runs)
		return 0;
	int64_t r = db_query(x->s->db, "SELECT test, run FROM result WHERE result = 2 AND run >= ?1 ORDER BY test, run", DB_ARGS(db_int(x->runs[0].seq)), take_fail, x, x->e);
	return r >= 0 ? 0 : x->no_mem ? no_memory(x->e) : (int)r;
}

/* Note (or forget) in which states the test failed. */
static void mark(struct search *x, const struct fl_fail *v, size_t n, bool on)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t *count = &x->failed_in[x->runs[v[i].run].group];
		*count = on ? *count + 1 : 0;
	}
}

/* Could there be both results at the state of r, where it failed? */
static bool interesting(const struct search *x, const struct fl_run *r)
{
	const struct fl_run *head = head_of(x, r);

	return head->retried || x->failed_in[r->group] < head->in_group;
}

/* ---- all results of one test at one state ---- */

struct results {
	struct search *x;
	struct verdict_at v[GROUP_MAX * 4];
	size_t n;
};

static int take_result(void *ctx, const struct db_value *row, size_t n)
{
	struct results *r = ctx;
	const struct fl_run key = { .seq = db_number(row[0], 0) };
	const struct fl_run *run = bsearch(&key, r->x->runs, r->x->n_runs, sizeof(key), by_seq);
	int64_t result = db_number(row[2], 0);

	if (!run || run->wreck || (result != TEST_PASS && result != TEST_FAIL) || r->n == ARRAY_LEN(r->v))
		return 0;
	r->v[r->n++] = (struct verdict_at){ run->started, db_number(row[1], 0), (uint32_t)(run - r->x->runs), result == TEST_FAIL };
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct verdict_at *x = a, *y = b;

	if (x->started != y->started)
		return x->started < y->started ? -1 : 1;
	if (x->run != y->run)
		return x->run < y->run ? -1 : 1;
	return x->attempt < y->attempt ? -1 : x->attempt > y->attempt;
}

/* A run that passed without naming its tests: the one that failed in the same command passed there. */
static void add_silent(struct results *r, uint32_t run, int64_t series)
{
	const struct fl_run *one = &r->x->runs[run];

	if (!one->silent || one->series != series || r->n == ARRAY_LEN(r->v))
		return;
	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i].run == run)
			return;
	}
	r->v[r->n++] = (struct verdict_at){ one->started, 1, run, false };
}

static int ask_results(struct search *x, int64_t test, uint32_t group, int64_t series, struct results *ret)
{
	uint32_t n = x->runs[x->by_state[group]].in_group, from = n > GROUP_MAX ? n - GROUP_MAX : 0;

	ret->x = x;
	ret->n = 0;
	x->more |= from > 0;
	for (; from < n; from += AT_ONCE) {
		struct db_value args[AT_ONCE + 1] = { db_int(test) };
		for (uint32_t i = 0; i < AT_ONCE; i++) /* the last one again where there are fewer */
			args[i + 1] = db_int(x->runs[x->by_state[group + (from + i < n ? from + i : n - 1)]].seq);
		int64_t r = db_query(x->s->db, "SELECT run, attempt, result FROM result WHERE run IN (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) AND test = ?1", args,
				     ARRAY_LEN(args), take_result, ret, x->e);
		if (r < 0)
			return (int)r;
		x->lookups += n - from < AT_ONCE ? n - from : AT_ONCE;
	}
	for (uint32_t i = n > GROUP_MAX ? n - GROUP_MAX : 0; i < n; i++)
		add_silent(ret, x->by_state[group + i], series);
	qsort(ret->v, ret->n, sizeof(*ret->v), by_time);
	return 0;
}

/* Count the neighbours that differ; keep the newest pair of them. */
static void judge_state(struct search *x, struct found *k, const struct results *r)
{
	bool mixed = false, both = false;

	for (size_t i = 1; i < r->n; i++) {
		const struct verdict_at *a = &r->v[i - 1], *b = &r->v[i];
		k->f.pairs++;
		if (a->failed == b->failed)
			continue;
		mixed = true;
		k->f.flips++;
		both |= a->run == b->run;
		if (b->started >= k->evidence_at) {
			k->evidence_at = b->started;
			k->passed_in = a->failed ? b->run : a->run;
			k->failed_in = a->failed ? a->run : b->run;
		}
	}
	k->f.commits += mixed;
	k->f.reruns += both;
}

/* The states are looked at newest first: when the bound is hit, the older ones are missing. The test is marked. */
static int judge_test(struct search *x, const struct fl_fail *v, size_t n, struct found *k)
{
	struct results r;

	k->f.failed = (int64_t)n;
	for (size_t i = n; i-- > 0;) {
		const struct fl_run *run = &x->runs[v[i].run], *head = head_of(x, run);
		uint32_t failed = x->failed_in[run->group];
		if (run->started > k->f.last_failed)
			k->f.last_failed = run->started;
		if (!failed)
			continue; /* was looked at */
		if (!interesting(x, run)) {
			k->f.pairs += head->in_group - 1;
		} else if (x->lookups >= LOOKUPS_MAX) {
			x->more = true;
		} else {
			int e = ask_results(x, k->test, run->group, run->series, &r);
			if (e < 0)
				return e;
			judge_state(x, k, &r);
		}
		x->failed_in[run->group] = 0;
	}
	return 0;
}

struct suspect {
	size_t at, n; /* its failures */
	uint32_t weight; /* those that may be one of both results */
};

static int by_weight(const void *a, const void *b)
{
	const struct suspect *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int find_suspects(struct search *x, struct suspect **ret, size_t *ret_n)
{
	size_t cap = 0;

	for (size_t at = 0, end; at < x->n_fails; at = end) {
		struct suspect one = { .at = at };
		for (end = at + 1; end < x->n_fails && x->fails[end].test == x->fails[at].test;)
			end++;
		one.n = end - at;
		mark(x, x->fails + at, one.n, true);
		for (size_t i = at; i < end; i++)
			one.weight += interesting(x, &x->runs[x->fails[i].run]);
		mark(x, x->fails + at, one.n, false);
		if (!one.weight)
			continue;
		if (!mem_grow(ret, &cap, *ret_n, sizeof(**ret)))
			return no_memory(x->e);
		(*ret)[(*ret_n)++] = one;
	}
	return 0;
}

/* Those with the most evidence come first: a bound that is hit leaves out the least. */
static int judge_all(struct search *x)
{
	CLEANUP(mem_free) struct suspect *list = NULL;
	size_t n = 0;
	int r = find_suspects(x, &list, &n);

	if (r == 0 && n)
		qsort(list, n, sizeof(*list), by_weight);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct fl_fail *v = x->fails + list[i].at;
		struct found k = { .test = v->test };
		mark(x, v, list[i].n, true);
		r = judge_test(x, v, list[i].n, &k);
		mark(x, v, list[i].n, false);
		if (r < 0 || !k.f.flips)
			continue;
		if (!mem_grow(&x->found, &x->cap_found, x->n_found, sizeof(*x->found)))
			return no_memory(x->e);
		x->found[x->n_found++] = k;
	}
	return r;
}

/* ---- what else is said of those that are flaky ---- */

struct one_row {
	struct arena *mem;
	struct span a, b;
	int64_t n;
	bool bad;
};

static int take_row(void *ctx, const struct db_value *row, size_t n)
{
	struct one_row *o = ctx;

	o->a = arena_span(o->mem, db_span(row[0]));
	o->b = row[1].type == DB_NULL ? (struct span){ 0 } : arena_span(o->mem, db_span(row[1]));
	o->n = n > 2 ? db_number(row[2], 0) : 0;
	o->bad = !o->a.p || (!o->b.p && row[1].type != DB_NULL);
	return 1;
}

static int ask_row(struct search *x, const char *sql, int64_t key, struct one_row *ret)
{
	*ret = (struct one_row){ .mem = &x->mem };
	int64_t r = db_query(x->s->db, sql, DB_ARGS(db_int(key)), take_row, ret, x->e);
	return r < 0 ? (int)r : ret->bad ? no_memory(x->e) : 0;
}

/* Its runs: all of the commands in which it failed, since it is known. The pairs of states without a failure count too. */
static void count_runs(struct search *x, const struct fl_fail *v, size_t n, int64_t first_seen, struct found *k)
{
	int64_t series[8];
	size_t n_series = 0;

	for (size_t i = 0; i < n && n_series < ARRAY_LEN(series); i++) {
		size_t o = 0;
		while (o < n_series && series[o] != x->runs[v[i].run].series)
			o++;
		if (o == n_series)
			series[n_series++] = x->runs[v[i].run].series;
	}
	mark(x, v, n, true);
	for (size_t i = 0; i < x->n_runs; i++) {
		const struct fl_run *r = &x->runs[i], *head = head_of(x, r);
		bool ours = false;
		for (size_t o = 0; o < n_series && !ours; o++)
			ours = series[o] == r->series;
		if (!ours || (r->started < first_seen && !r->silent) || r->wreck)
			continue;
		k->f.runs++;
		k->f.pairs += r != head && head->started >= first_seen && !x->failed_in[r->group];
	}
	mark(x, v, n, false);
}

static int fails_from(const struct search *x, int64_t test, const struct fl_fail **ret)
{
	size_t lo = 0, hi = x->n_fails, n = 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (x->fails[mid].test < test)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret = x->fails + lo;
	while (lo + n < x->n_fails && x->fails[lo + n].test == test)
		n++;
	return (int)n;
}

static int describe(struct search *x, struct found *k)
{
	const struct fl_fail *v;
	int n = fails_from(x, k->test, &v);
	struct one_row o;

	int r = ask_row(x, "SELECT package, name, first_seen FROM test WHERE id = ?1", k->test, &o);
	if (r < 0)
		return r;
	k->f.package = o.a;
	k->f.test = o.b;
	count_runs(x, v, (size_t)n, o.n, k);
	k->f.score = (double)k->f.flips / (double)(k->f.pairs + PRIOR);
	return 0;
}

static int add_evidence(struct search *x, struct found *k)
{
	struct one_row o;

	int r = ask_row(x, "SELECT id, commit_id FROM run WHERE seq = ?1", x->runs[k->failed_in].seq, &o);
	if (r < 0)
		return r;
	k->f.failed_run = o.a;
	k->f.commit = o.b;
	r = ask_row(x, "SELECT id, project FROM run WHERE seq = ?1", x->runs[k->passed_in].seq, &o);
	if (r < 0)
		return r;
	k->f.passed_run = o.a;
	k->f.project = o.b;
	/* By the index of the test: a package has many faults. */
	return db_get(x->s->db, "SELECT seq FROM fault WHERE test = ?1 AND (package || '') = ?2 AND project = ?3 AND state <> 'merged' ORDER BY last_seen DESC LIMIT 1",
		      DB_ARGS(db_text(k->f.test), db_text(k->f.package), db_text(k->f.project)), 0, &k->f.fault, x->e);
}

/* ---- a parent fails with its subtest ---- */

static int by_name(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	size_t n = x->f.package.n < y->f.package.n ? x->f.package.n : y->f.package.n;
	int r = n ? memcmp(x->f.package.p, y->f.package.p, n) : 0;

	if (r || x->f.package.n != y->f.package.n)
		return r ? r : x->f.package.n < y->f.package.n ? -1 : 1;
	n = x->f.test.n < y->f.test.n ? x->f.test.n : y->f.test.n;
	r = n ? memcmp(x->f.test.p, y->f.test.p, n) : 0;
	return r ? r : x->f.test.n < y->f.test.n ? -1 : x->f.test.n > y->f.test.n;
}

static bool is_below(const struct found *child, const struct found *parent)
{
	return span_eq(child->f.package, parent->f.package) && child->f.test.n > parent->f.test.n && child->f.test.p[parent->f.test.n] == '/' &&
	       span_starts(child->f.test, parent->f.test);
}

static void drop_parents(struct search *x)
{
	if (x->n_found)
		qsort(x->found, x->n_found, sizeof(*x->found), by_name);
	for (size_t i = 0; i < x->n_found; i++) {
		int64_t failed = 0;
		for (size_t c = i + 1; c < x->n_found && span_starts(x->found[c].f.test, x->found[i].f.test) && span_eq(x->found[c].f.package, x->found[i].f.package); c++)
			failed += is_below(&x->found[c], &x->found[i]) ? x->found[c].f.failed : 0;
		x->found[i].dropped = failed >= x->found[i].f.failed;
	}
}

static int by_score(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->f.score < y->f.score || x->f.score > y->f.score)
		return x->f.score > y->f.score ? -1 : 1;
	if (x->f.failed != y->f.failed)
		return x->f.failed > y->f.failed ? -1 : 1;
	return by_name(a, b);
}

static int tell(struct search *x, flaky_fn *fn, void *ctx)
{
	size_t told = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < x->n_found; i++)
		r = describe(x, &x->found[i]);
	if (r < 0)
		return r;
	drop_parents(x);
	if (x->n_found)
		qsort(x->found, x->n_found, sizeof(*x->found), by_score);
	for (size_t i = 0; r == 0 && i < x->n_found; i++) {
		if (x->found[i].dropped)
			continue;
		if (told++ == TOLD_MAX) {
			x->more = true;
			break;
		}
		r = add_evidence(x, &x->found[i]);
		if (r == 0)
			r = fn(ctx, &x->found[i].f);
	}
	return r < 0 ? r : 0;
}

int store_flaky(struct store *s, const char *project, int64_t since, flaky_fn *fn, void *ctx, struct err *e)
{
	struct search x = { .s = s, .e = e };
	int r = load_runs(&x, project, since);

	if (r == 0)
		r = load_fails(&x);
	if (r == 0)
		r = judge_all(&x);
	if (r == 0)
		r = tell(&x, fn, ctx);
	mem_free(x.runs);
	mem_free(x.by_state);
	mem_free(x.failed_in);
	mem_free(x.fails);
	mem_free(x.found);
	arena_free(&x.mem);
	return r < 0 ? r : x.more;
}
