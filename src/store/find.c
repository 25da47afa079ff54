#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "store/state.h"

#define TEXT_MAX 3000    /* bytes that are searched, of one fault */
#define EXCERPT_MAX 640

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* ---- the text that is searched ---- */

/* Small letters, and blanks for what ends a line: no search reaches from one field into the next. */
static void add_field(struct buf *b, struct span s, size_t max)
{
	s = utf8_head(s, max);
	if (!s.n || b->len + s.n > TEXT_MAX)
		return;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		buf_addc(b, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c ? c : ' ');
	}
	buf_addc(b, '\n');
}

static int add_row(void *ctx, const struct db_value *row, size_t n)
{
	struct buf *b = ctx;

	for (size_t i = 0; i < n; i++)
		add_field(b, db_span(row[i]), 400);
	return 0;
}

struct taken {
	struct buf *body;
	struct err *e;
};

static int take_body(void *ctx, const struct db_value *row, size_t n)
{
	struct taken *t = ctx;
	int r = unpack_text(db_span(row[0]), (struct span){ 0 }, t->body, t->e);

	return r < 0 ? r : 1;
}

static void add_finding(struct buf *b, const struct finding *f)
{
	add_field(b, f->message, 400);
	add_field(b, f->excerpt, EXCERPT_MAX);
}

void fault_text_first(const struct finding *f, struct span title, const char *owner, const char *project, struct buf *ret)
{
	char cause[CAUSE_ID_MAX];
	const struct span fields[] = { title, span_of(finding_cause_id(f, cause)), f->package, f->test, f->file, span_of(owner), span_of(project) };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		add_field(ret, fields[i], 400);
	add_finding(ret, f);
}

int fault_text_set(struct store *s, int64_t seq, struct span text, struct err *e)
{
	struct db_value v = db_text(text.p ? text : S(""));
	int64_t n = 0;

	if (!s->db->postgres) /* the index forgets what it was told, if it was */
		n = db_run(s->db, "INSERT INTO fault_find(fault_find, rowid, body) SELECT 'delete', fault, body FROM fault_text WHERE fault = ?1", DB_ARGS(db_int(seq)), e);
	if (n >= 0)
		n = db_run(s->db, "INSERT INTO fault_text(fault, body) VALUES (?1, ?2) ON CONFLICT (fault) DO UPDATE SET body = excluded.body", DB_ARGS(db_int(seq), v), e);
	if (n >= 0 && !s->db->postgres)
		n = db_run(s->db, "INSERT INTO fault_find(rowid, body) VALUES (?1, ?2)", DB_ARGS(db_int(seq), v), e);
	return n < 0 ? (int)n : 0;
}

int fault_texts_add(struct store *s, const struct db_rows *rows, struct err *e)
{
	int r = db_insert(s->db, "fault_text", "fault, body", rows, e);

	return r < 0 || s->db->postgres ? r : db_bulk(s->db, "INSERT INTO fault_find(rowid, body) VALUES (?1, ?2)", rows, e);
}

int fault_index(struct store *s, int64_t seq, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 }, body = { 0 };
	struct taken t = { &body, e };
	struct report r = { 0 };

	int64_t n = db_query(s->db, "SELECT title, cause, package, test, file, owner, project, fix, fix_commit FROM fault WHERE seq = ?1", DB_ARGS(db_int(seq)), add_row, &text, e);
	if (n >= 0)
		n = db_query(s->db, "SELECT tag FROM fault_tag WHERE fault = ?1", DB_ARGS(db_int(seq)), add_row, &text, e);
	if (n >= 0)
		n = db_query(s->db, "SELECT kind || ':' || name FROM defence WHERE fault = ?1", DB_ARGS(db_int(seq)), add_row, &text, e);
	if (n >= 0)
		n = db_query(s->db, "SELECT text FROM fault_event WHERE fault = ?1 AND text IS NOT NULL ORDER BY at DESC LIMIT 20", DB_ARGS(db_int(seq)), add_row, &text, e);
	if (n >= 0)
		n = db_query(s->db, "SELECT body FROM fault WHERE seq = ?1", DB_ARGS(db_int(seq)), take_body, &t, e);
	if (n < 0)
		return (int)n;
	int q = body_read(buf_view(&body), &r, e);
	if (q < 0)
		return q;
	add_finding(&text, &r.findings[0]);
	report_free(&r);
	return text.bad ? no_memory(e) : fault_text_set(s, seq, buf_view(&text), e);
}

/* ---- faults that are like this one ---- */

#define CANDIDATES 150
#define WORDS_MAX 24

struct words {
	struct span v[WORDS_MAX];
	size_t n;
};

static void split(struct span text, struct words *ret)
{
	ret->n = 0;
	while (text.n && ret->n < WORDS_MAX) {
		struct span w = span_cut(&text, ' ');
		if (w.n > 2)
			ret->v[ret->n++] = w;
	}
}

/* How much of both their words they share, in percent. */
static int overlap(const struct words *a, const struct words *b)
{
	size_t both = 0;

	for (size_t i = 0; i < a->n; i++) {
		bool there = false;
		for (size_t k = 0; k < b->n && !there; k++)
			there = span_eq(a->v[i], b->v[k]);
		both += there;
	}
	size_t all = a->n + b->n - both;
	return all ? (int)(both * 100 / all) : 0;
}

struct candidate {
	int64_t seq, last_seen;
	int score;
};

struct liking {
	const struct fault *f;
	struct words words;
	struct candidate v[2 * CANDIDATES];
	size_t n;
};

static int weigh(void *ctx, const struct fault *f)
{
	struct liking *l = ctx;
	struct words w;

	if (f->seq == l->f->seq || l->n == ARRAY_LEN(l->v))
		return 0;
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].seq == f->seq)
			return 0;
	}
	split(f->title, &w);
	int score = overlap(&l->words, &w);
	score += f->test.n && span_eq(f->test, l->f->test) && span_eq(f->package, l->f->package) ? 60 : 0;
	score += f->package.n && span_eq(f->package, l->f->package) ? 15 : 0;
	score += span_eq(f->cause, l->f->cause) ? 15 : 0;
	if (score >= 60)
		l->v[l->n++] = (struct candidate){ f->seq, f->last_seen, score };
	return 0;
}

static int by_score(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->score != y->score)
		return y->score - x->score;
	return x->last_seen == y->last_seen ? 0 : x->last_seen < y->last_seen ? 1 : -1;
}

struct passing {
	fault_fn *fn;
	void *ctx;
};

static int pass_on(void *ctx, const struct db_value *row, size_t n)
{
	const struct passing *p = ctx;
	struct fault f;

	fault_row(row, &f);
	return p->fn(p->ctx, &f);
}

int store_similar(struct store *s, const struct fault *f, int64_t limit, fault_fn *fn, void *ctx, struct err *e)
{
	CLEANUP(mem_free) struct liking *l = mem_zalloc(sizeof(*l));
	CLEANUP(buf_free) struct buf z = { 0 }, sql = { 0 };
	struct passing p = { fn, ctx };
	int r = 0;

	if (!l)
		return no_memory(e);
	l->f = f;
	split(f->title, &l->words);
	struct fault_filter near = { .order = ORDER_LAST, .limit = CANDIDATES };
	buf_span(&z, f->package.n ? f->package : f->cause);
	if (f->package.n) { /* its neighbours, then its kind */
		near.package = buf_str(&z);
		r = store_faults(s, &near, weigh, l, e);
		near.package = NULL;
		buf_clear(&z);
		buf_span(&z, f->cause);
	}
	near.cause = buf_str(&z);
	if (r == 0)
		r = store_faults(s, &near, weigh, l, e);
	if (r < 0)
		return r;
	qsort(l->v, l->n, sizeof(*l->v), by_score);
	fault_select(s->db, &sql);
	buf_adds(&sql, " WHERE f.seq = ?1");
	if (sql.bad || z.bad)
		return no_memory(e);
	for (size_t i = 0; i < l->n && (int64_t)i < limit; i++) {
		int64_t n = db_query(s->db, buf_str(&sql), DB_ARGS(db_int(l->v[i].seq)), pass_on, &p, e);
		if (n < 0)
			return (int)n;
	}
	return 0;
}
