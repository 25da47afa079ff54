/*
 * store/store.h: runs and faults, the same tests on SQLite and on PostgreSQL.
 * suite: postgres (run through tests/helpers/pg)
 * suite: takes 10
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "model/fingerprint.h"
#include "store/state.h"

#define DAY (INT64_C(86400) * NSEC_PER_SEC)
#define NOW (INT64_C(1795000000) * NSEC_PER_SEC)

static char dir[64] = "/tmp/tocsin-store-XXXXXX";
static char uri[256];
static struct store *store;
static bool postgres;
static struct err e;

static void fine(int64_t r)
{
	if (r < 0) {
		fault_at = 0;
		fail_msg("%s", e.msg);
	}
}

static const char *env(const char *name)
{
	const char *v = getenv(name);

	if (!v)
		fail_msg("%s is not set: run this program through tests/helpers/pg", name);
	return v;
}

static void reopen(void)
{
	store_close(store);
	store = NULL;
	fine(store_open(uri, STORE_CREATE, &store, &e));
}

static int setup(void **state)
{
	static int number;

	postgres = *(const bool *)*state;
	fault_at = 0;
	if (postgres)
		snprintf(uri, sizeof(uri), "%s", env("TOCSIN_TEST_POSTGRES"));
	else
		snprintf(uri, sizeof(uri), "%s/%d.db", dir, ++number);
	if (postgres) {
		struct db *db;
		fine(postgres_open(uri, DB_CREATE, STORE_WAIT_NSEC, &db, &e));
		fine(db_script(db, "DROP SCHEMA tocsin CASCADE", &e));
		db_close(db);
	}
	reopen();
	return 0;
}

static int teardown(void **state)
{
	fault_at = 0;
	store_close(store);
	store = NULL;
	return 0;
}

/* ---- runs that are made up ---- */

static struct report *make_run(const char *commit, int64_t started)
{
	static const char *words[] = { "go", "test", "./...", NULL };
	struct report *r = calloc(1, sizeof(*r));

	r->is_run = true;
	r->argv = (struct argv){ words, 3 };
	r->cwd = ".";
	r->project = "o/r";
	r->started = started;
	r->duration_ns = NSEC_PER_SEC;
	r->ending = (struct ending){ .how = END_EXIT, .code = 1 };
	r->ci.commit = commit;
	r->ci.branch = "main";
	r->base_branch = "main";
	r->ci.name = "github";
	r->ci.url = "https://ci.example.com/1";
	r->outcome = OUTCOME_FAILED;
	r->cause = CAUSE_TEST_FAIL;
	r->exit_code = 1;
	r->tests = (struct test_counts){ 1, 2, 1, 1, 0, 0, 0 };
	r->resources = (struct resources){ .known = true, .cpu_ns = 5, .max_rss_kb = 1, .tree_rss_kb = -1, .read_bytes = -1, .write_bytes = -1 };
	ulid_make(started, r->id);
	return r;
}

static struct finding *add(struct report *r, const char *test, const char *message)
{
	struct finding *f = report_add(r);

	f->cause = CAUSE_TEST_FAIL;
	f->classes = "P";
	f->package = S("example.com/m");
	f->test = span_of(test);
	f->file = S("m_test.go");
	f->line = 12;
	f->message = span_of(message);
	f->excerpt = span_of(message);
	return f;
}

static void add_result(struct report *r, const char *test, enum test_outcome result)
{
	struct test_result *t = arena_alloc(&r->mem, (r->n_results + 1) * sizeof(*t));

	if (r->n_results)
		memcpy(t, r->results, r->n_results * sizeof(*t));
	r->results = t;
	t[r->n_results++] = (struct test_result){ S("example.com/m"), span_of(test), result, 1, 1000000 };
}

static void done(struct report *r)
{
	report_free(r);
	free(r);
}

static int lacks;
static int no_commit(void *ctx, const char *commit)
{
	return lacks ? 0 : -1;
}

static const char *an_owner(void *ctx, const struct finding *f)
{
	return "@team";
}

static const struct record_config config = { .now = NOW, .has_commit = no_commit, .owner = an_owner };

static int record(struct report *r)
{
	int n = store_record(store, r, &config, &e);

	fine(n);
	return n;
}

/* A failing run with one test fault: its fault's state as the verdict would say it. */
static const char *see(const char *message, const char *commit, int64_t at, int64_t count)
{
	static char state[32];
	struct report *r = make_run(commit, at);

	add(r, "TestA", message);
	add_result(r, "TestA", TEST_FAIL);
	record(r);
	assert_int_equal(r->findings[0].fault.count, count);
	assert_int_equal(r->findings[0].owners.n, 1); /* found for the first sight, and known from then on */
	assert_string_equal(r->findings[0].owners.v[0], "@team");
	snprintf(state, sizeof(state), "%s", r->findings[0].fault.state);
	done(r);
	return state;
}

static void pass(const char *commit, int64_t at)
{
	struct report *r = make_run(commit, at);

	r->outcome = OUTCOME_PASSED;
	r->cause = CAUSE_NONE;
	add_result(r, "TestA", TEST_PASS);
	record(r);
	done(r);
}

static int64_t number_of(const char *sql)
{
	int64_t v = -1;

	fine(db_get(store->db, sql, NULL, 0, -1, &v, &e));
	return v;
}

static struct fault get(const char *ref, struct arena *mem)
{
	struct fault f = { 0 };

	fine(store_fault_get(store, ref, mem, &f, &e));
	return f;
}

static void change(int64_t seq, struct fault_change c)
{
	c.at = c.at ? c.at : NOW;
	fine(store_fault_change(store, seq, &c, &e));
}

static void is_sound(void);

/* ---- recording ---- */

static void a_fault_is_known_again(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };

	assert_string_equal(see("got 3, want 4", "aaaa", NOW, 1), "new");
	assert_string_equal(see("got 5, want 4", "bbbb", NOW + DAY, 2), "known"); /* numbers are not the fault */
	assert_string_equal(see("something else", "bbbb", NOW + 2 * DAY, 1), "new");
	struct fault f = get("T-1", &mem);
	assert_int_equal(f.count, 2);
	assert_int_equal(f.state, FAULT_OPEN);
	assert_int_equal(f.first_seen, NOW);
	assert_int_equal(f.last_seen, NOW + DAY);
	assert_true(span_eq(f.owner, S("@team")));
	assert_true(span_eq(f.title, S("got 3, want 4")));
	assert_true(span_eq(f.last_commit, S("bbbb")));
	assert_int_equal(number_of("SELECT count(*) FROM run"), 3);
	assert_int_equal(number_of("SELECT count(*) FROM test"), 1);
	assert_int_equal(number_of("SELECT count(*) FROM result"), 3);
	is_sound();
}

static void writing_again_changes_nothing(void **state)
{
	struct report *r = make_run("aaaa", NOW);

	add(r, "TestA", "got 3");
	assert_int_equal(record(r), 0);
	assert_int_equal(record(r), 1);
	assert_string_equal(r->findings[0].fault.id, "T-1");
	assert_int_equal(r->findings[0].fault.count, 1);
	assert_int_equal(number_of("SELECT count(*) FROM run"), 1);
	assert_int_equal(number_of("SELECT count FROM fault"), 1);
	done(r);
	is_sound();
}

static void many_findings_of_one_fault_are_one_sight(void **state)
{
	struct report *r = make_run("aaaa", NOW);
	char text[600][32];

	for (int i = 0; i < 600; i++) {
		snprintf(text[i], sizeof(text[i]), "%s %c%c", i % 3 ? "got" : "want", 'a' + i / 3 % 20, 'a' + i / 60 % 26);
		add(r, i % 2 ? "TestA" : "TestB", text[i]);
	}
	record(r);
	assert_int_equal(number_of("SELECT count(*) FROM finding"), 600);
	assert_int_equal(number_of("SELECT max(count) FROM fault"), 1);
	assert_int_equal(number_of("SELECT count(*) FROM fault"), number_of("SELECT count(DISTINCT fault) FROM finding"));
	done(r);
	is_sound();
}

static void new_is_what_the_base_branch_never_had(void **state)
{
	struct report *r = make_run("aaaa", NOW);

	r->ci.branch = "feature";
	add(r, "TestA", "x");
	record(r);
	assert_string_equal(r->findings[0].fault.state, "new");
	done(r);
	r = make_run("aaab", NOW + 1000);
	r->ci.branch = "feature";
	add(r, "TestA", "x");
	record(r);
	assert_string_equal(r->findings[0].fault.state, "new"); /* still only here */
	assert_non_null(strstr(r->findings[0].fault.said, "main"));
	done(r);
	assert_string_equal(see("x", "cccc", NOW + DAY, 3), "known"); /* on main itself: seen elsewhere before */
	r = make_run("aaac", NOW + 2 * DAY);
	r->ci.branch = "feature";
	add(r, "TestA", "x");
	record(r);
	assert_string_equal(r->findings[0].fault.state, "known");
	done(r);
}

/* ---- states ---- */

static int take_event(void *ctx, const struct fault_event *v)
{
	struct buf *b = ctx;

	buf_addf(b, "%.*s %.*s\n", SPAN_ARG(v->kind), SPAN_ARG(v->data));
	return 0;
}

static void a_resolved_fault_that_comes_back(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf events = { 0 };

	see("boom", "aaaa", NOW, 1);
	change(1, (struct fault_change){ .kind = CHANGE_RESOLVED, .at = NOW + DAY, .who = "dev", .text = "closed the file", .commit = "f1f1" });
	assert_int_equal(get("T-1", &mem).state, FAULT_RESOLVED);
	assert_string_equal(see("boom", "aaab", NOW + DAY / 2, 2), "resolved"); /* it began before */
	lacks = 1;
	assert_string_equal(see("boom", "aaac", NOW + 2 * DAY, 3), "resolved"); /* the fix is not in it */
	lacks = 0;
	pass("good1", NOW + 3 * DAY);
	assert_string_equal(see("boom", "bad1", NOW + 4 * DAY, 4), "regressed");
	struct fault f = get("T-1", &mem);
	assert_int_equal(f.state, FAULT_REGRESSED);
	assert_int_equal(f.regressions, 1);
	assert_true(span_eq(f.fix, S("closed the file")));
	assert_string_equal(see("boom", "bad2", NOW + 5 * DAY, 5), "regressed"); /* and it is said once */
	fine(store_events(store, 1, take_event, &events, &e));
	assert_non_null(strstr(buf_str(&events), "\"good\":\"good1\",\"bad\":\"bad1\""));
	assert_null(strstr(buf_str(&events), "bad2"));
	is_sound();
}

static void an_ignored_fault_wakes(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };

	see("boom", "aaaa", NOW, 1);
	change(1, (struct fault_change){ .kind = CHANGE_IGNORED, .until = NOW + 2 * DAY, .text = "vendor is asked" });
	assert_string_equal(see("boom", "aaaa", NOW + DAY, 2), "ignored");
	assert_string_equal(see("boom", "aaaa", NOW + 3 * DAY, 3), "known");
	assert_int_equal(get("1", &mem).state, FAULT_OPEN);
}

static void changes_that_make_no_sense(void **state)
{
	see("boom", "aaaa", NOW, 1);
	assert_int_equal(store_fault_change(store, 9, &(struct fault_change){ .kind = CHANGE_NOTE, .at = NOW, .text = "x" }, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "T-9"));
	change(1, (struct fault_change){ .kind = CHANGE_RESOLVED });
	assert_int_equal(store_fault_change(store, 1, &(struct fault_change){ .kind = CHANGE_RESOLVED, .at = NOW }, &e), -EINVAL);
	assert_int_equal(store_fault_change(store, 1, &(struct fault_change){ .kind = CHANGE_IGNORED, .at = NOW }, &e), -EINVAL);
	change(1, (struct fault_change){ .kind = CHANGE_REOPENED });
	assert_int_equal(store_fault_change(store, 1, &(struct fault_change){ .kind = CHANGE_REOPENED, .at = NOW }, &e), -EINVAL);
	assert_int_equal(store_fault_change(store, 1, &(struct fault_change){ .kind = CHANGE_MERGED, .at = NOW, .into = 1 }, &e), -EINVAL);
	assert_int_equal(store_fault_change(store, 1, &(struct fault_change){ .kind = CHANGE_LINKED, .at = NOW, .text = "TestA" }, &e), -EINVAL);
	assert_int_equal(store_fault_change(store, 1, &(struct fault_change){ .kind = CHANGE_UNTAGGED, .at = NOW, .text = "no" }, &e), -EINVAL);
	assert_int_equal(number_of("SELECT count(*) FROM fault_event"), 2);
}

static int count_sighting(void *ctx, const struct sighting *x)
{
	struct buf *b = ctx;

	buf_addf(b, "%.*s %.*s\n", SPAN_ARG(x->commit), SPAN_ARG(x->finding->message));
	return 0;
}

static void merged_faults_are_one(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf seen = { 0 };

	see("first words", "aaaa", NOW, 1);
	see("other words", "bbbb", NOW + DAY, 1);
	change(2, (struct fault_change){ .kind = CHANGE_TAGGED, .text = "net" });
	change(2, (struct fault_change){ .kind = CHANGE_LINKED, .text = "test:TestA" });
	change(2, (struct fault_change){ .kind = CHANGE_MERGED, .into = 1 });
	assert_string_equal(see("other words", "cccc", NOW + 2 * DAY, 3), "known");
	struct fault f = get("T-2", &mem);
	assert_int_equal(f.seq, 1);
	assert_int_equal(f.count, 3);
	assert_int_equal(f.last_seen, NOW + 2 * DAY);
	assert_true(span_eq(f.tags, S("net")));
	assert_true(span_eq(f.defences, S("test:TestA")));
	see("third words", "dddd", NOW + 3 * DAY, 1);
	change(1, (struct fault_change){ .kind = CHANGE_RESOLVED, .at = NOW + 2 * DAY + 1 });
	change(3, (struct fault_change){ .kind = CHANGE_MERGED, .into = 1 });
	assert_int_equal(get("T-1", &mem).state, FAULT_REGRESSED); /* it was seen after it was said to be solved */
	fine(store_sightings(store, 1, true, 0, count_sighting, &seen, &e));
	assert_string_equal(buf_str(&seen), "aaaa first words\nbbbb other words\ncccc other words\ndddd third words\n");
	is_sound();
}

/* ---- questions ---- */

static int take_seq(void *ctx, const struct fault *f)
{
	struct buf *b = ctx;

	buf_addf(b, "%lld ", (long long)f->seq);
	return 0;
}

static const char *list(struct fault_filter q)
{
	static struct buf b;
	int64_t n = 0, commas = 0;

	buf_clear(&b);
	fine(store_faults(store, &q, take_seq, &b, &e));
	fine(store_faults_count(store, &q, &n, &e));
	for (size_t i = 0; i < b.len; i++)
		commas += b.p[i] == ' ';
	if (!q.limit && !q.offset)
		assert_int_equal(n, commas);
	return buf_str(&b);
}

static void faults_are_listed_and_found(void **state)
{
	see("dial tcp: connection refused", "aaaa", NOW, 1);
	see("订单服务超时：等待数据库连接", "aaaa", NOW + DAY, 1);
	see("50% off_by ! \"quoted\"", "aaaa", NOW + 2 * DAY, 1);
	change(1, (struct fault_change){ .kind = CHANGE_RESOLVED });
	change(2, (struct fault_change){ .kind = CHANGE_ASSIGNED, .text = "@pay" });
	change(3, (struct fault_change){ .kind = CHANGE_NOTE, .text = "Moon phase" });
	assert_string_equal(list((struct fault_filter){ 0 }), "3 2 1 ");
	assert_string_equal(list((struct fault_filter){ .state = "resolved" }), "1 ");
	assert_string_equal(list((struct fault_filter){ .state = "open,resolved", .limit = 1, .offset = 2 }), "1 ");
	assert_string_equal(list((struct fault_filter){ .order = ORDER_LAST, .limit = 2, .offset = 1 }), "2 1 ");
	assert_string_equal(list((struct fault_filter){ .owner = "@pay" }), "2 ");
	assert_string_equal(list((struct fault_filter){ .package = "example.com/*" }), "3 2 1 ");
	assert_string_equal(list((struct fault_filter){ .package = "example.org/*" }), "");
	assert_string_equal(list((struct fault_filter){ .cause = "test.fail", .seen_since = NOW + DAY }), "3 2 ");
	assert_string_equal(list((struct fault_filter){ .text = "CONNECTION ref" }), "1 ");
	assert_string_equal(list((struct fault_filter){ .text = "超时" }), "2 ");
	assert_string_equal(list((struct fault_filter){ .text = "数据库连接" }), "2 ");
	assert_string_equal(list((struct fault_filter){ .text = "服" }), "2 ");
	assert_string_equal(list((struct fault_filter){ .text = "% off_" }), "3 ");
	assert_string_equal(list((struct fault_filter){ .text = "\"quoted\"" }), "3 ");
	assert_string_equal(list((struct fault_filter){ .text = "moon PHASE" }), "3 ");
	assert_string_equal(list((struct fault_filter){ .text = "refusedconnection" }), "");
	assert_int_equal(store_faults(store, &(struct fault_filter){ .state = "closed" }, take_seq, NULL, &e), -EINVAL);
}

static void a_fault_has_many_names(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct fault f;
	char part[64];

	assert_int_equal(store_fault_get(store, "T-1", &mem, &f, &e), -ENOENT);
	see("boom", "aaaa", NOW, 1);
	see("bang", "aaaa", NOW, 1);
	f = get("t-2", &mem);
	assert_int_equal(f.seq, 2);
	snprintf(part, sizeof(part), "%.*s", SPAN_ARG(f.id));
	assert_int_equal(get(part, &mem).seq, 2);
	snprintf(part, sizeof(part), "%.12s", f.fingerprint.p);
	assert_int_equal(get(part, &mem).seq, 2);
	snprintf(part, sizeof(part), "%.*s", SPAN_ARG(f.fingerprint));
	assert_int_equal(get(part, &mem).seq, 2);
	static const char *const none[] = { "T-3", "T-", "", "x", "'; DROP TABLE fault; --", "99999999999999999999", "abcdef%", "zzzzzz" };
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(store_fault_get(store, none[i], &mem, &f, &e), -ENOENT);
}

static void the_ends_and_the_likes_of_it(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf near = { 0 };
	struct finding first, last;
	int64_t days[7];

	see("value 17 is wrong", "aaaa", NOW, 1);
	see("value 18 is wrong", "bbbb", NOW + DAY, 2);
	see("value was not even wrong", "bbbb", NOW + DAY, 1);
	fine(store_fault_ends(store, 1, &mem, &first, &last, &e));
	assert_true(span_eq(first.message, S("value 17 is wrong")));
	assert_true(span_eq(last.message, S("value 18 is wrong")));
	fine(store_fault_days(store, 1, NOW + DAY, days, 7, &e));
	assert_int_equal(days[6] + days[5], 2);
	assert_int_equal(days[0] + days[1] + days[2] + days[3] + days[4], 0);
	struct fault f = get("T-1", &mem);
	fine(store_similar(store, &f, 5, take_seq, &near, &e));
	assert_string_equal(buf_str(&near), "2 ");
}

static void an_older_list_is_taken_in(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	static const char *const tags[] = { "old" }, *const defences[] = { "test:TestA" };
	struct fault_import i = { .title = "pool ran dry", .cause = "db", .package = "example.com/pool", .state = "resolved", .fix = "bigger pool", .count = 7,
		.first_seen = NOW - 90 * DAY, .last_seen = NOW - 80 * DAY, .tags = tags, .n_tags = 1, .defences = defences, .n_defences = 1, .text = "at night" };
	int64_t seq = 0;

	assert_int_equal(store_fault_import(store, &i, NOW, &seq, &e), 0);
	assert_int_equal(store_fault_import(store, &i, NOW, &seq, &e), 1);
	struct fault f = get("T-1", &mem);
	assert_int_equal(f.seq, seq);
	assert_int_equal(f.count, 7);
	assert_int_equal(f.state, FAULT_RESOLVED);
	assert_string_equal(list((struct fault_filter){ .text = "at night" }), "1 ");
	is_sound();
}

/* ---- what must not break it ---- */

static int bad;
static void say_check(void *ctx, bool ok, const char *sentence)
{
	if (!ok) {
		bad++;
		print_message("# %s\n", sentence);
	}
}

static void is_sound(void)
{
	bad = 0;
	fine(store_check(store, say_check, NULL, &e));
	assert_int_equal(bad, 0);
}

/* Every allocation and every statement fails once: the run is there whole, or not at all, and then can be written again. */
static void nothing_is_ever_half_written(void **state)
{
	int64_t runs = 0;

	for (long at = 1;; at++) {
		struct report *r = make_run("aaaa", NOW + at * 1000000);
		add(r, "TestA", "got 3, want 4");
		add(r, at % 2 ? "TestB" : "TestC", at % 5 ? "boom" : "bang");
		add_result(r, "TestA", TEST_FAIL);
		fault_seen = 0;
		fault_at = at;
		int n = store_record(store, r, &config, &e);
		bool hit = fault_seen >= at;
		fault_at = 0;
		if (n < 0) {
			assert_true(e.msg[0]);
			assert_int_equal(number_of("SELECT count(*) FROM run"), runs);
			n = store_record(store, r, &config, &e);
			fine(n);
		}
		runs++;
		assert_int_equal(number_of("SELECT count(*) FROM run"), runs);
		assert_int_equal(number_of("SELECT count FROM fault WHERE seq = 1"), runs);
		done(r);
		if (!hit)
			break;
		assert_true(at < 2000);
	}
	is_sound();
}

#define WRITERS 8
#define RUNS 12

static void write_many(int who)
{
	store = NULL;
	reopen();
	for (int i = 0; i < RUNS; i++) {
		struct report *r = make_run("aaaa", NOW + (i * WRITERS + who) * NSEC_PER_SEC);
		char own[32];
		snprintf(own, sizeof(own), "own %c words", 'a' + who);
		for (int k = 0; k < 6; k++)
			add(r, ((const char *[]){ "TestF", "TestE", "TestD", "TestC", "TestB", "TestA" })[(k + who) % 6], "shared words");
		add(r, "TestA", own);
		record(r);
		done(r);
	}
	store_close(store);
}

static void many_write_at_once(void **state)
{
	store_close(store); /* no connection crosses a fork */
	store = NULL;
	for (int i = 0; i < WRITERS; i++) {
		if (fork() == 0) {
			write_many(i);
			_exit(0);
		}
	}
	for (int i = 0, status; i < WRITERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	reopen();
	assert_int_equal(number_of("SELECT count(*) FROM run"), WRITERS * RUNS);
	assert_int_equal(number_of("SELECT count(*) FROM fault"), 6 + WRITERS);
	assert_int_equal(number_of("SELECT min(count) FROM (SELECT count FROM fault WHERE title = 'shared words') x"), WRITERS * RUNS);
	is_sound();
}

/* As a store of an older fingerprint version would be: names of its own, two of which are one now. */
static void fingerprints_of_an_older_version(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };

	see("got 3", "aaaa", NOW, 1);
	see("boom", "aaaa", NOW + DAY, 1);
	struct fault f = get("T-1", &mem);
	char name[40], sql[300];
	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(f.fingerprint));
	snprintf(sql, sizeof(sql), "UPDATE fault SET fingerprint = '0' || substr(fingerprint, 2) WHERE seq = 1; UPDATE fault SET fingerprint = '0aaa' || substr(fingerprint, 5),"
		 " body = (SELECT body FROM fault WHERE seq = 1), last_body = NULL WHERE seq = 2; UPDATE meta SET value = '0' WHERE key = 'fingerprint'");
	fine(db_script(store->db, sql, &e));
	reopen();
	assert_int_equal(number_of("SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'fingerprint'"), FINGERPRINT_VERSION);
	f = get(name, &mem);
	assert_int_equal(f.seq, 1);
	assert_int_equal(f.count, 2);
	assert_int_equal(get("T-2", &mem).seq, 1);
	name[0] = '0';
	assert_int_equal(get(name, &mem).seq, 1); /* by its old name too */
	assert_string_equal(see("got 3", "bbbb", NOW + 2 * DAY, 3), "known");
}

/* A bad server or file is one sentence. */
static void what_cannot_be_opened(void **state)
{
	static const struct { const char *uri; int code; const char *word; } rows[] = {
		{ "mysql://x/y", EINVAL, "mysql" }, { "sqlite://", EINVAL, "names no file" }, { "/proc/nowhere/t.db", 0, "" }, { "/", 0, "" },
		{ "postgres://nobody@127.0.0.1:1/none", 0, "" }, { "postgres://:bad:uri@@//", 0, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store *s = NULL;
		int r = store_open(rows[i].uri, STORE_CREATE, &s, &e);
		assert_true(r < 0);
		assert_null(s);
		assert_true(e.msg[0] && !strchr(e.msg, '\n'));
		if (rows[i].code)
			assert_int_equal(r, -rows[i].code);
		assert_non_null(strstr(e.msg, rows[i].word));
	}
}

static bool on_sqlite = false, on_postgres = true;

#define BOTH(f) { "sqlite: " #f, f, setup, teardown, &on_sqlite }, { "postgres: " #f, f, setup, teardown, &on_postgres }

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_fault_is_known_again),
		BOTH(writing_again_changes_nothing),
		BOTH(many_findings_of_one_fault_are_one_sight),
		BOTH(new_is_what_the_base_branch_never_had),
		BOTH(a_resolved_fault_that_comes_back),
		BOTH(an_ignored_fault_wakes),
		BOTH(changes_that_make_no_sense),
		BOTH(merged_faults_are_one),
		BOTH(faults_are_listed_and_found),
		BOTH(a_fault_has_many_names),
		BOTH(the_ends_and_the_likes_of_it),
		BOTH(an_older_list_is_taken_in),
		BOTH(nothing_is_ever_half_written),
		BOTH(many_write_at_once),
		BOTH(fingerprints_of_an_older_version),
		cmocka_unit_test(what_cannot_be_opened),
	};

	lang_now = LANG_EN;
	if (!mkdtemp(dir))
		return 1;
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	char clean[128];
	snprintf(clean, sizeof(clean), "rm -rf %s", dir);
	return system(clean) != 0 || r;
}
