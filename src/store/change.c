#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/time.h"
#include "store/state.h"

const char *const change_words[] = { "resolved", "reopened", "ignored", "assigned", "tagged", "untagged", "note", "linked", "unlinked", "merged", "regressed", "imported", NULL };

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

int fault_event_add(struct store *s, int64_t seq, enum change_kind kind, int64_t at, const char *who, const char *text, struct span data, struct err *e)
{
	char id[27];

	ulid_make(at, id);
	int64_t n = db_run(s->db, "INSERT INTO fault_event(id, fault, at, kind, who, text, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
			   DB_ARGS(db_textz(id), db_int(seq), db_int(at), db_textz(change_words[kind]), db_textz(who), db_textz(text), db_text(data)), e);
	return n < 0 ? (int)n : 0;
}

/* ?1 the fault, ?2 when, ?3 who, ?4 text, ?5 commit, ?6 until or into; each is used by name. */
struct change_row {
	const char *sql;  /* NULL: the history alone */
	bool strict;      /* no row changed: it makes no sense, and why */
	struct tx refused; /* behind the fault's number */
	bool text_kept;   /* the text is searched */
};

/* clang-format off */
static const struct change_row changes[CHANGE_KINDS] = {
	[CHANGE_RESOLVED] = { "UPDATE fault SET state = 'resolved', resolved_at = ?2, resolved_by = ?3, fix = ?4, fix_commit = ?5, ignored_until = ?6"
		" WHERE seq = ?1 AND state IN ('open', 'regressed', 'ignored')", true,
		{ "is resolved already: `tocsin fault show` says by whom", "已经解决：`tocsin fault show` 可查看由谁解决" }, true },
	[CHANGE_REOPENED] = { "UPDATE fault SET state = 'open', ignored_until = NULL WHERE seq = ?1 AND state IN ('resolved', 'ignored')", true,
		{ "is open already", "本来就是打开的" }, false },
	[CHANGE_IGNORED] = { "UPDATE fault SET state = 'ignored', ignored_until = ?6 WHERE seq = ?1 AND state IN ('open', 'regressed', 'ignored')", true,
		{ "is resolved: reopen it first (tocsin fault reopen)", "已解决：请先重新打开（tocsin fault reopen）" }, true },
	[CHANGE_ASSIGNED] = { "UPDATE fault SET owner = ?4 WHERE seq = ?1", true, { "does not exist", "不存在" }, true },
	[CHANGE_TAGGED] = { "INSERT INTO fault_tag(fault, tag) VALUES (?1, ?4) ON CONFLICT DO NOTHING", true,
		{ "has that tag already", "已有该标签" }, true },
	[CHANGE_UNTAGGED] = { "DELETE FROM fault_tag WHERE fault = ?1 AND tag = ?4", true, { "does not have that tag", "没有该标签" }, true },
	[CHANGE_NOTE] = { NULL, false, { NULL, NULL }, true },
	[CHANGE_LINKED] = { "INSERT INTO defence(fault, kind, name, at, who) VALUES (?1, ?5, ?4, ?2, ?3) ON CONFLICT DO NOTHING", true,
		{ "has that defence already", "已有该防御" }, true },
	[CHANGE_UNLINKED] = { "DELETE FROM defence WHERE fault = ?1 AND kind = ?5 AND name = ?4", true,
		{ "does not have that defence", "没有该防御" }, true },
	[CHANGE_MERGED] = { "UPDATE fault SET state = 'merged', merged_into = ?6 WHERE seq = ?1 AND merged_into IS NULL AND seq <> ?6", true,
		{ "cannot be merged into itself, or was merged already", "不能合并到自身，或已被合并" }, false },
};
/* clang-format on */

/* Its counts go to the fault that it was merged into; a run that showed both counts once. */
static int merge_counts(struct store *s, int64_t from, int64_t into, struct err *e)
{
	static const char *const sql[] = {
		"UPDATE fault SET count = count + (SELECT a.count FROM fault a WHERE a.seq = ?1) - (SELECT count(DISTINCT x.run) FROM finding x JOIN finding y ON y.run = x.run"
		" WHERE x.fault = ?1 AND y.fault = ?2) WHERE seq = ?2",
		"INSERT INTO fault_day(fault, day, count) SELECT CAST(?2 AS BIGINT), day, count FROM fault_day WHERE fault = ?1 ON CONFLICT (fault, day) DO UPDATE SET count = fault_day.count + excluded.count",
		"INSERT INTO fault_branch(fault, branch, count, first_seen, last_seen) SELECT CAST(?2 AS BIGINT), branch, count, first_seen, last_seen FROM fault_branch WHERE fault = ?1"
		" ON CONFLICT (fault, branch) DO UPDATE SET count = fault_branch.count + excluded.count",
		"INSERT INTO fault_tag(fault, tag) SELECT CAST(?2 AS BIGINT), tag FROM fault_tag WHERE fault = ?1 ON CONFLICT DO NOTHING",
		"INSERT INTO defence(fault, kind, name, at, who) SELECT CAST(?2 AS BIGINT), kind, name, at, who FROM defence WHERE fault = ?1 ON CONFLICT DO NOTHING",
		"UPDATE fault SET merged_into = ?2 WHERE merged_into = ?1",
		/* what was resolved, and is the same as what was seen since, was not */
		"UPDATE fault SET state = 'regressed', regressed_at = (SELECT last_seen FROM fault WHERE seq = ?1) WHERE seq = ?2 AND state = 'resolved'"
		" AND EXISTS (SELECT 1 FROM fault a WHERE a.seq = ?1 AND a.last_seen > fault.resolved_at AND (a.resolved_at IS NULL OR a.last_seen > a.resolved_at))",
		/* the ends: of both, the first and the last */
		"UPDATE fault SET first_seen = (SELECT first_seen FROM fault WHERE seq = ?1), first_run = (SELECT first_run FROM fault WHERE seq = ?1),"
		" first_commit = (SELECT first_commit FROM fault WHERE seq = ?1), first_url = (SELECT first_url FROM fault WHERE seq = ?1)"
		" WHERE seq = ?2 AND first_seen > (SELECT first_seen FROM fault WHERE seq = ?1)",
		"UPDATE fault SET last_seen = (SELECT last_seen FROM fault WHERE seq = ?1), last_run = (SELECT last_run FROM fault WHERE seq = ?1),"
		" last_commit = (SELECT last_commit FROM fault WHERE seq = ?1), last_url = (SELECT last_url FROM fault WHERE seq = ?1)"
		" WHERE seq = ?2 AND last_seen < (SELECT last_seen FROM fault WHERE seq = ?1)",
	};

	for (size_t i = 0; i < ARRAY_LEN(sql); i++) {
		int64_t n = db_run(s->db, sql[i], DB_ARGS(db_int(from), db_int(into)), e);
		if (n < 0)
			return (int)n;
	}
	return fault_order_set(s, into, e);
}

int fault_merge(struct store *s, int64_t from, int64_t into, int64_t at, struct err *e)
{
	char data[40];

	int64_t n = db_run(s->db, "UPDATE fault SET state = 'merged', merged_into = ?2 WHERE seq = ?1", DB_ARGS(db_int(from), db_int(into)), e);
	int r = n < 0 ? (int)n : merge_counts(s, from, into, e);
	snprintf(data, sizeof(data), "{\"into\":%lld}", (long long)into);
	if (r == 0)
		r = fault_event_add(s, from, CHANGE_MERGED, at, NULL, TR("both have one fingerprint now", "两者现在指纹相同"), span_of(data), e);
	return r == 0 ? fault_index(s, into, e) : r;
}

static void change_data(const struct fault_change *c, struct buf *ret)
{
	struct json_out j = { .to = ret };

	if (!c->commit && !c->until && !c->into)
		return;
	json_open(&j, '{');
	if (c->commit) {
		json_key(&j, "commit");
		json_strz(&j, c->commit);
	}
	if (c->until) {
		json_key(&j, "until");
		json_int(&j, c->until);
	}
	if (c->into) {
		json_key(&j, "into");
		json_int(&j, c->into);
	}
	json_close(&j, '}');
}

struct changing {
	int64_t seq;
	const struct fault_change *c;
};

/* "KIND:NAME" */
static int defence_parts(const char *text, struct span *kind, struct span *name, struct err *e)
{
	struct span rest = span_of(text ? text : "");

	*kind = span_cut(&rest, ':');
	*name = rest;
	if (!kind->n || !name->n)
		return err_set(e, EINVAL, TR("a defence is KIND:NAME, such as test:TestParse, rule:SA4006, drill:disk-full or contract:parse.yaml",
					     "防御写作 类型:名称，如 test:TestParse、rule:SA4006、drill:disk-full、contract:parse.yaml"));
	return 0;
}

static int apply(struct store *s, const struct changing *x, const struct change_row *row, struct err *e)
{
	const struct fault_change *c = x->c;
	struct db_value text = db_textz(c->text), extra = db_textz(c->commit);
	int64_t number = c->kind == CHANGE_MERGED ? c->into : c->until;

	if (c->kind == CHANGE_LINKED || c->kind == CHANGE_UNLINKED) {
		struct span kind, name;
		int r = defence_parts(c->text, &kind, &name, e);
		if (r < 0)
			return r;
		extra = db_text(kind);
		text = db_text(name);
	}
	struct db_value all[] = { db_int(x->seq), db_int(c->at), db_textz(c->who), text, extra, c->kind == CHANGE_RESOLVED ? db_null() : db_int_or(number, 0) };
	/* Parameters are handed over as far as the statement goes: PostgreSQL refuses those that it does not use. */
	struct db_value used[ARRAY_LEN(all)];
	CLEANUP(buf_free) struct buf sql = { 0 };
	size_t n = 0, place[ARRAY_LEN(all)] = { 0 };
	for (const char *p = row->sql; *p; p++) {
		size_t i = *p == '?' && p[1] >= '1' && p[1] <= '6' ? (size_t)(p[1] - '0') : 0;
		if (!i) {
			buf_addc(&sql, *p);
			continue;
		}
		if (!place[i - 1]) {
			used[n++] = all[i - 1];
			place[i - 1] = n;
		}
		buf_addf(&sql, "?%zu", place[i - 1]);
		p++;
	}
	if (sql.bad)
		return no_memory(e);
	int64_t changed = db_run(s->db, buf_str(&sql), used, n, e);
	if (changed == 0 && row->strict)
		return err_set(e, EINVAL, "T-%lld %s", (long long)x->seq, tx(row->refused));
	return changed < 0 ? (int)changed : 0;
}

static int change_all(struct store *s, void *ctx, struct err *e)
{
	const struct changing *x = ctx;
	const struct change_row *row = &changes[x->c->kind];
	CLEANUP(buf_free) struct buf data = { 0 };
	int64_t there = 0;

	int r = db_get(s->db, "SELECT seq FROM fault WHERE seq = ?1", DB_ARGS(db_int(x->seq)), 0, &there, e);
	if (r == 0 && !there)
		return err_set(e, ENOENT, TR("there is no fault T-%lld", "没有故障 T-%lld"), (long long)x->seq);
	if (r == 0 && row->sql)
		r = apply(s, x, row, e);
	if (r == 0 && x->c->kind == CHANGE_MERGED)
		r = merge_counts(s, x->seq, x->c->into, e);
	change_data(x->c, &data);
	if (r == 0 && data.bad)
		r = no_memory(e);
	if (r == 0)
		r = fault_event_add(s, x->seq, x->c->kind, x->c->at, x->c->who, x->c->text, buf_view(&data), e);
	if (r == 0 && x->c->kind == CHANGE_MERGED)
		r = fault_index(s, x->c->into, e);
	return r == 0 && row->text_kept ? fault_index(s, x->seq, e) : r;
}

int store_fault_change(struct store *s, int64_t seq, const struct fault_change *c, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct fault_change clean = *c;
	struct changing x = { seq, &clean };

	if (c->kind >= CHANGE_REGRESSED)
		return err_set(e, EINVAL, TR("that is for runs to say", "这只能由运行得出"));
	if (c->text) { /* people paste logs */
		redact_text(NULL, span_of(c->text), &text);
		clean.text = buf_str(&text);
	}
	return text.bad ? no_memory(e) : store_transact(s, change_all, &x, e);
}

/* ---- the history ---- */

struct handing {
	event_fn *fn;
	void *ctx;
};

static int hand_event(void *ctx, const struct db_value *row, size_t n)
{
	struct handing *h = ctx;
	struct fault_event v = { .id = db_span(row[0]), .seq = db_number(row[1], 0), .at = db_number(row[2], 0), .kind = db_span(row[3]), .who = db_span(row[4]),
		.text = db_span(row[5]), .data = db_span(row[6]) };

	return h->fn(h->ctx, &v);
}

int store_events(struct store *s, int64_t seq, event_fn *fn, void *ctx, struct err *e)
{
	struct handing h = { fn, ctx };
	static const char all[] = "SELECT id, fault, at, kind, who, text, data FROM fault_event ORDER BY at, id";
	static const char one[] = "SELECT id, fault, at, kind, who, text, data FROM fault_event WHERE fault IN (SELECT seq FROM fault WHERE seq = ?1 OR merged_into = ?1) ORDER BY at, id";

	int64_t n = seq ? db_query(s->db, one, DB_ARGS(db_int(seq)), hand_event, &h, e) : db_query(s->db, all, NULL, 0, hand_event, &h, e);
	return n < 0 ? (int)n : 0;
}
