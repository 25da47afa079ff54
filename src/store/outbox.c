#include <errno.h>

#include "base/mem.h"
#include "base/time.h"
#include "store/state.h"

/*
 * Alerts owed. An alert is pending until a sender leases it, and belongs to that sender until it has said what came of it
 * or its lease ran out: a sender that is killed loses nothing. attempts counts leases, so that an alert that kills its
 * sender each time is seen to do so. A clock that was wrong for a while must not put an alert off for years: what was
 * last touched in the future is due.
 */
#define CLOCK_SLACK (3600 * NSEC_PER_SEC)

const char *const alert_state_words[] = { "pending", "leased", "delivered", "ambiguous", "misconfigured", "dead", NULL };

#define ALERT_COLUMNS "id, run, channel, state, attempts, next_attempt, lease_until, lease_by, created, updated, body, error"

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

static enum alert_state state_of(struct span word)
{
	for (int i = 0; i < ALERT_STATES; i++) {
		if (span_eq(word, span_of(alert_state_words[i])))
			return (enum alert_state)i;
	}
	return ALERT_PENDING; /* of nobody's making: better owed than lost */
}

static void alert_from(const struct db_value *row, struct alert_row *ret)
{
	*ret = (struct alert_row){
		.id = db_span(row[0]), .run = db_span(row[1]), .channel = db_span(row[2]), .state = state_of(db_span(row[3])),
		.attempts = db_number(row[4], 0), .next_attempt = db_number(row[5], 0), .lease_until = db_number(row[6], 0),
		.lease_by = db_span(row[7]), .created = db_number(row[8], 0), .updated = db_number(row[9], 0),
		.body = db_span(row[10]), .error = db_span(row[11]),
	};
}

int outbox_add(struct store *s, const char *id, const char *run, const char *channel, struct span body, int64_t now, struct err *e)
{
	int64_t n = db_run(s->db, "INSERT INTO alert(id, run, channel, state, attempts, next_attempt, lease_until, created, updated, body)"
			   " VALUES (?1, ?2, ?3, 'pending', 0, ?4, 0, ?4, ?4, ?5) ON CONFLICT (id) DO NOTHING",
			   DB_ARGS(db_textz(id), db_textz(run), db_textz(channel), db_int(now), db_blob(body.p ? body : S(""))), e);

	return n < 0 ? (int)n : n == 0;
}

/* ---- leasing ---- */

struct leasing {
	const char *by;
	int64_t now, lease, max;
	struct arena mem;
	struct alert_row *rows;
	size_t n, cap;
	struct err *e;
};

static bool keep(struct arena *mem, struct span *s)
{
	if (!s->p)
		return true;
	*s = arena_span(mem, *s);
	return s->p;
}

static int take_leased(void *ctx, const struct db_value *row, size_t n)
{
	struct leasing *x = ctx;
	struct alert_row a;

	alert_from(row, &a);
	if (!mem_grow(&x->rows, &x->cap, x->n, sizeof(*x->rows)) || !keep(&x->mem, &a.id) || !keep(&x->mem, &a.run) || !keep(&x->mem, &a.channel) ||
	    !keep(&x->mem, &a.lease_by) || !keep(&x->mem, &a.body) || !keep(&x->mem, &a.error))
		return no_memory(x->e);
	x->rows[x->n++] = a;
	return 0;
}

#define LEASE_SET "UPDATE alert SET state = 'leased', lease_by = ?1, lease_until = ?2, attempts = attempts + 1, updated = ?3 WHERE id IN ("
#define LEASE_HEAD LEASE_SET "SELECT id FROM alert WHERE (state = 'pending' AND (next_attempt <= ?3 OR updated > ?4))" \
	" OR (state = 'leased' AND (lease_until <= ?3 OR updated > ?4)) OR (state = 'ambiguous' AND next_attempt > 0 AND next_attempt <= ?3)" \
	" ORDER BY next_attempt, id LIMIT ?5"
/* The same by way of the index, however many wait: what was touched in the future is due still later. */
#define LEASE_INDEXED LEASE_SET "SELECT id FROM (SELECT * FROM (SELECT id, next_attempt FROM alert WHERE state = 'pending' AND next_attempt <= ?3" \
	" ORDER BY next_attempt, id LIMIT ?5) UNION ALL SELECT id, next_attempt FROM alert WHERE state = 'pending' AND next_attempt > ?4 AND updated > ?4" \
	" UNION ALL SELECT id, next_attempt FROM alert WHERE state = 'ambiguous' AND next_attempt > 0 AND next_attempt <= ?3" \
	" UNION ALL SELECT id, next_attempt FROM alert WHERE state = 'leased' AND (lease_until <= ?3 OR updated > ?4)) ORDER BY next_attempt, id LIMIT ?5"
#define LEASE_TAIL ") RETURNING " ALERT_COLUMNS

/* What this sender has, it still has, however long the machine slept and whatever its clock did: its own lease is renewed. */
static int lease_renew(struct store *s, const struct leasing *x, struct err *e)
{
	int64_t n = db_run(s->db, "UPDATE alert SET lease_until = ?2, updated = ?3 WHERE state = 'leased' AND lease_by = ?1 AND (lease_until <= ?3 OR updated > ?4)",
			   DB_ARGS(db_textz(x->by), db_int(x->now + x->lease), db_int(x->now), db_int(x->now + CLOCK_SLACK)), e);

	return n < 0 ? (int)n : 0;
}

static int lease_all(struct store *s, void *ctx, struct err *e)
{
	struct leasing *x = ctx;

	int r = lease_renew(s, x, e);
	if (r < 0)
		return r;
	arena_free(&x->mem);
	x->n = 0;
	x->e = e;
	int64_t n = db_query(s->db, DB_SQL(s->db, LEASE_INDEXED LEASE_TAIL, LEASE_HEAD " FOR UPDATE SKIP LOCKED" LEASE_TAIL),
			     DB_ARGS(db_textz(x->by), db_int(x->now + x->lease), db_int(x->now), db_int(x->now + CLOCK_SLACK), db_int(x->max)), take_leased, x, e);
	return n < 0 ? (int)n : 0;
}

static bool any_due(struct store *s, int64_t now, struct err *e, int *r)
{
	int64_t n = 0;

	*r = db_get(s->db, "SELECT CASE WHEN EXISTS (SELECT 1 FROM alert WHERE state = 'pending' AND next_attempt <= ?1)"
		    " OR EXISTS (SELECT 1 FROM alert WHERE state = 'leased' AND (lease_until <= ?1 OR updated > ?2))"
		    " OR EXISTS (SELECT 1 FROM alert WHERE state = 'ambiguous' AND next_attempt > 0 AND next_attempt <= ?1)"
		    " OR EXISTS (SELECT 1 FROM alert WHERE state = 'pending' AND next_attempt > ?2 AND updated > ?2) THEN 1 ELSE 0 END",
		    DB_ARGS(db_int(now), db_int(now + CLOCK_SLACK)), 0, &n, e);
	return n > 0;
}

/* The rows are handed over after the commit: before it nothing is leased. */
int outbox_lease(struct store *s, const char *by, int64_t now, int64_t lease, int max, alert_fn *fn, void *ctx, struct err *e)
{
	struct leasing x = { .by = by, .now = now, .lease = lease, .max = max };
	int r;

	if (!any_due(s, now, e, &r)) /* asked often: that must not lock out writers */
		return r;
	r = store_transact(s, lease_all, &x, e);
	int said = 0;
	for (size_t i = 0; r == 0 && said == 0 && fn && i < x.n; i++)
		said = fn(ctx, &x.rows[i]);
	mem_free(x.rows);
	arena_free(&x.mem);
	if (r < 0)
		return r;
	return said < 0 ? said : (int)x.n;
}

/* ---- what came of it ---- */

static int not_ours(struct store *s, const char *id, const char *by, struct err *e)
{
	int64_t n = 0;
	int r = db_get(s->db, "SELECT count(*) FROM alert WHERE id = ?1", DB_ARGS(db_textz(id)), 0, &n, e);

	if (r < 0)
		return r;
	if (!n)
		return err_set(e, ENOENT, TR("there is no alert %s", "没有告警 %s"), id);
	return err_set(e, ESTALE, by ? TR("alert %s is another sender's by now", "告警 %s 已由其他发送者接手") : TR("alert %s is being sent at this moment", "告警 %s 正在发送中"), id);
}

/* by NULL: the user, who may change whatever is not just being sent. */
int outbox_settle(struct store *s, const char *id, const char *by, enum alert_state state, const char *error, int64_t next, int64_t now, struct err *e)
{
	int64_t n = db_run(s->db, by ? "UPDATE alert SET state = ?2, error = ?3, next_attempt = ?4, lease_until = 0, lease_by = NULL, updated = ?5"
				  " WHERE id = ?1 AND state = 'leased' AND lease_by = ?6"
				: "UPDATE alert SET state = ?2, error = ?3, next_attempt = ?4, lease_until = 0, lease_by = NULL, updated = ?5"
				  " WHERE id = ?1 AND (state <> 'leased' OR lease_until <= ?5)",
			   (const struct db_value[]){ db_textz(id), db_textz(alert_state_words[state]), db_textz(error), db_int(state == ALERT_PENDING || state == ALERT_AMBIGUOUS ? next : 0), db_int(now), db_textz(by) },
			   by ? 6 : 5, e);

	if (n != 0)
		return n < 0 ? (int)n : 0;
	return not_ours(s, id, by, e);
}

/* ---- looking ---- */

struct listing {
	alert_fn *fn;
	void *ctx;
	size_t n;
};

static int list_row(void *ctx, const struct db_value *row, size_t n)
{
	struct listing *l = ctx;
	struct alert_row a;

	alert_from(row, &a);
	l->n++;
	return l->fn(l->ctx, &a);
}

int outbox_list(struct store *s, const char *state, alert_fn *fn, void *ctx, struct err *e)
{
	struct listing l = { .fn = fn, .ctx = ctx };
	int64_t n = state ? db_query(s->db, "SELECT " ALERT_COLUMNS " FROM alert WHERE state = ?1 ORDER BY created, id", DB_ARGS(db_textz(state)), list_row, &l, e)
			  : db_query(s->db, "SELECT " ALERT_COLUMNS " FROM alert ORDER BY created, id", NULL, 0, list_row, &l, e);

	return n < 0 ? (int)n : 0;
}

static int count_row(void *ctx, const struct db_value *row, size_t n)
{
	int64_t *counts = ctx;

	counts[state_of(db_span(row[0]))] += db_number(row[1], 0);
	return 0;
}

int outbox_counts(struct store *s, int64_t ret[ALERT_STATES], struct err *e)
{
	memset(ret, 0, ALERT_STATES * sizeof(*ret));
	int64_t n = db_query(s->db, "SELECT state, count(*) FROM alert GROUP BY state", NULL, 0, count_row, ret, e);

	return n < 0 ? (int)n : 0;
}

/* ---- many at once ---- */

struct owing {
	const struct alert_owed *v;
	size_t n;
	const struct outbox_note *notes;
	size_t n_notes;
	int64_t now;
};

#define NOTE_PREFIX "alert:" /* of their keys in meta */

static int note_set(struct store *s, const struct outbox_note *n, struct err *e)
{
	CLEANUP(buf_free) struct buf key = { 0 };

	buf_addf(&key, NOTE_PREFIX "%s", n->key);
	if (key.bad)
		return no_memory(e);
	int64_t r = n->value ? db_run(s->db, "INSERT INTO meta(key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
				      DB_ARGS(db_text(buf_view(&key)), db_textz(n->value)), e)
			     : db_run(s->db, "DELETE FROM meta WHERE key = ?1", DB_ARGS(db_text(buf_view(&key))), e);
	return r < 0 ? (int)r : 0;
}

static int owe_all(struct store *s, void *ctx, struct err *e)
{
	const struct owing *o = ctx;
	int fresh = 0, r = 0;

	for (size_t i = 0; i < o->n; i++) {
		const struct alert_owed *a = &o->v[i];
		int64_t due = a->not_before > o->now ? a->not_before : o->now;
		int64_t n = db_run(s->db, "INSERT INTO alert(id, run, channel, state, attempts, next_attempt, lease_until, created, updated, body)"
				   " VALUES (?1, ?2, ?3, 'pending', 0, ?4, 0, ?5, ?5, ?6) ON CONFLICT (id) DO NOTHING",
				   DB_ARGS(db_textz(a->id), db_textz(a->run), db_textz(a->channel), db_int(due), db_int(o->now), db_blob(a->body.p ? a->body : S(""))), e);
		if (n < 0)
			return (int)n;
		fresh += n > 0;
	}
	for (size_t i = 0; i < o->n_notes && r >= 0; i++)
		r = note_set(s, &o->notes[i], e);
	return r < 0 ? r : fresh;
}

int outbox_owe(struct store *s, const struct alert_owed *v, size_t n, const struct outbox_note *notes, size_t n_notes, int64_t now, struct err *e)
{
	return store_transact(s, owe_all, &(struct owing){ v, n, notes, n_notes, now }, e);
}

struct alone {
	outbox_work *work;
	void *ctx;
	bool done;
};

static int work_alone(struct store *s, void *ctx, struct err *e)
{
	struct alone *a = ctx;

	if (a->done)
		return err_set(e, EBUSY, TR("the outbox is busy", "发件箱正忙"));
	a->done = true;
	return a->work(s, a->ctx, e);
}

int outbox_alone(struct store *s, outbox_work *work, void *ctx, struct err *e)
{
	return store_transact(s, work_alone, &(struct alone){ work, ctx, false }, e);
}

struct settling {
	const char *const *ids;
	size_t n;
	const char *by, *error;
	enum alert_state state;
	int64_t next, now;
};

static int settle_all(struct store *s, void *ctx, struct err *e)
{
	const struct settling *x = ctx;
	int done = 0;

	for (size_t i = 0; i < x->n; i++) {
		int64_t n = db_run(s->db, "UPDATE alert SET state = ?2, error = ?3, next_attempt = ?4, lease_until = 0, lease_by = NULL, updated = ?5"
				   " WHERE id = ?1 AND state = 'leased' AND lease_by = ?6",
				   DB_ARGS(db_textz(x->ids[i]), db_textz(alert_state_words[x->state]), db_textz(x->error),
					   db_int(x->state == ALERT_PENDING || x->state == ALERT_AMBIGUOUS ? x->next : 0), db_int(x->now), db_textz(x->by)), e);
		if (n < 0)
			return (int)n;
		done += n > 0;
	}
	return done;
}

int outbox_settle_all(struct store *s, const char *const *ids, size_t n, const char *by, enum alert_state state, const char *error, int64_t next, int64_t now, struct err *e)
{
	return n ? store_transact(s, settle_all, &(struct settling){ ids, n, by, error, state, next, now }, e) : 0;
}

struct holding {
	const struct alert_held *v;
	size_t n;
	const char *by;
	int64_t now;
};

static int hold_all(struct store *s, void *ctx, struct err *e)
{
	const struct holding *x = ctx;
	int64_t n = 0;

	for (size_t i = 0; i < x->n && n >= 0; i++)
		n = db_run(s->db, "UPDATE alert SET state = 'pending', attempts = attempts - 1, error = ?2, next_attempt = ?3, lease_until = 0, lease_by = NULL, updated = ?4"
			   " WHERE id = ?1 AND state = 'leased' AND lease_by = ?5",
			   DB_ARGS(db_textz(x->v[i].id), db_textz(x->v[i].why), db_int(x->v[i].next), db_int(x->now), db_textz(x->by)), e);
	return n < 0 ? (int)n : 0;
}

int outbox_hold(struct store *s, const struct alert_held *v, size_t n, const char *by, int64_t now, struct err *e)
{
	return n ? store_transact(s, hold_all, &(struct holding){ v, n, by, now }, e) : 0;
}

int outbox_release(struct store *s, int64_t now, struct err *e)
{
	int64_t n = 0;
	int r = db_get(s->db, "SELECT count(*) FROM alert WHERE state = 'leased'", NULL, 0, 0, &n, e);

	if (r < 0 || !n)
		return r;
	n = db_run(s->db, "UPDATE alert SET state = 'pending', next_attempt = ?1, lease_until = 0, lease_by = NULL WHERE state = 'leased'", DB_ARGS(db_int(now)), e);
	return n < 0 ? (int)n : 0;
}

int outbox_again(struct store *s, const char *id, int64_t now, struct err *e)
{
	int64_t n = db_run(s->db, "UPDATE alert SET state = 'pending', attempts = 0, next_attempt = ?2, lease_until = 0, lease_by = NULL, updated = ?2"
			   " WHERE id = ?1 AND (state <> 'leased' OR lease_until <= ?2)", DB_ARGS(db_textz(id), db_int(now)), e);

	return n < 0 ? (int)n : n ? 0 : not_ours(s, id, NULL, e);
}

static int hasten_all(struct store *s, void *ctx, struct err *e)
{
	const struct settling *x = ctx;
	int64_t n = 0;

	for (size_t i = 0; i < x->n && n >= 0; i++)
		n = db_run(s->db, "UPDATE alert SET next_attempt = ?2, attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END"
			   " WHERE id = ?1 AND state = 'pending' AND next_attempt > ?2", DB_ARGS(db_textz(x->ids[i]), db_int(x->now)), e);
	return n < 0 ? (int)n : 0;
}

int outbox_hasten(struct store *s, const char *const *ids, size_t n, int64_t now, struct err *e)
{
	return n ? store_transact(s, hasten_all, &(struct settling){ .ids = ids, .n = n, .now = now }, e) : 0;
}

int outbox_next(struct store *s, int64_t *ret, struct err *e)
{
	return db_get(s->db, "SELECT min(t) FROM (SELECT min(next_attempt) AS t FROM alert WHERE state = 'pending' UNION ALL SELECT min(lease_until) FROM alert WHERE state = 'leased'"
		      " UNION ALL SELECT min(next_attempt) FROM alert WHERE state = 'ambiguous' AND next_attempt > 0) a",
		      NULL, 0, INT64_MAX, ret, e);
}

/* ---- one of them, and what is remembered ---- */

static bool is_id(const char *ref)
{
	return *ref && strlen(ref) <= 26 && strspn(ref, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == strlen(ref);
}

int outbox_get(struct store *s, const char *ref, alert_fn *fn, void *ctx, struct err *e)
{
	CLEANUP(buf_free) struct buf like = { 0 };
	struct listing l = { .fn = fn, .ctx = ctx };
	int64_t n = 0;

	if (!is_id(ref) || strlen(ref) < 6)
		return err_set(e, EINVAL, TR("'%.30s' is not the id of an alert, nor 6 or more of its first characters: see `tocsin alert queue`", "“%.30s”不是告警的编号，也不是其开头的至少 6 个字符：见 `tocsin alert queue`"), ref);
	buf_addf(&like, "%s%%", ref);
	if (like.bad)
		return no_memory(e);
	if (strlen(ref) == 26) { /* by way of the index */
		n = db_query(s->db, "SELECT " ALERT_COLUMNS " FROM alert WHERE id = ?1", DB_ARGS(db_textz(ref)), list_row, &l, e);
		return n < 0 ? (int)n : l.n ? 0 : err_set(e, ENOENT, TR("there is no alert %s", "没有告警 %s"), ref);
	}
	int r = db_get(s->db, "SELECT count(*) FROM alert WHERE id LIKE ?1", DB_ARGS(db_text(buf_view(&like))), 0, &n, e);
	if (r < 0)
		return r;
	if (n == 0)
		return err_set(e, ENOENT, TR("there is no alert %s", "没有告警 %s"), ref);
	if (n > 1)
		return err_set(e, EEXIST, TR("%lld alerts begin with %s: write more of the id", "有 %lld 个告警以 %s 开头：请写出更多字符"), (long long)n, ref);
	n = db_query(s->db, "SELECT " ALERT_COLUMNS " FROM alert WHERE id LIKE ?1", DB_ARGS(db_text(buf_view(&like))), list_row, &l, e);
	return n < 0 ? (int)n : 0;
}

struct noting {
	note_fn *fn;
	void *ctx;
	struct buf *to;
	bool found;
};

static int note_value(void *ctx, const struct db_value *row, size_t n)
{
	struct noting *x = ctx;

	x->found = true;
	buf_span(x->to, db_span(row[0]));
	return 0;
}

int outbox_note_get(struct store *s, const char *key, struct buf *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	struct noting x = { .to = ret };

	buf_addf(&name, NOTE_PREFIX "%s", key);
	if (name.bad)
		return no_memory(e);
	int64_t n = db_query(s->db, "SELECT value FROM meta WHERE key = ?1", DB_ARGS(db_text(buf_view(&name))), note_value, &x, e);
	return n < 0 ? (int)n : ret->bad ? no_memory(e) : !x.found;
}

static int note_row(void *ctx, const struct db_value *row, size_t n)
{
	const struct noting *x = ctx;

	return x->fn(x->ctx, span_from(db_span(row[0]), sizeof(NOTE_PREFIX) - 1), db_span(row[1]));
}

int outbox_notes(struct store *s, const char *prefix, note_fn *fn, void *ctx, struct err *e)
{
	CLEANUP(buf_free) struct buf like = { 0 };
	struct noting x = { .fn = fn, .ctx = ctx };

	buf_addf(&like, NOTE_PREFIX "%s%%", prefix);
	if (like.bad)
		return no_memory(e);
	int64_t n = db_query(s->db, "SELECT key, value FROM meta WHERE key LIKE ?1 ORDER BY key", DB_ARGS(db_text(buf_view(&like))), note_row, &x, e);
	return n < 0 ? (int)n : 0;
}
