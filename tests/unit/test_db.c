/*
 * store/db.h: the same tests on SQLite and on PostgreSQL, then what only one of them can do.
 * suite: postgres (run through tests/helpers/pg)
 * suite: takes 20
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "store/db.h"
#include "store/pgvalue.h"
#include "store/schema.h"

#define WAIT (3 * NSEC_PER_SEC)

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret);

/* A resolver that gets no answer, for the host "slow". */
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	if (strcmp(node, "slow") == 0 && !(hints->ai_flags & AI_NUMERICHOST)) {
		sleep(2);
		return EAI_AGAIN;
	}
	return __real_getaddrinfo(node, service, hints, ret);
}

static char dir[64] = "/tmp/tocsin-db-XXXXXX";
static char file[128]; /* the SQLite store of this test */
static struct db *db;
static bool postgres;

static const char *env(const char *name)
{
	const char *v = getenv(name);

	if (!v)
		fail_msg("%s is not set: run this program through tests/helpers/pg", name);
	return v;
}

static int reopen(unsigned flags, int64_t wait, struct db **ret, struct err *e)
{
	return postgres ? postgres_open(env("TOCSIN_TEST_POSTGRES"), flags, wait, ret, e) : sqlite_open(file, flags, wait, ret, e);
}

static void fine(int64_t r, const struct err *e)
{
	if (r < 0)
		fail_msg("%s", e->msg);
}

static void is_error(int64_t r, int code, const struct err *e, const char *word)
{
	if (r != -code || !strstr(e->msg, word))
		fail_msg("wanted %s with '%s', got %s: %s", strerrorname_np(code), word, r < 0 ? strerrorname_np((int)-r) : "success", r < 0 ? e->msg : "");
	assert_null(strchr(e->msg, '\n'));
}

static void script(const char *sql)
{
	struct err e;

	fine(db_script(db, sql, &e), &e);
}

static int setup(void **state)
{
	static int number;
	struct err e;

	postgres = *(const bool *)*state;
	snprintf(file, sizeof(file), "%s/%d.db", dir, ++number);
	fine(reopen(DB_CREATE, WAIT, &db, &e), &e);
	script(postgres ? "DROP SCHEMA tocsin CASCADE; CREATE SCHEMA tocsin" : "PRAGMA application_id = 1953457011");
	return 0;
}

static int teardown(void **state)
{
	fault_at = 0;
	db_close(db);
	db = NULL;
	return 0;
}

static void make_table(void)
{
	script(postgres ? "CREATE TABLE t (i BIGINT, d FLOAT8, s TEXT, b BYTEA)" : "CREATE TABLE t (i INTEGER, d REAL, s TEXT, b BLOB) STRICT");
}

static int64_t number_of(const char *sql)
{
	struct err e;
	int64_t v = -1;

	fine(db_get(db, sql, NULL, 0, -1, &v, &e), &e);
	return v;
}

/* ---- both ---- */

static const struct db_value samples[][4] = {
	{ { DB_INT, .i = INT64_MAX }, { DB_REAL, .d = 1e300 }, { DB_TEXT, .s = { "x", 1 } }, { DB_BLOB, .s = { "\0a\0\xff", 4 } } },
	{ { DB_INT, .i = INT64_MIN }, { DB_REAL, .d = -0.1 }, { DB_TEXT, .s = { "", 0 } }, { DB_BLOB, .s = { "", 0 } } },
	{ { DB_NULL }, { DB_NULL }, { DB_NULL }, { DB_NULL } },
	{ { DB_INT, .i = -1 }, { DB_REAL, .d = 0 }, { DB_TEXT, .s = { "\xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80 it's ?1 $2", 22 } }, { DB_NULL } },
};

static int same_as_sample(void *ctx, const struct db_value *row, size_t n)
{
	size_t *at = ctx;
	const struct db_value *want = samples[(*at)++];

	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(row[i].type, want[i].type);
		assert_true(row[i].type != DB_INT || row[i].i == want[i].i);
		assert_true(row[i].type != DB_REAL || !memcmp(&row[i].d, &want[i].d, sizeof(double)));
		if (row[i].type == DB_TEXT || row[i].type == DB_BLOB)
			assert_true(row[i].s.p && span_eq(row[i].s, want[i].s));
	}
	return 0;
}

static void values_come_back_as_they_were(void **state)
{
	struct err e;
	size_t at = 0;

	make_table();
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		assert_int_equal(db_run(db, "INSERT INTO t(i, d, s, b) VALUES (?1, ?2, ?3, ?4)", samples[i], 4, &e), 1);
	fine(db_query(db, DB_SQL(db, "SELECT i, d, s, b FROM t ORDER BY rowid", "SELECT i, d, s, b FROM t ORDER BY ctid"), NULL, 0, same_as_sample, &at, &e), &e);
	assert_int_equal(at, ARRAY_LEN(samples));
	at = 0; /* the same through a prepared statement, and in bulk */
	script("DELETE FROM t");
	static const enum db_type types[] = { DB_INT, DB_REAL, DB_TEXT, DB_BLOB };
	fine(db_insert(db, "t", "i, d, s, b", &(struct db_rows){ types, 4, ARRAY_LEN(samples), samples[0] }, &e), &e);
	fine(db_query(db, DB_SQL(db, "SELECT i, d, s, b FROM t ORDER BY rowid", "SELECT i, d, s, b FROM t ORDER BY ctid"), NULL, 0, same_as_sample, &at, &e), &e);
	assert_int_equal(at, ARRAY_LEN(samples));
}

static int keep_text(void *ctx, const struct db_value *row, size_t n)
{
	struct buf *b = ctx;

	assert_int_equal(row[0].type, DB_TEXT);
	buf_clear(b);
	buf_span(b, row[0].s);
	return 0;
}

static void texts_are_cleaned(void **state)
{
	static const struct { struct span is, want; } texts[] = {
		{ { "a\0b", 3 }, { "a\xef\xbf\xbd" "b", 5 } },
		{ { "\xff\xfe", 2 }, { "\xef\xbf\xbd\xef\xbf\xbd", 6 } },
		{ { "x\xe4\xb8", 3 }, { "x\xef\xbf\xbd\xef\xbf\xbd", 7 } },
		{ { "\xed\xa0\x80", 3 }, { "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 9 } },
		{ { "\xc0\x80", 2 }, { "\xef\xbf\xbd\xef\xbf\xbd", 6 } },
		{ { "\xef\xbf\xbf\x01\n", 5 }, { "\xef\xbf\xbf\x01\n", 5 } },
	};
	static const enum db_type types[] = { DB_TEXT };
	CLEANUP(buf_free) struct buf got = { 0 };
	struct err e;

	make_table();
	for (size_t i = 0; i < 2 * ARRAY_LEN(texts); i++) {
		struct db_value v = db_text(texts[i / 2].is);
		script("DELETE FROM t");
		if (i & 1)
			fine(db_insert(db, "t", "s", &(struct db_rows){ types, 1, 1, &v }, &e), &e);
		else
			fine(db_run(db, "INSERT INTO t(s) VALUES (?1)", &v, 1, &e), &e);
		fine(db_query(db, "SELECT s FROM t", NULL, 0, keep_text, &got, &e), &e);
		assert_true(span_eq(buf_view(&got), texts[i / 2].want));
	}
}

static void a_long_text(void **state)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf got = { 0 };
	struct err e;

	make_table();
	for (int i = 0; text.len < 1 << 20; i++)
		buf_addf(&text, "line %d \xe4\xb8\xad\n", i);
	fine(db_run(db, "INSERT INTO t(s, b) VALUES (?1, ?2)", DB_ARGS(db_text(buf_view(&text)), db_blob(buf_view(&text))), &e), &e);
	fine(db_query(db, "SELECT s FROM t", NULL, 0, keep_text, &got, &e), &e);
	assert_true(span_eq(buf_view(&got), buf_view(&text)));
	assert_int_equal(number_of("SELECT length(b) FROM t"), text.len);
}

static int ask_again(void *ctx, const struct db_value *row, size_t n)
{
	struct err e;
	int64_t v = 0, *sum = ctx;

	/* the same statement, while a row of it is in hand */
	fine(db_get(db, "SELECT i FROM t WHERE i >= ?1 ORDER BY i", DB_ARGS(db_int(row[0].i + 1)), 0, &v, &e), &e);
	*sum += v * row[0].i;
	return 0;
}

static int stop_at_two(void *ctx, const struct db_value *row, size_t n)
{
	++*(int *)ctx;
	return row[0].i == 2 ? 7 : 0;
}

static int refuse(void *ctx, const struct db_value *row, size_t n)
{
	return -EXDEV;
}

static void questions_in_questions(void **state)
{
	struct err e;
	int64_t sum = 0;
	int seen = 0;

	make_table();
	script("INSERT INTO t(i) VALUES (1), (2), (3), (4)");
	fine(db_query(db, "SELECT i FROM t WHERE i >= ?1 ORDER BY i", DB_ARGS(db_int(0)), ask_again, &sum, &e), &e);
	assert_int_equal(sum, 1 * 2 + 2 * 3 + 3 * 4);
	assert_true(db_query(db, "SELECT i FROM t ORDER BY i", NULL, 0, stop_at_two, &seen, &e) >= 0);
	assert_int_equal(seen, 2);
	assert_int_equal(db_query(db, "SELECT i FROM t", NULL, 0, refuse, NULL, &e), -EXDEV);
	assert_int_equal(number_of("SELECT count(*) FROM t"), 4);
	assert_int_equal(number_of("SELECT sum(i) FROM t"), 10); /* numeric on PostgreSQL */
	assert_int_equal(number_of("SELECT i FROM t WHERE i > 4"), -1);
	assert_int_equal(number_of("SELECT max(i) FROM t WHERE i > 4"), -1);
	assert_int_equal(db_run(db, "UPDATE t SET i = i + ?1 WHERE i > ?2", DB_ARGS(db_int(10), db_int(2)), &e), 2);
	assert_int_equal(db_run(db, "UPDATE t SET s = 'why ?1' /* ?2 */ WHERE i = ?1 -- ?3", DB_ARGS(db_int(1)), &e), 1);
	assert_int_equal(number_of("SELECT i FROM t WHERE s = 'why ?1'"), 1);
}

static void a_null_in_the_place_of_a_number(void **state)
{
	struct err e;
	const struct db_value seq[] = { db_null(), db_int(5), db_null(), db_int(6), db_null() };

	make_table();
	script("INSERT INTO t(i) VALUES (0)");
	for (size_t i = 0; i < ARRAY_LEN(seq); i++) {
		assert_int_equal(db_run(db, "UPDATE t SET i = ?1, s = ?2", DB_ARGS(seq[i], i & 1 ? db_null() : db_textz("s")), &e), 1);
		assert_int_equal(number_of("SELECT i FROM t"), seq[i].type == DB_INT ? seq[i].i : -1);
		assert_int_equal(number_of("SELECT count(s) FROM t"), !(i & 1));
	}
}

static void many_statements(void **state)
{
	struct err e;
	char sql[64];
	int64_t v;

	for (int i = 0; i < 400; i++) {
		snprintf(sql, sizeof(sql), "SELECT %d + CAST(?1 AS BIGINT)", i % 150);
		fine(db_get(db, sql, DB_ARGS(db_int(i)), -1, &v, &e), &e);
		assert_int_equal(v, i % 150 + i);
		if (i % 3 == 0) {
			fine(db_get(db, sql, DB_ARGS(db_int(1)), -1, &v, &e), &e);
			assert_int_equal(v, i % 150 + 1);
		}
	}
}

static void many_rows(void **state)
{
	enum { N = 40000 };
	static const enum db_type types[] = { DB_INT, DB_REAL, DB_TEXT, DB_BLOB };
	struct db_value *v = calloc(4 * N, sizeof(*v));
	char (*text)[16] = calloc(N, sizeof(*text));
	struct err e;

	make_table();
	fine(db_insert(db, "t", "i, d, s, b", &(struct db_rows){ types, 4, 0, v }, &e), &e);
	assert_int_equal(number_of("SELECT count(*) FROM t"), 0);
	for (int i = 0; i < N; i++) {
		snprintf(text[i], sizeof(text[i]), "row %d", i);
		v[4 * i] = db_int(i);
		v[4 * i + 1] = (struct db_value){ .type = DB_REAL, .d = i / 2.0 };
		v[4 * i + 2] = i % 3 ? db_textz(text[i]) : db_null();
		v[4 * i + 3] = i % 5 ? db_null() : db_blob((struct span){ text[i], sizeof(text[i]) });
	}
	fine(db_begin(db, true, &e), &e);
	fine(db_insert(db, "t", "i, d, s, b", &(struct db_rows){ types, 4, 1, v }, &e), &e);
	assert_int_equal(number_of("SELECT count(*) FROM t"), 1);
	int64_t start = time_mono();
	fine(db_insert(db, "t", "i, d, s, b", &(struct db_rows){ types, 4, N - 1, v + 4 }, &e), &e);
	fine(db_commit(db, &e), &e);
	print_message("# %s: %.0f rows/s\n", db->postgres ? "PostgreSQL" : "SQLite", N / ((double)(time_mono() - start) / 1e9));
	assert_int_equal(number_of("SELECT count(*) FROM t"), N);
	assert_int_equal(number_of("SELECT count(DISTINCT i) FROM t"), N);
	assert_int_equal(number_of("SELECT sum(i) FROM t"), (int64_t)N * (N - 1) / 2);
	assert_int_equal(number_of("SELECT count(s) FROM t"), N - (N + 2) / 3);
	assert_int_equal(number_of("SELECT count(b) FROM t"), N / 5);
	assert_int_equal(number_of("SELECT sum(length(b)) FROM t"), N / 5 * 16);
	assert_int_equal(number_of("SELECT count(*) FROM t WHERE s = 'row ' || CAST(i AS TEXT)"), N - (N + 2) / 3);
	free(v);
	free(text);
}

static void all_or_nothing(void **state)
{
	struct err e;

	make_table();
	fine(db_begin(db, true, &e), &e);
	assert_true(db->in_transaction);
	script("INSERT INTO t(i) VALUES (1)");
	db_rollback(db);
	assert_false(db->in_transaction);
	assert_int_equal(number_of("SELECT count(*) FROM t"), 0);
	fine(db_begin(db, true, &e), &e);
	script("INSERT INTO t(i) VALUES (1)");
	fine(db_commit(db, &e), &e);
	assert_int_equal(number_of("SELECT count(*) FROM t"), 1);
	fine(db_begin(db, true, &e), &e); /* a close undoes it too */
	script("INSERT INTO t(i) VALUES (2)");
	db_close(db);
	db = NULL;
	fine(reopen(0, WAIT, &db, &e), &e);
	assert_int_equal(number_of("SELECT count(*) FROM t"), 1);
	db_rollback(db);
}

static void what_is_there_stays(void **state)
{
	static const enum db_type types[] = { DB_INT, DB_TEXT };
	const struct db_value rows[] = { db_int(1), db_textz("one"), db_int(2), db_textz("two"), db_int(1), db_textz("again") };
	CLEANUP(buf_free) struct buf got = { 0 };
	struct err e;

	script(postgres ? "CREATE TABLE u (i BIGINT PRIMARY KEY, s TEXT NOT NULL)" : "CREATE TABLE u (i INTEGER PRIMARY KEY, s TEXT NOT NULL) STRICT");
	fine(db_insert(db, "u", "i, s", &(struct db_rows){ types, 2, 3, rows }, &e), &e);
	fine(db_insert(db, "u", "i, s", &(struct db_rows){ types, 2, 3, rows }, &e), &e);
	assert_int_equal(number_of("SELECT count(*) FROM u"), 2);
	fine(db_query(db, "SELECT s FROM u WHERE i = 1", NULL, 0, keep_text, &got, &e), &e);
	assert_string_equal(got.p, "one");
	is_error(db_run(db, "INSERT INTO u(i, s) VALUES (?1, ?2)", rows, 2, &e), EEXIST, &e, db->name);
	assert_int_equal(db_run(db, "INSERT INTO u(i, s) VALUES (?1, ?2) ON CONFLICT DO NOTHING", rows, 2, &e), 0);
	is_error(db_run(db, "INSERT INTO nowhere(i) VALUES (?1)", rows, 1, &e), EPROTO, &e, "nowhere");
	assert_int_equal(number_of("SELECT count(*) FROM u"), 2);
}

/* ---- migrations ---- */

static const struct migration two_steps[] = {
	{ "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL){table};"
	  "CREATE TABLE a (i {key}, b {blob}, n {int}){table};", NULL, NULL },
	{ "ALTER TABLE a ADD COLUMN more {int};", "INSERT INTO a(i, more) VALUES (1, 2);", "INSERT INTO a(i, more) VALUES (1, 3);" },
};
static const struct migration broken_step[] = {
	{ "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL){table};", NULL, NULL },
	{ "CREATE TABLE half (i {int}){table}; CREATE TABLE meta (i {int}){table};", NULL, NULL },
};

static void the_schema_is_made(void **state)
{
	struct err e;
	int v = -1;

	fine(schema_version(db, &v, &e), &e);
	assert_int_equal(v, 0);
	fine(schema_migrate(db, schema_steps, SCHEMA_VERSION, &e), &e);
	fine(schema_migrate(db, schema_steps, SCHEMA_VERSION, &e), &e);
	fine(schema_version(db, &v, &e), &e);
	assert_int_equal(v, SCHEMA_VERSION);
	assert_int_equal(number_of("SELECT count(*) FROM fault"), 0);
	if (postgres)
		assert_int_equal(number_of("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public' AND table_name = 'fault'"), 0);
}

static void step_by_step(void **state)
{
	struct err e;
	struct db *other;
	int v;

	fine(schema_migrate(db, two_steps, 1, &e), &e);
	script("INSERT INTO a(i) VALUES (7)");
	fine(reopen(DB_READONLY, WAIT, &other, &e), &e);
	is_error(schema_migrate(other, two_steps, 2, &e), EROFS, &e, "older schema 1");
	fine(schema_migrate(db, two_steps, 2, &e), &e);
	fine(schema_version(other, &v, &e), &e);
	assert_int_equal(v, 2);
	fine(schema_migrate(other, two_steps, 2, &e), &e);
	is_error(db_script(other, "INSERT INTO a(i) VALUES (8)", &e), EROFS, &e, db->name);
	db_close(other);
	assert_int_equal(number_of("SELECT count(*) FROM a"), 2);
	assert_int_equal(number_of("SELECT sum(more) FROM a"), postgres ? 3 : 2);
	is_error(schema_migrate(db, two_steps, 1, &e), ENOTSUP, &e, "newer Tocsin");
}

static void a_step_that_fails_leaves_nothing(void **state)
{
	struct err e;
	int v;

	fine(schema_migrate(db, broken_step, 1, &e), &e);
	is_error(schema_migrate(db, broken_step, 2, &e), EPROTO, &e, "meta");
	fine(schema_version(db, &v, &e), &e);
	assert_int_equal(v, 1);
	assert_int_equal(number_of(DB_SQL(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'",
					      "SELECT count(*) FROM information_schema.tables WHERE table_name = 'half'")), 0);
}

/* Run fn in n processes at once; each says 0. */
static void together(int n, int (*fn)(int i))
{
	pid_t pid[16];
	int status;

	db_close(db); /* a connection must not be inherited */
	db = NULL;
	for (int i = 0; i < n; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			_exit(fn(i));
		assert_true(pid[i] > 0);
	}
	for (int i = 0; i < n; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	struct err e;
	fine(reopen(0, WAIT, &db, &e), &e);
}

static int migrate_one(int i)
{
	struct err e;
	struct db *d;
	int r = reopen(DB_CREATE, 20 * NSEC_PER_SEC, &d, &e);

	if (r == 0) {
		r = schema_migrate(d, two_steps, 2, &e);
		db_close(d);
	}
	if (r < 0)
		print_message("# writer %d: %s\n", i, e.msg);
	return r < 0;
}

static void many_migrate_at_once(void **state)
{
	if (postgres)
		script("DROP SCHEMA tocsin CASCADE"); /* also the schema is made by one of them */
	together(8, migrate_one);
	assert_int_equal(number_of("SELECT count(*) FROM a"), 1);
}

static int count_up(int i)
{
	struct err e = { 0 };
	struct db *d;
	int64_t v;
	int r = reopen(0, 20 * NSEC_PER_SEC, &d, &e);

	for (int k = 0; r == 0 && k < 50; k++) {
		r = db_begin(d, true, &e);
		if (r == 0)
			r = db_get(d, DB_SQL(d, "SELECT i FROM t", "SELECT i FROM t FOR UPDATE"), NULL, 0, -1, &v, &e);
		if (r == 0)
			r = (int)db_run(d, "UPDATE t SET i = ?1", DB_ARGS(db_int(v + 1)), &e) < 0 ? -1 : 0;
		if (r == 0)
			r = db_commit(d, &e);
	}
	if (r < 0)
		print_message("# writer %d: %s\n", i, e.msg);
	return r < 0;
}

static void many_writers(void **state)
{
	make_table();
	script("INSERT INTO t(i) VALUES (0)");
	together(6, count_up);
	assert_int_equal(number_of("SELECT i FROM t"), 300);
}

/* ---- faults ---- */

static int64_t one_story(void)
{
	static const enum db_type types[] = { DB_INT, DB_TEXT };
	const struct db_value rows[] = { db_int(1), db_textz("a"), db_int(2), db_text((struct span){ "\xff", 1 }) };
	struct db *d;
	struct err e = { 0 };
	int64_t n = 0;
	int r = reopen(0, WAIT, &d, &e);

	if (r < 0)
		return r;
	r = db_begin(d, true, &e);
	if (r == 0)
		r = db_insert(d, "t", "i, s", &(struct db_rows){ types, 2, 2, rows }, &e);
	for (int i = 0; i < 2 && r == 0; i++) {
		int64_t changed = db_run(d, "INSERT INTO t(i, s) VALUES (?1, ?2)", rows, 2, &e);
		r = changed < 0 ? (int)changed : 0;
	}
	if (r == 0)
		r = db_get(d, "SELECT count(*) FROM t", NULL, 0, 0, &n, &e);
	if (r == 0)
		r = db_commit(d, &e);
	if (r < 0)
		assert_true(e.msg[0]);
	db_close(d);
	return r < 0 ? r : n;
}

static void every_step_fails_once(void **state)
{
	int64_t done = 0;

	make_table();
	for (long at = 1; at < 1000; at++) {
		fault_seen = 0;
		fault_at = at;
		int64_t r = one_story();
		bool hit = fault_seen >= at;
		fault_at = 0;
		done += r > 0 ? 4 : 0; /* a rollback that could not be said is one all the same: the connection closes */
		assert_int_equal(number_of("SELECT count(*) FROM t"), done);
		if (!hit) {
			assert_int_equal(r, done);
			return;
		}
	}
	fail_msg("no end of fault points");
}

/* ---- SQLite ---- */

static void write_file(const char *path, struct span what)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, what.p, what.n), what.n);
	close(fd);
}

static void refuses_what_is_no_store(void **state)
{
	char path[160];
	struct db *d;
	struct err e;

	snprintf(path, sizeof(path), "%s/absent.db", dir);
	is_error(sqlite_open(path, 0, WAIT, &d, &e), ENOENT, &e, "there is no store");
	is_error(sqlite_open(path, DB_READONLY, WAIT, &d, &e), ENOENT, &e, "there is no store");
	snprintf(path, sizeof(path), "%s/no/such/folder.db", dir);
	is_error(sqlite_open(path, DB_CREATE, WAIT, &d, &e), ENOENT, &e, path);
	is_error(sqlite_open(dir, DB_CREATE, WAIT, &d, &e), ENOENT, &e, dir);
	snprintf(path, sizeof(path), "%s/text.db", dir);
	write_file(path, S("This is a text of more than a few bytes, and no database at all. Not even nearly, in any way.\n"));
	is_error(sqlite_open(path, DB_CREATE, WAIT, &d, &e), EUCLEAN, &e, "is not a Tocsin store");
	is_error(sqlite_open(path, DB_READONLY, WAIT, &d, &e), EUCLEAN, &e, "is not a Tocsin store");
	script("PRAGMA application_id = 0; CREATE TABLE theirs (i)");
	is_error(sqlite_open(file, DB_CREATE, WAIT, &d, &e), EUCLEAN, &e, "not a Tocsin store");
	script("PRAGMA application_id = 77; DROP TABLE theirs");
	is_error(sqlite_open(file, DB_CREATE, WAIT, &d, &e), EUCLEAN, &e, "not a Tocsin store");
}

static void notices_damage(void **state)
{
	CLEANUP(buf_free) struct buf raw = { 0 };
	struct err e;
	int64_t r;

	make_table();
	script("BEGIN; WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) INSERT INTO t(i, s) SELECT x, 'text of a row ' || x FROM c; COMMIT;"
	       "PRAGMA wal_checkpoint(TRUNCATE)");
	db_close(db);
	db = NULL;
	fine(file_slurp(file, &raw, &e), &e);
	memset(raw.p + raw.len / 4, 0x5a, raw.len / 2);
	write_file(file, buf_view(&raw));
	r = sqlite_open(file, 0, WAIT, &db, &e);
	if (r == 0)
		r = db_run(db, "SELECT sum(length(s)) FROM t", NULL, 0, &e);
	is_error(r, EUCLEAN, &e, "damaged");
}

static void waits_for_a_writer_and_gives_up(void **state)
{
	struct db *other;
	struct err e;

	make_table();
	fine(sqlite_open(file, 0, 300 * NSEC_PER_MSEC, &other, &e), &e);
	fine(db_begin(db, true, &e), &e);
	int64_t start = time_mono();
	is_error(db_begin(other, true, &e), EBUSY, &e, "locked by another process");
	int64_t waited = time_mono() - start;
	assert_in_range(waited, 150 * NSEC_PER_MSEC, 2 * NSEC_PER_SEC);
	fine(db_begin(other, false, &e), &e); /* reading goes on */
	fine(db_run(other, "SELECT * FROM t", NULL, 0, &e), &e);
	db_close(other);
	db_rollback(db);
}

static void fill(struct db *d, struct err *e, int64_t *r)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	while (text.len < 200000)
		buf_adds(&text, "fill ");
	for (int i = 0; i < 100 && *r >= 0; i++)
		*r = db_run(d, "INSERT INTO t(s) VALUES (?1)", DB_ARGS(db_text(buf_view(&text))), e);
}

/* A small tmpfs needs root. Without it a limit on the size of a file does, which gives EFBIG: an I/O error. */
static void a_full_disk(void **state)
{
	struct rlimit was, little = { 1 << 20, 1 << 20 };
	bool mounted;
	struct db *d;
	struct err e;
	int64_t r = 0;
	char path[160];

	snprintf(path, sizeof(path), "%s/small", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	mounted = mount("tocsin-test", path, "tmpfs", 0, "size=1m") == 0;
	print_message("# by %s\n", mounted ? "a small tmpfs" : "RLIMIT_FSIZE");
	strcat(path, "/full.db");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	little.rlim_max = was.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	if (!mounted)
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	fine(sqlite_open(path, DB_CREATE, WAIT, &d, &e), &e);
	fine(db_script(d, "PRAGMA application_id = 1953457011; CREATE TABLE t (s TEXT) STRICT", &e), &e);
	fill(d, &e, &r);
	is_error(r, mounted ? ENOSPC : EIO, &e, path);
	fine(db_get(d, "SELECT count(*) FROM t", NULL, 0, -1, &r, &e), &e); /* what was acknowledged is there */
	assert_true(r > 0);
	db_close(d);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	if (mounted) {
		snprintf(path, sizeof(path), "%s/small", dir);
		assert_int_equal(umount2(path, MNT_DETACH), 0);
	}
}

/* ---- PostgreSQL ---- */

static int64_t open_pg(const char *uri, struct err *e)
{
	struct db *d;
	int64_t start = time_mono();
	int r = postgres_open(uri, DB_CREATE, WAIT, &d, e);

	assert_true(time_mono() - start < WAIT + 5 * NSEC_PER_SEC);
	if (r == 0)
		db_close(d);
	return r;
}

static void the_address_is_wrong(void **state)
{
	static const char *const uris[] = {
		"postgres://u:hunter2@h/d?passwort=hunter2", "postgres://u:hun/ter2@h/d", "postgres://u:hunter@2@h/d", "postgres://u:hunter2@h/d?x",
		"postgres://u:hunter2%zz@h/d", "postgres://u:hunter2@[::1/d", "postgres://u:hunter2@127.0.0.1/d?sslmode=hunter2", "postgres://u@h:hunter2/d",
		"host=h password=hunter2 hunter2", "password='hunter2", "postgres://u:hunter2@h/d@hunter2", "postgres://u:12/hunter2@h/d", "hunter2", "host=127.0.0.1,127.0.0.2,127.0.0.3 port=1,2 password=hunter2", "postgres://u:hunter2@127.0.0.1:1,/d",
	};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
		is_error(open_pg(uris[i], &e), EINVAL, &e, "the address of the store is not understood");
		assert_null(strstr(e.msg, "hunter"));
		assert_null(strstr(e.msg, "ter2"));
	}
	is_error(open_pg("postgres:///d?host=/nowhere&user=u&password=hunter2", &e), ECONNREFUSED, &e, "cannot be reached (No such file");
	assert_non_null(strstr(e.msg, "postgres://u@/d?host=/nowhere"));
	assert_null(strstr(e.msg, "hunter"));
	is_error(open_pg("postgres://u:hunter2@127.0.0.1:1/d", &e), ECONNREFUSED, &e, "postgres://u@127.0.0.1:1/d cannot be reached (Connection refused");
	is_error(open_pg("postgres://u:hunter2@127.0.0.2,127.0.0.1:1/d", &e), ECONNREFUSED, &e, "Connection refused");
	is_error(open_pg("postgres://u:hunter2@no-such-host.invalid/d", &e), ECONNREFUSED, &e, "cannot be reached");
}

static void the_password_is_wrong(void **state)
{
	CLEANUP(buf_free) struct buf uri = { 0 };
	char path[160];
	struct err e;

	unsetenv("PGPASSWORD");
	setenv("PGPASSFILE", "/nowhere", 1);
	is_error(open_pg(env("TOCSIN_TEST_POSTGRES_LOCKED"), &e), EACCES, &e, "PGPASSFILE");
	buf_addf(&uri, "%s&password=hunter2", env("TOCSIN_TEST_POSTGRES_LOCKED"));
	is_error(open_pg(buf_str(&uri), &e), EACCES, &e, "refuses this user");
	assert_non_null(strstr(e.msg, "\"locked\""));
	assert_null(strstr(e.msg, "hunter"));
	snprintf(path, sizeof(path), "%s/pgpass", dir);
	buf_clear(&uri);
	buf_addf(&uri, "*:*:*:locked:%s\n", env("TOCSIN_TEST_POSTGRES_PASSWORD"));
	write_file(path, buf_view(&uri));
	setenv("PGPASSFILE", path, 1);
	/* let in, and without the rights of the owner */
	is_error(open_pg(env("TOCSIN_TEST_POSTGRES_LOCKED"), &e), EACCES, &e, "GRANT ALL ON SCHEMA tocsin TO \"locked\"");
	script("DROP SCHEMA tocsin CASCADE");
	is_error(open_pg(env("TOCSIN_TEST_POSTGRES_LOCKED"), &e), EACCES, &e, "CREATE SCHEMA tocsin AUTHORIZATION \"locked\"");
	script("CREATE SCHEMA tocsin AUTHORIZATION locked");
	fine(open_pg(env("TOCSIN_TEST_POSTGRES_LOCKED"), &e), &e);
}

/* The address with another database. */
static void other_database(const char *name, struct buf *ret)
{
	struct span uri = span_of(env("TOCSIN_TEST_POSTGRES"));
	size_t query = span_chr(uri, '?'), slash = span_rchr(span_head(uri, query), '/');

	buf_clear(ret);
	buf_span(ret, span_head(uri, slash + 1));
	buf_adds(ret, name);
	buf_span(ret, span_from(uri, query));
}

static void the_database_is_wrong(void **state)
{
	CLEANUP(buf_free) struct buf uri = { 0 };
	struct db *d;
	struct err e;

	other_database("nowhere", &uri);
	is_error(open_pg(buf_str(&uri), &e), ENOENT, &e, "createdb");
	script("CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0");
	other_database("latin", &uri);
	is_error(open_pg(buf_str(&uri), &e), ENOTSUP, &e, "LATIN1");
	script("DROP DATABASE latin");
	script("DROP SCHEMA tocsin CASCADE");
	is_error(reopen(0, WAIT, &d, &e), ENOENT, &e, "there is no store");
	is_error(reopen(DB_CREATE | DB_READONLY, WAIT, &d, &e), ENOENT, &e, "there is no store");
	script("ALTER DATABASE store SET default_transaction_read_only = on");
	is_error(reopen(DB_CREATE, WAIT, &d, &e), EROFS, &e, "read-only");
	script("ALTER DATABASE store RESET default_transaction_read_only");
}

static void the_server_says_nothing(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);
	char uri[128];
	struct db *d;
	struct err e;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(uri, sizeof(uri), "postgres://u:hunter2@127.0.0.1:%d/d", ntohs(at.sin_port));
	int64_t start = time_mono();
	is_error(postgres_open(uri, 0, 400 * NSEC_PER_MSEC, &d, &e), ETIMEDOUT, &e, "did not answer within");
	assert_true(time_mono() - start < 6 * NSEC_PER_SEC);
	strcat(uri, "?connect_timeout=1");
	start = time_mono();
	is_error(postgres_open(uri, 0, 60 * NSEC_PER_SEC, &d, &e), ETIMEDOUT, &e, "did not answer within 1");
	assert_true(time_mono() - start < 8 * NSEC_PER_SEC);
	close(fd);
}

/* A server of our own on a port: it reads the greeting, says this, and then goes or stays. */
static pid_t serve(struct span says, bool stays, bool drips, int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);
	char greeting[1024];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	pid_t pid = fork();
	if (pid == 0) {
		int con = accept(fd, NULL, NULL);
		ssize_t n = read(con, greeting, sizeof(greeting));
		for (size_t i = 0; drips && n > 0 && i < says.n; i++) {
			n = write(con, says.p + i, 1);
			usleep(100000);
		}
		n = drips ? 0 : write(con, says.p, says.n);
		if (stays)
			sleep(20);
		_exit(n < 0);
	}
	close(fd);
	return pid;
}

#define HELLO "R\0\0\0\x08\0\0\0\0"
#define READY "Z\0\0\0\x05I"
#define MANY "S\0\0\0\x13x\0123456789012\0"

static void a_server_of_another_kind(void **state)
{
	/* clang-format off */
	static const struct {
		struct span says;
		bool stays, drips;
		int code;
		const char *word;
	} servers[] = {
		{ S(HELLO "S\0\0\0\x18server_version\00014.9\0" READY), true, false, ENOTSUP, "PostgreSQL 14.9: 15 or newer" },
		{ S("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), false, false, ECONNREFUSED, "cannot be reached" },
		{ S(""), false, false, ECONNREFUSED, "cannot be reached" },
		{ S(HELLO "E\xff\xff\xff\xf0"), false, false, ECONNREFUSED, "cannot be reached" },
		{ S("E\0\0\0\x3aSFATAL\0VFATAL\0C28000\0M\x1b[2J\rno\nroot\0Fx.c\0L1\0Rauthorize\0\0"), false, false, EACCES, "(\\x1b" },
		{ S(HELLO MANY MANY MANY MANY MANY MANY MANY), true, true, ETIMEDOUT, "did not answer within" },
	};
	/* clang-format on */
	char uri[128];
	struct db *d;
	struct err e;
	int port, status;

	for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
		pid_t pid = serve(servers[i].says, servers[i].stays, servers[i].drips, &port);
		snprintf(uri, sizeof(uri), "postgres://u:hunter2@127.0.0.1:%d/d?sslmode=disable", port);
		int64_t start = time_mono();
		int r = postgres_open(uri, 0, NSEC_PER_SEC, &d, &e);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(time_mono() - start < 8 * NSEC_PER_SEC);
		if (!strchr(servers[i].word, 'x'))
			is_error(r, servers[i].code, &e, servers[i].word);
		else
			assert_int_equal(r, -servers[i].code);
		assert_null(strpbrk(e.msg, "\x1b\r\n"));
	}
}

static void one_of_several_hosts(void **state)
{
	struct span tcp = span_of(env("TOCSIN_TEST_POSTGRES_TCP"));
	size_t host = span_find(tcp, S("localhost")), slash = span_rchr(span_head(tcp, span_chr(tcp, '?')), '/');
	CLEANUP(buf_free) struct buf uri = { 0 };
	struct err e;
	int silent;
	pid_t pid = serve(S(""), true, false, &silent);

	buf_span(&uri, span_head(tcp, host));
	buf_addf(&uri, "127.0.0.1:1,127.0.0.1:%d,", silent);
	buf_span(&uri, span_head(span_from(tcp, host), slash - host));
	buf_adds(&uri, "/store?sslmode=require");
	fine(open_pg(buf_str(&uri), &e), &e);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	buf_clear(&uri);
	buf_span(&uri, span_head(tcp, host));
	buf_adds(&uri, "slow/d");
	int64_t start = time_mono();
	struct db *d;
	is_error(postgres_open(buf_str(&uri), 0, 300 * NSEC_PER_MSEC, &d, &e), ETIMEDOUT, &e, "the address of slow");
	assert_true(time_mono() - start < 1800 * NSEC_PER_MSEC); /* sooner than the resolver */
	usleep(2200000); /* it ends, and nothing is lost or freed twice */
}

static void what_the_server_reports(void **state)
{
	/* clang-format off */
	static const struct {
		const char *state;
		int code;
		const char *word;
	} reports[] = {
		{ "53100", ENOSPC, "disk of the server is full" }, { "53300", EBUSY, "no connection left" }, { "53200", ENOMEM, "lacks memory" },
		{ "40001", EAGAIN, "another writer" }, { "40P01", EAGAIN, "another writer" }, { "23505", EEXIST, "refuses a row" },
		{ "25006", EROFS, "read-only" }, { "42501", EACCES, "lacks a right" }, { "55P03", EBUSY, "locked" }, { "XX001", EUCLEAN, "damaged" },
		{ "58030", EIO, "its files" }, { "57P01", ECONNRESET, "went away" }, { "0A000", EAGAIN, "changed the tables" }, { "22012", EPROTO, "a mistake" },
	};
	/* clang-format on */
	char sql[160];
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(reports); i++) {
		snprintf(sql, sizeof(sql), "DO $$ BEGIN RAISE EXCEPTION 'it is so' USING ERRCODE = '%s'; END $$", reports[i].state);
		is_error(db_script(db, sql, &e), reports[i].code, &e, reports[i].word);
		assert_non_null(strstr(e.msg, "(it is so)"));
		is_error(db_run(db, sql, NULL, 0, &e), reports[i].code, &e, reports[i].word);
	}
	/* a prepared statement whose table has changed is prepared anew */
	make_table();
	for (int i = 0; i < 3; i++)
		fine(db_run(db, "SELECT * FROM t", NULL, 0, &e), &e);
	script("ALTER TABLE t ADD COLUMN more BIGINT");
	is_error(db_run(db, "SELECT * FROM t", NULL, 0, &e), EAGAIN, &e, "changed the tables");
	fine(db_run(db, "SELECT * FROM t", NULL, 0, &e), &e);
	script("DEALLOCATE ALL");
	fine(db_run(db, "SELECT * FROM t WHERE i = ?1", DB_ARGS(db_int(1)), &e), &e);
}

static void a_query_that_hangs(void **state)
{
	struct db *other, *slow;
	struct err e;
	int64_t pid = 0;

	make_table();
	fine(reopen(0, 400 * NSEC_PER_MSEC, &slow, &e), &e);
	is_error(db_run(slow, "SELECT pg_sleep(60)", NULL, 0, &e), EBUSY, &e, "took too long");
	fine(db_begin(db, true, &e), &e);
	script("LOCK TABLE t");
	is_error(db_script(slow, "INSERT INTO t(i) VALUES (1)", &e), EBUSY, &e, "another writer keeps it locked");
	db_rollback(db);
	fine(db_script(slow, "INSERT INTO t(i) VALUES (1)", &e), &e);
	db_close(slow);
	/* the server stands still altogether */
	fine(reopen(0, 400 * NSEC_PER_MSEC, &other, &e), &e);
	fine(db_get(other, "SELECT pg_backend_pid()", NULL, 0, 0, &pid, &e), &e);
	assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
	int64_t start = time_mono(), r = db_run(other, "SELECT 1", NULL, 0, &e);
	kill((pid_t)pid, SIGCONT);
	is_error(r, ETIMEDOUT, &e, "did not answer within");
	assert_true(time_mono() - start < 8 * NSEC_PER_SEC);
	is_error(db_run(other, "SELECT 2", NULL, 0, &e), ECONNRESET, &e, "gone away");
	db_close(other);
}

static void wait_for_server(void)
{
	struct err e;
	int64_t end = time_mono() + 20 * NSEC_PER_SEC;

	db_close(db);
	db = NULL;
	while (reopen(0, WAIT, &db, &e) < 0) {
		if (time_mono() > end)
			fail_msg("%s", e.msg);
		usleep(50000);
	}
}

static void the_server_goes_away(void **state)
{
	struct db *d;
	struct err e;
	int64_t pid = 0;

	make_table();
	for (int hard = 0; hard < 2; hard++) {
		fine(reopen(0, WAIT, &d, &e), &e);
		fine(db_begin(d, true, &e), &e);
		fine(db_run(d, "INSERT INTO t(i) VALUES (?1)", DB_ARGS(db_int(1)), &e), &e);
		fine(db_get(d, "SELECT pg_backend_pid()", NULL, 0, 0, &pid, &e), &e);
		assert_int_equal(kill((pid_t)pid, hard ? SIGKILL : SIGTERM), 0);
		usleep(100000);
		int r = db_commit(d, &e); /* not confirmed is not done */
		is_error(r, ECONNRESET, &e, "went away");
		assert_false(d->in_transaction);
		is_error(db_run(d, "SELECT 1", NULL, 0, &e), ECONNRESET, &e, "gone away");
		db_close(d);
	}
	wait_for_server();
	assert_int_equal(number_of("SELECT count(*) FROM t"), 0);
}

static void a_failed_transaction_is_not_committed(void **state)
{
	struct err e;

	make_table();
	fine(db_begin(db, true, &e), &e);
	script("INSERT INTO t(i) VALUES (1)");
	is_error(db_script(db, "SELECT 1/0", &e), EPROTO, &e, "division by zero");
	is_error(db_script(db, "SELECT 1", &e), ECANCELED, &e, "earlier step");
	is_error(db_commit(db, &e), ECANCELED, &e, "earlier step");
	assert_int_equal(number_of("SELECT count(*) FROM t"), 0);
	is_error(db_run(db, "SELECT now()", NULL, 0, &e), 0, &(struct err){ 0 }, "");
	assert_int_equal(db_query(db, "SELECT now()", NULL, 0, refuse, NULL, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "type 1184"));
}

static void the_server_proves_who_it_is(void **state)
{
	CLEANUP(buf_free) struct buf uri = { 0 };
	struct err e;

	buf_addf(&uri, "%s&sslrootcert=%s", env("TOCSIN_TEST_POSTGRES_TCP"), env("TOCSIN_TEST_POSTGRES_CA"));
	fine(open_pg(buf_str(&uri), &e), &e);
	buf_clear(&uri);
	buf_addf(&uri, "%s&sslrootcert=%s", env("TOCSIN_TEST_POSTGRES_TCP"), env("TOCSIN_TEST_POSTGRES_OTHER_CA"));
	is_error(open_pg(buf_str(&uri), &e), EKEYREJECTED, &e, "certificate verify failed");
	buf_clear(&uri);
	buf_addf(&uri, "%s&sslrootcert=/nowhere.crt", env("TOCSIN_TEST_POSTGRES_TCP"));
	is_error(open_pg(buf_str(&uri), &e), EKEYREJECTED, &e, "/nowhere.crt");
	buf_clear(&uri); /* the right server by a name that its certificate does not have */
	struct span tcp = span_of(env("TOCSIN_TEST_POSTGRES_TCP"));
	size_t host = span_find(tcp, S("localhost"));
	buf_span(&uri, span_head(tcp, host));
	buf_adds(&uri, "127.0.0.1");
	buf_span(&uri, span_from(tcp, host + 9));
	buf_addf(&uri, "&sslrootcert=%s", env("TOCSIN_TEST_POSTGRES_CA"));
	is_error(open_pg(buf_str(&uri), &e), EKEYREJECTED, &e, "does not match");
}

static void a_round_trip(void **state)
{
	struct err e;
	int64_t v, start = time_mono();

	for (int i = 0; i < 2000; i++)
		fine(db_get(db, "SELECT CAST(?1 AS BIGINT)", DB_ARGS(db_int(i)), -1, &v, &e), &e);
	print_message("# a question: %.1f us\n", (double)(time_mono() - start) / 2000 / 1e3);
	start = time_mono();
	for (int i = 0; i < 50; i++) {
		struct db *d;
		fine(reopen(0, WAIT, &d, &e), &e);
		db_close(d);
	}
	print_message("# open and close: %.2f ms\n", (double)(time_mono() - start) / 50 / 1e6);
}

/* ---- the wire ---- */

static void numbers_of_any_length(void **state)
{
	static const struct { struct span raw; int64_t i; double d; } numbers[] = {
		{ { "\0\0\0\0\0\0\0\0", 8 }, 0, 0 },
		{ { "\0\2\0\1\0\0\0\0\0\1\0\2", 12 }, 10002, 0 },
		{ { "\0\1\0\1\x40\0\0\0\0\3", 10 }, -30000, 0 },
		{ { "\0\5\0\4\0\0\0\0\3\x9a\x0d\x2c\x01\x70\x15\x65\x16\xaf", 18 }, 9223372036854775807, 0 },
		{ { "\0\5\0\4\0\0\0\0\3\x9a\x0d\x2c\x01\x70\x15\x65\x16\xb0", 18 }, -1, 9223372036854775808.0 },
		{ { "\0\2\0\0\x40\0\0\1\0\1\x13\x88", 12 }, -1, -1.5 },
		{ { "\0\1\xff\xff\0\0\0\2\x09\xc4", 10 }, -1, 0.25 },
	};
	struct db_value v;

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		assert_int_equal(pg_decode(1700, numbers[i].raw.p, (int)numbers[i].raw.n, &v), 0);
		if (numbers[i].d != 0)
			assert_true(v.type == DB_REAL && v.d == numbers[i].d);
		else
			assert_true(v.type == DB_INT && v.i == numbers[i].i);
	}
	assert_int_equal(pg_decode(1700, "\0\0\0\0\xc0\0\0\0", 8, &v), -EPROTO); /* NaN */
	assert_int_equal(pg_decode(1700, "\0\7\0\0\0\0\0\0", 8, &v), -EPROTO);
	assert_int_equal(pg_decode(20, "\0\0\0\0", 4, &v), -EPROTO);
	assert_int_equal(pg_decode(1184, "\0\0\0\0\0\0\0\0", 8, &v), -ENOTSUP);
	assert_int_equal(pg_decode(21, "\xff\xfe", 2, &v), 0);
	assert_int_equal(v.i, -2);
}

static void sql_is_translated(void **state)
{
	static const char *const texts[][2] = {
		{ "a = ?1 AND b = ?12", "a = $1 AND b = $12" }, { "'?1' \"?2\" ?3", "'?1' \"?2\" $3" }, { "'it''s ?1' ?2", "'it''s ?1' $2" },
		{ "-- ?1\n?2", "-- ?1\n$2" }, { "/* ?1 */?2", "/* ?1 */$2" }, { "a ? b ?0 ?", "a ? b ?0 ?" }, { "'open ?1", "'open ?1" }, { "/* ?1", "/* ?1" }, { "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		pg_sql(texts[i][0], &b);
		assert_string_equal(buf_str(&b), texts[i][1]);
	}
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static bool no = false, yes = true;

#define ON_SQLITE(f) { "sqlite: " #f, f, setup, teardown, &no }
#define ON_POSTGRES(f) { "postgres: " #f, f, setup, teardown, &yes }
#define ON_BOTH(f) ON_SQLITE(f), ON_POSTGRES(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_any_length),
		cmocka_unit_test(sql_is_translated),
		ON_BOTH(values_come_back_as_they_were),
		ON_BOTH(texts_are_cleaned),
		ON_BOTH(a_long_text),
		ON_BOTH(questions_in_questions),
		ON_BOTH(a_null_in_the_place_of_a_number),
		ON_BOTH(many_statements),
		ON_BOTH(many_rows),
		ON_BOTH(all_or_nothing),
		ON_BOTH(what_is_there_stays),
		ON_BOTH(the_schema_is_made),
		ON_BOTH(step_by_step),
		ON_BOTH(a_step_that_fails_leaves_nothing),
		ON_BOTH(many_migrate_at_once),
		ON_BOTH(many_writers),
		ON_BOTH(every_step_fails_once),
		ON_SQLITE(refuses_what_is_no_store),
		ON_SQLITE(notices_damage),
		ON_SQLITE(waits_for_a_writer_and_gives_up),
		ON_SQLITE(a_full_disk),
		ON_POSTGRES(the_address_is_wrong),
		ON_POSTGRES(the_password_is_wrong),
		ON_POSTGRES(the_database_is_wrong),
		ON_POSTGRES(the_server_says_nothing),
		ON_POSTGRES(a_server_of_another_kind),
		ON_POSTGRES(one_of_several_hosts),
		ON_POSTGRES(what_the_server_reports),
		ON_POSTGRES(a_query_that_hangs),
		ON_POSTGRES(the_server_goes_away),
		ON_POSTGRES(a_failed_transaction_is_not_committed),
		ON_POSTGRES(the_server_proves_who_it_is),
		ON_BOTH(a_round_trip),
	};

	return cmocka_run_group_tests_name("db", tests, make_dir, remove_dir);
}
