/*
 * store/upkeep.c, check.c, copy.c: runs go and faults stay, damage is seen, copies are whole, on SQLite and on PostgreSQL.
 * suite: postgres (run through tests/helpers/pg)
 * suite: takes 18
 */
#include "stored.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/schema.h"
#include "store/upkeep.h"

static char other_uri[256];
static struct store *other;

static void open_other(bool pg)
{
	store_close(other);
	open_kind(pg, other_uri, &other);
}

static int teardown_both(void **state)
{
	fault_at = 0;
	store_close(other);
	other = NULL;
	return teardown(state);
}

static int64_t number(const char *sql)
{
	return number_in(store, sql);
}

static void run_sql(struct store *s, const char *sql)
{
	fine(db_script(s->db, sql, &e));
}

/* Something of everything that a store can hold. */
static void fill(struct store *s, int runs)
{
	int64_t seq = 0;

	for (int i = 0; i < runs; i++)
		record(s, NOW - (runs - i) * DAY, i % 7, i % 4);
	fine(store_fault_import(s, &(struct fault_import){ .id = "INC-7", .cause = "test.fail", .title = "old one", .package = "example.com/m", .test = "TestOld", .state = "open",
		.count = 9, .first_seen = NOW - 900 * DAY, .last_seen = NOW - 800 * DAY }, NOW, &seq, &e));
	fine(store_fault_change(s, 1, &(struct fault_change){ .kind = CHANGE_RESOLVED, .at = NOW, .who = "dev", .text = "closed it 中文", .commit = "f00" }, &e));
	fine(store_fault_change(s, 2, &(struct fault_change){ .kind = CHANGE_TAGGED, .at = NOW, .text = "net" }, &e));
	fine(store_fault_change(s, 2, &(struct fault_change){ .kind = CHANGE_LINKED, .at = NOW, .text = "test:TestGuard" }, &e));
	fine(store_fault_change(s, 3, &(struct fault_change){ .kind = CHANGE_MERGED, .at = NOW, .into = 4 }, &e));
	fine(store_fault_change(s, 4, &(struct fault_change){ .kind = CHANGE_NOTE, .at = NOW, .text = "look here" }, &e));
	fine(outbox_add(s, "01ALERT", "01RUN", "ops", S("{}"), NOW, &e));
}

/* ---- vacuum ---- */

static void runs_go_and_faults_stay(void **state)
{
	struct vacuumed v;

	(void)state;
	fill(store, 140);
	int64_t faults = number("SELECT count(*) FROM fault"), count = number("SELECT CAST(sum(count) AS BIGINT) FROM fault"), days = number("SELECT CAST(sum(count) AS BIGINT) FROM fault_day");
	fine(store_vacuum(store, &(struct retention){ .age = 300 * DAY }, NOW, false, &v, &e));
	assert_int_equal(v.runs, 0);
	fine(store_vacuum(store, &(struct retention){ .age = 30 * DAY }, NOW, false, &v, &e));
	assert_int_equal(v.runs, 40); /* the newest hundred stay */
	assert_true(v.findings > 0);
	assert_int_equal(number("SELECT count(*) FROM run"), 100);
	assert_int_equal(number("SELECT count(*) FROM fault"), faults);
	assert_int_equal(number("SELECT CAST(sum(count) AS BIGINT) FROM fault"), count);
	assert_int_equal(number("SELECT CAST(sum(count) AS BIGINT) FROM fault_day"), days);
	assert_int_equal(number("SELECT count(*) FROM fault WHERE length(body) > 0"), faults);
	fine(store_vacuum(store, &(struct retention){ .age = 30 * DAY }, NOW, true, &v, &e));
	assert_int_equal(v.runs, 0);
	is_sound_in(store);
}

static void no_more_than_asked_for(void **state)
{
	struct vacuumed v;

	(void)state;
	fill(store, 170);
	fine(store_vacuum(store, &(struct retention){ .age = DAY, .most = 33 }, NOW, false, &v, &e));
	assert_int_equal(v.runs, 33);
	assert_int_equal(number("SELECT min(seq) FROM run"), 34); /* the oldest first */
	fine(store_vacuum(store, &(struct retention){ .age = DAY, .most = 33 }, NOW, false, &v, &e));
	fine(store_vacuum(store, &(struct retention){ .age = DAY, .most = 33 }, NOW, false, &v, &e));
	assert_int_equal(number("SELECT count(*) FROM run"), 100);
	is_sound_in(store);
}

static void by_size(void **state)
{
	struct vacuumed v;

	(void)state;
	for (int i = 0; i < 160; i++)
		record(store, NOW - (160 - i) * DAY, i * 10, 10);
	int64_t before = postgres ? 0 : store_bytes(store);
	fine(store_vacuum(store, &(struct retention){ .bytes = 1 << 30 }, NOW, false, &v, &e));
	assert_int_equal(v.runs, 0);
	fine(store_vacuum(store, &(struct retention){ .bytes = 1 }, NOW, false, &v, &e));
	assert_int_equal(v.runs, 60); /* more than go in one transaction */
	assert_int_equal(number("SELECT count(*) FROM test"), 1000); /* nobody names the others any more */
	if (!postgres)
		assert_true(store_bytes(store) < before); /* given back without a rewrite */
	/* a server tidies up beside us when it likes: its maps of free space may be new */
	assert_true(v.bytes_after <= v.bytes_before + (postgres ? 1 << 20 : 0));
	is_sound_in(store);
}

/* Ten years ahead in one run: nothing else becomes old by it, and it is said. */
static void a_clock_that_jumped(void **state)
{
	CLEANUP(buf_free) struct buf said = { 0 };
	struct vacuumed v;

	(void)state;
	fill(store, 150);
	record(store, NOW + 3650 * DAY, 0, 1);
	fine(store_vacuum(store, &(struct retention){ .age = 140 * DAY }, NOW + 3650 * DAY, false, &v, &e));
	assert_int_equal(v.runs, 0);
	assert_int_equal(store_clock(store, NOW, &said, &e), 0);
	assert_int_equal(store_clock(store, NOW + 3650 * DAY, &said, &e), 1);
	assert_int_equal(store_clock(store, NOW - 3650 * DAY, &said, &e), 1);
	assert_true(said.len);
	is_sound_in(store);
}

static void once_a_day(void **state)
{
	(void)state;
	assert_int_equal(store_upkeep_due(store, NOW, &e), 0); /* it is new */
	assert_int_equal(store_upkeep_due(store, NOW + DAY / 2, &e), 0);
	assert_int_equal(store_upkeep_due(store, NOW + 2 * DAY, &e), 1);
	assert_int_equal(store_upkeep_due(store, NOW + 2 * DAY, &e), 0);
	assert_int_equal(store_upkeep_due(store, NOW - 3650 * DAY, &e), 1); /* the clock was wrong */
	assert_int_equal(store_upkeep_due(store, NOW - 3650 * DAY, &e), 0);
}

/* ---- check ---- */

struct heard {
	int wrong;
	char last[600];
};

static void hear(void *ctx, bool ok, const char *sentence)
{
	struct heard *h = ctx;

	h->wrong += !ok;
	if (!ok)
		snprintf(h->last, sizeof(h->last), "%s", sentence);
}

static void damage_is_seen(void **state)
{
	static const char *const damages[] = {
		"DELETE FROM fault WHERE seq = 2", "DELETE FROM run WHERE seq = 3", "DELETE FROM test", "UPDATE fault SET count = 0", "UPDATE finding SET body = substr(body, 1, 3)",
		"UPDATE fault SET body = substr(body, 1, 5)", "DELETE FROM blob", "UPDATE fault SET merged_into = 99 WHERE seq = 1", "DELETE FROM fault_text WHERE fault = 1",
		"UPDATE alert SET state = 'odd'", "INSERT INTO fault_old(fingerprint, fault) SELECT fingerprint, 5 FROM fault WHERE seq = 1",
	};

	(void)state;
	fill(store, 12);
	is_sound_in(store);
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		struct heard h = { 0 };
		fine(db_begin(store->db, true, &e));
		run_sql(store, damages[i]);
		int n = store_check(store, hear, &h, &e);
		db_rollback(store->db);
		fine(n);
		if (n < 1)
			fail_msg("not seen: %s", damages[i]);
		assert_int_equal(n, h.wrong);
	}
	is_sound_in(store);
}

static void a_torn_file_is_seen(void **state)
{
	struct heard h = { 0 };
	struct stat st;
	char junk[4096];

	(void)state;
	fill(store, 60);
	run_sql(store, "PRAGMA wal_checkpoint(TRUNCATE)");
	store_close(store);
	store = NULL;
	memset(junk, 0x5a, sizeof(junk));
	int fd = open(uri, O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 8 * 4096; at < st.st_size - 4096; at += 5 * 4096)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at), 4096);
	close(fd);
	int n = store_open(uri, STORE_AS_IS, &store, &e);
	if (n < 0) { /* so much that it cannot even be opened */
		assert_int_equal(n, -EUCLEAN);
		return;
	}
	n = store_check(store, hear, &h, &e);
	assert_true(n > 0);
	assert_int_equal(n, h.wrong);
}

/* ---- backup and copy ---- */

static int take_content(void *ctx, const struct db_value *row, size_t n)
{
	struct buf *b = ctx;

	for (size_t i = 0; i < n; i++) {
		if (row[i].type == DB_INT)
			buf_addf(b, "%lld|", (long long)row[i].i);
		else if (row[i].type == DB_NULL)
			buf_adds(b, "~|");
		else
			buf_addf(b, "%016llx|", (unsigned long long)hash64(row[i].s, (struct span){ 0 }));
	}
	buf_addc(b, '\n');
	return 0;
}

/* All that is in it, the numbers of runs aside. */
static void content(struct store *s, struct buf *ret)
{
	static const char *const tables[] = {
		"SELECT id, project, series, started, duration, outcome, cause, exit_code, signal, summary, argv, cwd, branch, base, commit_id, tree, go, modules, ci, resources, limits,"
		" packages, tests, passed, failed, skipped, unfinished, cached FROM run ORDER BY id",
		"SELECT r.id, n, a.outcome, a.cause, a.duration FROM attempt a JOIN run r ON r.seq = a.run ORDER BY r.id, n",
		"SELECT r.id, n, c.argv, c.cwd, script, code, c.signal, c.duration, flags FROM command c JOIN run r ON r.seq = c.run ORDER BY r.id, n",
		"SELECT r.id, n, fault, body FROM finding f JOIN run r ON r.seq = f.run ORDER BY r.id, n",
		"SELECT r.id, test, attempt, result, t.duration FROM result t JOIN run r ON r.seq = t.run ORDER BY r.id, test, attempt",
		"SELECT id, package, name, first_seen FROM test ORDER BY id", "SELECT id, body FROM blob ORDER BY id",
		"SELECT seq, id, fingerprint, cause, severity, title, project, package, test, file, line, state, count, first_seen, last_seen, first_run, last_run, first_commit, last_commit,"
		" first_url, last_url, owner, resolved_at, resolved_by, fix, fix_commit, regressed_at, regressions, ignored_until, merged_into, body, last_body FROM fault ORDER BY seq",
		"SELECT * FROM fault_old ORDER BY fingerprint", "SELECT fault, day, count FROM fault_day ORDER BY fault, day",
		"SELECT fault, branch, count, first_seen, last_seen FROM fault_branch ORDER BY fault, branch", "SELECT id, fault, at, kind, who, text, data FROM fault_event ORDER BY id",
		"SELECT fault, tag FROM fault_tag ORDER BY fault, tag", "SELECT fault, kind, name, at, who FROM defence ORDER BY fault, kind, name", "SELECT fault, body FROM fault_text ORDER BY fault",
		"SELECT id, run, channel, state, attempts, next_attempt, lease_until, lease_by, created, updated, body, error FROM alert ORDER BY id",
	};

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		buf_addf(ret, "%zu\n", i);
		fine(db_query(s->db, tables[i], NULL, 0, take_content, ret, &e));
	}
}

static void same_content(struct store *a, struct store *b)
{
	CLEANUP(buf_free) struct buf x = { 0 }, y = { 0 };
	struct span p, q;

	content(a, &x);
	content(b, &y);
	p = buf_view(&x);
	q = buf_view(&y);
	while (p.n && q.n) {
		struct span l = span_cut(&p, '\n'), m = span_cut(&q, '\n');
		if (!span_eq(l, m))
			fail_msg("not the same:\n%.*s\n%.*s", SPAN_ARG(l), SPAN_ARG(m));
	}
	assert_int_equal(x.len, y.len);
}

static void copy(struct store *from, struct store *to, struct copied *c)
{
	fine(store_copy(from, to, NULL, NULL, c, &e));
}

static void there_and_back_again(void **state)
{
	struct copied c;
	struct store *back;
	char back_uri[256];
	struct vacuumed v;

	(void)state;
	fill(store, 150);
	fine(store_vacuum(store, &(struct retention){ .age = 100 * DAY }, NOW, false, &v, &e)); /* some sights have no run any more */
	open_other(!postgres);
	copy(store, other, &c);
	assert_int_equal(c.runs, number("SELECT count(*) FROM run"));
	assert_int_equal(c.findings, number("SELECT count(*) FROM finding"));
	assert_int_equal(c.faults, number("SELECT count(*) FROM fault"));
	assert_int_equal(c.alerts, 1);
	same_content(store, other);
	is_sound_in(other);
	open_kind(false, back_uri, &back);
	copy(other, back, &c);
	same_content(store, back);
	is_sound_in(back);
	store_close(back);
	copy(store, other, &c); /* again: all is there */
	assert_int_equal(c.runs + c.findings + c.faults + c.alerts, 0);
	assert_int_equal(c.there, number("SELECT count(*) FROM run"));
	same_content(store, other);
	record(other, NOW + DAY, 500, 2); /* and both go on */
	record(other, NOW + 2 * DAY, 0, 7);
	record(store, NOW + 3 * DAY, 0, 3);
	copy(store, other, &c);
	assert_int_equal(c.runs, 1);
	is_sound_in(other);
}

/* The other store has seen the same faults by itself: they are one fault each, and their sights are added up. */
static void into_a_store_that_knows_them(void **state)
{
	struct copied c;
	struct vacuumed v;

	(void)state;
	fill(store, 150);
	fine(store_vacuum(store, &(struct retention){ .age = 100 * DAY }, NOW, false, &v, &e));
	open_other(!postgres);
	record(other, NOW + 5 * DAY, 4, 3);
	record(other, NOW + 6 * DAY, 5, 3);
	int64_t of_five = number_in(other, "SELECT count FROM fault WHERE test = 'TestCaseFaa'") + number("SELECT count FROM fault WHERE test = 'TestCaseFaa'");
	int64_t days = number_in(other, "SELECT CAST(sum(count) AS BIGINT) FROM fault_day") + number("SELECT CAST(sum(count) AS BIGINT) FROM fault_day");
	copy(store, other, &c);
	assert_int_equal(number_in(other, "SELECT count FROM fault WHERE test = 'TestCaseFaa'"), of_five);
	assert_int_equal(number_in(other, "SELECT CAST(sum(count) AS BIGINT) FROM fault_day"), days);
	assert_int_equal(number_in(other, "SELECT count(DISTINCT fingerprint) FROM fault"), number_in(other, "SELECT count(*) FROM fault"));
	assert_int_equal(number_in(other, "SELECT count(*) FROM finding"), number("SELECT count(*) FROM finding") + 6);
	assert_int_equal(number_in(other, "SELECT count(*) FROM fault WHERE state = 'resolved'"), 1);
	assert_int_equal(number_in(other, "SELECT count(*) FROM fault WHERE state = 'merged'"), 1);
	is_sound_in(other);
	int64_t all = number_in(other, "SELECT CAST(sum(count) AS BIGINT) FROM fault");
	copy(store, other, &c); /* nothing is added twice */
	assert_int_equal(number_in(other, "SELECT CAST(sum(count) AS BIGINT) FROM fault"), all);
	assert_int_equal(number_in(other, "SELECT CAST(sum(count) AS BIGINT) FROM fault_day"), days);
	is_sound_in(other);
}

static void a_backup_is_a_store(void **state)
{
	char path[256], wal[300];
	struct stat st;

	(void)state;
	fill(store, 30);
	snprintf(path, sizeof(path), "%s/backup%d.db", dir, postgres);
	fine(store_backup(store, path, &e));
	record(store, NOW + DAY, 0, 2);
	fine(store_backup(store, path, &e)); /* over the older one */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	assert_int_not_equal(access(wal, F_OK), 0);
	store_close(other);
	other = NULL;
	fine(store_open(path, 0, &other, &e));
	same_content(store, other);
	is_sound_in(other);
	assert_int_equal(number_in(other, "PRAGMA auto_vacuum"), 2);
	record(other, NOW + 2 * DAY, 0, 1); /* somebody works with it */
	assert_int_equal(store_backup(store, path, &e), -EEXIST);
	snprintf(path, sizeof(path), "%s/no/such/folder.db", dir);
	assert_int_equal(store_backup(store, path, &e), -ENOENT);
	assert_non_null(strstr(e.msg, path));
	assert_true(store_backup(store, "/dev/null", &e) < 0);
}

/* ---- every failure ---- */

/* How slowly the distance between two of them grows. */
static long sparse(void)
{
	return getenv("TOCSIN_TEST_FULL") ? 8 : 3;
}

static void vacuum_fails_everywhere(void **state)
{
	struct vacuumed v;
	bool hit = true;

	(void)state;
	fill(store, 130);
	for (long at = 1; hit; at++) {
		int64_t faults = number("SELECT count(*) FROM fault"), sights = number("SELECT CAST(sum(count) AS BIGINT) FROM fault");
		if (number("SELECT count(*) FROM run") < 102)
			record(store, NOW - 300 * DAY + at, (int)(at % 9), 2);
		faults = number("SELECT count(*) FROM fault");
		sights = number("SELECT CAST(sum(count) AS BIGINT) FROM fault");
		fault_seen = 0;
		fault_at = at;
		int n = store_vacuum(store, &(struct retention){ .age = DAY, .bytes = 1, .most = at % 2 }, NOW, at % 5 == 0, &v, &e);
		hit = fault_seen >= at;
		fault_at = 0;
		if (n < 0)
			assert_true(e.msg[0]);
		db_rollback(store->db);
		assert_true(number("SELECT count(*) FROM run") >= 100);
		assert_int_equal(number("SELECT count(*) FROM fault"), faults);
		assert_int_equal(number("SELECT CAST(sum(count) AS BIGINT) FROM fault"), sights);
		if (at % 10 == 0)
			is_sound_in(store);
	}
	is_sound_in(store);
}

static void copy_fails_everywhere(void **state)
{
	struct copied c;
	bool hit = true;
	long step = 1;

	(void)state;
	fill(store, 9);
	open_other(!postgres);
	record(other, NOW + 5 * DAY, 4, 2); /* some are to be joined */
	for (long at = 1; hit; at += step++ / sparse() + 1) {
		fault_seen = 0;
		fault_at = at;
		int n = store_copy(store, other, NULL, NULL, &c, &e);
		hit = fault_seen >= at;
		fault_at = 0;
		if (n < 0)
			assert_true(e.msg[0]);
		db_rollback(other->db);
		db_rollback(store->db);
		is_sound_in(other);
	}
	copy(store, other, &c);
	is_sound_in(other);
	assert_int_equal(number_in(other, "SELECT count(*) FROM run"), number("SELECT count(*) FROM run") + 1);
	assert_int_equal(number_in(other, "SELECT count(*) FROM finding"), number("SELECT count(*) FROM finding") + 2);
	assert_int_equal(number_in(other, "SELECT count(*) FROM fault_event WHERE kind <> 'imported'"), number("SELECT count(*) FROM fault_event WHERE kind <> 'imported'"));
}

/* Interrupted at any point, the copy goes on, and is then as if it had never been. */
static void an_interrupted_copy_goes_on(void **state)
{
	struct copied c;

	(void)state;
	fill(store, 150);
	open_other(!postgres);
	for (long at = 40; at < 4000; at = at * 3 / 2) {
		fault_seen = 0;
		fault_at = at;
		store_copy(store, other, NULL, NULL, &c, &e);
		fault_at = 0;
	}
	copy(store, other, &c);
	same_content(store, other);
}

static void backup_fails_everywhere(void **state)
{
	char path[256];
	bool hit = true;
	long step = 1;

	(void)state;
	fill(store, 6);
	snprintf(path, sizeof(path), "%s/walked%d.db", dir, postgres);
	fine(store_backup(store, path, &e));
	for (long at = 1; hit; at += step++ / sparse() + 1) {
		fault_seen = 0;
		fault_at = at;
		int n = store_backup(store, path, &e);
		hit = fault_seen >= at;
		fault_at = 0;
		if (n < 0)
			assert_true(e.msg[0]);
		db_rollback(store->db);
		store_close(other);
		other = NULL;
		fine(store_open(path, STORE_READONLY, &other, &e)); /* the old one or the new one, whole */
		assert_int_equal(number_in(other, "SELECT count(*) FROM run"), 6);
	}
	same_content(store, other);
}

static void migrating(void **state)
{
	int from = 0, to = 0;

	(void)state;
	fine(store_migrate(store, &from, &to, &e));
	assert_int_equal(from, SCHEMA_VERSION);
	assert_int_equal(to, SCHEMA_VERSION);
}

static const bool sqlite_kind = false, postgres_kind = true;
#define TEST(f) { #f " (SQLite)", f, setup, teardown_both, (void *)&sqlite_kind }, { #f " (PostgreSQL)", f, setup, teardown_both, (void *)&postgres_kind }

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(runs_go_and_faults_stay), TEST(no_more_than_asked_for), TEST(by_size), TEST(a_clock_that_jumped), TEST(once_a_day), TEST(damage_is_seen),
		{ "a_torn_file_is_seen", a_torn_file_is_seen, setup, teardown_both, (void *)&sqlite_kind },
		TEST(there_and_back_again), TEST(into_a_store_that_knows_them), TEST(a_backup_is_a_store), TEST(vacuum_fails_everywhere), TEST(copy_fails_everywhere),
		TEST(an_interrupted_copy_goes_on), TEST(backup_fails_everywhere), TEST(migrating),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
