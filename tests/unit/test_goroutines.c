/* diagnose: who waits for whom, what grows, what was recovered; whatever the bytes are cut into. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "diagnose/goroutines.h"
#include "diagnose/logs.h"

/* "G:STATE:LOCK:ARGS" a line: a goroutine in main.fG. */
static void make_dump(const char *const *rows, size_t n, struct buf *b)
{
	for (size_t i = 0; i < n; i++) {
		struct span s = span_of(rows[i]);
		struct span id = span_cut(&s, ':'), state = span_cut(&s, ':'), lock = span_cut(&s, ':');
		buf_addf(b, "goroutine %.*s [%.*s]:\n", SPAN_ARG(id), SPAN_ARG(state));
		if (lock.n)
			buf_addf(b, "sync.(*Mutex).lockSlow(0x%.*s)\n\t/go/src/sync/mutex.go:1 +0x1\n", SPAN_ARG(lock));
		buf_addf(b, "main.f%.*s(%.*s)\n\t/src/main.go:%.*s +0x1\ncreated by main.main\n\t/src/main.go:1 +0x1\n\n", SPAN_ARG(id), SPAN_ARG(s), SPAN_ARG(id));
	}
}

static struct goroutines *analyse(struct span text, size_t piece, const struct gofilter *f)
{
	struct goroutines *g;
	struct err e;

	if (goroutines_new(&g, &e) < 0)
		return NULL;
	if (f && goroutines_filter(g, f, &e) < 0) {
		goroutines_free(g);
		return NULL;
	}
	for (size_t i = 0; i < text.n; i += piece)
		goroutines_feed(g, span_head(span_from(text, i), piece));
	goroutines_end(g);
	return g;
}

static const struct {
	const char *rows[6];
	enum gowrong wrong;
	bool certain;
} knots[] = {
	{ { "4:sync.Mutex.Lock, 2 minutes:c000000010:0xc000000020, 0xc000000010", "5:sync.Mutex.Lock, 2 minutes:c000000020:0xc000000010, 0xc000000020" },
	  GO_CROSSWISE, true },
	{ { "4:sync.Mutex.Lock:c000000010:0xc000000020, 0xc000000010", "5:sync.Mutex.Lock:c000000020:0xc000000010, 0xc000000020", "6:sleep::0xc000000010" },
	  GO_WRONG_NOT, false }, /* somebody who knows the lock sleeps: he may hold it */
	{ { "4:sync.Mutex.Lock, 1 minutes:c000000018:0xc000000020, 0xc000000010", "5:sync.Mutex.Lock, 1 minutes:c000000028:0xc000000030, 0xc000000020",
	    "6:sync.Mutex.Lock, 1 minutes:c000000038:0xc000000010, 0xc000000030" }, GO_CROSSWISE, true },
	{ { "4:chan receive (nil chan)::0x1", "5:running::" }, GO_NIL_CHAN, true },
	{ { "4:select (no cases), 1 minutes::0x1", "5:running::" }, GO_NO_CASES, true },
	{ { "4:chan receive (leaked)::0x1", "5:running::" }, GO_MARKED, true },
	{ { "4:chan send, 1 minutes::0x1", "5:running::" }, GO_ABANDONED, true },
	{ { "4:sync.Mutex.Lock, 1 minutes:c000000010:0xc000000010", "5:running::" }, GO_NO_UNLOCK, false },
	{ { "4:sync.Mutex.Lock, 1 minutes:c000000010:0xc000000010", "5:sync.Mutex.Lock, 1 minutes:c000000010:0xc000000010", "6:IO wait::0xc000000010" },
	  GO_CONVOY, false },
	{ { "4:chan receive::0x1", "5:chan receive::0x1" }, GO_ALL_BLOCKED, false },
	{ { "4:chan receive::0x1", "5:IO wait::0x1" }, GO_WRONG_NOT, false },
	{ { "4:sleep::0x1", "5:running::" }, GO_WRONG_NOT, false },
};

static size_t count_rows(const char *const *rows)
{
	size_t n = 0;

	while (n < 6 && rows[n])
		n++;
	return n;
}

static void test_knots(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(knots); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		make_dump(knots[i].rows, count_rows(knots[i].rows), &b);
		for (size_t piece = 13; piece < 5000; piece *= 9) {
			struct goroutines *g = analyse(buf_view(&b), piece, NULL);
			assert_int_equal(g->count, count_rows(knots[i].rows));
			if (knots[i].wrong == GO_WRONG_NOT) {
				assert_int_equal(g->n_knots, 0);
			} else {
				assert_true(g->n_knots > 0);
				assert_int_equal(g->knots[0].wrong, knots[i].wrong);
				assert_int_equal(g->knots[0].certain, knots[i].certain);
			}
			goroutines_free(g);
		}
	}
}

static void test_filter(void **state)
{
	static const char *const rows[] = { "4:sleep, 9 minutes::0x1", "5:chan receive::0x1", "6:sleep::0x1" };
	static const struct {
		struct gofilter f;
		int64_t shown;
	} cases[] = {
		{ { NULL, NULL }, 3 }, { { "main\\.f4", NULL }, 1 }, { { NULL, "main\\.f4" }, 2 }, { { "state:sleep", NULL }, 2 }, { { "state:sleep", "wait:5m" }, 1 },
		{ { "wait:5m", NULL }, 1 }, { { "creator:main", NULL }, 3 }, { { "main.go:5", NULL }, 1 }, { { "label:x", NULL }, 0 },
	};
	CLEANUP(buf_free) struct buf b = { 0 };
	struct gofilter bad = { "(", NULL }, worse = { "wait:x", NULL };

	(void)state;
	make_dump(rows, ARRAY_LEN(rows), &b);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct goroutines *g = analyse(buf_view(&b), 4096, &cases[i].f);
		if (!g)
			fail_msg("row %zu: no analysis", i);
		else
			assert_int_equal(g->shown, cases[i].shown);
		assert_true(g && g->count == 3);
		goroutines_free(g);
	}
	assert_null(analyse(buf_view(&b), 4096, &bad));
	assert_null(analyse(buf_view(&b), 4096, &worse));
}

static void make_many(int n, struct buf *b)
{
	for (int i = 0; i < n; i++)
		buf_addf(b, "goroutine %d [chan send]:\nmain.leaky.func%d()\n\t/src/main.go:%d +0x1\ncreated by main.leaky\n\t/src/main.go:1 +0x1\n\n", i + 2, n % 3 + 1, n);
	buf_adds(b, "goroutine 1 [running]:\nmain.main()\n\t/src/main.go:9 +0x1\n");
}

/* The same function in three builds: other lines, other closure numbers. */
static void test_leak(void **state)
{
	static const int counts[] = { 10, 40, 70 };
	struct godump d[3];
	struct gochange *c;
	struct report r = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		make_many(counts[i], &b);
		struct goroutines *g = analyse(buf_view(&b), 999, NULL);
		assert_int_equal(godump_make(g, "x", (1700000000 + 120 * i) * INT64_C(1000000000), &d[i]), 0);
		goroutines_free(g);
	}
	CLEANUP(arena_free) struct arena mem = { 0 };
	assert_int_equal(godumps_compare(d, 3, &mem, &c), 1);
	assert_true(c[0].leak && c[0].per_minute && c[0].slope > 14.99 && c[0].slope < 15.01);
	godumps_findings(3, c, 1, &r);
	assert_int_equal(r.n_findings, 1);
	assert_int_equal(r.findings[0].cause, CAUSE_GO_LEAK);
	assert_int_equal(godumps_compare(d, 2, &mem, &c), 1);
	assert_false(c[0].leak);
	assert_int_equal(godumps_compare(d, 1, &mem, &c), 0);
	for (int i = 0; i < 3; i++)
		godump_free(&d[i]);
	report_free(&r);
}

/* Three dumps in one text, the last of which is not the largest; what only the first shows is said, too. */
static void test_series(void **state)
{
	static const int counts[] = { 10, 70, 90 };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct report r = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		buf_adds(&b, "SIGQUIT: quit\n\n");
		make_many(counts[i], &b);
		buf_adds(&b, i ? "\n" : "\ngoroutine 500 [chan receive (nil chan)]:\nmain.never()\n\t/src/never.go:5 +0x1\n\n");
	}
	for (size_t piece = 50; piece < 100000; piece *= 40) {
		struct goroutines *g = analyse(buf_view(&b), piece, NULL);
		if (!g || !g->series) {
			fail_msg("in pieces of %zu: no series", piece);
			return;
		}
		assert_int_equal(g->count, 91);
		assert_int_equal(g->series->n, 3);
		assert_int_equal(g->series->dumps[0].count, 12);
		assert_int_equal(g->series->dumps[1].count, 71);
		assert_true(g->series->n_changes && g->series->changes[0].leak && g->series->changes[0].after == 90);
		goroutines_findings(g, &r, true);
		goroutines_limits(g, &r);
		assert_int_equal(r.findings[0].cause, CAUSE_GO_BLOCKED);
		assert_int_equal(r.findings[0].line, 5);
		assert_int_equal(r.findings[0].severity, SEV_ERROR);
		bool leak = false;
		for (size_t i = 0; i < r.n_findings; i++)
			leak |= r.findings[i].cause == CAUSE_GO_LEAK && r.findings[i].severity == SEV_WARNING;
		assert_true(leak);
		goroutines_free(g);
		report_free(&r);
		r = (struct report){ 0 };
	}
	b.len = 0;
	for (int i = 0; i < GOSERIES_MAX + 10; i++) {
		buf_adds(&b, "SIGQUIT: quit\n\n");
		make_many(2, &b);
		buf_addc(&b, '\n');
	}
	struct goroutines *g = analyse(buf_view(&b), 4096, NULL);
	if (!g || !g->series) {
		fail_msg("no series");
		return;
	}
	assert_int_equal(g->series->n, GOSERIES_MAX);
	assert_int_equal(g->series->more, 10);
	goroutines_free(g);
}

static void test_findings(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct report r = { 0 };

	(void)state;
	make_dump(knots[0].rows, 2, &b);
	buf_adds(&b, "goroutine 9 [running]:\nmain.g(");
	struct goroutines *g = analyse(buf_view(&b), 4096, NULL);
	goroutines_findings(g, &r, true);
	goroutines_limits(g, &r);
	assert_int_equal(r.n_findings, 1);
	assert_int_equal(r.findings[0].cause, CAUSE_GO_BLOCKED);
	assert_int_equal(r.findings[0].severity, SEV_ERROR);
	assert_int_equal(r.findings[0].n_places, 2);
	assert_true(r.findings[0].line == 4 || r.findings[0].line == 5);
	assert_int_equal(r.limits.n, 1);
	assert_non_null(strstr(r.limits.v[0], "byte"));
	goroutines_free(g);
	report_free(&r);
}

/* ---- logs ---- */

#define STACK "goroutine 7 [running]:\npanic({0x1, 0x2})\n\t/go/src/runtime/panic.go:890 +0x262\nmain.handler(0x3)\n\t/src/app/main.go:12 +0x45\n"
static const struct {
	const char *text, *source, *value;
	int line;
} recovered[] = {
	{ "http: panic serving 127.0.0.1:1: boom\n" STACK, "net/http", "boom", 12 },
	{ "2026/11/21 10:00:00 http2: panic serving [::1]:1: boom\n" STACK, "net/http", "boom", 12 },
	{ "\x1b[31m2026/11/21 [Recovery] 2026/11/21 - 10:00:00 panic recovered:\nboom\n/src/app/main.go:12 (0x1234)\n\thandler: deref(nil)\n\x1b[0m\n", "gin", "boom", 12 },
	{ "{\"level\":\"-\",\"message\":\"[PANIC RECOVER] boom goroutine 7 [running]:\\nmain.handler()\\n\\t/src/app/main.go:12 +0x1\\n\"}\n", "echo", "boom", 12 },
	{ "recovered panic: boom\n" STACK, "fiber", "boom", 12 },
	{ " panic: boom\n\n -> main.handler\n ->   /src/app/main.go:12\n", "chi", "boom", 12 },
	{ "rpc error: code = Unknown desc = panic caught: boom\n", "grpc", "boom", 0 },
	{ "E1121 10:00:00.000000 1 runtime.go:1] \"Observed a panic\" panic=\"boom\" panicGoValue=\"x\" stacktrace=<\n\tgoroutine 7 [running]:\n\tmain.handler()\n"
	  "\t\t/src/app/main.go:12 +0x1\n >\n", "kubernetes", "boom", 12 },
	{ "value: %!v(PANIC=String method: boom)\n", "fmt", "String method: boom", 0 },
	{ "msg=x e=\"!PANIC: boom\"\n", "log/slog", "boom", 0 },
	{ "E1121 10:00:00.000000 1 runtime.go:1] Observed a panic: \"boom\" (a boom)\n" STACK, "kubernetes", "a boom", 12 },
	{ "recovered panic (gin): boom\n\n" STACK, "gin", "boom", 12 },
	{ "it broke: boom\n" STACK, "stack", "it broke: boom", 12 },
	{ "panic: boom\ngoroutine 7 [running]:\nruntime/debug.Stack()\n\t/go/src/runtime/debug/stack.go:24 +0x65\nmain.f()\n\t/src/x.go:1 +0x1\n"
	  "panic({0x1, 0x2})\n\t/go/src/runtime/panic.go:890 +0x262\nmain.handler(0x3)\n\t/src/app/main.go:12 +0x45\n", "stack", "boom", 12 },
};

struct heard {
	int n;
	char source[32], value[100], file[100];
	int line;
};

static void hear(void *ctx, const struct logscan_event *e)
{
	struct heard *h = ctx;

	h->n++;
	snprintf(h->source, sizeof(h->source), "%s", e->source);
	snprintf(h->value, sizeof(h->value), "%.*s", SPAN_ARG(e->value));
	h->line = e->line;
}

static void test_recovered(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(recovered); i++) {
		struct span text = span_of(recovered[i].text);
		for (size_t piece = 1; piece < 3000; piece = piece * 3 + 1) {
			struct heard h = { 0 };
			struct logscan *s;
			struct err e;
			assert_int_equal(logscan_new(hear, &h, &s, &e), 0);
			for (size_t k = 0; k < text.n; k += piece)
				logscan_feed(s, span_head(span_from(text, k), piece));
			logscan_end(s);
			logscan_free(s);
			assert_int_equal(h.n, 1);
			assert_string_equal(h.source, recovered[i].source);
			if (piece > 1000 || strcmp(recovered[i].source, "stack"))
				assert_string_equal(h.value, recovered[i].value);
			assert_int_equal(h.line, recovered[i].line);
		}
	}
}

/* Loggers' last words: a panic level counts by what follows, and only once. */
#define LATER "I1\nI2\nI3\nI4\nI5\nI6\nI7\nI8\nI9\nI10\nI11\nI12\nI13\nI14\nI15\nI16\nI17\nI18\nI19\nI20\nI21\nI22\nI23\nI24\nI25\nI26\nI27\nI28\nI29\nI30\nI31\n"
static const struct {
	const char *text;
	enum cause cause; /* CAUSE_NONE: nothing is told, or what ended it is for the judge to tell */
	const char *source, *value;
} levels[] = {
	{ "F1121 10:00:00.123456       1 main.go:12] no port\n", CAUSE_PROC_LOG_FATAL, "fatal", "no port" },
	{ "x\nF1121 10:00:00.123456       1 main.go:12] no port\nx\n", CAUSE_PROC_LOG_FATAL, "fatal", "no port" },
	{ "{\"level\":\"fatal\",\"msg\":\"no port\"}\n", CAUSE_PROC_LOG_FATAL, "fatal", "no port" },
	{ "{\"level\":\"fatal\",\"msg\":\"no port\",\"stacktrace\":\"main.main\\n\\t/a/main.go:4\"}\n", CAUSE_PROC_LOG_FATAL, "fatal", "no port" },
	{ "\x1b[36m10:00AM\x1b[0m \x1b[31mFTL\x1b[0m no port\n", CAUSE_PROC_LOG_FATAL, "fatal", "no port" },
	{ "{\"level\":\"panic\",\"msg\":\"boom\"}\n", CAUSE_PROC_LOG_FATAL, "panic", "boom" },
	{ "{\"level\":\"panic\",\"msg\":\"boom\"}\n" LATER, CAUSE_GO_PANIC_RECOVERED, "log", "boom" },
	{ "{\"level\":\"panic\",\"msg\":\"boom\"}\nhttp: panic serving 1.2.3.4:5: boom\n" STACK LATER, CAUSE_GO_PANIC_RECOVERED, "net/http", "boom" },
	{ "{\"level\":\"panic\",\"msg\":\"boom\"}\npanic: boom\n\n" STACK, CAUSE_NONE, "", "" },
	{ "{\"level\":\"dpanic\",\"msg\":\"odd\"}\n", CAUSE_GO_PANIC_RECOVERED, "zap, DPanic", "odd" },
	{ "level=info msg=\"level=fatal\"\nFATAL: no\nfatal error\n", CAUSE_NONE, "", "" },
};

static void test_levels(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		struct span text = span_of(levels[i].text);
		for (size_t piece = 1; piece < 3000; piece = piece * 3 + 1) {
			struct report r = { 0 };
			struct logscan *s;
			struct err e;
			assert_int_equal(logscan_new(NULL, NULL, &s, &e), 0);
			for (size_t k = 0; k < text.n; k += piece)
				logscan_feed(s, span_head(span_from(text, k), piece));
			logscan_end(s);
			logscan_report(s, &r);
			CLEANUP(buf_free) struct buf want = { 0 };
			buf_addf(&want, "%s: %s", levels[i].source, levels[i].value);
			if (r.n_findings != (levels[i].cause != CAUSE_NONE))
				fail_msg("row %zu in pieces of %zu: %zu findings", i, piece, r.n_findings);
			assert_int_equal(r.outcome, OUTCOME_NONE);
			if (r.n_findings) {
				assert_int_equal(r.findings[0].cause, levels[i].cause);
				assert_int_equal(r.findings[0].severity, SEV_WARNING);
				assert_int_equal(r.findings[0].message.n, want.len);
				assert_memory_equal(r.findings[0].message.p, want.p, want.len);
			}
			report_free(&r);
			logscan_free(s);
		}
	}
}

/* A service's log is skimmed: the crash in it is judged all the same, wherever the pieces end. */
static void test_skim(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 2000; i++)
		buf_addf(&b, "2026/11/21 10:00:00 request %d failed to go on, signal lost\n", i);
	size_t head = b.len;
	buf_adds(&b, "http: panic serving 1.2.3.4:5: boom\n" STACK);
	for (int i = 0; i < 2000; i++)
		buf_addf(&b, "2026/11/21 10:00:00 request %d\n", i);
	buf_adds(&b, "panic: the end\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:3 +0x1\n");
	for (size_t piece = 7; piece < 1 << 20; piece *= 17) {
		struct judge_config cfg = { .explain = true };
		struct report r = { 0 };
		struct judge *j;
		struct logs *l;
		struct err e;
		assert_int_equal(judge_new(&cfg, &j, &e), 0);
		assert_int_equal(logs_new(span_head(buf_view(&b), head), j, &l, &e), 0);
		for (size_t i = 0; i < b.len; i += piece)
			logs_feed(l, span_head(span_from(buf_view(&b), i), piece));
		logs_end(l);
		assert_int_equal(judge_finish(j, &r, &e), 0);
		logs_report(l, &r);
		assert_int_equal(r.outcome, OUTCOME_CRASHED);
		assert_int_equal(r.n_findings, 2);
		assert_int_equal(r.findings[0].cause, CAUSE_GO_PANIC);
		assert_int_equal(r.findings[0].line, 3);
		assert_int_equal(r.findings[1].cause, CAUSE_GO_PANIC_RECOVERED);
		assert_int_equal(r.findings[1].order, (int64_t)head);
		assert_null(logs_goroutines(l));
		logs_free(l);
		judge_free(j);
		report_free(&r);
	}
}

static void walk_faults(void (*f)(void))
{
	fault_at = 1L << 40;
	fault_seen = 0;
	f();
	long points = fault_seen;
	for (long i = 1; i <= points; i++) {
		fault_at = i;
		fault_seen = 0;
		f();
	}
	fault_at = 0;
}

static void analyse_once(void)
{
	static const char text[] = "goroutine 4 [sync.Mutex.Lock]:\nsync.(*Mutex).lockSlow(0xc000000010)\n\t/m.go:1\nmain.f(0xc000000020, 0xc000000010)\n\t/a.go:1\n\n"
		"goroutine 5 [sync.Mutex.Lock]:\nsync.(*Mutex).lockSlow(0xc000000020)\n\t/m.go:1\nmain.f(0xc000000020, 0xc000000010)\n\t/a.go:1\n"
		"\nSIGQUIT: quit\n\ngoroutine 6 [chan send]:\nmain.f(0x1)\n\t/b.go:1\n\ngoroutine 7 [chan receive (nil chan)]:\nmain.g()\n\t/b.go:2\n";
	struct gofilter f = { "main", NULL };
	struct goroutines *g = analyse((struct span){ text, sizeof(text) - 1 }, 50, &f);
	struct report r = { 0 };
	struct godump d;

	if (!g)
		return;
	goroutines_findings(g, &r, true);
	goroutines_limits(g, &r);
	if (godump_make(g, "x", 0, &d) == 0)
		godump_free(&d);
	goroutines_free(g);
	report_free(&r);
}

static void scan_once(void)
{
	struct span text = span_of(recovered[0].text);
	struct report r = { 0 };
	struct logscan *s;
	struct err e;

	if (logscan_new(NULL, NULL, &s, &e) < 0)
		return;
	logscan_feed(s, span_head(text, 60));
	logscan_feed(s, span_from(text, 60));
	logscan_feed(s, span_of(recovered[3].text));
	logscan_feed(s, span_of(levels[3].text));
	logscan_end(s);
	logscan_report(s, &r);
	logscan_free(s);
	report_free(&r);
}

static void test_no_memory(void **state)
{
	(void)state;
	walk_faults(analyse_once);
	walk_faults(scan_once);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_knots), cmocka_unit_test(test_filter), cmocka_unit_test(test_leak), cmocka_unit_test(test_series), cmocka_unit_test(test_levels), cmocka_unit_test(test_findings),
		cmocka_unit_test(test_recovered), cmocka_unit_test(test_skim), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
