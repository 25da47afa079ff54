#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/recorded.h"

#define LOOK_BACK 200 /* runs of the project that are searched for the last one without the fault */

static int take_commit(void *ctx, const struct db_value *row, size_t n)
{
	struct recording *x = ((void **)ctx)[0];
	const char **ret = ((void **)ctx)[1];

	*ret = arena_span(&x->mem, db_span(row[0])).p;
	return 1;
}

/* The last run before this one in which the test passed. */
static int good_by_test(struct store *s, struct recording *x, struct seen *k, void **ctx, struct err *e)
{
	const struct finding *f = &x->r->findings[k->finding];
	int64_t n = db_query(s->db, "SELECT r.commit_id FROM (SELECT seq, commit_id, started FROM run WHERE started < ?1 AND project = ?2 AND seq <> ?3 AND commit_id IS NOT NULL"
			     " ORDER BY started DESC LIMIT ?4) r JOIN result t ON t.run = r.seq AND t.test = ?5 AND t.result = 1 ORDER BY r.started DESC LIMIT 1",
			     DB_ARGS(db_int(x->r->started), db_textz(x->r->project ? x->r->project : ""), db_int(x->run), db_int(LOOK_BACK), db_int(hash64(f->package, f->test))),
			     take_commit, ctx, e);

	return n < 0 ? (int)n : 0;
}

/* The last time that the same command ran to its end without this fault: text without -v does not name tests that pass. */
static int good_by_command(struct store *s, struct recording *x, struct seen *k, void **ctx, struct err *e)
{
	bool test = x->r->findings[k->finding].test.n; /* of a run that failed we do not know that it came so far */
	int64_t n = db_query(s->db, "SELECT commit_id FROM run r WHERE series = ?1 AND started < ?2 AND seq <> ?3 AND commit_id IS NOT NULL"
			     " AND outcome IN ('passed', 'unstable', ?5) AND NOT EXISTS (SELECT 1 FROM finding f WHERE f.fault = ?4 AND f.run = r.seq)"
			     " ORDER BY started DESC LIMIT 1", DB_ARGS(db_int(store_series(x->r)), db_int(x->r->started), db_int(x->run), db_int(k->seq),
							      db_textz(test ? "passed" : "failed")), take_commit, ctx, e);

	return n < 0 ? (int)n : 0;
}

static int find_good(struct store *s, struct recording *x, struct seen *k, struct err *e)
{
	void *ctx[2] = { x, &k->good };
	int r = x->r->findings[k->finding].test.n ? good_by_test(s, x, k, ctx, e) : 0;

	return r == 0 && !k->good ? good_by_command(s, x, k, ctx, e) : r;
}

static int regress(struct store *s, struct recording *x, struct seen *k, struct err *e)
{
	CLEANUP(buf_free) struct buf data = { 0 };
	struct json_out j = { .to = &data };

	int64_t n = db_run(s->db, "UPDATE fault SET state = 'regressed', regressed_at = ?2, regressions = regressions + 1 WHERE seq = ?1 AND state = 'resolved'",
			   DB_ARGS(db_int(k->seq), db_int(x->r->started)), e);
	if (n <= 0)
		return (int)n; /* another run has just said it */
	k->regressed = true;
	int r = find_good(s, x, k, e);
	if (r < 0)
		return r;
	json_open(&j, '{');
	json_key(&j, "good");
	json_strz(&j, k->good);
	json_key(&j, "bad");
	json_strz(&j, x->r->ci.commit);
	json_key(&j, "run");
	json_strz(&j, x->r->id);
	json_key(&j, "url");
	json_strz(&j, x->r->ci.url);
	json_close(&j, '}');
	if (data.bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	return fault_event_add(s, k->seq, CHANGE_REGRESSED, x->r->started, NULL, NULL, buf_view(&data), e);
}

static int wake(struct store *s, struct recording *x, struct seen *k, struct err *e)
{
	int64_t n = db_run(s->db, "UPDATE fault SET state = 'open', ignored_until = NULL WHERE seq = ?1 AND state = 'ignored'", DB_ARGS(db_int(k->seq)), e);

	if (n <= 0)
		return (int)n;
	k->state = FAULT_OPEN;
	return fault_event_add(s, k->seq, CHANGE_REOPENED, x->r->started, NULL, TR("it was ignored until a day that has passed", "忽略期限已过"), (struct span){ 0 }, e);
}

int regress_all(struct store *s, struct recording *x, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < x->n; i++) {
		struct seen *k = &x->seen[i];
		if (k->twice)
			continue;
		/* A run that began before it was resolved, and code without the fix, say nothing about the fix. */
		if (k->state == FAULT_RESOLVED && !k->lacks_fix && x->r->started > k->resolved_at)
			r = regress(s, x, k, e);
		else if (k->state == FAULT_IGNORED && k->ignored_until && k->ignored_until <= x->r->started)
			r = wake(s, x, k, e);
	}
	return r;
}

/* ---- the words for the verdict ---- */

static const char *date_of(int64_t at, char out[32])
{
	time_rfc3339(at, out);
	out[10] = '\0';
	return out;
}

static void short_commit(struct buf *b, const char *commit)
{
	buf_addf(b, "%.12s", commit);
}

static bool is_new(const struct recording *x, const struct seen *k)
{
	const struct report *r = x->r;

	if (x->there)
		return false;
	if (!r->base_branch || !r->ci.branch || strcmp(r->base_branch, r->ci.branch) == 0)
		return k->is_first;
	return !k->on_base;
}

static const char *state_word(const struct recording *x, const struct seen *k)
{
	if (k->regressed || k->state == FAULT_REGRESSED)
		return "regressed";
	if (k->state == FAULT_IGNORED || k->state == FAULT_RESOLVED)
		return fault_state_words[k->state];
	return is_new(x, k) ? "new" : "known";
}

static void add_resolved(struct buf *b, const struct seen *k)
{
	char day[32];

	buf_addf(b, TR("resolved on %s", "于 %s 解决"), date_of(k->resolved_at, day));
	if (k->by)
		buf_addf(b, TR(" by %s", "（%s）"), k->by);
	if (k->fix)
		buf_addf(b, TR(": %.120s", "：%.120s"), k->fix);
}

static void say(const struct recording *x, const struct seen *k, int64_t count, struct buf *b)
{
	const struct report *r = x->r;
	char day[32];

	if (k->regressed || k->state == FAULT_REGRESSED) {
		buf_adds(b, TR("it came back: ", "故障复发："));
		if (k->resolved_at)
			add_resolved(b, k);
		if (k->good && r->ci.commit) {
			buf_adds(b, TR("; it is in ", "；引入范围 "));
			short_commit(b, k->good);
			buf_adds(b, "..");
			short_commit(b, r->ci.commit);
		}
	} else if (k->state == FAULT_RESOLVED && k->lacks_fix) {
		add_resolved(b, k);
		buf_adds(b, TR("; what was run does not have that fix (", "；运行的代码不含该修复（"));
		short_commit(b, k->fix_commit);
		buf_adds(b, TR(")", "）"));
	} else if (k->state == FAULT_IGNORED) {
		buf_addf(b, k->ignored_until ? TR("ignored until %s", "忽略至 %s") : TR("ignored", "已忽略"), date_of(k->ignored_until, day));
	} else if (is_new(x, k) && r->base_branch && r->ci.branch && strcmp(r->base_branch, r->ci.branch) != 0) {
		buf_addf(b, TR("new: never seen on %s", "新故障：在 %s 上从未出现"), r->base_branch);
		if (count > 1)
			buf_addf(b, TR(" (seen %lld times elsewhere)", "（在别处出现过 %lld 次）"), (long long)count);
	} else if (is_new(x, k)) {
		buf_adds(b, TR("new: never seen before", "新故障：从未出现过"));
	} else {
		buf_addf(b, TR("seen %lld times since %s", "出现 %lld 次，自 %s 以来"), (long long)count, date_of(k->first_seen, day));
		if (k->resolved_at) {
			buf_adds(b, TR(", last ", "，上次"));
			add_resolved(b, k);
		}
	}
	buf_addf(b, TR("; see T-%lld", "；见 T-%lld"), (long long)k->seq);
}

/* Of a new one the caller has just found them. */
static void fill_owners(const struct recording *x, const struct seen *k, struct finding *f)
{
	struct span rest = span_of(k->owner);

	if (f->owners.n)
		return;
	while (rest.n) {
		size_t at = span_find(rest, S(", "));
		const char *one = arena_str(&x->r->mem, span_head(rest, at));
		if (!one || !list_add(&x->r->mem, &f->owners, one))
			return;
		rest = at == SPAN_NONE ? (struct span){ 0 } : span_from(rest, at + 2);
	}
}

int sight_fill(const struct recording *x, struct finding *f, struct err *e)
{
	const struct seen *k = NULL;
	CLEANUP(buf_free) struct buf said = { 0 };

	for (size_t i = 0; i < x->n && !k; i++) {
		if (strcmp(x->seen[i].fingerprint, f->fingerprint) == 0)
			k = &x->seen[i];
	}
	if (!k || !k->seq)
		return 0;
	fill_owners(x, k, f);
	f->fault.state = state_word(x, k);
	f->fault.count = k->count + (x->there || k->twice ? 0 : 1);
	say(x, k, f->fault.count, &said);
	f->fault.id = arena_printf(&x->r->mem, "T-%lld", (long long)k->seq);
	f->fault.said = arena_str(&x->r->mem, buf_view(&said));
	return f->fault.id && f->fault.said ? 0 : err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}
