#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

#include "base/dl.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "store/db.h"
#include "store/pgvalue.h"
#include "store/resolve.h"

#define KEPT_MAX 64     /* prepared statements */
#define ARGS_MAX 64
#define COLUMNS_MAX 48
#define CHUNK_ROWS 16384
#define CHUNK_BYTES (8u << 20)
#define SERVER_MIN 150000
#define WAIT_DEFAULT (5 * NSEC_PER_SEC)
/* The server ends a step that takes too long and says so; only when it says nothing, we do. */
#define WAIT_GRACE (1 * NSEC_PER_SEC)

/* ---- the library ---- */

#define PQ_FUNCTIONS(X) \
	X(PQconninfoParse) X(PQconninfoFree) X(PQfreemem) X(PQconnectStartParams) X(PQconnectPoll) X(PQfinish) X(PQstatus) X(PQsocket) \
	X(PQerrorMessage) X(PQsetErrorVerbosity) X(PQsetNoticeReceiver) X(PQsetnonblocking) X(PQserverVersion) X(PQparameterStatus) \
	X(PQuser) X(PQdb) X(PQhost) X(PQport) X(PQsendQuery) X(PQsendQueryParams) X(PQsendPrepare) X(PQsendQueryPrepared) X(PQflush) \
	X(PQconsumeInput) X(PQisBusy) X(PQgetResult) X(PQclear) X(PQresultStatus) X(PQresultErrorField) X(PQresultErrorMessage) \
	X(PQntuples) X(PQnfields) X(PQftype) X(PQgetvalue) X(PQgetlength) X(PQgetisnull) X(PQcmdTuples) X(PQcmdStatus)

static struct {
#define X(f) __typeof__(f) *f;
	PQ_FUNCTIONS(X)
#undef X
} pq;

static const struct dl_symbol symbols[] = {
#define X(f) { #f, &pq.f },
	PQ_FUNCTIONS(X)
#undef X
};

static const char *const files[] = { "libpq.so.5", "libpq.so", NULL };
static struct dl_library libpq = {
	.name = "libpq", .what_for = "--store postgres://", .files = files, .debian = "libpq5", .fedora = "libpq", .alpine = "libpq",
	.arch = "postgresql-libs", .symbols = symbols, .n = ARRAY_LEN(symbols),
};
DL_NOTE("libpq.so.5", "postgres", "A store on a PostgreSQL server");

/* ---- the connection ---- */

/* A statement that was asked for before. NULL has no type of its own: it takes the one that its place had. */
struct kept {
	char *sql, *text; /* as the caller wrote it, and with $1 */
	Oid types[ARGS_MAX];
	size_t n;
	unsigned uses, number;
	bool prepared;
};

struct postgres {
	struct db db;
	PGconn *con;
	char *hosts, *ports; /* of the address; NULL: libpq knows better */
	int64_t wait_ns;
	bool dead;
	unsigned last_number;
	struct kept kept[KEPT_MAX];
	size_t n_kept;
};

static int out_of_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* ---- errors ---- */

/* clang-format off */
static const struct {
	const char *state; /* the start of an SQLSTATE */
	int as;
	struct tx text;
} failures[] = {
	{ "28", EACCES, { "the server refuses this user; the password is read from PGPASSFILE or ~/.pgpass", "服务器拒绝该用户；密码从 PGPASSFILE 或 ~/.pgpass 读取" } },
	{ "3D000", ENOENT, { "the server has no such database: `createdb` makes it", "服务器上没有该数据库：用 `createdb` 创建" } },
	{ "42501", EACCES, { "this user lacks a right", "该用户缺少权限" } },
	{ "23", EEXIST, { "the server refuses a row", "服务器拒绝了一行数据" } },
	{ "40", EAGAIN, { "another writer was in the way", "与其他写入者冲突" } },
	{ "0A000", EAGAIN, { "another program has changed the tables", "其他程序改动了表结构" } },
	{ "26000", EAGAIN, { "the server has forgotten a statement", "服务器丢失了预备语句" } },
	{ "53100", ENOSPC, { "the disk of the server is full", "服务器磁盘已满" } },
	{ "53300", EBUSY, { "the server has no connection left", "服务器连接数已满" } },
	{ "53", ENOMEM, { "the server lacks memory", "服务器内存不足" } },
	{ "25006", EROFS, { "the server is read-only", "服务器是只读的" } },
	{ "25P02", ECANCELED, { "an earlier step of the transaction has failed", "事务中先前的步骤已失败" } },
	{ "25P03", ECONNRESET, { "the server gave up waiting for us", "服务器等待超时，已断开" } },
	{ "57P03", ECONNREFUSED, { "the server is starting or stopping", "服务器正在启动或停止" } },
	{ "57P", ECONNRESET, { "the server went away", "服务器中断了连接" } },
	{ "55P03", EBUSY, { "another writer keeps it locked", "被其他写入者锁住" } },
	{ "57014", EBUSY, { "the server took too long and was stopped", "服务器处理过久，已被中止" } },
	{ "08", ECONNREFUSED, { "the connection failed", "连接失败" } },
	{ "XX00", EUCLEAN, { "its data is damaged", "数据已损坏" } },
	{ "58", EIO, { "the server cannot read or write its files", "服务器无法读写其文件" } },
	{ "", EPROTO, { "the server reports a mistake", "服务器报告错误" } },
};
/* clang-format on */

/* What the server or libpq said, on one line: the first one, without "connection to server … failed: ". */
static void one_line(const char *said, struct buf *ret)
{
	struct span s = span_trim(span_of(said ? said : ""));
	size_t at;

	s = span_trim(span_cut(&s, '\n'));
	if (span_starts(s, S("connection to server ")) && (at = span_find(s, S(" failed: "))) != SPAN_NONE)
		s = span_from(s, at + 9);
	text_clean(s, false, ret);
}

static int fail_state(const struct postgres *p, const char *state, const char *said, struct err *e)
{
	CLEANUP(buf_free) struct buf line = { 0 };
	size_t i = 0;

	while (strncmp(state, failures[i].state, strlen(failures[i].state)) != 0)
		i++;
	one_line(said, &line);
	return err_set(e, failures[i].as, TR("the store %s: %s (%s)", "存储 %s：%s（%s）"), p->db.name, tx(failures[i].text), buf_str(&line));
}

static int lost(struct postgres *p, struct err *e)
{
	CLEANUP(buf_free) struct buf line = { 0 };

	p->dead = true;
	one_line(p->con ? pq.PQerrorMessage(p->con) : "", &line);
	return err_set(e, ECONNRESET, TR("the server of the store %s went away (%s)", "存储 %s 的服务器中断了连接（%s）"), p->db.name, buf_str(&line));
}

static int silent(struct postgres *p, int64_t waited, struct err *e)
{
	char text[24];

	p->dead = true; /* the answer may still come: nobody must take it for that of another question */
	duration_text(waited, text);
	return err_set(e, ETIMEDOUT, TR("the server of the store %s did not answer within %s", "存储 %s 的服务器在 %s 内没有应答"), p->db.name, text);
}

static int fail_result(struct postgres *p, const PGresult *res, struct err *e)
{
	const char *state = pq.PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *said = pq.PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (!state) { /* libpq made it up: the connection broke */
		if (pq.PQstatus(p->con) == CONNECTION_BAD)
			return lost(p, e);
		return fail_state(p, "", pq.PQresultErrorMessage(res), e);
	}
	if (pq.PQstatus(p->con) == CONNECTION_BAD)
		p->dead = true;
	return fail_state(p, state, said, e);
}

/* ---- waiting ---- */

/* 0: ready; -ETIMEDOUT; another -errno */
static int wait_io(struct postgres *p, short events, int64_t deadline)
{
	struct pollfd fd = { .fd = pq.PQsocket(p->con), .events = events };

	for (;;) {
		int64_t left = deadline - time_mono();
		if (left <= 0)
			return -ETIMEDOUT;
		int64_t ms = left / NSEC_PER_MSEC + 1;
		int r = fd.fd < 0 ? 1 : poll(&fd, 1, ms > INT_MAX ? INT_MAX : (int)ms);
		if (r > 0)
			return fd.revents & POLLIN && events & POLLIN ? 1 : 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

static int flush(struct postgres *p, int64_t deadline, struct err *e)
{
	for (;;) {
		int left = pq.PQflush(p->con);
		if (left < 0)
			return lost(p, e);
		if (!left)
			return 0;
		int r = wait_io(p, POLLIN | POLLOUT, deadline);
		if (r < 0)
			return silent(p, p->wait_ns + WAIT_GRACE, e);
		if (r > 0 && !pq.PQconsumeInput(p->con)) /* a server that answers before it has read all */
			return lost(p, e);
	}
}

/*
 * Send what was asked and take every answer: the last one, or the first that failed. *ret is NULL when the connection
 * broke before an answer.
 */
static int answers(struct postgres *p, PGresult **ret, struct err *e)
{
	int64_t deadline = time_mono() + p->wait_ns + WAIT_GRACE;
	PGresult *kept = NULL, *res;
	bool failed = false;
	int r = flush(p, deadline, e);

	while (r == 0) {
		while (r == 0 && pq.PQisBusy(p->con)) {
			if (wait_io(p, POLLIN, deadline) < 0)
				r = silent(p, p->wait_ns + WAIT_GRACE, e);
			else if (!pq.PQconsumeInput(p->con))
				r = lost(p, e);
		}
		if (r < 0 || !(res = pq.PQgetResult(p->con)))
			break;
		if (failed) {
			pq.PQclear(res);
			continue;
		}
		pq.PQclear(kept);
		kept = res;
		ExecStatusType status = pq.PQresultStatus(res);
		failed = status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY;
	}
	if (failed) /* also when the connection broke behind it: it says why */
		r = fail_result(p, kept, e);
	if (r < 0) {
		pq.PQclear(kept);
		kept = NULL;
	}
	*ret = kept;
	return r;
}

static int usable(struct postgres *p, struct err *e)
{
	if (p->dead)
		return err_set(e, ECONNRESET, TR("the server of the store %s has gone away", "存储 %s 的服务器已断开"), p->db.name);
	if (fault_hit())
		return err_set(e, EIO, "fault injected");
	return 0;
}

/* ---- statements ---- */

static void forget(struct kept *k)
{
	mem_free(k->sql);
	mem_free(k->text);
}

static void forget_at(struct postgres *p, size_t i)
{
	forget(&p->kept[i]);
	memmove(p->kept + i, p->kept + i + 1, (--p->n_kept - i) * sizeof(*p->kept));
}

/* The oldest goes. The server is told; that it may not be told in a failed transaction does not matter. */
static void make_room(struct postgres *p)
{
	char sql[64];
	PGresult *res = NULL;

	if (p->n_kept < KEPT_MAX)
		return;
	if (p->kept[0].prepared) {
		snprintf(sql, sizeof(sql), "DEALLOCATE tocsin%u", p->kept[0].number);
		if (pq.PQsendQuery(p->con, sql) && answers(p, &res, NULL) == 0)
			pq.PQclear(res);
	}
	forget_at(p, 0);
}

static struct kept *find(struct postgres *p, const char *sql, size_t n)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	for (size_t i = 0; i < p->n_kept; i++) {
		if (p->kept[i].n == n && strcmp(p->kept[i].sql, sql) == 0)
			return &p->kept[i];
	}
	pg_sql(sql, &text);
	struct kept k = { .sql = mem_dup(sql, strlen(sql)), .n = n };
	k.text = text.bad ? NULL : mem_dup(buf_str(&text), text.len);
	if (!k.sql || !k.text) {
		forget(&k);
		return NULL;
	}
	make_room(p);
	p->kept[p->n_kept] = k;
	return &p->kept[p->n_kept++];
}

struct args {
	const char *p[ARGS_MAX];
	int len[ARGS_MAX], format[ARGS_MAX];
	Oid types[ARGS_MAX]; /* 0: NULL */
	uint64_t number[ARGS_MAX];
	size_t n;
};

/* The first time it is asked as it is, in one round trip; who asks again gets it prepared. */
static int ask(struct postgres *p, struct kept *k, const struct args *a, PGresult **ret, struct err *e)
{
	char name[32];
	int n = (int)a->n;

	for (size_t i = 0; i < a->n; i++) {
		if (a->types[i] && a->types[i] != k->types[i]) {
			k->types[i] = a->types[i];
			k->prepared = false;
			k->number = 0;
		}
	}
	if (!k->number)
		k->number = ++p->last_number;
	snprintf(name, sizeof(name), "tocsin%u", k->number);
	if (k->uses++ == 0) {
		if (!pq.PQsendQueryParams(p->con, k->text, n, k->types, a->p, a->len, a->format, 1))
			return lost(p, e);
		return answers(p, ret, e);
	}
	if (!k->prepared) {
		if (!pq.PQsendPrepare(p->con, name, k->text, n, k->types))
			return lost(p, e);
		int r = answers(p, ret, e);
		if (r < 0)
			return r;
		pq.PQclear(*ret);
		k->prepared = true;
	}
	if (!pq.PQsendQueryPrepared(p->con, name, n, a->p, a->len, a->format, 1))
		return lost(p, e);
	return answers(p, ret, e);
}

static int ask_sql(struct postgres *p, const char *sql, const struct args *a, PGresult **ret, struct err *e)
{
	struct kept *k = find(p, sql, a->n);

	if (!k)
		return out_of_memory(e);
	if (p->dead) /* making room may have shown it */
		return usable(p, e);
	int r = ask(p, k, a, ret, e);
	if (r == -EAGAIN && k->prepared) /* it may be stale: the next try prepares anew */
		forget_at(p, (size_t)(k - p->kept));
	return r;
}

/* ---- parameters ---- */

static int too_big(const struct postgres *p, struct err *e)
{
	return err_set(e, E2BIG, TR("the store %s: one value is larger than 1 GB", "存储 %s：单个值超过 1 GB"), p->db.name);
}

#define VALUE_MAX 0x3fffff00u

static int give(const struct postgres *p, const struct db_value *v, size_t n, struct args *a, struct buf *room, struct err *e)
{
	size_t more = 0;

	if (n > ARGS_MAX)
		return err_set(e, EINVAL, TR("the store %s: a statement has %zu parameters, more than %d", "存储 %s：语句有 %zu 个参数，超过 %d 个"), p->db.name, n, ARGS_MAX);
	for (size_t i = 0; i < n; i++) {
		bool bytes = v[i].type == DB_TEXT || v[i].type == DB_BLOB;
		if (bytes && v[i].s.n > VALUE_MAX / 3)
			return too_big(p, e);
		more += v[i].type == DB_TEXT && !db_text_ok(v[i].s) ? 3 * v[i].s.n : 0;
	}
	if (more && !buf_need(room, more)) /* at once: what was made must not move */
		return out_of_memory(e);
	a->n = n;
	for (size_t i = 0; i < n; i++) {
		struct span s = v[i].s;
		a->types[i] = pg_type(v[i].type);
		a->format[i] = 1;
		if (v[i].type == DB_TEXT && more && !db_text_ok(s)) {
			size_t at = room->len;
			db_text_clean(s, room);
			s = span_from(buf_view(room), at);
		} else if (v[i].type == DB_INT || v[i].type == DB_REAL) {
			memcpy(&a->number[i], v[i].type == DB_INT ? (const void *)&v[i].i : (const void *)&v[i].d, sizeof(a->number[i]));
			a->number[i] = htobe64(a->number[i]);
			s = (struct span){ (const char *)&a->number[i], sizeof(a->number[i]) };
		}
		a->p[i] = v[i].type == DB_NULL ? NULL : s.p;
		a->len[i] = (int)s.n;
	}
	return 0;
}

/* ---- rows ---- */

static int read_row(const struct postgres *p, const PGresult *res, int at, int columns, struct db_value *row, struct err *e)
{
	for (int c = 0; c < columns; c++) {
		row[c] = db_null();
		if (pq.PQgetisnull(res, at, c))
			continue;
		int r = pg_decode(pq.PQftype(res, c), pq.PQgetvalue(res, at, c), pq.PQgetlength(res, at, c), &row[c]);
		if (r < 0)
			return err_set(e, -r, TR("the store %s: column %d of the answer has the type %u, which is not understood", "存储 %s：结果的第 %d 列类型为 %u，无法识别"),
				       p->db.name, c + 1, pq.PQftype(res, c));
	}
	return 0;
}

static int64_t changed(PGresult *res)
{
	int64_t n = 0;
	struct span status = span_of(pq.PQcmdStatus(res));

	if (!span_starts(status, S("SELECT")))
		span_int(span_of(pq.PQcmdTuples(res)), &n);
	return n;
}

static int64_t pg_query(struct db *d, const char *sql, const struct db_value *v, size_t n, db_row_fn *fn, void *ctx, struct err *e)
{
	struct postgres *p = (struct postgres *)d;
	CLEANUP(buf_free) struct buf room = { 0 };
	struct db_value row[COLUMNS_MAX];
	struct args args = { .n = 0 };
	PGresult *res = NULL;

	int r = usable(p, e);
	if (r == 0)
		r = give(p, v, n, &args, &room, e);
	if (r == 0)
		r = ask_sql(p, sql, &args, &res, e);
	if (r < 0)
		return r;
	int columns = pq.PQnfields(res), rows = fn ? pq.PQntuples(res) : 0;
	columns = columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
	/* All rows are here already: the callback may ask something else. */
	for (int i = 0; i < rows && r == 0; i++) {
		r = read_row(p, res, i, columns, row, e);
		if (r == 0)
			r = fn(ctx, row, (size_t)columns);
	}
	int64_t n_changed = changed(res);
	pq.PQclear(res);
	return r < 0 ? r : n_changed;
}

static int pg_script(struct db *d, const char *sql, struct err *e)
{
	struct postgres *p = (struct postgres *)d;
	PGresult *res = NULL;

	int r = usable(p, e);
	if (r < 0)
		return r;
	if (!pq.PQsendQuery(p->con, sql))
		return lost(p, e);
	r = answers(p, &res, e);
	if (r < 0)
		return r;
	/* A transaction in which something failed is undone by COMMIT, and that is called a success. */
	bool undone = span_starts(span_of(sql), S("COMMIT")) && span_starts(span_of(pq.PQcmdStatus(res)), S("ROLLBACK"));
	pq.PQclear(res);
	return undone ? fail_state(p, "25P02", "ROLLBACK", e) : 0;
}

/* ---- many rows ---- */

static size_t chunk(const struct db_rows *rows, size_t from)
{
	size_t n = 0, bytes = 0;

	while (from + n < rows->n && n < CHUNK_ROWS && bytes < CHUNK_BYTES) {
		const struct db_value *v = rows->v + (from + n) * rows->columns;
		for (size_t c = 0; c < rows->columns; c++)
			bytes += v[c].type == DB_TEXT || v[c].type == DB_BLOB ? v[c].s.n + 4 : 12;
		n++;
	}
	return n;
}

static int give_arrays(const struct postgres *p, const struct db_rows *rows, size_t from, size_t n, struct buf *columns, struct args *a, struct err *e)
{
	a->n = rows->columns;
	for (size_t c = 0; c < rows->columns; c++) {
		buf_clear(&columns[c]);
		columns[c].max = VALUE_MAX;
		int r = pg_array(rows, c, from, n, &columns[c]);
		if (r == -EINVAL)
			return err_set(e, EINVAL, TR("the store %s: a value of column %zu is of another type than its column", "存储 %s：第 %zu 列的一个值与该列类型不符"), p->db.name, c + 1);
		if (r < 0)
			return columns[c].len > VALUE_MAX / 2 ? too_big(p, e) : out_of_memory(e);
		a->types[c] = pg_array_type(rows->types[c]);
		a->format[c] = 1;
		a->p[c] = columns[c].p;
		a->len[c] = (int)columns[c].len;
	}
	return 0;
}

static int pg_bulk(struct db *d, const char *sql, const struct db_rows *rows, struct err *e)
{
	struct postgres *p = (struct postgres *)d;
	struct buf columns[ARGS_MAX] = { 0 };
	struct args args = { .n = 0 };
	int r = 0;

	if (rows->columns > ARGS_MAX)
		return err_set(e, EINVAL, TR("the store %s: more than %d columns at once", "存储 %s：一次超过 %d 列"), d->name, ARGS_MAX);
	for (size_t from = 0; from < rows->n && r == 0;) {
		size_t n = chunk(rows, from);
		PGresult *res = NULL;
		r = usable(p, e);
		if (r == 0)
			r = give_arrays(p, rows, from, n, columns, &args, e);
		if (r == 0)
			r = ask_sql(p, sql, &args, &res, e);
		if (r == 0)
			pq.PQclear(res);
		from += n;
	}
	for (size_t c = 0; c < rows->columns; c++)
		buf_free(&columns[c]);
	return r;
}

static void disconnect(struct postgres *p)
{
	if (p->con)
		pq.PQfinish(p->con);
	p->con = NULL;
	p->dead = false;
}

static void pg_close(struct db *d)
{
	struct postgres *p = (struct postgres *)d;

	for (size_t i = 0; i < p->n_kept; i++)
		forget(&p->kept[i]);
	disconnect(p);
	mem_free(p->hosts);
	mem_free(p->ports);
	mem_free(p->db.name);
	mem_free(p);
}

static const struct db_ops ops = { pg_query, pg_script, pg_bulk, pg_close };

/* ---- the address ---- */

static const char *option(const PQconninfoOption *o, const char *name)
{
	for (; o && o->keyword; o++) {
		if (strcmp(o->keyword, name) == 0 && o->val && *o->val)
			return o->val;
	}
	return NULL;
}

static void add_clean(struct buf *b, const char *before, const char *text)
{
	if (!text)
		return;
	buf_adds(b, before);
	text_clean(span_of(text), false, b);
}

/* postgres://user@host:port/database, of what is not secret. */
static char *shown_name(const PQconninfoOption *o)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	const char *host = option(o, "host"), *user = option(o, "user"), *service = option(o, "service"), *port = option(o, "port");
	bool socket = host && (*host == '/' || *host == '@');

	buf_adds(&b, "postgres://");
	add_clean(&b, "", user);
	if (user)
		buf_addc(&b, '@');
	add_clean(&b, "", socket ? NULL : host ? host : option(o, "hostaddr"));
	add_clean(&b, ":", port && strspn(port, ",") < strlen(port) ? port : NULL);
	add_clean(&b, "/", option(o, "dbname"));
	add_clean(&b, "?host=", socket ? host : NULL);
	add_clean(&b, socket ? "&service=" : "?service=", service);
	return b.bad ? NULL : mem_dup(buf_str(&b), b.len);
}

/*
 * libpq quotes the piece that it stumbled over, which may be one of the password: only its words before the quote are said.
 */
static int wrong_address(const char *said, struct err *e)
{
	struct span s = span_of(said ? said : "");

	s = span_trim(span_cut(&s, '"'));
	while (s.n && (s.p[s.n - 1] == ':' || s.p[s.n - 1] == '\n'))
		s.n--;
	return err_set(e, EINVAL, TR("the address of the store is not understood (%.*s): write postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full, with @ / : %% in a name as %%40 %%2F %%3A %%25, and the password in PGPASSFILE",
				     "无法理解存储的地址（%.*s）：请写成 postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full，名称中的 @ / : %% 写作 %%40 %%2F %%3A %%25，密码放在 PGPASSFILE 中"),
		       SPAN_ARG(s));
}

/*
 * A @ or / that was not encoded moves a piece of the password to where host or database stand, which are shown. Behind the
 * user there is no other @ in an address.
 */
static bool is_torn(struct span uri)
{
	if (!span_skip(&uri, S("postgres://")) && !span_skip(&uri, S("postgresql://")))
		return false;
	size_t at = span_chr(uri, '@'), slash = span_chr(uri, '/');
	if (at != SPAN_NONE && (slash == SPAN_NONE || at < slash))
		uri = span_from(uri, at + 1);
	return span_chr(span_cut(&uri, '?'), '@') != SPAN_NONE;
}

static int read_address(struct postgres *p, const char *uri, int64_t *timeout, struct err *e)
{
	char *said = NULL;
	int64_t seconds = 0;

	if (is_torn(span_of(uri)))
		return wrong_address("@", e);
	PQconninfoOption *o = pq.PQconninfoParse(uri, &said);
	if (!o) {
		int r = said ? wrong_address(said, e) : out_of_memory(e);
		pq.PQfreemem(said);
		return r;
	}
	p->db.name = shown_name(o);
	const char *own = option(o, "connect_timeout");
	if (own && span_int(span_of(own), &seconds) && seconds > 0 && seconds < 3600)
		*timeout = seconds * NSEC_PER_SEC;
	const char *hosts = option(o, "hostaddr") ? NULL : option(o, "host"), *ports = option(o, "port");
	p->hosts = hosts ? mem_dup(hosts, strlen(hosts)) : NULL;
	p->ports = hosts && ports ? mem_dup(ports, strlen(ports)) : NULL;
	bool no_ports = ports && strspn(ports, "0123456789,") != strlen(ports);
	bool bad = !p->db.name || (hosts && !p->hosts) || (hosts && ports && !p->ports);
	pq.PQconninfoFree(o);
	if (no_ports)
		return wrong_address(TR("invalid port number", "端口号无效"), e);
	return bad ? out_of_memory(e) : 0;
}

/* ---- connecting ---- */

static void say_nothing(void *ctx, const PGresult *res)
{
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The SQLSTATE that a verbose message holds: "FATAL:  28P01: …"; words and language do not matter. */
static bool find_state(struct span s, char ret[6], struct span *rest)
{
	for (size_t i = 0; i + 8 <= s.n; i++) {
		size_t k = 0, digits = 0;
		if (s.p[i] != ' ' || s.p[i + 6] != ':' || s.p[i + 7] != ' ')
			continue;
		for (; k < 5 && (is_digit(s.p[i + 1 + k]) || (s.p[i + 1 + k] >= 'A' && s.p[i + 1 + k] <= 'Z')); k++)
			digits += is_digit(s.p[i + 1 + k]);
		if (k < 5 || !digits) /* FATAL has none */
			continue;
		memcpy(ret, s.p + i + 1, 5);
		ret[5] = '\0';
		*rest = span_from(s, i + 8);
		return true;
	}
	return false;
}

static int fail_connect(struct postgres *p, struct err *e)
{
	CLEANUP(buf_free) struct buf line = { 0 };
	struct span said = span_of(pq.PQerrorMessage(p->con)), rest;
	char state[6];

	if (find_state(said, state, &rest))
		return fail_state(p, state, rest.p, e);
	if (span_find(said, S("password")) != SPAN_NONE) /* none was given */
		return fail_state(p, "28P01", said.p, e);
	if (span_starts(said, S("invalid"))) /* an option of the address, with its value */
		return wrong_address(said.p, e);
	one_line(said.p, &line);
	if (span_find(said, S("certificate")) != SPAN_NONE || span_find(said, S("SSL")) != SPAN_NONE)
		return err_set(e, EKEYREJECTED, TR("the server of the store %s could not be verified (%s): see sslmode and sslrootcert", "无法验证存储 %s 的服务器（%s）：请检查 sslmode 和 sslrootcert"),
			       p->db.name, buf_str(&line));
	return err_set(e, ECONNREFUSED, TR("the server of the store %s cannot be reached (%s)", "无法连接存储 %s 的服务器（%s）"), p->db.name, buf_str(&line));
}

/* One of the places where the server may be; all NULL: where libpq looks by itself. */
struct target {
	const char *host, *address, *port;
};

static int connect_to(struct postgres *p, const char *uri, const struct target *t, int64_t timeout, struct err *e)
{
	const char *names[8] = { "dbname", "client_encoding", "fallback_application_name" };
	const char *values[8] = { uri, "UTF8", "tocsin" };
	int64_t deadline = time_mono() + timeout;
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	size_t n = 3;

	if (t->host)
		names[n] = "host", values[n++] = t->host;
	if (t->address)
		names[n] = "hostaddr", values[n++] = t->address;
	if (t->port)
		names[n] = "port", values[n++] = t->port;
	disconnect(p);
	p->con = pq.PQconnectStartParams(names, values, 1);
	if (!p->con)
		return out_of_memory(e);
	pq.PQsetErrorVerbosity(p->con, PQERRORS_VERBOSE);
	pq.PQsetNoticeReceiver(p->con, say_nothing, NULL);
	if (pq.PQstatus(p->con) == CONNECTION_BAD)
		return fail_connect(p, e);
	while (want != PGRES_POLLING_OK) {
		if (want == PGRES_POLLING_FAILED)
			return fail_connect(p, e);
		if (wait_io(p, want == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline) < 0)
			return silent(p, timeout, e);
		want = pq.PQconnectPoll(p->con);
	}
	pq.PQsetErrorVerbosity(p->con, PQERRORS_DEFAULT);
	return pq.PQsetnonblocking(p->con, 1) == 0 ? 0 : lost(p, e);
}

/* A server that cannot be had, or only be read, is no reason not to ask the next one. */
static bool is_final(int r)
{
	return r != -ECONNREFUSED && r != -ETIMEDOUT && r != -ECONNRESET && r != -EROFS;
}

static int not_resolved(const struct postgres *p, const char *host, int r, const char *why, struct err *e)
{
	CLEANUP(buf_free) struct buf shown = { 0 };

	if (r == -ENOMEM)
		return out_of_memory(e);
	text_clean(span_of(host), false, &shown);
	if (r == -ETIMEDOUT)
		return err_set(e, ETIMEDOUT, TR("the server of the store %s was not found in time: nothing tells the address of %s", "未能及时找到存储 %s 的服务器：无法得知 %s 的地址"),
			       p->db.name, buf_str(&shown));
	return err_set(e, ECONNREFUSED, TR("the server of the store %s cannot be reached (the address of %s is not known: %s)", "无法连接存储 %s 的服务器（不知道 %s 的地址：%s）"),
		       p->db.name, buf_str(&shown), why ? why : strerror(-r));
}

static int settle(struct postgres *p, unsigned flags, struct err *e);

struct attempt {
	const char *uri;
	unsigned flags;
	int64_t deadline;
};

static int try_target(struct postgres *p, const struct attempt *a, const struct target *t, size_t left, struct err *e)
{
	int64_t share = (a->deadline - time_mono()) / (int64_t)(left ? left : 1);
	int r = connect_to(p, a->uri, t, share > NSEC_PER_MSEC ? share : NSEC_PER_MSEC, e);

	return r == 0 ? settle(p, a->flags, e) : r;
}

static int try_host(struct postgres *p, const struct attempt *a, const char *host, const char *port, size_t left, struct err *e)
{
	struct address found[RESOLVE_MAX];
	const char *why = NULL;
	int r = 0;

	if (*host == '/' || *host == '@' || !*host) /* a socket */
		return try_target(p, a, &(struct target){ host, NULL, port }, left, e);
	int64_t now = time_mono();
	int n = resolve_host(host, now + (a->deadline - now) / (int64_t)left, found, &why);
	if (n <= 0)
		return not_resolved(p, host, n, why, e);
	for (int i = 0; i < n; i++) {
		r = try_target(p, a, &(struct target){ host, found[i].text, port }, left * (size_t)(n - i), e);
		if (r == 0 || is_final(r))
			break;
	}
	return r;
}

static size_t count(struct span list)
{
	size_t n = 1;

	for (size_t i = 0; i < list.n; i++)
		n += list.p[i] == ',';
	return n;
}

/* Each host gets its share of the time, so that a silent first one does not hide the second. */
static int try_hosts(struct postgres *p, const struct attempt *a, struct err *e)
{
	struct span hosts = span_of(p->hosts), ports = span_of(p->ports);
	size_t n = count(hosts), n_ports = count(ports);
	char host[512], port[16];
	int r = 0;

	if (!p->hosts)
		return try_target(p, a, &(struct target){ 0 }, 1, e);
	if (p->ports && n_ports != 1 && n_ports != n)
		return wrong_address(TR("as many ports as hosts, or one", "端口数应与主机数相同，或只写一个"), e);
	for (size_t i = 0; i < n; i++) {
		struct span h = span_cut(&hosts, ','), port_span = n_ports == 1 ? span_of(p->ports) : span_cut(&ports, ',');
		if (!h.n || h.n >= sizeof(host) || port_span.n >= sizeof(port))
			return wrong_address(h.n ? TR("too long", "过长") : TR("a host without a name", "主机名为空"), e);
		if (!port_span.n) /* libpq takes an empty word for none, and would take the whole list */
			port_span = span_of(getenv("PGPORT") ? getenv("PGPORT") : "5432");
		snprintf(host, sizeof(host), "%.*s", SPAN_ARG(h));
		snprintf(port, sizeof(port), "%.*s", SPAN_ARG(port_span));
		r = try_host(p, a, host, p->ports ? port : NULL, n - i, e);
		if (r == 0 || is_final(r))
			break;
	}
	return r;
}

/* ---- the session ---- */

static int check_server(const struct postgres *p, struct err *e)
{
	int version = pq.PQserverVersion(p->con);
	const char *encoding = pq.PQparameterStatus(p->con, "server_encoding");

	if (version < SERVER_MIN)
		return err_set(e, ENOTSUP, TR("the store %s is on PostgreSQL %d.%d: %d or newer is needed", "存储 %s 的服务器是 PostgreSQL %d.%d：需要 %d 或更新版本"),
			       p->db.name, version / 10000, version % 10000, SERVER_MIN / 10000);
	if (encoding && strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0)
		return err_set(e, ENOTSUP, TR("the database of the store %s has the encoding %s: make it with `createdb --encoding UTF8 --template template0`",
					      "存储 %s 的数据库编码为 %s：请用 `createdb --encoding UTF8 --template template0` 创建"), p->db.name, encoding);
	return 0;
}

struct place {
	bool there, usable, readonly;
};

static int take_place(void *ctx, const struct db_value *row, size_t n)
{
	*(struct place *)ctx = (struct place){ n > 0 && row[0].i, n > 1 && row[1].i, n > 2 && row[2].i };
	return 1;
}

static int look(struct postgres *p, struct place *ret, struct err *e)
{
	int64_t r = db_query(&p->db, "SELECT count(*), coalesce(bool_or(has_schema_privilege(oid, 'USAGE')), false), current_setting('transaction_read_only') = 'on'"
				     " FROM pg_catalog.pg_namespace WHERE nspname = 'tocsin'", NULL, 0, take_place, ret, e);

	return r < 0 ? (int)r : 0;
}

static int make_schema(struct postgres *p, struct err *e)
{
	int r = db_script(&p->db, "CREATE SCHEMA IF NOT EXISTS tocsin", e);

	if (r == -EEXIST) /* another one made it in the same moment */
		return 0;
	if (r == -EACCES)
		return err_set(e, EACCES, TR("the user of the store %s may not make the schema tocsin: an owner of the database can, with `CREATE SCHEMA tocsin AUTHORIZATION \"%s\"`",
					     "存储 %s 的用户无权创建 tocsin 模式：数据库所有者可执行 `CREATE SCHEMA tocsin AUTHORIZATION \"%s\"`"), p->db.name, pq.PQuser(p->con));
	return r;
}

static int settle(struct postgres *p, unsigned flags, struct err *e)
{
	char sql[512];
	int64_t ms = p->wait_ns / NSEC_PER_MSEC;
	struct place place = { 0 };

	int r = check_server(p, e);
	if (r < 0)
		return r;
	/* Who waits for a lock is told so, before it is told that it took too long. A writer that was stopped lets go. */
	snprintf(sql, sizeof(sql), "SET search_path = tocsin, public; SET jit = off; SET standard_conforming_strings = on; SET statement_timeout = %lld; SET lock_timeout = %lld;"
				   " SET idle_in_transaction_session_timeout = '10min'; SET client_min_messages = error%s",
		 (long long)(ms < 2 ? 2 : ms), (long long)(ms < 2 ? 1 : ms - ms / 10), flags & DB_READONLY ? "; SET default_transaction_read_only = on" : "");
	r = db_script(&p->db, sql, e);
	if (r == 0)
		r = look(p, &place, e);
	if (r < 0)
		return r;
	if (place.readonly && !(flags & DB_READONLY))
		return err_set(e, EROFS, TR("the server of the store %s is read-only (a standby?): name the primary", "存储 %s 的服务器是只读的（备用节点？）：请指定主节点"), p->db.name);
	if (!place.there && (!(flags & DB_CREATE) || flags & DB_READONLY))
		return err_set(e, ENOENT, TR("there is no store in %s yet: `tocsin run` makes it", "%s 中尚无存储：`tocsin run` 会创建它"), p->db.name);
	if (place.there && !place.usable)
		return err_set(e, EACCES, TR("the user of the store %s may not use its schema: the owner can say `GRANT ALL ON SCHEMA tocsin TO \"%s\"`",
					     "存储 %s 的用户无权使用其模式：所有者可执行 `GRANT ALL ON SCHEMA tocsin TO \"%s\"`"), p->db.name, pq.PQuser(p->con));
	return place.there ? 0 : make_schema(p, e);
}

int postgres_open(const char *uri, unsigned flags, int64_t wait_ns, struct db **ret, struct err *e)
{
	int r = dl_load(&libpq, e);

	if (r < 0)
		return r;
	struct postgres *p = mem_zalloc(sizeof(*p));
	if (!p)
		return out_of_memory(e);
	p->db.ops = &ops;
	p->db.postgres = true;
	p->db.readonly = flags & DB_READONLY;
	p->wait_ns = wait_ns > 0 ? wait_ns : WAIT_DEFAULT;
	int64_t timeout = p->wait_ns < WAIT_DEFAULT ? p->wait_ns : WAIT_DEFAULT;
	r = fault_hit() ? err_set(e, EIO, "fault injected") : read_address(p, uri, &timeout, e);
	if (r == 0)
		r = try_hosts(p, &(struct attempt){ uri, flags, time_mono() + timeout }, e);
	if (r < 0) {
		pg_close(&p->db);
		return r;
	}
	*ret = &p->db;
	return 0;
}

int postgres_name(const char *uri, struct buf *ret, struct err *e)
{
	struct postgres p = { 0 };
	int64_t timeout;
	int r = dl_load(&libpq, e);

	if (r == 0)
		r = read_address(&p, uri, &timeout, e);
	buf_adds(ret, r == 0 ? p.db.name : "");
	mem_free(p.db.name);
	mem_free(p.hosts);
	mem_free(p.ports);
	return r == 0 && ret->bad ? out_of_memory(e) : r;
}
