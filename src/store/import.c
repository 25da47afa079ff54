#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/redact.h"
#include "base/text.h"
#include "base/time.h"
#include "model/fingerprint.h"
#include "store/state.h"

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* ---- faults of an older list ---- */

struct importing {
	const struct fault_import *f;
	int64_t now, seq;
	char fingerprint[FINGERPRINT_LEN + 1];
	struct finding finding;
	bool there;
};

static enum cause cause_of(const char *id)
{
	enum cause c = id ? cause_by_id(span_of(id)) : CAUSE_NONE;

	return c ? c : CAUSE_PROC_EXIT; /* an older list has words of its own: they stay in its text */
}

static const char *state_for(const char *word)
{
	for (int i = 0; i < FAULT_MERGED; i++) {
		if (word && strcmp(word, fault_state_words[i]) == 0)
			return fault_state_words[i];
	}
	return fault_state_words[FAULT_OPEN];
}

static int64_t positive(int64_t v, int64_t none)
{
	return v > 0 ? v : none;
}

static int insert(struct store *s, struct importing *x, struct span body, struct err *e)
{
	static const char sql[] =
		"INSERT INTO fault(id, fingerprint, cause, severity, title, project, package, test, file, line, state, count, first_seen, last_seen, first_run, last_run,"
		" owner, resolved_at, fix, fix_commit, body, resolved_by, ignored_until)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, '', '', ?15, ?16, ?17, ?18, ?19, ?20, ?21)"
		" ON CONFLICT DO NOTHING";
	const struct fault_import *f = x->f;
	CLEANUP(buf_free) struct buf title = { 0 }, packed = { 0 };
	const char *state = state_for(f->state);
	char cause[CAUSE_ID_MAX];
	int64_t last = positive(f->last_seen, positive(f->first_seen, x->now)), first = positive(f->first_seen, last);
	char id[27];

	text_clean(utf8_head(span_of(f->title ? f->title : ""), 200), false, &title);
	int r = title.bad ? no_memory(e) : pack_text(body, (struct span){ 0 }, &packed, e);
	if (r < 0)
		return r;
	ulid_make(first, id);
	bool resolved = strcmp(state, "resolved") == 0;
	int64_t n = db_run(s->db, sql, DB_ARGS(db_textz(f->id && strlen(f->id) == 26 ? f->id : id), db_textz(x->fingerprint), db_textz(finding_cause_id(&x->finding, cause)),
		db_int(SEV_ERROR), db_text(title.len ? buf_view(&title) : S("")), db_textz(f->project ? f->project : ""), db_textz(f->package), db_textz(f->test),
		db_textz(f->file), db_int_or(f->line, 0), db_textz(state), db_int(positive(f->count, 1)), db_int(first), db_int(last), db_textz(f->owner),
		resolved ? db_int(positive(f->resolved_at, last)) : db_null(), db_textz(f->fix), db_textz(f->fix_commit), db_blob(buf_view(&packed)), db_textz(resolved ? f->resolved_by : NULL),
		strcmp(state, "ignored") == 0 ? db_int_or(f->ignored_until, 0) : db_null()), e);
	x->there = n == 0;
	if (n >= 0)
		n = db_get(s->db, "SELECT seq FROM fault WHERE fingerprint = ?1", DB_ARGS(db_textz(x->fingerprint)), 0, &x->seq, e);
	return n < 0 || x->there ? (int)n : fault_order_set(s, x->seq, e);
}

static int import_lists(struct store *s, const struct importing *x, struct err *e)
{
	const struct fault_import *f = x->f;
	int64_t n = 0;

	for (size_t i = 0; n >= 0 && i < f->n_tags; i++)
		n = db_run(s->db, "INSERT INTO fault_tag(fault, tag) VALUES (?1, ?2) ON CONFLICT DO NOTHING", DB_ARGS(db_int(x->seq), db_textz(f->tags[i])), e);
	for (size_t i = 0; n >= 0 && i < f->n_defences; i++) {
		struct span rest = span_of(f->defences[i]), kind = span_cut(&rest, ':');
		if (!kind.n || !rest.n)
			continue;
		n = db_run(s->db, "INSERT INTO defence(fault, kind, name, at, who) VALUES (?1, ?2, ?3, ?4, NULL) ON CONFLICT DO NOTHING",
			   DB_ARGS(db_int(x->seq), db_text(kind), db_text(rest), db_int(x->now)), e);
	}
	for (size_t i = 0; n >= 0 && i < f->n_events; i++) {
		const struct fault_event *v = &f->events[i];
		n = db_run(s->db, "INSERT INTO fault_event(id, fault, at, kind, who, text, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
			   DB_ARGS(db_text(v->id), db_int(x->seq), db_int(v->at), db_text(v->kind), db_text(v->who), db_text(v->text), db_text(v->data)), e);
	}
	return n < 0 ? (int)n : 0;
}

static int import_work(struct store *s, struct importing *x, struct err *e)
{
	struct report r = { 0 };
	CLEANUP(buf_free) struct buf body = { 0 };

	body_make(&r, &x->finding, &body);
	if (body.bad)
		return no_memory(e);
	int n = insert(s, x, buf_view(&body), e);
	if (n < 0 || x->there)
		return n < 0 ? n : 1;
	n = import_lists(s, x, e);
	if (n == 0)
		n = fault_event_add(s, x->seq, CHANGE_IMPORTED, x->now, NULL, x->f->text, (struct span){ 0 }, e);
	return n == 0 ? fault_index(s, x->seq, e) : n;
}

/* What comes from an older list may hold what should never have been in it. */
static void take_clean(const char **text, struct buf *room)
{
	if (!*text)
		return;
	redact_text(NULL, span_of(*text), room);
	*text = buf_str(room);
}

/* Within a transaction. 1: it was there. */
static int import_one(struct store *s, const struct fault_import *given, int64_t now, int64_t *seq, struct err *e)
{
	CLEANUP(buf_free) struct buf title = { 0 }, text = { 0 }, fix = { 0 };
	struct fault_import clean = *given, *f = &clean;
	struct importing x = { .f = f, .now = now };
	struct report r = { 0 };

	take_clean(&f->title, &title);
	take_clean(&f->text, &text);
	take_clean(&f->fix, &fix);
	if (title.bad || text.bad || fix.bad)
		return no_memory(e);

	x.finding = (struct finding){ .cause = cause_of(f->cause), .rule = f->cause ? cause_rule(span_of(f->cause)).p : NULL, .severity = SEV_ERROR, .classes = "", .package = span_of(f->package), .test = span_of(f->test),
		.file = span_of(f->file), .line = f->line, .message = span_of(f->title), .excerpt = span_of(f->text) };
	if (f->fingerprint && strlen(f->fingerprint) == FINGERPRINT_LEN)
		memcpy(x.fingerprint, f->fingerprint, FINGERPRINT_LEN);
	else
		fingerprint_make(&r, &x.finding, x.fingerprint);
	int n = import_work(s, &x, e);
	*seq = x.seq;
	return n;
}

struct import_batch {
	const struct fault_import *v;
	size_t n, fresh;
	int64_t now, seq;
};

static int import_batch(struct store *s, void *ctx, struct err *e)
{
	struct import_batch *b = ctx;

	b->fresh = 0;
	for (size_t i = 0; i < b->n; i++) {
		int r = import_one(s, &b->v[i], b->now, &b->seq, e);
		if (r < 0)
			return r;
		b->fresh += r == 0;
	}
	return 0;
}

int store_fault_import(struct store *s, const struct fault_import *f, int64_t now, int64_t *seq, struct err *e)
{
	struct import_batch b = { .v = f, .n = 1, .now = now };

	int r = store_transact(s, import_batch, &b, e);
	if (r < 0)
		return r;
	*seq = b.seq;
	return b.fresh ? 0 : 1;
}

int store_faults_import(struct store *s, const struct fault_import *f, size_t n, int64_t now, size_t *fresh, struct err *e)
{
	struct import_batch b = { .v = f, .n = n, .now = now };

	int r = store_transact(s, import_batch, &b, e);
	*fresh = r < 0 ? 0 : b.fresh;
	return r;
}

/* ---- fingerprints of an older version ---- */

struct older {
	int64_t seq;
	char fingerprint[64];
	struct buf body, last;
	bool found;
};

static int take_older(void *ctx, const struct db_value *row, size_t n)
{
	struct older *o = ctx;

	o->found = true;
	o->seq = db_number(row[0], 0);
	struct span f = span_head(db_span(row[1]), sizeof(o->fingerprint) - 1);
	if (f.n)
		memcpy(o->fingerprint, f.p, f.n);
	o->fingerprint[f.n] = '\0';
	buf_span(&o->body, db_span(row[2]));
	buf_span(&o->last, db_span(row[3]));
	return 1;
}

/* Its last finding says what it is called now; one that was only imported has none, and keeps its name. */
static int newer_name(struct older *o, char ret[FINGERPRINT_LEN + 1], struct err *e)
{
	CLEANUP(buf_free) struct buf first = { 0 }, last = { 0 };
	struct report r = { 0 };

	int n = unpack_text(buf_view(&o->body), (struct span){ 0 }, &first, e);
	if (n == 0 && o->last.len)
		n = unpack_text(buf_view(&o->last), buf_view(&first), &last, e);
	if (n == 0)
		n = body_read(buf_view(o->last.len ? &last : &first), &r, e);
	if (n < 0)
		return n;
	fingerprint_make(&r, &r.findings[0], ret);
	report_free(&r);
	return 0;
}

/* Two faults that have one name now are one: the older keeps its number. */
static int rename_fault(struct store *s, const struct older *o, const char *name, struct err *e)
{
	int64_t other = 0, n;

	n = db_run(s->db, "INSERT INTO fault_old(fingerprint, fault) VALUES (?1, ?2) ON CONFLICT DO NOTHING", DB_ARGS(db_textz(o->fingerprint), db_int(o->seq)), e);
	if (n < 0)
		return (int)n;
	int r = db_get(s->db, "SELECT seq FROM fault WHERE fingerprint = ?1", DB_ARGS(db_textz(name)), 0, &other, e);
	if (r < 0)
		return r;
	if (!other) {
		n = db_run(s->db, "UPDATE fault SET fingerprint = ?1 WHERE seq = ?2", DB_ARGS(db_textz(name), db_int(o->seq)), e);
		return n < 0 ? (int)n : 0;
	}
	int64_t from = other < o->seq ? o->seq : other, into = other < o->seq ? other : o->seq;
	char freed[FINGERPRINT_LEN + 8];
	snprintf(freed, sizeof(freed), "%d-merged-%lld", FINGERPRINT_VERSION, (long long)from); /* unique, and nobody's */
	n = db_run(s->db, "UPDATE fault SET fingerprint = ?1 WHERE seq = ?2", DB_ARGS(db_textz(freed), db_int(from)), e);
	if (n >= 0)
		n = db_run(s->db, "UPDATE fault SET fingerprint = ?1 WHERE seq = ?2", DB_ARGS(db_textz(name), db_int(into)), e);
	return n < 0 ? (int)n : fault_merge(s, from, into, time_wall(), e);
}

static int rename_all(struct store *s, void *ctx, struct err *e)
{
	int64_t after = 0, have = 0, n;
	char like[16], value[16];
	int r = db_get(s->db, "SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'fingerprint'", NULL, 0, 0, &have, e);

	if (r < 0 || have >= FINGERPRINT_VERSION)
		return r;
	snprintf(like, sizeof(like), "%d%%", FINGERPRINT_VERSION);
	for (;;) {
		struct older o = { 0 };
		char name[FINGERPRINT_LEN + 1];
		n = db_query(s->db, "SELECT seq, fingerprint, body, last_body FROM fault WHERE seq > ?1 AND fingerprint NOT LIKE ?2 AND merged_into IS NULL AND first_run <> '' ORDER BY seq LIMIT 1",
			     DB_ARGS(db_int(after), db_textz(like)), take_older, &o, e);
		after = o.seq;
		r = n < 0 ? (int)n : 0;
		if (r == 0 && o.found && newer_name(&o, name, e) == 0) /* what cannot be read keeps its old name */
			r = rename_fault(s, &o, name, e);
		buf_free(&o.body);
		buf_free(&o.last);
		if (r < 0)
			return r;
		if (!o.found)
			break;
	}
	snprintf(value, sizeof(value), "%d", FINGERPRINT_VERSION);
	n = db_run(s->db, "UPDATE meta SET value = ?1 WHERE key = 'fingerprint'", DB_ARGS(db_textz(value)), e);
	return n < 0 ? (int)n : 0;
}

int fingerprint_migrate(struct store *s, struct err *e)
{
	int64_t have = 0;
	int r = db_get(s->db, "SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'fingerprint'", NULL, 0, 0, &have, e);

	if (r < 0 || have == FINGERPRINT_VERSION)
		return r;
	if (have > FINGERPRINT_VERSION)
		return err_set(e, ENOTSUP, TR("the store %s was written by a newer Tocsin (fingerprint %lld; this one makes %d): update this one, or name another store",
					      "存储 %s 由更新版本的 Tocsin 写入（指纹版本 %lld，本版本为 %d）：请升级本程序，或指定其他存储"), s->db->name, (long long)have, FINGERPRINT_VERSION);
	return store_transact(s, rename_all, NULL, e);
}
