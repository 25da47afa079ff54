#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/panics.h"

static const char record[] =
	"S\t2\nG\t/go\t\n"
	"Q\t77\texample.com/m\t3\t"
	"@TestA\\x0agoroutine 7 [chan receive, 2 minutes]:\\x0aexample.com/m.wait()\\x0a\\x09/m/a.go:5 +0x1\\x0acreated by example.com/m.start in goroutine 6\\x0a\\x09/m/a.go:9 +0x2\\x0a\\x0a"
	"@TestA\\x0agoroutine 8 [chan receive]:\\x0aexample.com/m.wait()\\x0a\\x09/m/a.go:5 +0x1\\x0acreated by example.com/m.start in goroutine 6\\x0a\\x09/m/a.go:9 +0x2\\x0a\\x0a"
	"goroutine 9 [sync.Mutex.Lock]:\\x0async.(*Mutex).Lock(...)\\x0a\\x09/go/sync.go:1\\x0aexample.com/m.TestB.func1()\\x0a\\x09/m/b_test.go:5 +0x1\\x0acreated by "
	"example.com/m.TestB\\x0a\\x09/m/b_test.go:4 +0x2\\x0a\\x0a\t\n"
	"Q\t78\nQ\nQ\t1\tp\tx\t\nQ\t1\tp\t9\tgoroutine\\x0a\\x0a\\x0agoroutine 1 [\t\nX";

static void judge_it(const char *text, struct report *r)
{
	char path[] = "/tmp/tocsin-leaks-test-XXXXXX";
	const struct judge_config c = { .explain = true };
	struct judge *j;
	struct err e;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, span_of(text)), 0);
	close(fd);
	assert_int_equal(judge_new(&c, &j, &e), 0);
	leaks_take(path, j);
	leaks_take("/nonexistent/file", j);
	assert_int_equal(judge_finish(j, r, &e), 0);
	judge_free(j);
	unlink(path);
}

static void test_leaks(void **state)
{
	struct report r = { 0 };

	judge_it(record, &r);
	assert_int_equal(r.n_findings, 2);
	const struct finding *a = &r.findings[0], *b = &r.findings[1];
	assert_true(a->cause == CAUSE_GO_LEAK && a->severity == SEV_WARNING && b->cause == CAUSE_GO_LEAK);
	assert_true(span_eq(a->package, S("example.com/m")) && span_eq(a->test, S("TestA")) && span_eq(a->file, S("/m/a.go")) && a->line == 9);
	assert_true(span_starts(a->message, S("2 goroutines are left behind: example.com/m.wait [chan receive]")));
	assert_true(span_eq(b->test, S("TestB")) && b->line == 4);
	assert_true(span_find(b->message, S("example.com/m.TestB.func1 [sync.Mutex.Lock]")) != SPAN_NONE);
	assert_int_equal(r.limits.n, 1); /* a record says 9, and shows none */
	report_free(&r);
}

static void test_many(void **state)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct report r = { 0 };

	for (int i = 0; i < 1000; i++)
		buf_addf(&text, "Q\t1\tp%d\t1\tgoroutine 7 [select]:\\x0ap.f()\\x0a\\x09/p.go:1\\x0a\\x0a\t\n", i);
	judge_it(buf_str(&text), &r);
	assert_int_equal(r.n_findings, 200);
	report_free(&r);
}

static void test_no_memory(void **state)
{
	char path[] = "/tmp/tocsin-leaks-test-XXXXXX";
	const struct judge_config c = { .explain = true };
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, span_of(record)), 0);
	close(fd);
	for (long at = 1;; at++) {
		struct judge *j;
		struct err e;
		assert_int_equal(judge_new(&c, &j, &e), 0);
		fault_at = at;
		fault_seen = 0;
		leaks_take(path, j);
		long seen = fault_seen;
		fault_at = 0;
		judge_free(j);
		if (seen < at)
			break;
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_leaks), cmocka_unit_test(test_many), cmocka_unit_test(test_no_memory) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
