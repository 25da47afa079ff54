#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "store/schema.h"
#include "store/state.h"
#include "store/upkeep.h"

#define KEEP_RUNS  100   /* that stay whatever their age */
#define BATCH_RUNS 50    /* that go in one transaction, and */
#define BATCH_TESTS 50000 /* tests of theirs: other writers wait meanwhile */
#define STEP_PAGES 1000

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

int store_unhurried(struct store *s, struct err *e)
{
	return s->db->postgres ? db_script(s->db, "SET statement_timeout = 0", e) : 0;
}

/* ---- how large it is ---- */

static int64_t number(struct store *s, const char *sql)
{
	int64_t v = 0;

	return db_get(s->db, sql, NULL, 0, 0, &v, NULL) < 0 ? 0 : v;
}

int64_t store_bytes(struct store *s)
{
	if (s->db->postgres)
		return number(s, "SELECT CAST(coalesce(sum(pg_total_relation_size(c.oid)), 0) AS BIGINT) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
			      " WHERE n.nspname = 'tocsin' AND c.relkind = 'r'");
	return number(s, "PRAGMA page_count") * number(s, "PRAGMA page_size");
}

int store_describe(struct store *s, struct store_info *ret, struct err *e)
{
	const struct { const char *sql; int64_t *at; } rows[] = {
		{ "SELECT count(*) FROM run WHERE " IS_RUN, &ret->runs }, { "SELECT count(*) FROM finding", &ret->findings }, { "SELECT count(*) FROM fault", &ret->faults },
		{ "SELECT count(*) FROM test", &ret->tests }, { "SELECT count(*) FROM result", &ret->results }, { "SELECT count(*) FROM alert", &ret->alerts },
		{ "SELECT min(started) FROM run", &ret->oldest }, { "SELECT max(started) FROM run", &ret->newest },
	};

	*ret = (struct store_info){ .postgres = s->db->postgres };
	int r = schema_version(s->db, &ret->schema, e);
	if (r == 0)
		r = store_unhurried(s, e);
	for (size_t i = 0; r == 0 && ret->schema && i < ARRAY_LEN(rows); i++)
		r = db_get(s->db, rows[i].sql, NULL, 0, 0, rows[i].at, e);
	ret->bytes = store_bytes(s);
	return r;
}

/*
 * What counts against the limit. A server gives space back when it sees fit, so there the rows are counted, with what
 * they and their index entries take.
 */
#define RUN_SIZE "UPDATE run SET size = 700 + coalesce(length(argv), 0) + coalesce(length(summary), 0)" \
	" + (SELECT CAST(coalesce(sum(140 + coalesce(length(body), 0)), 0) AS BIGINT) FROM finding WHERE finding.run = run.seq)" \
	" + (SELECT count(*) * 110 FROM result WHERE result.run = run.seq)" \
	" + (SELECT CAST(coalesce(sum(130 + length(argv)), 0) AS BIGINT) FROM command WHERE command.run = run.seq) WHERE size = 0"

static int used_bytes(struct store *s, int64_t *ret, struct err *e)
{
	if (s->db->postgres)
		return db_get(s->db, "SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM run", NULL, 0, 0, ret, e);
	*ret = (number(s, "PRAGMA page_count") - number(s, "PRAGMA freelist_count")) * number(s, "PRAGMA page_size");
	return 0;
}

/* ---- which runs go ---- */

struct victims {
	int64_t below;  /* seq: the newer ones stay */
	int64_t cutoff; /* started before; INT64_MAX: whenever */
	int64_t most;
	int64_t seq[BATCH_RUNS];
	size_t n;
	int64_t tests, findings;
};

static int take_victim(void *ctx, const struct db_value *row, size_t n)
{
	struct victims *v = ctx;

	v->seq[v->n++] = db_number(row[0], 0);
	v->tests += db_number(row[1], 0);
	return v->n == BATCH_RUNS || (v->most && (int64_t)v->n >= v->most) || v->tests >= BATCH_TESTS;
}

static int remove_one(struct store *s, int64_t seq, int64_t *findings, struct err *e)
{
	static const char *const sql[] = {
		"DELETE FROM finding WHERE run = ?1", "DELETE FROM result WHERE run = ?1", "DELETE FROM command WHERE run = ?1",
		"DELETE FROM attempt WHERE run = ?1", "DELETE FROM run WHERE seq = ?1",
	};

	for (size_t i = 0; i < ARRAY_LEN(sql); i++) {
		int64_t n = db_run(s->db, sql[i], DB_ARGS(db_int(seq)), e);
		if (n < 0)
			return (int)n;
		if (i == 0)
			*findings += n;
	}
	return 0;
}

static int remove_batch(struct store *s, void *ctx, struct err *e)
{
	struct victims *v = ctx;

	v->n = 0;
	v->tests = v->findings = 0;
	int64_t n = db_query(s->db, "SELECT seq, tests FROM run WHERE seq < ?1 AND started < ?2 ORDER BY started, seq LIMIT ?3",
			     DB_ARGS(db_int(v->below), db_int(v->cutoff), db_int(BATCH_RUNS)), take_victim, v, e);
	int r = n < 0 ? (int)n : 0;
	for (size_t i = 0; r == 0 && i < v->n; i++)
		r = remove_one(s, v->seq[i], &v->findings, e);
	return r;
}

/* A clock that jumps ten years ahead must not make everything old: what most of the newest runs say counts as well. */
static int find_limits(struct store *s, const struct retention *k, int64_t now, struct victims *v, struct err *e)
{
	int64_t middle = now;
	int r = db_get(s->db, "SELECT seq FROM run ORDER BY seq DESC LIMIT 1 OFFSET ?1", DB_ARGS(db_int(KEEP_RUNS - 1)), 0, &v->below, e);

	if (r == 0)
		r = db_get(s->db, "SELECT started FROM (SELECT started FROM run ORDER BY seq DESC LIMIT ?1) a ORDER BY started LIMIT 1 OFFSET ?2",
			   DB_ARGS(db_int(KEEP_RUNS), db_int(KEEP_RUNS / 2)), now, &middle, e);
	v->cutoff = k->age ? (middle < now ? middle : now) - k->age : INT64_MIN;
	return r;
}

static int remove_some(struct store *s, const struct retention *k, struct victims *v, struct vacuumed *ret, struct err *e)
{
	v->n = 0;
	v->most = k->most ? k->most - ret->runs : 0;
	if (k->most && v->most <= 0)
		return 0;
	int r = store_transact(s, remove_batch, v, e);
	if (r < 0)
		return r;
	ret->runs += (int64_t)v->n;
	ret->findings += v->findings;
	return 0;
}

static int remove_runs(struct store *s, const struct retention *k, int64_t now, struct vacuumed *ret, struct err *e)
{
	struct victims v = { 0 };
	int64_t used = 0;
	int r = find_limits(s, k, now, &v, e);

	for (v.n = 1; r == 0 && k->age && v.n;)
		r = remove_some(s, k, &v, ret, e);
	if (r < 0 || !k->bytes)
		return r;
	v.cutoff = INT64_MAX;
	int64_t sized = s->db->postgres ? db_run(s->db, RUN_SIZE, NULL, 0, e) : 0;
	if (sized < 0)
		return (int)sized;
	for (v.n = 1; r == 0 && v.n;) {
		r = used_bytes(s, &used, e);
		if (r < 0 || used <= k->bytes)
			break;
		r = remove_some(s, k, &v, ret, e);
	}
	return r;
}

/* ---- what nobody names any more ---- */

struct orphans {
	struct arena mem;
	int64_t *ids;
	size_t n, cap;
	int64_t newest; /* run: what is older was there when we looked */
	const char *again; /* the statement that removes one, unless it is named by now */
	struct err *e;
};

static int take_orphan(void *ctx, const struct db_value *row, size_t n)
{
	struct orphans *o = ctx;

	if (!mem_grow(&o->ids, &o->cap, o->n, sizeof(*o->ids)))
		return no_memory(o->e);
	o->ids[o->n++] = db_number(row[0], 0);
	return 0;
}

/* No run is half-written while this lock is held. */
static int lock_runs(struct store *s, struct err *e)
{
	return s->db->postgres ? db_script(s->db, "LOCK TABLE blob, run IN SHARE ROW EXCLUSIVE MODE", e) : 0;
}

static int find_newest(struct store *s, void *ctx, struct err *e)
{
	struct orphans *o = ctx;
	int r = lock_runs(s, e);

	return r < 0 ? r : db_get(s->db, "SELECT max(seq) FROM run", NULL, 0, 0, &o->newest, e);
}

static int remove_orphans(struct store *s, void *ctx, struct err *e)
{
	struct orphans *o = ctx;
	int r = lock_runs(s, e);

	for (size_t i = 0; r == 0 && i < o->n; i++) {
		int64_t n = db_run(s->db, o->again, DB_ARGS(db_int(o->ids[i]), db_int(o->newest)), e);
		r = n < 0 ? (int)n : 0;
	}
	return r;
}

/* They are looked for without keeping anybody waiting, and looked at again, in the runs since, when they go. */
static int remove_unnamed(struct store *s, struct err *e)
{
	static const struct { const char *find, *again; } kinds[] = {
		{ "SELECT id FROM test t WHERE NOT EXISTS (SELECT 1 FROM (SELECT DISTINCT test FROM result) r WHERE r.test = t.id)",
		  "DELETE FROM test WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM result WHERE run > ?2 AND test = ?1)" },
		{ "SELECT id FROM blob b WHERE NOT EXISTS (SELECT 1 FROM run r WHERE r.modules = b.id)",
		  "DELETE FROM blob WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM run WHERE seq > ?2 AND modules = ?1)" },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(kinds); i++) {
		struct orphans o = { .again = kinds[i].again, .e = e };
		r = store_transact(s, find_newest, &o, e);
		int64_t n = r == 0 ? db_query(s->db, kinds[i].find, NULL, 0, take_orphan, &o, e) : 0;
		if (n < 0)
			r = (int)n;
		if (r == 0 && o.n)
			r = store_transact(s, remove_orphans, &o, e);
		mem_free(o.ids);
	}
	return r;
}

/* ---- giving space back ---- */

static int shrink_sqlite(struct store *s, bool compact, struct err *e)
{
	int64_t free_pages = number(s, "PRAGMA freelist_count"), before;
	char sql[64];

	if (compact)
		return db_script(s->db, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", e);
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", STEP_PAGES);
	do { /* in steps: others may write in between */
		before = free_pages;
		int r = free_pages ? db_script(s->db, sql, e) : 0;
		if (r < 0)
			return r;
		free_pages = number(s, "PRAGMA freelist_count");
	} while (free_pages && free_pages < before);
	return db_script(s->db, "PRAGMA wal_checkpoint(PASSIVE)", e);
}

static int shrink_postgres(struct store *s, bool compact, struct err *e)
{
	static const char *const tables[] = { "finding", "result", "command", "attempt", "run", "test", "blob", "fault", "fault_text", "alert" };
	int r = 0;

	for (size_t i = 0; r == 0 && compact && i < ARRAY_LEN(tables); i++) {
		char sql[64];
		snprintf(sql, sizeof(sql), "VACUUM (FULL, ANALYZE) %s", tables[i]);
		r = db_script(s->db, sql, e);
	}
	return r; /* else autovacuum does it */
}

int store_vacuum(struct store *s, const struct retention *k, int64_t now, bool compact, struct vacuumed *ret, struct err *e)
{
	struct err local = { 0 };

	e = e ? e : &local;
	*ret = (struct vacuumed){ .bytes_before = store_bytes(s) };
	int r = store_unhurried(s, e);
	if (r == 0)
		r = remove_runs(s, k, now, ret, e);
	if (r == 0 && k->age) { /* what was delivered long ago is owed to nobody */
		int64_t n = db_run(s->db, "DELETE FROM alert WHERE state = 'delivered' AND updated < ?1", DB_ARGS(db_int(now - k->age)), e);
		r = n < 0 ? (int)n : 0;
	}
	if (r == 0 && !k->most)
		r = remove_unnamed(s, e);
	if (r == 0)
		r = s->db->postgres ? shrink_postgres(s, compact, e) : shrink_sqlite(s, compact, e);
	ret->bytes_after = store_bytes(s);
	return r;
}

/* ---- once a day ---- */

int store_upkeep_due(struct store *s, int64_t now, struct err *e)
{
	int64_t last = 0;
	char text[24];

	int r = db_get(s->db, "SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'upkeep'", NULL, 0, INT64_MIN, &last, e);
	if (r < 0 || (last != INT64_MIN && last > now - DAY_NSEC && last <= now + DAY_NSEC))
		return r;
	snprintf(text, sizeof(text), "%lld", (long long)now);
	int64_t n; /* of many who see this, one changes the row */
	if (last == INT64_MIN)
		n = db_run(s->db, "INSERT INTO meta(key, value) VALUES ('upkeep', ?1) ON CONFLICT DO NOTHING", DB_ARGS(db_textz(text)), e);
	else
		n = db_run(s->db, "UPDATE meta SET value = ?1 WHERE key = 'upkeep' AND CAST(value AS BIGINT) = ?2", DB_ARGS(db_textz(text), db_int(last)), e);
	if (n < 0)
		return (int)n;
	return n > 0 && last != INT64_MIN; /* a new store needs none */
}

int store_clock(struct store *s, int64_t now, struct buf *ret, struct err *e)
{
	int64_t last = now;
	char when[32];

	int r = db_get(s->db, "SELECT started FROM (SELECT started FROM run ORDER BY seq DESC LIMIT 20) a ORDER BY started LIMIT 1"
			   " OFFSET (SELECT count(*) FROM (SELECT 1 FROM run LIMIT 20) b) / 2", NULL, 0, now, &last, e);
	if (r < 0 || (last <= now + 2 * DAY_NSEC && last >= now - 1000 * DAY_NSEC))
		return r;
	time_rfc3339(last, when);
	if (last > now)
		buf_addf(ret, TR("the latest runs began at %s, which is to come: a clock was or is wrong\n", "最近的运行始于 %s，晚于当前时间：时钟曾有误或现在有误\n"), when);
	else
		buf_addf(ret, TR("the latest runs began at %s, years ago: if this clock is right, all is well; nothing goes because of it\n",
				 "最近的运行始于 %s，已是数年前：若时钟无误则一切正常；不会因此删除任何内容\n"), when);
	return ret->bad ? no_memory(e) : 1;
}

int store_migrate(struct store *s, int *from, int *to, struct err *e)
{
	int r = schema_version(s->db, from, e);

	if (r == 0)
		r = store_unhurried(s, e);
	if (r == 0)
		r = schema_migrate(s->db, schema_steps, SCHEMA_VERSION, e);
	if (r == 0)
		r = fingerprint_migrate(s, e);
	return r < 0 ? r : schema_version(s->db, to, e);
}

/* ---- a copy in one file ---- */

static int sync_path(const char *path, int flags)
{
	CLEANUP(fd_close) int fd = fault_hit() ? (errno = EIO, -1) : open(path, flags | O_RDONLY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static void unlink_with(const char *path, const char *end)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_addf(&b, "%s%s", path, end);
	if (!b.bad)
		unlink(b.p);
}

static void unlink_store(const char *path)
{
	unlink_with(path, "-wal");
	unlink_with(path, "-shm");
	unlink_with(path, "-journal");
	unlink_with(path, "");
}

/* A file whose log is not folded in is a store that somebody uses. */
static int refuse_living(const char *path, struct err *e)
{
	CLEANUP(buf_free) struct buf wal = { 0 }, dir = { 0 };
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, EINVAL, TR("'%s' is no regular file: name a file for the backup", "“%s”不是普通文件：请为备份指定一个文件"), path);
	buf_addf(&wal, "%s-wal", path);
	buf_span(&dir, path_dir(span_of(path)));
	if (wal.bad || dir.bad)
		return no_memory(e);
	if (stat(buf_str(&dir), &st) < 0)
		return err_set(e, errno, TR("write '%s': %m", "无法写入“%s”：%m"), path);
	if (stat(wal.p, &st) == 0 && st.st_size > 0)
		return err_set(e, EEXIST, TR("'%s' is a store in use: name another file for the backup", "“%s”是正在使用的存储：请为备份指定其他文件"), path);
	return 0;
}

static int backup_sqlite(struct store *s, const char *tmp, struct err *e)
{
	struct err why;
	int64_t n = db_run(s->db, "VACUUM INTO ?1", DB_ARGS(db_textz(tmp)), &why);

	return n < 0 ? err_set(e, (int)-n, TR("back up to '%.200s': %.250s", "备份到“%.200s”：%.250s"), tmp, why.msg) : 0;
}

static int backup_other(struct store *s, const char *tmp, struct err *e)
{
	struct store *to = NULL;
	struct copied c;
	int r = store_open(tmp, STORE_CREATE, &to, e);

	if (r == 0)
		r = store_copy(s, to, NULL, NULL, &c, e);
	if (r == 0) /* all of it in one file */
		r = db_script(to->db, "PRAGMA journal_mode = DELETE", e);
	store_close(to);
	return r;
}

int store_backup(struct store *s, const char *path, struct err *e)
{
	CLEANUP(buf_free) struct buf tmp = { 0 }, dir = { 0 };
	int r = refuse_living(path, e);

	buf_addf(&tmp, "%s.tmp-%d", path, (int)getpid());
	buf_span(&dir, path_dir(span_of(path)));
	if (r == 0 && (tmp.bad || dir.bad))
		r = no_memory(e);
	if (r < 0)
		return r;
	unlink_store(tmp.p);
	mode_t mask = umask(0077);
	r = s->db->postgres ? backup_other(s, tmp.p, e) : backup_sqlite(s, tmp.p, e);
	umask(mask);
	if (r == 0) {
		r = sync_path(tmp.p, 0);
		if (r == 0 && (fault_hit() ? (errno = EIO, -1) : rename(tmp.p, path)) < 0)
			r = -errno;
		if (r == 0)
			r = sync_path(buf_str(&dir), O_DIRECTORY);
		if (r < 0)
			err_set(e, -r, TR("write '%s': %m", "无法写入“%s”：%m"), path);
	}
	unlink_store(tmp.p);
	return r;
}
