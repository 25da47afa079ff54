/* For the tests of src/store: a store on SQLite or PostgreSQL, and runs that are made up. */
#ifndef TESTS_STORED_H
#define TESTS_STORED_H
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "store/state.h"

#define DAY (INT64_C(86400) * NSEC_PER_SEC)
#define NOW (INT64_C(1795000000) * NSEC_PER_SEC)

static char dir[64] = "/tmp/tocsin-stored-XXXXXX";
static char uri[256];
static struct store *store;
static bool postgres;
static struct err e;

static UNUSED void fine(int64_t r)
{
	if (r < 0) {
		fault_at = 0;
		fail_msg("%s", e.msg);
	}
}

static UNUSED void open_kind(bool pg, char name[256], struct store **ret)
{
	static int number;
	struct db *db;

	snprintf(name, 256, "%s/%d.db", dir, ++number);
	if (pg) {
		const char *v = getenv("TOCSIN_TEST_POSTGRES");
		if (!v)
			fail_msg("TOCSIN_TEST_POSTGRES is not set: run this program through tests/helpers/pg");
		snprintf(name, 256, "%s", v);
		fine(postgres_open(name, DB_CREATE, STORE_WAIT_NSEC, &db, &e));
		fine(db_script(db, "DROP SCHEMA tocsin CASCADE", &e));
		db_close(db);
	}
	*ret = NULL;
	fine(store_open(name, STORE_CREATE, ret, &e));
}

static UNUSED int setup(void **state)
{
	fault_at = 0;
	postgres = *(const bool *)*state;
	open_kind(postgres, uri, &store);
	return 0;
}

static UNUSED int teardown(void **state)
{
	(void)state;
	fault_at = 0;
	store_close(store);
	store = NULL;
	return 0;
}

/* A run with findings of faults from … from + n and as many tests. */
static UNUSED struct report *make_run(int64_t started, int from, int n)
{
	static const char *words[] = { "go", "test", "./...", NULL };
	struct report *r = calloc(1, sizeof(*r));

	r->is_run = true;
	r->argv = (struct argv){ words, 3 };
	r->cwd = ".";
	r->project = "o/r";
	r->started = started;
	r->duration_ns = NSEC_PER_SEC;
	r->ending = (struct ending){ .how = END_EXIT, .code = n ? 1 : 0 };
	r->ci = (struct ci_context){ .name = "github", .branch = "main", .commit = "0123456789abcdef", .url = "https://ci.example.com/1" };
	r->base_branch = "main";
	r->outcome = n ? OUTCOME_FAILED : OUTCOME_PASSED;
	r->cause = n ? CAUSE_TEST_FAIL : CAUSE_NONE;
	r->exit_code = n ? 1 : 0;
	r->tests = (struct test_counts){ 1, n, 0, n, 0, 0, 0 };
	r->resources.known = false;
	ulid_make(started, r->id);
	list_add(&r->mem, &r->modules, "example.com/m v1.2.3");
	list_add(&r->mem, &r->limits, "a bound was hit");
	r->attempts = arena_alloc(&r->mem, sizeof(*r->attempts));
	r->attempts[r->n_attempts++] = (struct attempt){ 1, r->outcome, r->cause, NSEC_PER_SEC };
	r->commands = arena_alloc(&r->mem, sizeof(*r->commands));
	r->commands[r->n_commands++] = (struct nested){ .argv = { words, 3 }, .script = "make ci", .how = END_EXIT, .code = 1, .duration = 5 };
	r->results = arena_alloc(&r->mem, (size_t)(n + 1) * sizeof(*r->results));
	for (int i = from; i < from + n; i++) {
		struct finding *f = report_add(r);
		char test[40], message[200];
		snprintf(test, sizeof(test), "TestCase%c%c%c", 'A' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
		snprintf(message, sizeof(message), "got the colour %d of %s, want another 中文", (int)(started / NSEC_PER_SEC % 1000), test);
		f->cause = CAUSE_TEST_FAIL;
		f->classes = "P";
		f->package = S("example.com/m");
		f->test = arena_span(&r->mem, span_of(test));
		f->file = S("m_test.go");
		f->line = 12;
		f->message = f->excerpt = arena_span(&r->mem, span_of(message));
		r->results[r->n_results++] = (struct test_result){ S("example.com/m"), f->test, TEST_FAIL, 1, 1000000 };
	}
	return r;
}

static UNUSED void free_run(struct report *r)
{
	report_free(r);
	free(r);
}

static UNUSED void record(struct store *s, int64_t started, int from, int n)
{
	const struct record_config config = { .now = started };
	struct report *r = make_run(started, from, n);

	fine(store_record(s, r, &config, &e));
	free_run(r);
}

static UNUSED int64_t number_in(struct store *s, const char *sql)
{
	int64_t v = -1;

	fine(db_get(s->db, sql, NULL, 0, -1, &v, &e));
	return v;
}

static UNUSED void hear_check(void *ctx, bool ok, const char *sentence)
{
	(void)ctx;
	if (!ok)
		print_error("check: %s\n", sentence);
}

static UNUSED void is_sound_in(struct store *s)
{
	int n = store_check(s, hear_check, NULL, &e);

	fine(n);
	assert_int_equal(n, 0);
}

static UNUSED int make_dir(void **state)
{
	(void)state;
	setenv("HOME", dir, 1);
	return mkdtemp(dir) ? 0 : -1;
}

static UNUSED int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) == 0 ? 0 : -1;
}
#endif
