#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "store/recorded.h"

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

static int by_fingerprint(const void *a, const void *b)
{
	return strcmp(((const struct seen *)a)->fingerprint, ((const struct seen *)b)->fingerprint);
}

static struct seen *seen_find(const struct recording *x, struct span fingerprint)
{
	struct seen key;

	if (fingerprint.n != FINGERPRINT_LEN)
		return NULL;
	memcpy(key.fingerprint, fingerprint.p, fingerprint.n);
	key.fingerprint[fingerprint.n] = '\0';
	return bsearch(&key, x->seen, x->n, sizeof(*x->seen), by_fingerprint);
}

/* The fingerprint of every finding, and each fault once: in the order that all writers take their rows in. */
int seen_make(struct recording *x, struct err *e)
{
	struct report *r = x->r;

	x->seen = mem_zalloc((r->n_findings + 1) * sizeof(*x->seen));
	if (!x->seen)
		return no_memory(e);
	for (size_t i = 0; i < r->n_findings; i++) {
		struct finding *f = &r->findings[i];
		fingerprint_make(r, f, f->fingerprint);
		bool there = false;
		for (size_t k = 0; k < x->n && !there && x->n < 200; k++)
			there = strcmp(x->seen[k].fingerprint, f->fingerprint) == 0;
		if (there)
			continue;
		struct seen *n = &x->seen[x->n++];
		memcpy(n->fingerprint, f->fingerprint, sizeof(n->fingerprint));
		n->finding = i;
	}
	qsort(x->seen, x->n, sizeof(*x->seen), by_fingerprint);
	size_t kept = 0;
	for (size_t i = 0; i < x->n; i++) { /* of a long list the doubles are still there */
		if (!kept || strcmp(x->seen[kept - 1].fingerprint, x->seen[i].fingerprint) != 0)
			x->seen[kept++] = x->seen[i];
	}
	x->n = kept;
	return 0;
}

void seen_free(struct recording *x)
{
	for (size_t i = 0; i < x->n; i++) {
		buf_free(&x->seen[i].first);
		buf_free(&x->seen[i].said);
	}
	mem_free(x->seen);
	arena_free(&x->mem);
}

/* A fingerprint list, or the numbers of the faults, as a JSON array: one parameter for both databases. */
static void seen_json(const struct recording *x, bool numbers, bool missing, struct buf *ret)
{
	struct json_out j = { .to = ret };

	json_open(&j, '[');
	for (size_t i = 0; i < x->n; i++) {
		if (missing && x->seen[i].seq)
			continue;
		if (numbers)
			json_int(&j, x->seen[i].seq);
		else
			json_strz(&j, x->seen[i].fingerprint);
	}
	json_close(&j, ']');
}

static enum fault_state state_of(struct span word)
{
	for (int i = 0; i < FAULT_STATES; i++) {
		if (span_eq(word, span_of(fault_state_words[i])))
			return (enum fault_state)i;
	}
	return FAULT_OPEN;
}

enum { AT_KEY, AT_SEQ, AT_STATE, AT_COUNT, AT_FIRST, AT_MERGED, AT_BY, AT_FIX, AT_COMMIT, AT_RESOLVED, AT_UNTIL, AT_OWNER, AT_ID, AT_BODY };
#define SEEN_COLUMNS "f.seq, f.state, f.count, f.first_seen, f.merged_into, f.resolved_by, f.fix, f.fix_commit, f.resolved_at, f.ignored_until, f.owner, f.id, "

static int take_body(struct recording *x, struct seen *k, struct span packed)
{
	buf_clear(&k->first);
	int r = unpack_text(packed, (struct span){ 0 }, &k->first, x->e);
	k->first_of = r == 0 ? k->seq : 0;
	return r;
}

static int take_seen(void *ctx, const struct db_value *row, size_t n)
{
	struct recording *x = ctx;
	struct seen *k = seen_find(x, db_span(row[AT_KEY]));

	if (!k)
		return 0;
	k->seq = db_number(row[AT_SEQ], 0);
	k->state = state_of(db_span(row[AT_STATE]));
	k->count = db_number(row[AT_COUNT], 0);
	k->first_seen = db_number(row[AT_FIRST], 0);
	k->merged = db_number(row[AT_MERGED], 0);
	k->resolved_at = db_number(row[AT_RESOLVED], 0);
	k->ignored_until = db_number(row[AT_UNTIL], 0);
	k->by = arena_span(&x->mem, db_span(row[AT_BY])).p;
	k->fix = arena_span(&x->mem, db_span(row[AT_FIX])).p;
	k->fix_commit = arena_span(&x->mem, db_span(row[AT_COMMIT])).p;
	k->owner = arena_span(&x->mem, db_span(row[AT_OWNER])).p;
	k->is_first = span_eq(db_span(row[AT_ID]), span_of(k->id));
	if (k->is_first)
		k->first_of = k->seq;
	return row[AT_BODY].type == DB_BLOB && k->first_of != k->seq ? take_body(x, k, row[AT_BODY].s) : 0;
}

static int ask_seen(struct store *s, struct recording *x, bool missing, const char *sql, struct err *e)
{
	CLEANUP(buf_free) struct buf keys = { 0 };

	seen_json(x, false, missing, &keys);
	if (keys.bad)
		return no_memory(e);
	int64_t n = keys.len > 2 ? db_query(s->db, sql, DB_ARGS(db_text(buf_view(&keys))), take_seen, x, e) : 0;
	return n < 0 ? (int)n : 0;
}

/* A merged fault's findings are those of the one that it was merged into. */
static int follow_merged(struct store *s, struct recording *x, struct err *e)
{
	for (int hops = 0; hops < 8; hops++) {
		bool any = false;
		for (size_t i = 0; i < x->n; i++) {
			struct seen *k = &x->seen[i];
			if (k->state != FAULT_MERGED || !k->merged)
				continue;
			any = true;
			int64_t n = db_query(s->db, "SELECT ?2, " SEEN_COLUMNS "f.body FROM fault f WHERE f.seq = ?1",
					     DB_ARGS(db_int(k->merged), db_textz(k->fingerprint)), take_seen, x, e);
			if (n < 0)
				return (int)n;
		}
		if (!any)
			break;
	}
	return 0;
}

/* Some are known by what an older version called them. */
static int ask_old(struct store *s, struct recording *x, struct err *e)
{
	int r = ask_seen(s, x, true, DB_SQL(s->db,
		"SELECT k.value, " SEEN_COLUMNS "f.body FROM json_each(?1) k CROSS JOIN fault_old o ON o.fingerprint = k.value JOIN fault f ON f.seq = o.fault",
		"SELECT o.fingerprint, " SEEN_COLUMNS "f.body FROM fault_old o JOIN fault f ON f.seq = o.fault WHERE o.fingerprint = ANY (ARRAY(SELECT jsonb_array_elements_text(?1::jsonb)))"), e);

	return r < 0 ? r : follow_merged(s, x, e);
}

static int ask_missing(struct store *s, struct recording *x, struct err *e)
{
	x->e = e;
	int r = ask_seen(s, x, true, DB_SQL(s->db, "SELECT k.value, " SEEN_COLUMNS "f.body FROM json_each(?1) k CROSS JOIN fault f ON f.fingerprint = k.value",
		"SELECT k.value, " SEEN_COLUMNS "f.body FROM jsonb_array_elements_text(?1::jsonb) k(value)"
		" CROSS JOIN LATERAL (SELECT * FROM fault x WHERE x.fingerprint = k.value OFFSET 0) f"), e);
	return r < 0 ? r : ask_old(s, x, e);
}

int seen_lookup(struct store *s, struct recording *x, struct err *e)
{
	for (size_t i = 0; i < x->n; i++) { /* of an attempt that was undone */
		struct seen *k = &x->seen[i];
		k->seq = k->merged = 0;
		k->state = FAULT_OPEN;
		k->is_first = k->on_base = k->regressed = k->twice = false;
		k->id[0] = '\0';
	}
	return ask_missing(s, x, e);
}

/*
 * Once more, for what may have changed since it was asked. From here to the commit the rows are ours, and others wait for
 * them: all that takes long was done before. All writers take them in one order.
 */
static int seen_lock(struct store *s, struct recording *x, struct err *e)
{
	CLEANUP(mem_free) int64_t *before = mem_alloc((x->n + 1) * sizeof(*before));

	if (!before)
		return no_memory(e);
	x->e = e;
	for (size_t i = 0; i < x->n; i++) {
		before[i] = x->seen[i].seq;
		x->seen[i].seq = x->seen[i].merged = 0;
	}
	int r = ask_seen(s, x, false, DB_SQL(s->db, "SELECT k.value, " SEEN_COLUMNS "NULL FROM json_each(?1) k CROSS JOIN fault f ON f.fingerprint = k.value",
		"SELECT k.value, " SEEN_COLUMNS "NULL FROM jsonb_array_elements_text(?1::jsonb) k(value)"
		" CROSS JOIN LATERAL (SELECT * FROM fault x WHERE x.fingerprint = k.value FOR NO KEY UPDATE) f"), e);
	if (r == 0)
		r = ask_old(s, x, e);
	for (size_t i = 0; r == 0 && i < x->n; i++) {
		if (!before[i] || x->seen[i].seq != before[i]) /* merged in this moment: all again */
			r = err_set(e, EAGAIN, TR("the store %s lost a fault while it was made", "存储 %s 在创建故障时丢失了一条"), s->db->name);
	}
	return r;
}

/* One line, for lists: what was said, else what the cause means. */
static void title_of(const struct finding *f, struct buf *ret)
{
	struct span m = span_trim(f->message);

	if (!m.n)
		m = span_of(cause_table[f->cause].mean.en);
	text_clean(utf8_head(span_head(m, span_chr(m, '\n')), 200), false, ret);
}

static const enum db_type fault_types[] = { DB_TEXT, DB_TEXT, DB_TEXT, DB_INT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_INT, DB_TEXT, DB_INT, DB_INT, DB_INT,
	DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_BLOB };
#define FAULT_COLUMNS "id, fingerprint, cause, severity, title, project, package, test, file, line, state, count, first_seen, last_seen," \
	" first_run, last_run, first_commit, last_commit, first_url, last_url, owner, body"
#define FAULT_N ARRAY_LEN(fault_types)

static int fault_values(struct recording *x, struct seen *k, struct db_value *v, struct err *e)
{
	const struct report *r = x->r;
	const struct finding *f = &r->findings[k->finding];
	CLEANUP(buf_free) struct buf title = { 0 }, packed = { 0 };

	title_of(f, &title);
	buf_clear(&k->first);
	k->first_of = 0;
	body_make(r, f, &k->first);
	if (title.bad || k->first.bad)
		return no_memory(e);
	int n = pack_text(buf_view(&k->first), (struct span){ 0 }, &packed, e);
	if (n < 0)
		return n;
	k->title = arena_span(&x->mem, title.len ? buf_view(&title) : S(""));
	struct span body = arena_span(&x->mem, buf_view(&packed));
	char id[CAUSE_ID_MAX];
	struct span cause = arena_span(&x->mem, span_of(finding_cause_id(f, id)));
	if (!k->title.p || !body.p || (f->cause && !cause.p))
		return no_memory(e);
	ulid_make(x->c->now, k->id);
	struct db_value run = db_textz(r->id), commit = db_textz(r->ci.commit), url = db_textz(r->ci.url), at = db_int(r->started);
	struct db_value row[] = { db_textz(k->id), db_textz(k->fingerprint), db_text(cause), db_int(f->severity), db_text(k->title),
		db_textz(r->project ? r->project : ""), db_text(f->package), db_text(f->test), db_text(f->file), db_int_or(f->line, 0), db_textz("open"), db_int(0), at, at,
		run, run, commit, commit, url, url, db_textz(k->owner), db_blob(body) };
	memcpy(v, row, sizeof(row));
	return 0;
}

/* All that the store does not know, at once. Another writer may make the same ones: whose are kept, seen_lock says. */
static int add_faults(struct store *s, struct recording *x, struct err *e)
{
	CLEANUP(mem_free) struct db_value *v = mem_alloc((x->n + 1) * FAULT_N * sizeof(*v));
	size_t n = 0;
	int r = 0;

	if (!v)
		return no_memory(e);
	for (size_t i = 0; r == 0 && i < x->n; i++) {
		if (!x->seen[i].seq)
			r = fault_values(x, &x->seen[i], v + n++ * FAULT_N, e);
	}
	return r < 0 ? r : db_insert(s->db, "fault", FAULT_COLUMNS, &(struct db_rows){ fault_types, FAULT_N, n, v }, e);
}

static int add_texts(struct store *s, struct recording *x, struct err *e)
{
	static const enum db_type types[] = { DB_INT, DB_TEXT };
	CLEANUP(mem_free) struct db_value *v = mem_alloc((x->n + 1) * 2 * sizeof(*v));
	CLEANUP(buf_free) struct buf text = { 0 };
	size_t n = 0;

	if (!v)
		return no_memory(e);
	for (size_t i = 0; i < x->n; i++) {
		struct seen *k = &x->seen[i];
		if (!k->is_first)
			continue;
		buf_clear(&text);
		fault_text_first(&x->r->findings[k->finding], k->title, k->owner, x->r->project, &text);
		struct span kept = arena_span(&x->mem, text.p ? buf_view(&text) : S(""));
		if (text.bad || !kept.p)
			return no_memory(e);
		v[n * 2] = db_int(k->seq);
		v[n++ * 2 + 1] = db_text(kept);
	}
	return fault_texts_add(s, &(struct db_rows){ types, 2, n, v }, e);
}

static int add_findings(struct store *s, struct recording *x, struct err *e)
{
	static const enum db_type types[] = { DB_INT, DB_INT, DB_INT, DB_BLOB };
	const struct report *r = x->r;
	CLEANUP(mem_free) struct db_value *v = mem_alloc((r->n_findings + 1) * 4 * sizeof(*v));
	CLEANUP(buf_free) struct buf body = { 0 }, packed = { 0 };

	if (!v)
		return no_memory(e);
	for (size_t i = 0; i < r->n_findings; i++) {
		const struct finding *f = &r->findings[i];
		struct seen *k = seen_find(x, span_of(f->fingerprint));
		buf_clear(&body);
		buf_clear(&packed);
		body_make(r, f, &body);
		int n = body.bad ? no_memory(e) : 0;
		bool same = span_eq(buf_view(&body), buf_view(&k->first));
		if (n == 0 && !same)
			n = pack_text(buf_view(&body), buf_view(&k->first), &packed, e);
		if (n < 0)
			return n;
		struct span kept = same ? (struct span){ 0 } : arena_span(&x->mem, buf_view(&packed));
		if (!same && !kept.p)
			return no_memory(e);
		if (i == k->finding)
			k->last = kept;
		v[i * 4] = db_int(x->run);
		v[i * 4 + 1] = db_int((int64_t)i);
		v[i * 4 + 2] = db_int(k->seq);
		v[i * 4 + 3] = db_blob(kept);
	}
	return db_insert(s->db, "finding", "run, n, fault, body", &(struct db_rows){ types, 4, r->n_findings, v }, e);
}

/* Was it there on the base branch before this run? Without a base branch to compare with, only the first sight is new. */
static int take_base(void *ctx, const struct db_value *row, size_t n)
{
	struct recording *x = ctx;

	for (size_t i = 0; i < x->n; i++) {
		if (x->seen[i].seq == db_number(row[0], -1))
			x->seen[i].on_base = true;
	}
	return 0;
}

static int ask_base(struct store *s, struct recording *x, struct err *e)
{
	CLEANUP(buf_free) struct buf keys = { 0 };
	const char *base = x->r->base_branch;

	if (!x->n || !base || !x->r->ci.branch)
		return 0;
	seen_json(x, true, false, &keys);
	if (keys.bad)
		return no_memory(e);
	int64_t n = db_query(s->db, DB_SQL(s->db, "SELECT b.fault FROM json_each(?1) k CROSS JOIN fault_branch b ON b.fault = k.value AND b.branch = ?2",
					   "SELECT fault FROM fault_branch WHERE fault = ANY (ARRAY(SELECT jsonb_array_elements_text(?1::jsonb)::bigint)) AND branch = ?2"),
			     DB_ARGS(db_text(buf_view(&keys)), db_textz(base)), take_base, x, e);
	return n < 0 ? (int)n : 0;
}

/* ---- what the sight of it changes: last, and in one order, for these rows are everybody's ---- */

#define TOUCH_COLUMNS 7

static const char touch_sqlite[] =
	"UPDATE fault SET count = count + 1, first_seen = min(first_seen, ?2), last_body = CASE WHEN ?2 >= last_seen THEN ?6 ELSE last_body END,"
	" last_run = CASE WHEN ?2 >= last_seen THEN ?3 ELSE last_run END, last_commit = CASE WHEN ?2 >= last_seen THEN ?4 ELSE last_commit END,"
	" last_url = CASE WHEN ?2 >= last_seen THEN ?5 ELSE last_url END, line = coalesce(?7, line), last_seen = max(last_seen, ?2) WHERE seq = ?1";
static const char touch_postgres[] =
	"UPDATE fault SET count = count + 1, first_seen = least(first_seen, u.at), last_body = CASE WHEN u.at >= last_seen THEN u.body ELSE last_body END,"
	" last_run = CASE WHEN u.at >= last_seen THEN u.run ELSE last_run END, last_commit = CASE WHEN u.at >= last_seen THEN u.sha ELSE last_commit END,"
	" last_url = CASE WHEN u.at >= last_seen THEN u.url ELSE last_url END, line = coalesce(u.line, fault.line), last_seen = greatest(last_seen, u.at)"
	" FROM unnest(?1::bigint[], ?2::bigint[], ?3::text[], ?4::text[], ?5::text[], ?6::bytea[], ?7::bigint[]) u(seq, at, run, sha, url, body, line)"
	" WHERE fault.seq = u.seq";
static const char days_sqlite[] = "INSERT INTO fault_day(fault, day, count) VALUES (?1, ?2, 1) ON CONFLICT (fault, day) DO UPDATE SET count = count + 1";
static const char days_postgres[] =
	"INSERT INTO fault_day(fault, day, count) SELECT f, d, 1 FROM unnest(?1::bigint[], ?2::bigint[]) u(f, d)"
	" ON CONFLICT (fault, day) DO UPDATE SET count = fault_day.count + 1";
static const char branches_sqlite[] =
	"INSERT INTO fault_branch(fault, branch, count, first_seen, last_seen) VALUES (?1, ?2, 1, ?3, ?3) ON CONFLICT (fault, branch) DO UPDATE SET"
	" count = count + 1, first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)";
static const char branches_postgres[] =
	"INSERT INTO fault_branch(fault, branch, count, first_seen, last_seen) SELECT f, b, 1, t, t FROM unnest(?1::bigint[], ?2::text[], ?3::bigint[]) u(f, b, t)"
	" ON CONFLICT (fault, branch) DO UPDATE SET count = fault_branch.count + 1, first_seen = least(fault_branch.first_seen, excluded.first_seen),"
	" last_seen = greatest(fault_branch.last_seen, excluded.last_seen)";

/* A run that was written late does not put it back. */
static const char order_sqlite[] = "INSERT INTO fault_order(fault, at) VALUES (?1, ?2) ON CONFLICT (fault) DO UPDATE SET at = excluded.at WHERE excluded.at > at";
static const char order_postgres[] =
	"INSERT INTO fault_order(fault, at) SELECT f, t FROM unnest(?1::bigint[], ?2::bigint[]) u(f, t)"
	" ON CONFLICT (fault) DO UPDATE SET at = excluded.at WHERE excluded.at > fault_order.at";

static int by_seq(const void *a, const void *b)
{
	const struct seen *x = *(struct seen *const *)a, *y = *(struct seen *const *)b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int touch(struct store *s, struct recording *x, struct err *e)
{
	static const enum db_type types[TOUCH_COLUMNS] = { DB_INT, DB_INT, DB_TEXT, DB_TEXT, DB_TEXT, DB_BLOB, DB_INT };
	static const enum db_type day_types[] = { DB_INT, DB_INT };
	static const enum db_type branch_types[] = { DB_INT, DB_TEXT, DB_INT };
	const struct report *r = x->r;
	CLEANUP(mem_free) struct db_value *v = mem_alloc((x->n + 1) * (TOUCH_COLUMNS + 7) * sizeof(*v));
	CLEANUP(mem_free) struct seen **order = mem_alloc((x->n + 1) * sizeof(struct seen *));
	size_t n = 0;

	if (!v || !order)
		return no_memory(e);
	for (size_t i = 0; i < x->n; i++)
		order[i] = &x->seen[i];
	qsort(order, x->n, sizeof(struct seen *), by_seq);
	struct db_value *days = v + x->n * TOUCH_COLUMNS, *branches = days + x->n * 2, *at = branches + x->n * 3;
	for (size_t i = 0; i < x->n; i++) {
		struct seen *k = order[i];
		k->twice = i && order[i - 1]->seq == k->seq; /* two that were merged into one */
		if (k->twice)
			continue;
		struct db_value row[TOUCH_COLUMNS] = { db_int(k->seq), db_int(r->started), db_textz(r->id), db_textz(r->ci.commit), db_textz(r->ci.url), db_blob(k->last),
			db_int_or(r->findings[k->finding].line, 0) };
		memcpy(v + n * TOUCH_COLUMNS, row, sizeof(row));
		days[n * 2] = branches[n * 3] = at[n * 2] = db_int(k->seq);
		at[n * 2 + 1] = db_int(r->started);
		days[n * 2 + 1] = db_int(r->started / DAY_NSEC);
		branches[n * 3 + 1] = db_textz(r->ci.branch ? r->ci.branch : "");
		branches[n * 3 + 2] = db_int(r->started);
		n++;
	}
	int q = db_bulk(s->db, DB_SQL(s->db, touch_sqlite, touch_postgres), &(struct db_rows){ types, TOUCH_COLUMNS, n, v }, e);
	if (q == 0)
		q = db_bulk(s->db, DB_SQL(s->db, order_sqlite, order_postgres), &(struct db_rows){ day_types, 2, n, at }, e);
	if (q == 0)
		q = db_bulk(s->db, DB_SQL(s->db, days_sqlite, days_postgres), &(struct db_rows){ day_types, 2, n, days }, e);
	if (q == 0)
		q = db_bulk(s->db, DB_SQL(s->db, branches_sqlite, branches_postgres), &(struct db_rows){ branch_types, 3, n, branches }, e);
	return q;
}

int seen_record(struct store *s, struct recording *x, struct err *e)
{
	int n = add_faults(s, x, e);

	if (n == 0)
		n = ask_missing(s, x, e);
	if (n == 0)
		n = add_texts(s, x, e);
	if (n == 0)
		n = ask_base(s, x, e);
	if (n == 0)
		n = add_findings(s, x, e);
	if (n == 0)
		n = seen_lock(s, x, e);
	return n == 0 ? touch(s, x, e) : n;
}
