#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "model/fingerprint.h"
#include "model/report_read.h"
#include "store/state.h"

const char *const fault_state_words[] = { "open", "regressed", "resolved", "ignored", "merged", NULL };

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

static void fault_columns(const struct db *d, struct buf *sql)
{
	buf_adds(sql, "SELECT f.seq, f.id, f.fingerprint, f.cause, f.severity, f.title, f.project, f.package, f.test, f.file, f.line, f.state, f.count, f.first_seen,"
		 " f.last_seen, f.first_run, f.last_run, f.first_commit, f.last_commit, f.first_url, f.last_url, f.owner, f.resolved_at, f.resolved_by, f.fix,"
		 " f.fix_commit, f.regressed_at, f.regressions, f.ignored_until, f.merged_into, ");
	buf_adds(sql, DB_SQL(d, "(SELECT group_concat(d.kind || ':' || d.name, char(10)) FROM defence d WHERE d.fault = f.seq), "
			     "(SELECT group_concat(t.tag, char(10)) FROM fault_tag t WHERE t.fault = f.seq)",
			     "(SELECT string_agg(d.kind || ':' || d.name, chr(10)) FROM defence d WHERE d.fault = f.seq), "
			     "(SELECT string_agg(t.tag, chr(10)) FROM fault_tag t WHERE t.fault = f.seq)"));
}

void fault_select(const struct db *d, struct buf *sql)
{
	fault_columns(d, sql);
	buf_adds(sql, " FROM fault f");
}

int fault_order_set(struct store *s, int64_t seq, struct err *e)
{
	int64_t n = db_run(s->db, "INSERT INTO fault_order(fault, at) SELECT seq, last_seen FROM fault WHERE seq = ?1 ON CONFLICT (fault) DO UPDATE SET at = excluded.at",
			   DB_ARGS(db_int(seq)), e);

	return n < 0 ? (int)n : 0;
}

static enum fault_state state_of(struct span word)
{
	for (int i = 0; i < FAULT_STATES; i++) {
		if (span_eq(word, span_of(fault_state_words[i])))
			return (enum fault_state)i;
	}
	return FAULT_OPEN;
}

void fault_row(const struct db_value *row, struct fault *f)
{
	int i = 0;

	*f = (struct fault){ .seq = db_number(row[i++], 0) };
	f->id = db_span(row[i++]);
	f->fingerprint = db_span(row[i++]);
	f->cause = db_span(row[i++]);
	f->severity = (enum severity)db_number(row[i++], SEV_ERROR);
	f->title = db_span(row[i++]);
	f->project = db_span(row[i++]);
	f->package = db_span(row[i++]);
	f->test = db_span(row[i++]);
	f->file = db_span(row[i++]);
	f->line = (int)db_number(row[i++], 0);
	f->state = state_of(db_span(row[i++]));
	f->count = db_number(row[i++], 0);
	f->first_seen = db_number(row[i++], 0);
	f->last_seen = db_number(row[i++], 0);
	f->first_run = db_span(row[i++]);
	f->last_run = db_span(row[i++]);
	f->first_commit = db_span(row[i++]);
	f->last_commit = db_span(row[i++]);
	f->first_url = db_span(row[i++]);
	f->last_url = db_span(row[i++]);
	f->owner = db_span(row[i++]);
	f->resolved_at = db_number(row[i++], 0);
	f->resolved_by = db_span(row[i++]);
	f->fix = db_span(row[i++]);
	f->fix_commit = db_span(row[i++]);
	f->regressed_at = db_number(row[i++], 0);
	f->regressions = db_number(row[i++], 0);
	f->ignored_until = db_number(row[i++], 0);
	f->merged_into = db_number(row[i++], 0);
	f->defences = db_span(row[i++]);
	f->tags = db_span(row[i++]);
}

/* ---- filters ---- */

#define ARGS_MAX 24
#define WORD_MAX 400

struct query {
	struct buf sql;
	struct db_value args[ARGS_MAX];
	size_t n;
	struct arena mem;
	bool bad;
};

static void query_free(struct query *q)
{
	buf_free(&q->sql);
	arena_free(&q->mem);
}

static void query_free_cleanup(struct query *q)
{
	query_free(q);
}

/* "condition ?" with the next parameter in the place of its '?'. */
static void add(struct query *q, const char *condition, struct db_value v)
{
	struct span rest = span_of(condition), head = span_cut(&rest, '?');

	q->args[q->n++] = v;
	buf_addf(&q->sql, " AND %.*s?%zu%.*s", SPAN_ARG(head), q->n, SPAN_ARG(rest));
}

/* '*' is any run of bytes; a word without one is meant exactly. */
static void add_word(struct query *q, const char *column, const char *word)
{
	CLEANUP(buf_free) struct buf like = { 0 };
	char condition[96];
	bool glob = word && strchr(word, '*');

	if (!word)
		return;
	snprintf(condition, sizeof(condition), glob ? "%s LIKE ? ESCAPE '!'" : "%s = ?", column);
	for (const char *c = word; *c && like.len < WORD_MAX; c++) {
		if (glob && (*c == '%' || *c == '_' || *c == '!'))
			buf_addc(&like, '!');
		buf_addc(&like, glob && *c == '*' ? '%' : *c);
	}
	struct span copy = arena_span(&q->mem, like.p ? buf_view(&like) : S(""));
	q->bad |= like.bad || !copy.p;
	add(q, condition, db_text(copy));
}

static void add_quoted(struct buf *match, const char *before, struct span word)
{
	buf_adds(match, match->len ? before : "");
	buf_addc(match, '"');
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] == '"')
			buf_addc(match, '"');
		buf_addc(match, word.p[i]);
	}
	buf_addc(match, '"');
}

/*
 * Three neighbouring letters must be in the index: from every second one on, and the last. Whether they stand together, the
 * text says. Returns how many.
 */
static int add_trigrams(struct buf *match, struct span text)
{
	struct span rest = text;
	int n = 0;

	for (int at = 0; rest.n && n < 32; at++) {
		size_t len = 0, first = 0;
		uint32_t cp;
		int i = 0;
		for (; i < 3 && len < rest.n; i++) {
			len += utf8_decode(span_from(rest, len), &cp);
			first = i ? first : len;
		}
		if (i == 3 && (at % 2 == 0 || len == rest.n)) {
			add_quoted(match, " AND ", span_head(rest, len));
			n++;
		}
		rest = span_from(rest, first);
	}
	return n;
}

/* What is searched for, in the forms that it is asked in. */
struct needle {
	struct buf lower, like /* %…% */, match /* of FTS5; empty: too short for its index */;
};

static void needle_free_cleanup(struct needle *x)
{
	buf_free(&x->lower);
	buf_free(&x->like);
	buf_free(&x->match);
}

#define WORDS_MAX 300 /* of the index that begin with one or two letters: with more than that all texts are looked at */

static int take_word(void *ctx, const struct db_value *row, size_t n)
{
	add_quoted(ctx, " OR ", db_span(row[0]));
	return 0;
}

/*
 * One or two letters are in the index as the beginning of three: every field ends with a line feed, so that a third one
 * follows always.
 */
static int add_words(struct store *s, struct needle *x, struct err *e)
{
	CLEANUP(buf_free) struct buf end = { 0 };
	int64_t n = 0;

	buf_span(&end, buf_view(&x->lower));
	buf_adds(&end, "\xf4\x8f\xbf\xbf"); /* the last letter there is */
	if (end.bad)
		return no_memory(e);
	int r = db_script(s->db, "CREATE VIRTUAL TABLE IF NOT EXISTS temp.fault_words USING fts5vocab('main', 'fault_find', 'row')", e);
	struct db_value range[] = { db_text(buf_view(&x->lower)), db_text(buf_view(&end)), db_int(WORDS_MAX) };
	if (r == 0)
		r = db_get(s->db, "SELECT count(*) FROM (SELECT 1 FROM temp.fault_words WHERE term >= ?1 AND term < ?2 LIMIT ?3)", range, 3, 0, &n, e);
	if (r < 0 || n == WORDS_MAX)
		return r;
	int64_t q = db_query(s->db, "SELECT term FROM temp.fault_words WHERE term >= ?1 AND term < ?2", range, 2, take_word, &x->match, e);
	if (q >= 0 && !x->match.len)
		buf_adds(&x->match, "\"\x01\x01\x01\""); /* in no text */
	return q < 0 ? (int)q : 0;
}

static int needle_make(struct store *s, const char *text, struct needle *x, struct err *e)
{
	buf_addc(&x->like, '%');
	for (const char *c = text; *c && x->lower.len < WORD_MAX; c++) {
		char l = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
		if (l == '%' || l == '_' || l == '!')
			buf_addc(&x->like, '!');
		buf_addc(&x->lower, l);
		buf_addc(&x->like, l);
	}
	buf_addc(&x->like, '%');
	int r = add_trigrams(&x->match, buf_view(&x->lower)) || !x->lower.len || s->db->postgres ? 0 : add_words(s, x, e);
	return r == 0 && (x->lower.bad || x->like.bad || x->match.bad) ? no_memory(e) : r;
}

static struct db_value keep_text(struct query *q, const struct buf *b)
{
	struct span s = arena_span(&q->mem, b->len ? buf_view(b) : S(""));

	q->bad |= !s.p;
	return db_text(s);
}

static int add_text(struct query *q, struct store *s, const char *text, bool indexed, struct err *e)
{
	CLEANUP(needle_free) struct needle x = { 0 };
	const struct db *d = s->db;

	int r = needle_make(s, text, &x, e);
	if (r < 0 || !x.lower.len)
		return r;
	if (indexed && d->postgres) { /* of one or two letters it has no index: the shortest way through all texts */
		add(q, x.match.len ? "f.seq IN (SELECT t.fault FROM fault_text t WHERE t.body LIKE ? ESCAPE '!')" : "f.seq IN (SELECT t.fault FROM fault_text t WHERE strpos(t.body, ?) > 0)",
		    keep_text(q, x.match.len ? &x.like : &x.lower));
		return 0;
	}
	if (indexed && x.match.len)
		add(q, "f.seq IN (SELECT rowid FROM fault_find WHERE fault_find MATCH ?)", keep_text(q, &x.match));
	add(q, DB_SQL(d, "(SELECT instr(t.body, ?) FROM fault_text t WHERE t.fault = f.seq) > 0", "(SELECT strpos(t.body, ?) FROM fault_text t WHERE t.fault = f.seq) > 0"),
	    keep_text(q, &x.lower));
	return 0;
}

static bool asks_state(const struct fault_filter *f, enum fault_state s)
{
	struct span words = span_of(f->state);

	if (!words.n)
		return s != FAULT_MERGED;
	while (words.n) {
		if (span_eq(span_trim(span_cut(&words, ',')), span_of(fault_state_words[s])))
			return true;
	}
	return false;
}

enum plan {
	PLAN_SORT,  /* few fit: they are found by an index and sorted */
	PLAN_STATE, /* few are in this state: all of them are looked at */
	PLAN_WALK,  /* many fit: the latest are looked at, one after the other, until there are enough */
};

static int add_filter(struct query *q, struct store *s, const struct fault_filter *f, enum plan plan, struct err *e)
{
	bool walk = plan == PLAN_WALK; /* fault_order comes before it */

	add_word(q, "f.cause", f->cause);
	add_word(q, "f.owner", f->owner);
	add_word(q, "f.package", f->package);
	add_word(q, "f.project", f->project);
	add_word(q, "f.test", f->test);
	if (f->tag)
		add(q, "EXISTS (SELECT 1 FROM fault_tag t WHERE t.fault = f.seq AND t.tag = ?)", db_textz(f->tag));
	if (f->seen_since)
		add(q, walk ? "o.at >= ?" : "f.last_seen >= ?", db_int(f->seen_since));
	if (f->seen_before)
		add(q, walk ? "o.at < ?" : "f.last_seen < ?", db_int(f->seen_before));
	if (f->first_since)
		add(q, "f.first_seen >= ?", db_int(f->first_since));
	if (f->no_defence)
		buf_adds(&q->sql, " AND NOT EXISTS (SELECT 1 FROM defence d WHERE d.fault = f.seq)");
	return f->text ? add_text(q, s, f->text, plan == PLAN_SORT, e) : 0;
}

/* other: something else finds them, and SQLite is not to think that nearly all states are few. */
static void add_states(struct query *q, const struct db *d, const struct fault_filter *f, bool other)
{
	bool any = false;

	buf_adds(&q->sql, other && !d->postgres ? " WHERE +f.state IN (" : " WHERE f.state IN (");
	for (int s = 0; s < FAULT_STATES; s++) {
		if (!asks_state(f, (enum fault_state)s))
			continue;
		buf_addf(&q->sql, "%s'%s'", any ? ", " : "", fault_state_words[s]);
		any = true;
	}
	buf_adds(&q->sql, any ? ")" : "'')");
}

static int check_states(const struct fault_filter *f, struct err *e)
{
	struct span words = span_of(f->state);

	while (words.n) {
		struct span w = span_trim(span_cut(&words, ','));
		if (!span_eq(w, span_of(fault_state_words[state_of(w)])))
			return err_set(e, EINVAL, TR("unknown state '%.*s': open, regressed, resolved, ignored or merged", "未知状态“%.*s”：可用 open、regressed、resolved、ignored、merged"),
				       (int)(w.n < 40 ? w.n : 40), w.p);
	}
	return 0;
}

struct handing {
	fault_fn *fn;
	void *ctx;
	int64_t n;
	bool stopped;
};

static int hand_fault(void *ctx, const struct db_value *row, size_t n)
{
	struct handing *h = ctx;
	struct fault f;

	fault_row(row, &f);
	h->n++;
	int r = h->fn(h->ctx, &f);
	h->stopped |= r > 0;
	return r;
}

static int ask(struct store *s, struct query *q, struct handing *h, struct err *e)
{
	if (q->bad || q->sql.bad)
		return no_memory(e);
	int64_t n = db_query(s->db, buf_str(&q->sql), q->args, q->n, hand_fault, h, e);
	return n < 0 ? (int)n : 0;
}

#define COMMON 1000 /* faults: from here on it is cheaper to look at the latest ones until enough of them fit */

static int is_common(struct store *s, const char *from, struct db_value v, bool *ret, struct err *e)
{
	char sql[160];
	int64_t n = 0;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM (SELECT 1 FROM %s LIMIT %d) x", from, COMMON);
	int r = db_get(s->db, sql, DB_ARGS(v), 0, &n, e);
	*ret = n == COMMON;
	return r;
}

static bool is_word(const char *z)
{
	return z && !strchr(z, '*') && !strchr(z, ',');
}

/* Neither database knows how many fit before it has looked. */
static int choose_plan(struct store *s, const struct fault_filter *f, enum plan *ret, struct err *e)
{
	CLEANUP(needle_free) struct needle x = { 0 };
	bool common = true;
	int r = 0;

	*ret = PLAN_SORT;
	if ((f->order != ORDER_STATE && f->order != ORDER_LAST) || is_word(f->package) || is_word(f->owner) || f->tag)
		return 0;
	if (is_word(f->state)) {
		r = is_common(s, "fault WHERE state = ?1", db_textz(f->state), &common, e);
		if (r < 0 || !common) {
			*ret = PLAN_STATE;
			return r;
		}
	}
	if (is_word(f->cause))
		r = is_common(s, "fault WHERE cause = ?1", db_textz(f->cause), &common, e);
	if (r == 0 && common && f->text && *f->text) {
		r = needle_make(s, f->text, &x, e);
		common = !s->db->postgres;
		if (r == 0 && x.match.len) /* else it is so short that no index knows it */
			r = is_common(s, DB_SQL(s->db, "fault_find WHERE fault_find MATCH ?1", "fault_text WHERE body LIKE ?1 ESCAPE '!'"),
				      db_text(buf_view(s->db->postgres ? &x.like : &x.match)), &common, e);
	}
	*ret = common ? PLAN_WALK : PLAN_SORT;
	return r;
}

static int ask_sorted(struct store *s, const struct fault_filter *f, int64_t offset, struct handing *h, struct err *e)
{
	static const char *const orders[] = { [ORDER_STATE] = "f.last_seen", [ORDER_LAST] = "f.last_seen", [ORDER_FIRST] = "f.first_seen", [ORDER_COUNT] = "f.count" };
	CLEANUP(query_free) struct query q = { 0 };
	long long limit = f->limit ? (long long)(f->limit - h->n) : INT64_MAX;
	enum plan plan;

	int r = choose_plan(s, f, &plan, e);
	if (r < 0)
		return r;
	fault_columns(s->db, &q.sql);
	buf_adds(&q.sql, plan == PLAN_WALK ? DB_SQL(s->db, " FROM fault_order o CROSS JOIN fault f",
							" FROM fault_order o CROSS JOIN LATERAL (SELECT * FROM fault x WHERE x.seq = o.fault OFFSET 0) f") : " FROM fault f WHERE f.seq IN (SELECT f.seq FROM fault f");
	bool other = f->package || f->owner || f->tag || f->text || f->cause || f->order == ORDER_FIRST;
	add_states(&q, s->db, f, plan == PLAN_WALK || (plan == PLAN_SORT && other));
	if (plan == PLAN_WALK)
		buf_adds(&q.sql, " AND f.seq = o.fault");
	r = add_filter(&q, s, f, plan, e);
	if (r < 0)
		return r;
	if (plan == PLAN_WALK)
		buf_addf(&q.sql, " ORDER BY o.at DESC, o.fault DESC LIMIT %lld OFFSET %lld", limit, (long long)offset);
	else /* first which, then what is to be said of them */
		buf_addf(&q.sql, " ORDER BY %s DESC, f.seq DESC LIMIT %lld OFFSET %lld) ORDER BY %s DESC, f.seq DESC", orders[f->order], limit, (long long)offset, orders[f->order]);
	return ask(s, &q, h, e);
}

/* States one after the other. */
static int faults_by_state(struct store *s, const struct fault_filter *f, struct handing *h, struct err *e)
{
	static const enum fault_state order[] = { FAULT_REGRESSED, FAULT_OPEN, FAULT_IGNORED, FAULT_RESOLVED, FAULT_MERGED };
	int64_t skip = f->offset;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(order) && !h->stopped && (!f->limit || h->n < f->limit); i++) {
		struct fault_filter one = *f;
		int64_t there = 0;
		if (!asks_state(f, order[i]))
			continue;
		one.state = fault_state_words[order[i]];
		if (skip) {
			r = store_faults_count(s, &one, &there, e);
			if (r < 0)
				return r;
			if (there <= skip) {
				skip -= there;
				continue;
			}
		}
		r = ask_sorted(s, &one, skip, h, e);
		skip = 0;
	}
	return r;
}

int store_faults(struct store *s, const struct fault_filter *f, fault_fn *fn, void *ctx, struct err *e)
{
	struct handing h = { .fn = fn, .ctx = ctx };

	int r = check_states(f, e);
	if (r < 0)
		return r;
	return f->order == ORDER_STATE ? faults_by_state(s, f, &h, e) : ask_sorted(s, f, f->offset, &h, e);
}

/* Nothing but a text is asked for: the faults themselves, which are wide, need not be looked at. */
static int count_texts(struct store *s, const char *text, int64_t *ret, struct err *e)
{
	CLEANUP(query_free) struct query q = { 0 };
	CLEANUP(needle_free) struct needle x = { 0 };

	int r = needle_make(s, text, &x, e);
	if (r < 0)
		return r;
	buf_adds(&q.sql, "SELECT count(*) FROM fault_text t WHERE t.fault NOT IN (SELECT m.seq FROM fault m WHERE m.merged_into IS NOT NULL)");
	if (x.match.len && !s->db->postgres)
		add(&q, "t.fault IN (SELECT rowid FROM fault_find WHERE fault_find MATCH ?)", keep_text(&q, &x.match));
	if (s->db->postgres && x.match.len)
		add(&q, "t.body LIKE ? ESCAPE '!'", keep_text(&q, &x.like));
	else
		add(&q, DB_SQL(s->db, "instr(t.body, ?) > 0", "strpos(t.body, ?) > 0"), keep_text(&q, &x.lower));
	return q.bad || q.sql.bad ? no_memory(e) : db_get(s->db, buf_str(&q.sql), q.args, q.n, 0, ret, e);
}

static bool only_text(const struct fault_filter *f)
{
	return f->text && *f->text && !f->state && !f->cause && !f->owner && !f->package && !f->project && !f->tag && !f->test && !f->seen_since && !f->seen_before &&
	       !f->first_since && !f->no_defence;
}

int store_faults_count(struct store *s, const struct fault_filter *f, int64_t *ret, struct err *e)
{
	CLEANUP(query_free) struct query q = { 0 };

	int r = check_states(f, e);
	if (r < 0)
		return r;
	if (only_text(f))
		return count_texts(s, f->text, ret, e);
	buf_adds(&q.sql, "SELECT count(*) FROM fault f");
	add_states(&q, s->db, f, f->package || f->owner || f->tag || f->text);
	r = add_filter(&q, s, f, PLAN_SORT, e);
	if (r < 0)
		return r;
	return q.bad || q.sql.bad ? no_memory(e) : db_get(s->db, buf_str(&q.sql), q.args, q.n, 0, ret, e);
}

/* ---- one ---- */

struct getting {
	struct arena *mem;
	struct fault *ret;
	int found;
};

static int take_fault(void *ctx, const struct fault *f)
{
	struct getting *g = ctx;
	struct fault *r = g->ret;
	struct span *const texts[] = { &r->id, &r->fingerprint, &r->cause, &r->title, &r->project, &r->package, &r->test, &r->file, &r->owner, &r->first_run,
		&r->last_run, &r->first_commit, &r->last_commit, &r->first_url, &r->last_url, &r->resolved_by, &r->fix, &r->fix_commit, &r->defences, &r->tags };

	if (g->found++)
		return 0;
	*r = *f;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (!texts[i]->p)
			continue;
		*texts[i] = arena_span(g->mem, *texts[i]);
		if (!texts[i]->p)
			return -ENOMEM;
	}
	return 0;
}

static int get_by(struct store *s, const char *condition, struct db_value v, struct getting *g, struct err *e)
{
	CLEANUP(query_free) struct query q = { 0 };
	struct handing h = { .fn = take_fault, .ctx = g };

	fault_select(s->db, &q.sql);
	buf_adds(&q.sql, " WHERE 1 = 1");
	add(&q, condition, v);
	buf_adds(&q.sql, " LIMIT 3");
	int r = ask(s, &q, &h, e);
	return r == -ENOMEM ? no_memory(e) : r;
}

#define PREFIX_MIN 6

static int find(struct store *s, struct span ref, struct getting *g, struct err *e)
{
	struct span digits = ref;
	char low[64];
	int64_t seq;

	if (digits.n > 2 && (digits.p[0] == 'T' || digits.p[0] == 't') && digits.p[1] == '-')
		digits = span_from(digits, 2);
	if (digits.n < 12 && span_int(digits, &seq) && seq > 0)
		return get_by(s, "f.seq = ?", db_int(seq), g, e);
	if (ref.n < PREFIX_MIN || ref.n >= sizeof(low))
		return 0;
	for (size_t i = 0; i < ref.n; i++) {
		char c = ref.p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
			return 0;
		low[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	low[ref.n] = '\0';
	/* ranges, so that the unique indexes are used: '~' and 'z~' stand behind all that an id can hold */
	char upper[64], last[66];
	for (size_t i = 0; i <= ref.n; i++)
		upper[i] = low[i] >= 'a' && low[i] <= 'z' ? (char)(low[i] - 32) : low[i];
	snprintf(last, sizeof(last), "%s~", upper);
	CLEANUP(query_free) struct query q = { 0 };
	struct handing h = { .fn = take_fault, .ctx = g };
	fault_select(s->db, &q.sql);
	buf_adds(&q.sql, DB_SQL(s->db, " WHERE (f.id >= ?1 AND f.id < ?2) OR (f.fingerprint >= ?3 AND f.fingerprint < ?4) LIMIT 3",
				" WHERE (f.id COLLATE \"C\" >= ?1 AND f.id COLLATE \"C\" < ?2) OR (f.fingerprint COLLATE \"C\" >= ?3 AND f.fingerprint COLLATE \"C\" < ?4) LIMIT 3"));
	char low_last[66];
	snprintf(low_last, sizeof(low_last), "%s~", low);
	q.args[0] = db_textz(upper);
	q.args[1] = db_textz(last);
	q.args[2] = db_textz(low);
	q.args[3] = db_textz(low_last);
	q.n = 4;
	int r = ask(s, &q, &h, e);
	if (r < 0 || g->found)
		return r;
	return get_by(s, "f.seq = (SELECT o.fault FROM fault_old o WHERE o.fingerprint = ?)", db_textz(low), g, e);
}

int store_fault_get(struct store *s, const char *ref, struct arena *mem, struct fault *ret, struct err *e)
{
	struct getting g = { .mem = mem, .ret = ret };
	int64_t last = 0;

	int r = find(s, span_trim(span_of(ref)), &g, e);
	for (int hops = 0; r == 0 && g.found == 1 && ret->merged_into && hops < 8; hops++) {
		g.found = 0;
		r = get_by(s, "f.seq = ?", db_int(ret->merged_into), &g, e);
	}
	if (r < 0 || g.found == 1)
		return r;
	if (g.found > 1)
		return err_set(e, EEXIST, TR("several faults begin with '%.40s': write more of it", "有多个故障以“%.40s”开头：请写得更长"), ref);
	r = db_get(s->db, "SELECT max(seq) FROM fault", NULL, 0, 0, &last, e);
	if (r < 0)
		return r;
	return last ? err_set(e, ENOENT, TR("there is no fault '%.40s' in %s; the newest is T-%lld (`tocsin fault list` shows all)",
					    "%2$s 中没有故障“%1$.40s”；最新的是 T-%3$lld（`tocsin fault list` 查看全部）"), ref, s->db->name, (long long)last)
		    : err_set(e, ENOENT, TR("there is no fault '%.40s': the store %s has none yet", "没有故障“%.40s”：存储 %s 中尚无任何故障"), ref, s->db->name);
}

struct days {
	int64_t *v, first;
	size_t n;
};

static int take_day(void *ctx, const struct db_value *row, size_t n)
{
	struct days *d = ctx;
	int64_t at = db_number(row[0], 0) - d->first;

	if (at >= 0 && (size_t)at < d->n)
		d->v[at] = db_number(row[1], 0);
	return 0;
}

int store_fault_days(struct store *s, int64_t seq, int64_t now, int64_t *counts, size_t n, struct err *e)
{
	struct days d = { counts, now / DAY_NSEC - (int64_t)n + 1, n };

	memset(counts, 0, n * sizeof(*counts));
	int64_t r = db_query(s->db, "SELECT day, count FROM fault_day WHERE fault = ?1 AND day >= ?2", DB_ARGS(db_int(seq), db_int(d.first)), take_day, &d, e);
	return r < 0 ? (int)r : 0;
}

/* ---- its findings ---- */

struct sights {
	sighting_fn *fn;
	void *ctx;
	struct buf first, body, modules;
	int64_t first_of; /* seq of the fault whose first body this is */
	struct err *e;
};

static int hand_sighting(void *ctx, const struct db_value *row, size_t n)
{
	struct sights *w = ctx;
	struct sighting x = { .run = db_span(row[2]), .started = db_number(row[3], 0), .project = db_span(row[4]), .branch = db_span(row[5]), .commit = db_span(row[6]),
		.url = db_span(row[7]), .go = db_span(row[8]), .outcome = db_span(row[9]), .argv = db_span(row[10]) };
	struct report r = { 0 };
	int q = 0;

	if (w->first_of != db_number(row[0], 0)) {
		w->first_of = db_number(row[0], 0);
		buf_clear(&w->first);
		q = unpack_text(db_span(row[12]), (struct span){ 0 }, &w->first, w->e);
	}
	buf_clear(&w->body);
	buf_clear(&w->modules);
	if (q == 0 && row[1].type != DB_NULL)
		q = unpack_text(db_span(row[1]), buf_view(&w->first), &w->body, w->e);
	if (q == 0 && row[11].type == DB_BLOB)
		q = unpack_text(row[11].s, (struct span){ 0 }, &w->modules, w->e);
	if (q == 0)
		q = body_read(row[1].type == DB_NULL ? buf_view(&w->first) : buf_view(&w->body), &r, w->e);
	if (q < 0)
		return q;
	x.finding = &r.findings[0];
	x.modules = buf_view(&w->modules);
	q = w->fn(w->ctx, &x);
	report_free(&r);
	return q;
}

int store_sightings(struct store *s, int64_t seq, bool oldest_first, int64_t limit, sighting_fn *fn, void *ctx, struct err *e)
{
	struct sights w = { .fn = fn, .ctx = ctx, .e = e, .first_of = -1 };
	CLEANUP(buf_free) struct buf sql = { 0 };

	const char *order = oldest_first ? "ASC" : "DESC";
	/* first which, from an index, then what they are */
	buf_addf(&sql, "SELECT x.fault, x.body, r.id, r.started, r.project, r.branch, r.commit_id, %s, r.go, r.outcome, r.argv, b.body, f.body FROM"
		 " (SELECT run, n FROM finding WHERE fault IN (SELECT CAST(?1 AS BIGINT) UNION ALL SELECT seq FROM fault WHERE merged_into = ?1) ORDER BY run %s, n LIMIT %lld) w"
		 " JOIN finding x ON x.run = w.run AND x.n = w.n JOIN run r ON r.seq = x.run JOIN fault f ON f.seq = x.fault LEFT JOIN blob b ON b.id = r.modules"
		 " ORDER BY x.run %s, x.n",
		 DB_SQL(s->db, "json_extract(r.ci, '$.url')", "r.ci::jsonb ->> 'url'"), order, limit ? (long long)limit : INT64_MAX, order);
	if (sql.bad)
		return no_memory(e);
	int64_t n = db_query(s->db, buf_str(&sql), DB_ARGS(db_int(seq)), hand_sighting, &w, e);
	buf_free(&w.first);
	buf_free(&w.body);
	buf_free(&w.modules);
	return n < 0 ? (int)n : 0;
}

struct ends {
	struct arena *mem;
	struct finding *first, *last;
	struct err *e;
	bool found;
};

/* The finding, with memory that outlives its report. */
static int keep_finding(struct span body, struct arena *mem, struct finding *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	struct report r = { 0 };

	int q = body_read(body, &r, e);
	if (q < 0)
		return q;
	finding_json(&r, &r.findings[0], &json);
	report_free(&r);
	return json.bad ? no_memory(e) : finding_read(buf_view(&json), mem, ret, e);
}

static int take_ends(void *ctx, const struct db_value *row, size_t n)
{
	struct ends *x = ctx;
	CLEANUP(buf_free) struct buf first = { 0 }, last = { 0 };

	x->found = true;
	int r = unpack_text(db_span(row[0]), (struct span){ 0 }, &first, x->e);
	if (r == 0)
		r = keep_finding(buf_view(&first), x->mem, x->first, x->e);
	if (r == 0 && row[1].type == DB_BLOB)
		r = unpack_text(row[1].s, buf_view(&first), &last, x->e);
	if (r == 0)
		r = keep_finding(buf_view(row[1].type == DB_BLOB ? &last : &first), x->mem, x->last, x->e);
	return r < 0 ? r : 1;
}

int store_fault_ends(struct store *s, int64_t seq, struct arena *mem, struct finding *first, struct finding *last, struct err *e)
{
	struct ends x = { .mem = mem, .first = first, .last = last, .e = e };

	int64_t n = db_query(s->db, "SELECT body, last_body FROM fault WHERE seq = ?1", DB_ARGS(db_int(seq)), take_ends, &x, e);
	if (n < 0)
		return (int)n;
	return x.found ? 0 : err_set(e, ENOENT, TR("there is no fault T-%lld", "没有故障 T-%lld"), (long long)seq);
}
