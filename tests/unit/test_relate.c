/* diagnose: when a log's crashes were, and what files say of each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "diagnose/relate.h"

#define AT INT64_C(1763690400000000000) /* 2025-11-21T02:00:00Z */

static void test_instants(void **state)
{
	static const struct {
		const char *line;
		int64_t at; /* 0: none */
	} rows[] = {
		{ "2025-11-21T02:00:00Z panic", AT },
		{ "2025-11-21T10:00:00.5+08:00 stderr F x", AT + 500000000 },
		{ "level=error ts=2025-11-21T02:00:00.123456789Z msg=x", AT + 123456789 },
		{ "2025/11/21 02:00:00 http: panic serving", AT },
		{ "[2025-11-21 02:00:00,250] x", AT + 250000000 },
		{ "{\"log\":\"goroutine 7 [running]:\\n\",\"stream\":\"stderr\",\"time\":\"2025-11-21T02:00:00.000000001Z\"}",
		  AT + 1 },
		{ "{\"level\":\"error\",\"ts\":1763690400.25,\"msg\":\"x\"}", AT + 250000000 },
		{ "{\"__REALTIME_TIMESTAMP\":\"1763690400000001\",\"MESSAGE\":\"x\"}", AT + 1000 },
		{ "{\"ts\":99999999999999999999}", 0 },
		{ "2025-13-21T02:00:00Z", 0 },
		{ "/tmp/2025/11/21 main.go:12", 0 },
		{ "goroutine 7 [running]:", 0 },
		{ "", 0 },
	};

	setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t at = 0;

		if (logclock_read(span_of(rows[i].line), &at) != (rows[i].at != 0) || at != rows[i].at)
			fail_msg("'%s': %lld", rows[i].line, (long long)at);
	}
}

static const char crashes[] = "2025/11/21 02:00:00 it starts\n"
			      "something else\n"
			      "2025/11/21 02:00:05 http: panic serving 127.0.0.1:1: x\n"
			      "goroutine 18 [running]:\n"
			      "main.a()\n"
			      "2025/11/21 02:00:07 more\n"
			      "panic: y\n\ngoroutine 5 [running]:\nmain.b(...)\n\t/x/b.go:1\n"
			      "goroutine of no number\ngoroutine 9";

static void test_clock(void **state)
{
	setenv("TZ", "UTC", 1);
	for (size_t piece = 1; piece < sizeof(crashes) + 10; piece += 7) { /* however it comes */
		struct span s = span_of(crashes);
		struct logclock c = { 0 };

		for (size_t at = 0; at < s.n; at += piece)
			logclock_feed(&c, span_head(span_from(s, at), piece));
		logclock_end(&c);
		assert_int_equal(c.first, AT);
		assert_int_equal(c.last, AT + 7 * NSEC_PER_SEC);
		assert_int_equal(logclock_of(&c, 18), AT + 5 * NSEC_PER_SEC);
		assert_int_equal(logclock_of(&c, 5), AT + 7 * NSEC_PER_SEC);
		assert_int_equal(logclock_of(&c, 9), 0);
		assert_int_equal(c.n, 2);
		logclock_free(&c);
	}
}

/* A crash of goroutine 5 in main.b below main.run, and a heap profile `later` after it. Number of relations; -1: no memory. */
static int relate_two(int64_t later, struct relation *first, size_t *limits)
{
	struct profile_row rows[] = { { .name = { "main.b", 6 }, .flat = 10, .cum = 90 },
				      { .name = { "main.run", 8 }, .cum = 100 } };
	struct profile_rows all = { .v = rows, .n = 2, .total = 100 };
	struct profile_info info = { .kind = "heap", .time_ns = AT + later };
	struct logclock c = { .first = AT - NSEC_PER_SEC, .last = AT, .n = 1, .seen = { { 5, AT } } };
	struct report found = { 0 };
	const struct relation *v;
	struct relate *r;
	struct err e;

	struct finding *f = report_say(&found, CAUSE_GO_PANIC, "y");
	if (f)
		f->excerpt = span_of(
			"panic: y\n\ngoroutine 5 [running]:\nmain.b(…)\n\t/x/b.go:1\nmain.run(…)\n\t/x/b.go:2\ncreated by main.main in goroutine 1\n");
	if (!f || relate_new(&r, &e) < 0) {
		report_free(&found);
		return -1;
	}
	relate_file(r, RELATE_PROFILE, "x/heap", 1);
	relate_profile(r, &info, (struct pprof_type){ S("inuse_space"), S("bytes") }, &all);
	relate_file(r, RELATE_LOG, "x/log", 1);
	relate_log(r, &c, &found);
	uint64_t ids[RELATE_SUBJECTS];
	assert_int_equal(relate_ask(r, "no trace", ids), 0);
	int n = (int)relate_end(r, &v);
	if (n) {
		*first = v[0];
		first->text =
			strstr(v[0].text,
			       "main.b, on the stack of goroutine 5, which crashed (log), stands for 90B (90.0%) of 100B inuse_space in heap")
				? "good"
				: "bad";
		first->function = span_eq(v[0].function, S("main.b")) ? S("main.b") : S("");
	}
	*limits = relate_limits(r)->n;
	report_free(&found);
	relate_free(r);
	return n;
}

static void test_relations(void **state)
{
	struct relation x = { 0 };
	size_t limits;

	assert_int_equal(relate_two(2 * NSEC_PER_SEC, &x, &limits), 1);
	assert_string_equal(x.word, "function");
	assert_string_equal(x.text, "good");
	assert_true(span_eq(x.function, S("main.b")) && x.goroutine == 5 && x.timed);
	assert_in_range(x.gap, NSEC_PER_SEC, 2 * NSEC_PER_SEC); /* the log counts in seconds */
	assert_int_equal(limits, 0);
	assert_int_equal(relate_two(2 * RELATE_NEAR, &x, &limits), 0); /* another time */
	assert_int_equal(limits, 1);
	assert_int_equal(relate_two(-2 * RELATE_NEAR, &x, &limits), 0);
}

static void test_faults(void **state)
{
	struct relation x;
	size_t limits;

	for (long n = 1;; n++) {
		fault_at = n;
		fault_seen = 0;
		relate_two(0, &x, &limits);
		bool over = fault_seen < n;
		fault_at = 0;
		if (over)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instants),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_relations),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
