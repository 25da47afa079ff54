#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <sqlite3.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "store/db.h"
#include "store/schema.h"

#define KEPT_MAX 64 /* prepared statements */

struct kept {
	char *sql;
	sqlite3_stmt *stmt;
};

struct sqlite {
	struct db db;
	sqlite3 *con;
	int64_t wait_ns;
	struct kept kept[KEPT_MAX];
	size_t n_kept;
};

/* ---- errors ---- */

/* clang-format off */
static const struct {
	int code, as;
	struct tx text;
} failures[] = {
	{ SQLITE_BUSY, EBUSY, { "is locked by another process", "被其他进程锁住" } },
	{ SQLITE_LOCKED, EBUSY, { "is locked by another process", "被其他进程锁住" } },
	{ SQLITE_FULL, ENOSPC, { "is on a disk that is full", "所在磁盘已满" } },
	{ SQLITE_READONLY, EROFS, { "cannot be written", "不可写" } },
	{ SQLITE_PERM, EACCES, { "may not be opened", "无权打开" } },
	{ SQLITE_CORRUPT, EUCLEAN, { "is damaged: move it away or restore a backup; `tocsin store check` says more", "已损坏：请移走它或恢复备份；`tocsin store check` 可查看详情" } },
	{ SQLITE_NOTADB, EUCLEAN, { "is not a Tocsin store", "不是 Tocsin 存储" } },
	{ SQLITE_NOMEM, ENOMEM, { "needs more memory than there is", "所需内存不足" } },
	{ SQLITE_IOERR, EIO, { "cannot be read or written", "读写失败" } },
	{ SQLITE_CANTOPEN, ENOENT, { "cannot be opened", "无法打开" } },
	{ SQLITE_CONSTRAINT, EEXIST, { "refuses a row", "拒绝了一行数据" } },
};
/* clang-format on */

static int fail(const struct sqlite *s, int rc, struct err *e)
{
	int os = sqlite3_system_errno(s->con);

	if ((rc & 0xff) == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT))
		rc = SQLITE_FULL;
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		if (failures[i].code == (rc & 0xff))
			return err_set(e, failures[i].as, TR("the store %s %s (%s)", "存储 %s %s（%s）"), s->db.name, tx(failures[i].text), sqlite3_errmsg(s->con));
	}
	return err_set(e, EPROTO, TR("the store %s: %s", "存储 %s：%s"), s->db.name, sqlite3_errmsg(s->con));
}

/* ---- statements ---- */

static int prepare(struct sqlite *s, const char *sql, sqlite3_stmt **ret, struct err *e)
{
	for (size_t i = 0; i < s->n_kept; i++) {
		if (strcmp(s->kept[i].sql, sql) == 0) {
			*ret = s->kept[i].stmt;
			return 0;
		}
	}
	if (s->n_kept == KEPT_MAX) { /* the first go: the ones of opening and migration */
		sqlite3_finalize(s->kept[0].stmt);
		mem_free(s->kept[0].sql);
		memmove(s->kept, s->kept + 1, --s->n_kept * sizeof(*s->kept));
	}
	struct kept k = { .sql = mem_dup(sql, strlen(sql)) };
	if (!k.sql)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	int rc = sqlite3_prepare_v3(s->con, sql, -1, SQLITE_PREPARE_PERSISTENT, &k.stmt, NULL);
	if (rc != SQLITE_OK) {
		mem_free(k.sql);
		return fail(s, rc, e);
	}
	s->kept[s->n_kept++] = k;
	*ret = k.stmt;
	return 0;
}

static int bind_text(sqlite3_stmt *st, int at, struct span s)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	if (db_text_ok(s))
		return sqlite3_bind_text64(st, at, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
	db_text_clean(s, &clean);
	return clean.bad ? SQLITE_NOMEM : sqlite3_bind_text64(st, at, buf_str(&clean), clean.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

/* The values live until the statement is reset: only a text that had to be cleaned is copied. */
static int bind(sqlite3_stmt *st, const struct db_value *v, size_t n)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
		int at = (int)i + 1;
		switch (v[i].type) {
		case DB_NULL: rc = sqlite3_bind_null(st, at); break;
		case DB_INT: rc = sqlite3_bind_int64(st, at, v[i].i); break;
		case DB_REAL: rc = sqlite3_bind_double(st, at, v[i].d); break;
		case DB_TEXT: rc = bind_text(st, at, v[i].s); break;
		case DB_BLOB: rc = sqlite3_bind_blob64(st, at, v[i].s.p, v[i].s.n, SQLITE_STATIC); break;
		}
	}
	return rc;
}

static struct db_value column(sqlite3_stmt *st, int i)
{
	switch (sqlite3_column_type(st, i)) {
	case SQLITE_INTEGER: return db_int(sqlite3_column_int64(st, i));
	case SQLITE_FLOAT: return (struct db_value){ .type = DB_REAL, .d = sqlite3_column_double(st, i) };
	case SQLITE_TEXT: {
		const char *p = (const char *)sqlite3_column_text(st, i);
		return (struct db_value){ .type = DB_TEXT, .s = { p ? p : "", (size_t)sqlite3_column_bytes(st, i) } };
	}
	case SQLITE_BLOB: {
		const char *p = sqlite3_column_blob(st, i);
		return (struct db_value){ .type = DB_BLOB, .s = { p ? p : "", (size_t)sqlite3_column_bytes(st, i) } };
	}
	default: return db_null();
	}
}

#define COLUMNS_MAX 48

static int64_t sq_query(struct db *d, const char *sql, const struct db_value *args, size_t n, db_row_fn *fn, void *ctx, struct err *e)
{
	struct sqlite *s = (struct sqlite *)d;
	struct db_value row[COLUMNS_MAX];
	sqlite3_stmt *st = NULL, *own = NULL;
	int64_t said = 0;

	if (fault_hit())
		return err_set(e, EIO, "fault injected");
	int r = prepare(s, sql, &st, e);
	if (r < 0)
		return r;
	if (sqlite3_stmt_busy(st)) { /* a row of it is being looked at: a second one for the inner question */
		int rc = sqlite3_prepare_v2(s->con, sql, -1, &own, NULL);
		if (rc != SQLITE_OK)
			return fail(s, rc, e);
		st = own;
	}
	int columns = sqlite3_column_count(st), rc = bind(st, args, n);
	columns = columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		for (int i = 0; fn && i < columns; i++)
			row[i] = column(st, i);
		said = fn ? fn(ctx, row, (size_t)columns) : 0;
		if (said)
			break;
	}
	int64_t changed = sqlite3_changes64(s->con);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW) /* before the reset: it forgets the message */
		r = fail(s, rc, e);
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	sqlite3_finalize(own);
	if (r < 0)
		return r;
	return said < 0 ? said : changed;
}

static int sq_script(struct db *d, const char *sql, struct err *e)
{
	struct sqlite *s = (struct sqlite *)d;

	if (fault_hit())
		return err_set(e, EIO, "fault injected");
	int rc = sqlite3_exec(s->con, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : fail(s, rc, e);
}

static int sq_bulk(struct db *d, const char *sql, const struct db_rows *rows, struct err *e)
{
	struct sqlite *s = (struct sqlite *)d;
	sqlite3_stmt *st = NULL;

	if (fault_hit())
		return err_set(e, EIO, "fault injected");
	int r = prepare(s, sql, &st, e), rc = SQLITE_DONE;
	if (r < 0)
		return r;
	for (size_t i = 0; i < rows->n && rc == SQLITE_DONE; i++) {
		rc = bind(st, rows->v + i * rows->columns, rows->columns);
		if (rc == SQLITE_OK)
			while ((rc = sqlite3_step(st)) == SQLITE_ROW)
				continue;
		if (rc != SQLITE_DONE)
			r = fail(s, rc, e);
		sqlite3_reset(st);
	}
	sqlite3_clear_bindings(st);
	return r;
}

static void sq_close(struct db *d)
{
	struct sqlite *s = (struct sqlite *)d;

	for (size_t i = 0; i < s->n_kept; i++) {
		sqlite3_finalize(s->kept[i].stmt);
		mem_free(s->kept[i].sql);
	}
	sqlite3_close(s->con);
	mem_free(s->db.name);
	mem_free(s);
}

static const struct db_ops ops = { sq_query, sq_script, sq_bulk, sq_close };

/* ---- opening ---- */

/* WAL shares memory between processes: over a network it silently tears. */
static const struct {
	unsigned long magic;
	const char *name;
} networks[] = {
	{ 0x6969, "NFS" }, { 0x517b, "SMB" }, { 0xff534d42, "CIFS" }, { 0xfe534d42, "SMB2" }, { 0x5346414f, "AFS" },
	{ 0x73757245, "Coda" }, { 0x564c, "NCP" }, { 0x01021997, "9P" }, { 0x00c36400, "Ceph" }, { 0x0bd00bd0, "Lustre" },
};

static int refuse_network(const char *path, struct err *e)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	struct statfs fs;

	buf_span(&dir, path_dir(span_of(path)));
	if (dir.bad || statfs(buf_str(&dir), &fs) < 0)
		return 0; /* opening it will say why */
	for (size_t i = 0; i < ARRAY_LEN(networks); i++) {
		if ((unsigned long)fs.f_type == networks[i].magic)
			return err_set(e, EREMOTEIO, TR("the store %s is on a network file system (%s), where SQLite cannot be shared safely: name a local file or a server, --store postgres://…",
							"存储 %s 位于网络文件系统（%s），SQLite 在其上无法安全共享：请改用本地文件或服务器，--store postgres://…"), path, networks[i].name);
	}
	return 0;
}

/* Waits with growing pauses, and never longer than it was told. */
static int wait_busy(void *ctx, int tries)
{
	const struct sqlite *s = ctx;
	int ms = tries < 5 ? 1 << tries : 25;
	int64_t waited = (tries < 5 ? (1 << tries) : 31 + (tries - 5) * 25) * NSEC_PER_MSEC;

	if (waited >= s->wait_ns)
		return 0;
	sqlite3_sleep(ms);
	return 1;
}

static int settle(struct sqlite *s, unsigned flags, struct err *e)
{
	int64_t id = 0;
	int r;

	sqlite3_extended_result_codes(s->con, 1);
	sqlite3_busy_handler(s->con, wait_busy, s);
	sqlite3_db_config(s->con, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->con, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* The log is folded in by whoever makes it long, not by every short run at its end. */
	sqlite3_db_config(s->con, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	r = db_get(&s->db, "PRAGMA application_id", NULL, 0, 0, &id, e);
	if (r < 0)
		return r;
	if (id != SCHEMA_APPLICATION) {
		int64_t tables = 0;
		r = db_get(&s->db, "SELECT count(*) FROM sqlite_schema", NULL, 0, 0, &tables, e);
		if (r < 0)
			return r;
		if (tables || id)
			return err_set(e, EUCLEAN, TR("%s is a SQLite database, but not a Tocsin store", "%s 是 SQLite 数据库，但不是 Tocsin 存储"), s->db.name);
		/* Can only be said before there is a table: what runs leave when they go is given back in small steps. */
		r = flags & DB_READONLY ? 0 : db_script(&s->db, "PRAGMA auto_vacuum=INCREMENTAL", e);
		if (r < 0)
			return r;
	}
	if (!(flags & DB_READONLY)) {
		r = db_script(&s->db, "PRAGMA journal_mode=WAL", e);
		if (r < 0)
			return r;
	}
	r = db_script(&s->db, "PRAGMA synchronous=FULL; PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY", e);
	if (r == 0)
		r = db_script(&s->db, flags & DB_SMALL ? "PRAGMA cache_size=-2000" : "PRAGMA cache_size=-16000", e);
	return r;
}

int sqlite_open(const char *path, unsigned flags, int64_t wait_ns, struct db **ret, struct err *e)
{
	int how = flags & DB_READONLY ? SQLITE_OPEN_READONLY : flags & DB_CREATE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE;
	struct stat st;

	if (!(flags & DB_CREATE) && stat(path, &st) < 0 && errno == ENOENT)
		return err_set(e, ENOENT, TR("there is no store %s yet: `tocsin run` makes it", "尚无存储 %s：`tocsin run` 会创建它"), path);
	int r = refuse_network(path, e);
	if (r < 0)
		return r;
	struct sqlite *s = mem_zalloc(sizeof(*s));
	if (!s)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	s->db.ops = &ops;
	s->db.readonly = flags & DB_READONLY;
	s->wait_ns = wait_ns;
	s->db.name = mem_dup(path, strlen(path));
	mode_t mask = umask(0077); /* what failed, and where, is nobody else's business */
	int rc = s->db.name ? sqlite3_open_v2(path, &s->con, how | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL) : SQLITE_NOMEM;
	umask(mask);
	if (rc != SQLITE_OK)
		r = s->con ? fail(s, rc, e) : err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	if (r == 0) {
		mask = umask(0077);
		r = settle(s, flags, e);
		umask(mask);
	}
	if (r < 0) {
		sq_close(&s->db);
		return r;
	}
	*ret = &s->db;
	return 0;
}
