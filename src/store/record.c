#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "model/redact_report.h"
#include "store/recorded.h"
#include "store/state.h"

#define OWNERS_MAX 20 /* new faults of one run whose owner is looked for: it may take a `git blame` each */

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

static const char *text_or(const char *z, const char *none)
{
	return z && *z ? z : none;
}

/* ---- the run itself ---- */

static void put_pair(struct json_out *j, const char *key, const char *v)
{
	if (!v)
		return;
	json_key(j, key);
	json_strz(j, v);
}

static void ci_json(const struct ci_context *c, struct buf *ret)
{
	struct json_out j = { .to = ret };

	if (!c->name)
		return;
	json_open(&j, '{');
	put_pair(&j, "name", c->name);
	put_pair(&j, "repo", c->repo);
	put_pair(&j, "job", c->job);
	put_pair(&j, "run_id", c->run_id);
	put_pair(&j, "url", c->url);
	put_pair(&j, "actor", c->actor);
	put_pair(&j, "pr", c->pr);
	json_close(&j, '}');
}

static void words_json(const char *const *v, size_t n, struct buf *ret)
{
	struct json_out j = { .to = ret };

	json_open(&j, '[');
	for (size_t i = 0; i < n; i++)
		json_strz(&j, v[i]);
	json_close(&j, ']');
}

static void used_json(const struct resources *u, struct buf *ret)
{
	struct json_out j = { .to = ret };
	const struct { const char *key; int64_t v; } rows[] = {
		{ "cpu_ms", u->cpu_ns < 0 ? -1 : u->cpu_ns / NSEC_PER_MSEC }, { "max_rss_kb", u->max_rss_kb }, { "tree_rss_kb", u->tree_rss_kb },
		{ "read_bytes", u->read_bytes }, { "write_bytes", u->write_bytes },
	};

	if (!u->known)
		return;
	json_open(&j, '{');
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].v < 0)
			continue;
		json_key(&j, rows[i].key);
		json_int(&j, rows[i].v);
	}
	json_close(&j, '}');
}

static struct db_value text_of(const struct buf *b)
{
	return b->len ? db_text(buf_view(b)) : db_null();
}

/* 1: it is there already. */
static int add_run(struct store *s, const struct report *r, int64_t modules, struct err *e)
{
	static const char sql[] =
		"INSERT INTO run(id, project, series, started, duration, outcome, cause, exit_code, signal, summary, argv, cwd, branch, base, commit_id, tree, go,"
		" modules, ci, resources, limits, packages, tests, passed, failed, skipped, unfinished, cached) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
		" ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28) ON CONFLICT (id) DO NOTHING";
	CLEANUP(buf_free) struct buf argv = { 0 }, ci = { 0 }, used = { 0 }, limits = { 0 };
	const struct test_counts *t = &r->tests;
	const char *outcome = outcome_word(r->outcome);

	words_json(r->argv.v, r->argv.n, &argv);
	ci_json(&r->ci, &ci);
	used_json(&r->resources, &used);
	if (r->limits.n)
		words_json(r->limits.v, r->limits.n, &limits);
	if (argv.bad || ci.bad || used.bad || limits.bad)
		return no_memory(e);
	int64_t n = db_run(s->db, sql, DB_ARGS(db_textz(r->id), db_textz(text_or(r->project, "")), db_int(store_series(r)), db_int(r->started),
		db_int(r->duration_ns), db_textz(outcome ? outcome : "none"), db_textz(cause_table[r->cause].id), db_int(r->exit_code),
		r->ending.how == END_SIGNAL ? db_int(r->ending.sig) : db_null(), db_textz(r->summary), text_of(&argv), db_textz(r->cwd),
		db_textz(r->ci.branch), db_textz(r->base_branch), db_textz(r->ci.commit), r->tree_known ? db_int((int64_t)r->tree) : db_null(),
		db_textz(r->go_version), modules ? db_int(modules) : db_null(), text_of(&ci), text_of(&used), text_of(&limits),
		db_int_or(t->packages, -1), db_int_or(t->run, -1), db_int_or(t->passed, -1), db_int_or(t->failed, -1), db_int_or(t->skipped, -1),
		db_int_or(t->unfinished, -1), db_int_or(t->cached_packages, -1)), e);
	return n < 0 ? (int)n : n == 0;
}

/* The list of modules changes seldom: it is kept once, by its hash. */
static int add_modules(struct store *s, const struct report *r, int64_t *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { .max = PACK_MAX }, packed = { 0 };

	*ret = 0;
	for (size_t i = 0; i < r->modules.n; i++) {
		size_t before = text.len;
		buf_addf(&text, "%s\n", r->modules.v[i]);
		if (text.bad) { /* thousands of modules: the first ones will do */
			text.len = before;
			break;
		}
	}
	if (!text.len)
		return 0;
	int n = pack_text(buf_view(&text), (struct span){ 0 }, &packed, e);
	if (n < 0)
		return n;
	*ret = hash64(buf_view(&text), (struct span){ 0 });
	int64_t m = db_run(s->db, "INSERT INTO blob(id, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING", DB_ARGS(db_int(*ret), db_blob(buf_view(&packed))), e);
	return m < 0 ? (int)m : 0;
}

static int add_attempts(struct store *s, const struct report *r, int64_t run, struct err *e)
{
	for (size_t i = 0; i < r->n_attempts; i++) {
		const struct attempt *a = &r->attempts[i];
		int64_t n = db_run(s->db, "INSERT INTO attempt(run, n, outcome, cause, duration) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
				   DB_ARGS(db_int(run), db_int((int64_t)i), db_textz(outcome_word(a->outcome)), db_textz(cause_table[a->cause].id), db_int(a->duration_ns)), e);
		if (n < 0)
			return (int)n;
	}
	return 0;
}

static int add_commands(struct store *s, const struct report *r, int64_t run, struct err *e)
{
	for (size_t i = 0; i < r->n_commands; i++) {
		const struct nested *c = &r->commands[i];
		CLEANUP(buf_free) struct buf argv = { 0 };
		words_json(c->argv.v, c->argv.n, &argv);
		if (argv.bad)
			return no_memory(e);
		int flags = (c->masked ? COMMAND_MASKED : 0) | (c->allowed ? COMMAND_ALLOWED : 0) | (c->recovered ? COMMAND_RECOVERED : 0) | (c->below_test ? COMMAND_BELOW_TEST : 0);
		int64_t n = db_run(s->db, "INSERT INTO command(run, n, argv, cwd, script, code, signal, duration, flags) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
				   " ON CONFLICT DO NOTHING",
				   DB_ARGS(db_int(run), db_int((int64_t)i), text_of(&argv), db_textz(c->cwd), db_textz(c->script),
					   c->how == END_EXIT ? db_int(c->code) : db_null(), c->how == END_SIGNAL ? db_int(c->sig) : db_null(),
					   db_int(c->duration), db_int(flags)), e);
		if (n < 0)
			return (int)n;
	}
	return 0;
}

/* ---- tests ---- */

struct keyed {
	int64_t id;
	const struct test_result *t; /* in the order in which they ended */
	bool known; /* the last run of this command had it */
};

struct marking {
	struct keyed *k;
	size_t n, at;
};

static int mark_known(void *ctx, const struct db_value *row, size_t n)
{
	struct marking *m = ctx;
	int64_t id = db_number(row[0], 0);

	while (m->at < m->n && m->k[m->at].id < id)
		m->at++;
	for (size_t i = m->at; i < m->n && m->k[i].id == id; i++)
		m->k[i].known = true;
	return m->at == m->n;
}

static int by_id(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->t == y->t ? 0 : x->t < y->t ? -1 : 1;
}

/* In the order of their ids: pages are filled one after the other. */
static int add_tests(struct store *s, const struct report *r, int64_t run, struct err *e)
{
	static const enum db_type test_types[] = { DB_INT, DB_TEXT, DB_TEXT, DB_INT };
	static const enum db_type result_types[] = { DB_INT, DB_INT, DB_INT, DB_INT, DB_INT };
	size_t n = r->n_results, m = 0;
	int64_t times = 0;
	CLEANUP(mem_free) struct keyed *k = n ? mem_alloc(n * sizeof(*k)) : NULL;
	CLEANUP(mem_free) struct db_value *tests = n ? mem_alloc(n * 4 * sizeof(*tests)) : NULL;
	CLEANUP(mem_free) struct db_value *results = n ? mem_alloc(n * 5 * sizeof(*results)) : NULL;

	if (!n)
		return 0;
	if (!k || !tests || !results)
		return no_memory(e);
	for (size_t i = 0; i < n; i++)
		k[i] = (struct keyed){ hash64(r->results[i].package, r->results[i].test), &r->results[i], false };
	qsort(k, n, sizeof(*k), by_id);
	struct marking mark = { k, n, 0 };
	int64_t asked = db_query(s->db, "SELECT test FROM result WHERE run = (SELECT seq FROM run WHERE series = ?1 AND seq <> ?2 ORDER BY started DESC LIMIT 1) ORDER BY test",
				 DB_ARGS(db_int(store_series(r)), db_int(run)), mark_known, &mark, e);
	if (asked < 0)
		return (int)asked;
	for (size_t i = 0; i < n; i++) {
		const struct test_result *t = k[i].t;
		struct db_value *v = results + i * 5;
		v[0] = db_int(run);
		v[1] = db_int(k[i].id);
		times = i && k[i - 1].id == k[i].id ? times + 1 : 1;
		v[2] = db_int(t->attempt ? times : 0); /* -count, or run again: each time is evidence; 0: its result was cached */
		v[3] = db_int(t->result);
		v[4] = db_int(t->ns);
		if (k[i].known || (i && k[i - 1].id == k[i].id))
			continue;
		v = tests + m++ * 4;
		v[0] = db_int(k[i].id);
		v[1] = db_text(t->package.p ? t->package : S(""));
		v[2] = db_text(t->test.p ? t->test : S(""));
		v[3] = db_int(r->started);
	}
	int x = db_insert(s->db, "test", "id, package, name, first_seen", &(struct db_rows){ test_types, 4, m, tests }, e);
	return x < 0 ? x : db_insert(s->db, "result", "run, test, attempt, result, duration", &(struct db_rows){ result_types, 5, n, results }, e);
}

/* ---- all of it ---- */

static int record_all(struct store *s, void *ctx, struct err *e)
{
	struct recording *x = ctx;
	int64_t modules = 0;

	x->there = false;
	int n = x->asked ? 0 : seen_lookup(s, x, e); /* not the first attempt: what was known may have changed */
	x->asked = false;
	if (n == 0)
		n = add_modules(s, x->r, &modules, e);
	if (n == 0)
		n = add_run(s, x->r, modules, e);
	if (n < 0)
		return n;
	if (n == 1) {
		x->there = true;
		return seen_lookup(s, x, e);
	}
	n = db_get(s->db, "SELECT seq FROM run WHERE id = ?1", DB_ARGS(db_textz(x->r->id)), 0, &x->run, e);
	if (n == 0)
		n = add_attempts(s, x->r, x->run, e);
	if (n == 0)
		n = add_commands(s, x->r, x->run, e);
	if (n == 0)
		n = add_tests(s, x->r, x->run, e);
	if (n == 0 && x->n)
		n = seen_record(s, x, e);
	return n == 0 ? regress_all(s, x, e) : n;
}

/* What may take a while is asked before the database is held: owners of new faults, whether a fix is in what was run. */
static int ask_first(struct store *s, struct recording *x, struct err *e)
{
	int owners = 0, r = seen_lookup(s, x, e);

	for (size_t i = 0; r == 0 && i < x->n; i++) {
		struct seen *k = &x->seen[i];
		if (!k->seq && x->c->owner && owners++ < OWNERS_MAX)
			k->owner = x->c->owner(x->c->ctx, &x->r->findings[k->finding]);
		if (k->seq && k->state == FAULT_RESOLVED && k->fix_commit && x->c->has_commit)
			k->lacks_fix = x->c->has_commit(x->c->ctx, k->fix_commit) == 0;
	}
	x->asked = r == 0;
	return r;
}

int store_record(struct store *s, struct report *r, const struct record_config *c, struct err *e)
{
	struct recording x = { .r = r, .c = c };

	if (report_redact(NULL, r) < 0) /* it was done before; but nothing comes in that it was not done to */
		return no_memory(e);
	if (!r->id[0])
		ulid_make(r->started ? r->started : c->now, r->id);
	int n = seen_make(&x, e);
	if (n == 0)
		n = ask_first(s, &x, e);
	if (n == 0)
		n = store_transact(s, record_all, &x, e);
	for (size_t i = 0; n == 0 && i < r->n_findings; i++)
		n = sight_fill(&x, &r->findings[i], e);
	seen_free(&x);
	return n < 0 ? n : x.there;
}
