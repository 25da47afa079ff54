/* parse: goroutine dumps, their lines, and what log collectors put around lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "parse/logline.h"
#include "parse/traceback.h"

static const struct {
	const char *line;
	int64_t id;
	const char *status;
	int minutes;
	const char *marks; /* locked, leaked, scan, durable */
	int64_t bubble;
	const char *labels;
} headers[] = {
	{ "goroutine 1 [running]:", 1, "running", 0, "", 0, "" },
	{ "goroutine 7 [chan receive, 3 minutes]:", 7, "chan receive", 3, "", 0, "" },
	{ "goroutine 7 [chan receive (nil chan), 12 minutes, locked to thread]:", 7, "chan receive (nil chan)", 12, "l", 0, "" },
	{ "goroutine 7 [select (no cases)]:", 7, "select (no cases)", 0, "", 0, "" },
	{ "goroutine 9 gp=0xc000002380 m=0 mp=0x5c8e20 [running]:", 9, "running", 0, "", 0, "" },
	{ "goroutine 9 gp=0xc000002380 m=nil [GC worker (idle), 1 minutes]:", 9, "GC worker (idle)", 1, "", 0, "" },
	{ "goroutine 9 [chan receive (leaked) (scan)]:", 9, "chan receive", 0, "ks", 0, "" },
	{ "goroutine 9 [chan receive (durable), synctest bubble 4]:", 9, "chan receive", 0, "d", 4, "" },
	{ "goroutine 9 [select, 2 minutes, locked to thread, synctest bubble 4] {a: b, \"c]: {\": \"d, }\"}:", 9, "select", 2, "l", 4,
	  "a: b, \"c]: {\": \"d, }\"" },
	{ "goroutine 99999999999999999999 [idle]:", 999999999999999999, "idle", 0, "", 0, "" },
};

static const char *const no_headers[] = {
	"", "goroutine", "goroutine ", "goroutine x [running]:", "goroutine 1 running:", "goroutine 1 [running]", "goroutine 1 [running", "goroutine 1  [running]:",
	"goroutine 1 [running] {a: b:", "goroutine 1 gp=0x1 running:", "goroutine 1 [running]: x", "Goroutine 1 (running) created at:", " goroutine 1 [running]:",
};

static void test_headers(void **state)
{
	struct goheader h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		char marks[8] = "";
		assert_true(goheader_read(span_of(headers[i].line), &h));
		assert_int_equal(h.id > 999999999999999 ? 999999999999999999 : h.id, headers[i].id);
		assert_true(span_eq(h.status, span_of(headers[i].status)));
		assert_int_equal(h.minutes, headers[i].minutes);
		assert_int_equal(h.bubble, headers[i].bubble);
		snprintf(marks, sizeof(marks), "%s%s%s%s", h.locked ? "l" : "", h.leaked ? "k" : "", h.scan ? "s" : "", h.durable ? "d" : "");
		assert_string_equal(marks, headers[i].marks);
		assert_true(span_eq(h.labels, span_of(headers[i].labels)));
	}
	for (size_t i = 0; i < ARRAY_LEN(no_headers); i++)
		assert_false(goheader_read(span_of(no_headers[i]), &h));
}

static void test_frames(void **state)
{
	static const struct {
		const char *line, *func;
	} funcs[] = {
		{ "main.main()", "main.main" }, { "main.(*T).M(0x1, {0x2, ...}, _)", "main.(*T).M" }, { "panic({0x1, 0x2})", "panic" },
		{ "a%2eb/c.F[...](0x1?)", "a%2eb/c.F[...]" }, { "main.F[go.shape.struct { x int }](...)", "main.F[go.shape.struct { x int }]" },
		{ "main.glob..func1.2()", "main.glob..func1.2" }, { "x y(1)", "" }, { "(1)", "" }, { "", "" },
	};
	int64_t id;
	int line;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(funcs); i++) {
		struct span s = span_of(funcs[i].line);
		assert_true(span_eq(span_head(s, goframe_func_length(s)), span_of(funcs[i].func)));
	}
	assert_true(span_eq(goframe_place(S("/a/b.go:12 +0x1d fp=0x1 sp=0x2 pc=0x3")), S("/a/b.go:12")));
	assert_true(span_eq(goframe_place(S("C:/a b/b.go:12")), S("C:/a b/b.go:12")));
	assert_true(span_eq(goframe_file(S("C:/a/b.go:12"), &line), S("C:/a/b.go")) && line == 12);
	assert_true(span_eq(goframe_file(S("??:0"), &line), S("??")) && line == 0);
	assert_null(goframe_place(S("/a/b.go")).p);
	assert_null(goframe_place(S("")).p);
	assert_true(span_eq(goframe_creator(S("main.f in goroutine 12"), &id), S("main.f")) && id == 12);
	assert_true(span_eq(goframe_creator(S("main.f"), &id), S("main.f")) && id == 0);
	assert_int_equal(goframe_elided(S("...23 frames elided...")), 23);
	assert_int_equal(goframe_elided(S("...additional frames elided...")), 1);
	assert_int_equal(goframe_elided(S("... frames")), 0);
}

static const char dump[] =
	"goroutine 1 [semacquire, 2 minutes]:\nsync.runtime_Semacquire(0xc000010008?)\n\t/go/src/runtime/sema.go:56 +0x25\n"
	"sync.(*WaitGroup).Wait(0xc000010000)\n\t/go/src/sync/waitgroup.go:136 +0x52\nmain.main()\n\t/src/main.go:9 +0x1d\n\n"
	"goroutine 6 [semacquire]:\nsync.runtime_SemacquireMutex(0x0?, 0x0?, 0x0?)\n\t/go/src/runtime/sema.go:77 +0x25\n"
	"sync.(*Mutex).lockSlow(0xc000020000)\n\t/go/src/sync/mutex.go:171 +0x165\nsync.(*Mutex).Lock(...)\n\t/go/src/sync/mutex.go:90\n"
	"main.work(0xc000020000, 0xc000030000?, 0x5)\n\t/src/main.go:20 +0x1\ncreated by main.main in goroutine 1\n\t/src/main.go:7 +0x1\n\n"
	"goroutine 7 [semacquire, 5 minutes]:\nsync.runtime_SemacquireMutex(0x0?, 0x0?, 0x0?)\n\t/go/src/runtime/sema.go:77 +0x25\n"
	"sync.(*Mutex).lockSlow(0xc000020000)\n\t/go/src/sync/mutex.go:171 +0x165\nsync.(*Mutex).Lock(...)\n\t/go/src/sync/mutex.go:90\n"
	"main.work(0xc000020000, 0xc000040000?, 0x6)\n\t/src/main.go:20 +0x1\ncreated by main.main in goroutine 1\n\t/src/main.go:7 +0x1\n";

static struct traceback *read_all(const char *p, size_t n, size_t piece)
{
	struct traceback *t;

	if (traceback_new(&t) < 0)
		abort();
	for (size_t i = 0; i < n; i += piece)
		traceback_feed(t, (struct span){ p + i, n - i < piece ? n - i : piece });
	traceback_end(t);
	return t;
}

static void check_dump(const struct traceback *t)
{
	assert_int_equal(t->count, 3);
	assert_int_equal(t->n_buckets, 2);
	assert_int_equal(t->buckets[0].wait, TB_WAITGROUP);
	assert_int_equal(t->buckets[1].wait, TB_MUTEX);
	assert_int_equal(t->buckets[1].count, 2);
	assert_int_equal(t->buckets[1].minutes, 5);
	assert_int_equal(t->buckets[1].oldest, 7);
	assert_int_equal(t->buckets[1].n_places, 4);
	assert_int_equal(tb_at(t, 1)->lock, 0xc000020000);
	assert_int_equal(tb_at(t, 1)->parent, 1);
	assert_int_equal(tb_at(t, 0)->lock, 0xc000010000);
	assert_int_equal(tb_at(t, 2)->n_pointers, 2);
	assert_false(t->cut_in_frame);
	assert_int_equal(t->foreign, 0);
}

static void test_dump(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 80; piece++) {
		struct traceback *t = read_all(dump, sizeof(dump) - 1, piece);
		check_dump(t);
		traceback_free(t);
	}
	assert_true(traceback_looks_like((struct span){ dump, 400 }));
	assert_true(traceback_looks_like(S("\n\ngoroutine 1 [running]:\nmain.main()\n")));
	assert_false(traceback_looks_like(S("goroutine 1 is running\n")));
	assert_false(traceback_looks_like(S("panic: x\n\ngoroutine 1 [running]:\n")));
	assert_false(traceback_looks_like(S("")));
}

/* Cut at every byte: never more than there is, and the goroutines before the cut are whole. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(dump); n++) {
		struct traceback *t = read_all(dump, n, 4096);
		assert_in_range(t->count, 0, 3);
		if (n > 700)
			assert_int_equal(t->buckets[0].n_places, 3);
		assert_true(t->last <= (int64_t)n);
		traceback_free(t);
	}
}

static void test_dumps(void **state)
{
	static const char log[] = "starting\npanic: boom\n\ngoroutine 1 [running]:\nmain.f()\n\t/a.go:1 +0x1\n\nexit\n"
		"SIGQUIT: quit\nPC=0x1 m=0 sigcode=0\n\ngoroutine 1 [sleep]:\nmain.f()\n\t/a.go:1 +0x1\n2026 noise between\nmain.g()\n\t/a.go:2 +0x1\n\n"
		"goroutine 2 [sleep]:\nmain.f()\n\t/a.go:1 +0x1\n\nrax 0x1\npanic: again\n\ngoroutine 1 [running]:\nmain.f()\n\t/a.go:1 +0x1\n";
	struct traceback *t = read_all(log, sizeof(log) - 1, 7);

	(void)state;
	assert_int_equal(t->dumps, 3);
	assert_int_equal(t->count, 2);
	assert_int_equal(t->buckets[0].n_places, 2);
	assert_int_equal(t->foreign, 3);
	traceback_free(t);
}

static void read_once(void)
{
	struct traceback *t;

	if (traceback_new(&t) < 0)
		return;
	for (size_t i = 0; i < sizeof(dump) - 1; i += 11)
		traceback_feed(t, (struct span){ dump + i, sizeof(dump) - 1 - i < 11 ? sizeof(dump) - 1 - i : 11 });
	traceback_end(t);
	assert_in_range(t->count, 0, 3);
	traceback_free(t);
}

static void test_no_memory(void **state)
{
	long points;

	(void)state;
	fault_at = 1L << 40;
	fault_seen = 0;
	read_once();
	points = fault_seen;
	for (long i = 1; i <= points; i++) {
		fault_at = i;
		fault_seen = 0;
		read_once();
	}
	fault_at = 0;
}

static const struct {
	enum log_form form;
	const char *line, *payload;
	bool part;
} wrapped[] = {
	{ LOG_CRI, "2026-11-21T02:00:00.123456789Z stderr F \tmain.go:7", "\tmain.go:7", false },
	{ LOG_CRI, "2026-11-21T02:00:00.1+08:00 stdout P half", "half", true },
	{ LOG_CRI, "2026-11-21T02:00:00.1Z stdout F", "", false },
	{ LOG_DOCKER, "{\"log\":\"\\tmain.go:7\\n\",\"stream\":\"stderr\",\"time\":\"x\"}", "\\tmain.go:7", false },
	{ LOG_DOCKER, "{\"log\":\"half\",\"stream\":\"stderr\",\"time\":\"x\"}", "half", true },
	{ LOG_JOURNAL_JSON, "{\"__REALTIME_TIMESTAMP\":\"1\",\"MESSAGE\":\"panic: x\"}", "panic: x", false },
	{ LOG_SYSLOG, "Nov 21 02:00:00 host app[12]: panic: x", "panic: x", false },
	{ LOG_SYSLOG, "<11>Nov  1 02:00:00 host app: x", "x", false },
	{ LOG_SYSLOG, "2026-11-21T02:00:00.1+01:00 host app[12]: panic: x", "panic: x", false },
	{ LOG_SYSLOG5, "<11>1 2026-11-21T02:00:00Z host app 12 - - panic: x", "panic: x", false },
	{ LOG_SYSLOG5, "<11>1 2026-11-21T02:00:00Z host app 12 id [a b=\"c\"] panic: x", "panic: x", false },
	{ LOG_STAMP, "2026-11-21T02:00:00.1Z panic: x", "panic: x", false },
	{ LOG_COMPOSE, "web-1  | panic: x", "panic: x", false },
	{ LOG_COMPOSE, "web-1  | ", "", false },
	{ LOG_PLAIN, "panic: x", NULL, false },
	{ LOG_CRI, "panic: x", NULL, false }, { LOG_DOCKER, "{\"log\":1}", NULL, false }, { LOG_DOCKER, "{\"log\":\"x", NULL, false },
	{ LOG_SYSLOG, "Nov 21 02:00:00 host", NULL, false }, { LOG_SYSLOG5, "<11>1 a b", NULL, false }, { LOG_STAMP, "2026-11-21 02:00:00 x", NULL, false },
	{ LOG_COMPOSE, "a b | c", NULL, false },
};

static void test_wrapped(void **state)
{
	bool escaped, part;
	struct span s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrapped); i++) {
		bool fits = logline_read(wrapped[i].form, span_of(wrapped[i].line), &s, &escaped, &part);
		assert_int_equal(fits, wrapped[i].payload != NULL);
		if (!fits)
			continue;
		assert_true(span_eq(s, span_of(wrapped[i].payload)));
		assert_int_equal(part, wrapped[i].part);
	}
	assert_int_equal(logline_form(S("panic: x\n")), LOG_PLAIN);
	assert_int_equal(logline_form(S("2026-11-21T02:00:00Z a\n2026-11-21T02:00:00Z b\n")), LOG_PLAIN);
	assert_int_equal(logline_form(S("2026-11-21T02:00:00Z a\n2026-11-21T02:00:00Z b\n2026-11-21T02:00:00Z c\n2026-1")), LOG_STAMP);
	assert_int_equal(logline_form(S("2026-11-21T02:00:00Z stderr F a\n")), LOG_CRI);
	assert_int_equal(logline_form(S("")), LOG_PLAIN);
}

static void test_unwrap(void **state)
{
	static const char log[] = "2026-11-21T02:00:00Z stderr P pan\n2026-11-21T02:00:00Z stderr F ic: x\nstray\n2026-11-21T02:00:00Z stderr P end";

	(void)state;
	for (size_t piece = 1; piece < 50; piece++) {
		struct unwrap u;
		unwrap_begin(&u, LOG_CRI);
		for (size_t i = 0; i < sizeof(log) - 1; i += piece)
			unwrap_feed(&u, span_head((struct span){ log + i, sizeof(log) - 1 - i }, piece));
		unwrap_end(&u);
		assert_string_equal(buf_str(&u.out), "panic: x\nstray\nend\n");
		assert_int_equal(u.plain, 1);
		unwrap_free(&u);
	}
	CLEANUP(buf_free) struct buf b = { 0 };
	assert_true(logline_json_stack(S("{\"a\":{\"s\":\"goroutine 1 [running]:\\nmain.f()\\n\\t/a.go:1\"},\"m\":\"x\"}"), &b));
	assert_string_equal(buf_str(&b), "goroutine 1 [running]:\nmain.f()\n\t/a.go:1\n");
	assert_false(logline_json_stack(S("{\"m\":\"goroutine\"}"), &b));
	assert_false(logline_json_stack(S("{\"m\":"), &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers), cmocka_unit_test(test_frames), cmocka_unit_test(test_dump), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_dumps), cmocka_unit_test(test_no_memory), cmocka_unit_test(test_wrapped), cmocka_unit_test(test_unwrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
