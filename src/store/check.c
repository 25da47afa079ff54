#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "store/schema.h"
#include "store/state.h"
#include "store/upkeep.h"

/* Is everything there that something else names, and can it be read? Changes nothing. */
struct checking {
	check_fn *fn;
	void *ctx;
	int wrong;
};

static void say(struct checking *c, bool ok, const char *sentence)
{
	c->wrong += !ok;
	c->fn(c->ctx, ok, sentence);
}

/* clang-format off */
static const struct {
	const char *sql; /* how many are wrong */
	struct tx what;  /* that they are not; %lld for when they are */
} rules[] = {
	{ "SELECT count(*) FROM finding f WHERE NOT EXISTS (SELECT 1 FROM fault x WHERE x.seq = f.fault)", { "findings without their fault", "没有对应故障的发现" } },
	{ "SELECT count(*) FROM finding f WHERE NOT EXISTS (SELECT 1 FROM run x WHERE x.seq = f.run)", { "findings without their run", "没有对应运行的发现" } },
	{ "SELECT count(*) FROM (SELECT DISTINCT run FROM result) r WHERE NOT EXISTS (SELECT 1 FROM run x WHERE x.seq = r.run)", { "test results without their run", "没有对应运行的测试结果" } },
	{ "SELECT count(*) FROM (SELECT DISTINCT test FROM result) r WHERE NOT EXISTS (SELECT 1 FROM test x WHERE x.id = r.test)", { "test results without their test", "没有对应测试的测试结果" } },
	{ "SELECT count(*) FROM attempt a WHERE NOT EXISTS (SELECT 1 FROM run x WHERE x.seq = a.run)", { "attempts without their run", "没有对应运行的尝试" } },
	{ "SELECT count(*) FROM command c WHERE NOT EXISTS (SELECT 1 FROM run x WHERE x.seq = c.run)", { "commands without their run", "没有对应运行的命令" } },
	{ "SELECT count(*) FROM run r WHERE modules IS NOT NULL AND NOT EXISTS (SELECT 1 FROM blob x WHERE x.id = r.modules)", { "runs without their list of modules", "缺少模块列表的运行" } },
	{ "SELECT count(*) FROM fault f WHERE f.count < (SELECT count(DISTINCT x.run) FROM finding x WHERE x.fault = f.seq)", { "faults that count fewer runs than show them", "计数少于实际出现次数的故障" } },
	{ "SELECT count(*) FROM fault f WHERE merged_into IS NOT NULL AND (merged_into = seq OR NOT EXISTS (SELECT 1 FROM fault x WHERE x.seq = f.merged_into))", { "faults merged into none", "合并目标不存在的故障" } },
	{ "SELECT count(*) FROM fault f WHERE (state = 'merged') <> (merged_into IS NOT NULL)", { "faults whose state is not what was done with them", "状态与处理不符的故障" } },
	{ "SELECT count(*) FROM fault f JOIN fault_old o ON o.fingerprint = f.fingerprint WHERE o.fault <> f.seq AND f.merged_into IS NULL", { "fingerprints that two faults claim", "被两个故障占用的指纹" } },
	{ "SELECT count(*) FROM fault f WHERE NOT EXISTS (SELECT 1 FROM fault_text t WHERE t.fault = f.seq)", { "faults that search does not know", "搜索索引中缺少的故障" } },
	{ "SELECT count(*) FROM fault f WHERE NOT EXISTS (SELECT 1 FROM fault_order o WHERE o.fault = f.seq AND o.at = f.last_seen)", { "faults that lists show in the wrong place", "列表顺序有误的故障" } },
	{ "SELECT count(*) FROM (SELECT fault FROM fault_text UNION SELECT fault FROM fault_old UNION SELECT fault FROM fault_order UNION SELECT fault FROM fault_day UNION SELECT fault FROM fault_branch"
	  " UNION SELECT fault FROM fault_event UNION SELECT fault FROM fault_tag UNION SELECT fault FROM defence) a WHERE NOT EXISTS (SELECT 1 FROM fault x WHERE x.seq = a.fault)",
	  { "facts about faults that are not there", "指向不存在故障的记录" } },
	{ "SELECT count(*) FROM run WHERE length(id) <> 26 OR duration < 0", { "runs with an impossible id or time", "编号或时间不合理的运行" } },
	{ "SELECT count(*) FROM alert WHERE state NOT IN ('pending', 'leased', 'delivered', 'ambiguous', 'misconfigured', 'dead')", { "alerts in no known state", "状态未知的告警" } },
};
/* clang-format on */

/* What a damaged database answers is a finding of the check, not its failure. */
static int said_damaged(struct checking *c, int r, const char *what, struct err *e)
{
	char text[600];

	if (r != -EUCLEAN)
		return r;
	snprintf(text, sizeof(text), "%s: %s", what, e->msg);
	say(c, false, text);
	return 0;
}

static int check_rule(struct store *s, struct checking *c, size_t i, struct err *e)
{
	int64_t n = 0;
	char text[256];
	int r = db_get(s->db, rules[i].sql, NULL, 0, 0, &n, e);

	if (r < 0)
		return said_damaged(c, r, tx(rules[i].what), e);
	if (n)
		snprintf(text, sizeof(text), "%lld %s", (long long)n, tx(rules[i].what));
	else
		snprintf(text, sizeof(text), TR("no %s", "没有%s"), tx(rules[i].what));
	say(c, !n, text);
	return 0;
}

/* ---- the file ---- */

static int take_integrity(void *ctx, const struct db_value *row, size_t n)
{
	struct checking *c = ctx;
	struct span s = db_span(row[0]);
	char text[400];

	if (span_eq(s, S("ok")))
		snprintf(text, sizeof(text), "%s", TR("the file is whole", "文件完整"));
	else
		snprintf(text, sizeof(text), TR("the file is damaged: %.*s", "文件已损坏：%.*s"), SPAN_ARG(span_head(s, 300)));
	say(c, span_eq(s, S("ok")), text);
	return 0;
}

static int check_file(struct store *s, struct checking *c, struct err *e)
{
	int64_t n = db_query(s->db, "PRAGMA integrity_check(20)", NULL, 0, take_integrity, c, e);

	return n < 0 ? said_damaged(c, (int)n, TR("the file", "文件"), e) : 0;
}

static int check_search(struct store *s, struct checking *c, struct err *e)
{
	if (s->db->postgres) {
		int64_t there = 0;
		int r = db_get(s->db, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'", NULL, 0, 0, &there, e);
		if (r == 0)
			say(c, true, there ? TR("search has its index (pg_trgm)", "搜索有索引（pg_trgm）")
					   : TR("search has no index: an administrator can say `CREATE EXTENSION pg_trgm` (it works without, slowly)",
						"搜索没有索引：管理员可执行 `CREATE EXTENSION pg_trgm`（没有也能用，只是慢）"));
		return r;
	}
	if (s->db->readonly) {
		say(c, true, TR("the search index was not looked at, for the store cannot be written", "存储不可写，未检查搜索索引"));
		return 0;
	}
	int r = db_script(s->db, "INSERT INTO fault_find(fault_find, rank) VALUES ('integrity-check', 1)", e);
	if (r < 0)
		return said_damaged(c, r, TR("the search index", "搜索索引"), e);
	say(c, true, TR("the search index is what the texts say", "搜索索引与文本一致"));
	return 0;
}

/* ---- what is packed ---- */

#define PAGE 2000

struct bodies {
	struct err *e;
	int64_t fault, run, n;  /* the row that was read last */
	int64_t of;             /* whose first body this is */
	struct buf first, text;
	int64_t rows, bad;
	int64_t first_bad;      /* a fault */
};

static void note_bad(struct bodies *b, int64_t fault)
{
	if (!b->bad++)
		b->first_bad = fault;
}

static int try_unpack(struct bodies *b, struct span packed, struct span like, int64_t fault)
{
	buf_clear(&b->text);
	int r = unpack_text(packed, like, &b->text, b->e);

	if (r == -EBADMSG)
		note_bad(b, fault);
	return r == -EBADMSG ? 0 : r;
}

static int take_fault(void *ctx, const struct db_value *row, size_t n)
{
	struct bodies *b = ctx;
	struct report rep = { 0 };

	b->fault = db_number(row[0], 0);
	b->rows++;
	buf_clear(&b->first);
	int r = unpack_text(db_span(row[1]), (struct span){ 0 }, &b->first, b->e);
	if (r == 0)
		r = body_read(buf_view(&b->first), &rep, b->e);
	report_free(&rep);
	if (r == -EBADMSG)
		note_bad(b, b->fault);
	else if (r == 0 && row[2].type != DB_NULL)
		r = try_unpack(b, db_span(row[2]), buf_view(&b->first), b->fault);
	return r == -EBADMSG ? 0 : r;
}

static int take_finding(void *ctx, const struct db_value *row, size_t n)
{
	struct bodies *b = ctx;
	int r = 0;

	b->fault = db_number(row[0], 0);
	b->run = db_number(row[1], 0);
	b->n = db_number(row[2], 0);
	b->rows++;
	if (b->of != b->fault) {
		b->of = b->fault;
		buf_clear(&b->first);
		r = unpack_text(db_span(row[4]), (struct span){ 0 }, &b->first, b->e);
	}
	if (r == 0)
		r = try_unpack(b, db_span(row[3]), buf_view(&b->first), b->fault);
	return r == -EBADMSG ? 0 : r; /* the fault's own was counted with the faults */
}

static int check_bodies(struct store *s, struct checking *c, struct err *e)
{
	struct bodies b = { .e = e, .of = -1 };
	int64_t n = 0, seen = -1;

	while (n >= 0 && b.rows != seen) {
		seen = b.rows;
		n = db_query(s->db, "SELECT seq, body, last_body FROM fault WHERE seq > ?1 ORDER BY seq LIMIT ?2", DB_ARGS(db_int(b.fault), db_int(PAGE)), take_fault, &b, e);
	}
	b.fault = 0;
	for (seen = -1; n >= 0 && b.rows != seen;) {
		seen = b.rows;
		n = db_query(s->db, "SELECT f.fault, f.run, f.n, f.body, x.body FROM finding f JOIN fault x ON x.seq = f.fault WHERE f.body IS NOT NULL"
			     " AND (f.fault, f.run, f.n) > (?1, ?2, ?3) ORDER BY f.fault, f.run, f.n LIMIT ?4",
			     DB_ARGS(db_int(b.fault), db_int(b.run), db_int(b.n), db_int(PAGE)), take_finding, &b, e);
	}
	buf_free(&b.first);
	buf_free(&b.text);
	if (n < 0)
		return said_damaged(c, (int)n, TR("findings", "发现"), e);
	char text[200];
	if (b.bad)
		snprintf(text, sizeof(text), TR("%lld findings cannot be read, the first of T-%lld", "%lld 条发现无法读取，首条属于 T-%lld"), (long long)b.bad, (long long)b.first_bad);
	else
		snprintf(text, sizeof(text), "%s", TR("every finding can be read", "所有发现均可读取"));
	say(c, !b.bad, text);
	return 0;
}

static int check_version(struct store *s, struct checking *c, bool *ours, struct err *e)
{
	int have = 0, r = schema_version(s->db, &have, e);
	char text[256];

	*ours = r == 0 && have == SCHEMA_VERSION;
	if (r < 0)
		return said_damaged(c, r, TR("the schema", "结构"), e);
	if (have > SCHEMA_VERSION)
		snprintf(text, sizeof(text), TR("the store was written by a newer Tocsin (schema %d; this one knows %d): update this one", "存储由更新版本的 Tocsin 写入（结构版本 %d，本版本只认识 %d）：请升级本程序"), have, SCHEMA_VERSION);
	else if (have < SCHEMA_VERSION)
		snprintf(text, sizeof(text), TR("the store has the older schema %d: `tocsin store migrate` brings it to %d", "存储的结构版本 %d 较旧：用 `tocsin store migrate` 升级到 %d"), have, SCHEMA_VERSION);
	else
		snprintf(text, sizeof(text), TR("the schema is version %d", "结构版本为 %d"), have);
	say(c, have == SCHEMA_VERSION, text);
	return 0;
}

int store_check(struct store *s, check_fn *fn, void *ctx, struct err *e)
{
	struct checking c = { .fn = fn, .ctx = ctx };
	struct err local = { 0 };
	bool ours = false;

	e = e ? e : &local;
	int r = store_unhurried(s, e);
	if (r == 0 && !s->db->postgres)
		r = check_file(s, &c, e);
	if (r == 0)
		r = check_version(s, &c, &ours, e);
	for (size_t i = 0; r == 0 && ours && i < ARRAY_LEN(rules); i++)
		r = check_rule(s, &c, i, e);
	if (r == 0 && ours)
		r = check_bodies(s, &c, e);
	if (r == 0 && ours)
		r = check_search(s, &c, e);
	return r < 0 ? r : c.wrong;
}
