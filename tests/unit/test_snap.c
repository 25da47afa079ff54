#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "snap/snap.h"

static char top[64];

static void slurp(const char *dir, const char *name, struct buf *ret)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(file_slurp(path, ret, NULL), 0);
}

static struct snap_request request(char id[27], int64_t at)
{
	ulid_make(at, id);
	return (struct snap_request){
		.id = id, .at = at, .dir = top, .reason = "crash", .run = "01RUN", .command = "./srv", .cause = "go.panic", .message = S("boom"), .pid = getpid(),
		.crash = S("panic: boom\n\ngoroutine 1 [running]:\n"), .log = S("token=ghp_0123456789abcdefghijABCDEFGHIJ456789\nlast\n"),
	};
}

static void test_take(void **state)
{
	CLEANUP(buf_free) struct buf path = { 0 }, manifest = { 0 }, log = { 0 }, proc = { 0 };
	struct snap_request q;
	struct span v;
	struct stat st;
	struct err e;
	char id[27];

	q = request(id, INT64_C(1795000000) * NSEC_PER_SEC);
	assert_int_equal(snap_take(&q, &path, NULL, &e), 0);
	slurp(buf_str(&path), "manifest.json", &manifest);
	assert_true(json_find(buf_view(&manifest), "schema", &v) && span_eq(v, S("tocsin.snapshot/1")));
	assert_true(json_find(buf_view(&manifest), "message", &v) && span_eq(v, S("boom")));
	assert_true(json_find(buf_view(&manifest), "resources.fds", &v) && json_find(buf_view(&manifest), "resources.rss_kb", &v));
	slurp(buf_str(&path), "log.txt", &log);
	assert_true(span_find(buf_view(&log), S("ghp_")) == SPAN_NONE && span_find(buf_view(&log), S("last")) != SPAN_NONE);
	slurp(buf_str(&path), "proc.txt", &proc);
	assert_true(span_find(buf_view(&proc), S("--- status ---\nName:\t")) == 0);
	assert_int_equal(stat(buf_str(&path), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static int count(void *ctx, const struct snap_row *row)
{
	struct span v;

	assert_true(json_find(row->manifest, "id", &v) && span_eq(v, span_of(row->id)));
	assert_true(row->bytes > 0);
	snprintf(ctx, 27, "%s", row->id);
	return 0;
}

/* The oldest go, the newest stays whatever it takes. */
static void test_budget(void **state)
{
	char id[27], last[27] = "";
	struct snap_request q;
	struct err e;

	for (int i = 0; i < 6; i++) {
		CLEANUP(buf_free) struct buf path = { 0 };
		q = request(id, (INT64_C(1795000010) + i) * NSEC_PER_SEC);
		q.budget = 20 << 10;
		assert_int_equal(snap_take(&q, &path, NULL, &e), 0);
	}
	int n = snap_list(top, count, last, &e);
	assert_true(n >= 1 && n < 6);
	assert_string_equal(last, id);
	CLEANUP(buf_free) struct buf path = { 0 };
	q = request(id, INT64_C(1795000100) * NSEC_PER_SEC);
	q.budget = 10;
	assert_true(snap_take(&q, &path, NULL, &e) < 0);
	assert_true(snap_list(top, count, last, &e) == n);
	DIR *d = opendir(top); /* nothing is left of the one that was too large */
	for (struct dirent *f; d && (f = readdir(d));)
		assert_true(f->d_name[0] != '.' || !f->d_name[1] || f->d_name[1] == '.');
	if (d)
		closedir(d);
}

/* What a killed one left goes when it is old, what is being made stays. */
static void test_unfinished(void **state)
{
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	static const char *const names[] = { ".01ARZ3NDEKTSV4RRFFQ69G5FAV.new", ".01ARZ3NDEKTSV4RRFFQ69G5FAW.new" };
	CLEANUP(buf_free) struct buf path = { 0 };
	struct snap_request q;
	char id[27], dir[2][200];
	struct err e;

	for (int i = 0; i < 2; i++) {
		snprintf(dir[i], sizeof(dir[i]), "%s/%s", top, names[i]);
		assert_int_equal(mkdir(dir[i], 0700), 0);
	}
	assert_int_equal(utimensat(AT_FDCWD, dir[0], old, 0), 0);
	q = request(id, INT64_C(1795000300) * NSEC_PER_SEC);
	assert_int_equal(snap_take(&q, &path, NULL, &e), 0);
	assert_int_equal(access(dir[0], F_OK), -1);
	assert_int_equal(access(dir[1], F_OK), 0);
	assert_int_equal(rmdir(dir[1]), 0);
}

/* Nobody answers there: said in the manifest, and the rest is kept. */
static void test_no_pprof(void **state)
{
	CLEANUP(buf_free) struct buf path = { 0 }, manifest = { 0 };
	struct snap_request q;
	struct err e;
	char id[27];

	q = request(id, INT64_C(1795000200) * NSEC_PER_SEC);
	q.pprof = "http://127.0.0.1:1";
	assert_int_equal(snap_take(&q, &path, NULL, &e), 0);
	slurp(buf_str(&path), "manifest.json", &manifest);
	assert_true(span_find(buf_view(&manifest), S("\"limits\":[\"pprof")) != SPAN_NONE);
	assert_true(span_find(buf_view(&manifest), S("crash.txt")) != SPAN_NONE);
}

static void test_check(void **state)
{
	static const char *const good[] = { "http://127.0.0.1:6060", "http://localhost:6060/debug/pprof", "https://[::1]:1/", "http://127.0.0.9" };
	static const char *const bad[] = { "http://192.0.2.1:6060", "127.0.0.1:6060", "ftp://127.0.0.1", "http://u:p@127.0.0.1/", "http://localhost.example.com/", "http://", "" };
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(snap_pprof_check(good[i], false, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(snap_pprof_check(bad[i], false, &e) < 0);
	assert_int_equal(snap_pprof_check("http://192.0.2.1:6060", true, &e), 0);
}

static void test_no_memory(void **state)
{
	char id[27];

	for (long at = 1;; at++) {
		struct buf path = { 0 };
		struct err e;
		struct snap_request q = request(id, (INT64_C(1795000300) + at) * NSEC_PER_SEC);
		fault_at = at;
		fault_seen = 0;
		int r = snap_take(&q, &path, NULL, &e);
		long seen = fault_seen;
		fault_at = 0;
		if (r == 0)
			assert_int_equal(access(buf_str(&path), F_OK), 0);
		buf_free(&path);
		if (seen < at)
			break;
	}
}

static int make_top(void **state)
{
	snprintf(top, sizeof(top), "/tmp/tocsin-test-snap-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int drop_top(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take), cmocka_unit_test(test_budget), cmocka_unit_test(test_no_pprof), cmocka_unit_test(test_unfinished), cmocka_unit_test(test_check), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, make_top, drop_top);
}
