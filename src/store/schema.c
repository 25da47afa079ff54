#include "store/schema.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "model/fingerprint.h"

/*
 * Times are nanoseconds since 1970, durations nanoseconds. What a record says of itself is kept whole in `body`
 * (store/pack.h); columns are what is searched for.
 */
static const char v1[] =
	"CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL){table};"
	/* runs */
	"CREATE TABLE run (seq {key}, id TEXT NOT NULL UNIQUE, project TEXT NOT NULL, series {int} NOT NULL, started {int} NOT NULL,"
	" duration {int} NOT NULL, outcome TEXT NOT NULL, cause TEXT, exit_code {int} NOT NULL, signal {int}, summary TEXT, argv TEXT NOT NULL, cwd TEXT,"
	" branch TEXT, base TEXT, commit_id TEXT, tree {int}, go TEXT, modules {int}, ci TEXT, resources TEXT, limits TEXT,"
	" packages {int}, tests {int}, passed {int}, failed {int}, skipped {int}, unfinished {int}, cached {int}, size {int} NOT NULL DEFAULT 0){table};"
	"CREATE INDEX run_started ON run(started);"
	"CREATE INDEX run_series ON run(series, started);"
	"CREATE INDEX run_commit ON run(project, commit_id);"
	"CREATE TABLE attempt (run {int} NOT NULL, n {int} NOT NULL, outcome TEXT, cause TEXT, duration {int} NOT NULL, PRIMARY KEY (run, n)){clustered};"
	"CREATE TABLE command (run {int} NOT NULL, n {int} NOT NULL, argv TEXT NOT NULL, cwd TEXT, script TEXT, code {int}, signal {int},"
	" duration {int} NOT NULL, flags {int} NOT NULL, PRIMARY KEY (run, n)){clustered};"
	"CREATE TABLE finding (run {int} NOT NULL, n {int} NOT NULL, fault {int} NOT NULL, body {blob}, PRIMARY KEY (run, n)){clustered};"
	"CREATE INDEX finding_fault ON finding(fault, run, n);"
	/* tests: the id is a hash of package and name, so that nobody has to ask for it */
	"CREATE TABLE test (id {int} NOT NULL PRIMARY KEY, package TEXT NOT NULL, name TEXT NOT NULL, first_seen {int} NOT NULL){table};"
	"CREATE INDEX test_name ON test(package, name);"
	"CREATE TABLE result (run {int} NOT NULL, test {int} NOT NULL, attempt {int} NOT NULL, result {int} NOT NULL, duration {int} NOT NULL,"
	" PRIMARY KEY (run, test, attempt)){clustered};"
	"CREATE INDEX result_failed ON result(test, run) WHERE result = 2;"
	"CREATE TABLE blob (id {int} NOT NULL PRIMARY KEY, body {blob} NOT NULL){table};"
	/* faults */
	"CREATE TABLE fault (seq {key}, id TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL UNIQUE, cause TEXT NOT NULL, severity {int} NOT NULL, title TEXT NOT NULL,"
	" project TEXT NOT NULL, package TEXT, test TEXT, file TEXT, line {int}, state TEXT NOT NULL, count {int} NOT NULL,"
	" first_seen {int} NOT NULL, last_seen {int} NOT NULL, first_run TEXT NOT NULL, last_run TEXT NOT NULL,"
	" first_commit TEXT, last_commit TEXT, first_url TEXT, last_url TEXT, owner TEXT, resolved_at {int}, resolved_by TEXT, fix TEXT, fix_commit TEXT,"
	" regressed_at {int}, regressions {int} NOT NULL DEFAULT 0, ignored_until {int}, merged_into {int}, body {blob} NOT NULL, last_body {blob}){table};"
	/* only what a sighting does not change is indexed here: it is told to fault_order alone */
	"CREATE INDEX fault_state ON fault(state);"
	"CREATE INDEX fault_cause ON fault(cause);"
	"CREATE INDEX fault_package ON fault(package);"
	"CREATE INDEX fault_test ON fault(test) WHERE test IS NOT NULL;"
	"CREATE INDEX fault_owner ON fault(owner);"
	"CREATE INDEX fault_first ON fault(first_seen);"
	"CREATE INDEX fault_merged ON fault(merged_into) WHERE merged_into IS NOT NULL;"
	/* when each was seen last: fault.last_seen again */
	"CREATE TABLE fault_order (fault {int} NOT NULL PRIMARY KEY, at {int} NOT NULL){table};"
	"CREATE INDEX fault_order_at ON fault_order(at, fault);"
	"CREATE TABLE fault_old (fingerprint TEXT NOT NULL PRIMARY KEY, fault {int} NOT NULL){table};"
	"CREATE TABLE fault_day (fault {int} NOT NULL, day {int} NOT NULL, count {int} NOT NULL, PRIMARY KEY (fault, day)){clustered};"
	"CREATE TABLE fault_branch (fault {int} NOT NULL, branch TEXT NOT NULL, count {int} NOT NULL, first_seen {int} NOT NULL, last_seen {int} NOT NULL,"
	" PRIMARY KEY (fault, branch)){clustered};"
	"CREATE TABLE fault_event (id TEXT NOT NULL PRIMARY KEY, fault {int} NOT NULL, at {int} NOT NULL, kind TEXT NOT NULL, who TEXT, text TEXT, data TEXT){table};"
	"CREATE INDEX fault_event_fault ON fault_event(fault, at);"
	"CREATE INDEX fault_event_kind ON fault_event(kind, at);"
	"CREATE TABLE fault_tag (fault {int} NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (fault, tag)){clustered};"
	"CREATE TABLE defence (fault {int} NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, at {int} NOT NULL, who TEXT, PRIMARY KEY (fault, kind, name)){clustered};"
	"CREATE TABLE fault_text (fault {int} NOT NULL PRIMARY KEY, body TEXT NOT NULL){table};"
	/* what is owed: see outbox.c */
	"CREATE TABLE alert (id TEXT NOT NULL PRIMARY KEY, run TEXT, channel TEXT NOT NULL, state TEXT NOT NULL, attempts {int} NOT NULL,"
	" next_attempt {int} NOT NULL, lease_until {int} NOT NULL, lease_by TEXT, created {int} NOT NULL, updated {int} NOT NULL, body {blob} NOT NULL, error TEXT){table};"
	"CREATE INDEX alert_state ON alert(state, next_attempt);";

/*
 * Trigrams, so that any part of a word is found, in Chinese too; which row holds them is checked against the text. Kept up
 * by fault_text_set, not by triggers: those of a foreign file are not trusted with virtual tables.
 */
static const char v1_sqlite[] =
	"CREATE VIRTUAL TABLE fault_find USING fts5(body, content='fault_text', content_rowid='fault', tokenize='trigram', detail=none, columnsize=0);";

/* Without the right to create the extension it works, and searches without an index. */
static const char v1_postgres[] =
	/* room on its page for the next version of a row: then no index has to be told */
	"ALTER TABLE fault SET (fillfactor = 70); ALTER TABLE fault_day SET (fillfactor = 80); ALTER TABLE fault_branch SET (fillfactor = 80);"
	"DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public; EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'pg_trgm: %', SQLERRM; END $$;"
	"DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm') THEN"
	" CREATE INDEX fault_find ON fault_text USING gin (body public.gin_trgm_ops); END IF; EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'pg_trgm: %', SQLERRM; END $$;";

const struct migration schema_steps[SCHEMA_VERSION] = {
	{ v1, v1_sqlite, v1_postgres },
};

/* clang-format off */
static const struct {
	struct span word;
	const char *sqlite, *postgres;
} words[] = {
	{ { "{int}", 5 }, "INTEGER", "BIGINT" },
	{ { "{blob}", 6 }, "BLOB", "BYTEA" },
	{ { "{key}", 5 }, "INTEGER PRIMARY KEY", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY" },
	{ { "{table}", 7 }, " STRICT", "" },
	{ { "{clustered}", 11 }, " STRICT, WITHOUT ROWID", "" },
};
/* clang-format on */

static void translate(const struct db *d, struct span sql, struct buf *ret)
{
	while (sql.n) {
		size_t at = span_chr(sql, '{');
		buf_span(ret, span_head(sql, at));
		sql = span_from(sql, at);
		size_t i = 0;
		while (sql.n && i < ARRAY_LEN(words) && !span_starts(sql, words[i].word))
			i++;
		if (!sql.n || i == ARRAY_LEN(words)) {
			buf_span(ret, span_head(sql, 1));
			sql = span_from(sql, 1);
			continue;
		}
		buf_adds(ret, d->postgres ? words[i].postgres : words[i].sqlite);
		sql = span_from(sql, words[i].word.n);
	}
}

static int postgres_version(struct db *d, int64_t *ret, struct err *e)
{
	int64_t there = 0;
	int r = db_get(d, "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'tocsin' AND c.relname = 'meta'", NULL, 0, 0, &there, e);

	*ret = 0;
	if (r < 0 || !there)
		return r;
	return db_get(d, "SELECT value::bigint FROM meta WHERE key = 'schema'", NULL, 0, 0, ret, e);
}

int schema_version(struct db *d, int *ret, struct err *e)
{
	int64_t v = 0;
	int r = d->postgres ? postgres_version(d, &v, e) : db_get(d, "PRAGMA user_version", NULL, 0, 0, &v, e);

	*ret = (int)v;
	return r;
}

static int set_version(struct db *d, int version, struct err *e)
{
	char sql[256];

	if (d->postgres)
		snprintf(sql, sizeof(sql), "INSERT INTO meta(key, value) VALUES ('schema', '%d') ON CONFLICT (key) DO UPDATE SET value = excluded.value", version);
	else
		snprintf(sql, sizeof(sql), "PRAGMA user_version = %d; PRAGMA application_id = %d", version, SCHEMA_APPLICATION);
	return db_script(d, sql, e);
}

static int apply(struct db *d, const struct migration *m, int version, struct err *e)
{
	CLEANUP(buf_free) struct buf sql = { 0 };
	const char *own = d->postgres ? m->postgres : m->sqlite;

	translate(d, span_of(m->both), &sql);
	buf_adds(&sql, own ? own : "");
	if (sql.bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	int r = db_script(d, buf_str(&sql), e);
	if (r == 0 && version == 1) {
		snprintf(sql.p, sql.cap, "INSERT INTO meta(key, value) VALUES ('fingerprint', '%d')", FINGERPRINT_VERSION);
		r = db_script(d, sql.p, e);
	}
	return r == 0 ? set_version(d, version, e) : r;
}

static int too_new(const struct db *d, int have, int n, struct err *e)
{
	return err_set(e, ENOTSUP, TR("the store %s was written by a newer Tocsin (schema %d; this one knows %d): update this one, or name another store",
				      "存储 %s 由更新版本的 Tocsin 写入（结构版本 %d，本版本只认识 %d）：请升级本程序，或指定其他存储"), d->name, have, n);
}

int schema_migrate(struct db *d, const struct migration *steps, int n, struct err *e)
{
	int have = 0;
	int r = schema_version(d, &have, e);

	if (r < 0 || have == n)
		return r;
	if (have > n)
		return too_new(d, have, n, e);
	if (d->readonly)
		return have ? err_set(e, EROFS, TR("the store %s has the older schema %d and cannot be written: `tocsin store migrate` brings it to %d",
						   "存储 %s 的结构版本 %d 较旧且不可写：用 `tocsin store migrate` 升级到 %d"), d->name, have, n)
			    : err_set(e, ENOENT, TR("the store %s is empty", "存储 %s 是空的"), d->name);
	r = db_begin(d, true, e);
	if (r == 0 && d->postgres) /* one of many writers does it, the others wait and see it done */
		r = db_script(d, "SELECT pg_advisory_xact_lock(8386658464824651635)", e);
	if (r == 0)
		r = schema_version(d, &have, e);
	for (int v = have; r == 0 && v < n; v++)
		r = apply(d, &steps[v], v + 1, e);
	if (r < 0) {
		db_rollback(d);
		return r;
	}
	return db_commit(d, e);
}
