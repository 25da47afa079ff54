#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/state.h"

#define PROJECTS_MAX 200
#define CAUSES_MAX   300

/* Numbers of a window. Counts come from rows that are few: days of faults, not findings. */
struct counting {
	struct store *s;
	struct err *e;
	struct arena *mem;
	const char *project; /* NULL: all */
	int64_t since, now, first_day;
	struct stats *ret;
	/* faults by seq, and the one whose days are being read */
	struct counted {
		int64_t seq, count, first_seen;
		uint32_t cause;
		enum fault_state state;
		bool ours;
	} *faults;
	size_t n_faults, cap_faults, at;
	struct stats_cause causes[CAUSES_MAX];
	struct stats_project projects[PROJECTS_MAX];
	bool no_mem;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

static struct stats_bucket *bucket(struct counting *x, int64_t day)
{
	int64_t i = day - x->first_day;

	return i >= 0 && i < (int64_t)x->ret->n_days ? &x->ret->days[i] : NULL;
}

static int ask(struct counting *x, const char *sql, const struct db_value *args, size_t n, db_row_fn *fn)
{
	int64_t r = db_query(x->s->db, sql, args, n, fn, x, x->e);

	return r >= 0 ? 0 : x->no_mem ? no_memory(x->e) : (int)r;
}

/* ---- the window ---- */

static int make_days(struct counting *x)
{
	int64_t last = x->now / DAY_NSEC, first = x->since / DAY_NSEC, oldest = 0;

	if (x->since <= 0 || last - first >= STATS_DAYS_MAX) {
		int r = db_get(x->s->db, "SELECT min(started) FROM run WHERE started > 0", NULL, 0, x->now, &oldest, x->e);
		if (r < 0)
			return r;
		first = oldest / DAY_NSEC > first ? oldest / DAY_NSEC : first;
		first = first > last ? last : last - first >= STATS_DAYS_MAX ? last - STATS_DAYS_MAX + 1 : first;
		x->since = x->since > first * DAY_NSEC ? x->since : first * DAY_NSEC;
	}
	x->first_day = first;
	x->ret->n_days = (size_t)(last - first + 1);
	x->ret->days = arena_alloc(x->mem, x->ret->n_days * sizeof(*x->ret->days));
	if (!x->ret->days)
		return no_memory(x->e);
	for (size_t i = 0; i < x->ret->n_days; i++)
		x->ret->days[i].day = first + (int64_t)i;
	return 0;
}

/* ---- runs ---- */

static enum outcome outcome_of(struct span word)
{
	for (int i = 1; i < OUTCOME_COUNT; i++) {
		if (span_eq(word, span_of(outcome_word((enum outcome)i))))
			return (enum outcome)i;
	}
	return OUTCOME_NONE;
}

static struct stats_project *project_of(struct counting *x, struct span name)
{
	struct stats *r = x->ret;

	for (size_t i = 0; i < r->n_projects; i++) {
		if (span_eq(span_of(x->projects[i].project), name))
			return &x->projects[i];
	}
	if (r->n_projects == PROJECTS_MAX)
		return NULL;
	char *z = arena_str(x->mem, name);
	if (!z) {
		x->no_mem = true;
		return NULL;
	}
	x->projects[r->n_projects] = (struct stats_project){ .project = z };
	return &x->projects[r->n_projects++];
}

/* day, outcome, project, how many, their time */
static int take_runs(void *ctx, const struct db_value *row, size_t n)
{
	struct counting *x = ctx;
	struct stats_bucket *b = bucket(x, db_number(row[0], 0));
	enum outcome o = outcome_of(db_span(row[1]));
	int64_t runs = db_number(row[3], 0), failed = o != OUTCOME_PASSED && o != OUTCOME_NONE ? runs : 0;
	struct stats_project *p = project_of(x, db_span(row[2]));

	if (x->no_mem)
		return -ENOMEM;
	x->ret->runs += runs;
	x->ret->outcomes[o] += runs;
	if (p) {
		p->runs += runs;
		p->failed += failed;
	}
	if (b) {
		b->runs += runs;
		b->failed += failed;
		b->outcomes[o] += runs;
		b->duration += db_number(row[4], 0);
	}
	return 0;
}

static int by_runs(const void *a, const void *b)
{
	const struct stats_project *x = a, *y = b;

	if (x->runs != y->runs)
		return x->runs > y->runs ? -1 : 1;
	return strcmp(x->project, y->project);
}

static int count_runs(struct counting *x)
{
	const struct db_value args[] = { db_int(x->since), db_int(x->now), db_textz(x->project) };
	int r = ask(x, x->project ? "SELECT started / 86400000000000, outcome, project, count(*), CAST(sum(duration) AS BIGINT) FROM run"
				    " WHERE started >= ?1 AND started <= ?2 AND " IS_RUN " AND project = ?3 GROUP BY 1, 2, 3"
				  : "SELECT started / 86400000000000, outcome, project, count(*), CAST(sum(duration) AS BIGINT) FROM run"
				    " WHERE started >= ?1 AND started <= ?2 AND " IS_RUN " GROUP BY 1, 2, 3", args, x->project ? 3 : 2, take_runs);
	if (r < 0)
		return r;
	x->ret->projects = arena_alloc(x->mem, (x->ret->n_projects + 1) * sizeof(*x->ret->projects));
	if (!x->ret->projects)
		return no_memory(x->e);
	memcpy(x->ret->projects, x->projects, x->ret->n_projects * sizeof(*x->projects));
	qsort(x->ret->projects, x->ret->n_projects, sizeof(*x->projects), by_runs);
	return 0;
}

/* ---- faults ---- */

static uint32_t cause_of(struct counting *x, struct span id)
{
	struct stats *r = x->ret;
	size_t i = 0;

	while (i < r->n_causes && !span_eq(span_of(x->causes[i].cause), id))
		i++;
	if (i < r->n_causes)
		return (uint32_t)i;
	if (i == CAUSES_MAX)
		return CAUSES_MAX - 1;
	x->causes[i] = (struct stats_cause){ .cause = arena_str(x->mem, id) };
	x->no_mem |= !x->causes[i].cause;
	r->n_causes += !x->no_mem;
	return (uint32_t)i;
}

static enum fault_state state_of(struct span word)
{
	for (int i = 0; fault_state_words[i]; i++) {
		if (span_eq(word, span_of(fault_state_words[i])))
			return (enum fault_state)i;
	}
	return FAULT_OPEN;
}

/* seq, cause, state, first seen, project */
static int take_fault(void *ctx, const struct db_value *row, size_t n)
{
	struct counting *x = ctx;
	enum fault_state state = state_of(db_span(row[2]));

	if (!mem_grow(&x->faults, &x->cap_faults, x->n_faults, sizeof(*x->faults))) {
		x->no_mem = true;
		return -ENOMEM;
	}
	bool ours = state != FAULT_MERGED && (!x->project || span_eq(db_span(row[4]), span_of(x->project)));
	x->faults[x->n_faults++] = (struct counted){ .seq = db_number(row[0], 0), .state = state, .ours = ours, .first_seen = db_number(row[3], 0),
						     .cause = ours ? cause_of(x, db_span(row[1])) : 0 };
	return x->no_mem ? -ENOMEM : 0;
}

/* fault, day, count; by fault */
static int take_day(void *ctx, const struct db_value *row, size_t n)
{
	struct counting *x = ctx;
	int64_t seq = db_number(row[0], 0), count = db_number(row[2], 0);
	struct stats_bucket *b = bucket(x, db_number(row[1], 0));

	while (x->at < x->n_faults && x->faults[x->at].seq < seq)
		x->at++;
	if (x->at == x->n_faults)
		return 1;
	struct counted *f = &x->faults[x->at];
	if (f->seq != seq || !f->ours || !b)
		return 0;
	f->count += count;
	b->findings += count;
	return 0;
}

static int by_findings(const void *a, const void *b)
{
	const struct stats_cause *x = a, *y = b;

	if (x->findings != y->findings)
		return x->findings > y->findings ? -1 : 1;
	return strcmp(x->cause, y->cause);
}

static void keep_top(struct stats *r, const struct counted *f)
{
	size_t i = r->n_top;

	if (i == STATS_TOP && r->top[i - 1].count >= f->count)
		return;
	if (i == STATS_TOP)
		i--;
	else
		r->n_top++;
	for (; i && r->top[i - 1].count < f->count; i--)
		r->top[i] = r->top[i - 1];
	r->top[i] = (struct stats_fault){ f->seq, f->count };
}

static void count_new(struct counting *x, const struct counted *f)
{
	struct stats_bucket *b = bucket(x, f->first_seen / DAY_NSEC);

	if (f->first_seen < x->since || f->first_seen > x->now)
		return;
	x->ret->new_faults++;
	if (b)
		b->new_faults++;
}

static int sum_faults(struct counting *x)
{
	struct stats *r = x->ret;
	size_t kept = 0;

	r->top = arena_alloc(x->mem, STATS_TOP * sizeof(*r->top));
	r->causes = arena_alloc(x->mem, (r->n_causes + 1) * sizeof(*r->causes));
	if (!r->top || !r->causes)
		return no_memory(x->e);
	for (size_t i = 0; i < x->n_faults; i++) {
		const struct counted *f = &x->faults[i];
		if (!f->count)
			continue;
		r->faults++;
		r->states[f->state]++;
		x->causes[f->cause].findings += f->count;
		x->causes[f->cause].faults++;
		count_new(x, f);
		keep_top(r, f);
	}
	for (size_t i = 0; i < r->n_causes; i++) {
		if (x->causes[i].faults)
			r->causes[kept++] = x->causes[i];
	}
	r->n_causes = kept;
	qsort(r->causes, kept, sizeof(*r->causes), by_findings);
	return 0;
}

static int count_faults(struct counting *x)
{
	int r = ask(x, "SELECT seq, cause, state, first_seen, project FROM fault WHERE last_seen >= ?1 ORDER BY seq", DB_ARGS(db_int(x->since)), take_fault);

	if (r == 0)
		r = ask(x, "SELECT fault, day, count FROM fault_day WHERE day >= ?1 AND day <= ?2 ORDER BY fault",
			DB_ARGS(db_int(x->first_day), db_int(x->now / DAY_NSEC)), take_day);
	return r == 0 ? sum_faults(x) : r;
}

static int count_findings(struct counting *x)
{
	const struct db_value args[] = { db_int(x->since), db_int(x->now), db_textz(x->project) };

	return db_get(x->s->db, x->project ? "SELECT count(*) FROM run r JOIN finding f ON f.run = r.seq WHERE r.started >= ?1 AND r.started <= ?2 AND r.project = ?3"
					   : "SELECT count(*) FROM run r JOIN finding f ON f.run = r.seq WHERE r.started >= ?1 AND r.started <= ?2",
		      args, x->project ? 3 : 2, 0, &x->ret->findings, x->e);
}

/* ---- repair ---- */

/* kind, at, when it had come (back) */
static int take_event(void *ctx, const struct db_value *row, size_t n)
{
	struct counting *x = ctx;
	int64_t at = db_number(row[1], 0), from = db_number(row[2], at);
	struct stats_bucket *b = bucket(x, at / DAY_NSEC);

	if (span_eq(db_span(row[0]), S("regressed"))) {
		x->ret->regressions++;
		if (b)
			b->regressed++;
		return 0;
	}
	int64_t took = at > from ? at - from : 0;
	x->ret->mttr_n++;
	x->ret->mttr += took / 1000; /* a sum of years in ns is too much: µs here */
	if (b) {
		b->resolved++;
		b->repair += took;
	}
	return 0;
}

static int count_repairs(struct counting *x)
{
	static const char sql[] =
		"SELECT v.kind, v.at, COALESCE((SELECT max(b.at) FROM fault_event b WHERE b.fault = v.fault AND b.at < v.at AND b.kind IN ('regressed', 'reopened')),"
		" f.first_seen) FROM fault_event v JOIN fault f ON f.seq = v.fault WHERE v.kind IN ('resolved', 'regressed') AND v.at >= ?1 AND v.at <= ?2";
	static const char of_project[] =
		"SELECT v.kind, v.at, COALESCE((SELECT max(b.at) FROM fault_event b WHERE b.fault = v.fault AND b.at < v.at AND b.kind IN ('regressed', 'reopened')),"
		" f.first_seen) FROM fault_event v JOIN fault f ON f.seq = v.fault WHERE v.kind IN ('resolved', 'regressed') AND v.at >= ?1 AND v.at <= ?2 AND f.project = ?3";
	const struct db_value args[] = { db_int(x->since), db_int(x->now), db_textz(x->project) };
	int r = ask(x, x->project ? of_project : sql, args, x->project ? 3 : 2, take_event);

	if (x->ret->mttr_n)
		x->ret->mttr = x->ret->mttr / x->ret->mttr_n * 1000;
	return r;
}

int store_stats(struct store *s, const char *project, int64_t since, int64_t now, struct arena *mem, struct stats *ret, struct err *e)
{
	static int (*const steps[])(struct counting *) = { make_days, count_runs, count_faults, count_findings, count_repairs };
	struct counting *x = mem_zalloc(sizeof(*x));
	int r = 0;

	*ret = (struct stats){ 0 };
	if (!x)
		return no_memory(e);
	*x = (struct counting){ .s = s, .e = e, .mem = mem, .project = project, .since = since, .now = now, .ret = ret };
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(steps); i++)
		r = steps[i](x);
	mem_free(x->faults);
	mem_free(x);
	return r;
}
