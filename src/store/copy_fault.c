#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/copying.h"

/*
 * A fault of the source is the target's when id or fingerprint are the same. Counts: what a run adds comes with the run;
 * faults of one origin (the same id) then count at least what the source counts, of others the runs that are no longer
 * kept are added once, which an event of the source fault's id marks. Of two decisions the later one holds.
 */
#define PAGE_FAULTS 256

#define FAULT_FIELDS "id, fingerprint, cause, severity, title, project, package, test, file, line, state, first_seen, last_seen, first_run, last_run," \
	" first_commit, last_commit, first_url, last_url, owner, resolved_at, resolved_by, fix, fix_commit, regressed_at, regressions, ignored_until, body, last_body"
#define FIELDS 29
enum { F_ID, F_FINGERPRINT, F_STATE = 10, F_FIRST_SEEN, F_LAST_SEEN, F_FIRST_RUN, F_LAST_RUN, F_FIRST_COMMIT, F_LAST_COMMIT, F_FIRST_URL, F_LAST_URL,
	F_RESOLVED_AT = 20, F_RESOLVED_BY, F_FIX, F_FIX_COMMIT, F_REGRESSED_AT, F_REGRESSIONS, F_IGNORED_UNTIL, F_BODY, F_LAST_BODY };

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

static int by_from(const void *key, const void *at)
{
	int64_t a = *(const int64_t *)key, b = ((const struct mapped *)at)->from;

	return (a > b) - (a < b);
}

const struct mapped *copy_find(const struct copying *c, int64_t fault)
{
	return c->n ? bsearch(&fault, c->map, c->n, sizeof(*c->map), by_from) : NULL;
}

/* ---- bodies ---- */

struct wanted {
	struct buf *to;
	struct err *e;
};

static int take_body(void *ctx, const struct db_value *row, size_t n)
{
	struct wanted *w = ctx;

	buf_clear(w->to);
	return unpack_text(db_span(row[0]), (struct span){ 0 }, w->to, w->e);
}

static int first_body(struct store *s, int64_t fault, struct buf *ret, struct err *e)
{
	struct wanted w = { ret, e };
	int64_t n = db_query(s->db, "SELECT body FROM fault WHERE seq = ?1", DB_ARGS(db_int(fault)), take_body, &w, e);

	return n < 0 ? (int)n : 0;
}

int copy_body(struct copying *c, const struct mapped *m, struct span body, struct arena *mem, struct db_value *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 }, packed = { 0 };
	int r = 0;

	if (!m->unlike)
		return value_keep(mem, false, db_blob(body), ret, e);
	if (c->body_of != m->from) {
		c->body_of = -1;
		r = first_body(c->from, m->from, &c->body_from, e);
		if (r == 0)
			r = first_body(c->to, m->sights, &c->body_to, e);
		if (r < 0)
			return r;
		c->body_of = m->from;
	}
	if (body.p)
		r = unpack_text(body, buf_view(&c->body_from), &text, e);
	struct span whole = body.p ? buf_view(&text) : buf_view(&c->body_from);
	*ret = db_null();
	if (r < 0 || span_eq(whole, buf_view(&c->body_to)))
		return r;
	r = pack_text(whole, buf_view(&c->body_to), &packed, e);
	return r < 0 ? r : value_keep(mem, false, db_blob(buf_view(&packed)), ret, e);
}

/* ---- which fault is which ---- */

struct source_fault {
	int64_t seq, merged_into;
	struct db_value v[FIELDS];
};

struct fault_page {
	struct copying *c;
	struct arena mem;
	struct source_fault faults[PAGE_FAULTS];
	struct mapped map[PAGE_FAULTS];
	size_t n;
	int64_t after, fresh;
	struct err *e;
};

static int take_fault(void *ctx, const struct db_value *row, size_t n)
{
	struct fault_page *p = ctx;
	struct source_fault *f = &p->faults[p->n++];
	int r = 0;

	f->seq = p->after = db_number(row[0], 0);
	f->merged_into = db_number(row[1], 0);
	for (size_t i = 0; r == 0 && i < FIELDS; i++)
		r = value_keep(&p->mem, p->c->to->db->postgres, row[i + 2], &f->v[i], p->e);
	return r;
}

struct found {
	struct fault_page *p;
	const struct source_fault *f;
	struct mapped *m;
	int64_t merged_into;
};

static bool same_first(const struct source_fault *f, struct span packed, struct err *e, int *r)
{
	CLEANUP(buf_free) struct buf a = { 0 }, b = { 0 };

	*r = 0;
	if (span_eq(f->v[F_BODY].s, packed))
		return true;
	*r = unpack_text(f->v[F_BODY].s, (struct span){ 0 }, &a, e);
	if (*r == 0)
		*r = unpack_text(packed, (struct span){ 0 }, &b, e);
	return span_eq(buf_view(&a), buf_view(&b));
}

#define TARGET_FIELDS "f.seq, f.id, f.merged_into, f.body"

static int take_target(void *ctx, const struct db_value *row, size_t n)
{
	struct found *x = ctx;
	int r;

	if (!x->m->to) {
		x->m->to = db_number(row[0], 0);
		x->m->same_id = span_eq(db_span(row[1]), x->f->v[F_ID].s);
	}
	x->m->sights = db_number(row[0], 0);
	x->merged_into = db_number(row[2], 0);
	x->m->unlike = !same_first(x->f, db_span(row[3]), x->p->e, &r);
	return r;
}

static int find_target(struct fault_page *p, const struct source_fault *f, struct mapped *m, struct err *e)
{
	static const char *const by[] = {
		"SELECT " TARGET_FIELDS " FROM fault f WHERE f.fingerprint = ?1", "SELECT " TARGET_FIELDS " FROM fault f WHERE f.id = ?1",
		"SELECT " TARGET_FIELDS " FROM fault_old o JOIN fault f ON f.seq = o.fault WHERE o.fingerprint = ?1",
	};
	static const int key[] = { F_FINGERPRINT, F_ID, F_FINGERPRINT };
	struct found x = { .p = p, .f = f, .m = m };
	int64_t n = 0;

	for (size_t i = 0; n >= 0 && !m->to && i < ARRAY_LEN(by); i++)
		n = db_query(p->c->to->db, by[i], &f->v[key[i]], 1, take_target, &x, e);
	for (int hops = 0; n >= 0 && m->to && !f->merged_into && x.merged_into && hops < 8; hops++)
		n = db_query(p->c->to->db, "SELECT " TARGET_FIELDS " FROM fault f WHERE f.seq = ?1", DB_ARGS(db_int(x.merged_into)), take_target, &x, e);
	return n < 0 ? (int)n : 0;
}

static int take_seq(void *ctx, const struct db_value *row, size_t n)
{
	*(int64_t *)ctx = db_number(row[0], 0);
	return 0;
}

/* What it was merged into may not be there yet: until then it is open. */
static int make_target(struct fault_page *p, const struct source_fault *f, struct mapped *m, bool numbered, struct err *e)
{
	static const char values[] = "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29";
	struct db_value v[FIELDS + 1];
	char sql[1024];

	memcpy(v, f->v, sizeof(f->v));
	if (f->merged_into)
		v[F_STATE] = db_text(S("open"));
	v[FIELDS] = db_int(f->seq);
	snprintf(sql, sizeof(sql), "INSERT INTO fault(" FAULT_FIELDS ", count%s) VALUES (%s, 0%s) ON CONFLICT DO NOTHING RETURNING seq", numbered ? ", seq" : "", values, numbered ? ", ?30" : "");
	int64_t n = db_query(p->c->to->db, sql, v, FIELDS + numbered, take_seq, &m->to, e);
	if (n < 0 || !m->to)
		return n < 0 ? (int)n : 0;
	m->sights = m->to;
	m->same_id = m->fresh = true;
	p->fresh++;
	return 0;
}

/* PostgreSQL takes all texts of a page at once; SQLite has an index of its own to tell. */
struct texts {
	struct fault_page *p;
	struct rowset rows;
};

static int take_text(void *ctx, const struct db_value *row, size_t n)
{
	struct texts *x = ctx;
	struct fault_page *p = x->p;
	struct db_value v[2];

	for (size_t i = 0; i < p->n; i++) {
		const struct mapped *m = &p->map[i];
		if (m->from != db_number(row[0], 0) || !m->fresh)
			continue;
		v[0] = db_int(m->to);
		int r = value_keep(&x->rows.mem, p->c->to->db->postgres, row[1], &v[1], p->e);
		if (r < 0)
			return r;
		if (p->c->to->db->postgres)
			return rowset_add(&x->rows, v, p->e);
		r = fault_text_set(p->c->to, m->to, v[1].s, p->e);
		arena_free(&x->rows.mem);
		return r;
	}
	return 0;
}

static int put_fresh(struct fault_page *p, struct err *e)
{
	struct texts x = { .p = p, .rows = { .columns = 2, .types = { DB_INT, DB_INT } } };
	struct db *to = p->c->to->db;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n; i++) {
		if (p->map[i].fresh)
			r = rowset_add(&x.rows, (const struct db_value[]){ db_int(p->map[i].to), p->faults[i].v[F_LAST_SEEN] }, e);
	}
	if (r == 0)
		r = db_insert(to, "fault_order", "fault, at", &(struct db_rows){ x.rows.types, 2, x.rows.n, x.rows.v }, e);
	rowset_clear(&x.rows);
	x.rows.types[1] = DB_TEXT;
	int64_t n = r == 0 ? db_query(p->c->from->db, "SELECT fault, body FROM fault_text WHERE fault BETWEEN ?1 AND ?2",
				      DB_ARGS(db_int(p->faults[0].seq), db_int(p->faults[p->n - 1].seq)), take_text, &x, e) : r;
	if (n >= 0)
		n = db_insert(to, "fault_text", "fault, body", &(struct db_rows){ x.rows.types, 2, x.rows.n, x.rows.v }, e);
	rowset_free(&x.rows);
	return n < 0 ? (int)n : 0;
}

static int map_page(struct store *s, void *ctx, struct err *e)
{
	struct fault_page *p = ctx;
	int r = 0;

	p->fresh = 0;
	p->e = e;
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		const struct source_fault *f = &p->faults[i];
		struct mapped *m = &p->map[i];
		*m = (struct mapped){ .from = f->seq };
		if (p->c->keep_numbers)
			r = make_target(p, f, m, true, e);
		if (r == 0 && !m->to)
			r = find_target(p, f, m, e);
		if (r == 0 && !m->to)
			r = make_target(p, f, m, false, e);
		if (r == 0 && !m->to)
			r = err_set(e, EAGAIN, TR("another writer made the same fault in %s", "其他写入者在 %s 中创建了同一故障"), s->db->name);
	}
	return r < 0 || !p->fresh ? r : put_fresh(p, e);
}

/* ---- T-n ---- */

static void source_mark(const struct copying *c, char out[24])
{
	snprintf(out, 24, "%016llx", (unsigned long long)hash64(span_of(c->from->db->name), S("copy")));
}

struct numbers {
	struct copying *c;
	int64_t last;
};

/* They are kept in a store without faults, and when a copy that began so goes on. */
static int decide_numbers(struct store *s, void *ctx, struct err *e)
{
	struct numbers *x = ctx;
	int64_t there = 0, ours = 0;
	char mark[24];

	source_mark(x->c, mark);
	int r = db_get(s->db, "SELECT count(*) FROM (SELECT 1 FROM fault LIMIT 1) a", NULL, 0, 0, &there, e);
	if (r == 0)
		r = db_get(s->db, "SELECT count(*) FROM meta WHERE key = 'copy' AND value = ?1", DB_ARGS(db_textz(mark)), 0, &ours, e);
	if (r < 0)
		return r;
	x->c->keep_numbers = !there || ours;
	if (!x->c->keep_numbers)
		return 0;
	int64_t n = db_run(s->db, "INSERT INTO meta(key, value) VALUES ('copy', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value", DB_ARGS(db_textz(mark)), e);
	if (n >= 0 && s->db->postgres && x->last) /* new faults get numbers behind ours */
		n = db_get(s->db, "SELECT setval(pg_get_serial_sequence('fault', 'seq'), greatest(?1, (SELECT coalesce(max(seq), 1) FROM fault)))", DB_ARGS(db_int(x->last)), 0, &there, e);
	return n < 0 ? (int)n : 0;
}

int copy_faults(struct copying *c, struct err *e)
{
	CLEANUP(mem_free) struct fault_page *p = mem_zalloc(sizeof(*p));
	struct numbers x = { .c = c };

	if (!p)
		return no_memory(e);
	int r = db_get(c->from->db, "SELECT max(seq) FROM fault", NULL, 0, 0, &x.last, e);
	if (r == 0)
		r = store_transact(c->to, decide_numbers, &x, e);
	if (r < 0)
		return r;
	p->c = c;
	p->after = INT64_MIN;
	for (;;) {
		p->n = 0;
		p->e = e;
		arena_free(&p->mem);
		int64_t n = db_query(c->from->db, "SELECT seq, merged_into, " FAULT_FIELDS " FROM fault WHERE seq > ?1 ORDER BY seq LIMIT ?2", DB_ARGS(db_int(p->after), db_int(PAGE_FAULTS)), take_fault, p, e);
		r = n < 0 ? (int)n : 0;
		if (r < 0 || !p->n)
			break;
		r = store_transact(c->to, map_page, p, e);
		for (size_t i = 0; r == 0 && i < p->n; i++) {
			if (!mem_grow(&c->map, &c->cap, c->n, sizeof(*c->map)))
				r = no_memory(e);
			else
				c->map[c->n++] = p->map[i];
		}
		if (r < 0)
			break;
		c->count->faults += p->fresh;
	}
	arena_free(&p->mem);
	return r;
}

/* ---- facts ---- */

struct facts {
	struct copying *c;
	size_t from, n; /* of the map */
	struct arena mem;
	struct rowset rows;
	int64_t events;
	const struct fact *fact;
	struct err *e;
};

struct fact {
	const char *select; /* of the faults ?1 … ?2; the first column is the fault */
	size_t n;
	enum db_type types[8];
	bool of_one_origin; /* counts, that are the same where the id is */
	const char *sqlite, *postgres;
};

/* clang-format off */
static const struct fact facts[] = {
	{ "SELECT fault, id, at, kind, who, text, data FROM fault_event WHERE fault BETWEEN ?1 AND ?2", 7, { DB_INT, DB_TEXT, DB_INT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT }, false,
	  "INSERT INTO fault_event(fault, id, at, kind, who, text, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
	  "INSERT INTO fault_event(fault, id, at, kind, who, text, data) SELECT * FROM unnest(?1::bigint[], ?2::text[], ?3::bigint[], ?4::text[], ?5::text[], ?6::text[], ?7::text[]) ON CONFLICT DO NOTHING" },
	{ "SELECT fault, tag FROM fault_tag WHERE fault BETWEEN ?1 AND ?2", 2, { DB_INT, DB_TEXT }, false,
	  "INSERT INTO fault_tag(fault, tag) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
	  "INSERT INTO fault_tag(fault, tag) SELECT * FROM unnest(?1::bigint[], ?2::text[]) ON CONFLICT DO NOTHING" },
	{ "SELECT fault, kind, name, at, who FROM defence WHERE fault BETWEEN ?1 AND ?2", 5, { DB_INT, DB_TEXT, DB_TEXT, DB_INT, DB_TEXT }, false,
	  "INSERT INTO defence(fault, kind, name, at, who) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
	  "INSERT INTO defence(fault, kind, name, at, who) SELECT * FROM unnest(?1::bigint[], ?2::text[], ?3::text[], ?4::bigint[], ?5::text[]) ON CONFLICT DO NOTHING" },
	{ "SELECT fault, fingerprint FROM fault_old WHERE fault BETWEEN ?1 AND ?2", 2, { DB_INT, DB_TEXT }, false,
	  "INSERT INTO fault_old(fault, fingerprint) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
	  "INSERT INTO fault_old(fault, fingerprint) SELECT * FROM unnest(?1::bigint[], ?2::text[]) ON CONFLICT DO NOTHING" },
	{ "SELECT seq, count FROM fault WHERE seq BETWEEN ?1 AND ?2", 2, { DB_INT, DB_INT }, true,
	  "UPDATE fault SET count = ?2 WHERE seq = ?1 AND count < ?2",
	  "UPDATE fault SET count = u.n FROM unnest(?1::bigint[], ?2::bigint[]) u(f, n) WHERE seq = u.f AND count < u.n" },
	{ "SELECT fault, day, count FROM fault_day WHERE fault BETWEEN ?1 AND ?2", 3, { DB_INT, DB_INT, DB_INT }, true,
	  "INSERT INTO fault_day(fault, day, count) VALUES (?1, ?2, ?3) ON CONFLICT (fault, day) DO UPDATE SET count = max(count, excluded.count)",
	  "INSERT INTO fault_day(fault, day, count) SELECT * FROM unnest(?1::bigint[], ?2::bigint[], ?3::bigint[])"
	  " ON CONFLICT (fault, day) DO UPDATE SET count = greatest(fault_day.count, excluded.count)" },
	{ "SELECT fault, branch, count, first_seen, last_seen FROM fault_branch WHERE fault BETWEEN ?1 AND ?2", 5, { DB_INT, DB_TEXT, DB_INT, DB_INT, DB_INT }, true,
	  "INSERT INTO fault_branch(fault, branch, count, first_seen, last_seen) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (fault, branch) DO UPDATE SET"
	  " count = max(count, excluded.count), first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)",
	  "INSERT INTO fault_branch(fault, branch, count, first_seen, last_seen) SELECT * FROM unnest(?1::bigint[], ?2::text[], ?3::bigint[], ?4::bigint[], ?5::bigint[])"
	  " ON CONFLICT (fault, branch) DO UPDATE SET count = greatest(fault_branch.count, excluded.count), first_seen = least(fault_branch.first_seen, excluded.first_seen),"
	  " last_seen = greatest(fault_branch.last_seen, excluded.last_seen)" },
};
/* clang-format on */

/* {"into":42} names a fault by its number. */
static int renumber(struct facts *x, struct db_value *data)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span at;
	int64_t into;

	if (data->type != DB_TEXT || !json_find(data->s, "into", &at) || !span_int(at, &into))
		return 0;
	const struct mapped *m = copy_find(x->c, into);
	if (!m)
		return 0;
	buf_add(&b, data->s.p, (size_t)(at.p - data->s.p));
	buf_addf(&b, "%lld", (long long)m->to);
	buf_span(&b, span_from(data->s, (size_t)(at.p - data->s.p) + at.n));
	return b.bad ? no_memory(x->e) : value_keep(&x->rows.mem, false, db_text(buf_view(&b)), data, x->e);
}

static int take_fact(void *ctx, const struct db_value *row, size_t n)
{
	struct facts *x = ctx;
	const struct mapped *m = copy_find(x->c, db_number(row[0], 0));
	struct db_value v[8] = { db_int(m ? m->to : 0) };
	int r = 0;

	if (!m || (x->fact->of_one_origin && !m->same_id))
		return 0;
	for (size_t i = 1; r == 0 && i < x->fact->n; i++)
		r = value_keep(&x->rows.mem, x->c->to->db->postgres, row[i], &v[i], x->e);
	if (r == 0 && x->fact == &facts[0]) {
		x->events++;
		r = renumber(x, &v[6]);
	}
	return r == 0 ? rowset_add(&x->rows, v, x->e) : r;
}

static int put_fact(struct facts *x, const struct fact *f, struct err *e)
{
	x->fact = f;
	x->rows.columns = f->n;
	memcpy(x->rows.types, f->types, sizeof(f->types));
	rowset_clear(&x->rows);
	int64_t n = db_query(x->c->from->db, f->select, DB_ARGS(db_int(x->c->map[x->from].from), db_int(x->c->map[x->from + x->n - 1].from)), take_fact, x, e);
	return n < 0 ? (int)n : rowset_put(&x->rows, x->c->to, f->sqlite, f->postgres, e);
}

/* ---- what was decided, and the ends ---- */

static int put_ends(struct facts *x, const struct mapped *m, const struct db_value *v, struct err *e)
{
	struct db_value last;
	int64_t n = db_run(x->c->to->db, "UPDATE fault SET first_seen = ?2, first_run = ?3, first_commit = ?4, first_url = ?5 WHERE seq = ?1 AND first_seen > ?2",
			   DB_ARGS(db_int(m->to), v[F_FIRST_SEEN], v[F_FIRST_RUN], v[F_FIRST_COMMIT], v[F_FIRST_URL]), e);

	if (n < 0 || m->to != m->sights)
		return n < 0 ? (int)n : 0;
	int r = v[F_LAST_BODY].type == DB_NULL && !m->unlike ? (last = db_null(), 0) : copy_body(x->c, m, db_span(v[F_LAST_BODY]), &x->mem, &last, e);
	if (r < 0)
		return r;
	n = db_run(x->c->to->db, "UPDATE fault SET last_seen = ?2, last_run = ?3, last_commit = ?4, last_url = ?5, last_body = ?6 WHERE seq = ?1 AND last_seen < ?2",
		   DB_ARGS(db_int(m->to), v[F_LAST_SEEN], v[F_LAST_RUN], v[F_LAST_COMMIT], v[F_LAST_URL], last), e);
	return n < 0 ? (int)n : n ? fault_order_set(x->c->to, m->to, e) : 0;
}

#define DECIDED_BEFORE "coalesce((SELECT max(at) FROM fault_event WHERE fault = seq), -1) < ?2"

static int put_decision(struct facts *x, const struct mapped *m, const struct db_value *v, int64_t merged_into, int64_t at, struct err *e)
{
	const struct mapped *into = merged_into ? copy_find(x->c, merged_into) : NULL;
	int64_t n = 0;

	if (!m->fresh && at >= 0)
		n = db_run(x->c->to->db, "UPDATE fault SET state = ?3, resolved_at = ?4, resolved_by = ?5, fix = ?6, fix_commit = ?7, regressed_at = ?8, regressions = ?9,"
			   " ignored_until = ?10, merged_into = NULL, owner = coalesce(?11, owner) WHERE seq = ?1 AND " DECIDED_BEFORE,
			   DB_ARGS(db_int(m->to), db_int(at), into ? db_text(S("open")) : v[F_STATE], v[F_RESOLVED_AT], v[F_RESOLVED_BY], v[F_FIX], v[F_FIX_COMMIT],
				   v[F_REGRESSED_AT], v[F_REGRESSIONS], v[F_IGNORED_UNTIL], v[19]), e);
	if (n > 0 || (n == 0 && m->fresh)) {
		if (into && into->to != m->to)
			n = db_run(x->c->to->db, "UPDATE fault SET state = 'merged', merged_into = ?2 WHERE seq = ?1", DB_ARGS(db_int(m->to), db_int(into->to)), e);
	}
	return n < 0 ? (int)n : 0;
}

/* Sights whose runs are gone: what is counted beyond the runs that are there. */
static int take_beyond_day(void *ctx, const struct db_value *row, size_t n)
{
	struct facts *x = ctx;
	int64_t r = db_run(x->c->to->db, "INSERT INTO fault_day(fault, day, count) VALUES (?1, ?2, ?3) ON CONFLICT (fault, day) DO UPDATE SET count = fault_day.count + excluded.count", row, 3, x->e);

	return r < 0 ? (int)r : 0;
}

static int take_beyond_branch(void *ctx, const struct db_value *row, size_t n)
{
	struct facts *x = ctx;
	struct db_value v[5] = { row[0], db_null(), row[2], row[3], row[4] };
	struct arena mem = { 0 };
	int64_t r = value_keep(&mem, x->c->to->db->postgres, row[1], &v[1], x->e);

	if (r == 0)
		r = db_run(x->c->to->db, "INSERT INTO fault_branch(fault, branch, count, first_seen, last_seen) VALUES (?1, ?2, ?3, ?4, ?5)"
			   " ON CONFLICT (fault, branch) DO UPDATE SET count = fault_branch.count + excluded.count", v, 5, x->e);
	arena_free(&mem);
	return r < 0 ? (int)r : 0;
}

static int put_beyond(struct facts *x, const struct mapped *m, const struct db_value *v, struct err *e)
{
	int64_t beyond = 0;
	int64_t n = db_run(x->c->to->db, "INSERT INTO fault_event(id, fault, at, kind, text) VALUES (?1, ?2, ?3, 'imported', ?4) ON CONFLICT DO NOTHING",
			   DB_ARGS(v[F_ID], db_int(m->to), v[F_LAST_SEEN], db_textz(x->c->from->db->name)), e);

	if (n <= 0) /* an earlier copy did it */
		return (int)n;
	int r = db_get(x->c->from->db, "SELECT count - (SELECT count(DISTINCT run) FROM finding WHERE fault = ?1) FROM fault WHERE seq = ?1", DB_ARGS(db_int(m->from)), 0, &beyond, e);
	if (r == 0 && beyond > 0)
		n = db_run(x->c->to->db, "UPDATE fault SET count = count + ?2 WHERE seq = ?1", DB_ARGS(db_int(m->to), db_int(beyond)), e);
	if (r == 0 && n >= 0)
		n = db_query(x->c->from->db, "SELECT CAST(?2 AS BIGINT), day, n FROM (SELECT day, count - (SELECT count(DISTINCT f.run) FROM finding f JOIN run r ON r.seq = f.run"
			     " WHERE f.fault = ?1 AND r.started / 86400000000000 = d.day) AS n FROM fault_day d WHERE d.fault = ?1) a WHERE n > 0",
			     DB_ARGS(db_int(m->from), db_int(m->to)), take_beyond_day, x, e);
	if (r == 0 && n >= 0)
		n = db_query(x->c->from->db, "SELECT CAST(?2 AS BIGINT), branch, n, first_seen, last_seen FROM (SELECT branch, first_seen, last_seen, count - (SELECT count(DISTINCT f.run)"
			     " FROM finding f JOIN run r ON r.seq = f.run WHERE f.fault = ?1 AND coalesce(r.branch, '') = b.branch) AS n FROM fault_branch b WHERE b.fault = ?1) a WHERE n > 0",
			     DB_ARGS(db_int(m->from), db_int(m->to)), take_beyond_branch, x, e);
	return r < 0 ? r : n < 0 ? (int)n : 0;
}

static int take_decided(void *ctx, const struct db_value *row, size_t n)
{
	struct facts *x = ctx;
	const struct mapped *m = copy_find(x->c, db_number(row[0], 0));
	struct db_value v[FIELDS];
	int r = 0;

	if (!m || (m->fresh && row[1].type == DB_NULL))
		return 0;
	for (size_t i = 0; r == 0 && i < FIELDS; i++)
		r = value_keep(&x->mem, x->c->to->db->postgres, row[i + 3], &v[i], x->e);
	if (r == 0 && !m->fresh)
		r = put_ends(x, m, v, x->e);
	if (r == 0)
		r = put_decision(x, m, v, db_number(row[1], 0), db_number(row[2], -1), x->e);
	if (r == 0 && !m->same_id)
		r = put_beyond(x, m, v, x->e);
	return r;
}

static int take_own_text(void *ctx, const struct db_value *row, size_t n)
{
	struct buf *b = ctx;

	buf_clear(b);
	buf_span(b, db_span(row[0]));
	return 0;
}

/* What is searched of a fault that was there: as in the source, unless both have something to say of it. */
static int put_text(struct facts *x, const struct mapped *m, struct err *e)
{
	static const char events[] = "SELECT count(*) FROM fault_event WHERE fault = ?1", text[] = "SELECT body FROM fault_text WHERE fault = ?1";
	CLEANUP(buf_free) struct buf a = { 0 }, b = { 0 };
	struct db_value clean;
	int64_t there = 0, here = 0;

	int r = db_get(x->c->from->db, events, DB_ARGS(db_int(m->from)), 0, &there, e);
	if (r == 0)
		r = db_get(x->c->to->db, events, DB_ARGS(db_int(m->to)), 0, &here, e);
	if (r < 0)
		return r;
	if (!m->same_id || there != here)
		return fault_index(x->c->to, m->to, e);
	int64_t n = db_query(x->c->from->db, text, DB_ARGS(db_int(m->from)), take_own_text, &a, e);
	if (n >= 0)
		n = db_query(x->c->to->db, text, DB_ARGS(db_int(m->to)), take_own_text, &b, e);
	if (n < 0)
		return (int)n;
	if (a.bad || b.bad)
		return no_memory(e);
	r = value_keep(&x->mem, x->c->to->db->postgres, db_text(buf_view(&a)), &clean, e);
	return r < 0 || span_eq(clean.s, buf_view(&b)) ? r : fault_text_set(x->c->to, m->to, clean.s, e);
}

static int facts_page(struct store *s, void *ctx, struct err *e)
{
	struct facts *x = ctx;
	struct copying *c = x->c;

	x->e = e;
	x->events = 0;
	arena_free(&x->mem);
	int64_t n = db_query(c->from->db, "SELECT seq, merged_into, (SELECT max(at) FROM fault_event WHERE fault = seq), " FAULT_FIELDS " FROM fault WHERE seq BETWEEN ?1 AND ?2",
			     DB_ARGS(db_int(c->map[x->from].from), db_int(c->map[x->from + x->n - 1].from)), take_decided, x, e);
	int r = n < 0 ? (int)n : 0;
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(facts); i++)
		r = put_fact(x, &facts[i], e);
	for (size_t i = 0; r == 0 && i < x->n; i++) {
		if (!c->map[x->from + i].fresh)
			r = put_text(x, &c->map[x->from + i], e);
	}
	return r;
}

static int drop_mark(struct store *s, void *ctx, struct err *e)
{
	int64_t n = db_run(s->db, "DELETE FROM meta WHERE key = 'copy'", NULL, 0, e);

	return n < 0 ? (int)n : 0;
}

int copy_facts(struct copying *c, struct err *e)
{
	struct facts x = { .c = c };
	int r = 0;

	for (x.from = 0; r == 0 && x.from < c->n; x.from += x.n) {
		x.n = c->n - x.from < PAGE_FAULTS ? c->n - x.from : PAGE_FAULTS;
		r = store_transact(c->to, facts_page, &x, e);
		c->count->events += r == 0 ? x.events : 0;
	}
	arena_free(&x.mem);
	rowset_free(&x.rows);
	return r == 0 && c->keep_numbers ? store_transact(c->to, drop_mark, NULL, e) : r;
}
